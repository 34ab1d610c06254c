"How pages look and where they lead: lines that wrap, and the address of the repository."
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from test_site import settle

from website import wrap
from website.build import navigation, project, write
from website.page import Page

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT/'tools'))
import address  # noqa: E402
import readme  # noqa: E402

GIT = 'https://example.org/someone/course'
SOURCES = ['index.ipynb', '02_similarity.ipynb', 'teachers.qmd']


# The repository's address: one setting says whether there is one

@pytest.fixture(scope='module', params=['', GIT], ids=['unpublished', 'published'])
def some_pages(request, tmp_path_factory):
    "Some pages of the site, by name, for a repository that is or is not published"
    out = tmp_path_factory.mktemp('site')/'pages'
    site = project() | {'git': request.param, 'repo': 'someone/course', 'out': out}
    pages = [Page(site['nbs']/name, site) for name in SOURCES]
    write(site, pages, navigation(site, {page.source: page for page in pages}))
    return request.param, out


def test_setting_decides_the_address(monkeypatch, tmp_path):
    (tmp_path/'tools').mkdir()
    text = (ROOT/'settings.ini').read_text(encoding='utf-8')
    for value in ('True', 'False'):
        changed = re.sub(r'^published = .*$', f'published = {value}', text, flags=re.M)
        (tmp_path/'settings.ini').write_text(changed, encoding='utf-8')
        monkeypatch.setattr(address, '__file__', str(tmp_path/'tools'/'address.py'))
        where = address.address()
        assert re.match(r'https://\S+/digit_under_hood$', where) if value == 'True' else where == ''


def test_links_lead_to_the_repository_only_where_it_is_published(some_pages):
    git, out = some_pages
    for path in out.glob('*.html'):
        html = path.read_text(encoding='utf-8')
        links = re.findall(r'href="(https?://[^"]+)"', html)
        ours = [link for link in links if re.search(r'github|colab|mybinder|example', link)]
        assert bool(ours) == bool(git), (path.name, ours)
        report = [link for link in ours if link.startswith(f'{GIT}/issues/new?title=')]
        assert len(report) == bool(git), path.name
        assert ('git clone' in html) == (path.name == 'index.html' and bool(git))
        assert (address.UNKNOWN in html) == (path.name == 'index.html' and not git)
        assert ('property="og:url"' in html) == bool(git), path.name
        if not git: assert not re.search(r'digit-under-hood(/|\.github)', html), path.name
    assert (out/'sitemap.xml').exists() == bool(git)
    html = (out/'similarity.html').read_text(encoding='utf-8')
    colab = 'https://colab.research.google.com/github/someone/course/blob/gh-pages/notebooks/'
    assert (f'{colab}02_similarity.ipynb' in html) == bool(git)
    assert html.count('aria-label="source of') == (5 if git else 0)
    assert ('issues/new?title=Mistake%20in%20%E2%80%9CSimilarity' in html) == bool(git)


def test_notebook_taken_away_installs_the_course_only_from_where_it_is(some_pages, monkeypatch):
    git, out = some_pages
    taken = nbformat.read(out/'notebooks'/'02_similarity.ipynb', 4)
    nbformat.validate(taken)
    install = [cell for cell in taken.cells if cell.id == 'install']
    assert len(install) == bool(git) and taken.cells[0].source.startswith('# ')
    if not git: return
    done = []
    monkeypatch.setattr(subprocess, 'run', lambda command, check: done.append(command))
    exec(install[0].source, {})
    assert done == []   # here the course is installed
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    exec(install[0].source, {})
    assert done[0][:5] == [sys.executable, '-m', 'pip', 'install', '-q'] and git in done[0][-1]


@pytest.mark.parametrize('where', ['', GIT])
def test_readme_says_where_to_clone_from_or_that_it_is_not_published(where):
    text, _ = readme.render(where)
    assert (f'git clone {where}\n' in text) == bool(where)
    assert (address.UNKNOWN in text) == (not where)
    assert text.count('git clone') == bool(where)
    assert (f'[course] @ git+{where}"' in text) == bool(where) != (address.COPY in text)
    assert text.count('git+') == bool(where)


def test_the_home_page_is_a_notebook_that_says_so_too():
    stored = (ROOT/'nbs'/'index.ipynb').read_text(encoding='utf-8')
    assert stored == readme.index(address.address())
    known, unknown = readme.index(GIT), readme.index('')
    assert f'"git clone {GIT}\\n"' in known and f'[course] @ git+{GIT}\\"' in known
    assert address.UNKNOWN in unknown and address.COPY in unknown
    assert 'git clone' not in unknown and 'git+' not in unknown
    assert json.loads(known).keys() == json.loads(stored).keys()


def test_text_that_is_not_made_names_no_address():
    for name in ('CONTRIBUTING.md', 'nbs/teachers.qmd'):
        text = (ROOT/name).read_text(encoding='utf-8')
        assert 'git clone' not in text and 'digit-under-hood/' not in text


# What a reader sees, in a browser

WIDE, PHONE = {'width': 1280, 'height': 900}, {'width': 390, 'height': 844}
PAGES = ['index.html', 'pixels.html', 'mnist_linear.html', 'fooling.html', 'api.html',
         'how_fast.html']
SEEN = """kind => [...document.querySelectorAll(`main ${kind}`)].filter(
    e => e.checkVisibility()).map(e => ({cut: e.scrollWidth > e.clientWidth + 1,
    hint: getComputedStyle(e).maskImage !== 'none', reached: e.tabIndex === 0,
    said: e.textContent.slice(0, 60)}))"""
TALLEST = """() => Math.max(0, ...[...document.querySelectorAll('pre .long')].map(
    e => e.getBoundingClientRect().height/parseFloat(getComputedStyle(e).lineHeight)))"""
OPEN = 'document.querySelectorAll("details").forEach(d => d.open = true)'
SETTLED = """document.fonts.ready.then(() => new Promise(
    done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50)))))"""


@pytest.mark.parametrize('size', [WIDE, PHONE], ids=['wide', 'phone'])
def test_code_is_whole_and_what_is_cut_says_so(reader, site, size):
    page, code, cut = reader(viewport=size), 0, 0
    for name in PAGES:
        page.goto(site + name)
        page.evaluate(OPEN)
        page.evaluate(SETTLED)
        found = page.evaluate(SEEN, 'pre.code')
        code, cut = code + len(found), cut + sum(block['cut'] for block in found)
        for block in found + page.evaluate(SEEN, ':is(pre.printed, .scroll, .maths.display)'):
            assert block['cut'] == block['hint'] == block['reached'], (name, block)
        assert page.evaluate('document.documentElement.scrollWidth') <= size['width'], name
        assert page.evaluate(TALLEST) < 8, name
    assert code > 250 and cut <= .02*code


def test_hint_is_on_the_side_that_goes_on(reader):
    page = reader('how_fast.html', viewport=PHONE)
    page.evaluate(SETTLED)
    table = page.locator('.scroll').first
    assert table.get_attribute('data-more') == 'right'
    table.evaluate('e => e.scrollTo(e.scrollWidth, 0)')
    page.wait_for_function('document.querySelector(".scroll").dataset.more === "left"')


def test_comments_of_a_signature_stand_below_their_parameter_on_a_phone(reader):
    page = reader('mnist_linear.html', viewport=PHONE)
    line = page.locator('.long:has(> .after)').first
    parts = line.evaluate("""e => [e, e.lastElementChild].map(
        part => part.getBoundingClientRect().toJSON())""")
    assert parts[1]['top'] > parts[0]['top'] + 10 and parts[1]['right'] <= 390
    page.set_viewport_size(WIDE)
    tops = line.evaluate('e => [...e.getClientRects()].map(box => Math.round(box.top))')
    assert max(tops) - min(tops) < 4   # one line again


def test_whole_digit_fits_a_phone(reader):
    page = reader('pixels.html', viewport=PHONE)
    table = page.locator('main .output table:has(td:nth-of-type(28))').first
    box = table.bounding_box()
    assert box['x'] >= 0 and 350 < box['width'] and box['x'] + box['width'] <= 390.5


def test_copy_buttons_are_named_apart(reader):
    page = reader('mnist_linear.html')
    names = page.evaluate('[...document.querySelectorAll(".copy")].map(b => b.ariaLabel)')
    assert len(names) > 50 and len(set(names)) == len(names)
    assert all(re.match(r'Copy code \d+: \S', name) for name in names)


def test_text_stands_under_the_title(reader):
    page = reader()
    left = page.evaluate("""['h1', '.text > p', '.road', '#how-fast-it-is'].map(
        q => document.querySelector(q).getBoundingClientRect().left)""")
    assert max(left) - min(left) < 1


def test_no_summary_is_stranded_on_paper(reader):
    page = reader('mnist_linear.html')
    page.emulate_media(media='print')
    settle(page)
    folds = page.evaluate("""[...document.querySelectorAll('main .text summary')].map(s => [
        s.nextElementSibling.checkVisibility({contentVisibilityAuto: true}),
        s.nextElementSibling.clientHeight > 0, getComputedStyle(s).breakAfter])""")
    assert len(folds) > 20 and all(fold == [True, True, 'avoid'] for fold in folds)


def test_script_leaves_no_globals(reader):
    page = reader('pixels.html')
    ours = page.evaluate("""() => {
        const frame = document.body.appendChild(document.createElement('iframe'))
        const usual = new Set(Object.getOwnPropertyNames(frame.contentWindow))
        const here = Object.getOwnPropertyNames(window)
        return here.filter(name => !usual.has(name) && isNaN(name)) }""")
    assert ours == []
    assert page.evaluate('typeof root + typeof all + typeof fade') == 'undefined'*3


# Lines that wrap on a phone

def test_short_lines_stay_as_they_are():
    short = 'a = 1   <span class="co"># one</span>\n\n    b'
    assert wrap.wrapping(short) == short


def test_long_lines_and_their_comments_are_marked():
    note = f'<span class="co"># {"words "*9}</span>'
    code = f'def f(\n    a:int,   {note}\n    {note}\n'
    marked = wrap.wrapping(code)
    assert re.sub('<[^>]+>', '', marked).rstrip() == re.sub('<[^>]+>', '', code).rstrip()
    first, after, own = marked.split('\n')[:3]
    assert first == 'def f('
    mark = '<span class="long" style="--indent: 4ch">    '
    assert after.startswith(f'{mark}a:int,<span class="after">')
    assert own.startswith(f'</span></span>{mark}<span class="co"')
    assert marked.count('<span') == marked.count('</span')


def test_a_line_within_a_longer_string_wraps_inside_it():
    long = 'x'*(wrap.PHONE + 1)
    marked = wrap.wrapping(f'<span class="st">"""one\n{long}\n"""</span>')
    assert marked == (f'<span class="st">"""one\n<span class="long" style="--indent: 0ch">{long}\n'
                      '</span>"""</span>')
