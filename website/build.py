"Builds the site: reads the notebooks, sets each page in the template, checks the whole."
import re
import shutil
from pathlib import Path

import nbformat
import yaml
from address import address
from jinja2 import Environment, FileSystemLoader
from nbdev.config import get_config

from digit_under_hood.lab.student import edition

from .check import check
from .markdown import plain
from .page import Page
from .search import search_index

HERE = Path(__file__).parent
MISSING = '404.html'   # what hosts show where there is no page
INSTALL = '''# installs the course where it is missing, as in Colab
import importlib.util, subprocess, sys
if not importlib.util.find_spec('{lib}'):
    pip = [sys.executable, '-m', 'pip', 'install', '-q', 'git+{git}']
    subprocess.run(pip, check=True)'''


def project() -> dict:
    "What the pages need to know of the project, from settings.ini"
    cfg = get_config()
    return dict(root=cfg.config_path, nbs=cfg.nbs_path, out=cfg.doc_path,
                path=f'{cfg.doc_baseurl}/',
                base=f'{cfg.doc_host}{cfg.doc_baseurl}/', title=cfg.title, lib=cfg.lib_path.name,
                lib_path=cfg.lib_path, version=cfg.version, git=address(),
                description=cfg.description, branch=cfg.branch, repo=f'{cfg.user}/{cfg.repo}')


def navigation(site: dict, known: dict) -> list[tuple[str, list[Page]]]:
    "The sections of the sidebar in _quarto.yml, each with its pages in order"
    config = yaml.safe_load((site['root']/'_quarto.yml').read_text(encoding='utf-8'))
    groups = [part if isinstance(part, dict) else {'contents': [part]}
              for part in config['website']['sidebar']['contents']]
    return [(group.get('section', ''), [known[f] for f in group['contents'] if f in known])
            for group in groups]


def needed(page: Page, order: list[Page]) -> list[Page]:
    "The earlier chapters that a chapter imports from, or names in its opening"
    return [other for other in order if other.number < page.number
            and {other.builds, other.source} & set(page.needs)]


def numeral(number: str) -> str:
    "The digits of a chapter's number, drawn in MNIST's own hand, and its letter, if any"
    return ''.join(f'<i class="d{c}"></i>' if c.isdigit() else f'<b>{c}</b>' for c in number)


def road(html: str, order: list[Page]) -> str:
    "`html` with a list that is drawn as a road for the table that links to chapters"
    chapters = {page.page: page for page in order}

    def steps(m: re.Match) -> str:
        rows = re.findall(r'<tr>\s*<td><a href="(.+?)">(.+?)</a></td>\s*<td>(.+?)</td>', m[0])
        if not rows or not all(href in chapters for href, _, _ in rows): return m[0]
        items = [f'<li><span class="numeral" aria-hidden="true">{numeral(chapters[href].number)}'
                 f'</span><a href="{href}">{re.sub(r"^[0-9a-z]+ ", "", name)}</a><p>{text}</p>'
                 f'<p class="minutes">{chapters[href].minutes} min</p></li>\n'
                 for href, name, text in rows]
        return f'<ol class="road">{"".join(items)}</ol>'

    return re.sub(r'<div class="scroll"[^>]*><table.*?</table></div>', steps, html, flags=re.S)


def take_away(notebook: Path, copy: Path, site: dict) -> None:
    "The student's edition of `notebook`; once published, it installs the course if missing"
    setup = INSTALL.format(**site) if site['git'] else ''
    book = edition(nbformat.read(notebook, 4), setup=setup)
    copy.write_text(nbformat.writes(book) + '\n', encoding='utf-8')


def write(site: dict, pages: list[Page], nav: list) -> None:
    "Write the whole site into the docs folder"
    out = site['out']
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(HERE/'static', out/'assets')
    explorables = site['lib_path']/'explorables'
    if explorables.exists(): shutil.copytree(explorables, out/'assets'/'explorables')
    (out/'notebooks').mkdir()
    env = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True,
                      lstrip_blocks=True)
    template, opened = env.get_template('page.html'), (HERE/'opened.svg').read_text()
    order = [page for _, group in nav for page in group if page.number]
    for page in pages:
        for name, content in page.files.items():
            (out/name).parent.mkdir(parents=True, exist_ok=True)
            (out/name).write_bytes(content)
        if page.number: take_away(page.path, out/'notebooks'/page.notebook, site)
        at = order.index(page) if page in order else len(order)
        root = site['path'] if page.page == MISSING else ''   # it is shown at any depth
        html = template.render(
            site=site, page=page, nav=nav, contents=page.contents,
            body=road(page.body, order) if page.page == 'index.html' else page.body,
            needs=needed(page, order), previous=order[at - 1] if 0 < at < len(order) else None,
            next=order[at + 1] if at + 1 < len(order) else None, first=order[0] if order else None,
            numeral=numeral(page.number), opened=opened,
            description=plain(page.promise) or site['description'])
        if root: html = re.sub(r'\b(href|src)="(?!\w+:|[/#])', rf'\1="{root}', html)
        (out/page.page).write_text(html, encoding='utf-8')
    listed = [page for page in pages if page.page != MISSING]
    ranked = order + [page for page in listed if page not in order]   # search ranks chapters first
    texts = ((page.page, (out/page.page).read_text(encoding='utf-8')) for page in ranked)
    (out/'search.json').write_text(search_index(texts), encoding='utf-8')
    if site['git']: (out/'sitemap.xml').write_text(sitemap(site, listed), encoding='utf-8')
    (out/'.nojekyll').touch()


def sitemap(site: dict, pages: list[Page]) -> str:
    "Where each page is once the site is published"
    urls = ''.join(f'<url><loc>{site["base"]}{page.page}</loc></url>\n' for page in pages)
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns='
            f'"http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n')


def build() -> tuple[int, list[str]]:
    "Build the site; how many pages it has, and what is broken in it"
    site = project()
    sources = sorted(path for kind in ('*.ipynb', '*.qmd') for path in site['nbs'].glob(kind))
    pages = [Page(path, site) for path in sources]
    nav = navigation(site, {page.source: page for page in pages})
    write(site, pages, nav)
    listed = [page for _, group in nav for page in group]
    wrong = [f'{page.source}: page without a title' for page in pages if not page.title]
    wrong += [f'{page.source}: not in the sidebar of _quarto.yml'
              for page in pages if page not in listed and page.page != MISSING]
    return len(pages), wrong + check(site['out'], site['path'])
