"Finds what is broken in the built site: links, pictures, ids, raw markup, foreign addresses."
import re
from html.parser import HTMLParser
from pathlib import Path

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
        self.links: list[str] = []
        self.images: list[dict] = []
        self.wrong: list[str] = []
        self.title, self.open = '', []
        self.feed(re.sub(r'(<pre\b[^>]*>).*?(?=</pre>)', r'\1', html, flags=re.S))

    def handle_starttag(self, tag, attrs):
        found = {name: value or '' for name, value in attrs}
        if tag not in VOID: self.open.append(tag)
        if 'id' in found: self.ids.append(found['id'])
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


def broken(page: Page, name: str, pages: dict[str, Page], out: Path, root: str) -> list[str]:
    "The links and pictures of one page that lead nowhere"
    wrong, root = [], root if name == '404.html' else './'   # that page is shown at any depth
    for img in page.images:
        src = img.get('src', '').removeprefix(root)
        if not re.match(r'data:|(https?:)?//', src) and not (out/src).is_file():
            wrong.append(f'missing image: {src}')
        if 'alt' not in img: wrong.append(f'picture without alt text: {src[:60]}')
    for href in page.links:
        path, _, place = href.removeprefix(root).partition('#')
        if re.match(r'[a-z]+:|//', path): continue
        if there := pages.get(path or name):
            if place and place not in there.ids:
                wrong.append(f'broken link: {href} (no such place there)')
        elif path.startswith(('/', '..')) or not (out/path).is_file():
            wrong.append(f'broken link: {href}')
    return wrong


def check(out: Path, root: str = '/') -> list[str]:
    "All that is broken in the built site, one line each; `root` is the path that it lies at"
    paths = sorted(out.glob('*.html'))
    pages = {path.name: Page(path.read_text(encoding='utf-8')) for path in paths}
    wrong = []
    for name, page in pages.items():
        found = [] if page.title else ['page without a title']
        twice = {place for place in page.ids if page.ids.count(place) > 1}
        found += page.wrong + [f'two elements with the id {place}' for place in twice]
        wrong += [f'{name}: {fault}' for fault in found + broken(page, name, pages, out, root)]
    for css in out.rglob('*.css'):
        text = css.read_text(encoding='utf-8')
        wrong += [f'{css.name}: fetched from elsewhere: {url}' for url in CSS_URL.findall(text)]
        wrong += [f'{css.name}: missing file: {url}'
                  for url in re.findall(r'url\([\'"]?([^\'")#:]+)[\'"]?\)', text)
                  if not (css.parent/url).is_file()]
    return list(dict.fromkeys(wrong))
