"Figures: colours that can be told from the paper, sharp at any size, labels that a phone can show."
import base64
import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest
import shrink
from PIL import Image

from website.pictures import drawing

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT/'nbs').glob('*.ipynb'))
STYLE = (ROOT/'digit_under_hood'/'course.mplstyle').read_text()
CSS = (ROOT/'website'/'static'/'site.css').read_text()
SVG = '{http://www.w3.org/2000/svg}'
KB = 1000
PHONE = 355   # CSS pixels that a page leaves to a figure on a phone 390 wide

TEXT, *CYCLE = dict.fromkeys(re.findall(r'\b[0-9a-f]{6}\b', STYLE))


def luminance(colour: str) -> float:
    "Relative luminance of a colour such as 'ff9d5c', as WCAG defines it"
    parts = [int(colour[i:i + 2], 16)/255 for i in (0, 2, 4)]
    r, g, b = (c/12.92 if c <= .04045 else ((c + .055)/1.055)**2.4 for c in parts)
    return .2126*r + .7152*g + .0722*b


def contrast(a: str, b: str) -> float:
    "Contrast of two colours, from 1 to 21"
    low, high = sorted([luminance(a) + .05, luminance(b) + .05])
    return high/low


def in_css(name: str) -> list[str]:
    "The hexadecimal colours that the stylesheet gives to the variable `name`"
    found = re.search(rf'--{name}:([^;]*);', CSS)
    assert found, f'no --{name} in the stylesheet'
    return re.findall(r'#([0-9a-f]{6})', found[1])


def figures(path: Path) -> list[tuple[nbformat.NotebookNode, dict]]:
    "Cell and data of each stored picture that matplotlib drew"
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == 'code']
    return [(cell, out.data) for cell in cells for out in cell.outputs if 'data' in out
            if any(kind.startswith('image/') for kind in out.data)
            if 'Figure' in out.data.get('text/plain', '')]


DRAWN = {path.name: figures(path) for path in NOTEBOOKS}
everywhere = pytest.mark.parametrize('name', DRAWN)


# Colours

def test_contrast_itself():
    assert round(contrast('000000', 'ffffff'), 2) == 21
    assert 4.5 < contrast('767676', 'ffffff') < 4.6 and contrast('777777', 'ffffff') < 4.5


@pytest.mark.parametrize('colour', [TEXT, *CYCLE])
def test_every_colour_reads_as_text_on_white_and_on_the_paper_of_the_site(colour):
    assert contrast(colour, 'ffffff') >= 4.5
    assert contrast(colour, in_css('paper')[0]) >= 4.5


def test_figures_bring_their_own_paper_to_jupyterlab_light_or_dark():
    assert re.findall(r'^(\w+).facecolor: (\w+)$', STYLE, re.M) == [
        ('figure', 'white'), ('savefig', 'white'), ('axes', 'none')]


@pytest.mark.parametrize('name', ['figure', *(f'c{i}' for i in range(len(CYCLE)))])
def test_every_colour_has_a_companion_that_reads_as_text_in_the_dark(name):
    dark, = in_css(name)
    assert contrast(dark, in_css('paper')[1]) >= 4.5
    assert contrast(dark, in_css('sheet')[1]) >= 4.5


def test_the_cycle_has_a_seventh_colour_the_grey_of_the_background():
    assert len(CYCLE) == 7
    red, green, blue = (int(CYCLE[6][i:i + 2], 16) for i in (0, 2, 4))
    assert max(red, green, blue) - min(red, green, blue) < 32


@everywhere
def test_no_cell_names_a_colour_by_number(name):
    cells = nbformat.read(ROOT/'nbs'/name, 4).cells
    named = [cell.source for cell in cells if cell.cell_type == 'code'
             and re.search(r"""['"]#[0-9a-fA-F]{6}['"]|colou?r=['"][.\d]+['"]""", cell.source)]
    assert all(re.search(r'^SIGNED = \[', source, re.M) for source in named), named


# Sharp, and in the typeface of the site

@everywhere
def test_every_figure_is_an_svg(name):
    for cell, data in DRAWN[name]: assert 'image/svg+xml' in data, cell.source


def test_the_picture_of_the_readme_has_two_pixels_to_one():
    png = next(data['image/png'] for _, data in DRAWN['index.ipynb'] if 'image/png' in data)
    assert Image.open(io.BytesIO(base64.b64decode(png))).width >= 2*5*96


@everywhere
def test_svgs_are_small_and_do_not_change_from_run_to_run(name):
    for cell, data in DRAWN[name]:
        svg = data['image/svg+xml']
        assert shrink.shrink_svg(svg) == svg, f'make shrink: {cell.source}'
        assert '<metadata' not in svg and '<!--' not in svg


@everywhere
def test_labels_are_text_in_the_typeface_of_the_site(name):
    for cell, data in DRAWN[name]:
        svg = data['image/svg+xml']
        if '<text' in svg: assert "'Course Sans'" in svg.split('>')[0], cell.source
        assert 'DejaVuSans' not in svg   # the name of a letter that was drawn as a path


@everywhere
def test_labels_can_be_read_on_a_phone(name):
    for cell, data in DRAWN[name]:
        root = ET.fromstring(data['image/svg+xml'])
        width = float(root.get('width').removesuffix('pt'))*96/72
        assert width <= 5.4*96, f'{width/96:.1f} inches: {cell.source}'
        for text in root.iter(SVG + 'text'):
            size = re.search(r'font-size:([\d.]+)px', text.get('style') or '')
            shown = float(size[1])*96/72*min(1, PHONE/width) if size else 99
            assert shown >= 9, f'{text.text}: {shown:.1f} pixels high in {cell.source}'


@everywhere
def test_pixels_keep_their_edges(name):
    for cell, data in DRAWN[name]:
        for image in ET.fromstring(data['image/svg+xml']).iter(SVG + 'image'):
            sharp = 'image-rendering:pixelated' in (image.get('style') or '')
            assert sharp or 'dpi=192' in cell.source, cell.source


@everywhere
def test_a_notebook_that_draws_sets_style_and_formats_and_stays_small(name):
    path = ROOT/'nbs'/name
    assert path.stat().st_size < 500*KB
    if not DRAWN[name]: return
    code = '\n'.join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == 'code')
    assert re.search(r"plt\.style\.use\('digit_under_hood\.course'\)", code)
    assert "%config InlineBackend.figure_formats = ['svg'" in code
    assert 'figure.dpi' not in code


# On the site

def test_a_drawing_on_the_site_has_its_paper_and_its_colours_in_the_dark():
    data = next(data for _, data in DRAWN['04a_quadratic_sgd.ipynb'])
    svg = drawing(''.join(data['image/svg+xml']), 'name', 'dots')
    assert '#ffffff' not in svg and 'font-family' not in svg
    assert f'light-dark(#{CYCLE[1]},var(--c1))' in svg
    assert f'light-dark(#{TEXT},var(--figure))' in svg
    assert not re.search(rf'(?<!light-dark\()#({"|".join([TEXT, *CYCLE])})', svg)


@everywhere
def test_the_white_paper_of_every_drawing_is_left_out_on_the_site(name):
    for cell, data in DRAWN[name]:
        if not (svg := ''.join(data.get('image/svg+xml', ''))): continue
        left = svg.count('#ffffff') - drawing(svg, 'name', 'dots').count('#ffffff')
        assert left == 1, cell.source


# The shrinking

@pytest.fixture(scope='module')
def drawn():
    "The SVG of a plot with pixels in it, as matplotlib writes it, twice"
    import matplotlib.pyplot as plt

    def svg():
        with plt.style.context('digit_under_hood.course'):
            fig, (left, right) = plt.subplots(1, 2)
            left.plot(range(300), [(i*i) % 17 for i in range(300)], 'o-', label='0.123456')
            left.set(xlabel='time & speed', ylabel='$10^3$')
            left.legend()
            right.imshow([[0, 1], [2, 3]])
            file = io.StringIO()
            fig.savefig(file, format='svg')
            plt.close(fig)
        return file.getvalue()
    return svg(), svg()


def test_shrinking_keeps_what_is_seen(drawn):
    before, after = (ET.fromstring(svg) for svg in (drawn[0], shrink.shrink_svg(drawn[0])))
    texts = [[(e.text or '').strip() for e in root.iter() if e.tag in (SVG + 'text', SVG + 'tspan')]
             for root in (before, after)]
    assert texts[0] == texts[1] and '0.123456' in texts[1] and 'time & speed' in texts[1]
    for tag in 'use', 'image', 'clipPath':
        assert len(list(before.iter(SVG + tag))) == len(list(after.iter(SVG + tag))) > 0
    numbers = [[float(n) for use in root.iter(SVG + 'use') for n in (use.get('x'), use.get('y'))]
               for root in (before, after)]
    assert max(abs(a - b) for a, b in zip(*numbers, strict=True)) <= .01
    images = [Image.open(io.BytesIO(base64.b64decode(
        next(root.iter(SVG + 'image')).get('{http://www.w3.org/1999/xlink}href').split(',')[1])))
        for root in (before, after)]
    assert images[0].convert('RGBA').tobytes() == images[1].convert('RGBA').tobytes()


def test_shrinking_keeps_curves():
    "After a curve a line needs its letter: a rounded box stays closed"
    curved = "<path d='M 0 0 L 8 0 Q 9 0 9 1 L 9 5z'/>"
    assert shrink.shrink_svg(curved) == curved
    assert shrink.shrink_svg("<path d='M 0 0 L 8 0 L 9 5 z'/>") == "<path d='M 0 0 8 0 9 5z'/>"


def test_shrinking_is_worth_it_repeatable_and_does_nothing_twice(drawn):
    once = shrink.shrink_svg(drawn[0])
    assert len(once) < .7*len(drawn[0])
    assert once == shrink.shrink_svg(drawn[1]) == shrink.shrink_svg(once)
