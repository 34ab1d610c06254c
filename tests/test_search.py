"""Search and the glossary's filter as a reader meets them: in the built site, in a real browser.

`QUERIES` says what readers type and where they want to get: words of a heading, and where it
matters `@` the page.
"""
import gzip
import json
import re
import time
from pathlib import Path

import pytest
import yaml

from website.search import search_index

ROOT = Path(__file__).parents[1]
AXE = (ROOT/'tests'/'vendor'/'axe.min.js').read_text(encoding='utf-8')
PHONE = {'width': 390, 'height': 844}
INDEX = '**/search.json'
QUERIES = """
how is a grey image stored  | @pixels
white or black              | White is 0
colour image channels       | And colour
image_tensor                | image_tensor; image_tensor @api
train valid folders         | Why two folders
baseline                    | baseline @glossary; Begin with something simple
list comprehension          | list comprehension @glossary; All the images in one pile
rank vs shape               | Rank, shape, axis; rank @glossary
ideal 3                     | The ideal 3
mean absolute difference    | One number for how different; L1 distance @glossary
rmse_distance               | rmse_distance; rmse_distance @api
mse                         | MSE @glossary; mse; mse @api
jagged                      | Rows of unequal length
rules of broadcasting       | The rules, one at a time
what does (-1,-2) mean      | What (-1, -2) means
downgrading                 | It is not downgrading
brodcasting                 | broadcasting @glossary; @broadcasting
metric vs loss              | A metric, a loss, and a set kept apart; metric @glossary
confidence interval         | confidence interval @glossary; accuracy_interval
base rate                   | base rate @glossary; Five words first
bootstrap                   | bootstrap @glossary; By image or by writer
is_3                        | is_3; is_3 @api
fastbook                    | For readers of the book; @b_book
backprop                    | backward pass @glossary; Third way: autograd; autograd @glossary
seven steps                 | The seven steps
learning rate too high      | A rate too high; Learning rates
lerning rate                | learning rate @glossary; Learning rates
condition number            | condition number @glossary; Why it hardly moves
contour line                | A bowl from above
standardise the inputs      | standardise @glossary; Why it hardly moves
when to stop training       | When to stop
stochastic gradient descent | stochastic; SGD @glossary
unsqueeze(1)                | The trap that unsqueeze(1) avoids; unsqueeze @glossary
why accuracy is not a loss  | Why accuracy cannot be the loss
0.49 random weights         | What the first 0.49 means
threshold 0 or 0.5          | Zero or a half; The wrong threshold
zero the gradients          | zeroing the gradients @glossary; not zeroed; Gradients add up
minibatch                   | mini-batch @glossary; Mini-batches
mnist_loss                  | mnist_loss; mnist_loss @api
sigmoid twice               | The sigmoid applied twice
probability                 | probability @glossary; A score is not a probability
Learner.fit                 | Learner.fit @api
lr_find                     | Learner.lr_find @api; Which learning rate
callbacks                   | Callback; callback @glossary; Callback @api
plot_loss                   | Learner.plot_loss @api
train and eval mode         | mode @callbacks
gpu                         | Somewhere faster; ToDevice; ToDevice @api
fastai learner comparison   | The same weights as fastai
optimizer                   | optimiser @glossary; The optimiser
momentum                    | momentum @glossary; Momentum
save weights                | save_weights @api; save_weights
ReLU                        | ReLU @glossary; The bend
why 30 hidden units         | Why 30
universal approximation     | universal approximation @glossary; Any curve out of bends
resnet 18 layers            | Eighteen layers
confident mistakes          | confident_mistakes; confident_mistakes @api
dead relu                   | Dead units; dead unit @glossary; dead_units
overfitting                 | overfitting @glossary; Are eight epochs enough
log loss                    | cross-entropy @glossary; A loss that gives up
install                     | Start here @index; Run it for a class @teachers
how fast is it              | How fast @index; @how_fast
double lesson               | What fits into a lesson @teachers
restart kernel              | Reset @teachers
license                     | Licence @about; Licence @index
who wrote the digits        | Who wrote them
idx file format             | idx format @glossary; The file as it was published
labels wrong                | Are the labels right
softmax overflow            | @ten_digits; softmax @glossary
cross entropy gradient      | The gradient; cross_entropy_grad; cross_entropy_grad @api
hold out writers            | Whom to hold out; hold_out_writers; hold_out_writers @api
top 2 accuracy              | top_k_accuracy; top_k_accuracy @api
reliability diagram         | reliability; Does 0.9 keep its word; reliability @api
temperature                 | temperature @glossary; fit_temperature; fit_temperature @api
i don't know                | I don; coverage @glossary
ten classes                 | Ten digits; @ten_digits
adversarial training        | adversarial training @glossary; Train on fooled digits
dreams                      | @robustness
adversarial example         | adversarial example @glossary; One step
fgsm                        | fgsm; FGSM @glossary; fgsm @api
torchrun                    | torchrun @glossary; Real processes
amdahl                      | Amdahl @glossary
larger than memory          | More data than memory
killed process resume       | One of them dies; Checkpoint; Checkpoint @api
gradient descent            | gradient descent @glossary; The seven steps; The “stochastic” in SGD
loss function               | loss @glossary; One number for how wrong
windows                     | Start here @index; Run it for a class
resume training             | A fit that goes on; Learner.load
pickle                      | Never trust a pickle; @checkpoint
learning rate schedule      | schedule @glossary; @schedules
warm-up                     | one cycle @glossary; one_cycle @schedules; Up and down
half precision              | Another number format @schedules; autocast @glossary
cnn                         | convolution @glossary; A small network @convolution; @convolution
convolutional               | convolution @glossary; A small network @convolution; @convolution
max pooling                 | Pooling @convolution; pooling @glossary
receptive field             | receptive field @glossary; A small network @convolution
shifted digits              | Moved by three pixels @convolution; Shifts @convolution
ece                         | expected_calibration_error; calibration @glossary
png files                   | The same digits as a folder of files @a_files; Files against @a_files
assert equal                | Too kind @c_testing; test_eq @c_testing
widget                      | live_widget @d_explorable; An element @d_explorable
draw a digit                | A pad to draw on @e_drawing; drawing_pad @e_drawing; @index
import progress             | import_progress @f_progress; From one place to another @f_progress
my code raised an error     | Raised @g_outcomes
make a task                 | Tasks that answer @h_practice; A task is a class @h_practice
multiple choice             | One of several @i_choose; Choose @i_choose
flashcards                  | review @j_review; Card @j_review; @practice
spaced repetition           | review @j_review; When to be asked again @j_review; @practice
project checklist           | Projects with a checklist @k_projects; Project @k_projects
command line                | @l_command
pretrained model            | Models that are ready @m_trained; load_trained @m_trained
training report             | report @n_report; The page @n_report; What a training leaves behind
what have I solved          | What you have solved @practice; What is solved @j_review
grading                     | Grade @teachers
"""


ASK = '''async queries => {
    const field = document.querySelector("#query"), answers = []
    for (const query of queries) {
        field.value = query
        field.dispatchEvent(new Event("input"))
        await new Promise(done => setTimeout(done))
        answers.push([...document.querySelectorAll("[role=option]")].map(a =>
            [a.href.split("/").pop().split(".")[0], a.querySelector("strong").textContent]))
    }
    return answers }'''


def opened(page, text: str = 'digit', key: str = 'Control+k'):
    "The search field of `page`, once it has answered"
    field = page.get_by_role('combobox', name='Search the course')
    if not field.is_visible(): page.keyboard.press(key)
    field.fill(text)
    page.get_by_text(re.compile(r'^\d+ place|^Nothing found')).wait_for()
    return field


def ask(page, *queries: str) -> list[list[list[str]]]:
    "For each query the places found, the best first: page and heading"
    opened(page)
    return page.evaluate(ASK, queries)


def wanted(places: str, found: list[list[str]]) -> bool:
    "Is one of `places` among those found?"
    pairs = [part.split('@') for part in places.split(';')]
    return any(words.strip().lower() in heading.lower() and page == (where or [page])[0].strip()
               for words, *where in pairs for page, heading in found)


@pytest.fixture
def rows(site) -> list[list]:
    "The index that the site serves: page, its title, its entries"
    return json.loads((ROOT/'_docs'/'search.json').read_text(encoding='utf-8'))


# What is found

def test_what_readers_look_for_is_among_the_first_three(reader):
    asked = [line.split('|') for line in QUERIES.strip().splitlines()]
    answers = ask(reader(), *(query.strip() for query, _ in asked))
    found = {query: answer[:3] for (query, _), answer in zip(asked, answers, strict=True)}
    lost = [(query, found[query]) for query, places in asked if not wanted(places, found[query])]
    assert len(asked) >= 40 and len(lost) <= .05*len(asked), lost


def test_every_page_of_the_sidebar_is_wanted(rows):
    "By a query that names the page, or a heading that stands there alone (beside the reference)"
    config = yaml.safe_load((ROOT/'_quarto.yml').read_text(encoding='utf-8'))
    groups = config['website']['sidebar']['contents']
    files = [name for group in groups
             for name in (group['contents'] if isinstance(group, dict) else [group])]
    pages = {re.sub(r'^\d\d[a-z]?_', '', Path(name).stem) for name in files}
    headings = [(page.split('.')[0], heading) for page, _, entries in rows
                for _, _, heading, *_ in entries]
    asked = set()
    for place in '; '.join(line.split('|')[1] for line in QUERIES.split('\n') if line).split(';'):
        stands = {page for page, heading in headings if wanted(place, [[page, heading]])}
        assert stands, f'no such place: {place}'
        if '@' in place or len(stands := stands - {'api'}) == 1: asked |= stands
    assert len(pages) > 40 and pages <= asked, pages - asked


def test_a_heading_finds_its_section(reader, rows):
    headings = sorted({heading for _, _, entries in rows for _, kind, heading, *_ in entries
                       if kind in ('section', 'term', 'definition', 'api')})[::5]
    answers = ask(reader(), *headings)
    lost = [heading for heading, places in zip(headings, answers, strict=True)
            if heading not in [title for _, title in places[:3]]]
    assert len(headings) > 30 and len(lost) <= .05*len(headings), lost


def test_a_typo_a_swap_and_half_a_word_are_forgiven(reader):
    answers = ask(reader(), 'momentm', 'momentun', 'momnetum', 'momen')
    assert all('momentum' in places[0][1].lower() for places in answers), answers


def test_snippets_are_prose_around_the_words(reader):
    page = reader()
    opened(page, 'valley zigzags')
    snippet = page.get_by_role('option').first.locator('span').last
    assert snippet.locator('mark', has_text='zigzag').count() >= 1
    opened(page, 'mnist_loss')
    found = ' '.join(page.get_by_role('option').locator('span').all_inner_texts())
    assert 'loss' in found and not re.search(r'\bdef \w+\(|\bimport \w+\n|\): return', found)


def test_index_holds_whole_sections_and_stays_light(rows):
    by_kind: dict[str, list[str]] = {}
    for _, _, entries in rows:
        for _, kind, heading, *_ in entries: by_kind.setdefault(kind, []).append(heading)
    kinds = {'page', 'section', 'definition', 'api', 'method', 'term', 'row', 'end'}
    assert set(by_kind) == kinds
    pages = {path.name for path in (ROOT/'_docs').glob('*.html')}
    assert {row[0] for row in rows} == pages - {'404.html'}
    assert max(len(text) for _, _, entries in rows for *_, text, _ in entries) > 1600
    assert {'Learner.fit', 'Recorder.table'} <= set(by_kind['method'])
    weight = len(gzip.compress((ROOT/'_docs'/'search.json').read_bytes()))
    assert weight < 250_000, f'{weight} bytes'


def test_index_of_a_page():
    html = '''<main><h1>Top</h1><p class="promise">Once.</p><section class="part"><h2 id="a">A
      <a class="anchor" href="#a">#</a></h2><p>Prose &amp; more<sup>2</sup>.</p>
      <pre class="code"><code>class Box:\n    def open(self): prose = 3.14</code></pre>
      <table><thead><tr><th>what</th></tr></thead><tbody><tr><td>a long first cell</td><td>second
      </td></tr><tr><td>1</td><td>2</td></tr></tbody></table><p>After.</p></section>
      <section class="part turn"><h2 id="b">B</h2></section></main>'''
    [[name, title, entries]] = json.loads(search_index([('x.html', html)]))
    assert (name, title) == ('x.html', 'Top')
    assert entries == [
        ['', 'page', 'Top', 'Once.', ''],
        ['a', 'section', 'A', 'Prose & more2. what After.', 'Box.open class Box def open self'],
        ['a', 'row', 'A', 'a long first cell · second', ''],
        ['b', 'end', 'B', '', '']]


# Keyboard, screen reader, narrow screens

def test_search_lands_on_the_section(reader):
    page = reader()
    opened(page, 'rules one at a time', '/')
    section = page.get_by_role('option').first.locator('strong').inner_text()
    assert 'rules' in section
    page.keyboard.press('Enter')
    page.wait_for_url('**/broadcasting.html#*')
    heading = page.get_by_role('main').get_by_role('heading', name=section).first
    heading.wait_for()
    page.wait_for_function(      # a smooth scroll comes to rest near the top
        'h => { const {top} = h.getBoundingClientRect(); return 0 < top && top < 450 }',
        arg=heading.element_handle(), timeout=10_000)
    opened(page, 'zzzzqq')
    page.get_by_text('Nothing found').wait_for()
    page.keyboard.press('Escape')
    assert not page.get_by_role('dialog').is_visible()


def test_search_walks_with_the_keyboard(reader):
    page = reader()
    page.get_by_role('button', name='Search').click()
    opened(page, 'learning rate')
    field, options = page.get_by_role('combobox'), page.get_by_role('option')
    assert field.get_attribute('aria-expanded') == 'true'
    page.keyboard.press('ArrowDown')
    second = options.nth(1)
    assert second.get_attribute('aria-selected') == 'true'
    assert field.get_attribute('aria-activedescendant') == second.get_attribute('id')
    page.keyboard.press('ArrowUp')
    page.keyboard.press('ArrowUp')       # from the first to the last
    assert options.last.get_attribute('aria-selected') == 'true'
    page.keyboard.press('ArrowDown')
    page.keyboard.press('ArrowDown')
    address = second.evaluate('a => a.href')
    page.keyboard.press('Enter')
    page.wait_for_url(address)


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_dialog_and_filter_are_accessible_and_fit_a_phone(reader, site, scheme):
    page = reader('glossary.html', viewport=PHONE, color_scheme=scheme)
    page.get_by_role('searchbox', name='Show only terms with').fill('gradient')

    def wrong() -> list[str]:
        if page.evaluate('typeof axe') == 'undefined': page.evaluate(AXE)
        found = page.evaluate('axe.run(document, {resultTypes: ["violations"]})')['violations']
        return [rule['id'] for rule in found]

    assert wrong() == []
    page.get_by_role('button', name='Search').click()
    opened(page, 'learning rate')
    assert wrong() == []
    assert page.evaluate('document.documentElement.scrollWidth') <= 390
    box = page.get_by_role('dialog').bounding_box()
    assert box['x'] >= 0 and box['x'] + box['width'] <= 390


# Hostile input, and a net that fails

def test_index_is_fetched_once_and_only_when_search_is_opened(reader):
    page = reader()
    fetched = []
    page.on('request', lambda request: fetched.append(request.url.rsplit('/', 1)[1]))
    page.wait_for_load_state('networkidle')
    assert not {'search.json', 'minisearch.js'} & set(fetched)
    ask(page, 'loss', 'rate', 'tensor')
    assert (fetched.count('search.json'), fetched.count('minisearch.js')) == (1, 1)


@pytest.mark.parametrize('address', [INDEX, '**/minisearch.js*'])
def test_a_failed_fetch_is_said_and_tried_again(reader, address):
    page = reader('about.html')
    for fail, key in ((lambda route: route.abort(), None),
                      (lambda route: route.fulfill(status=503), 'Escape')):
        page.route(address, fail, times=1)
        page.reload()       # a page that is open may still ask past a route that is new
        page.keyboard.press('/')
        page.get_by_text('could not be read').wait_for()
        if key: page.keyboard.press(key)    # tried again by the next key, or when it is opened anew
        assert ask(page, 'sigmoid')[0][0][1].lower().endswith('sigmoid')


def test_hostile_queries_and_addresses_break_nothing(reader, site):
    "`reader` fails on any error of a script"
    page = reader('glossary.html#%')
    queries = ['<img src=x onerror="document.title=1">', 'a'*50_000, 'ab '*20_000, '(((', '\\', '%',
               '*', '.'*300, '\ud83d\ude00', '__proto__ constructor', 'the of and', 'sigmoid']
    start = time.monotonic()
    answers = ask(page, *queries)
    assert time.monotonic() - start < 60     # the worst of these once took minutes
    assert answers[-1][0][1] == 'sigmoid' and answers[-2] == answers[1] == []
    assert page.locator('dialog img').count() == 0 and page.title() != '1'
    for address in ('#%E0%A4%A', '#%00', '#<img src=x onerror=alert(1)>', '#"', '#'):
        page.evaluate('address => { location.hash = address }', address)
        page.goto(f'{site}glossary.html{address}')
    assert ask(page, 'momentum')[0][0][1] == 'momentum'


# The glossary's filter

def test_glossary_filter_leaves_what_fits(reader):
    page = reader('glossary.html')
    terms = page.get_by_role('main').get_by_role('heading', level=3)
    letters = page.get_by_role('main').get_by_role('heading', level=2)
    every, groups = terms.count(), letters.count()
    field, status = page.get_by_role('searchbox'), page.locator('.filter [role=status]')
    assert status.inner_text() == f'{every} terms'
    field.fill('Condition NUMBER')
    assert [text.rstrip('#') for text in terms.all_inner_texts()] == ['condition number']
    assert letters.count() == 1 and status.inner_text() == f'1 of {every} terms'
    field.fill('zzzz')
    assert terms.count() == letters.count() == 0 and 'No term' in status.inner_text()
    page.keyboard.press('Enter')         # the form goes nowhere
    field.fill('')
    assert (terms.count(), letters.count()) == (every, groups)


def test_a_link_to_a_term_that_is_filtered_out_shows_it(reader, site):
    page = reader('glossary.html#tensor')
    terms = page.get_by_role('main').get_by_role('heading', level=3)
    every = terms.count()
    field = page.get_by_role('searchbox')
    field.fill('momentum')
    page.evaluate('location.hash = "#batch-size"')
    page.get_by_role('heading', name='batch size').wait_for()
    assert terms.count() == every and field.input_value() == ''
    field.fill('momentum')
    page.get_by_role('link', name='A to C').locator('visible=true').click()
    page.get_by_role('heading', name='accuracy', exact=False).first.wait_for()
    assert terms.count() == every


def test_glossary_without_javascript_has_no_filter(reader):
    page = reader('glossary.html', java_script_enabled=False)
    assert page.get_by_role('searchbox').locator('visible=true').count() == 0
    assert page.get_by_role('main').get_by_role('heading', level=3).count() >= 60
