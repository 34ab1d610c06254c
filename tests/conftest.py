"What the tests share: one Chromium for all tests of pages, and the docs site, built once."
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import ExitStack
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

# What takes seconds to import in every process that reads a notebook, and is of no use there
LEAN = str(Path(__file__).with_name('lean'))
sys.path.insert(0, LEAN)
os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, [LEAN, os.environ.get('PYTHONPATH')]))

import pytest  # noqa: E402
from browsing import opened  # noqa: E402
from filelock import FileLock  # noqa: E402

ROOT = Path(__file__).parents[1]
FLAGS = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--font-render-hinting=none',
         '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost']
NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome',
         'google-chrome-stable', 'chrome']

FIRST = ['test_site', 'test_lab', 'test_tasks', 'test_explorables_lab', 'test_experiments',
         'test_explorables', 'test_command', 'test_draw', 'test_assignments', 'test_package']


def pytest_collection_modifyitems(items: list) -> None:
    """The files that take longest come first, so that no process tests alone at the end.

    What fails in a browser gets one more try, since a window under load may act late; the
    summary names each (`-r` in the Makefile)."""
    for item in items:
        if 'browser' in item.fixturenames: item.add_marker(pytest.mark.flaky(reruns=1))
    place = {name: n for n, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(FIRST)))


def missing(what: str) -> None:
    "Skip for the reason that `what` is not here; in CI that is a failure"
    if os.environ.get('CI', '').lower() in ('true', '1'): pytest.fail(f'CI needs {what}')
    pytest.skip(f'needs {what}')


def chromium_path(bundled: str) -> str | None:
    "Chromium named by `CHROMIUM`, on the PATH, or installed by Playwright itself (`bundled`)"
    paths = [os.environ.get('CHROMIUM'), *map(shutil.which, NAMES), bundled]
    return next((path for path in paths if path and Path(path).exists()), None)


@pytest.fixture(scope='session')
def browser() -> Iterator:
    """A Chromium: Playwright's `Browser`, sync API; `browser.new_context().new_page()` makes pages.

    Its event loop stays in the main thread: code that calls `asyncio.run` needs another thread."""
    if not importlib.util.find_spec('playwright'): missing('playwright')
    sync_api = importlib.import_module('playwright.sync_api')
    with sync_api.sync_playwright() as playwright:
        path = chromium_path(playwright.chromium.executable_path)
        if path is None: missing('Chromium (on the PATH, or its path in CHROMIUM)')
        sandbox = not hasattr(os, 'geteuid') or os.geteuid() != 0   # root has no sandbox
        flags = FLAGS if sandbox else [*FLAGS, '--no-sandbox']
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope='session')
def built(tmp_path_factory) -> str:
    "What the build of the docs site prints; processes that test together share one build"
    together = os.environ.get('PYTEST_XDIST_TESTRUNUID')
    told = tmp_path_factory.getbasetemp().parent/f'built-{together}.txt'
    with FileLock(f'{told}.lock'):
        if together and told.exists(): return told.read_text(encoding='utf-8')
        command = [sys.executable, '-m', 'website', 'build']
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        told.write_text(done.stdout, encoding='utf-8')
    return done.stdout


@pytest.fixture(scope='session')
def site(built) -> Iterator[str]:
    "The address of the site, served under the path that it is published at"
    from website.__main__ import handler
    cfg = ConfigParser()
    cfg.read(ROOT/'settings.ini', encoding='utf-8')
    base = f'{cfg["DEFAULT"]["doc_baseurl"]}/'
    with ThreadingHTTPServer(('127.0.0.1', 0), handler(ROOT/'_docs', base)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}{base}'
        server.shutdown()


@pytest.fixture
def reader(browser, site) -> Iterator[Callable[..., Any]]:
    "Opens a page in a browser of its own that reaches nothing but the site; else the test fails"
    with ExitStack() as pages:
        yield lambda path='index.html', **options: pages.enter_context(
            opened(browser, site, path, **options))


@pytest.fixture(scope='module')
def desk(browser, site) -> Iterator:
    "A page in which modules of the site can be imported and their functions called"
    with opened(browser, site, '404.html') as page: yield page
