"CONTRIBUTING is true: its section on adding a chapter, followed to the letter in a copy."
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
import torch
import worked
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from digit_under_hood import practice, tasks

ROOT = Path(__file__).parents[1]
LEFT_OUT = ('.git', '.venv*', '_docs', '_proc', 'build', 'dist', '*.egg-info', '*cache*')
NAME = '12_rows'


def blocks(title: str = 'How to add a chapter') -> list[tuple[str, str]]:
    "Language and text of each fenced block in the section"
    text = (ROOT/'CONTRIBUTING.md').read_text(encoding='utf-8')
    section = re.split(r'^## ', text.partition(f'## {title}')[2], flags=re.M)[0]
    found = re.findall(r'^ *```(\w*)\n(.*?)^ *```$', section, re.M | re.S)
    return [(language, dedent(block)) for language, block in found]


@pytest.mark.long
def test_how_to_add_a_chapter(tmp_path):
    copy = tmp_path/'copy'
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    make = {'markdown': new_markdown_cell, 'python': new_code_cell}
    cells = [make[language](block.strip()) for language, block in blocks() if language in make]
    assert len(cells) == 5
    nbformat.write(new_notebook(cells=cells), copy/f'nbs/{NAME}.ipynb')

    [line] = [block.strip() for language, block in blocks() if language == 'yaml']
    quarto = copy/'_quarto.yml'
    before, last, after = re.split(r'(^ *- \d\d.*\n)(?!.*- \d\d)', quarto.read_text(), flags=re.M)
    quarto.write_text(before + last + last.partition('-')[0] + line + '\n' + after)

    tools = Path(sys.executable).parent
    env = os.environ | {'PYTHONPATH': str(copy), 'OMP_NUM_THREADS': '1',
                        'PATH': f'{tools}{os.pathsep}{os.environ["PATH"]}'}
    installed = [f'VENV={sys.prefix}', '-o', f'{sys.prefix}/.ready']   # as it is, for make
    [commands] = [block for language, block in blocks() if not language]
    for command in commands.splitlines():
        program, *rest = shlex.split(command)
        if program == 'make': rest += installed
        path = shutil.which(program, path=env['PATH'])
        assert path, program
        done = subprocess.run([path, *rest], cwd=copy, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f'{command}\n{done.stdout}{done.stderr}'

    module = (copy/'digit_under_hood/rows.py').read_text(encoding='utf-8')
    assert 'def inked_rows(' in module and "__all__ = ['inked_rows']" in module
    assert 'digit_under_hood.rows' in (copy/'digit_under_hood/_modidx.py').read_text()
    pages = [page.name for page in (copy/'_docs').glob('*rows.html')]
    assert len(pages) == 1
    assert f'href="{pages[0]}"' in (copy/'_docs/index.html').read_text(encoding='utf-8')
    entries = json.loads((copy/'_docs/search.json').read_text(encoding='utf-8'))
    assert 'Rows of ink' in json.dumps(entries)


def test_how_to_add_a_task(tmp_path, monkeypatch):
    "The example is found, answers itself rightly, and knows its mistakes"
    monkeypatch.setattr(practice, 'note_try', lambda *_, **__: None)
    [example, asks, answers] = [block for _, block in blocks('How to add a task')]
    (tmp_path/'pixels.py').write_text(
        'import torch\nfrom digit_under_hood.practice import Do, cases, right, wrong\n' + example)
    monkeypatch.setattr(tasks, '__path__', [str(tmp_path)])
    monkeypatch.setattr(tasks, 'names', tasks.names.__wrapped__)    # read anew, not remembered
    monkeypatch.delitem(sys.modules, 'digit_under_hood.tasks.pixels', raising=False)
    assert practice.task_names() == ['pixels.inked']
    task = practice.find_task('pixels.inked')
    monkeypatch.delitem(sys.modules, 'digit_under_hood.tasks.pixels')
    assert [task.check(f).right for f in task.marked('right')] == [True, True]
    found = [task.check(f).mistake for f in task.marked('wrong')]
    assert found == ['white', 'amount', 'all_of_them']
    space = {'practice': practice.find_task, 'task': task}
    assert "practice('pixels.inked')" in asks
    exec(answers.replace('task.check(inked)', 'said = task.check(inked)'), space)
    assert space['said'].right is None and 'def inked(image): return (image > 0)' in task.solution()


def test_how_to_add_a_project(tmp_path, monkeypatch):
    "The example is found, its solution passes, its mistake fails at the step that it names"
    monkeypatch.setattr(practice, 'note_try', lambda *_, **__: None)
    example, asks, answers, solutions = [block for _, block in blocks('How to add a project')]
    (tmp_path/'pixels.py').write_text(
        'import torch\nfrom digit_under_hood.projects import Project, step\n' + example)
    monkeypatch.setattr(tasks, '__path__', [str(tmp_path)])
    monkeypatch.setattr(tasks, 'names', tasks.names.__wrapped__)    # read anew, not remembered
    monkeypatch.delitem(sys.modules, 'digit_under_hood.tasks.pixels', raising=False)
    task = practice.find_task('pixels.both_halves')
    monkeypatch.delitem(sys.modules, 'digit_under_hood.tasks.pixels')
    space = {'task': task, 'torch': torch, 'works': worked.works, 'fails': worked.fails}
    assert "practice('pixels.both_halves')" in asks
    assert eval(answers, space).right is None and task.pieces == ['halves', 'whole']
    monkeypatch.setattr(worked, 'import_module', lambda name: None)
    for kept in (worked.WORKS, worked.FAILS): monkeypatch.delitem(kept, task.id, raising=False)
    exec(solutions, space)
    [good], [(steps, bad)] = worked.of(task.id)
    assert task.check(**good()).right and task.check(**bad()).mistake.split(', ') == steps
