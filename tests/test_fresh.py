"""No page shows a stale number: each notebook is run afresh and compared with what it has stored.

A cell whose output may differ from run to run, such as a time, says so with the line `#| timing`.
Whole numbers and words must be equal. Fractions may differ as much as float32 between machines.
"""
import math
import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from html import unescape
from pathlib import Path

import nbformat
import pytest
from directives import directives
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NBS = Path(__file__).parents[1]/'nbs'
NOTEBOOKS = sorted(path.name for path in NBS.glob('*.ipynb'))
AT_ONCE = 2     # kernels
NUMBER = re.compile(r'(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?')
RELATIVE, ABSOLUTE = 1e-3, 1e-4
ANSI = r'\x1b\[[0-9;]*m'
PICTURES = {'image/png', 'image/jpeg', 'image/svg+xml'}
PASSING = {'application/javascript', 'application/vnd.jupyter.widget-view+json'}


def run(name: str) -> nbformat.NotebookNode:
    "The notebook as a fresh kernel leaves it, less the cells that are not meant to run"
    nb = nbformat.read(NBS/name, 4)
    nb.cells = [cell for cell in nb.cells if directives(cell).get('eval', True)]
    for cell in nb.cells:
        if cell.cell_type == 'code': cell.outputs, cell.execution_count = [], None
    client = NotebookClient(nb, timeout=300, kernel_name='python3',
                            resources={'metadata': {'path': str(NBS)}})
    client.execute(env=os.environ | {'IN_TEST': '1', 'PYDEVD_DISABLE_FILE_VALIDATION': '1'})
    return nb


def words(html: str) -> str:
    "The text of an HTML output"
    return unescape(re.sub(r'<(style|script)\b.*?</\1>|<[^>]+>', ' ', html, flags=re.S))


def texts(cell) -> list[str]:
    "What a cell shows: its text, a word for each picture, and nothing for bars and widgets"
    shown: list[str] = []
    for output in cell.outputs:
        data = output.get('data', {})
        html = ''.join(data.get('text/html', ''))
        plain = ''.join(output.get('text', data.get('text/plain', '')))
        if PASSING & set(data) or '<progress' in html: continue
        if html and not words(html).strip(): continue
        if PICTURES & set(data): shown.append('picture')
        elif html: shown.append(words(html))
        elif output.output_type != 'stream': shown.append(re.sub(ANSI, '', plain))
        elif shown and shown[-1].startswith(f'{output.name}: '): shown[-1] += plain
        else: shown.append(f'{output.name}: {plain}')
    return shown


def skeleton(text: str) -> str:
    "`text` without its numbers and spaces"
    return re.sub(r'\s+', '', NUMBER.sub('#', text))


def same_number(a: str, b: str) -> bool:
    "Are two printed numbers equal, fractions within the tolerance?"
    if re.fullmatch(r'[-+]?\d+', a) and re.fullmatch(r'[-+]?\d+', b): return int(a) == int(b)
    return math.isclose(float(a), float(b), rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def difference(stored: list[str], fresh: list[str]) -> str | None:
    "What differs between the outputs of a cell, or None"
    if len(stored) != len(fresh): return f'{len(stored)} outputs stored, {len(fresh)} now: {fresh}'
    for old, new in zip(stored, fresh, strict=True):
        if skeleton(old) != skeleton(new): return f'stored {old!r}, now {new!r}'
        for a, b in zip(NUMBER.findall(old), NUMBER.findall(new), strict=True):
            if not same_number(a, b): return f'stored {a}, now {b}, in {new!r}'
    return None


@pytest.fixture(scope='module')
def fresh(request) -> Iterator[dict[str, Future]]:
    "The notebooks that are asked for, being run, a few at a time, in threads of their own"
    items = (item for item in request.session.items if 'fresh' in getattr(item, 'fixturenames', ()))
    wanted = [item.callspec.params['name'] for item in items]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {name: pool.submit(run, name) for name in wanted}
        yield runs
        for future in runs.values(): future.cancel()


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_stored_outputs_are_true(name, fresh):
    cells = nbformat.read(NBS/name, 4).cells
    stored = {cell.id: texts(cell) for cell in cells if cell.cell_type == 'code'}
    try: ran = fresh[name].result()
    except CellExecutionError as error: pytest.fail(re.sub(ANSI, '', str(error))[-3000:])
    wrong, compared, excused = [], 0, 0
    for cell in ran.cells:
        if cell.cell_type != 'code': continue
        old, new = stored[cell.id], texts(cell)
        if 'timing' in directives(cell):
            excused += 1
            if len(old) != len(new): wrong.append(f'{cell.source}\n    {difference(old, new)}')
        elif found := difference(old, new): wrong.append(f'{cell.source[:200]}\n    {found[:400]}')
        else: compared += bool(old)
    assert not wrong, '\n\n'.join(wrong)
    assert compared >= 1
    assert excused <= .2*compared + 1, f'{excused} cells excuse themselves from the comparison'


# The comparison itself can fail

@pytest.mark.parametrize('stored, now', [
    ('12396', '12397'), ('tensor(0.9511)', 'tensor(0.9533)'), ('True', 'False'), ('nan', '0.1'),
    ('(28, 28)', '(28, 28, 1)'), ('picture', '0.5'), ('-0.5', '0.5'), ('1e-07', '1e-02'),
    ('uint8', 'uint16'), ('3.', '4.'), ('[1, 2]', '[2, 1]')])
def test_comparison_sees_a_difference(stored, now): assert difference([stored], [now])


def test_comparison_counts_the_outputs():
    assert difference(['1'], []) and difference(['1', '2'], ['1'])


@pytest.mark.parametrize('stored, now', [
    ('tensor(0.9511)', 'tensor(0.9512)'), ('[ 1.,  2.]', '[1., 2.]'), ('1e-07', '-3e-08'),
    ('0.0000', '-0.0000'), ('(6131, 28, 28)', '(6131, 28, 28)'), ('float32', 'float32')])
def test_comparison_allows_rounding(stored, now): assert difference([stored], [now]) is None


def shown(**data) -> nbformat.NotebookNode:
    "An output that displays `data`: its kinds, with __ for /, and their contents"
    bundle = {kind.replace('__', '/'): content for kind, content in data.items()}
    return nbformat.v4.new_output('display_data', data=bundle)


def test_comparison_reads_every_kind_of_output():
    line = nbformat.v4.new_output('stream', text='loss 0.5\n')
    table = shown(text__html='<style>td { width: 5px }</style><table><td>7</td></table>',
                  text__plain='<pandas.Styler at 0x7f>')
    bar = shown(text__html='<progress value="3"></progress>')
    picture = shown(image__png='AA==', text__plain='<Figure>')
    cell = nbformat.v4.new_code_cell('#| timing\nx', outputs=[line, line, table, bar, picture])
    first, *rest = texts(cell)
    assert first == 'stdout: loss 0.5\nloss 0.5\n'
    assert [text.strip() for text in rest] == ['7', 'picture']
