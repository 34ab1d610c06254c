"""nbdev's own commands work here as anywhere: on a copy, all that comes before the Quarto binary.

`nbdev_prepare` exports and cleans, `nbdev_docs` and `nbdev_preview` process every notebook: nbdev
runs each cell that holds an import or exports, alone, and makes front matter of the first cell.
"""
import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbdev.config import get_config
from nbdev.process import extract_directives

from digit_under_hood.lab.directives import directives, split

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT/'nbs').glob('*.ipynb'))
long = pytest.mark.long
SCRIPT = '''
import nbdev.quarto, nbdev.test
def no_quarto(command): raise SystemExit(f'nbdev_prepare wants Quarto: {command}')
if __name__ == '__main__':
    nbdev.quarto._ensure_quarto = lambda: None            # it would download it
    nbdev.quarto._sprun = no_quarto
    nbdev.test.nbdev_test.__wrapped__ = lambda: None      # `make test` runs it
    nbdev.quarto.prepare.__wrapped__()                    # nbdev_prepare
    nbdev.quarto._pre_docs(n_workers=0)                   # nbdev_docs and nbdev_preview
'''


@pytest.fixture(scope='module')
def copy(tmp_path_factory) -> Path:
    "A copy of the project on which nbdev's commands ran; `_proc` in it is what Quarto would get"
    root = tmp_path_factory.mktemp('nbdev')/'project'
    lib = ROOT/'digit_under_hood'
    for path in [ROOT/'settings.ini', ROOT/'_quarto.yml', ROOT/'README.md', *lib.glob('*.*'),
                 *lib.glob('*/*.py'), *(ROOT/'nbs').glob('*.*')]:
        there = root/path.relative_to(ROOT)
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file(): shutil.copy2(path, there)
    os.utime(root/'README.md', (0, 0))   # nbdev_prepare would make an older one anew with Quarto
    (root/'commands.py').write_text(SCRIPT)
    done = subprocess.run([sys.executable, 'commands.py'], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def markdown(path: Path) -> list[str]:
    "The Markdown cells of a notebook, less links and code marks, which nbdev adds"
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == 'markdown']
    return [re.sub(r'\]\([^)]*\)|[\[\]`\s]', '', text) for text in cells]


@long   # as all that needs the copy
def test_prepare_changes_nothing(copy):
    for path in [*NOTEBOOKS, *sorted((ROOT/'digit_under_hood').glob('*.py')), ROOT/'README.md']:
        assert (copy/path.relative_to(ROOT)).read_bytes() == path.read_bytes(), path.name


@long
@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_processing_keeps_every_paragraph_and_finds_title_and_promise(copy, path):
    cells = nbformat.read(copy/'_proc'/path.name, 4).cells
    front = yaml.safe_load(cells[0].source.strip().strip('-'))
    title, *rest = markdown(path)
    assert re.sub(r'\s', '', f'#{front["title"]}>{front["description"]}') == title
    said = markdown(copy/'_proc'/path.name)
    assert [text for text in said if not text.startswith('<!--')] == rest


@long
@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_quarto_can_read_every_directive(copy, path):
    for cell in nbformat.read(copy/'_proc'/path.name, 4).cells:
        if cell.cell_type != 'code': continue
        directives(cell)      # their values are YAML
        assert all(name.endswith(':') for name in extract_directives(cell, False)), cell.source


@long
def test_every_page_and_file_that_is_named_is_there(copy):
    there = {path.name for path in (copy/'_proc').iterdir()}
    contents = yaml.safe_load((ROOT/'_quarto.yml').read_text())['website']['sidebar']['contents']
    named = {file for part in contents
             for file in (part['contents'] if isinstance(part, dict) else [part])}
    texts = [path.read_text(encoding='utf-8') for path in (ROOT/'nbs').glob('*.qmd')]
    texts += [cell.source for path in NOTEBOOKS for cell in nbformat.read(path, 4).cells
              if cell.cell_type == 'markdown']
    for text in texts:
        prose = re.sub(r'```.*?```|`[^`\n]*`', '', text, flags=re.S)
        named |= set(re.findall(r'\]\((?!\w+:|\.\./|#)([^)#\s]+)', prose))
    assert len(named) > 10 and named - there == set()


def test_a_new_version_changes_no_other_setting(tmp_path, monkeypatch):
    "As `nbdev_bump_version` does it: what it writes is the file as it was, but for the version"
    shutil.copy2(ROOT/'settings.ini', tmp_path)
    monkeypatch.chdir(tmp_path)              # where it looks first
    config = get_config.__wrapped__()        # read anew, not remembered
    assert config.config_file == tmp_path/'settings.ini'
    old, config.d['version'] = config.version, '99.1.2'
    config.save()
    assert (tmp_path/'settings.ini').read_text() == (ROOT/'settings.ini').read_text().replace(
        f'version = {old}\n', 'version = 99.1.2\n')


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_imports_have_cells_of_their_own(path):
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type != 'code': continue
        options, code = split(cell.source)
        try: body = ast.parse(code).body
        except SyntaxError: continue   # a magic
        imports = [isinstance(node, ast.Import | ast.ImportFrom) for node in body]
        if not {'export', 'exports'} & options.keys(): assert all(imports) or not any(imports), code
