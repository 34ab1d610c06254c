"The chapters as authors and students meet them: in JupyterLab, in a real browser."
import hashlib
import json
import os
import re
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
from browsing import opened_lab
from playing import predict
from sampling import each_third

from digit_under_hood.lab.roles import answers, plumbing
from digit_under_hood.practice import find_task

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(p.name for p in (ROOT/'nbs').glob('*.ipynb'))
WHOLE = '06d_tuning.ipynb'    # training, a bar, the finder
STUDENT = '01_pixels.ipynb'   # pictures, guesses
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
CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets.map(w => ({
    id: w.model.id, code: w.model.type === 'code', source: w.model.sharedModel.source,
    outputs: w.model.toJSON().outputs ?? [], hidden: w.inputHidden, trusted: w.model.trusted}))"""


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
    "A copy of the project for the servers"
    copy = tmp_path_factory.mktemp('lab')/'project'
    skip = ('.git', '.venv*', '_docs', '_proc', '.ipynb_checkpoints', '*cache*')
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*skip))
    shutil.rmtree(copy/'course', ignore_errors=True)   # it may be at work
    return copy


@contextmanager
def served(copy, command, **env):
    """The address of a JupyterLab that `command` starts in the project at `copy`.

    `@` in it stands for those of the server, each for itself or within a longer word."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    flags = [f'--port={port}', '--ServerApp.port_retries=0', '--IdentityProvider.token=',
             '--LabApp.expose_app_in_browser=True']
    command = [part for word in command for part in (
        flags if word == '@' else [word.replace('@', ' '.join(flags))])]
    with (copy/'lab.log').open('w') as log:
        server = subprocess.Popen(command, cwd=copy, env=os.environ | env, stdout=log, stderr=log)
    address = f'http://127.0.0.1:{port}/lab'
    try:
        for _ in range(SECONDS*4):
            try: urllib.request.urlopen(address, timeout=5).close()
            except (urllib.error.URLError, ConnectionError, TimeoutError): time.sleep(.25)
            else: break
        else: pytest.fail(f'JupyterLab did not start:\n{(copy/"lab.log").read_text()[-3000:]}')
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        try: server.wait(30)
        except subprocess.TimeoutExpired: server.kill()


def open_notebook(page, name, kernel=None):
    "Open notebook `name` in a new tab, and wait for a kernel, its own or `kernel`, that is idle"
    page.evaluate("""async args => {   // what it resolves to is no plain value
        await window.jupyterapp.commands.execute('docmanager:open', args) }""",
                  {'path': name, 'kernel': kernel})
    page.wait_for_function("""path => {
        const widget = window.jupyterapp.shell.currentWidget;
        return widget?.context?.path === path && widget.context.isReady}""", arg=name,
        timeout=120_000)
    page.wait_for_function(READY, timeout=120_000)


def close(page):
    "Shut the kernel of the open notebook down, so that kernels don't pile up, and close its tab"
    page.evaluate("""async () => {
        const widget = window.jupyterapp.shell.currentWidget;
        await widget.sessionContext.shutdown();
        widget.dispose() }""")


def run_all(page):
    "Run all cells of the open notebook; no error is wanted"
    page.get_by_role('menuitem', name='Run', exact=True).click()
    page.get_by_role('menuitem', name='Run All Cells', exact=True).click()
    page.wait_for_function(DONE, timeout=240_000)
    cells = [cell for cell in page.evaluate(CELLS) if cell['code']]
    assert [out for cell in cells for out in cell['outputs'] if out['output_type'] == 'error'] == []
    assert sum(bool(cell['outputs']) for cell in cells) >= 5


# As `make edit` opens them, for authors

@pytest.fixture(scope='module')
def lab(browser, copy):
    "A page with a JupyterLab of the project, which reaches its server only"
    command = [sys.executable, '-m', 'jupyterlab', '--allow-root', '--no-browser', '@', 'nbs']
    with served(copy, command, JUPYTER_CONFIG_PATH=str(copy/'jupyter'),
                JUPYTERLAB_WORKSPACES_DIR=str(copy/'spaces'),
                XDG_DATA_HOME=str(copy/'data')) as address:
        with opened_lab(browser, address) as page: yield page


def shown(page, place: int) -> str:
    "What the cell at `place` shows once all cells have run"
    page.wait_for_function(DONE, timeout=120_000)
    outputs = page.evaluate(CELLS)[place]['outputs']
    return '\n'.join(''.join(out['data'].get('text/markdown', '')) for out in outputs).strip()


@pytest.mark.skipif(sys.platform != 'linux', reason='keeps its notes where XDG_DATA_HOME says')
def test_tasks_wrong_helped_right_and_seen_in_progress(lab, copy):
    "By keyboard, from the first cell to the last: one that asks for code, one for a number"
    number = find_task('mnist_linear.opposite_model')
    kept = f"practice('{number.id}').check"
    cells = ["from digit_under_hood.practice import practice\n"
             "from digit_under_hood.review import progress, review",
             "task = practice('similarity.double_odds')", 'task.check(...)', f'{kept}(...)']
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata.kernelspec = {'name': 'python3', 'display_name': 'python3'}
    name = f'a_try_{time.monotonic_ns()}.ipynb'   # a second try has what no first one has touched
    nbformat.write(book, copy/'nbs'/name)
    (notes := copy/'data/digit_under_hood/progress.json').unlink(missing_ok=True)
    open_notebook(lab, name)
    lab.locator('.jp-Notebook:visible .cm-content').first.click()
    for _ in cells: lab.keyboard.press('Shift+Enter')
    assert '**Task: list comprehension.**' in shown(lab, 1)
    assert 'Put your answer in place' in shown(lab, 2)
    box = lab.locator('.jp-Notebook:visible [data-explorable=choose]').first
    assert 'Not yet.' in (told := predict(box, '0.2')) and number.wrong[.2] in told
    box.get_by_text('Hint 1').focus()
    lab.keyboard.press('Enter')
    box.get_by_text(number.hints[0]).wait_for()
    assert 'Right.' in (told := predict(box, '0.8')) and '.check(0.8)' in told
    lab.locator('.jp-Notebook:visible .cm-content').last.click()
    lab.keyboard.press('Escape')
    said = []
    check = 'task.check(lambda numbers: [2*n for n in numbers if n % 2 == '
    lines = (f'{check}0])', 'task.hint()', f'{check}1])', f'{kept}(.2)', f'{kept}(.8)',
             'progress()', 'review()')
    for place, line in enumerate(lines, len(cells)):
        lab.keyboard.press('Enter')   # into the new cell at the end
        lab.keyboard.insert_text(line)
        lab.keyboard.press('Shift+Enter')
        said.append(shown(lab, place))
    wrong, hint, right, less, well, solved, card = said
    assert wrong.startswith('**Not yet.** You have taken the even numbers.')
    assert 'lets only some' in hint
    assert right.startswith('**Right.**') and well.startswith('**Right.**')
    assert number.wrong[.2] in less
    assert re.search(r'05a mnist_linear \| ●○', solved)
    row = next(line for line in solved.splitlines() if '02 similarity' in line)
    assert '●○' in row and 'list comprehension' in row
    assert '**Card: list comprehension.**' in card
    note = json.loads(notes.read_text())['tasks']['similarity.double_odds']
    assert (note['tries'], note['help']) == (2, 1) and note['solved']
    close(lab)
    (copy/'nbs'/name).unlink()   # a student gets what is in the folder


@pytest.fixture(scope='module')
def kernel(lab):
    "A kernel for all notebooks that are looked at and not run: one to start takes seconds"
    return lab.evaluate("""async () => {
        const {kernels} = window.jupyterapp.serviceManager
        return (await kernels.startNew({name: 'python3'})).model }""")


@pytest.mark.parametrize(('name',), each_third((name,) for name in NOTEBOOKS if name != WHOLE))
def test_opens(lab, kernel, name):
    "It opens with all its cells and what they showed, and nothing to complain of"
    open_notebook(lab, name, kernel)
    stored = nbformat.read(ROOT/'nbs'/name, 4).cells
    title = stored[0].source.partition('\n')[0].removeprefix('# ')
    lab.get_by_role('heading', name=title, level=1).first.wait_for()
    cells = [cell for cell in lab.evaluate(CELLS) if cell['code']]
    code = [cell for cell in stored if cell.cell_type == 'code']
    assert [cell['source'] for cell in cells] == [cell.source for cell in code]
    assert [len(cell['outputs']) for cell in cells] == [len(cell.outputs) for cell in code]
    lab.locator('.jp-OutputArea-output').first.wait_for(state='attached')
    assert lab.locator('.jp-Dialog').count() == 0
    assert lab.get_by_text('Javascript Error').count() == 0
    lab.evaluate('window.jupyterapp.shell.currentWidget.dispose()')


def test_run_all(lab):
    open_notebook(lab, WHOLE)
    run_all(lab)
    close(lab)


def test_settings_of_the_lab(lab):
    "No news pop-up, and figures of `interact` not blanked"
    settings = lab.evaluate("""async () => {
        const {settings} = window.jupyterapp.serviceManager;
        const get = async id => (await settings.fetch(id)).schema.properties;
        const news = await get('@jupyterlab/apputils-extension:notification');
        const kernels = await get('@jupyterlab/apputils-extension:kernels-settings');
        return {news: news.fetchNews.default, comms: kernels.commsOverSubshells.default};
    }""")
    assert settings == {'news': 'false', 'comms': 'disabled'}
    assert lab.get_by_text('Would you like to get notified').count() == 0


# As `make lab` opens them, for a student who has just come

@pytest.fixture(scope='module')
def student(browser, copy, tmp_path_factory):
    "The page that `make lab` opens in the browser, with the chapter that it opens there"
    own, opened = tmp_path_factory.mktemp('own'), copy/'opened.txt'
    (copy/'browse').write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    (copy/'browse').chmod(0o755)
    installed = [f'VENV={sys.prefix}', '-o', f'{sys.prefix}/.course']
    command = ['make', *installed, 'lab', 'LAB_FLAGS=@']
    with served(copy, command, JUPYTER_DATA_DIR=str(own), JUPYTERLAB_SETTINGS_DIR=str(own),
                BROWSER=f'{copy}/browse %s'):
        for _ in range(SECONDS):
            if opened.exists() and opened.read_text().strip(): break
            time.sleep(.25)
        leads = Path(opened.read_text().strip().removeprefix('file://')).read_text()
        page = browser.new_page(viewport={'width': 1280, 'height': 900})
        page.goto(re.search(r'https?://[^"]+', leads)[0], timeout=120_000, wait_until='commit')
        page.wait_for_function(READY, timeout=120_000)
        yield page
        page.close()


def test_the_first_screen_shows_digits(student):
    path = student.evaluate('window.jupyterapp.shell.currentWidget.context.path')
    assert path == min(NOTEBOOKS)
    picture = student.locator('.jp-OutputArea-output :is(img, svg)').first
    picture.wait_for()
    box = picture.bounding_box()
    assert box['height'] > 80 and box['y'] > 0 and box['y'] + box['height']/2 < 900
    shown = next(cell for cell in student.evaluate(CELLS) if cell['outputs'])
    assert '<image' in shown['outputs'][0]['data']['image/svg+xml']   # pixels, no diagram


def test_no_cell_is_open_that_is_not_for_a_student(student):
    cells = [cell for cell in student.evaluate(CELLS) if cell['code']]
    assert len(cells)/10 < sum(cell['hidden'] for cell in cells) < len(cells)
    for cell in cells:
        assert cell['hidden'] or plumbing(cell['source']) is None, cell['source']
        assert '#|' not in cell['source'] and 'nbdev' not in cell['source']
    lines = student.locator('.jp-InputPlaceholder')
    assert lines.first.inner_text().startswith('# ') and lines.first.bounding_box()['height'] < 50
    lines.first.click()   # for the curious
    student.wait_for_function('''() => !window.jupyterapp.shell.currentWidget.content.widgets.find(
        w => w.model.sharedModel.source.startsWith("# imports")).inputHidden''')


def test_a_guess_comes_before_its_answer(student):
    whole = nbformat.read(ROOT/'nbs'/min(NOTEBOOKS), 4).cells
    guessed = {whole[place].id for place in answers(whole)}
    cells = student.evaluate(CELLS)
    shown = {cell['id'] for cell in cells if cell['outputs']}
    assert guessed & {cell['id'] for cell in cells} and not guessed & shown
    assert shown == {cell.id for cell in whole if cell.get('outputs')} - guessed


def test_a_student_is_told_where_to_start_and_sees_contents_and_chapters(student):
    student.locator('.jp-TableOfContents').get_by_text('Your turn').first.wait_for()
    start = student.locator('summary', has_text='Start here: Shift+Enter')
    if not start.evaluate('e => e.parentNode.open'): start.click()
    student.locator('code', has_text=f'make lab-reset CHAPTER={min(NOTEBOOKS)[:2]}').wait_for()
    assert all(cell['trusted'] for cell in student.evaluate(CELLS) if cell['code'])
    student.evaluate("() => window.jupyterapp.commands.execute('filebrowser:activate')")
    student.locator('.jp-DirListing-itemText').first.wait_for()
    files = student.locator('.jp-DirListing-itemText').all_inner_texts()
    assert files == [name for name in NOTEBOOKS if name not in ('index.ipynb', 'how_fast.ipynb')]


def test_prose_has_the_typeface_and_width_of_a_page_and_figures_paper_in_the_dark(student):
    prose = student.locator('.jp-RenderedMarkdown p').first
    font, width = prose.evaluate('p => [getComputedStyle(p).fontFamily, p.offsetWidth]')
    assert 'Course Serif' in font and 600 < width <= 46*16
    assert student.evaluate("document.fonts.check('1em Course Serif')")
    student.evaluate("""() => window.jupyterapp.commands.execute(
        'apputils:change-theme', {theme: 'JupyterLab Dark'})""")
    student.wait_for_function('document.body.dataset.jpThemeLight === "false"')
    paper = student.locator('.jp-OutputArea-output :is(img, svg)').first.evaluate(
        'e => getComputedStyle(e).backgroundColor')
    assert paper == 'rgb(255, 255, 255)'
    ink = prose.evaluate('p => getComputedStyle(p).color')
    assert min(map(int, re.findall(r'\d+', ink)[:3])) > 180   # the text is light
    student.evaluate("""() => window.jupyterapp.commands.execute(
        'apputils:change-theme', {theme: 'JupyterLab Light'})""")
    student.wait_for_function('document.body.dataset.jpThemeLight === "true"')


def test_an_untouched_tab_closes_without_a_question(student):
    open_notebook(student, STUDENT)
    student.locator('.jp-Notebook').last.hover()
    student.mouse.wheel(0, 4000)   # to read is not to touch
    student.locator('.lm-DockPanel-tabBar .lm-mod-current .lm-TabBar-tabCloseIcon').click()
    student.wait_for_function("""name => ![...window.jupyterapp.shell.widgets('main')].some(
        widget => widget.context?.path === name)""", arg=STUDENT)
    assert student.locator('.jp-Dialog').count() == 0


def test_saving_an_untouched_chapter_changes_nothing(student, copy):
    open_notebook(student, STUDENT)
    made = nbformat.read(copy/'course'/STUDENT, 4)
    student.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    assert nbformat.read(copy/'course'/STUDENT, 4).cells == made.cells
    close(student)


@pytest.mark.long
def test_running_a_chapter_writes_nothing_but_in_the_course(student, copy):
    def digests():
        paths = [*(copy/'digit_under_hood').rglob('*'), *(copy/'nbs').rglob('*')]
        return {path: hashlib.sha256(path.read_bytes()).digest() for path in paths
                if path.is_file() and '__pycache__' not in path.parts}
    before, files = digests(), {path.name for path in (copy/'course').iterdir()}
    open_notebook(student, STUDENT)
    run_all(student)
    student.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    close(student)
    assert digests() == before
    assert {path.name for path in (copy/'course').iterdir()} - files <= {'.ipynb_checkpoints'}
