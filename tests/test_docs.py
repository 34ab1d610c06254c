"The tools that build the site: what is folded, what the checks find, both renderers' markup."
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ROOT/'tools'
sys.path[:0] = [str(TOOLS), str(ROOT/'website')]
import api_page  # noqa: E402
import art  # noqa: E402
import docs  # noqa: E402
import dress  # noqa: E402
import process  # noqa: E402

SITE = dict(root=ROOT, base='https://there.example/course/', git='https://code.example/course',
            branch='main', lib='digit_under_hood')


# Processing

@pytest.mark.parametrize('code, name', {
    'import torch\nfrom pathlib import Path': 'Imports',
    'from torch import nn\nplt.style.use("digit_under_hood.course")': 'Set-up',
    'test_eq(a, 1)': 'Checked: 1 assertion',
    'test_close(a, 1)\nassert b': 'Checked: 2 assertions',
    'test_eq(a, 1)\ntest_fail(lambda: a/0)': None,     # a mistake on purpose teaches
    'fig, ax = plt.subplots()\nax.plot(x)\nax.set(a=1)\nax.legend()\nplt.show()':
        'How this is drawn',
    'ax = plt.gca()\nax.plot(x)': None,   # short enough to read
    'a = torch.zeros(3)\na': None,
    '%timeit f(x)': None,
    '# nothing': None}.items())
def test_plumbing_has_a_name_and_teaching_has_none(code, name):
    assert process.plumbing(code) == name


def tidied(source: str, outputs=(), after=None, names=(), kind='code'):
    "A cell after `tidy`"
    make = nbformat.v4.new_code_cell if kind == 'code' else nbformat.v4.new_markdown_cell
    cell = make(source, **({'outputs': list(outputs)} if kind == 'code' else {}))
    process.tidy(cell, after, SITE, set(names))
    return cell


def test_directives_are_quoted_and_authors_have_the_last_word():
    cell = tidied('#| fig-alt: Loss: it falls, "fast"\nplot()')
    assert cell.source == '#| fig-alt: "Loss: it falls, \\"fast\\""\nplot()'
    folded = '#| code-fold: true\n#| code-summary: "Imports"\nimport torch'
    assert tidied('import torch').source == folded
    asked = '#| code-fold: false\nimport torch'
    assert tidied(asked).source == asked
    shown = tidied('#| code-fold: show\n#| code-summary: "Exported source"\ndef f(): return 1')
    assert shown.source == 'def f(): return 1'


def test_outputs_that_need_a_kernel_give_way():
    bundle = {process.WIDGET: {}, 'text/plain': 'interactive('}
    widget = nbformat.v4.new_output('display_data', data=bundle)
    script = nbformat.v4.new_output('display_data', data={'application/javascript': 'f()'})
    text = nbformat.v4.new_output('stream', text='yes')
    left = tidied('f()', [widget, script, text]).outputs
    assert [output.output_type for output in left] == ['display_data', 'stream']
    assert left[0].data == {'text/html': process.SLIDER}


def test_links_and_headings_of_markdown():
    text = ('## [`f`](https://there.example/course/x.html#f)\n## Learning Rate!\n'
            '[this](../LICENSE), [that](../gone), [f](https://there.example/course/x.html#f)\n'
            '```\n# f\n```')
    assert tidied(text, names=['f', 'learning-rate'], kind='markdown').source == (
        '## `f` {#f-section}\n## Learning Rate! {#learning-rate-section}\n'
        '[this](https://code.example/course/blob/main/LICENSE), [that](../gone), [f](x.html#f)\n'
        '```\n# f\n```')


def test_opening_and_what_is_known_of_a_notebook():
    cells = [nbformat.v4.new_markdown_cell('# Title\n\n> Promise.\n\nMore of [it](02_b.ipynb).'),
             nbformat.v4.new_code_cell('#| default_exp made'),
             nbformat.v4.new_code_cell('from digit_under_hood.data import load_digits')]
    nb = nbformat.v4.new_notebook(cells=cells)
    page = process.about(nb, '03_C', SITE)
    assert page == dict(notebook='03_C.ipynb', page='c.html', title='Title', promise='Promise.',
                        minutes=1, builds='made', needs=['data'], needs_too=['02_b.ipynb'])
    process.split_opening(nb)
    parts = ['# Title\n\n> Promise.', 'More of [it](02_b.ipynb).']
    assert [c.source for c in nb.cells[:2]] == parts
    nb.cells = nb.cells[:1]
    process.split_opening(nb)
    assert [c.source for c in nb.cells] == parts[:1]


# Dressing

QUARTO = r'''<main class="content"><section id="slopes" class="level2"><h2 class="anchored"
 data-anchor-id="slopes">Slopes</h2><p>Inline <span class="math inline">\(w_i\)</span> and
 <math><semantics><mi>x</mi><annotation encoding="application/x-tex">\frac</annotation></semantics>
 </math>.</p>
<p><span class="math display">\[\begin{aligned} a &amp;= b \\ &amp;= c \end{aligned}\]</span></p>
<div id="cell-4" class="cell" data-execution_count="3"><details open="" class="code-fold">
<summary>Imports</summary><div class="code-copy-outer-scaffold"><div class="sourceCode cell-code"
 id="cb1"><pre class="sourceCode python code-with-copy"><code class="sourceCode python"><span
 id="cb1-1"><a href="#cb1-1" aria-hidden="true" tabindex="-1"></a><span class="im">import</span>
 torch</span></code></pre></div><button title="Copy to Clipboard" class="code-copy-button"><i
 class="bi"></i></button></div></details><div class="cell-output cell-output-display"><div><figure
 class="figure"><p><img alt="A curve" src="x_files/figure-html/cell-4-output-1.png" width="3"
 height="2" class="figure-img"></p></figure></div></div></div>
<div class="cell-output cell-output-display cell-output-markdown"><hr><p><a href="x.py#L1"
 target="_blank">source</a></p><section id="f" class="level3"><h3 data-anchor-id="f">f</h3>
</section></div></section></main>'''
SMALLDOCS = r'''<main class="content"><h2 id="slopes" class="anchored">Slopes</h2>
<p>Inline <span class="math inline">\(w_i\)</span> and <span class="math inline">\(x\)</span>.</p>
<p><span class="math display">\[\begin{aligned} a &amp;= b \\ &amp;= c \end{aligned}\]</span></p>
<div id="cell-4" class="cell"><details open="" class="code-fold"><summary>Imports</summary>
<div class="code-copy-outer-scaffold"><div class="sourceCode" id="cb1"><pre class="sourceCode python
 cell-code"><code class="sourceCode python"><span class="im">import</span>
 torch</code></pre></div><button title="Copy to Clipboard" class="code-copy-button"><i
 class="bi"></i></button></div></details><div class="cell-output cell-output-display"><div
 class="quarto-figure quarto-figure-center"><figure class="figure"><p><img alt="A curve"
 src="x_files/1.png" class="img-fluid"></p></figure></div></div></div>
<div class="cell-output cell-output-markdown"><hr /><p><a href="x.py#L1"
 target="_blank">source</a></p><h3 id="f" class="anchored">f</h3></div></main>'''


@pytest.mark.parametrize('markup', [QUARTO, SMALLDOCS], ids=['quarto', 'smalldocs'])
def test_both_renderers_dress_alike(markup, tmp_path):
    code = dress.Code()
    page = dict(page='x.html', main=dress.parse(code.take(markup)).main, code=code)
    dress.plain(page, {}, tmp_path, tmp_path)
    dress.parts(page['main'])
    main = dress.parse(code.give(str(page['main'])))
    assert main.select_one('section > h2#slopes').get_text() == 'Slopes'
    assert len(main.select('.maths > math')) == 3 and '\\' not in main.get_text()
    assert len(main.select('.maths.display > math[display=block] mtr')) == 2
    assert main.select_one('.cell > details.fold[open] > pre.code').get_text().split() == [
        'import', 'torch']
    assert main.select_one('pre.code .im').get_text() == 'import'
    assert main.select_one('.output figure.plot > img')['alt'] == 'A curve'
    assert main.select_one('.defined > h3#f.exported > code').get_text() == 'f'
    assert main.select_one('h3 + a.source')['href'] == 'x.py#L1'
    assert not main.select('button, hr, .sourceCode, .anchored, [id^=cb], a[target]')


def test_pictures_get_files_sizes_and_half_the_bytes(tmp_path):
    import base64
    import io

    from PIL import Image
    noise = np.random.default_rng(0).integers(0, 60, (90, 150, 4), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, 'PNG', dpi=(144, 144))
    uri = 'data:image/png;base64,' + base64.b64encode(stream.getvalue()).decode()
    main = dress.parse(f'<main><p><img src="{uri}" alt="Noise"></p></main>').main
    dress.pictures(main, 'x', tmp_path, tmp_path/'cache')
    img = main.find('img')
    assert img.attrs == dict(src='figures/x-0.webp', alt='Noise', width='100', height='60')
    same = np.asarray(Image.open(tmp_path/'figures'/'x-0.webp'))
    seen = noise[..., 3] > 0   # the colour of what cannot be seen may be lost
    assert np.array_equal(same[seen], noise[seen])


def test_road_and_tables():
    main = dress.parse('<main><table><thead><tr><th></th><th>b</th></tr></thead><tr><td>'
                       '<a href="x.html">00 The data</a></td><td>read <b>it</b></td></tr>'
                       '</table></main>').main
    dress.tables(main)
    assert main.select_one('div.scroll[tabindex="0"] > table th[scope=col]').get_text() == 'b'
    dress.road(main, {'x.html': dict(number='07', minutes=5)})
    item = main.select_one('ol.road > li')
    assert item.a.get_text() == 'The data' and item.select_one('p b')
    assert len(item.select('.d0, .d7')) == 2


# Checking

GOOD = '<html><head><title>t</title></head><body><h1>Title</h1><p id="here">{}</p></body></html>'
FAULTS = {
    '<a href="gone.html">x</a>': 'broken link: gone.html',
    '<a href="#gone">x</a>': 'broken link: #gone',
    '<a href="page.html#gone">x</a>': 'broken link: page.html#gone',
    '<a href="/page.html">x</a>': 'broken link: /page.html',
    '<a href="../page.html">x</a>': 'broken link: ../page.html',
    '<img src="gone.png" alt="a">': 'missing image: gone.png',
    '<img src="page.html">': 'without alt text',
    '<main><svg></svg></main>': 'drawing without a name',
    '<h2 id="a">a</h2><h2 id="a">b</h2>': 'two headings with the id a',
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
    wrong = docs.check(tmp_path)
    assert len(wrong) == 1 and wrong[0].startswith('page.html: ') and FAULTS[fault] in wrong[0]


def test_check_passes_what_is_fine(tmp_path):
    page = tmp_path/'page.html'
    page.write_text(GOOD.format('<a href="#here">a</a> <a href="https://www.example">b</a> for $3 '
                                '<code>$$</code> <pre>::: @fig-x</pre>'), encoding='utf-8')
    assert docs.check(tmp_path) == []
    page.write_text(GOOD.format('x').replace('Title', ' '), encoding='utf-8')
    assert docs.check(tmp_path) == ['page.html: page without a title']
    page.unlink()
    (tmp_path/'a.css').write_text('b { background: url(gone.png) } '
                                  '@import "https://fonts.example/css";')
    assert docs.check(tmp_path) == ['a.css: fetched from elsewhere: https://fonts.example/css',
                                    'a.css: missing file: gone.png']


CONFIG = '''project: {type: website, resources: [assets]}
website: {sidebar: {contents: [index.ipynb, 00_x.ipynb, api.qmd]}}
'''


def small_project(root: Path, home: str, chapter: str) -> None:
    "A project of two notebooks at `root`"
    for name in ('settings.ini', 'nbs/_quarto.yml'):
        (root/name).parent.mkdir(exist_ok=True)
        (root/name).write_bytes((ROOT/name).read_bytes())
    (root/'digit_under_hood').mkdir()
    (root/'_quarto.yml').write_text(CONFIG)
    for name, text in {'index': home, '00_x': chapter}.items():
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
        nbformat.write(book, root/'nbs'/f'{name}.ipynb')


def build(root: Path, *args: str, **env: str) -> subprocess.CompletedProcess:
    "Run the real command in the project at `root`"
    command = [sys.executable, str(TOOLS/'docs.py'), 'build', *args]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env=os.environ | env)


@pytest.mark.skipif(os.name == 'nt', reason='the stand-in is a shell script')
def test_build_takes_quarto_where_it_is(tmp_path):
    "With a stand-in for Quarto that has smalldocs do the work"
    small_project(tmp_path, '# Home\n\n> Hello.\n\n[x](00_x.ipynb)', '# X\n\n> Promise.\n\nText.')
    code = f'import sys; sys.path.insert(0, {str(TOOLS)!r}); import docs, pathlib; '
    code += 'docs.with_smalldocs(pathlib.Path())'
    quarto = tmp_path/'bin'/'quarto'
    quarto.parent.mkdir()
    quarto.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo 1.99.0; exit; fi\n'
                      f'[ "$*" = "render --no-cache" ] && exec "{sys.executable}" -c "{code}"\n')
    quarto.chmod(0o755)
    done = build(tmp_path, PATH=f'{quarto.parent}{os.pathsep}{os.environ["PATH"]}')
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'Quarto 1.99.0 rendered 3 pages' in done.stdout
    assert 'Quarto 1.99.0' in (tmp_path/'_docs'/'x.html').read_text(encoding='utf-8')


def test_build_fails_with_the_list_of_faults(tmp_path):
    small_project(tmp_path, '# Home\n\n> Hello.\n\n[gone](99_gone.ipynb)', 'No heading, @fig-x.')
    (tmp_path/'nbs'/'extra.qmd').write_text('No front matter here.\n')
    done = build(tmp_path, '--renderer', 'smalldocs')
    assert done.returncode == 1
    for fault in ('extra.qmd: page without a title', '00_x.ipynb: page without a title',
                  'raw markup in the text: No heading, @fig-x.',
                  'index.html: broken link: 99_gone.html',
                  'extra.qmd: not in the sidebar of _quarto.yml'):
        assert fault in done.stderr, done.stdout + done.stderr


# Reference and pictures

MODULE = '''
"A module."
__all__ = ['LIMIT', 'f', 'C']
LIMIT = 3 # how many
def f(
    a:int, # the first
    b=2, *rest, # the rest
    key:str='k', # a `key`
)->float: # a number
    "Do it with `a`"
class C(Base):
    "A thing"
    def __init__(self, n:int): ... # n is not documented here
    def run(self, fast=True): "Run it"
    @staticmethod
    def of(x): "Make one"
    def _hidden(self): pass
'''


def test_reference_from_docments(tmp_path):
    (tmp_path/'m.py').write_text(MODULE)
    site = SITE | dict(lib_path=tmp_path)
    page = dict(builds='m', notebook='04_m.ipynb', page='m.html', title='Em')
    text = api_page.api_page(site, [page])
    shown = [' '.join(dress.parse(part).get_text(' ').split()) for part in text.split('### ')]
    assert 'A module. Built in [Em](04_m.ipynb).' in shown[0]
    for said in ('LIMIT {#limit}', 'LIMIT = 3', 'how many'): assert said in shown[1]
    assert 'f(a, b=2, *rest, key=\'k\')' in shown[2] and 'Do it with a' in shown[2]
    for row in ('a int the first', '*rest the rest', "key str 'k' a key",
                'returns float a number'): assert row in shown[2]
    for said in ('C(n)', 'run(fast=True) Run it', 'of(x) Make one'): assert said in shown[3]
    assert '_hidden' not in shown[3]
    assert 'href="m.html#f"' in text and '/blob/main/digit_under_hood/m.py#L' in text


def test_pictures_come_from_the_digits():
    archive = ROOT/'digit_under_hood'/'data'/'mnist.npz'
    with np.load(archive) as arrays: mean, typical = art.digit(arrays, 3)
    drawn = {'logo': art.svg(mean, art.square(mean), art.ACCENT), 'opened': art.opened(typical),
             'digits/3': art.svg(typical, art.crop(typical))}
    for name, text in drawn.items():
        assert (art.ASSETS/f'{name}.svg').read_text(encoding='utf-8') == text


def test_only_one_line_includes_the_configuration():
    lines = (ROOT/'nbs'/'_quarto.yml').read_text().split('\n')
    assert lines == ['metadata-files: [../_quarto.yml, nbdev.yml, sidebar.yml]', '']


def test_deploy_writes_the_branch_that_colab_reads():
    text = (ROOT/'.github'/'workflows'/'deploy.yaml').read_text()
    assert 'make docs' in text and 'quarto-actions/setup' in text and '-b gh-pages' in text
    assert (ROOT/'.binder'/'postBuild').read_text().startswith('#!/bin/bash')
