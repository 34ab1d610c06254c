"How pages are made: what is folded, links, pictures, maths, the reference, what the checks find."
import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from digit_under_hood.lab.roles import plumbing
from website import api, art, build, groups, markdown
from website.check import check
from website.examples import examples
from website.page import Page
from website.signatures import Module, rows

ROOT = Path(__file__).parents[1]
SITE = dict(base='https://there.example/course/', git='https://code.example/course',
            branch='main', lib='digit_under_hood')
make = nbformat.v4


def paged(folder: Path, *parts, name: str = '03_C', **site) -> Page:
    "The page of a notebook with these cells below its title: Markdown, or code with its outputs"
    (folder/'nbs').mkdir(exist_ok=True)
    book = [make.new_code_cell(part[0], outputs=[make.new_output(**out) for out in part[1:]])
            if isinstance(part, tuple) else make.new_markdown_cell(part)
            for part in ('# A `title`\n\n> A promise.', *parts)]
    nbformat.write(make.new_notebook(cells=book), folder/'nbs'/f'{name}.ipynb')
    return Page(folder/'nbs'/f'{name}.ipynb', SITE | dict(nbs=folder/'nbs') | site)


def shown(data: dict) -> dict: return dict(output_type='display_data', data=data)


def squeezed(text: str) -> str: return re.sub(r'\s', '', text)


def soup(html: str) -> BeautifulSoup: return BeautifulSoup(html, 'html.parser')


# Cells

@pytest.mark.parametrize('code, name', {
    'import torch\nfrom pathlib import Path': 'Imports',
    'from torch import nn\nplt.style.use("digit_under_hood.course")': 'Set-up',
    'test_eq(a, 1)': '1 check',
    'test_close(a, 1)\nassert b': '2 checks',
    'a = f(1)\ntest_eq(a, 1)\ntest_eq(a + 1, 2)': '2 checks',
    'a = f(1)\nb = f(a)\ntest_eq(a, b)': None,        # more to read than to check
    'test_eq(a, 1)\ntest_fail(lambda: a/0)': None,     # a mistake on purpose teaches
    'fig, ax = plt.subplots()\nax.plot(x)\nax.set(a=1)\nax.legend()\nplt.show()':
        'How this is drawn',
    'ax = plt.gca()\nax.plot(x)': None,   # short enough to read
    'a = torch.zeros(3)\na': None,
    '%timeit f(x)': None,
    '# nothing': None}.items())
def test_plumbing_has_a_name_and_teaching_has_none(code, name):
    assert plumbing(code) == name


def row_of(page) -> list[tuple]:
    "The rows of a page: what each is called, and its code line by line"
    return [(d.summary.get_text(), d.pre.get_text().split('\n'))
            for d in soup(page.text).select('details.fold')]


def test_checks_of_a_section_are_one_row_at_its_end(tmp_path):
    page = paged(tmp_path, '## One', ('a = 1',), ('assert 0\nassert a',), ('a',), ('assert 1',),
                 'Text.\n\n### Still one', ('test_eq(a, 1)',), '## Two', ('assert 2',))
    assert row_of(page) == [
        ('4 checks passed', ['assert 0', 'assert a', 'assert 1', 'test_eq(a, 1)']),
        ('1 check passed', ['assert 2'])]
    order = [tag.get('id') or tag.get_text() for tag in soup(page.text).select('h2, h3, summary')]
    assert order == ['one', 'still-one', '4 checks passed', 'two', '1 check passed']


def test_a_check_with_something_to_see_stays(tmp_path):
    page = paged(tmp_path, ('assert 1', dict(output_type='stream', text='seen')), ('1',))
    assert [tag.name for tag in soup(page.text).select('details, .output')] == ['details', 'div']


def test_imports_and_set_up_side_by_side_are_one_row(tmp_path):
    page = paged(tmp_path, ('#| echo: true\nimport io',), ('import a',), ('import b',),
                 ('plt.style.use("c")',), ('from d import e',), 'Text.', ('import f',), ('f()',))
    assert row_of(page) == [('Imports and set-up', ['import a', 'import b', 'plt.style.use("c")',
                                                    'from d import e']), ('Imports', ['import f'])]


# Guesses

def card_of(page):
    "The parts of the one card of a page: what asks and the code, then what is folded"
    card, = soup(page.text).select('.guess')
    told = [squeezed(part.get_text()) for part in (card, card.details)]
    form = squeezed(card.form.get_text())
    before, after = told[0].removesuffix(told[1]).split(form)
    assert after == ''
    return before, told[1].removeprefix(squeezed(groups.ASK))


ASKED = '## Sums\n\nNumbers can be added.\n\n**Guess:** how much?'
SUM = ('1 + 2', dict(output_type='execute_result', data={'text/plain': '3'}))


def test_a_guess_folds_what_comes_out_and_what_is_said_of_it(tmp_path):
    page = paged(tmp_path, ASKED, ('x = 1',), 'Wait.', SUM, ('assert x',), ('x + 1', SUM[1]),
                 'It is three.\n\nReally.\n\n### More\n\nText.')
    assert card_of(page) == ('Guess:howmuch?x=1Wait.1+2', '3x+13Itisthree.Really.')
    main = soup(page.text)
    assert [tag.get_text() for tag in main.select('.guess ~ p')] == ['Text.']
    assert main.select_one('h2 + p').get_text() == 'Numbers can be added.'
    assert main.select_one('.guess')['id'] == main.select_one('.guess .answer')['id'][:-7]
    field, button = main.select_one('.asks input'), main.select_one('.asks button')
    assert main.select_one('.asks label')['for'] == field['id'] and not button.has_attr('type')
    assert button['aria-controls'] == main.select_one('.answer')['id']


def test_what_leads_on_from_a_comment_is_for_all(tmp_path):
    page = paged(tmp_path, ASKED, SUM, 'Three.\n\nReally.\n\nNow add:', SUM)
    assert card_of(page)[1] == '3Three.Really.'
    assert soup(page.text).select('.guess ~ p')[0].get_text() == 'Now add:'


@pytest.mark.parametrize('answer', [
    ("test_fail(lambda: 1/0, contains='zero')",),               # the code says it
    ('fig, ax = plt.subplots()\nax.plot(x)\nax.set(a=1)\nax.legend()\nplt.show()', SUM[1]),
    ('#| echo: false\ndraw()', SUM[1])])
def test_a_guess_folds_code_that_answers_or_is_plumbing(tmp_path, answer):
    before, folded = card_of(paged(tmp_path, ASKED, answer, '## End'))
    assert before == 'Guess:howmuch?' and folded


def test_one_guess_after_another_and_one_without_an_answer(tmp_path):
    page = paged(tmp_path, '**Guess:** a?', SUM, 'Three.\n\n**Guess:** b?', SUM, '**Guess:** c?',
                 '## End\n\n```\nguess = 1\n\nguess = 2\n```', SUM)
    first, second = soup(page.text).select('.guess')
    assert first['id'] != second['id']
    said = [squeezed(card.details.get_text()).removeprefix(squeezed(groups.ASK))
            for card in (first, second)]
    assert said == ['3Three.', '3'] and 'b?' in second.p.get_text()
    assert [p.get_text() for p in soup(page.text).select('p')][-1] == 'Guess: c?'


def test_a_heading_after_the_question_stays_outside_the_card(tmp_path):
    page = paged(tmp_path, '## Two ways\n\nPredict each.\n\n### First\n\nIt is so.', SUM)
    assert card_of(page) == ('Itisso.1+2', '3')
    assert not soup(page.text).select('.guess h2, .guess h3')


def test_authors_have_the_last_word_on_how_code_is_shown(tmp_path):
    text = dict(output_type='stream', text='printed')
    page = paged(
        tmp_path, ('import torch',), ('#| code-fold: false\nimport sys',),
        ('#| code-fold: show\n#| code-summary: "It: this"\na = 1',),
        ('#| echo: false\nb = 1', text), ('#| include: false\nc = 1', text),
        ('#| output: false\nd = 1', text), ('#| hide\ne = 1', text),
        ('#| eval: false\nf = 1',), ('#| code-fold: true\ng = 1',))
    folds = [(d.summary.get_text(), d.pre.get_text(), d.has_attr('open'))
             for d in soup(page.text).select('details.fold')]
    assert folds == [('Imports', 'import torch', False), ('It: this', 'a = 1', True),
                     ('Code', 'g = 1', False)]
    code = [pre.get_text() for pre in soup(page.text).select('.cell > pre.code')]
    assert code == ['import sys', 'd = 1', 'f = 1']
    assert [pre.get_text() for pre in soup(page.text).select('pre.printed')] == ['printed']


def test_outputs_take_their_best_form_and_what_needs_a_kernel_none(tmp_path):
    page = paged(tmp_path, ('f()',
        shown({'application/vnd.jupyter.widget-view+json': {}, 'text/plain': 'interactive('}),
        shown({'application/javascript': 'f()', 'text/plain': '<Javascript>'}),
        shown({'text/html': '<style scoped>b {}</style><b>rich</b>', 'text/plain': 'poor'}),
        shown({'text/markdown': '*said*', 'text/plain': 'poor'}),
        dict(output_type='error', ename='ValueError', evalue='x < 1', traceback=[]),
        dict(output_type='stream', text='\x1b[31mred\x1b[0m & <b>')))
    found = [box.decode_contents().strip() for box in soup(page.text).select('.output')]
    assert found == ['<b>rich</b>', '<p><em>said</em></p>',
                     '<pre class="printed"><code>ValueError: x &lt; 1</code></pre>',
                     '<pre class="printed"><code>red &amp; &lt;b&gt;</code></pre>']


def test_exported_names_stand_above_their_code_once_and_in_its_order(tmp_path):
    page = paged(tmp_path, ('#| default_exp made',), '## Learner', ('#| export\nimport torch',),
                 ('#| exports\nclass Learner: "Learn"\nclass Again(Learner): 0\ndef _no(): 0',),
                 ('Again()',))
    main = soup(page.text)
    order = [tag.get('id') or tag.get_text()[:13] for tag in main.select('.exported, pre')]
    assert order == ['learner', 'again', 'class Learner', 'Again()']
    assert main.h2['id'] == 'learner-section' and page.builds == 'made'
    assert not main.find('pre', string=lambda text: text and 'args' in text)
    assert 'import torch' not in page.text


# Markdown

def test_links_and_headings(tmp_path):
    (tmp_path/'LICENSE').touch()
    (tmp_path/'nbs').mkdir()
    (tmp_path/'nbs'/'a.png').write_bytes(b'picture')
    page = paged(tmp_path, '## [`zed`](https://there.example/course/x.html#f) is 2.5 *good*!\n'
                 '### Again\n\n### Again\n\n[t](../LICENSE), [g](../gone), [n](02_b_c.ipynb#x), '
                 '[q](q.qmd), [h](#here), [f](https://there.example/course/x.html#f), ![a b](a.png)'
                 '\n```\n# f\n```')
    main = soup(page.text)
    assert [h['id'] for h in main.select('h2, h3')] == ['zed-is-2.5-good', 'again', 'again-1']
    assert main.h2.code and main.select_one('h2 > a')['aria-label'] == 'Link to zed is 2.5 good!'
    assert [a['href'] for a in main.select('p a')] == [
        'https://code.example/course/blob/main/LICENSE', '../gone', 'b_c.html#x', 'q.html',
        '#here', 'x.html#f']
    assert page.files == {'a.png': b'picture'} and main.img['alt'] == 'a b'
    assert main.select_one('pre.code').get_text() == '# f'


def test_maths_is_mathml_and_a_full_stop_stays_with_it(tmp_path):
    page = paged(tmp_path, r'So $\frac{a}{b}$, it costs 3$ or 4$ and $$x = \begin{aligned} a &= b '
                 r'\\ c &= d \end{aligned}$$' '\n\n$$\ny\n$$\n\n`$z$`')
    main = soup(page.text)
    inline, double, block = main.select('.maths')
    assert inline.math.mfrac and inline.get_text().endswith(',')
    assert double.math['display'] == 'block' and len(double.select('mtr')) == 2
    assert block['class'] == ['maths', 'display'] and '3$ or 4$' in page.text
    assert main.select_one('p > code').get_text() == '$z$'


def test_code_has_the_colours_of_the_stylesheet_and_loses_nothing():
    code = '@d\ndef f(x:int=3)->str: # why\n    return f"{x!r} <b>" if None in self else len(x)'
    main = soup(f'<pre>{markdown.coloured(code)}</pre>')
    assert main.get_text() == code
    kinds = {kind: [span.get_text() for span in main.select(f'.{kind}')]
             for kind in ('kw', 'fu', 'st', 'dv', 'co')}
    assert kinds['kw'] == ['def', 'return', 'if', 'in', 'else'] and kinds['dv'] == ['3', 'None']
    assert kinds['fu'] == ['@d', 'f', 'int', 'str', 'len'] and kinds['co'] == ['# why']


def test_what_is_known_of_a_notebook(tmp_path):
    page = paged(tmp_path, 'More of [it](02_b.ipynb).', ('#| default_exp made',),
                 ('from digit_under_hood.data import load_digits',), '## One\n\na\n\n### Two\n\nb',
                 '## Your turn\n\nc', '[Next: the end](04_d.ipynb)')
    assert (page.title, page.plain) == ('A <code>title</code>', 'A title')
    assert page.promise == 'A promise.'
    assert (page.page, page.number, page.notebook) == ('c.html', '03', '03_C.ipynb')
    assert (page.minutes, page.builds, page.needs) == (1, 'made', ['data', '02_b.ipynb'])
    assert [(s.id, s.level, s.heading) for s in page.contents] == [
        ('one', 2, 'One'), ('your-turn', 2, 'Your turn')]
    parts = soup(page.body).select('section')
    assert [part['class'] for part in parts] == [['part'], ['part', 'turn']]
    assert parts[0].select('h2, h3') and 'the end' not in page.text


# Pictures and tables

def test_pictures_get_files_sizes_and_half_the_bytes(tmp_path):
    noise = np.random.default_rng(0).integers(0, 60, (90, 150, 4), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, 'PNG', dpi=(144, 144))
    png = base64.b64encode(stream.getvalue()).decode()
    page = paged(tmp_path, ('#| fig-alt: "Noise: grey"\n#| fig-cap: "Only *noise*"\ndraw()',
                            shown({'image/png': png, 'text/plain': '<Figure>'})))
    figure = soup(page.text).select_one('.output > figure.plot')
    assert figure.img.attrs == dict(src='figures/c-0.webp', alt='Noise: grey', width='100',
                                    height='60')
    assert figure.figcaption.decode_contents() == 'Only <em>noise</em>'
    content = page.files['figures/c-0.webp']
    same = np.asarray(Image.open(io.BytesIO(content)))
    seen = noise[..., 3] > 0   # the colour of what cannot be seen may be lost
    assert np.array_equal(same[seen], noise[seen]) and len(content) < len(stream.getvalue())


def test_drawings_stand_in_the_page_and_keep_to_themselves(tmp_path):
    import matplotlib
    matplotlib.use('svg')
    import matplotlib.pyplot as plt
    with plt.rc_context({'svg.fonttype': 'none'}):
        fig, ax = plt.subplots(figsize=(3, 2))
        ax.plot([1, 2], label='a line')
        fig.savefig(stream := io.StringIO(), format='svg')
    plt.close(fig)
    cell = ('#| fig-alt: "A line <up>"\ndraw()', shown({'image/svg+xml': stream.getvalue()}))
    main = soup(paged(tmp_path, cell, cell).text)
    one, two = main.select('figure.plot > svg')
    assert one['role'] == 'img' and one['aria-label'] == 'A line <up>'
    assert one['width'] == '288' and not one.has_attr('height') and one['viewbox']
    ids = [tag['id'] for tag in main.select('svg [id]')]
    assert len(ids) > 20 and len(set(ids)) == len(ids)
    used = [use['xlink:href'] for use in main.select('svg use')]
    assert used and {href[1:] for href in used} <= set(ids)
    assert main.select('svg text') and not main.select('svg style, svg metadata')


def test_tables_scroll_and_name_their_columns(tmp_path):
    page = paged(tmp_path, '| | b |\n|---|---|\n| 1 | *2* |', ('f()', shown({'text/html':
        '<table border="1" class="x"><caption>Of <b>it</b></caption><thead><tr><th>&nbsp;</th>'
        '<th class="c">d</th></tr></thead><tr><th>e</th></tr></table>'})))
    first, second = soup(page.text).select('div.scroll[tabindex="0"][role=region] > table')
    assert first.select_one('thead td') and first.select_one('th[scope=col]').get_text() == 'b'
    assert first.parent['aria-label'] == 'Table 1' and second.parent['aria-label'] == 'Of it'
    assert second.attrs == {'class': ['x']} and second.select_one('th.c')['scope'] == 'col'
    assert second.select('th')[-1].attrs == {}


def test_road(tmp_path):
    page = paged(tmp_path, '| chapter | you can |\n|---|---|\n| [03 See](03_C.ipynb) | read *it* |')
    item = soup(build.road(page.text, [page])).select_one('ol.road > li')
    assert item.a.get_text() == 'See' and item.a['href'] == 'c.html' and item.select_one('p em')
    assert len(item.select('.d0, .d3')) == 2 and item.select_one('.minutes').get_text() == '1 min'
    assert build.road(page.text, []) == page.text


# Checking

GOOD = '<html><head><title>t</title></head><body><h1>Title</h1><p id="here">{}</p></body></html>'
FAULTS = {
    '<a href="gone.html">x</a>': 'broken link: gone.html',
    '<a href="#gone">x</a>': 'broken link: #gone',
    '<a href="page.html#gone">x</a>': 'broken link: page.html#gone',
    '<a href="./page.html#gone">x</a>': 'broken link: ./page.html#gone',
    '<b id="here">x</b>': 'two elements with the id here',
    '<a href="/page.html">x</a>': 'broken link: /page.html',
    '<a href="../page.html">x</a>': 'broken link: ../page.html',
    '<img src="gone.png" alt="a">': 'missing image: gone.png',
    '<img src="page.html">': 'without alt text',
    '<main><svg></svg></main>': 'drawing without a name',
    '<h2 id="a">a</h2><h2 id="a">b</h2>': 'two elements with the id a',
    '::: {.note}': 'raw markup',
    'see @fig-loss': 'raw markup',
    'so $$x^2$$': 'raw markup',
    r'\begin{align} x': 'raw markup',
    '## Slope {#slope}': 'raw markup',
    '#| echo: false': 'raw markup',
    '<script src="https://cdn.example/x.js"></script>': 'fetched from elsewhere',
    '<img src="//cdn.example/x.png" alt="x">': 'fetched from elsewhere',
    '<link rel="stylesheet" href="https://fonts.example/css">': 'fetched from elsewhere',
    '<style>@import url(https://fonts.example/css);</style>': 'fetched from elsewhere',
    '<b style="background: url(//cdn.example/x.png)">x</b>': 'fetched from elsewhere',
    '<script type="module">import "https://cdn.example/x.js"</script>': 'fetched from elsewhere',
    '<iframe src="https://www.example"></iframe>': 'fetched from elsewhere',
}


@pytest.mark.parametrize('fault', FAULTS)
def test_check_finds(fault, tmp_path):
    (tmp_path/'page.html').write_text(GOOD.format(fault), encoding='utf-8')
    wrong = check(tmp_path)
    assert len(wrong) == 1 and wrong[0].startswith('page.html: ') and FAULTS[fault] in wrong[0]


def test_page_for_what_is_missing_has_links_that_hold_at_any_depth(tmp_path):
    (tmp_path/'404.html').write_text(GOOD.format('<a href="/c/404.html#here">a</a>'))
    assert check(tmp_path, '/c/') == []
    (tmp_path/'404.html').write_text(GOOD.format('<a href="/c/gone.html">a</a>'))
    assert check(tmp_path, '/c/') == ['404.html: broken link: /c/gone.html']


def test_check_passes_what_is_fine(tmp_path):
    page = tmp_path/'page.html'
    page.write_text(GOOD.format('<a href="#here">a</a> <a href="https://www.example">b</a> for $3 '
                                '<code>$$</code> <pre>::: @fig-x</pre>'), encoding='utf-8')
    assert check(tmp_path) == []
    page.write_text(GOOD.format('x').replace('Title', ' '), encoding='utf-8')
    assert check(tmp_path) == ['page.html: page without a title']
    page.unlink()
    (tmp_path/'a.css').write_text('b { background: url(gone.png) } '
                                  '@import "https://fonts.example/css";')
    assert check(tmp_path) == ['a.css: fetched from elsewhere: https://fonts.example/css',
                                    'a.css: missing file: gone.png']


CONFIG = '''project: {type: website}
website: {sidebar: {contents: [index.ipynb, 00_x.ipynb, api.qmd]}}
'''


def small_project(root: Path, home: str, chapter: str) -> None:
    "A project of two notebooks at `root`"
    (root/'nbs').mkdir()
    (root/'digit_under_hood').mkdir()
    (root/'settings.ini').write_bytes((ROOT/'settings.ini').read_bytes())
    (root/'_quarto.yml').write_text(CONFIG)
    for name, text in {'index': home, '00_x': chapter}.items():
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
        nbformat.write(book, root/'nbs'/f'{name}.ipynb')


def built(root: Path) -> subprocess.CompletedProcess:
    "Run the real command in the project at `root`"
    command = [sys.executable, '-m', 'website', 'build']
    path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
    return subprocess.run(command, cwd=root, capture_output=True, text=True,
                          env=os.environ | {'PYTHONPATH': path})


@pytest.mark.long
def test_build_fails_with_the_list_of_faults(tmp_path):
    small_project(tmp_path, '[gone](99_gone.ipynb)', 'No heading, @fig-x.')
    (tmp_path/'nbs'/'extra.qmd').write_text('No front matter here.\n')
    done = built(tmp_path)
    assert done.returncode == 1
    for fault in ('extra.qmd: page without a title', '00_x.ipynb: page without a title',
                  'raw markup in the text: No heading, @fig-x.',
                  'index.html: broken link: gone.html',
                  'extra.qmd: not in the sidebar of _quarto.yml'):
        assert fault in done.stderr, done.stdout + done.stderr


# Reference and pictures

MODULE = '''
"A module."
__all__ = ['LIMIT', 'f', 'C', 'D', 'P']
LIMIT = 3 # how many
def f(
    a:int, # the first
    b=1e-6, *rest, # the rest
    key:str|None='k', # a `key`
)->float: # a number
    "Do it with `a`"
class C(Base):
    "A thing"
    kind:int = 0
    def __init__(self, n:int, *, fast=True): ... # n is not documented here
    def run(self, fast=True):
        "Run it"
        return fast
    def before_all(self): "Nothing is done here"
    @staticmethod
    def of(x): "Make one"
    def _hidden(self): pass
class D(C):
    "Another"
    def more(self): "Do more"
class P(NamedTuple):
    "A pair"
    left:int       # the one
    right:int = 2  # the other
'''
CELLS = [('#| export\nLIMIT = 3',), ('x = 1\ny = LIMIT\nx + y', dict(
            output_type='execute_result', data={'text/plain': '4'})),
         ('#| exports\ndef f(): 0',), ('#| hide\nf()',), ('test_eq(f(1), 2)',),
         ('b = 0\n' + 'b += 1\n'*12 + 'a = 1\nf(a)   # so',), ('f(2)',),
         ('#| exports\nclass C: 0\nclass D: 0',), ('test_eq(C(1), C(1))',),
         ('#| timing\nD(1)', dict(output_type='execute_result', data={'text/plain': '1 s'}))]


PATCHED = """
__all__ = ['C']
class C:
    "A thing"
    def __init__(self, n:int): pass # how many
@patch
def run(self:C, fast=True): # quickly
    "Run it"
@patch
def _hidden(self:C): 0
@patch
def of(self:Other): 0
"""


def test_reference_lists_methods_that_are_patched_in(tmp_path):
    "Under their class, with what they take; in a chapter's part and in an appendix"
    (tmp_path/'m.py').write_text(PATCHED)
    for name, where in {'06b_m': 'chapter 06b', 'c_m': 'appendix C'}.items():
        page = paged(tmp_path, ('#| default_exp m',), name=name)
        text = api.api_page('digit_under_hood', '', tmp_path, [page.path])
        assert f'Built in [{where}]({name}.ipynb).' in text
        assert 'run(fast=True)' in text and 'Run it' in text and '### `C`' in text
        assert '_hidden' not in text and '### `run`' not in text and 'of(' not in text


def test_reference_says_of_an_option_of_a_command_its_type_and_what_it_is(tmp_path):
    (tmp_path/'m.py').write_text('def f(\n    files:Param("what to read", str, nargs="+"),\n'
                                 '    n:Param("how many", int)=1, # or none\n): "Do it"\n')
    module = Module(tmp_path/'m.py')
    [(*files, said), (*n, noted)] = rows(module.defined['f'], module, False)
    assert (files, said) == (['files', 'list[str]', ''], 'what to read')
    assert (n, noted) == (['n', 'int', '1'], 'or none')


def test_a_part_of_a_chapter_has_its_letter(tmp_path):
    page = paged(tmp_path, ('#| default_exp made',), 'Text.', name='06b_made')
    assert (page.number, page.page) == ('06b', 'made.html')
    assert build.numeral('06b') == '<i class="d0"></i><i class="d6"></i><b>b</b>'
    assert page.label == '06b'
    appendix = paged(tmp_path, ('#| default_exp made',), name='c_made')
    assert (appendix.number, appendix.label, appendix.page) == ('', 'C', 'c_made.html')


def test_reference_says_what_code_and_chapters_say(tmp_path):
    (tmp_path/'m.py').write_text(MODULE)
    page = paged(tmp_path, ('#| default_exp m',), *CELLS, name='04_m')
    text = api.api_page('digit_under_hood', SITE['git'] + '/blob/main', tmp_path, [page.path])
    (tmp_path/'nbs'/'api.qmd').write_text(text)
    made = Page(tmp_path/'nbs'/'api.qmd', page.site)
    parts = re.split(r'<h[23] id="([^"]*)"[^>]*>.*?</h[23]>', made.text)
    said = {place: squeezed(soup(html).get_text()) for place, html in zip(parts[1::2], parts[2::2])}
    assert 'Amodule.Builtinchapter04.' in said['digit_under_hood.m']
    assert [s.id for s in made.contents[1:]] == ['limit', 'f', 'c', 'd', 'p']
    assert said['limit'].startswith('LIMIT=3howmanyForexample:x=1y=LIMIT')
    for part in ("f(a, b=1e-6, *rest, key='k')", 'Do it with a', 'a int the first',
                 '*rest the rest', "key str|None 'k' a key", 'returns float a number',
                 'a = 1 f(a) # so Built'): assert squeezed(part) in said['f']
    assert 'b+=1' not in said['f'] and 'test_eq' not in said['f']
    for part in ('C(n, *, fast=True)', 'run(fast=True) Run it', 'of(x) Make one',
                 'test_eq(C(1), C(1))'): assert squeezed(part) in said['c']
    for part in ('D(n, *, fast=True)', 'Another', 'more() Do more', 'run(fast=True) Run it from C',
                 'D(1) Built'): assert squeezed(part) in said['d']
    assert '_hidden' not in text and '1 s' not in text and 'kind' not in text
    assert 'Nothingisdonehere' in said['c'] and 'before_all' not in said['d']
    assert 'P(left,right=2)' in said['p'] and 'rightint2theother' in said['p']
    links = [a['href'] for a in soup(made.text).select('.where a')][:4]
    assert links[0] == 'm.html' and links[2] == 'm.html#f'
    assert all(h3['class'] == ['exported'] and h3.code for h3 in soup(made.text).select('h3'))


NO_EXAMPLE = {'WRITERS': 'a path', 'MODELS': 'a list in words', 'WRITERS_SHA256': 'a checksum',
              'SIGNED': 'colours', 'CODE': 'a path', 'STYLE': 'a style sheet'}   # only constants


def test_reference_has_an_example_of_every_function_and_class():
    text = (ROOT/'nbs'/'api.qmd').read_text(encoding='utf-8')
    names = dict(zip(*[iter(re.split(r'^### `(\w+)`$', text, flags=re.M)[1:])]*2))
    assert len(names) > 150
    without = {name for name, said in names.items() if '\nFor example:\n' not in said}
    assert without == set(NO_EXAMPLE) and all(map(str.isupper, without))


def test_reference_shows_a_hidden_check_only_where_a_chapter_shows_no_use(tmp_path):
    (tmp_path/'m.py').write_text(''.join(f'def {name}(x): "Do it"\n' for name in 'fgh'))
    hidden = 'n = 1\ntest_eq(f(n), 0)\ntest_eq(f(2), 0)\nassert not g(2)\nassert not h(2)'
    cells = [('#| export\ndef f(x): 0\ndef g(x): 0\ndef h(x): 0',), (f'#| hide\n{hidden}',),
             ('assert not g(3)',), ('assert not h(3)',), ('h(4)',)]
    page = paged(tmp_path, ('#| default_exp m',), *cells, name='04_m', lib_path=tmp_path)
    found = {name: example.code for name, example in examples(page.path).items()}
    assert found == {'f': 'n = 1\ntest_eq(f(n), 0)', 'g': 'assert not g(3)', 'h': 'h(4)'}


def test_a_name_whose_code_is_not_shown_is_documented_in_its_chapter(tmp_path):
    (tmp_path/'m.py').write_text(MODULE)
    page = paged(tmp_path, ('#| default_exp m',), ('#| export\ndef f(a): "Do it"',), 'Text.',
                 lib_path=tmp_path)
    box = soup(page.text).select_one('.cell:has(> .defined)')
    assert "f(a,b=1e-6,*rest,key='k')" in squeezed(box.get_text()) and box.select_one('.docments')


def test_pictures_come_from_the_digits():
    archive = ROOT/'digit_under_hood'/'data'/'mnist.npz'
    with np.load(archive) as arrays: mean, typical = art.digit(arrays, 3)
    drawn = {'static/logo': art.svg(mean, art.square(mean), art.ACCENT),
             'static/digits/3': art.svg(typical, art.crop(typical)), 'opened': art.opened(typical)}
    for name, text in drawn.items():
        assert (ROOT/'website'/f'{name}.svg').read_text(encoding='utf-8') == text


def test_only_one_line_includes_the_configuration():
    lines = (ROOT/'nbs'/'_quarto.yml').read_text().split('\n')
    assert lines == ['metadata-files: [../_quarto.yml, nbdev.yml, sidebar.yml]', '']


def test_deploy_writes_the_branch_that_colab_reads():
    text = (ROOT/'.github'/'workflows'/'deploy.yaml').read_text()
    assert 'make docs' in text and '-b gh-pages' in text
    assert (ROOT/'.binder'/'postBuild').read_text().startswith('#!/bin/bash')
