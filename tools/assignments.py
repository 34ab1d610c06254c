"""Assignments for nbgrader, one a chapter, made from the tasks: a course folder `_assignments`.

`assignments.py [FOLDER]` writes `source/02_similarity/02_similarity.ipynb` and its like, with
answers, points and hidden tests, and nbgrader makes of it what students get, in `release`.
"""
import ast
import inspect
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from answered import LETTERS, answer, chapters, parted, short, task_cells
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.lab.directives import split
from digit_under_hood.practice import Do, FixIt, find_task

ROOT = Path(__file__).parents[1]
POINTS = {FixIt: 2, Do: 3, Choose: 1, Predict: 1}   # the first that fits
CONFIG = '''c = get_config()
c.CourseDirectory.course_id = 'digit_under_hood'
c.ClearSolutions.code_stub = {'python': ''}   # what a student sees stands above each solution
c.Execute.timeout = 120
c.Execute.iopub_timeout = 60
'''
INTRO = '''# Tasks of chapter {number}, {module}

Put your answers in place of the dots. The cell below an answer tries it, on some of the cases that
count, or only says what form it should have. The tasks lean on the chapter: have it open beside.
Before you hand in: *Kernel, Restart Kernel and Run All Cells*, and save.'''
# Every second case is shown, never the last; a value and a choice are not judged at all.
CHECK = '''from digit_under_hood import practice

def check(name, answer):
    "Stop if an answer is wrong for the cases that are shown"
    practice.note_try = lambda *tried, **more: None   # what is graded is no practice
    task = practice.find_task(name)
    cases = task.inputs()[:-1:2]
    task.inputs = lambda: cases
    said = task.check(answer)
    assert said.right, said.text'''
# The engine is imported anew: what was put in its place in the notebook does not count.
HIDDEN = '''### BEGIN HIDDEN TESTS
import sys as _sys
from importlib import import_module as _import
for _name in [*_sys.modules]:
    if _name.startswith('digit_under_hood.') and _name.split('.')[1] in {engine}:
        del _sys.modules[_name]
_judge = _import('digit_under_hood.practice')
_judge.note_try = lambda *tried, **more: None
_said = _judge.find_task('{name}').check({own})
assert _said.right is True, _said.text
### END HIDDEN TESTS'''
ENGINE = ('choose', 'outcomes', 'practice', 'projects', 'tasks')


def marked(cell, name: str, points: int = 0, locked: bool = True):
    "Mark a cell for nbgrader: graded if it has `points`, an answer unless it is `locked`"
    cell.metadata.nbgrader = nbformat.from_dict(dict(
        schema_version=3, grade_id=name, grade=points > 0, solution=not locked, locked=locked,
        task=False) | ({'points': points} if points else {}))
    return cell


def question(task) -> str:
    "A task in Markdown; choices have letters"
    choices = [f'- **{letter}** {text}' for letter, (text, _) in
               zip(LETTERS, getattr(task, 'choices', ()))]
    return '\n'.join([f'**Task: {task.concept}.** {task.ask}', '', *choices]).strip()


def tried(task, own: str) -> str:
    "What a student sees of the test: some cases, or only the form that is wanted"
    if isinstance(task, Predict): return f"assert float({own}) == {own}, 'wanted is a number'"
    if isinstance(task, Do): return f"check('{task.id}', {own})"
    letters = ' '.join(LETTERS[:len(task.choices)])
    return f"assert {own} in '{letters}'.split(), 'wanted is one of the letters {letters}'"


def source(module: str):
    "The assignment on a chapter, with answers and hidden tests; None if there is nothing to grade"
    book = nbformat.read(path := chapters()[module], 4)
    tasks = [(find_task(name), split(book.cells[i].source)[1])
             for name, i in task_cells(book) if short(name)]
    if not tasks: return None
    needs = [node for node in ast.parse(inspect.getsource(sys.modules[type(tasks[0][0]).__module__])
                                        ).body if isinstance(node, ast.Import | ast.ImportFrom)
             and str(getattr(node, 'module', '')).rpartition('.')[2] not in ENGINE]
    imports = '\n'.join([*map(ast.unparse, needs), CHECK])
    intro = INTRO.format(number=path.stem.partition('_')[0], module=module)
    cells = [marked(new_markdown_cell(intro), 'intro'), marked(new_code_cell(imports), 'imports')]
    for task, code in tasks:
        above, own = parted(task, code)
        points = next(n for kind, n in POINTS.items() if isinstance(task, kind))
        solution = f'### BEGIN SOLUTION\n{answer(task, own)}\n### END SOLUTION'
        hidden = HIDDEN.format(engine=ENGINE, name=task.id, own=own)
        cells += [marked(new_markdown_cell(question(task)), f'ask_{task.name}'),
                  marked(new_code_cell(f'{above}\n{solution}'), task.name, locked=False),
                  marked(new_code_cell(f'{tried(task, own)}\n{hidden}'), f'test_{task.name}',
                         points)]
    for cell in cells: cell.id = cell.metadata.nbgrader.grade_id
    return new_notebook(cells=cells, metadata={'kernelspec': dict(
        name='python3', display_name='Python 3', language='python')})


def api(folder: Path):
    "nbgrader at work in the course at `folder`, as its command there"
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import PyFileConfigLoader
    commands = sysconfig.get_path('scripts')   # nbgrader looks for alembic's there
    if commands not in (path := os.environ['PATH']).split(os.pathsep):
        os.environ['PATH'] = commands + os.pathsep + path
    config = PyFileConfigLoader('nbgrader_config.py', path=str(folder)).load_config()
    config.CourseDirectory.root = str(folder.resolve())
    return NbGraderAPI(config=config)


def make(folder: Path, modules: Iterable[str]) -> Iterator[Path]:
    "Write a course with these chapters at `folder`, and give each notebook for students"
    folder.mkdir(exist_ok=True)
    (folder/'nbgrader_config.py').write_text(CONFIG)
    for module in modules:
        if not (book := source(module)): continue
        name = chapters()[module].stem
        (folder/'source'/name).mkdir(parents=True, exist_ok=True)
        nbformat.write(book, folder/'source'/name/f'{name}.ipynb')
        done = api(folder).generate_assignment(name, force=True)
        if not done['success']: raise RuntimeError(f'{name}: {done.get("error")}{done.get("log")}')
        yield folder/'release'/name/f'{name}.ipynb'


if __name__ == '__main__':
    for path in make(Path(*sys.argv[1:2] or [ROOT/'_assignments']), chapters()):
        points = [cell.metadata.nbgrader.get('points') for cell in nbformat.read(path, 4).cells]
        graded = [*filter(None, points)]
        print(f'{path}: {len(graded)} tasks, {sum(graded)} points')
