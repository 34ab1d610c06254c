"Guesses on the site: what comes out stays folded until the reader has answered or asks to see."
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, SoupStrainer
from test_site import AXE, PHONE, coloured, serious

ROOT = Path(__file__).parents[1]
PAGE, CARDS = 'pixels.html', 5   # a chapter with at least so many guesses
REFUSE = '''Object.defineProperty(window, "localStorage", {get() { throw new Error("refused") }})
    Object.defineProperty(window, "sessionStorage", {get() { throw new Error("refused") }})'''


class Card:
    "The guess at place `n` of a page"
    def __init__(self, page, n: int = 0):
        self.all = page.get_by_role('group', name='Guess').nth(n)
        self.field, self.answer = self.all.get_by_label('Your guess'), self.all.locator('.answer')
        self.show = self.all.get_by_role('button', name='Show what comes out')
        self.fold = self.all.get_by_role('button', name='Fold it again')
        self.told = self.all.get_by_role('status')

    def shown(self) -> bool: return self.answer.locator('.cell').first.is_visible()


def focused(place) -> bool: return place.evaluate('e => e === document.activeElement')


def test_every_answer_is_in_the_page_and_folded(built):
    "Something to see in each, its question above it; the chapters have dozens"
    found = 0
    for path in (ROOT/'_docs').glob('*.html'):
        text = re.sub('<svg.*?</svg>', '', path.read_text(encoding='utf-8'), flags=re.S)
        page = BeautifulSoup(text, 'html.parser', parse_only=SoupStrainer(class_='guess'))
        for card in page.select('.guess'):
            found += 1
            answer = card.select_one('.answer')
            assert not answer.has_attr('open') and answer.select('.output, pre'), path.name
            assert len(card.find('p').get_text()) > 20, path.name
            assert not card.select('h2')
    assert found > 50


def test_answer_by_keyboard_is_kept_beside_what_comes_out(reader):
    page = reader(PAGE)
    card, other = Card(page), Card(page, 1)
    assert page.locator('.guess').count() >= CARDS
    assert not card.shown() and card.show.get_attribute('aria-expanded') == 'false'
    card.field.focus()
    page.keyboard.type('12.png <b>')
    page.keyboard.press('Enter')
    card.told.get_by_text('12.png <b>', exact=True).wait_for()
    assert card.shown() and not card.field.is_visible() and not other.shown()
    assert focused(card.fold) and card.fold.get_attribute('aria-expanded') == 'true'
    other.field.fill('not yet asked')
    page.reload()
    assert card.shown() and card.told.inner_text().startswith('You guessed 12.png <b>')
    assert not other.shown() and other.field.input_value() == 'not yet asked'
    card.fold.focus()
    page.keyboard.press('Space')
    card.field.wait_for()
    assert not card.shown() and focused(card.field) and card.told.inner_text() == ''
    assert card.field.input_value() == '12.png <b>'
    other.field.fill('')
    other.show.click()   # nothing guessed, only asked
    other.fold.wait_for()
    assert other.shown() and other.told.inner_text() == 'This comes out:'
    page.reload()
    assert other.shown() and not card.shown()


def test_where_storage_is_refused_a_guess_holds_for_the_page(reader):
    page = reader()
    page.add_init_script(REFUSE)
    page.goto(page.url.replace('index.html', PAGE))
    card = Card(page)
    card.field.fill('10')
    card.show.click()
    card.told.get_by_text('10', exact=True).wait_for()
    assert card.shown()


def test_without_javascript_a_guess_is_a_line_that_opens(reader):
    page = reader(PAGE, java_script_enabled=False)
    card = Card(page)
    assert not card.shown() and not card.field.is_visible()
    card.all.locator('summary', has_text='Show what comes out').click()
    assert card.shown()


def test_links_and_searches_open_the_answer_that_they_lead_to(reader, site):
    page = reader(PAGE)
    cards = [Card(page, n) for n in range(3)]
    page.evaluate('''() => {
        document.querySelectorAll(".answer")[0].querySelector(".output").id = "inside"
        location.hash = "inside" }''')
    cards[0].told.get_by_text('This comes out:').wait_for()
    assert cards[0].shown() and not cards[1].shown()
    page.goto(site)   # the browser's own search for words
    page.goto(f'{site}{PAGE}#:~:text=its%20largest%20number%20is%20black')
    cards[2].told.get_by_text('This comes out:').wait_for()
    assert cards[2].shown() and not cards[1].shown()


@pytest.mark.parametrize('start', ['index.html', PAGE])
def test_a_place_that_search_found_only_in_an_answer_is_open(reader, start):
    page = reader(start)
    page.keyboard.press('/')
    page.get_by_role('combobox').fill('lights not paints')
    page.get_by_role('option', name='And colour?').first.click()
    page.wait_for_url(f'**/{PAGE}#and-colour*')
    page.locator('.answer').get_by_text('these are lights, not paints').wait_for()
    assert page.locator('.answer[open]').count() == 1
    page.keyboard.press('/')
    page.get_by_role('combobox').fill('uint8 byte fits')   # its section says so in the open
    page.get_by_role('option', name='What fits into a byte').first.click()
    page.wait_for_url(f'**/{PAGE}#what-fits*')
    assert page.locator('.answer[open]').count() == 1


def test_cards_are_accessible_fit_a_phone_and_are_open_on_paper(reader):
    page = reader(PAGE, viewport=PHONE, reduced_motion='reduce')
    page.evaluate(AXE)
    for scheme in ('light', 'dark'):
        coloured(page, scheme)
        assert serious(page) == [], scheme
    for card in page.locator('.guess').all():
        box = card.locator('.asks').bounding_box()
        assert box['x'] >= 0 and box['x'] + box['width'] <= 390
    page.emulate_media(media='print')
    answers = page.locator('.answer')
    assert all(a.locator(':scope > :not(summary)').first.is_visible() for a in answers.all())
    for part in ('.asks input', '.asks button', '.answer > summary'):
        assert not page.locator(part).locator('visible=true').count()
