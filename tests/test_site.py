"""The docs site as a reader meets it: built, served on this machine, opened in a real browser.

No request leaves the machine. The tests look at roles, texts and behaviour, not at the markup.
"""
import ast
import gzip
import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browsing import opened

from digit_under_hood.lab.directives import directives

ROOT = Path(__file__).parents[1]
CFG = ConfigParser()
CFG.read(ROOT/'settings.ini', encoding='utf-8')
WEIGHT = 700_000              # bytes a page may weigh, gzipped, with all that it loads
AXE = (Path(__file__).parent/'vendor'/'axe.min.js').read_text(encoding='utf-8')
WIDE, PHONE = {'width': 1280, 'height': 900}, {'width': 390, 'height': 844}


def names() -> list[str]:
    "The built pages that have a place in the course"
    return sorted(path.name for path in (ROOT/'_docs').glob('*.html') if path.stem != '404')


def chapters() -> list[Path]:
    "The notebooks that are chapters, in order"
    return sorted((ROOT/'nbs').glob('[0-9]*.ipynb'))


def page_of(notebook: Path) -> str: return re.sub(r'^\d+[a-z]?_', '', notebook.stem) + '.html'


def course(page): return page.get_by_role('navigation', name='Course')


def onward(page): return page.get_by_role('navigation', name='Previous and next chapter')


# The build

def test_build_says_how_many_pages(built):
    count = int(built.split(' pages')[0])
    assert count == len(names()) + 1 >= len(chapters()) + 6


def test_every_published_file_is_used(built):
    files = [path for path in (ROOT/'_docs').rglob('*') if path.is_file()]
    text = ' '.join(path.read_text(encoding='utf-8') for path in files
                    if path.suffix in ('.html', '.css', '.js'))
    spare = {path.name for path in files if path.name not in text}
    published = CFG['DEFAULT'].getboolean('published')
    hosts = {'.nojekyll', '404.html', *['sitemap.xml']*published}   # what they ask for themselves
    assert hosts - {'404.html'} <= spare - set(names()) <= hosts


# Every page

def test_a_wrong_address_shows_a_page_that_leads_on(reader, site):
    page = reader('gone/deep/page.html')
    assert page.request.get(f'{site}gone').status == 404
    assert page.get_by_role('heading', level=1).inner_text() == 'This page is not here'
    loaded = page.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily")
    assert 'Course Serif' in loaded
    page.get_by_role('main').get_by_role('link', name='glossary').click()
    page.wait_for_url(site + 'glossary.html')


# What a page says of itself; the numbers are pixels, `places` all that a link can lead to.
LOOK = """() => {
    const all = (query, tell) => [...document.querySelectorAll(query)].map(tell)
    const width = document.documentElement.scrollWidth
    const onward = document.querySelector("nav[aria-label='Previous and next chapter']")
    document.querySelectorAll("details").forEach(d => d.open = true)
    return {
        width, title: document.title, lang: document.documentElement.lang,
        headings: all("h1", h => h.innerText.trim()),
        text: document.querySelector("main").textContent,
        pictures: all("main img",
            i => [i.src, i.complete && i.naturalWidth > 0, i.alt.trim().length]),
        links: all("a[href]", a => a.href),
        places: all("[id]", e => [e.id, /^H[1-6]$/.test(e.tagName) ? e.textContent : ""]),
        current: all("nav[aria-label=Course] [aria-current=page]", a => a.href),
        needs: all("dt", dt => dt).filter(dt => dt.textContent.includes("What you need first"))
            .flatMap(dt => [...dt.parentElement.querySelectorAll("dd a")]).length,
        download: all("main a", a => a).filter(a => a.textContent == "Download the notebook")
            .map(a => a.href),
        onward: [...onward?.querySelectorAll("a") ?? []].map(a => a.href),
        maths: all("math", m => ({
            ...m.getBoundingClientRect().toJSON(), laid: getComputedStyle(m).display,
            flat: !m.querySelector("mtr, mfrac, munder, munderover, msqrt"),
            signs: m.querySelectorAll("mi, mn, mo").length})),
        fractions: all("mfrac", f => [...f.children].map(e => e.getBoundingClientRect().top)),
        prose: all("main p, main li", e => e.textContent).join(" ")} }"""


ALIVE = """() => [...document.querySelectorAll('[data-explorable]')].every(
    e => e.shadowRoot?.querySelector('.box'))"""


@pytest.fixture(scope='module')
def visits(browser, site) -> dict[str, dict[str, Any]]:
    "What a phone finds on each page, which is visited once for all tests that ask every page"
    found, loaded = {}, set()
    with opened(browser, site, 'index.html', viewport=PHONE) as page:
        page.on('requestfinished', lambda request: loaded.add(request.url))
        for name in names():
            loaded.clear()
            page.goto(site + name)
            page.wait_for_function(ALIVE)
            settle(page)
            found[name] = {'loaded': {*loaded}} | page.evaluate(LOOK)
    return found


def test_pages_are_whole(visits, site):
    "Titles, pictures that load and say what they show, a phone's width, weight"
    for name, page in visits.items():
        [heading] = page['headings']
        assert heading and page['title'] and page['lang'] == 'en', name
        for src, there, said in page['pictures']: assert there and said >= 15, f'{name}: {src}'
        assert page['width'] <= 390, f'{name} is {page["width"]} pixels wide on a phone'
        files = {ROOT/'_docs'/url.removeprefix(site) for url in page['loaded']}
        weight = sum(len(gzip.compress(path.read_bytes())) for path in files)
        assert len(files) > 5 and weight <= WEIGHT, f'{name} weighs {weight} bytes'


NARROW = ['color-contrast', 'link-in-text-block', 'button-name', 'link-name',
          'scrollable-region-focusable', 'aria-hidden-focus']


# What a drawing holds is a picture for axe, and coloured code repeats few kinds of words: some of
# each kind are enough. What there is to play with has tests of its own, in light and dark.
THIN = """() => {
    document.querySelectorAll("[data-explorable]").forEach(e => e.remove())
    document.querySelectorAll("main svg[role=img]").forEach(svg => svg.replaceChildren())
    const seen = new Map()
    for (const span of document.querySelectorAll("pre span:not(:has(*))")) {
        const kind = span.className + (span.closest(".turn, .guess")?.className ?? "")
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
        if (seen.get(kind) > 8) span.replaceWith(span.textContent) } }"""


def serious(page, rules: list[str] | None = None) -> list[str]:
    "What axe finds serious or critical on `page` by all rules, or by `rules` alone"
    options: dict[str, Any] = {'resultTypes': ['violations']}
    if rules: options['runOnly'] = {'type': 'rule', 'values': rules}
    found = page.evaluate('options => axe.run(document, options)', options)['violations']
    return [f'{v["id"]}: {node["target"]} {node["failureSummary"][:200]}' for v in found
            if v['impact'] in ('serious', 'critical') for node in v['nodes'][:4]]


def settle(page):
    "Wait until the page has its typefaces and has answered the last change of its size"
    page.evaluate('''document.fonts.ready.then(() => new Promise(
        done => requestAnimationFrame(() => requestAnimationFrame(done))))''')


def coloured(page, scheme: str):
    "Show the page in light or dark, and wait for the explorables, which follow a little later"
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function("""dark => [...document.querySelectorAll('[data-explorable]')].every(
        e => e.shadowRoot?.querySelector('.box').classList.contains('dark') === dark)""",
                           arg=scheme == 'dark')


@pytest.mark.parametrize('pages', ['some', pytest.param('all', marks=pytest.mark.long)])
def test_axe_is_clean_in_light_and_dark(reader, site, pages):
    "On each third page, and weekly on all"
    page = reader(reduced_motion='reduce')
    page.add_init_script(AXE)
    wrong = []
    for name in names()[::1 if pages == 'all' else 3]:
        coloured(page, 'light')
        page.set_viewport_size(WIDE)
        page.goto(site + name)
        page.evaluate('document.querySelectorAll("details").forEach(d => d.open = true)')
        page.evaluate(THIN)
        wrong += [f'{name}, light: {w}' for w in serious(page)]
        coloured(page, 'dark')
        page.set_viewport_size(PHONE)
        settle(page)
        wrong += [f'{name}, dark: {w}' for w in serious(page, NARROW)]
    assert not wrong, '\n'.join(wrong)


def test_axe_is_clean_with_menu_and_search_open(reader):
    page = reader(viewport=PHONE, color_scheme='dark', reduced_motion='reduce')
    page.add_init_script(AXE)
    page.reload()
    page.get_by_role('button', name='Contents').click()
    assert course(page).is_visible()
    assert serious(page) == []
    page.get_by_role('link', name='Close').click()
    page.keyboard.press('/')
    page.get_by_role('combobox').fill('pixel')
    page.get_by_role('option').first.wait_for()
    assert serious(page) == []


def test_links_resolve(visits, reader, site):
    "Every link of every page leads to a page, a file or a place on a page that is there"
    places = {site + name: {place for place, _ in page['places']}
              for name, page in visits.items()}
    files = set()
    for name, page in visits.items():
        assert len(page['links']) > 10
        for target in page['links']:
            address, _, place = target.partition('#')
            if not address.startswith(site): continue
            if address not in places: files.add(address)
            else: assert not place or place in places[address], f'{name} -> {target}'
    request = reader('404.html').request
    for address in files: assert request.get(address).ok, address
    assert any(address.endswith('.ipynb') for address in files)


def hidden(cell) -> bool:
    "Does a page leave out what came out of this cell?"
    options = directives(cell)
    return (bool({'hide', 'export', 'default_exp'} & options.keys())
            or False in (options.get('output'), options.get('include')))


def printed(notebook: Path) -> list[str]:
    "What the cells of `notebook` that a page shows have printed, as stored"
    outputs = [output for cell in nbformat.read(notebook, 4).cells if cell.cell_type == 'code'
               if not hidden(cell) for output in cell.outputs]
    plain = [output.get('data', {}).get('text/plain', output.get('text', '')) for output in outputs
             if set(output.get('data', {})) <= {'text/plain'}]   # others come in a richer form
    return [text for text in plain if text.strip()]


def test_stored_outputs_are_what_the_pages_show(visits):
    for notebook in chapters():
        text = re.sub(r'\s+', '', visits[page_of(notebook)]['text'])
        stored = printed(notebook)
        assert len(stored) >= 3, notebook.name
        for output in stored:
            output = re.sub(r'\s+', '', re.sub(r'\x1b\[[0-9;]*m', '', output))
            assert output in text, f'{notebook.name}: {output[:80]}'


# Finding the way

def test_every_chapter_leads_on_to_the_next(visits, site):
    road = [site + page_of(notebook) for notebook in chapters()]
    for i, here in enumerate(road):
        page = visits[here.removeprefix(site)]
        assert page['current'] == [here]
        assert page['onward'] == [*road[max(i - 1, 0):i], *road[i + 1:i + 2]], here


def test_walk_from_home(reader, site):
    page = reader()
    page.get_by_role('link', name='Start with the first chapter').click()
    road = [site + page_of(notebook) for notebook in chapters()]
    page.wait_for_url(road[0])
    for name, there in (('Next', road[1]), ('Next', road[2]), ('Previous', road[1])):
        onward(page).get_by_role('link', name=name).click()
        page.wait_for_url(there)
    for name in ('Glossary', 'API reference', 'For teachers', 'About'):
        course(page).get_by_role('link', name=name).click()
        assert page.get_by_role('heading', level=1).inner_text() == name


def test_home_has_the_road_of_chapters(reader, site):
    page = reader()
    steps = page.get_by_role('main').get_by_role('listitem').filter(has_text='min')
    assert [step.get_by_role('link').get_attribute('href') for step in steps.all()] == [
        page_of(notebook) for notebook in chapters()]


def test_chapter_says_what_a_reader_asks_first(visits, reader, site):
    request = reader('404.html').request
    for i, notebook in enumerate(chapters()):
        page = visits[page_of(notebook)]
        assert re.search(r'Reading time\s*about \d+ min', page['text'])
        assert i < 2 or page['needs'], notebook.name
        assert page['download'] == [f'{site}notebooks/{notebook.name}']
        got = nbformat.reads(request.get(page['download'][0]).body().decode(), 4)
        nbformat.validate(got)
        assert {'install', 'start-here'} & {c.id for c in got.cells}
        assert not any('nbdev' in c.source for c in got.cells if c.cell_type == 'code')


# Light, dark, maths, keyboard, no script, paper

def is_dark(page) -> bool:
    "Is the page drawn light on dark?"
    color = page.evaluate('getComputedStyle(document.body).backgroundColor')
    return all(int(part) < 60 for part in re.findall(r'\d+', color)[:3])


def test_dark_mode_follows_the_system_and_then_the_reader(reader, site):
    assert is_dark(reader(color_scheme='dark'))
    page = reader(color_scheme='light')
    assert not is_dark(page)
    button = page.get_by_role('button', name='Dark colours')
    assert button.get_attribute('aria-pressed') == 'false'
    button.click()
    assert is_dark(page) and button.get_attribute('aria-pressed') == 'true'
    page.reload()
    assert is_dark(page)
    page.goto(site + 'pixels.html')
    assert is_dark(page)
    page.get_by_role('button', name='Dark colours').click()
    page.goto(site)
    assert not is_dark(page)


def test_maths_is_typeset(visits, reader):
    seen = fractions = 0
    for notebook in chapters():
        page = visits[page_of(notebook)]
        for math in page['maths']:
            assert min(math['width'], math['height']) > 3 and 'math' in math['laid'], notebook.name
            if math['flat'] and math['signs'] > 4: assert math['width'] > math['height']
        seen += len(page['maths'])
        for top, bottom in page['fractions']: assert bottom > top + 3, notebook.name
        fractions += len(page['fractions'])
        left = re.search(r"\\(frac|sum|partial|text|begin|left)\b", page["prose"])
        assert not left, f"{notebook.name}: {left}"
    assert seen > 30 and fractions > 3
    page = reader(page_of(chapters()[-1]))
    assert page.evaluate('document.fonts.load("16px \'Course Maths\'").then(f => f.length)') == 1


def test_works_by_keyboard_with_visible_focus(reader):
    page = reader('pixels.html')
    page.keyboard.press('Tab')
    skip = page.get_by_role('link', name='Skip to the text')
    assert skip.evaluate('e => e === document.activeElement') and skip.bounding_box()['y'] >= 0
    page.keyboard.press('Enter')
    assert page.evaluate('document.activeElement.tagName') == 'MAIN'
    for _ in range(12):
        page.keyboard.press('Tab')
        outline = page.evaluate('getComputedStyle(document.activeElement).outlineWidth')
        assert float(outline.removesuffix('px')) >= 2
        assert page.evaluate('document.activeElement.matches("main *")')


def test_copy_button_copies_the_cell(reader):
    page = reader('pixels.html')
    page.context.grant_permissions(['clipboard-read', 'clipboard-write'])
    button = page.get_by_role('button', name='Copy code').locator('visible=true').first
    code = button.evaluate('b => b.parentElement.querySelector("pre").textContent')
    button.focus()
    page.keyboard.press('Enter')
    page.get_by_text('Copied').wait_for()
    assert page.evaluate('navigator.clipboard.readText()').strip() == code.strip()


def test_where_nothing_can_be_copied_the_code_is_selected(reader):
    "A page that came without https has no clipboard; `reader` fails on any error of a script"
    page = reader('pixels.html')
    page.evaluate('Object.defineProperty(navigator, "clipboard", {value: undefined})')
    button = page.get_by_role('button', name='Copy code').locator('visible=true').first
    code = button.evaluate('b => b.parentElement.querySelector("pre").textContent')
    button.click()
    page.get_by_text('Selected', exact=True).wait_for()
    assert page.evaluate('getSelection().toString()').strip() == code.strip()


def test_plumbing_is_folded_and_teaching_is_open(reader):
    page = reader('similarity.html')
    imports = page.get_by_role('main').locator('details', has_text='Imports').first
    assert not imports.locator('pre').is_visible()
    imports.locator('summary').click()
    assert 'import' in imports.locator('pre').inner_text()
    assert page.locator('pre', has_text='def l1_distance').first.is_visible()


def test_without_javascript_text_and_navigation_are_there(reader, site):
    page = reader('similarity.html', java_script_enabled=False)
    assert course(page).get_by_role('link').count() >= len(chapters()) + 4
    assert page.get_by_role('heading', level=2).count() >= 5
    assert not page.get_by_role('button', name='Search').is_visible()   # it could do nothing
    onward(page).get_by_role('link', name='Next').click()
    page.wait_for_url(site + 'broadcasting.html')
    page = reader('similarity.html', java_script_enabled=False, viewport=PHONE)
    assert not course(page).is_visible()
    page.get_by_role('link', name='Contents').click()
    course(page).get_by_role('link', name='Pixels').click()
    page.wait_for_url(site + 'pixels.html')


def test_print_is_the_text_alone(reader):
    page = reader('similarity.html', color_scheme='dark')
    page.emulate_media(media='print')
    assert not is_dark(page)
    assert not course(page).is_visible()
    assert not page.get_by_role('button').locator('visible=true').count()
    assert page.get_by_role('heading', level=1).is_visible()
    folded = page.locator('main .text details:not([open]) > :not(summary):not(.box *)')
    assert folded.count() and all(part.is_visible() for part in folded.all())
    assert page.pdf().startswith(b'%PDF')
    page.emulate_media(media='screen')
    assert not any(part.is_visible() for part in folded.all())


# The reference and the glossary

def exported() -> dict[str, list[str]]:
    "The names that each module defines and exports; others it only hands on"
    result = {}
    for path in sorted((ROOT/'digit_under_hood').glob('[a-z]*.py')):
        defined: dict[str, ast.stmt] = {}
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef): defined[node.name] = node
            elif isinstance(node, ast.Assign): defined[ast.unparse(node.targets[0])] = node
        if isinstance(every := defined.get('__all__'), ast.Assign):
            result[path.stem] = [n for n in ast.literal_eval(every.value) if n in defined]
    return result


def test_reference_has_every_exported_name(reader):
    page = reader('api.html')
    headings = page.get_by_role('heading', level=3).all_inner_texts()
    shown = {text.rstrip('#').strip() for text in headings}
    for module, exports in exported().items(): assert set(exports) <= shown, module


def test_anchors_of_api_names_resolve(visits, reader):
    "nbdev's index says where each name is documented: there it is"
    index: dict[str, Any] = {}
    exec((ROOT/'digit_under_hood'/'_modidx.py').read_text(encoding='utf-8'), index)
    wanted: dict[str, list[tuple[str, str]]] = {}
    for module, exports in exported().items():
        symbols = index['d']['syms'][f'digit_under_hood.{module}']
        for name in exports:
            if place := symbols.get(f'digit_under_hood.{module}.{name}'):
                path, _, anchor = place[0].partition('#')
                wanted.setdefault(path, []).append((anchor, name))
    assert sum(map(len, wanted.values())) > 30
    for path, places in wanted.items():
        for anchor, name in places:
            [heading] = [said for place, said in visits[path]['places'] if place == anchor]
            assert name in heading, f'{path}#{anchor}'
    page = reader('api.html')
    page.get_by_role('link', name='Built in chapter 02: l1_distance').click()
    page.wait_for_url('**/similarity.html#l1_distance')


def test_glossary_links_each_term_to_where_it_is_taught(reader):
    page = reader('glossary.html')
    terms = page.evaluate('''[...document.querySelectorAll("main h3")].map(h => {
        let links = 0
        let e = h
        while ((e = e.nextElementSibling) && !/^H[23]$/.test(e.tagName))
            links += e.querySelectorAll("a[href*='.html#']").length
        return [h.textContent, links] })''')
    assert len(terms) >= 60
    assert [term for term, links in terms if not links] == []
