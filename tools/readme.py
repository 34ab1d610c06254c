"""Make README.md from nbs/index.ipynb, without Quarto; both name the repository's address, if any.

nbconvert writes the Markdown. The pictures of the notebook go to nbs/index_files, and links are
rewritten to start from the top of the repository, so that both show on a code host.
"""
import json
import re
import shutil
from pathlib import Path

import nbformat
from address import address, addressed
from nbconvert import MarkdownExporter

from digit_under_hood.lab.directives import directives, split

ROOT = Path(__file__).parents[1]
NBS = ROOT/'nbs'
PICTURES = 'nbs/index_files'
NOTE = '<!-- Made from nbs/index.ipynb by `make readme`. Change it there. -->\n\n'


def visible(cell):
    "`cell` as a reader sees it: no source where it is not echoed, no directives"
    flags = directives(cell)
    if flags: cell.source = split(cell.source)[1] if flags.get('echo', True) else ''
    cell.metadata['alt'] = flags.get('fig-alt', '')
    for output in cell.get('outputs', []):   # of several kinds, every code host shows PNG
        if 'image/png' in output.get('data', {}):
            for kind in ('image/svg+xml', 'text/html'): output.data.pop(kind, None)
    return cell


def render(where: str):
    "The text of README.md for a repository at `where`, and its pictures by path"
    nb = nbformat.read(NBS/'index.ipynb', 4)
    nb.metadata['language_info'] = {'name': 'python'}
    nb.cells = [visible(cell) for cell in nb.cells if 'hide' not in directives(cell)]
    text, resources = MarkdownExporter().from_notebook_node(
        nb, {'output_files_dir': PICTURES, 'unique_key': 'index'})
    for i, cell in enumerate(nb.cells):
        picture = rf'!\[png\]\(({PICTURES}/index_{i}_\d+\.png)\)'
        text = re.sub(picture, rf'![{cell.metadata["alt"]}](\1)', text)
    text = re.sub(r'```(python)?\n\s*```\n', '', text)   # sources that are not echoed
    text = re.sub(rf'\]\((?!https?:|#|{PICTURES}/)', '](nbs/', text)
    text = text.replace('](nbs/../', '](')                # links start from the top
    text = re.sub(r'[ \t]+$', '', text, flags=re.M)
    text = NOTE + re.sub(r'\n{3,}', '\n\n', text).strip() + '\n'
    return addressed(text, where), resources['outputs']


def index(where: str) -> str:
    "The notebook of the home page, as JSON, for a repository at `where`"
    text = (NBS/'index.ipynb').read_text(encoding='utf-8')
    for cell in nbformat.reads(text, 4).cells:
        lines = zip(cell.source.split('\n'), addressed(cell.source, where).split('\n'))
        for changed in ((old, new) for old, new in lines if old != new):
            text = text.replace(*(json.dumps(line, ensure_ascii=False)[1:-1] for line in changed))
    return text


def write():
    "Write README.md and its pictures, and the address into the notebook"
    (NBS/'index.ipynb').write_text(index(address()), encoding='utf-8', newline='\n')
    text, pictures = render(address())
    shutil.rmtree(ROOT/PICTURES, ignore_errors=True)
    for path, data in pictures.items():
        (ROOT/path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT/path).write_bytes(data)
    (ROOT/'README.md').write_text(text, encoding='utf-8', newline='\n')


if __name__ == '__main__': write()
