"""Shrink the pictures stored in the notebooks: `shrink.py [NOTEBOOK ...]`, all of them by default.

A figure has few colours: a palette of 128 shows it as well as 16 million do, in a third of the
space.
"""
import base64
import io
import sys
from pathlib import Path

import nbformat
from PIL import Image

NBS = Path(__file__).parents[1]/'nbs'
COLOURS = 128


def shrink(png):
    "The PNG file `png` (bytes) with a palette; the same bytes if it has one or gains nothing"
    image = Image.open(io.BytesIO(png))
    if image.mode == 'P': return png
    image = image.convert('RGBA').quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=0)
    out = io.BytesIO()
    image.save(out, 'PNG', optimize=True)
    return min(out.getvalue(), png, key=len)


def shrink_notebook(path):
    "Shrink the pictures of the notebook at `path`"
    nb = nbformat.read(path, 4)
    for output in (out for cell in nb.cells for out in cell.get('outputs', [])):
        data = output.get('data', {})
        if 'image/png' in data:
            small = shrink(base64.b64decode(data['image/png']))
            data['image/png'] = base64.b64encode(small).decode()
    nbformat.write(nb, path)


if __name__ == '__main__':
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(NBS.glob('*.ipynb')):
        before = path.stat().st_size
        shrink_notebook(path)
        print(f'{path.name}: {before//1000} KB, now {path.stat().st_size//1000} KB')
