"""The chapters with all their tasks answered, as a student would who knows all answers.

`answered.py [NOTEBOOK ...]` runs them whole, each in a kernel of its own (minutes), and exits with
an error if a cell fails, an answer is not right, or `progress()` does not count it.
"""
import os
import re
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.lab.directives import builds, split
from digit_under_hood.practice import Do, find_task, task_names

NBS = Path(__file__).parents[1]/'nbs'
ASKED = re.compile(r"practice\('([\w.]+)'\)")
LETTERS = 'abcdefgh'


@cache
def chapters() -> dict[str, Path]:
    "The modules that have tasks, in the order of the course, each with its notebook"
    wanted, found = {name.partition('.')[0] for name in task_names()}, {}
    for path in sorted(NBS.glob('[0-9]*.ipynb')):
        module = builds(nbformat.read(path, 4).cells)
        if module in wanted: found[module] = path
    return found


def task_cells(book) -> list[tuple[str, int]]:
    "The cells of a notebook in which a task is answered: its name, and the place of the cell"
    found, name = [], ''
    for i, cell in enumerate(book.cells):
        if cell.cell_type != 'code': continue
        if m := ASKED.search(cell.source): name = m[1]
        if '.check(' not in cell.source: continue
        if name: found.append((name, i))
        name = ''
    return found


def short(name: str) -> bool:
    "Has this task a worked answer? What takes half an hour, and has other checks, has none"
    return isinstance(find_task(name), Do | Choose | Predict)


def parted(task, code: str) -> tuple[str, str]:
    "Of the cell of a task: what a student finds there, and the name of what is checked"
    if not isinstance(task, Do): return f'{task.name} = ...', task.name
    above, _, last = code.rstrip().rpartition('\n')
    own = re.fullmatch(r'task\.check\((\w+)\)', last)
    if not own: raise ValueError(f'{task.id}: got {last!r}, wants task.check(name) at its end')
    return above.rstrip(), own[1]


def answer(task, own: str) -> str:
    "Code that makes `own` the first worked answer of a task"
    if isinstance(task, Choose): return f'{own} = {LETTERS[task.judged()["right"]]!r}'
    if isinstance(task, Predict): return f'{own} = {task.value!r}'
    source = task.source(task.marked('right')[0])
    if task.is_value: return f'{own} = {source.strip()}'
    return source.replace(f'def {task.name}', f'def {own}', 1)


def answered(task, code: str) -> str:
    "The cell of a student who knows the answer"
    own = parted(task, code)[1]
    if isinstance(task, Do): return f'{answer(task, own)}\ntask.check({own})'
    return f'{answer(task, own)}\n' + code.replace('.check(...)', f'.check({own})')


def answered_book(path: Path):
    "A notebook with its tasks answered, and the places of the cells in which they are"
    book = nbformat.read(path, 4)
    places = [(name, i) for name, i in task_cells(book) if short(name)]
    for name, i in places:
        book.cells[i].source = answered(find_task(name), split(book.cells[i].source)[1])
    return book, places


def run(module: str, folder: str) -> list[str]:
    "Run a chapter with all answered, progress kept in `folder`, and list what is wrong"
    from nbclient import NotebookClient
    path = chapters()[module]
    book, places = answered_book(path)
    counts = nbformat.v4.new_code_cell('from digit_under_hood.review import progress\nprogress()')
    book.cells.append(counts)
    client = NotebookClient(book, timeout=300, kernel_name='python3', allow_errors=True,
                            resources={'metadata': {'path': str(NBS)}})
    client.execute(env=os.environ | {'XDG_DATA_HOME': folder})
    code = [cell for cell in book.cells if cell.cell_type == 'code']
    failed = [f'{out.ename} in {cell.source[:70]!r}' for cell in code for out in cell.outputs
              if out.output_type == 'error']
    def shown(cell): return '\n'.join(out.data.get('text/markdown', '') for out in cell.outputs
                                      if 'data' in out).strip()
    wrong = [f'{name}: {said}' for name, i in places
             if not (said := shown(book.cells[i])).startswith('**Right.**')]
    counted = re.search(rf' {module} \| ●{{{len(places)}}}○*[ |]', shown(counts))
    return failed + wrong + ([] if counted else [f'counted otherwise: {shown(counts)}'])


if __name__ == '__main__':
    bad = 0
    for module, path in chapters().items():
        if sys.argv[1:] and path.name not in sys.argv[1:]: continue
        with TemporaryDirectory() as folder: wrong = run(module, folder)
        bad += len(wrong)
        print(f'{path.name}:', '; '.join(wrong) or 'all answered', flush=True)
    sys.exit(bad > 0)
