"""All there is to play with, in JupyterLab: as saved, trusted or not, run again, and as a widget.

One notebook holds what the others have stored, one of each kind; what comes later is tested too.
"""
import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from browsing import opened_lab
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playing import element, stored, use
from test_lab import READY, close, open_notebook, served

ROOT = Path(__file__).parents[1]
KINDS = list({one[0]: one for one in stored()}.values())
EACH = range(len(KINDS))
SHOW = 'from IPython.display import HTML\nfrom pathlib import Path\n'
AGAIN = SHOW + 'for path in sorted(Path().glob("*.html")): display(HTML(path.read_text()))'
WIDGET = '''from json import load
from digit_under_hood.explorable import Explorable, live_widget
pad = live_widget(Explorable('draw', load(open('draw.json')), b'', ''))
pad'''


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "A notebook with each explorable that is stored, trusted; and one like it that is not"
    folder = tmp_path_factory.mktemp('play')
    (folder/'data').mkdir()
    cells = []
    for n, (name, notebook, html) in enumerate(KINDS):
        output = new_output('display_data', {'text/html': html})
        cells += [new_markdown_cell(f'{name} of {notebook}'), new_code_cell('1', outputs=[output])]
        (folder/f'{n:02}.html').write_text(html, encoding='utf-8')
    kernel = {'kernelspec': {'name': 'python3', 'display_name': 'Python 3'}}
    for title in 'trusted', 'untrusted':
        made = new_notebook(cells=[new_markdown_cell(title), *cells], metadata=kernel)
        if title == 'trusted': NotebookNotary(data_dir=str(folder/'data')).sign(made)
        nbformat.write(made, folder/f'{title}.ipynb')
    code = [AGAIN, WIDGET, '[round(255*v) for v in pad.image.flatten().tolist()]']
    made = new_notebook(cells=[new_code_cell(c) for c in code], metadata=kernel)
    nbformat.write(made, folder/'run.ipynb')
    data = re.search(r'application/json">(.*?)</script>', element('draw', 'index.ipynb'), re.S)[1]
    (folder/'draw.json').write_text(json.dumps(json.loads(data)), encoding='utf-8')
    return folder


@pytest.fixture(scope='module')
def lab(browser, folder):
    "A page with JupyterLab in that folder, which reaches its server only and raises no error"
    command = [sys.executable, '-m', 'jupyterlab', '--allow-root', '--no-browser', '@']
    with served(folder, command, JUPYTER_CONFIG_PATH=str(ROOT/'jupyter'),
                JUPYTER_DATA_DIR=str(folder/'data'), PYDEVD_DISABLE_FILE_VALIDATION='1',
                JUPYTERLAB_WORKSPACES_DIR=str(folder/'spaces')) as address:
        with opened_lab(browser, address) as page: yield page


def at(lab, n: int):
    "Explorable number `n` of the open notebook, on the screen"
    lab.evaluate("""async n => {
        const {content} = window.jupyterapp.shell.currentWidget
        await content.scrollToItem(n)
        content.activeCellIndex = n }""", 2*n + 2)
    found = lab.locator('.jp-Notebook:visible .jp-CodeCell').nth(n).locator('[data-explorable]')
    found.scroll_into_view_if_needed()
    return found


STATE = """() => {
    const {content} = window.jupyterapp.shell.currentWidget
    return [content.activeCellIndex, content.widgets.length, content.mode] }"""


def all_answer(lab) -> None:
    "Each explorable of the open notebook is used by keyboard, and shows it; Lab stays as it is"
    for n in EACH:
        found = at(lab, n)
        found.locator('.box').wait_for()
        before = lab.evaluate(STATE)
        assert use(lab, found), KINDS[n][:2]
        for key in 'ArrowDown', 'ArrowUp', 'b': lab.keyboard.press(key)   # b: a cell below, to Lab
        assert lab.evaluate(STATE)[:2] == before[:2] == [2*n + 2, 2*len(EACH) + 1]


def test_saved_and_trusted_it_answers(lab):
    open_notebook(lab, 'trusted.ipynb')
    all_answer(lab)


def test_saved_again_and_reopened_it_answers(lab):
    open_notebook(lab, 'trusted.ipynb')
    lab.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    close(lab)
    lab.reload()
    lab.wait_for_function('window.jupyterapp?.restored', timeout=120_000)
    open_notebook(lab, 'trusted.ipynb')
    all_answer(lab)
    close(lab)


def test_untrusted_it_shows_its_picture(lab):
    "Or, what asks a question, its text"
    open_notebook(lab, 'untrusted.ipynb')
    for n, (_, _, html) in enumerate(KINDS):
        cell = lab.locator('.jp-Notebook:visible .jp-CodeCell').nth(n)
        fallback = cell.locator('img' if '<img' in html else '.jp-OutputArea-output').first
        fallback.scroll_into_view_if_needed()
        assert fallback.bounding_box()['height'] > 60
        if '<img' in html:
            assert fallback.get_attribute('alt').strip()
            assert fallback.evaluate('e => e.naturalWidth') > 100
        else: assert len(fallback.inner_text()) > 20
    assert lab.locator('.jp-Notebook:visible .box').count() == 0
    assert lab.get_by_text('Javascript Error').count() == 0
    close(lab)


def run(lab, n: int) -> None:
    "Run cell `n` of the open notebook to its end"
    lab.evaluate("""async n => {
        const {content} = window.jupyterapp.shell.currentWidget
        content.activeCellIndex = n
        await window.jupyterapp.commands.execute('notebook:run-cell') }""", n)
    lab.wait_for_function(READY)


def counts(lab, session) -> dict[str, int]:
    "What lives in the page, after the garbage is collected"
    found = {}
    for kind in 'ShadowRoot', 'ResizeObserver', 'HTMLCanvasElement':
        session.send('HeapProfiler.collectGarbage')
        prototype = session.send('Runtime.evaluate', {'expression': f'{kind}.prototype'})
        objects = session.send('Runtime.queryObjects', {
            'prototypeObjectId': prototype['result']['objectId']})['objects']['objectId']
        found[kind] = session.send('Runtime.callFunctionOn', {
            'objectId': objects, 'functionDeclaration': 'function() { return this.length }',
            'returnByValue': True})['result']['value']
        session.send('Runtime.releaseObject', {'objectId': objects})
    for kind in 'document', 'window':
        owner = session.send('Runtime.evaluate', {'expression': kind})['result']['objectId']
        listeners = session.send('DOMDebugger.getEventListeners', {'objectId': owner})
        found[kind] = len(listeners['listeners'])
    metrics = session.send('Performance.getMetrics')['metrics']
    return found | {m['name']: m['value'] for m in metrics if m['name'] == 'JSEventListeners'}


def test_run_again_ten_times_it_leaves_nothing_behind(lab):
    open_notebook(lab, 'run.ipynb')
    session = lab.context.new_cdp_session(lab)
    session.send('Performance.enable')
    alive = lab.locator('.jp-Notebook:visible [data-alive] .box')
    for n in range(11):
        run(lab, 0)
        alive.nth(len(EACH) - 1).wait_for(state='attached')
        if n == 0: before = counts(lab, session)
    assert alive.count() == len(EACH)
    for _ in range(10):   # what is over may be let go a little later
        more = {kind: n - before[kind] for kind, n in counts(lab, session).items()}
        if max(more.values()) < 5: break   # what leaks, leaks at least once a run
        lab.wait_for_timeout(500)
    assert max(more.values()) < 5, more


def test_python_gets_what_is_drawn(lab):
    run(lab, 1)
    pad = lab.get_by_role('application', name='Drawing pad').last
    pad.scroll_into_view_if_needed()
    pad.focus()
    for key in ['Delete', ' ', *['ArrowDown']*6, ' ']: lab.keyboard.press(key)
    copy = lab.locator('.jp-Notebook:visible .jp-CodeCell').nth(1).locator('.middle > canvas')
    for _ in range(20):   # a frame later, and after what came before, the kernel hears of it
        run(lab, 2)
        told = lab.locator('.jp-Notebook:visible .jp-CodeCell').nth(2).locator('pre').inner_text()
        ink = copy.evaluate("""c => [...c.getContext('2d').getImageData(0, 0, 28, 28).data]
            .filter((v, i) => i % 4 === 3)""")
        off = max(abs(a - b) for a, b in zip(json.loads(told), ink, strict=True))
        if sum(ink) > 10*255 and off <= 1: break   # a canvas may round its ink by one
    assert sum(ink) > 10*255 and off <= 1
    close(lab)
