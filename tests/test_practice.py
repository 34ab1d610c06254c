"A task that answers by itself, on the site: by keyboard, wrong, helped, right, and kept."
import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from browsing import opened
from fsrs import Card as FSRSCard
from fsrs import Rating, Scheduler
from playing import DARK_PHONE, for_everyone, predict
from test_guesses import REFUSE

from digit_under_hood.choose import markup
from digit_under_hood.practice import find_task, practice, task_names
from digit_under_hood.progress import import_progress, join_progress, note_try, read_progress
from digit_under_hood.review import Card as Asked
from digit_under_hood.review import due_cards, progress, review

NAME = 'similarity.colour_pile'
LETTERS = 'abcdefgh'
KEPT = 'JSON.parse(localStorage.getItem("digit-under-hood"))'


class Card:
    "The task `NAME` on its page"
    def __init__(self, page):
        self.page, self.task = page, find_task(NAME)
        self.box = page.locator('[data-explorable=choose]').filter(has_text=self.task.ask).first
        self.box.scroll_into_view_if_needed()
        self.radios, self.told = self.box.get_by_role('radio'), self.box.locator('.verdict')
        self.radios.first.wait_for()

    def choose(self, place: int):
        "Go to a choice with the arrow keys, and check it with Enter"
        self.radios.first.focus()
        self.page.keyboard.press('Space')
        for _ in range(place): self.page.keyboard.press('ArrowDown')
        self.page.keyboard.press('Enter')
        self.told.wait_for()
        return self.told.inner_text()

    def status(self): return self.box.get_by_role('status')


@pytest.fixture
def right() -> int: return find_task(NAME).judged()['right']


def test_wrong_helped_right_and_kept_by_keyboard(reader, right):
    page = reader('similarity.html')
    card, wrong = Card(page), (right + 1) % 4
    assert not card.told.is_visible()
    assert 'Not yet.' in card.choose(wrong)
    reason = page.evaluate('t => { const e = document.createElement("i"); e.innerHTML = t; '
                           'return e.textContent.trim() }',
                           markup(card.task.choices[wrong][1]))
    assert ' '.join(reason.split()) in ' '.join(card.told.inner_text().split())
    card.status().filter(has_text='Not yet.').wait_for(state='attached')
    hint, answer = card.box.get_by_text('Hint 1'), card.box.get_by_text('The answer', exact=True)
    assert not answer.is_visible()
    hint.focus()
    page.keyboard.press('Enter')
    card.box.get_by_text('What do you need to name one number').wait_for()
    card.box.get_by_text('Hint 2').wait_for()
    assert not answer.is_visible()   # only after the last hint
    assert 'Right.' in card.choose(right)
    known = page.evaluate(KEPT)['tasks'][NAME]
    assert (known['tries'], known['help'], known['said']) == (2, 1, right) and known['solved']
    page.reload()
    card = Card(page)
    card.told.wait_for()
    assert 'Right.' in card.told.inner_text() and card.radios.nth(right).is_checked()
    assert page.evaluate(KEPT)['tasks'][NAME] == known
    joined = join_progress(page.evaluate(KEPT), {'tasks': {}, 'cards': {}})
    assert joined['tasks'][NAME]['tries'] == 2


def test_a_number_wrong_helped_right_and_kept_by_keyboard(reader):
    page, task = reader('mnist_linear.html'), find_task('mnist_linear.opposite_model')
    box = page.locator('[data-explorable=choose]').filter(has_text=task.ask)
    box.scroll_into_view_if_needed()
    assert predict(box, 'many') == 'Write a number first.'
    assert 'Not yet.' in (told := predict(box, '0.2')) and task.wrong[.2] in told
    box.get_by_text('Hint 1').focus()
    page.keyboard.press('Enter')
    box.get_by_text(task.hints[0]).wait_for()
    assert 'Right.' in (told := predict(box, '80%')) and task.why in told
    known = page.evaluate(KEPT)['tasks'][task.id]
    assert (known['tries'], known['help'], known['said']) == (2, 1, .8) and known['solved']
    row = board(page).get_by_role('row', name='05a mnist_linear')
    assert '1 of ' in row.inner_text() and task.concept in row.inner_text()


def test_where_storage_is_refused_or_damaged_it_answers_all_the_same(reader, right):
    for spoil in (REFUSE, 'localStorage.setItem("digit-under-hood", "{broken")',
                  'localStorage.setItem("digit-under-hood", \'{"tasks": {"a": 3}, "cards": {}}\')'):
        page = reader()
        page.add_init_script(spoil)
        page.goto(page.url.replace('index.html', 'similarity.html'))
        assert 'Right.' in Card(page).choose(right)


def test_without_javascript_question_and_choices_are_there_and_no_answer(browser, site):
    with opened(browser, site, 'similarity.html', java_script_enabled=False) as page:
        task = find_task(NAME)
        text = page.locator('[data-explorable=choose]').first.inner_text()
        assert task.ask in text and '(100, 32, 32, 3)' in text and task.why not in text


def test_numbers_as_people_write_them(desk):
    read = desk.evaluate("""async () => {
        const {number, judge} = await import('./assets/explorables/choose.js')
        const task = {choices: [], value: .8, within: .005, wrong: [[.5, 'half']]}
        return [['.8', '0,8', '80%', ' 80 % ', '-3', 'x', '', '1e3'].map(number).map(String),
                [.8, .803, .5, .9, .1, NaN, null].map(n => judge(task, n))]
    }""")
    assert read[0] == ['0.8', '0.8', '0.8', '0.8', '-3', 'NaN', 'NaN', 'NaN']
    assert [one and one['right'] for one in read[1]] == [True]*2 + [False]*3 + [None]*2
    assert [one['says'] for one in read[1][2:5]] == ['half', 'It is less.', 'It is more.']


def test_do_tasks_fold_hints_and_answer(reader):
    page = reader('similarity.html')
    task = find_task('similarity.double_odds')
    part = page.get_by_role('region', name='Task: list comprehension')
    assert part.locator('details').count() == len(task.hints) + 1
    assert not part.get_by_text('def double_odds').first.is_visible()
    part.get_by_text('The answer', exact=True).click()
    part.get_by_text('says what becomes of each').wait_for()
    assert part.locator('pre').count() == len(task.marked('right'))
    assert 'Put your answer in place' not in page.locator('main').inner_text()


def test_the_file_of_the_site_is_that_of_the_notebooks(desk):
    sound = """async found => (await import('./assets/explorables/store.js')).sound(found)"""
    for found, good in (({'tasks': {}, 'cards': {}}, True), ({'tasks': {}}, False), ([], False),
                        ({'tasks': {'a': 1}, 'cards': {}}, False), (None, False)):
        assert desk.evaluate(sound, json.loads(json.dumps(found))) is good


# What is solved, and cards

SOLVED = {'at': '2026-01-02', 'solved': '2026-01-02'}
TRIED = {'tasks': {'similarity.rank_of': {'tries': 3, 'help': 1, **SOLVED},
                   'similarity.colour_pile': {'tries': 1, 'help': 0, **SOLVED},
                   'similarity.l1_and_rmse': {'tries': 2, 'help': 0, 'at': '2026-01-01'}},
         'cards': {}}
PUT = 'found => localStorage.setItem("digit-under-hood", JSON.stringify(found))'


def board(page):
    page.goto(page.url.rpartition('/')[0] + '/practice.html')
    part = page.locator('[data-explorable=review] .box')
    part.locator('tbody tr').first.wait_for()
    return part


def test_cards_are_scheduled_as_the_library_does(desk):
    "The same due dates on the site and in the notebooks, for 40 histories of reviews"
    rng, start = Random(3), datetime(2026, 1, 1, tzinfo=UTC)
    histories = [[(rng.randint(1, 4), rng.choice((0, .01, 1, 3, 10))) for _ in range(6)]
                 for _ in range(40)]
    scheduler, wanted = Scheduler(enable_fuzzing=False), []
    for history in histories:
        card, now, dues = FSRSCard(0), start, []
        for grade, days in history:
            card, _ = scheduler.review_card(card, Rating(grade), now)
            dues.append(card.due.timestamp())
            now = max(now, card.due) + timedelta(days=days)
        wanted.append(dues)
    found = desk.evaluate("""async histories => {
        const {graded} = await import('./assets/explorables/review.js')
        return histories.map(history => {
            let card = null, now = new Date('2026-01-01T00:00:00Z')
            return history.map(([grade, days]) => {
                card = graded(card, grade, now)
                const due = Date.parse(card.due)
                now = new Date(Math.max(now, due) + days*864e5)
                return due/1000
            })
        })
    }""", histories)
    agree = sum(abs(a - b) <= 86_400 for x, y in zip(found, wanted) for a, b in zip(x, y))
    assert agree >= .95*240


@pytest.fixture
def place(tmp_path, monkeypatch):
    "Where this test keeps what was solved"
    path = tmp_path/'progress.json'
    monkeypatch.setattr('digit_under_hood.progress.progress_path', lambda: path)
    return path


@pytest.mark.parametrize('part, note', [
    ('tasks', {'tries': None}), ('tasks', {'tries': 'two'}), ('tasks', {'help': None}),
    ('tasks', {'at': 5}), ('tasks', {'solved': None}), ('cards', {'due': 5}),
    ('cards', {'due': None}), ('cards', {'last_review': 5})], ids=str)
def test_a_record_of_other_things_is_put_aside_and_no_task_fails_of_it(part, note, place, tmp_path):
    record = {'tasks': {NAME: {'tries': 1, 'help': 0}}, 'cards': {NAME: {}}}
    record[part][NAME] = note
    (other := tmp_path/'other.json').write_text(json.dumps(record))
    with pytest.raises(ValueError, match='file: got .*, wants one of saved progress'):
        import_progress(other)
    place.write_text(json.dumps(record))
    with pytest.warns(UserWarning, match='was damaged'): practice(NAME).check('a')
    assert read_progress()['tasks'][NAME]['tries'] == 1
    assert due_cards() == [NAME] and review().task.id == NAME and progress().text


def test_a_record_with_holes_is_filled(place):
    place.write_text(json.dumps({'tasks': {NAME: {}}, 'cards': {NAME: {'due': 'some day'}}}))
    note_try(NAME, True, help=1)
    known = read_progress()['tasks'][NAME]
    assert (known['tries'], known['help'], 'solved' in known) == (1, 1, True)
    assert 'Comes back' in Asked(NAME).rate('good') and due_cards() == []


def test_records_join_as_in_the_notebooks(desk):
    other = {'tasks': {'similarity.rank_of': {'tries': 1, 'help': 9, 'at': '2026-02-01'},
                       'a.b': {'tries': 1, 'help': 0, 'at': '2026-01-01', 'solved': '2026-01-01'}},
             'cards': {'a.b': {'last_review': '2026-01-01'}}}
    join = """async pair => {
        const {joinProgress} = await import('./assets/explorables/review.js')
        return joinProgress(...pair)
    }"""
    for pair in ([TRIED, other], [other, TRIED], [TRIED, TRIED]):
        assert desk.evaluate(join, pair) == join_progress(*pair)


def test_progress_and_a_card_by_keyboard(reader):
    page = reader()
    page.evaluate(PUT, TRIED)
    part = board(page)
    row = part.get_by_role('row', name='02 similarity')
    count = sum(name.startswith('similarity.') for name in task_names())
    assert f'2 of {count}' in row.inner_text() and 'rank, distance' in row.inner_text()
    assert 'and 2 more' in part.inner_text()
    part.get_by_role('button', name='Show the answer').focus()
    page.keyboard.press('Enter')   # the first grade has the focus now
    part.get_by_role('button', name='Again').wait_for()
    for _ in range(3): page.keyboard.press('Tab')
    page.keyboard.press('Enter')   # easy
    part.get_by_text('comes back in').wait_for()
    assert 'and 1 more' in part.inner_text()
    kept = page.evaluate(KEPT)['cards']
    assert len(kept) == 1 and FSRSCard.from_dict(next(iter(kept.values()))).due > datetime.now(UTC)
    page.reload()
    assert 'and 1 more' in board(page).inner_text()


def test_saved_joined_and_forgotten(reader, tmp_path):
    page = reader()
    page.evaluate(PUT, TRIED)
    part = board(page)
    with page.expect_download() as got: part.get_by_role('button', name='Save as a file').click()
    got.value.save_as(saved := tmp_path/'progress.json')
    assert json.loads(saved.read_text()) == TRIED
    part.get_by_role('button', name='Forget all').click()
    assert page.evaluate(KEPT) == TRIED   # asks once more
    part.get_by_role('button', name='Really?').click()
    part.get_by_text('No card is due').wait_for()
    bad = tmp_path/'bad.json'
    bad.write_text('{"tasks": []}')
    for file, told in ((bad, 'no file of saved progress'), (saved, 'Joined with what was here')):
        with page.expect_file_chooser() as chooser:
            part.get_by_role('button', name='Join a file').click()
        chooser.value.set_files(file)
        part.get_by_text(told).wait_for()
    assert page.evaluate(KEPT) == TRIED


def test_board_for_everyone(reader):
    page = reader(**DARK_PHONE)
    page.evaluate(PUT, TRIED)
    board(page)
    for_everyone(page, 'review')
