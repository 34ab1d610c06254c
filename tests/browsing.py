"Pages in a browser of their own, which reach one server and nothing else."
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def alone(browser, *servers: str, **options) -> Iterator:
    """A page that may ask for what begins with one of `servers`.

    At its end it fails if it asked for anything else, or if a script raised an error. (No other
    host is found by this browser: see FLAGS. Stopping each request here would take long.)"""
    context = browser.new_context(**{'viewport': {'width': 1280, 'height': 900}, **options})
    asked: list[str] = []
    errors: list[str] = []
    context.on('request', lambda request: asked.append(request.url))
    page = context.new_page()
    page.on('pageerror', lambda error: errors.append(str(error)))
    try: yield page
    finally: context.close()
    assert [url for url in asked if not url.startswith((*servers, 'data:', 'blob:'))] == []
    assert errors == []


@contextmanager
def opened(browser, site: str, path: str, **options) -> Iterator:
    "A page of the site"
    with alone(browser, site, **options) as page:
        page.context.set_default_timeout(10_000)
        page.context.set_default_navigation_timeout(30_000)
        page.goto(site + path)
        yield page


@contextmanager
def opened_lab(browser, address: str) -> Iterator:
    "A JupyterLab that is served at `address`"
    with alone(browser, address.removesuffix('/lab')) as page:
        page.goto(address)
        page.wait_for_function('window.jupyterapp?.restored', timeout=120_000)
        yield page
