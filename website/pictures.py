"Pictures of a page: drawings stand in it, photographs get files of their own."
import base64
import io
import re
import struct
from html import escape
from pathlib import Path

from PIL import Image

STYLE = Path(__file__).parents[1]/'digit_under_hood'/'course.mplstyle'
PICTURES = 'image/svg+xml', 'image/png', 'image/jpeg', 'image/gif'


def shown_size(png: bytes) -> tuple[int, int]:
    "Width and height at which a PNG is meant to be shown, in CSS pixels: its own, less its density"
    width, height = struct.unpack('>II', png[16:24])
    at = png.find(b'pHYs')
    dots = struct.unpack('>I', png[at + 4:at + 8])[0]*.0254 if at > 0 else 96
    return round(width*96/dots), round(height*96/dots)


def lighter(png: bytes) -> bytes:
    "The same picture as lossless WebP, half the bytes"
    stream = io.BytesIO()
    Image.open(io.BytesIO(png)).save(stream, 'WEBP', lossless=True, quality=60, method=2)
    return stream.getvalue()


def in_the_dark(svg: str) -> str:
    "`svg` with a companion for each colour of the figures' style: the stylesheet names them"
    text, *cycle = dict.fromkeys(re.findall(r'\b[0-9a-f]{6}\b', STYLE.read_text()))
    for name, colour in [('figure', text), *((f'c{i}', colour) for i, colour in enumerate(cycle))]:
        svg = svg.replace(f'#{colour}', f'light-dark(#{colour},var(--{name}))')
    return svg


def drawing(svg: str, name: str, alt: str) -> str:
    """An SVG to stand in the page: with ids of its own, a name, and no more width than there is.

    Its typeface, its paper and the rules that matplotlib gives to every element are the page's."""
    svg = re.sub(r'<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->'
                 r'|<style[^>]*>\s*\*\s*\{[^}]*\}\s*</style>', '', svg, flags=re.S).strip()
    svg = re.sub(r"(?<==)'([^'\"]*)'", r'"\1"', svg)
    svg = re.sub(r'<path d="M -?0 [^>]*style="fill:\s*#ffffff;?"\s*/>', '', svg, count=1)
    svg = in_the_dark(re.sub(r'font-family:(?![^;"]*Mono)[^;"]*;?\s*', '', svg))
    svg = re.sub(r'(<image\b[^>]*?) id="[^"]*"', r'\1', svg)   # alike images have one id
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf'\g<1>{name}-', svg)
    head, rest = svg.split('>', 1)
    box = re.search(r'viewBox="\S+ \S+ (\S+) \S+"', head)
    unit = 96/72 if re.search(r'width="[\d.]+pt"', head) else 1
    head = re.sub(r'\s(?:width|height|role|aria-label|xmlns:\w+|version|style)="[^"]*"', '', head)
    width = f' width="{round(float(box[1])*unit)}"' if box else ''
    return f'{head}{width} role="img" aria-label="{escape(alt)}">{rest}'


def figure(data: dict, name: str, alt: str, caption: str = '') -> tuple[str, dict[str, bytes]]:
    "HTML of the picture in an output's `data`, and the files that it needs, by name"
    kind = next(kind for kind in PICTURES if kind in data)
    text, files = ''.join(data[kind]), {}
    if kind == 'image/svg+xml': shown = drawing(text, name, alt)
    else:
        content, ending, size = base64.b64decode(text), kind.split('/')[1], ''
        if ending == 'png':
            size = ' width="{}" height="{}"'.format(*shown_size(content))
            content, ending = lighter(content), 'webp'
        files[f'figures/{name}.{ending}'] = content
        shown = f'<img src="figures/{name}.{ending}" alt="{escape(alt)}"{size}>'
    caption = f'<figcaption>{caption}</figcaption>' if caption else ''
    return f'<figure class="plot">{shown}{caption}</figure>', files
