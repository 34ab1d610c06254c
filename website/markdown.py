"Markdown as the site's HTML: places to link to, links between pages, maths and code in colour."
import re
from html import escape
from itertools import count

import math_core
from address import addressed
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Literal, Name, Operator

from .wrap import wrapping

MATHS = math_core.LatexToMathML()
KINDS = {Keyword.Constant: 'dv', Keyword: 'kw', Operator.Word: 'kw', Name.Builtin.Pseudo: '',
         Name.Builtin: 'fu', Name.Function: 'fu', Name.Class: 'fu', Name.Decorator: 'fu',
         Literal.String: 'st', Literal.Number: 'dv', Comment: 'co'}


def coloured(code: str, language: str = 'python') -> str:
    "HTML of `code`: a span around what the stylesheet gives a colour, and around nothing else"
    pieces: list[tuple[str, str]] = []
    for token, text in get_lexer_by_name(language or 'text').get_tokens(code):
        kind = next((kind for within, kind in KINDS.items() if token in within), '')
        if pieces and pieces[-1][0] == kind: text = pieces.pop()[1] + text
        pieces.append((kind, text))
    html = ((kind, escape(text, quote=False)) for kind, text in pieces)
    return wrapping(''.join(f'<span class="{kind}">{text}</span>' if kind else text
                            for kind, text in html).rstrip('\n'))


def slug(text: str) -> str:
    "The place of a heading, as Pandoc names it"
    kept = re.sub(r'\s+', '-', re.sub(r'[^\w\s.-]', '', text.lower()).strip())
    return re.sub(r'^[\W\d_]+', '', kept) or 'section'


def anchor(place: str, said: str) -> str:
    "The link of a heading to itself"
    return (f'<a class="anchor" href="#{escape(place)}" '
            f'aria-label="Link to {escape(said)}">#</a>')


def plain(html: str) -> str:
    "What `html` says, without its tags"
    return re.sub(r'<[^>]+>', '', html)


def scrolling(html: str) -> str:
    "`html` with tables that can be scrolled, with the keyboard too, and headings marked as such"
    numbers = count(1)

    def wrapped(m: re.Match) -> str:
        caption = re.search(r'<caption[^>]*>(.*?)</caption>', m[0], re.S)
        n = f'Table {next(numbers)}'
        label = escape(plain(caption[1]).strip()) if caption else n
        head, end, rest = m[0].partition('</thead>')
        if end:
            head = re.sub(r'<th([^>]*)>(\s|&nbsp;)*</th>', r'<td\1></td>', head)   # it says nothing
            head = re.sub(r'<th(?![^>]*scope=)(?=[\s>])', '<th scope="col"', head)
        head = re.sub(r'^<table border="\d+"', '<table', head)
        return (f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">'
                f'{head}{end}{rest}</div>')

    return re.sub(r'<table.*?</table>', wrapped, html, flags=re.S)


# Rules: what markdown-it does with a token; `env['page']` is the page that is being written

def heading_open(md, tokens, i, options, env) -> str:
    inline = tokens[i + 1]   # a heading is no place for links
    inline.children = [t for t in inline.children if not t.type.startswith('link_')]
    tokens[i].attrSet('id', env['page'].place(slug(''.join(t.content for t in inline.children))))
    if env['page'].reference and tokens[i].tag == 'h3': tokens[i].attrSet('class', 'exported')
    return md.renderToken(tokens, i, options, env)


def heading_close(md, tokens, i, options, env) -> str:
    said = ''.join(t.content for t in tokens[i - 1].children)
    link = anchor(tokens[i - 2].attrGet('id'), said) if tokens[i].tag in ('h2', 'h3') else ''
    return f'{link}</{tokens[i].tag}>\n'


def link_open(md, tokens, i, options, env) -> str:
    tokens[i].attrSet('href', env['page'].address(tokens[i].attrGet('href')))
    return md.renderToken(tokens, i, options, env)


def image(md, tokens, i, options, env) -> str:
    tokens[i].attrSet('src', env['page'].address(tokens[i].attrGet('src')))
    return md.image(tokens, i, options, env)


def html(md, tokens, i, options, env) -> str:
    "HTML that stands in Markdown: its links too lead to pages"
    return re.sub(r'(?<=<a href=")[^"]+', lambda m: env['page'].address(m[0]), tokens[i].content)


def fence(md, tokens, i, options, env) -> str:
    "Code: after the fence stands its language, or as in Quarto `{.language .kind}`"
    if tokens[i].info == '{=html}': return html(md, tokens, i, options, env)
    said = re.findall(r'[\w-]+', tokens[i].info)
    kind = next((kind for kind in ('call', 'printed') if kind in said), 'code')
    language = said[0] if said and said[0] != kind else ''
    return f'<pre class="{kind}"><code>{coloured(tokens[i].content, language)}</code></pre>\n'


def maths(tex: str, display: bool, stop: str = '') -> str:
    "MathML, which browsers draw and read aloud by themselves; a full stop stays on its line"
    mathml = MATHS.convert_with_local_state(tex.strip(), displaystyle=display)
    return f'<span class="maths{" display"*display}">{mathml}{stop}</span>'


def math_inline(md, tokens, i, options, env) -> str:
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    stop = re.match(r'[.,;:!?)]*', after.content)[0] if after and after.type == 'text' else ''
    if stop: after.content = after.content.removeprefix(stop)
    return maths(tokens[i].content, False, stop)


def math_display(md, tokens, i, options, env) -> str: return maths(tokens[i].content, True)


def math_block(md, tokens, i, options, env) -> str:
    return f'<p>{maths(tokens[i].content, True)}</p>\n'


def parser() -> MarkdownIt:
    "Reads what this course uses of Quarto's Markdown"
    md = MarkdownIt('commonmark', {'html': True, 'typographer': True})
    md.enable(['table', 'strikethrough', 'smartquotes'])
    md.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    rules = dict(heading_open=heading_open, heading_close=heading_close, link_open=link_open,
                 image=image, fence=fence, code_block=fence, html_block=html, html_inline=html,
                 math_inline=math_inline, math_inline_double=math_display, math_block=math_block)
    for name, rule in rules.items(): md.add_render_rule(name, rule)
    return md


MD = parser()


def render(text: str, page) -> str:
    "HTML of Markdown that stands on `page`"
    return MD.render(addressed(text, page.site['git']), {'page': page})


def inline(text: str, page) -> str:
    "HTML of one line of Markdown, without a paragraph around it"
    return MD.renderInline(text, {'page': page})
