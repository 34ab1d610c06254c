"Dresses rendered pages: takes the text out of the renderer's page and sets it in `page.html`."
import base64
import hashlib
import io
import json
import re
import shutil
import struct
from html import unescape
from pathlib import Path

import math_core
import yaml
from bs4 import BeautifulSoup, Comment, NavigableString, Tag
from jinja2 import Environment, FileSystemLoader
from PIL import Image

HERE = Path(__file__).parents[1]/'website'
ENDS = {'what-we-know-now': 'known', 'your-turn': 'turn', 'questions': 'questions'}
SCAFFOLD = '.code-copy-button, nav, .quarto-title-meta, .quarto-appendix-contents, annotation'
MATHS = math_core.LatexToMathML()
INSTALL = '''#| hide
# Installs the course where it is missing, as in Colab.
import importlib.util, subprocess, sys
if not importlib.util.find_spec('{lib}'):
    pip = [sys.executable, '-m', 'pip', 'install', '-q', 'git+{git}']
    subprocess.run(pip, check=True)'''


def parse(html: str) -> BeautifulSoup: return BeautifulSoup(html, 'html.parser')


def inner(tag: Tag | None) -> str: return tag.decode_contents().strip() if tag else ''


def make(name: str, attrs: dict | None = None, text: str = '') -> Tag:
    "A new tag"
    tag = BeautifulSoup('', 'html.parser').new_tag(name, attrs=attrs or {})
    if text: tag.string = text
    return tag


class Code:
    "Keeps the coloured code while a page is parsed: most tags are in there, and none matters"
    MARK = re.compile('\ue000(\\d+)\ue001')

    def __init__(self): self.kept: list[str] = []

    def take(self, html: str) -> str:
        "`html` with a mark in place of the inside of each block of code"
        blocks = r'(<pre\b[^>]*>\s*<code\b[^>]*>)(.*?)(</code>)'
        return re.sub(blocks, self._keep, html, flags=re.S)

    def _keep(self, m: re.Match) -> str:
        inside = re.sub(r'<a\s+href="#cb[^>]*></a>', '', m[2])   # what Quarto adds to each line
        self.kept.append(re.sub(r'<span\s+id="cb[^"]*">', '<span>', inside))
        return f'{m[1]}\ue000{len(self.kept) - 1}\ue001{m[3]}'

    def give(self, html: str) -> str:
        "`html` with the code back in its place"
        return self.MARK.sub(lambda m: self.kept[int(m[1])], html)

    def text(self, text: str) -> str:
        "`text` with the code, as plain text, in its place"
        return unescape(self.MARK.sub(
            lambda m: re.sub('<[^>]+>', '', self.kept[int(m[1])]), text))


# The text of a page: the same plain HTML whichever renderer it comes from

def flatten(main: Tag) -> None:
    "Remove what belongs to the renderer: sections around headings, scaffolds, buttons, comments"
    for section in main.select('section[class*=level]'):
        heading = section.find(re.compile('^h[1-6]$'))
        if heading and section.get('id'): heading['id'] = section['id']
        section.unwrap()
    for node in main.find_all(string=lambda text: isinstance(text, Comment)): node.extract()
    for tag in main.select(SCAFFOLD): tag.decompose()
    for tag in main.select('div.code-copy-outer-scaffold, div.sourceCode'): tag.unwrap()
    for tag in main.find_all(re.compile('^h[1-6]$')):
        tag.attrs = {'id': tag['id']} if tag.get('id') else {}
    for tag in main.select('a[target]'): del tag['target']


def typeset(main: Tag) -> None:
    "Turn TeX into MathML, which browsers draw and read aloud by themselves"
    for span in main.select('span.math'):
        if span.find('math'):
            span.unwrap()
            continue
        tex = re.sub(r'^\\[(\[]|\\[)\]]$', '', span.get_text().strip()).strip()
        display = 'display' in span['class']
        math = MATHS.convert_with_local_state(tex, displaystyle=display)
        span.replace_with(parse(math).math)
    for math in main.find_all('math'):
        display = math.get('display') == 'block'
        span = math.wrap(make('span', {'class': 'maths display' if display else 'maths'}))
        after = span.next_sibling    # a full stop stays on the line of its formula
        stop = re.match(r'[.,;:!?)]+', after) if isinstance(after, NavigableString) else None
        if stop and not display:
            span.append(stop[0])
            after.replace_with(after[stop.end():])


def png_size(data: bytes) -> tuple[str, str]:
    "Width and height at which a PNG is meant to be shown, in CSS pixels: its own, less its density"
    width, height = struct.unpack('>II', data[16:24])
    at = data.find(b'pHYs')
    dots = struct.unpack('>I', data[at + 4:at + 8])[0]*.0254 if at > 0 else 96
    return str(round(width*96/dots)), str(round(height*96/dots))


def lighter(png: bytes, cache: Path) -> bytes:
    "The same picture as lossless WebP, half the bytes; kept in `cache`, since that takes a moment"
    kept = cache/f'{hashlib.sha256(png).hexdigest()}.webp'
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        Image.open(io.BytesIO(png)).save(kept, lossless=True, quality=60, method=4)
    return kept.read_bytes()


def pictures(main: Tag, name: str, out: Path, cache: Path) -> None:
    "Move pictures out of the page into files of its own, give each its size and a figure"
    for n, img in enumerate(main.find_all('img')):
        src, kind, data = img.get('src', ''), '', b''
        attrs = {key: img[key] for key in ('alt', 'width', 'height') if img.has_attr(key)}
        if m := re.match(r'data:image/(png|jpeg|gif);base64,(.*)', src, re.S):
            kind, data = m[1], base64.b64decode(m[2])
        elif '_files/' in src and src.endswith('.png') and (out/src).is_file():
            kind, data = 'png', (out/src).read_bytes()
        if kind == 'png':
            attrs['width'], attrs['height'] = png_size(data)
            kind, data = 'webp', lighter(data, cache)
        if data:
            src = f'figures/{name}-{n}.{kind}'
            (out/'figures').mkdir(exist_ok=True)
            (out/src).write_bytes(data)
        img.attrs = {'src': src, **attrs}
    for svg in main.select('svg[alt]'):
        svg['aria-label'], svg['role'] = svg.attrs.pop('alt'), 'img'
    for figure in main.select('div.cell-output figure, div.quarto-figure > figure'):
        for p in figure.find_all('p', recursive=False): p.unwrap()
        figure.attrs = {'class': 'plot'}
        if shell := figure.find_parent('div', class_='quarto-figure'): shell.replace_with(figure)
    for img in main.select('div.cell-output img, p > img:only-child'):
        if img.find_parent(['figure', 'table']): continue
        alone = img.parent.name == 'p' and not img.parent.get_text(strip=True)
        (img.parent if alone else img).replace_with(figure := make('figure', {'class': 'plot'}))
        figure.append(img)


def tables(main: Tag) -> None:
    "Let a wide table scroll by itself, with the keyboard too"
    for n, table in enumerate(main.find_all('table'), 1):
        label = table.caption.get_text(' ', strip=True) if table.caption else f'Table {n}'
        table.wrap(make('div', {'class': 'scroll', 'tabindex': '0', 'role': 'region',
                                'aria-label': label}))
        table.attrs.pop('border', None)
        for cell in table.select('thead th:not([scope])'):
            if cell.get_text(strip=True): cell['scope'] = 'col'
            else: cell.name = 'td'   # an empty heading says nothing


def defined(box: Tag) -> None:
    "Turn nbdev's documentation of an exported name into a heading and a link to its source"
    rule, heading = box.find('hr', recursive=False), box.find('h3', recursive=False)
    link = box.find('a', string='source')
    if not (rule and heading and link): return
    name, address = heading.get_text(), link['href']
    rule.decompose()
    (link.parent if link.parent.name == 'p' else link).decompose()
    heading.clear()
    heading.append(make('code', text=name))
    heading['class'] = 'exported'
    attrs = {'href': address, 'class': 'source', 'aria-label': f'source of {name}'}
    heading.insert_after(make('a', attrs, 'source'))
    box['class'] = 'defined'


def cells(main: Tag) -> None:
    "Mark code, outputs and folds"
    for pre in main.find_all('pre'):
        printed = pre.find_parent('div', class_='cell-output')
        classes = pre.get('class', [])
        kind = 'call' if 'call' in classes else 'code'
        pre.attrs = {'class': 'printed' if printed and 'sourceCode' not in classes else kind}
        if pre.code: pre.code.attrs = {}
    for box in main.select('div.cell-output'):
        box.attrs = {'class': 'output'}
        defined(box)
    for fold in main.select('details.code-fold'):
        checked = ' checked' if fold.summary.get_text().startswith('Checked') else ''
        fold.attrs = {'class': f'fold{checked}', **({'open': ''} if fold.has_attr('open') else {})}
    for cell in main.select('div.cell'):
        cell.attrs = {'class': 'cell'}
        if not cell.find(True): cell.decompose()


def road(main: Tag, pages: dict) -> None:
    "Turn the table whose first column links to chapters into the list that is drawn as a road"
    for table in main.find_all('table'):
        rows = [(tr.a, tr.find_all('td')) for tr in table.find_all('tr') if tr.a]
        if not rows or not all(a['href'] in pages for a, _ in rows): continue
        steps = make('ol', {'class': 'road'})
        for a, columns in rows:
            page = pages[a['href']]
            item = make('li')
            item.append(parse('<span class="numeral" aria-hidden="true">'
                              f'{numeral(page["number"])}</span>'))
            item.append(make('a', {'href': a['href']}, re.sub(r'^\d+\s+', '', a.get_text())))
            item.append(parse(f'<p>{inner(columns[-1])}</p>'
                              f'<p class="minutes">{page["minutes"]} min</p>'))
            steps.append(item)
        table.replace_with(steps)


def headings(main: Tag, reference: bool) -> None:
    "Give each heading a link to itself; in the reference, names are code"
    for heading in main.select('h2[id], h3[id]'):
        if reference and heading.name == 'h3':
            heading['class'] = 'exported'
            heading.string.wrap(make('code'))
        label = f'Link to {heading.get_text(strip=True)}'
        attrs = {'class': 'anchor', 'href': f'#{heading["id"]}', 'aria-label': label}
        heading.append(make('a', attrs, '#'))


def parts(main: Tag) -> None:
    "Put each second-level heading and what follows it into a section of its own"
    for heading in main.find_all('h2', recursive=False):
        kind = next((c for start, c in ENDS.items() if heading.get('id', '').startswith(start)), '')
        following = [heading]
        for node in heading.next_siblings:
            if isinstance(node, Tag) and node.name == 'h2': break
            following.append(node)
        heading.insert_before(section := make('section', {'class': f'part {kind}'.strip()}))
        for node in following: section.append(node)


def index_entries(main: Tag, code: Code, page: str, title: str) -> list[list[str]]:
    "What search finds: for each heading its page, place, title and text"
    entries = [[page, '', title, '']]
    for node in main.find_all(['h2', 'h3', 'p', 'li', 'pre', 'td', 'th', 'summary', 'dt', 'dd']):
        if node.name in ('h2', 'h3'):
            entries.append([page, node.get('id', ''), node.get_text(' ', strip=True), ''])
        elif not node.find_parent(['p', 'li', 'td', 'pre']): entries[-1][3] += f' {node.get_text()}'
    for entry in entries: entry[3] = re.sub(r'\s+', ' ', code.text(entry[3])).strip()[:1600]
    return entries


# The whole site

def numeral(number: str) -> str:
    "The digits of a chapter's number, drawn by the stylesheet in MNIST's own hand"
    return ''.join(f'<i class="d{digit}"></i>' for digit in number)


def navigation(site: dict, known: dict) -> list[tuple[str, list[dict]]]:
    "The sections of the sidebar in _quarto.yml, each with its pages in order"
    config = yaml.safe_load((site['root']/'_quarto.yml').read_text(encoding='utf-8'))
    groups = [part if isinstance(part, dict) else {'contents': [part]}
              for part in config['website']['sidebar']['contents']]
    return [(group.get('section', ''), [known[f] for f in group['contents'] if f in known])
            for group in groups]


def needed(page: dict, known: dict) -> list[dict]:
    "The earlier chapters that a chapter imports from, or names in its opening"
    builders = {p['builds']: p for p in known.values() if p.get('builds')}
    found = [builders.get(module) for module in page.get('needs', [])]
    found += [known.get(name) for name in page.get('needs_too', [])]
    earlier = {p['number']: p for p in found if p and p['number'] < page['number']}
    return [earlier[number] for number in sorted(earlier)]


def take_away(notebook: Path, copy: Path, site: dict) -> None:
    "A copy of `notebook` that runs anywhere: a cell after its title installs the course"
    book = json.loads(notebook.read_text(encoding='utf-8'))
    cell = dict(cell_type='code', id='install', metadata={}, outputs=[], execution_count=None,
                source=INSTALL.format(**site))
    book['cells'].insert(1, cell)
    copy.write_text(json.dumps(book, ensure_ascii=False, indent=1) + '\n', encoding='utf-8')


def read(path: Path, notebooks: dict) -> dict:
    "A rendered page: its text, parsed, and all that is known of it"
    code = Code()
    m = re.search(r'<main\b.*</main>', path.read_text(encoding='utf-8'), re.S)
    main = parse(code.take(m[0] if m else '<main></main>')).main
    page = notebooks.get(path.name, {})
    head = main.find(id='title-block-header')
    title = inner(head.select_one('h1.title')) if head else ''
    promise = (head.select_one('.description p') or head.select_one('.description')) if head else ''
    if head: head.extract()
    source = page.get('notebook') or f'{path.stem}.qmd'
    number = m[1] if (m := re.match(r'(\d+)_', source)) else ''
    return page | dict(page=path.name, title=title, plain=parse(title).get_text(), number=number,
                       promise=inner(promise) if promise else '', source=source, main=main,
                       code=code)


def plain(page: dict, known: dict, out: Path, cache: Path) -> None:
    "Make the text of a page plain, whichever renderer it comes from"
    main = page['main']
    flatten(main)
    typeset(main)
    pictures(main, Path(page['page']).stem, out, cache)
    cells(main)
    if page['page'] == 'index.html': road(main, known)
    tables(main)
    for p in main.find_all('p'):   # the page has its own link to the next chapter
        text = p.get_text(strip=True)
        if p.a and text.startswith('Next') and text == p.a.get_text(strip=True): p.decompose()


def dress(site: dict, notebooks: list[dict], renderer: str) -> tuple[int, list[str]]:
    "Write the pages anew into the docs folder; return how many, and those the sidebar leaves out"
    raw, out = site['proc']/'_docs', site['out']
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(raw, out, ignore=shutil.ignore_patterns('*.html', 'site_libs', 'search.json'))
    shutil.copytree(HERE/'static', out/'assets', dirs_exist_ok=True)
    (out/'notebooks').mkdir()
    env = Environment(loader=FileSystemLoader(HERE), autoescape=True,
                      trim_blocks=True, lstrip_blocks=True)
    template = env.get_template('page.html')
    by_page = {page['page']: page for page in notebooks}
    pages = [read(path, by_page) for path in sorted(raw.glob('*.html'))]
    known = {page[key]: page for page in pages for key in ('source', 'page')}
    nav = navigation(site, known)
    listed = [page for _, group in nav for page in group]
    order = [page for page in listed if page['number']]
    pages = order + [page for page in pages if page not in order]   # search ranks chapters first
    search = []
    for page in pages:
        main, name = page['main'], page['page']
        plain(page, known, out, site['proc']/'.figures')
        search += index_entries(main, page['code'], name, page['plain'])
        contents = [(h['id'], inner(h)) for h in main.find_all('h2', id=True)]
        headings(main, name == 'api.html')
        parts(main)
        if page.get('notebook'):
            take_away(site['nbs']/page['notebook'], out/'notebooks'/page['notebook'], site)
        at = order.index(page) if page in order else len(order)
        html = template.render(
            site=site, page=page, nav=nav, contents=contents, body=inner(main), renderer=renderer,
            needs=needed(page, known), previous=order[at - 1] if 0 < at < len(order) else None,
            next=order[at + 1] if at + 1 < len(order) else None, first=order[0] if order else None,
            numeral=numeral(page['number']), opened=(out/'assets'/'opened.svg').read_text(),
            description=parse(page['promise']).get_text() or site['description'])
        (out/name).write_text(page['code'].give(html), encoding='utf-8')
    text = json.dumps(search, ensure_ascii=False, separators=(',', ':'))
    (out/'search.json').write_text(text, encoding='utf-8')
    (out/'.nojekyll').touch()
    return len(pages), [page['source'] for page in pages if page not in listed]
