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
    "Names of the top-level modules that a fresh interpreter has after each line of `code`"
    show = 'print(*{name.split(".")[0] for name in sys.modules})'
    lines = ''.join(f'{line}\n{show}\n' for line in code)
    done = subprocess.run([sys.executable, '-c', f'import sys\n{lines}'],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [set(line.split()) for line in done.stdout.splitlines()]


def imports(module): return f'from digit_under_hood.{module} import *'


def test_import_is_cheap():
    "The modules load torch and little else; above all not fastai, whose import takes seconds"
    with_torch, *with_modules = loaded_by(['import torch', *map(imports, MODULES)])
    heavy = {module: (now - with_torch) & HEAVY for module, now in zip(MODULES, with_modules)}
    assert len(heavy) == len(MODULES) and not any(heavy.values())


def test_import_without_nbdev():
    "Those who only use the library need none of the `dev` extra, in whatever order they import"
    loaded_by(['sys.modules["nbdev"] = sys.modules["execnb"] = None', *map(imports, MODULES[::-1])])


def lines(module):
    "Number of lines of code: those that are neither blank nor a comment"
    text = (ROOT/f'digit_under_hood/{module}.py').read_text(encoding='utf-8')
    return len(re.findall(r'^\s*[^\s#]', text, re.M))


@pytest.mark.parametrize('module', MODULES)
def test_module_is_small(module):
    assert lines(module) <= 150
