"The student's edition: a copy of each chapter in a folder, and a JupyterLab that opens it."
import hashlib
import json
import os
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import nbformat
from .directives import split
from nbformat.v4 import new_code_cell, new_markdown_cell
from .roles import answers, summary, together

PACKAGE = Path(__file__).parents[1]
SHIPPED = (PACKAGE/'course').exists()   # a wheel holds the chapters, and how Jupyter shows them
HOME = PACKAGE/'course' if SHIPPED else PACKAGE.parent
START = '''<details><summary>Start here: Shift+Enter runs a cell and goes to the next</summary>

Run them all, in order. A grey line that begins with `#` is a collapsed cell, with imports, checks
or drawing: run it in passing, and click it if you are curious. `test_eq(a, b)` is a check: silent
if the two are equal, an error if not. After a **guess** the answer is not there yet: guess, then
run.{reset}

</details>'''
RESET = '''

What you change is yours and is never overwritten. If nothing makes sense any more: *Kernel,
Restart Kernel and Run All Cells*. For a fresh chapter, `{command}` in a
terminal; it keeps yours under another name.'''
AFRESH = 'digit-under-hood lab --reset {}' if SHIPPED else 'make lab-reset CHAPTER={}'


def edition(book, reset: str = '', setup: str = ''):
    "The notebook `book` for a student; `reset` ends the box at its top, `setup` is a cell there"
    for i in answers(book.cells): book.cells[i].outputs = []
    cells, before = [], None
    for cell in book.cells:
        cell.metadata, said = {}, None
        if cell.cell_type == 'code':
            options, code = split(cell.source)
            if not code.strip() or 'nbdev' in code: continue   # what makes the library stays behind
            said, cell.execution_count = summary(options, code), None
            if said: cell.metadata = {'jupyter': {'source_hidden': True}}
            cell.source = f'# {said[0].lower()}{said[1:]}\n{code}' if said else code
            if row := together(before, said):   # authors keep them apart, for library and pages
                before = row
                _, _, above = cells[-1].source.partition('\n')
                cells[-1].source = f'# {before}\n{above}\n{code}'
                continue
        cells.append(cell)
        before = said
    cells.insert(1, new_markdown_cell(START.format(reset=reset), id='start-here'))
    if setup: cells.insert(1, new_code_cell(setup, id='install'))
    book.cells = cells
    return book


def digest(book) -> str:
    "What tells whether a notebook was changed: its cells and what they show"
    shown = [(cell.cell_type, cell.source, [{key: out[key] for key in sorted(out) if key in
             ('data', 'text', 'name', 'ename', 'evalue')} for out in cell.get('outputs', [])])
             for cell in book.cells]
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def digest_of(path: Path) -> str:
    "The `digest` of a file; empty if it is not there or not a notebook"
    try: return digest(nbformat.read(path, 4))
    except Exception: return ''   # whatever is wrong with it, it is not as we made it


def save(book, path: Path) -> None:
    "Write `book` so that JupyterLab trusts it and finds nothing to add to it"
    from ipykernel.ipkernel import IPythonKernel
    from jupyter_client.kernelspec import get_kernel_spec
    from nbformat.sign import NotebookNotary
    spec = get_kernel_spec('python3')
    book.metadata = nbformat.from_dict(dict(
        kernelspec=dict(display_name=spec.display_name, language=spec.language, name='python3'),
        language_info=IPythonKernel.language_info))
    nbformat.write(book, path)
    NotebookNotary().sign(nbformat.read(path, 4))


def free(path: Path, word: str) -> Path:
    "A name beside `path` that is not taken: `03_x (new).ipynb`, `03_x (new 2).ipynb`"
    names = (path.with_stem(f'{path.stem} ({word}{f" {n}" if n > 1 else ""})') for n in count(1))
    return next(name for name in names if not name.exists())


RECORD = '.made.json'   # in the folder: what was made there


class Course:
    "The folder of a student, with a record of what was made there"
    def __init__(self, folder: Path, nbs: Path = HOME/'nbs'):
        self.folder, self.record = folder, folder/RECORD
        self.chapters = sorted([*nbs.glob('[0-9]*_*.ipynb'), *nbs.glob('[a-z]_*.ipynb')])
        self.made = json.loads(self.record.read_text()) if self.record.exists() else {}

    def chapter(self, path: Path):
        "The student's edition of the chapter at `path`"
        reset = RESET.format(command=AFRESH.format(path.stem.split('_')[0]))
        return edition(nbformat.read(path, 4), reset)

    def touched(self, path: Path) -> bool:
        "Is there a file of the student's own making at `path`?"
        return path.exists() and digest_of(path) != self.made.get(path.name)

    def write(self, book, path: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        save(book, path)
        self.made[path.name] = digest(book)
        self.record.write_text(json.dumps(self.made, indent=1) + '\n')

    def make(self) -> Iterable[str]:
        "Bring the folder up to date, and tell what a student should know"
        names = {path.name for path in self.chapters}
        for name in [name for name in self.made if name not in names and ' (' not in name]:
            if not self.touched(self.folder/name): (self.folder/name).unlink(missing_ok=True)
            del self.made[name]   # a chapter that has moved
        for path in self.chapters:
            book, own = self.chapter(path), self.folder/path.name
            new = digest(book)
            offered = [made for name, made in self.made.items()
                       if name == own.name or name.startswith(f'{path.stem} (')]
            if not self.touched(own):
                if not own.exists() or self.made.get(own.name) != new: self.write(book, own)
            elif new not in offered and digest_of(own) != new:
                self.write(book, beside := free(own, 'new'))
                yield f'{own.name} is as you left it; a newer version lies beside it: {beside.name}'

    def reset(self, number: str) -> str:
        "Give chapter `number` afresh; what the student made of it gets another name"
        found = [path for path in self.chapters if path.stem.split('_')[0] == number]
        if not found:
            numbers = ', '.join(path.stem.split('_')[0] for path in self.chapters)
            raise ValueError(f'CHAPTER: got {number!r}, wants one of {numbers}')
        own, told = self.folder/found[0].name, ''
        if self.touched(own):
            own.rename(kept := free(own, 'mine'))
            told = f'; yours is now {kept.name}'
        self.write(self.chapter(found[0]), own)
        return f'{own.name} is fresh{told}'


def open_lab(course: Course, flags: list[str]) -> None:
    "Open the first chapter in JupyterLab, with settings of the course beside the student's own"
    ours = [HOME/'jupyter/course', HOME/'jupyter', os.environ.get('JUPYTER_CONFIG_PATH')]
    os.environ['JUPYTER_CONFIG_PATH'] = os.pathsep.join(str(path) for path in ours if path)
    os.environ['JUPYTERLAB_WORKSPACES_DIR'] = str(course.folder/'.lab')
    os.environ.setdefault('PYDEVD_DISABLE_FILE_VALIDATION', '1')
    layout = course.folder/'.lab/default-37a8.jupyterlab-workspace'
    if not layout.exists():   # with the table of contents open
        layout.parent.mkdir(exist_ok=True)
        layout.write_text((HOME/'jupyter/course/layout.json').read_text())
    root = ['--allow-root'] if hasattr(os, 'geteuid') and os.geteuid() == 0 else []
    from jupyterlab.labapp import LabApp
    LabApp.launch_instance([*root, f'--ServerApp.root_dir={course.folder}', *flags,
                            str(course.folder/course.chapters[0].name)])
