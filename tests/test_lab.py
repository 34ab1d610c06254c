"The chapters as a student meets them: in JupyterLab, in a real browser, two run with Run All."
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(p.name for p in (ROOT/'nbs').glob('*.ipynb'))
WHOLE = ['01_pixels.ipynb', '06d_tuning.ipynb']   # pictures; training, a bar, the finder
STUDENT = '01_pixels.ipynb'
SECONDS = 120   # that a server may take to start

READY = """() => {
    const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
DONE = """() => {
    const widget = window.jupyterapp.shell.currentWidget;
    const cells = [...widget.content.model.cells];
    const code = cells.filter(c => c.type === 'code' && c.sharedModel.source.trim());
    const failed = code.some(c => c.toJSON().outputs.some(o => o.output_type === 'error'));
    const idle = widget.sessionContext.session.kernel.status === 'idle';
    return failed || (idle && code.every(c => c.executionCount));
}"""
OUTPUTS = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
    .filter(c => c.type === 'code').map(c => [c.sharedModel.source, c.toJSON().outputs])"""


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
    "A copy of the project for the servers"
    copy = tmp_path_factory.mktemp('lab')/'project'
    skip = ('.git', '.venv*', '_docs', '_proc', '.ipynb_checkpoints', '*cache*')
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*skip))
    shutil.rmtree(copy/'course', ignore_errors=True)   # it may be at work
    return copy


@contextmanager
def served(copy, *command, **env):
    "The address of a JupyterLab that `command` starts in the project at `copy`"
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    command = [sys.executable, *command, '--no-browser', f'--port={port}',
               '--ServerApp.port_retries=0', '--IdentityProvider.token=',
               '--LabApp.expose_app_in_browser=True']
    with (copy/'lab.log').open('w') as log:
        server = subprocess.Popen(command, cwd=copy, env=os.environ | env, stdout=log, stderr=log)
    address = f'http://127.0.0.1:{port}/lab'
    try:
        for _ in range(SECONDS):
            try: urllib.request.urlopen(address, timeout=5).close()
            except (urllib.error.URLError, ConnectionError, TimeoutError): time.sleep(1)
            else: break
        else: pytest.fail(f'JupyterLab did not start:\n{(copy/"lab.log").read_text()[-3000:]}')
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        try: server.wait(30)
        except subprocess.TimeoutExpired: server.kill()


@pytest.fixture(scope='module')
def lab(copy):
    "The address of a JupyterLab, set up as `make edit` does, that serves a copy of the project"
    with served(copy, '-m', 'jupyterlab', '--allow-root', 'nbs/00_data.ipynb',
                JUPYTER_CONFIG_PATH=str(copy/'jupyter'),
                JUPYTERLAB_WORKSPACES_DIR=str(copy/'spaces')) as address: yield address


@pytest.fixture(scope='module')
def context(browser, lab):
    "A browser context that reaches the server only; `refused` lists what else was asked for"
    context = browser.new_context(viewport={'width': 1280, 'height': 900})
    context.refused = []

    def route(request):
        url = request.request.url
        if url.startswith((lab.removesuffix('/lab'), 'data:', 'blob:')): return request.continue_()
        context.refused.append(url)
        request.abort()
    context.route('**/*', route)
    yield context
    context.close()


def open_notebook(context, lab, name):
    "A page with notebook `name` open and its kernel connected and idle"
    page = context.new_page()
    page.goto(f'{lab}/tree/{name}?reset')
    page.wait_for_function(READY, timeout=120_000)
    return page


def close(page):
    "Shut the page's kernel down, so that kernels don't pile up"
    page.evaluate('() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()')
    page.close()


@pytest.mark.parametrize('name', [name for name in NOTEBOOKS if name not in WHOLE])
def test_opens(context, lab, name):
    "It opens with its kernel, all its cells and what they showed, and nothing to complain of"
    page = open_notebook(context, lab, name)
    stored = nbformat.read(ROOT/'nbs'/name, 4).cells
    title = stored[0].source.partition('\n')[0].removeprefix('# ')
    page.get_by_role('heading', name=title, level=1).first.wait_for()
    cells = page.evaluate(OUTPUTS)
    code = [cell for cell in stored if cell.cell_type == 'code']
    assert [source for source, _ in cells] == [cell.source for cell in code]
    assert [len(outs) for _, outs in cells] == [len(cell.outputs) for cell in code]
    page.locator('.jp-OutputArea-output').first.wait_for(state='attached')
    assert page.locator('.jp-Dialog').count() == 0
    assert page.get_by_text('Javascript Error').count() == 0
    close(page)


@pytest.mark.parametrize('name', WHOLE)
def test_run_all(context, lab, name):
    page = open_notebook(context, lab, name)
    page.get_by_role('menuitem', name='Run', exact=True).click()
    page.get_by_role('menuitem', name='Run All Cells', exact=True).click()
    page.wait_for_function(DONE, timeout=240_000)
    cells = page.evaluate(OUTPUTS)
    errors = [(source, out['ename'], out['evalue']) for source, outs in cells for out in outs
              if out['output_type'] == 'error']
    assert not errors
    assert sum(bool(outs) for _, outs in cells) >= 5
    close(page)


def test_settings_of_the_lab(context, lab):
    "No news pop-up, figures of `interact` not blanked, and no request that leaves the machine"
    page = open_notebook(context, lab, '00_data.ipynb')
    settings = page.evaluate("""async () => {
        const {settings} = window.jupyterapp.serviceManager;
        const get = async id => (await settings.fetch(id)).schema.properties;
        const news = await get('@jupyterlab/apputils-extension:notification');
        const kernels = await get('@jupyterlab/apputils-extension:kernels-settings');
        return {news: news.fetchNews.default, comms: kernels.commsOverSubshells.default};
    }""")
    assert settings == {'news': 'false', 'comms': 'disabled'}
    assert page.get_by_text('Would you like to get notified').count() == 0
    close(page)
    assert not context.refused


def test_students_edition_as_it_opens(browser, copy, tmp_path):
    "Trusted, not dirty, plumbing collapsed, contents open, chapters and no more; nothing is lost"
    own = dict(JUPYTER_DATA_DIR=str(tmp_path), JUPYTERLAB_SETTINGS_DIR=str(tmp_path))
    with served(copy, 'tools/student.py', **own) as address:
        page = browser.new_page(viewport={'width': 1280, 'height': 900})
        page.goto(f'{address}/tree/{STUDENT}', timeout=120_000, wait_until='commit')
        page.wait_for_function(READY, timeout=120_000)
        page.locator('.jp-TableOfContents').get_by_text('Your turn').first.wait_for()
        page.locator('summary', has_text='Start here: Shift+Enter').click()
        page.locator('code', has_text=f'make lab-reset CHAPTER={STUDENT[:2]}').wait_for()
        page.locator('.jp-InputPlaceholder', has_text='# imports').first.wait_for()
        model = page.evaluate("""() => {
            const widget = window.jupyterapp.shell.currentWidget;
            const code = [...widget.content.model.cells].filter(c => c.type === 'code');
            return {dirty: widget.context.model.dirty, trusted: code.every(c => c.trusted),
                    hidden: widget.content.widgets.filter(w => w.inputHidden).length,
                    cells: code.length};
        }""")
        assert not model['dirty'] and model['trusted']
        assert model['cells']/10 < model['hidden'] < model['cells']
        prose = page.locator('.jp-RenderedMarkdown p').first
        font, width = prose.evaluate('p => [getComputedStyle(p).fontFamily, p.offsetWidth]')
        assert 'Course Serif' in font and 600 < width <= 46*16
        assert page.evaluate("document.fonts.check('1em Course Serif')")
        page.evaluate("() => window.jupyterapp.commands.execute('filebrowser:activate')")
        page.locator('.jp-DirListing-itemText').first.wait_for()
        files = page.locator('.jp-DirListing-itemText').all_inner_texts()
        beside = 'index.ipynb', 'how_fast.ipynb'
        assert files == [name for name in NOTEBOOKS if name not in beside]
        made = nbformat.read(copy/'course'/STUDENT, 4)
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        page.wait_for_timeout(1000)
        assert nbformat.read(copy/'course'/STUDENT, 4).cells == made.cells
        close(page)
