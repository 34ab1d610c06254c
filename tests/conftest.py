"What the tests share: one Chromium for all tests of pages."
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

FLAGS = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update']
NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']


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
