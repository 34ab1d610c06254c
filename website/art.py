"Draws the site's logo, icons, numerals and other pictures from the digits, into static/ and here."
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT/'website'/'static'
ACCENT, PAPER, INK, GREY, FAINT = '#dd6b20', '#fbfaf7', '#1c2026', '#5d646d', '#c3c0b8'


def digit(archive, label: int) -> tuple[np.ndarray, np.ndarray]:
    "The mean image of `label`, and the training image nearest to it, both (28, 28) in [0,1]"
    images = archive[f'train_{label}'].astype(np.float32)/255
    mean = images.mean(0)
    return mean, images[((images - mean)**2).sum((1, 2)).argmin()]


def inked(image: np.ndarray, least: float = .18) -> np.ndarray:
    "Which pixels hold ink, less the specks that stand alone"
    ink = np.pad(image > least, 1)
    beside = sum(np.roll(ink, (r, c), (0, 1)) for r in (-1, 0, 1) for c in (-1, 0, 1) if r or c)
    return (ink & (beside > 0))[1:-1, 1:-1]


def dots(image: np.ndarray, least: float = .18) -> list[tuple[float, float, float]]:
    "Centre and radius of a dot for each inked pixel: its area grows with the ink"
    rows, cols = np.nonzero(inked(image, least))
    return [(c + .5, r + .5, .52*float(image[r, c])**.5) for r, c in zip(rows, cols, strict=True)]


def crop(image: np.ndarray, pad: int = 1) -> tuple[int, int, int, int]:
    "Box around the ink: left, top, width, height"
    rows, cols = np.nonzero(inked(image))
    left, top = int(cols.min()) - pad, int(rows.min()) - pad
    return left, top, int(cols.max()) - left + 1 + pad, int(rows.max()) - top + 1 + pad


def svg(image: np.ndarray, box: tuple[int, int, int, int], color: str = '#000') -> str:
    "Picture of `image` as dots, one for a pixel, cut to `box`"
    left, top, width, height = box
    circles = ''.join(f'<circle cx="{x:g}" cy="{y:g}" r="{r:.2f}"/>' for x, y, r in dots(image))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {top} {width} {height}">'
            f'<g fill="{color}">{circles}</g></svg>\n')


def square(image: np.ndarray) -> tuple[int, int, int, int]:
    "The smallest square box around the ink"
    left, top, width, height = crop(image)
    side = max(width, height)
    return left - (side - width)//2, top - (side - height)//2, side, side


def framed(image: np.ndarray) -> np.ndarray:
    "`image` cut to the square around its ink"
    left, top, side, _ = square(image)
    return np.pad(image, 28)[top + 28:top + 28 + side, left + 28:left + 28 + side]


def opened(image: np.ndarray) -> str:
    "A digit whose ink turns into its numbers along the diagonal; the page's stylesheet colours it"
    values = framed(image)
    side = len(values)
    dots, numbers = '', ''
    for (r, c), value in np.ndenumerate(values):
        if r + c >= side - 1:
            ink = ' class="ink"' if value > .1 else ''
            numbers += f'<text x="{c + .5}" y="{r + .66}"{ink}>{round(float(value)*255)}</text>'
        elif value > .1:
            dots += f'<circle cx="{c + .5}" cy="{r + .5}" r="{.52*value**.5:.2f}"/>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" class="opened" '
            f'aria-hidden="true"><g>{dots}</g><g>{numbers}</g></svg>\n')


def icon(image: np.ndarray, size: int) -> Image.Image:
    "The dots of `image` in white on a rounded tile of the accent colour"
    left, top, side, _ = square(image)
    big, scale = 8*size, 8*size*.86/side
    tile = Image.new('RGBA', (big, big))
    draw = ImageDraw.Draw(tile)
    draw.rounded_rectangle((0, 0, big - 1, big - 1), radius=big*.22, fill=ACCENT)
    for x, y, r in dots(image):
        cx, cy, r = (x - left)*scale + big*.07, (y - top)*scale + big*.07, max(r*1.12, .3)*scale
        draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill='#fff')
    return tile.resize((size, size), Image.Resampling.LANCZOS)


def font(name: str, size: int, weight: int) -> ImageFont.FreeTypeFont:
    "One of the site's own fonts"
    loaded = ImageFont.truetype(ASSETS/'fonts'/name, size)
    loaded.set_variation_by_axes([weight])
    return loaded


def sharing_picture(image: np.ndarray) -> Image.Image:
    "1200 by 630, as Open Graph asks: the name of the course beside a 3 that turns into its numbers"
    picture = Image.new('RGB', (1200, 630), PAPER)
    draw = ImageDraw.Draw(picture)
    values = framed(image)
    cell = 566/len(values)
    small = font('source-code-pro.woff2', 13, 500)
    for (r, c), value in np.ndenumerate(values):
        x, y, radius = 604 + (c + .5)*cell, 32 + (r + .5)*cell, .52*cell*float(value)**.5
        if r + c >= len(values) - 1:
            ink = ACCENT if value > .1 else FAINT
            draw.text((x, y), str(round(float(value)*255)), font=small, fill=ink, anchor='mm')
        elif value > .1: draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ACCENT)
    title, line = font('source-serif-4.woff2', 86, 600), font('source-sans-3.woff2', 31, 400)
    draw.multiline_text((64, 120), 'Digit\nunder\nthe hood', font=title, fill=INK, spacing=14)
    promise = 'From the pixels of one image to a\ntrained network, in notebooks\nyou can run.'
    draw.multiline_text((66, 470), promise, font=line, fill=GREY, spacing=10)
    return picture


def main() -> None:
    "Write every picture; the same digits give the same files"
    (ASSETS/'digits').mkdir(parents=True, exist_ok=True)
    with np.load(ROOT/'digit_under_hood'/'data'/'mnist.npz') as archive:
        means, typical = zip(*(digit(archive, label) for label in range(10)), strict=True)
    for label, image in enumerate(typical):
        (ASSETS/'digits'/f'{label}.svg').write_text(svg(image, crop(image)), encoding='utf-8')
    (ROOT/'website'/'opened.svg').write_text(opened(typical[3]), encoding='utf-8')
    (ASSETS/'logo.svg').write_text(svg(means[3], square(means[3]), ACCENT), encoding='utf-8')
    icon(typical[3], 64).save(ASSETS/'favicon.png', optimize=True)
    icon(typical[3], 180).save(ASSETS/'touch-icon.png', optimize=True)
    sharing_picture(typical[3]).quantize(64).save(ASSETS/'og.png', optimize=True)


if __name__ == '__main__': main()
