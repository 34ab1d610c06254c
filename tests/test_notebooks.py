"What every chapter keeps to, so that a student meets one course from first page to last."
import ast
import re
from functools import cache
from itertools import takewhile
from pathlib import Path

import nbformat
import pytest

from digit_under_hood.lab.directives import builds, directives, split
from digit_under_hood.practice import find_task, task_names

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT/'nbs').glob('[0-9][0-9]*_*.ipynb'))
HERE = '|'.join(re.escape(str(folder)) for folder in (ROOT, Path.home()))
LOCAL = re.compile(rf'at 0x[0-9a-f]{{6,}}|/home/|/Users/|/tmp/|{HERE}')
APPENDICES = sorted((ROOT/'nbs').glob('[a-z]_*.ipynb'))
chapters = pytest.mark.parametrize('path', CHAPTERS + APPENDICES, ids=lambda p: p.stem)


@cache
def read(path): return nbformat.read(path, 4).cells


def code_cells(path): return [cell for cell in read(path) if cell.cell_type == 'code']


def prose(path):
    "The text of all Markdown cells"
    return '\n'.join(cell.source for cell in read(path) if cell.cell_type == 'markdown')


def tree(cell):
    "The cell's code as a syntax tree (cells with magics have none)"
    try: return ast.parse(cell.source)
    except SyntaxError: return ast.parse('')


def names(node):
    "Every name and attribute that `node` mentions"
    return ({n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            | {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)})


def is_export(cell):
    return bool({'export', 'exports'} & directives(cell).keys())


def exported(cell):
    "Public functions and classes that an export cell defines"
    if not is_export(cell): return []
    return [node for node in tree(cell).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith('_')]


def is_assertion(node):
    if isinstance(node, ast.Assert): return True
    return (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            and (node.func.id.startswith('test_') or node.func.id == 'check_gradients'))


def assertions(name, cells):
    "How many assertions there are in the cells, exported ones left out, that use `name`"
    users = [tree(cell) for cell in cells if not is_export(cell) and name in names(tree(cell))]
    return sum(is_assertion(node) for user in users for node in ast.walk(user))


@chapters
def test_every_export_has_a_demo_and_assertions(path):
    cells = code_cells(path)
    missing = []
    for i, cell in enumerate(cells):
        for node in exported(cell):
            if not any(node.name in names(tree(demo)) for demo in cells[i + 1:i + 2]):
                missing.append(f'{node.name}: no demo in the next code cell')
            found = assertions(node.name, cells)
            if found < 2: missing.append(f'{node.name}: {found} of 2 assertions')
    assert not missing


@chapters
def test_every_export_is_documented(path):
    "A docstring that starts with a capital; each parameter's type, and for a tensor a comment too"
    bad = []
    for cell in code_cells(path):
        for node in exported(cell):
            doc = ast.get_docstring(node) or ''
            if not re.match(r'[A-Z`].*\S', doc): bad.append(f'{node.name}: docstring {doc!r}')
            if isinstance(node, ast.FunctionDef):
                arguments = node.args.args + node.args.kwonlyargs
                lines = cell.source.split('\n')
                untold = [arg.arg for arg in arguments
                          if '#' not in lines[arg.lineno - 1] and
                          (not arg.annotation or 'Tensor' in ast.unparse(arg.annotation))]
                if untold: bad.append(f'{node.name}: no annotation or comment for {untold}')
    assert not bad


VERBS = set("""Add Answer Ask Average Blur Build Call Change Check Collect Compare Compute Copy
    Count Cut Deal Describe Divide Do Draw Explain Fail Fill Find Fit Forget Give Hold Join Load
    Make Map Mark Measure Move Name Note Offer Predict Provide Put Raise Read Return Round Save
    Say Send Show Shuffle Squash Stack Stand Start Step Subtract Suggest Sum Take Tell Train Turn
    Weigh Work Write Yield""".split())
MOMENTS = 'before_', 'after_', 'cleanup_'   # events, which say what is there when they are called


@chapters
def test_docstrings_begin_with_a_verb(path):
    functions = [node for cell in code_cells(path) if is_export(cell)
                 for node in ast.walk(tree(cell)) if isinstance(node, ast.FunctionDef)]
    found = [(node.name, doc.split()[0]) for node in functions
             if (doc := ast.get_docstring(node)) and not node.name.startswith(MOMENTS)]
    assert [(name, word) for name, word in found if word not in VERBS] == []


@chapters
def test_stored_outputs_are_fit_to_show(path):
    bad = []
    for i, cell in enumerate(code_cells(path)):
        for out in cell.outputs:
            data = out.get('data', {})
            text = out.get('text', '') + ''.join(data[k] for k in data if k.startswith('text'))
            if out.output_type == 'error': bad.append(f'cell {i}: an error')
            if out.get('name') == 'stderr': bad.append(f'cell {i}: stderr {text[:80]!r}')
            if LOCAL.search(text): bad.append(f'cell {i}: {text[:80]!r}')
            if 'image/png' in data and not directives(cell).get('fig-alt'):
                bad.append(f'cell {i}: no fig-alt')
    assert not bad


@chapters
def test_outputs_are_stored(path):
    "Somebody who reads without a kernel sees what the cells print and draw"
    assert sum(bool(cell.outputs) for cell in code_cells(path)) >= 5


@chapters
def test_cells_are_short(path):
    shown = (c for c in code_cells(path) if not {'hide', 'export'} & directives(c).keys())
    sizes = sorted(len(re.findall(r'^\s*\S', split(cell.source)[1], re.M)) for cell in shown)
    assert sizes[-1] <= 25
    assert sizes[len(sizes)//2] <= 5


@chapters
def test_shape_of_a_chapter(path):
    text = prose(path)
    assert re.match(r'# .+\n+> .+', text)
    headings = re.findall(r'^## (.+)$', text, re.M)
    if headings[-1] == 'Projects': headings.pop()   # for another day
    assert headings[-3:] == ['What we know now', 'Your turn', 'Questions']
    assert not re.search(r'@fig-|@eq-|^:::|\\begin\{align\}', text, re.M)


@chapters
def test_size(path):
    assert path.stat().st_size < 500_000


@chapters
def test_imports_only_earlier_chapters(path):
    "And from the appendices; what those export leans on no chapter, but for the command"
    on_top = ['trained', 'report', 'command']   # the first stands on chapter 08
    order = [name for book in APPENDICES + CHAPTERS
             if (name := builds(read(book))) not in on_top] + on_top
    order.insert(order.index('fooling'), order.pop(order.index('trained')))
    cells = [c for c in code_cells(path) if path in CHAPTERS or is_export(c)]
    used = set(re.findall(r'digit_under_hood\.(\w+) import', '\n'.join(c.source for c in cells)))
    used.discard('tasks')   # plain files, which are read when one is asked for
    assert used <= set(order[:order.index(builds(read(path)))])


def test_all_37_questions():
    "The questionnaire, each question once, as a task or in words, in the chapter that teaches it"
    found = [find_task(name).question for name in task_names()]
    for path in CHAPTERS:
        questions = prose(path).partition('## Questions')[2]
        found += map(int, re.findall(r'^\*\*(\d+)[.:]', questions, re.M))
    assert sorted(filter(None, found)) == list(range(1, 38))


@chapters
def test_one_sitting(path):
    "At most 40 minutes, less the projects, at 200 words a minute and 5 seconds a line of code"
    cells = [*takewhile(lambda cell: not cell.source.startswith('## Projects'), read(path))]
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == 'markdown')
    shown = (split(cell.source)[1] for cell in cells
             if cell.cell_type == 'code' and 'hide' not in directives(cell))
    lines = sum(len(re.findall(r'^\s*\S', source, re.M)) for source in shown)
    assert words/200 + lines*5/60 <= 40
