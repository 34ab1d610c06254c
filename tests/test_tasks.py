"Every task of every chapter: answers that pass, mistakes that are recognised, mutants refused."
import ast
import copy
import inspect
import re
import signal
from contextlib import contextmanager
from functools import cache
from itertools import islice

import nbformat
import pytest
from answered import answered, chapters, task_cells

from digit_under_hood import choose, practice
from digit_under_hood.choose import Choose, Predict
from digit_under_hood.lab.directives import split
from digit_under_hood.practice import Do, FixIt, find_task, task_names
from digit_under_hood.projects import Project

TASKS = {name: find_task(name) for name in task_names()}
DO, CHOOSE, PREDICT = ([name for name, task in TASKS.items() if isinstance(task, kind)]
                       for kind in (Do, Choose, Predict))
each_do = pytest.mark.parametrize('name', DO)


@pytest.fixture(autouse=True)
def noted(monkeypatch):
    "What would have been remembered; tests leave nothing behind"
    found = []
    monkeypatch.setattr(practice, 'note_try', lambda *tried, **more: found.append((tried, more)))
    return found


@cache
def cells(chapter: str) -> list[tuple[str, str]]:
    "The cells of a chapter that hold a task: its name, and the code in which it is answered"
    book = nbformat.read(chapters()[chapter], 4)
    return [(name, split(book.cells[i].source)[1]) for name, i in task_cells(book)]


def test_each_task_stands_in_its_chapter_once():
    for chapter in {name.partition('.')[0] for name in TASKS}:
        asked = [name for name, _ in cells(chapter)]
        assert sorted(asked) == sorted(name for name in TASKS if name.startswith(f'{chapter}.'))


@pytest.mark.parametrize('name', TASKS)
def test_a_task_is_whole(name):
    task = TASKS[name]
    assert len(task.ask) > 20 and task.concept and len(task.why) > 20, 'question, concept, reason'
    assert 1 <= len(task.hints) <= 3 and isinstance(task.hints, tuple)
    assert 0 <= task.question <= 37
    helpers = {n for n, f in vars(type(task)).items() if callable(f) or isinstance(f, staticmethod)}
    assert not helpers & {*dir(type(task).__base__), *vars(task)}, 'names that the engine needs'
    if isinstance(task, Do):
        assert len(task.hints) >= 2 and len(task.marked('right')) >= 2
        says = [m.says for m in task.marked('wrong')]
        assert len(says) >= 3 and len(set(says)) == len(says) and all(len(s) > 20 for s in says)
        given_away = [body for f in task.marked('right') for body in [returned(task, f)]
                      if len(body) > 12 and any(body in text for text in (*says, *task.hints))]
        assert not given_away
    if isinstance(task, FixIt): assert task.planted in [m.__name__ for m in task.marked('wrong')]


def returned(task, f) -> str:
    "What a worked answer of one line gives back"
    lines = task.source(f).splitlines()
    return lines[-1].strip().removeprefix('return ') if len(lines) < 3 else ''


@each_do
def test_worked_answers_pass(name, noted):
    task = TASKS[name]
    for f in task.marked('right'):
        said = task.check(f)
        assert said.right is True, f'{f.__name__}: {said.text}'
        assert task.why in said.text
    assert all(tried[1] is True for tried, _ in noted)


@each_do
def test_each_mistake_is_answered_in_its_own_words(name):
    task = TASKS[name]
    for m in task.marked('wrong'):
        said = task.check(m)
        assert (said.right, said.mistake) == (False, m.__name__), said.text
        assert m.says in said.text


@each_do
def test_other_wrong_answers_are_refused(name):
    "With what came out, if nothing better is known"
    task = TASKS[name]
    def stops(*given): raise RuntimeError('on purpose')
    for other in (stops, lambda *given: 'no idea', lambda *given: -98765.4321):
        if task.is_value and other is not stops: other = other()
        said = task.check(other)
        assert said.right is False and said.mistake == '', said.text
        assert re.search('Yours|yours|is not it', said.text)
    if not task.is_value: assert 'the function itself' in task.check(3).text
    assert 'on purpose' in task.check(stops).text


@pytest.mark.parametrize('name', TASKS)
def test_no_answer_gets_an_invitation(name, noted):
    assert TASKS[name].check(...).right is None and TASKS[name].check().right is None
    assert noted == []


@pytest.mark.parametrize('name', CHOOSE)
def test_one_choice_is_right_and_each_other_has_its_reason(name):
    task = TASKS[name]
    said = [task.check(letter) for letter in 'abcdefgh'[:len(task.choices)]]
    assert 3 <= len(task.choices) <= 5 and len(task.choices) == 1 + len(task.wrong)
    assert [one.right for one in said].count(True) == 1
    assert len({one.text for one in said}) == len(said)
    assert all(len(says) > 20 for _, says in task.choices)


def test_right_choices_are_spread_over_the_letters():
    if len(CHOOSE) < 8: return
    assert {TASKS[name].judged()['right'] for name in CHOOSE} >= {0, 1, 2}


@pytest.mark.parametrize('name', PREDICT)
def test_a_prediction_has_a_tolerance_and_reasons(name):
    task = TASKS[name]
    value, within = task.value, task.within
    assert [task.check(value + by*within).right for by in (0, .99, -.99)] == [True]*3
    assert [task.check(value + by*within).right for by in (1.01, -1.01)] == [False]*2
    assert len(task.wrong) >= 2
    for number, says in task.wrong.items(): assert says in task.check(number).text


@pytest.mark.parametrize('name', [*CHOOSE, *PREDICT])
def test_the_answer_is_not_in_sight(name):
    html = TASKS[name].shown()._repr_html_()
    assert choose.markup(TASKS[name].why).strip() not in html
    assert html.count('</script>') == 2


# In the chapters

@pytest.mark.parametrize('name', TASKS)
def test_the_cell_of_a_task_untouched_and_answered(name):
    "As the chapter has it, it invites; answered it is right. It leans on nothing but the imports"
    task = TASKS[name]
    code = dict(cells(task.chapter))[name]
    tries = [(code, None)]
    if not isinstance(task, Project): tries.append((answered(task, code), True))
    for source, right in tries:
        space = vars(inspect.getmodule(type(task))) | {'task': task, 'practice': lambda name: task}
        body = ast.parse(source).body
        exec(compile(ast.Module(body[:-1], []), f'<{name}>', 'exec'), space)
        said = eval(compile(ast.Expression(body[-1].value), f'<{name}>', 'eval'), space)
        if right is None and isinstance(task, FixIt): assert said.mistake == task.planted
        else: assert said.right is right, said.text


# Mutants

SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
         ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.MatMult: ast.Mult, ast.FloorDiv: ast.Mult,
         ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.Gt, ast.GtE: ast.Lt, ast.Eq: ast.NotEq,
         ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
CALLS = {'mean': 'sum', 'sum': 'mean', 'min': 'max', 'max': 'min', 'abs': 'neg', 'append': 'extend',
         'any': 'all', 'all': 'any', 'argmax': 'argmin', 'argmin': 'argmax', 'zip': 'list'}
EDGES = {ast.Lt: ast.LtE, ast.Gt: ast.GtE, ast.LtE: ast.Lt, ast.GtE: ast.Gt}


def changes(node):
    "Ways to change one node of a syntax tree, each a function that does it to a copy"
    def put(field, value): return lambda at: setattr(at, field, value)
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
        yield put('op', SWAPS[type(node.op)]())
    if isinstance(node, ast.Compare):
        for table in (SWAPS, EDGES):
            if new := table.get(type(node.ops[0])): yield put('ops', [new(), *node.ops[1:]])
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield from (put('value', v) for v in {node.value + 1, -node.value, 0} - {node.value})
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield put('value', not node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub): yield put('op', ast.UAdd())
    if isinstance(node, ast.Attribute) and node.attr in CALLS: yield put('attr', CALLS[node.attr])
    if isinstance(node, ast.Name) and node.id in CALLS: yield put('id', CALLS[node.id])
    if isinstance(node, ast.Return) and node.value:
        yield lambda at: setattr(at, 'value', ast.UnaryOp(ast.USub(), at.value))
    if isinstance(node, ast.Tuple) and len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
        yield put('elts', [*node.elts[1:], node.elts[0]])
    for field, block in ast.iter_fields(node):
        if not (isinstance(block, list) and block and isinstance(block[0], ast.stmt)): continue
        for i in range(len(block) - 1):
            yield put(field, [*block[:i], *block[i:i + 2][::-1], *block[i + 2:]])
        if len(block) > 1:
            yield from (put(field, block[:i] + block[i + 1:]) for i in range(len(block)))


def mutants(task, f):
    "Functions like `f` with one thing changed, each with what was changed"
    tree = ast.parse(task.source(f) if not task.is_value else f'def {task.name}():\n' + re.sub(
        '^', '    ', f'return {task.source(f).strip()}', flags=re.M))
    nodes = [*ast.walk(tree)]
    for i, node in enumerate(nodes):
        if isinstance(node, ast.Module): continue
        for change in changes(node):
            other = copy.deepcopy(tree)
            change(at := [*ast.walk(other)][i])
            short = ast.unparse(node) if not isinstance(node, ast.FunctionDef) else 'order'
            told = f'{f.__name__}: {short} -> {ast.unparse(at)}'
            space = dict(vars(inspect.getmodule(type(task))))
            try: exec(compile(ast.fix_missing_locations(other), '<mutant>', 'exec'), space)
            except SyntaxError: continue
            yield told, space[task.name]


@contextmanager
def at_most(seconds: float):
    "Raise `TimeoutError` in what takes longer, as a loop without an end does"
    def stop(*_): raise TimeoutError
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try: yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@each_do
@pytest.mark.parametrize('every', [8, pytest.param(1, marks=pytest.mark.long)])
def test_mutants_of_worked_answers_are_refused(name, every):
    "Each eighth of them; weekly all, and those that are named as equal are just those that pass"
    task, left = TASKS[name], []
    made = [*islice((m for f in task.marked('right') for m in mutants(task, f)), 0, None, every)]
    for told, mutant in made:
        with at_most(20): said = task.check(mutant)
        if said.right is not False: left.append(told)
    equal = getattr(task, 'equal', {})   # those that do the same, each with the reason; * for all
    assert made and all(len(reason) > 10 for reason in equal.values())
    assert '*' in equal or {*left} <= equal.keys() and (every > 1 or {*left} == equal.keys())
