"Every project: worked solutions pass, and each typical mistake fails the steps that it should."
import re
from pathlib import Path

import nbformat
import pytest
import worked
from sampling import each_third

from digit_under_hood import practice
from digit_under_hood.practice import Do, find_task, task_names
from digit_under_hood.projects import Project

NBS = Path(__file__).parents[1]/'nbs'
PROJECTS = {name: task for name in task_names() if isinstance(task := find_task(name), Project)}
ASKED = re.compile(r"practice\('([\w.]+)'\)")


@pytest.fixture(autouse=True)
def noted(monkeypatch):
    "What would have been remembered; tests leave nothing behind"
    found = []
    monkeypatch.setattr(practice, 'note_try', lambda *tried, **more: found.append(tried))
    return found


def given(name: str, made) -> dict:
    "Pieces by their names; where there is only one, it is what was made"
    pieces = PROJECTS[name].pieces
    return made() if len(pieces) > 1 else {pieces[0]: made}


@pytest.mark.parametrize('name', PROJECTS)
def test_a_project_is_whole(name):
    task, (works, fails) = PROJECTS[name], worked.of(name)
    assert task.time in ('half an hour', 'a day') and 1 <= len(task.hints) <= 3
    assert 2 <= len(task.steps) <= (5 if task.time == 'half an hour' else 14)
    assert all(one.says[-1] in '.:' and len(one.says) > 20 for one in task.steps)
    assert len(works) >= 2 and len(fails) >= 4
    assert {step for steps, _ in fails for step in steps} == {one.__name__ for one in task.steps}


@pytest.mark.parametrize('name, made', [(name, made) for name in PROJECTS
                                        for made in worked.of(name)[0]],
                         ids=lambda one: getattr(one, '__name__', one))
def test_worked_solutions_pass(name, made, noted):
    said = PROJECTS[name].check(**given(name, made))
    assert said.right is True, said.text
    assert PROJECTS[name].why in said.text and noted == [(name, True, 0)]


@pytest.mark.parametrize('name, steps, made', each_third(
    (name, steps, made) for name in PROJECTS for steps, made in worked.of(name)[1]),
                         ids=lambda one: getattr(one, '__name__', ''))
def test_typical_mistakes_fail_their_steps_and_no_others(name, steps, made, noted):
    "In words of the project: none of them is an error that nobody thought of"
    said = PROJECTS[name].check(**given(name, made))
    assert said.right is False and said.mistake.split(', ') == steps, said.text
    assert said.text.count('● done') == len(PROJECTS[name].steps) - len(steps)
    if not made.__name__.startswith('stops'): assert 'It stops with' not in said.text
    assert noted == [(name, False, 0)]


@pytest.mark.parametrize('name', PROJECTS)
def test_nothing_yet_is_no_try(name, noted):
    task = PROJECTS[name]
    for made in ({}, dict.fromkeys(task.pieces, ...)): assert task.check(**made).right is None
    assert noted == [] and not task.card


def sections() -> dict[str, list[str]]:
    "The names of the tasks under *Projects* of each chapter that has them"
    found = {}
    for path in sorted(NBS.glob('[0-9]*.ipynb')):
        sources = [cell.source for cell in nbformat.read(path, 4).cells]
        starts = [i for i, source in enumerate(sources) if source.startswith('## Projects')]
        if starts: found[path.stem] = ASKED.findall('\n'.join(sources[starts[0]:]))
    return found


def test_projects_stand_at_the_end_each_once():
    asked = [name for names in sections().values() for name in names]
    assert len(asked) == len({*asked}) and {*PROJECTS} <= {*asked}
    assert all(isinstance(find_task(name), Do) for name in {*asked} - {*PROJECTS})


def test_each_chapter_has_a_line_and_half_an_hour_and_two_have_a_day():
    chapters, times = sections(), {}
    for stem, names in chapters.items():
        found = times.setdefault(stem[:2], [])
        found += [getattr(find_task(name), 'time', 'a line') for name in names]
    assert {*times} >= {f'{n:02}' for n in range(10)}
    assert all({'a line', 'half an hour'} <= {*found} for found in times.values())
    days = [name for name, task in PROJECTS.items() if task.time == 'a day']
    assert {*days} == {'learner.from_scratch', 'looking_inside.ten_digits'}
