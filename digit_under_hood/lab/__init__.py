"The student's edition of the chapters, and JupyterLab opened on it: what `digit-under-hood lab` does."
