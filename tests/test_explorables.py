"What holds for everything there is to play with, wherever a notebook has stored it."
import gzip
import re

import pytest
from playing import DARK_PHONE, MODULES, for_everyone, insert, page_of, shown, stored, use
from test_site import settle

from digit_under_hood.explorable import module_code

ALL = [pytest.param(*one, id=f'{one[0]}-{one[1][:3]}') for one in stored()]
KINDS = [pytest.param(name, notebook, id=name)   # the first of each
         for name, notebook in {n: b for n, b, _ in reversed(stored())}.items()]
FIRST = [pytest.param(*one, id=f'{one[0]}-{one[1][:3]}',   # these, and weekly all
                      marks=[] if one[:2] in [p.values for p in KINDS] else pytest.mark.long)
         for one in stored()]
KB = 1000


@pytest.mark.parametrize(('name', 'notebook', 'html'), ALL)
def test_weight(name, notebook, html):
    "An element with its picture, its data and all of its code"
    assert len(gzip.compress(html.encode())) <= 60*KB


@pytest.mark.parametrize(('name', 'notebook', 'html'), ALL)
def test_what_is_stored_is_one_module_of_today(name, notebook, html):
    code = module_code(name)
    assert not re.search(r'^import ', code, re.M) and code.count('export default') == 1
    names = re.findall(r'^(?:export )?(?:async )?(?:const|let|function|class) (\w+)', code, re.M)
    assert len(names) == len(set(names))
    assert 'http' not in code
    assert code.replace('export default', 'const explorable =') in html, 'run the notebook'


def test_every_module_is_used():
    shared = {'shared', 'models', 'plot', 'store', 'fsrs', 'review'}
    assert {path.stem for path in MODULES.glob('*.js')} - shared == {name for name, *_ in stored()}


@pytest.mark.parametrize(('name', 'notebook'), KINDS)
def test_for_everyone(reader, name, notebook):
    page = reader(page_of(notebook), **DARK_PHONE)
    page.locator(f'[data-explorable={name}]').first.scroll_into_view_if_needed()
    page.locator(f'[data-explorable={name}] .box').first.wait_for()
    for_everyone(page, name)


@pytest.mark.parametrize(('name', 'notebook', 'html'), FIRST)
def test_many_on_a_page_disturb_nobody(desk, name, notebook, html):
    "The inline form, twice, as if its cell were run again and again"
    before = set(desk.evaluate('Object.getOwnPropertyNames(window)'))
    for _ in range(5): insert(desk, html + html)
    first, second = (desk.locator('#again [data-explorable]').nth(n) for n in range(2))
    for each in first, second: each.locator('.box').wait_for()
    settle(desk)   # plots are laid out a little later
    assert shown(first) == shown(second)
    still = shown(first)
    assert use(desk, second) and shown(first) == still != shown(second)
    assert set(desk.evaluate('Object.getOwnPropertyNames(window)')) - before <= {'again'}


TOP = """() => { const {top} = document.querySelector('[data-explorable=bend]')
                    .getBoundingClientRect()
                return -5 < top && top < 200 }"""


def test_a_link_to_a_state_leads_to_where_it_is(reader, site):
    "All at once, past folded parts; whoever has read on and reloads stays where they are"
    page = reader('mlp.html')
    part = page.locator('[data-explorable=bend]')
    part.get_by_role('button', name='Copy link').click()
    link = page.url
    assert '#bend=' in link
    for options in {}, DARK_PHONE:
        page = reader(link.removeprefix(site), **options)
        page.wait_for_function(TOP)
        page.locator('[data-explorable=bend] .box').wait_for()
        settle(page)
        assert page.evaluate(TOP)
    page.evaluate('scrollTo({top: 300, behavior: "instant"})')
    page.reload()
    page.locator('[data-explorable=bend] .box').wait_for()
    settle(page)
    assert page.evaluate('scrollY') < 400


def test_a_link_that_names_a_section_too_leads_there(reader):
    page = reader('mlp.html#questions&bend=_')
    page.wait_for_function("""() => {
        const {top} = document.querySelector('#questions').getBoundingClientRect()
        return 0 <= top && top < 300 }""")
    for hash in '#nothing=1', '#bend"]=1', '#%', '#&=&':
        page = reader(f'mlp.html{hash}')
        settle(page)
        assert page.evaluate('scrollY') == 0
