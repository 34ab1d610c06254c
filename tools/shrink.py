"""Shrink the pictures stored in the notebooks: `shrink.py [NOTEBOOK ...]`, all of them by default.

A figure is an SVG, sharp at any size: matplotlib's are made half as long. A picture of another kind
is a PNG: a palette of 128 colours shows it as well as 16 million do, in a third of the space.
"""
import base64
import io
import re
import sys
from pathlib import Path

import nbformat
from PIL import Image

NBS = Path(__file__).parents[1]/'nbs'
COLOURS = 128
EMBEDDED = re.compile(r'(?<=data:image/png;base64,)[\w+/=\s]+')
FAMILY = re.compile('font-family:[^;"]*\'DejaVu Sans\'[^;"]*;')
# What matplotlib writes and nobody sees: the head, the date, names that nothing uses, turns by 0
UNSEEN = re.compile(r'<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>|'
                    r'(?<=<g) id="[^"]*"|\s+id="image[^"]*"|\s+transform="rotate\(-?0 [^"]*"', re.S)
EMPTY = re.compile(r'<path [^>]*style="fill:none"/>|<g ?/>|<g>((?:(?!<g[ >]).)*?)</g>')


def smaller(png, change):
    "The PNG file `png` (bytes) with its image put through `change`, if that saves anything"
    out = io.BytesIO()
    change(Image.open(io.BytesIO(png)).convert('RGBA')).save(out, 'PNG', optimize=True)
    return min(out.getvalue(), png, key=len)


def palette(image):
    "`image` with few colours"
    return image.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=0)


def plain(image):
    "`image` in grey, or without transparency, where that loses nothing"
    modes = image.convert('L'), image.convert('RGB')
    return next((m for m in modes if m.convert('RGBA').tobytes() == image.tobytes()), image)


def shrink(png):
    "The PNG file `png` (bytes) with a palette; the same bytes if it has one or gains nothing"
    return png if Image.open(io.BytesIO(png)).mode == 'P' else smaller(png, palette)


def recode(text, change):
    "Base64 `text` of a PNG file, with the file put through `change`"
    return base64.b64encode(change(base64.b64decode(text))).decode()


def shrink_tag(match):
    "A tag of an SVG file without decimals, commands and spaces that make no difference"
    tag = ' '.join(match[0].split())
    lines = ' d=' in tag and not re.search(' [CQ] ', tag)
    decimals = 1 if lines else 4 if 'matrix' in tag else 2
    tag = re.sub(r'\d+\.\d+', lambda n: f'{round(float(n[0]), decimals):g}', tag)
    if lines: tag = tag.replace(' L ', ' ')   # after M, more points are joined by lines anyway
    return re.sub(r'(?<=[;:]) | (?=[z"/])', '', tag)


def shrink_svg(svg):
    "`svg`, as matplotlib writes it, with its typeface named once and nothing that is not seen"
    svg = re.sub('<[^>]*>', shrink_tag, UNSEEN.sub('', svg))
    svg = EMBEDDED.sub(lambda match: recode(match[0], lambda png: smaller(png, plain)), svg)
    svg = re.sub(r'>\s+<', '><', svg).strip()
    families = set(FAMILY.findall(svg))
    svg = FAMILY.sub('', svg).replace(' style=""', '')
    while (less := EMPTY.sub(lambda match: match[1] or '', svg)) != svg: svg = less
    svg = re.sub('="([^"\']*)"', r"='\1'", svg)   # a notebook needs two signs for each "
    if not families: return svg
    return svg.replace('<svg ', f'<svg style="{max(families, key=len)}" ', 1)


def shrink_notebook(path):
    "Shrink the pictures of the notebook at `path`"
    nb = nbformat.read(path, 4)
    for output in (out for cell in nb.cells for out in cell.get('outputs', [])):
        data = output.get('data', {})
        if 'image/png' in data: data['image/png'] = recode(data['image/png'], shrink)
        if 'image/svg+xml' in data: data['image/svg+xml'] = shrink_svg(data['image/svg+xml'])
    nbformat.write(nb, path)


if __name__ == '__main__':
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(NBS.glob('*.ipynb')):
        before = path.stat().st_size
        shrink_notebook(path)
        print(f'{path.name}: {before//1000} KB, now {path.stat().st_size//1000} KB')
