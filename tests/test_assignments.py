"What `make assignments` writes is handed out, validated, graded and scored by nbgrader itself."
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from answered import chapters
from assignments import api, make, source

from digit_under_hood.practice import Do, FixIt, find_task

pytestmark = pytest.mark.filterwarnings('ignore:Object of type')   # nbgrader's own
NAME = '01_pixels'   # has all four kinds of task
FULL = 16            # 3 Do, 1 FixIt, 3 Choose, 2 Predict
ROOT = Path(__file__).parents[1]
TEACHER = """from answered import chapters
from assignments import source
for name, book in [(module, source(module)) for module in chapters()]:
    space = {}
    for cell in book.cells if book else ():   # none where there are but projects
        if cell.cell_type == 'code': exec(compile(cell.source, f'{name} {cell.id}', 'exec'), space)
"""


@pytest.fixture(scope='module')
def course(tmp_path_factory):
    "A course with one assignment, handed out"
    folder = tmp_path_factory.mktemp('course')
    made = list(make(folder, ['pixels']))
    assert made == [folder/'release'/NAME/f'{NAME}.ipynb']
    return folder


def cells_of(path: Path) -> dict:
    return {cell.id: cell for cell in nbformat.read(path, 4).cells}


def hand_in(course, student: str, answers: dict[str, str]) -> None:
    "Answer some tasks of what was handed out, and hand it in"
    book = nbformat.read(course/'release'/NAME/f'{NAME}.ipynb', 4)
    for cell in book.cells: cell.source = answers.get(cell.id, cell.source)
    folder = course/'submitted'/student/NAME
    folder.mkdir(parents=True)
    nbformat.write(book, folder/f'{NAME}.ipynb')


def graded(course, student: str) -> tuple[float, dict]:
    "The score that nbgrader gives, and the cells as it ran them"
    from nbgrader.api import Gradebook
    done = api(course).autograde(NAME, student)
    assert done['success'], done
    with Gradebook(f'sqlite:///{course}/gradebook.db') as book:
        found = book.find_submission(NAME, student)
        assert (found.max_score, found.needs_manual_grade) == (FULL, False)
        score = found.score
    cells = cells_of(course/'autograded'/student/NAME/f'{NAME}.ipynb')
    assert all(cell.execution_count for cell in cells.values()
               if cell.cell_type == 'code' and cell.source.strip())   # it ran to its end
    return score, cells


def solutions(course) -> dict[str, str]:
    "The right answers, from the teacher's copy"
    found = {name: re.search(r'### BEGIN SOLUTION\n(.*)\n### END', cell.source, re.S)
             for name, cell in cells_of(course/'source'/NAME/f'{NAME}.ipynb').items()}
    return {name: m[1] for name, m in found.items() if m}


def mistakes() -> dict[str, str]:
    "What people do wrong: the first mistake that each task knows"
    found = {}
    for name in ('label_of', 'in_colour', 'below_zero', 'by_heart'):
        task = find_task(f'pixels.{name}')
        if isinstance(task, Do): found[name] = task.source(task.marked('wrong')[0])
        elif task.choices: found[name] = f'{name} = {"abcd"[1 - task.judged()["right"]]!r}'
        else: found[name] = f'{name} = {next(iter(task.wrong))}'
    return found


def errors(cells) -> dict[str, str]:
    return {name: out.evalue for name, cell in cells.items() for out in cell.get('outputs', [])
            if out.output_type == 'error'}


@pytest.mark.parametrize('module', [module for module in chapters() if source(module)])
def test_each_chapter_has_its_assignment_and_answers_and_tests_are_where_they_belong(module):
    names = set()
    for cell in source(module).cells:
        mark = cell.metadata.nbgrader
        names.add(mark.grade_id)
        assert mark.schema_version == 3 and mark.locked is not mark.solution
        assert ('### BEGIN SOLUTION' in cell.source) is mark.solution
        assert ('### BEGIN HIDDEN TESTS' in cell.source) is mark.grade is ('points' in mark)
    tasks = {name for name in names if f'test_{name}' in names}
    assert {f'ask_{name}' for name in tasks} < names and len(names) == 2 + 3*len(tasks)


@pytest.mark.long
def test_the_answers_of_each_chapter_pass_its_hidden_tests_and_nothing_is_noted(tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', TEACHER], capture_output=True, text=True,
        env=os.environ | {'PYTHONPATH': os.pathsep.join(map(str, (ROOT, ROOT/'tools'))),
                          'XDG_DATA_HOME': str(tmp_path)})
    assert (done.returncode, done.stdout) == (0, ''), done.stdout + done.stderr
    assert not [*tmp_path.iterdir()]


def test_a_student_gets_questions_and_neither_answers_nor_hidden_tests(course):
    text = (course/'release'/NAME/f'{NAME}.ipynb').read_text()
    assert 'SOLUTION' not in text and 'HIDDEN' not in text and '_judge' not in text
    cells = cells_of(course/'release'/NAME/f'{NAME}.ipynb')
    for name, code in solutions(course).items():
        assert code not in cells[name].source and find_task(f'pixels.{name}').why not in text
        planted = isinstance(find_task(f'pixels.{name}'), FixIt)
        assert planted or '...' in cells[name].source
        assert not cells[f'test_{name}'].metadata.editable
    assert '**c** ' in cells['ask_by_heart'].source


def validated(course, student: str) -> dict:
    "What a student is told who lets nbgrader validate: with what is in sight, before it is graded"
    from nbgrader.validator import Validator
    from traitlets.config import Config
    limits = Config({'Execute': {'timeout': 120, 'iopub_timeout': 60}})   # a machine may be slow
    return Validator(config=limits).validate(str(course/'submitted'/student/NAME/f'{NAME}.ipynb'))


def test_the_right_answers_get_all_points_and_validate(course):
    hand_in(course, 'right', solutions(course))
    assert validated(course, 'right') == {}
    score, cells = graded(course, 'right')
    assert (score, errors(cells)) == (FULL, {})
    assert not any(cell.get('outputs') for cell in cells.values()), 'nothing is said of the answer'


def test_nothing_done_gets_no_points_and_runs_to_its_end(course):
    hand_in(course, 'idle', {})
    score, cells = graded(course, 'idle')
    assert score == 0 and len(errors(cells)) == 9
    assert 'Put your answer in place' in errors(cells)['test_label_of']
    assert 'a b c d' in errors(cells)['test_by_heart']


def test_mistakes_cost_their_points_and_are_answered_in_words(course):
    wrong = mistakes()
    hand_in(course, 'half', solutions(course) | wrong)
    assert len(validated(course, 'half')['failed']) == 2   # a choice and a number are not judged
    score, cells = graded(course, 'half')
    assert score == FULL - 3 - 3 - 1 - 1
    told = errors(cells)
    assert {name.removeprefix('test_') for name in told} == set(wrong)
    for name in wrong:
        task = find_task(f'pixels.{name}')
        says = [m.says for m in task.marked('wrong')] if isinstance(task, Do) else [
            says for _, says in task.choices] or [*task.wrong.values()]
        assert any(text in told[f'test_{name}'] for text in says)


def test_who_replaces_the_judge_or_knows_what_is_shown_passes_what_is_in_sight_only(course):
    task = find_task('pixels.label_of')
    shown = {str(path): task.marked('right')[0](path) for path, in task.inputs()[:-1:2]}
    judge = """import digit_under_hood.practice as p
from digit_under_hood.outcomes import Said
p.find_task = lambda name: p.right
p.right.check, p.right.inputs = (lambda *_: Said('', True)), list
p.Do.check = lambda *_: Said('', True)
check = mean_gap = print"""
    hand_in(course, 'sly', {'label_of': f'def label_of(path): return {shown}.get(str(path))',
                            'mean_gap': judge, 'in_colour': 'in_colour = print'})
    score, cells = graded(course, 'sly')
    told = errors(cells)
    assert score == 0
    for name in ('label_of', 'mean_gap', 'in_colour'):
        assert told[f'test_{name}'].startswith('**Not yet.** For')
