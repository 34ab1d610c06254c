"Marks the lines of coloured code that are too long for a phone, so that they can wrap there."
import re
from html import unescape

PHONE = 44   # columns of code that fit: shorter lines stay as they are
AFTER = re.compile(r'(?<=\S)[ \t]*<span class="co">#.*</span>$')   # a comment after code


def _line(line: str, end: str) -> str:
    "One line of code with its line break `end`; in a span of its own if it is long"
    text = unescape(re.sub('<[^>]+>', '', line))
    if len(text) <= PHONE or line.count('<span') != line.count('</span'): return line + end
    indent = len(text) - len(text.lstrip())
    line, n = AFTER.subn(r'<span class="after">\g<0>', line)
    return f'<span class="long" style="--indent: {indent}ch">{line}{end}{"</span>"*(n + 1)}'


def wrapping(html: str) -> str:
    "`html`, code with coloured tokens, in which each long line and its comment are marked"
    return re.sub(r'(.*)(\n|\Z)', lambda m: _line(m[1], m[2]), html)
