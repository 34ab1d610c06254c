"One page of the site: what is known of it, and its text as HTML, from a notebook or a .qmd file."
import re
from collections.abc import Iterator
from itertools import count, groupby, takewhile
from pathlib import Path
from typing import NamedTuple

import yaml
from execnb.nbio import read_nb
from nbdev.doclinks import NbdevLookup

from digit_under_hood.lab.directives import builds

from .api import entry
from .cells import Filter, code_cell, fetched
from .groups import Piece, guess, mark, parts, tidy
from .markdown import anchor, inline, plain, render, scrolling
from .signatures import Module
from .tasks import Board, projects

SHOWS = re.compile(r'show_doc\(([\w.]+)\)')
NEXT = re.compile(r'<p><a [^>]*>Next\b(?:(?!</a>|</p>).)*</a></p>\n?')
BOARD, PROJECTS = '<div class="practice"></div>', '<div class="projects"></div>'
ENDS = {'what-we-know-now': 'known', 'your-turn': 'turn', 'questions': 'questions'}


def sits(cell) -> bool:
    "Does this cell belong to the sitting? What comes with the projects is for another day"
    return not cell.source.startswith('## Projects')


class Section(NamedTuple):
    "A heading in the list of contents"
    id: str
    level: int
    heading: str   # HTML


class Page:
    "A page; `text` is its HTML below the title"
    def __init__(self, path: Path, site: dict):
        self.path, self.site, self.source, self.name = path, site, path.name, path.stem
        self.ids, self.names = {'content', 'course', 'query', 'found'}, set()
        self.files, self.figures = {}, 0
        self.number = m[1] if (m := re.match(r'(\d+[a-z]?)_', self.source)) else ''
        letter = re.match(r'([a-z])_', self.source)
        self.label = letter[1].upper() if letter else self.number
        self.page = re.sub(r'^\d+[a-zA-Z0-9]*_', '', self.name.lower()) + '.html'
        self.notebook, self.builds, self.needs = '', None, []
        self.reference = self.name == 'api'
        if path.suffix == '.ipynb': self.read_notebook()
        else: self.read_markdown()
        self.plain = plain(self.title)

    def read_markdown(self) -> None:
        text = self.path.read_text(encoding='utf-8')
        if m := re.match(r'---\n(.*?)\n---\n', text, re.S): text = text[m.end():]
        self.about(yaml.safe_load(m[1]) if m else {})
        self.text = scrolling(render(NbdevLookup().linkify(text), self))
        if BOARD in self.text:
            self.text = self.text.replace(BOARD, fetched(Board(self)._repr_html_()))
        if PROJECTS in self.text: self.text = self.text.replace(PROJECTS, projects(self))

    def read_notebook(self) -> None:
        nb = read_nb(self.path)
        self.notebook = self.source
        prose = [c.source for c in takewhile(sits, nb.cells) if c.cell_type == 'markdown']
        code = '\n'.join(c.source for c in nb.cells if c.cell_type == 'code')
        lines = [line for c in takewhile(sits, nb.cells) if c.cell_type == 'code'
                 for line in re.findall(r'^(?!#|\s*$)', c.source, re.M)]
        self.minutes = max(1, round(len(' '.join(prose).split())/220 + len(lines)/30))
        self.builds = builds(nb.cells)
        self.needs = re.findall(rf'^(?:from|import) {self.site["lib"]}\.(\w+)', code, re.M)
        self.needs += re.findall(r'\]\((\d\d[a-z]?_\w+\.ipynb)', ' '.join(prose[:2]))
        mark(nb.cells)
        Filter()(nb)
        self.about(getattr(nb, 'frontmatter_', {}))
        cells = [cell for cell in nb.cells if cell.cell_type != 'raw']
        self.names = {m[1].lower() for cell in cells if (m := SHOWS.match(cell.source))}
        text = ''.join(
            guess([*pieces]) if card else ''.join(map(str, pieces))
            for card, pieces in groupby(self.pieces(tidy(cells)), lambda piece: piece.card))
        self.text = scrolling(re.sub(NEXT, '', text))   # the page has its own link to the next

    def pieces(self, cells: list) -> Iterator[Piece]:
        "HTML of each cell; the names that an exported cell defines stand above it"
        waiting, names, card = None, [], None   # a cell, until nbdev's `show_doc` of its names came
        for cell in [*cells, None]:
            if cell and (m := SHOWS.match(cell.source)):
                names.append(m[1])
                continue
            if waiting: names.sort(key=waiting.source.find)
            for name in names:
                said = '' if waiting else self.documented(name)
                yield Piece('', self.defined(name), said, card)
            if waiting: yield code_cell(waiting, self)
            waiting, names = None, []
            if not cell: return
            card = cell.get('card')
            if cell.cell_type == 'code' and 'exports' in cell.directives_: waiting = cell
            elif cell.cell_type == 'code': yield code_cell(cell, self)
            else: yield from self.prose(cell)

    def prose(self, cell) -> Iterator[Piece]:
        """HTML of Markdown: what comments on a guess and what asks for one belong to their cards.

        If a comment is of several paragraphs and nothing else follows in the cell, the last leads
        on, to what all are to read."""
        comment, text, prompt = parts(cell.source)
        if 'comments' in cell and not text + prompt:
            if (leads := comment.rstrip().rfind('\n\n')) > 0:
                comment, text = comment[:leads], comment[leads:]
        card = cell.get('card')
        between = None if prompt else card   # text within the answers
        cards = [cell.get('comments', between), between, card]
        for part, card in zip((comment, text, prompt), cards):
            if part.strip(): yield Piece(render(part, self), card=card)

    def defined(self, name: str) -> str:
        "The heading of an exported name, with a link to its source"
        link = NbdevLookup().code(f'{self.site["lib"]}.{self.builds}.{name}')
        source = (f'<a href="{link}" class="source" aria-label="source of {name}">source</a>'
                  if link and self.site['git'] else '')
        return (f'<div class="defined">\n<h3 id="{name.lower()}" class="exported"><code>{name}'
                f'</code>{anchor(name.lower(), name)}</h3>{source}\n</div>')

    def documented(self, name: str) -> str:
        "The call, text and parameters of a name whose code the page does not show"
        module = Module(self.site['lib_path']/f'{self.builds}.py')
        return render(entry(name, module, [module]), self)

    def about(self, front: dict) -> None:
        "Title and promise, from what nbdev or Quarto takes for front matter"
        self.title = inline(front.get('title', ''), self)
        self.promise = inline(front.get('description', ''), self)

    # What markdown.py asks for

    def place(self, wanted: str) -> str:
        "An id for a heading: the one `wanted`, or one like it that no heading and no name has"
        if wanted in self.names: wanted += '-section'
        free = (f'{wanted}-{n}' if n else wanted for n in count())
        self.ids.add(place := next(place for place in free if place not in self.ids))
        return place

    def address(self, href: str) -> str:
        "Where a link leads: a page of the site, or a file of the project, on the code host if any"
        path, _, place = href.removeprefix(self.site['base']).partition('#')
        if place and (m := re.fullmatch(rf'.*/({self.site["lib"]}/\w+)\.py', path)):
            return NbdevLookup().code(f'{m[1]}.{place}'.replace('/', '.')) or path
        if path.startswith('../website/static/'): return path.replace('../website/static', 'assets')
        if path.startswith('../') and (file := self.site['nbs']/path).exists():
            if self.site['git']: return f'{self.site["git"]}/blob/{self.site["branch"]}/{path[3:]}'
            path = path[3:] if file.suffix else f'{path[3:]}.txt'   # a copy beside the pages
            self.files[path] = file.read_bytes()
            return path
        if not re.match(r'\w+:', path) and path.endswith(('.ipynb', '.qmd')):
            path = re.sub(r'^\d+[a-zA-Z0-9]*_', '', path.lower()).rpartition('.')[0] + '.html'
        elif (file := self.site['nbs']/path).is_file(): self.files[path] = file.read_bytes()
        return f'{path}#{place}' if place else path

    def next_figure(self) -> str:
        self.figures += 1
        return f'{self.page[:-5]}-{self.figures - 1}'

    # The whole

    @property
    def contents(self) -> list[Section]:
        "The headings of the second level; in the reference, of the third too"
        heads = re.findall(r'<h([23]) id="([^"]*)"[^>]*>(.*?)(?:<a class="anchor".*?)?</h\1>',
                           self.text, re.S)
        return [Section(place, int(level), heading) for level, place, heading in heads
                if level == '2' or self.reference]

    @property
    def body(self) -> str:
        "The text with each second-level heading and what follows it in a section of its own"
        head, *parts = re.split(r'(?=<h2 id=)', self.text)
        for i, part in enumerate(parts):
            place = part.split('"', 2)[1]
            kind = next((f' {kind}' for start, kind in ENDS.items() if place.startswith(start)), '')
            parts[i] = f'<section class="part{kind}">{part}</section>\n'
        return head + ''.join(parts)
