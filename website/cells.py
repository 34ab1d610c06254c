"What a page shows of a notebook's cells: which code is folded, and each output at its best."
import re
from html import escape

from nbdev.processors import (
    FilterDefaults,
    add_fold,
    clean_show_doc,
    exec_show_docs,
    insert_warning,
    mv_exports,
)

from digit_under_hood.lab.directives import split
from digit_under_hood.lab.roles import shows

from .groups import Piece, row
from .markdown import coloured, inline, render
from .pictures import PICTURES, figure
from .tasks import ASKS, asked

OURS = {insert_warning, clean_show_doc, exec_show_docs, add_fold, mv_exports}
ANSI = re.compile(r'\x1b\[[0-9;]*m')
INLINE = re.compile(r'<script type="module" data-code="(\w+)">.*?</script>', re.S)
FETCHED = r'''<script type="module">
import explorable from './assets/explorables/\1.js'
import {start} from './assets/explorables/shared.js'
start('\1', explorable, true)
</script>'''


def fetched(html: str) -> str:
    "An explorable whose code is a file of the site, shared by all pages"
    return INLINE.sub(FETCHED, html)


class Filter(FilterDefaults):
    "nbdev's processors for the docs, less those that write for Quarto or run cells"
    def base_procs(self): return [proc for proc in super().base_procs() if proc not in OURS]


def listing(code: str, options: dict, name: str = '') -> str:
    "HTML of a cell's code, folded as the author wants it, or else in a row called `name`"
    if not options.get('echo', True) or not code.strip(): return ''
    html = f'<pre class="code"><code>{coloured(code)}</code></pre>'
    fold = bool(name) or options.get('code-fold', False)
    if not fold: return html
    name = name or options.get('code-summary', 'Code')
    kind = 'fold checked' if name.endswith('passed') or name.startswith('Checked') else 'fold'
    return (f'<details class="{kind}"{" open"*(fold == "show")}><summary>{escape(name)}</summary>'
            f'\n{html}\n</details>')


def output(out: dict, options: dict, page) -> str:
    "HTML of one output in the best form that a page without a kernel can show; perhaps none"
    data = out.get('data', {})
    html = ''.join(data.get('text/html', ''))
    if INLINE.search(html): return fetched(html)
    if any(kind in data for kind in PICTURES):
        caption = inline(options.get('fig-cap', ''), page)
        html, files = figure(data, page.next_figure(), options.get('fig-alt', ''), caption)
        page.files |= files
        return html
    if 'text/html' in data:   # a table's own style gives way to the site's
        return re.sub(r'<style scoped>.*?</style>', '', html, flags=re.S)
    if 'text/markdown' in data: return render(''.join(data['text/markdown']), page)
    if any(kind.startswith('application/') for kind in data): return ''   # it needs a kernel
    text = ''.join(data.get('text/plain', out.get('text', '')))
    if out.get('output_type') == 'error': text = f'{out["ename"]}: {out["evalue"]}'
    text = escape(ANSI.sub('', text).rstrip('\n'))
    return f'<pre class="printed"><code>{text}</code></pre>' if text else ''


def code_cell(cell, page) -> Piece:
    "HTML of a code cell: its code, and what it printed and drew"
    options, code = split(cell.source)
    if not options.get('include', True): return Piece()
    outputs = cell.get('outputs', []) if options.get('output', True) else []
    shown = [f'<div class="output">\n{html}\n</div>' for out in outputs
             if (html := output(out, options, page))]
    text, shown = asked(code, shown, page)
    html = '' if ASKS.search(code) else listing(code, options, row(cell))
    return Piece(text, html, '\n'.join(shown), cell.get('card'), not html.startswith('<pre'),
                 shows(cell))
