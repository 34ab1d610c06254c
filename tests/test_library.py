"What the library promises as a package: cheap to import, small, no developer's tools."
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(p.stem for p in (ROOT/'digit_under_hood').glob('[a-z]*.py'))
HEAVY = {'fastai', 'fastbook', 'matplotlib', 'pandas', 'IPython', 'ipywidgets', 'fastprogress'}


def loaded_by(code):
    "Names of the top-level modules in `sys.modules` after `code` ran in a fresh interpreter"
    show = 'import sys; print(" ".join({name.split(".")[0] for name in sys.modules}))'
    done = subprocess.run([sys.executable, '-c', f'{code}\n{show}'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.fixture(scope='module')
def with_torch():
    return loaded_by('import torch')


@pytest.mark.parametrize('module', MODULES)
def test_import_is_cheap(module, with_torch):
    "A module loads torch and little else; above all not fastai, whose import takes seconds"
    extra = loaded_by(f'from digit_under_hood.{module} import *') - with_torch
    assert not extra & HEAVY


@pytest.mark.parametrize('module', MODULES)
def test_import_without_nbdev(module):
    "Those who only use the library need none of the `dev` extra"
    loaded_by('import sys; sys.modules["nbdev"] = sys.modules["execnb"] = None\n'
              f'from digit_under_hood.{module} import *')


def lines(module):
    "Number of lines of code: those that are neither blank nor a comment"
    text = (ROOT/f'digit_under_hood/{module}.py').read_text(encoding='utf-8')
    return len(re.findall(r'^\s*[^\s#]', text, re.M))


@pytest.mark.parametrize('module', MODULES)
def test_module_is_small(module):
    assert lines(module) <= (270 if module == 'learner' else 150)


def test_library_is_small():
    assert sum(map(lines, MODULES)) <= 1100
