"""Builds the docs site: `python tools/docs.py build` writes _docs/, `... serve` shows it.

The notebooks are processed by nbdev (process.py) and rendered by Quarto where it is installed, else
by smalldocs. Both give the same text in the same order. dress.py sets it in the course's own page,
and the checks below fail the build on what is broken.
"""
import argparse
import contextlib
import re
import shutil
import subprocess
import sys
import time
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

from api_page import api_page
from dress import dress
from nbdev.config import get_config
from process import process_all


def project() -> dict:
    "What the pages need to know of the project"
    cfg = get_config()
    return dict(root=cfg.config_path, nbs=cfg.nbs_path, proc=cfg.config_path/'_proc',
                out=cfg.doc_path, base=f'{cfg.doc_host}{cfg.doc_baseurl}/', title=cfg.title,
                lib=cfg.lib_path.name, lib_path=cfg.lib_path, version=cfg.version, git=cfg.git_url,
                description=cfg.description, branch=cfg.branch, repo=f'{cfg.user}/{cfg.repo}')


# Rendering

def with_smalldocs(proc: Path) -> None:
    "Render the folder `proc` with smalldocs, with nbdev's names for the pages"
    from smalldocs.config import load
    from smalldocs.site import Site

    class Pages(Site):
        def read(self, src):
            page = super().read(src)
            page.out = page.out.with_name(page.front.get('output-file', page.out.name))
            return page

        def find_page(self, target):
            named = (page for page in self.pages.values() if page.out == target)
            return super().find_page(target) or next(named, None)

    Pages(load(proc), quiet=True).build()


def render(proc: Path, renderer: str) -> str:
    "Render the folder `proc` into `proc/_docs`; return the renderer's name and version"
    if renderer == 'smalldocs':
        with_smalldocs(proc)
        return f'smalldocs {version("smalldocs")}'
    subprocess.run(['quarto', 'render', '--no-cache'], cwd=proc, check=True)
    number = subprocess.run(['quarto', '--version'], capture_output=True, text=True, check=True)
    return f'Quarto {number.stdout.strip()}'


# Checking

FETCHED = {'img': ('src', 'srcset'), 'source': ('src', 'srcset'), 'video': ('src', 'poster'),
           'script': ('src',), 'iframe': ('src',), 'audio': ('src',), 'embed': ('src',),
           'object': ('data',), 'link': ('href',)}
VOID = {'img', 'meta', 'link', 'br', 'hr', 'input', 'source', 'embed', 'col', 'wbr'}
VERBATIM = {'pre', 'code', 'math', 'template', 'title'}
RAW = re.compile(r':::|@(?:fig|tbl|eq|sec)-|\$\$|\\begin\{|\\\(|\{#[\w-]+\}|^\s*#\| ')
CSS_URL = re.compile(r'(?:url\(|@import)\s*[\'"]?((?:https?:)?//[^\'")\s]+)')
SCRIPT_URL = re.compile(r'(?:import|from|fetch\()\s*\(?[\'"]((?:https?:)?//[^\'"]+)')


class Page(HTMLParser):
    "Reads a page of the site and notes what the checks look at"
    def __init__(self, html: str):
        super().__init__()
        self.ids: list[str] = []
        self.places: list[str] = []      # ids of headings
        self.links: list[str] = []
        self.images: list[dict] = []
        self.wrong: list[str] = []
        self.title, self.open = '', []
        self.feed(re.sub(r'(<pre\b[^>]*>).*?(?=</pre>)', r'\1', html, flags=re.S))

    def handle_starttag(self, tag, attrs):
        found = {name: value or '' for name, value in attrs}
        if tag not in VOID: self.open.append(tag)
        if 'id' in found:
            (self.places if re.fullmatch('h[1-6]', tag) else self.ids).append(found['id'])
        if tag in ('a', 'link') and 'href' in found: self.links.append(found['href'])
        if tag == 'img': self.images.append(found)
        named = found.get('aria-label') or found.get('aria-hidden') == 'true'
        if tag == 'svg' and 'main' in self.open and not named:
            self.wrong.append('drawing without a name')
        if found.get('rel') != 'canonical':
            addresses = [found.get(name, '') for name in FETCHED.get(tag, ())]
            self.fetched(url for url in addresses if re.match(r'(https?:)?//', url))
        self.fetched(CSS_URL.findall(found.get('style', '')))

    def handle_endtag(self, tag):
        while tag in self.open and self.open.pop() != tag: pass

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ''
        if inside == 'style': self.fetched(CSS_URL.findall(data))
        elif inside == 'script': self.fetched(SCRIPT_URL.findall(data))
        elif not VERBATIM & set(self.open) and RAW.search(data):
            self.wrong.append(f'raw markup in the text: {data.strip()[:60]}')
        if 'h1' in self.open: self.title += data.strip()

    def fetched(self, urls): self.wrong += [f'fetched from elsewhere: {url}' for url in urls]


def broken(page: Page, name: str, pages: dict[str, Page], out: Path) -> list[str]:
    "The links and pictures of one page that lead nowhere"
    wrong = []
    for img in page.images:
        src = img.get('src', '')
        if not re.match(r'data:|(https?:)?//', src) and not (out/src).is_file():
            wrong.append(f'missing image: {src}')
        if 'alt' not in img: wrong.append(f'picture without alt text: {src[:60]}')
    for href in page.links:
        path, _, place = href.partition('#')
        if re.match(r'[a-z]+:|//', path): continue
        if there := pages.get(path or name):
            if place and place not in {*there.ids, *there.places}:
                wrong.append(f'broken link: {href} (no such place there)')
        elif path.startswith(('/', '..')) or not (out/path).is_file():
            wrong.append(f'broken link: {href}')
    return wrong


def check(out: Path) -> list[str]:
    "All that is broken in the built site, one line each"
    paths = sorted(out.glob('*.html'))
    pages = {path.name: Page(path.read_text(encoding='utf-8')) for path in paths}
    wrong = []
    for name, page in pages.items():
        found = [] if page.title else ['page without a title']
        twice = {place for place in page.places if page.places.count(place) > 1}
        found += page.wrong + [f'two headings with the id {place}' for place in twice]
        wrong += [f'{name}: {fault}' for fault in found + broken(page, name, pages, out)]
    for css in out.rglob('*.css'):
        text = css.read_text(encoding='utf-8')
        wrong += [f'{css.name}: fetched from elsewhere: {url}' for url in CSS_URL.findall(text)]
        wrong += [f'{css.name}: missing file: {url}'
                  for url in re.findall(r'url\([\'"]?([^\'")#:]+)[\'"]?\)', text)
                  if not (css.parent/url).is_file()]
    return list(dict.fromkeys(wrong))


def untitled(site: dict, notebooks: list[dict]) -> list[str]:
    "Sources without a title: a renderer would show the file's name instead"
    wrong = [page['notebook'] for page in notebooks if not page['title']]
    wrong += [path.name for path in sorted(site['nbs'].glob('*.qmd'))
              if not re.match(r'---\n(?:.*\n)*?title:\s*\S', path.read_text(encoding='utf-8'))]
    return [f'{name}: page without a title' for name in wrong]


# The two commands

def build(renderer: str | None = None) -> None:
    "Build the site; exit with the list of what is broken, if anything is"
    start = time.time()
    site = project()
    notebooks, processed = process_all(site)
    (site['proc']/'api.qmd').write_text(api_page(site, notebooks), encoding='utf-8')
    found = 'quarto' if shutil.which('quarto') else 'smalldocs'
    named = render(site['proc'], renderer or found)
    count, unlisted = dress(site, notebooks, named)
    wrong = [f'{name}: not in the sidebar of _quarto.yml' for name in unlisted]
    wrong = untitled(site, notebooks) + wrong + check(site['out'])
    print(f'{named} rendered {count} pages into {site["out"].name} in {time.time() - start:.1f} s '
          f'({processed} of {len(notebooks)} notebooks processed)')
    if wrong: sys.exit('\n'.join([f'What is broken: {len(wrong)}', *wrong]))


def handler(folder: Path, prefix: str) -> partial:
    "Serves `folder` under / and under the path `prefix` that it is published at"
    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path):
            return super().translate_path('/' + path.removeprefix(prefix)
                                          if path.startswith(prefix) else path)

        def log_message(self, *args): pass

    return partial(Handler, directory=str(folder))


def serve(port: int) -> None:
    "Show the built site on this machine until interrupted"
    site = project()
    if not (site['out']/'index.html').exists(): build()
    serves = handler(site['out'], '/' + site['base'].split('/', 3)[3])
    with ThreadingHTTPServer(('127.0.0.1', port), serves) as server:
        print(f'http://127.0.0.1:{server.server_port}/ (Ctrl-C stops it)', flush=True)
        with contextlib.suppress(KeyboardInterrupt): server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('command', choices=['build', 'serve'])
    parser.add_argument('--renderer', choices=['quarto', 'smalldocs'],
                        help='default: quarto where it is installed')
    parser.add_argument('--port', type=int, default=8000, help='for serve; 0 takes a free one')
    args = parser.parse_args()
    if args.command == 'build': build(args.renderer)
    else: serve(args.port)


if __name__ == '__main__': main()
