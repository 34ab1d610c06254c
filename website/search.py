"What search finds: each heading, exported name, method, term and table row of the built pages."
import json
import re
from collections.abc import Iterable
from html.parser import HTMLParser

SKIPPED = {'script', 'style', 'svg', 'nav', 'annotation', 'button', 'template'}
LEFT_OUT = {'anchor', 'source', 'where', 'eyebrow', 'facts', 'actions', 'start', 'contents-inline',
            'copy', 'minutes', 'numeral', 'display', 'asks', 'checked'}   # these tell nothing
VOID = {'img', 'meta', 'link', 'br', 'hr', 'input', 'source', 'col', 'wbr'}
APART = re.compile('p|li|td|th|dt|dd|div|tr|h[1-6]|pre|summary|figcaption|ol|ul|blockquote|br')
ENDS = {'known', 'turn', 'questions'}    # the sections that end a chapter and name all it was about
LETTERS = 12                             # a table row with fewer holds only numbers


def squeezed(text: str) -> str: return re.sub(r'\s+', ' ', text).strip()


def methods(code: str) -> list[str]:
    "The methods that `code` defines, with the name of their class"
    found, owner = [], ''
    for line in code.splitlines():
        m = re.match(r'class (\w+)|    def ([^\W_]\w*)', line)
        if m and m[1]: owner = m[1]
        elif m and owner: found.append(f'{owner}.{m[2]}')
    return found


class Entry:
    "A place that search finds, with its prose whole and its code as the set of words in it"
    def __init__(self, place: str, kind: str, heading: str = ''):
        self.place, self.kind, self.heading, self.text, self.code = place, kind, heading, '', ''

    def row(self) -> list[str]:
        "What the index says of it; a word of the code that the prose has too is left out there"
        said = set(re.findall(r'[\w.]+', self.text.lower()))
        names = methods(self.code) + re.findall(r'[^\W\d](?:\w|\.(?=[^\W\d]))+', self.code)
        code = ' '.join(dict.fromkeys(name for name in names if name.lower() not in said))
        text = squeezed(self.text).strip(' ·')
        return [self.place, self.kind, squeezed(self.heading), text, code]


class Reader(HTMLParser):
    "Reads the main part of a built page into entries"
    def __init__(self, page: str, html: str):
        super().__init__()
        self.page, self.ends = page, False
        self.open: list[tuple[str, set[str]]] = []     # the tags around, with their classes
        self.section = Entry('', 'page')               # what the last heading stands for
        self.entries, self.entry = [self.section], self.section
        main = re.search(r'<main\b.*</main>', html, re.S)
        self.feed(main[0] if main else '')

    def inside(self, *tags: str) -> bool: return any(tag in tags for tag, _ in self.open)

    def classed(self, names: set[str]) -> bool: return any(own & names for _, own in self.open)

    def skipped(self) -> bool:
        if self.inside('summary') and self.classed({'fold', 'answer'}): return True
        if self.inside('thead') and self.classed({'docments'}): return True
        return self.inside(*SKIPPED) or self.classed(LEFT_OUT)

    def begin(self, place: str, kind: str, heading: str = '') -> Entry:
        "A new entry, which what follows belongs to"
        self.entry = Entry(place, kind, heading)
        self.entries.append(self.entry)
        return self.entry

    def handle_starttag(self, tag, attrs):
        found = {name: value or '' for name, value in attrs}
        classes = set(found.get('class', '').split())
        if tag not in VOID: self.open.append((tag, classes))
        if self.skipped(): return
        if tag == 'section': self.ends = bool(classes & ENDS)
        if tag in ('h2', 'h3', 'h4') and 'id' in found:
            self.section = self.begin(found['id'], self.kind(tag, classes))
        elif tag == 'dt' and self.classed({'methods'}):
            self.begin(found.get('id', self.section.place), 'method', f'{self.section.heading}.')
        elif tag == 'tr' and not self.inside('thead') and not self.classed({'docments'}):
            self.begin(self.section.place, 'row', self.section.heading)
        elif tag in ('td', 'th') and self.entry.kind == 'row': self.entry.text += ' · '
        elif tag == 'img': self.entry.text += f' {found.get("alt", "")} '
        if APART.fullmatch(tag): self.handle_data('\n')

    def kind(self, tag: str, classes: set[str]) -> str:
        "What a heading stands for"
        named = {'api.html': 'api', 'glossary.html': 'term'}.get(self.page) if tag == 'h3' else None
        if named or 'exported' in classes: return named or 'definition'
        return 'end' if self.ends else 'section'

    def handle_data(self, data):
        if self.skipped(): return
        entry = self.entry
        if self.inside('h1', 'h2', 'h3', 'h4') or (entry.kind == 'method' and self.inside('dt')):
            entry.heading += data
        elif self.inside('pre'): entry.code += data
        else: entry.text += data

    def handle_endtag(self, tag):
        if APART.fullmatch(tag): self.handle_data('\n')
        while tag in (other for other, _ in self.open) and self.open.pop()[0] != tag: pass
        if (tag, self.entry.kind) == ('tr', 'row'):
            if sum(map(str.isalpha, self.entry.text)) < LETTERS: self.entries.remove(self.entry)
            self.entry = self.section
        if (tag, self.entry.kind) == ('dl', 'method'): self.entry = self.section


def search_index(pages: Iterable[tuple[str, str]]) -> str:
    "The index as JSON: of each page (name, HTML) its name, title and entries"
    index = []
    for name, html in pages:
        entries = Reader(name, html).entries
        for entry in (entry for entry in entries if entry.kind == 'method'):
            call = re.sub(r'\s*\.\s*', '.', squeezed(entry.heading), count=1)
            entry.heading, entry.text = call.partition('(')[0], f'{call} {entry.text}'
        title = squeezed(entries[0].heading)
        index.append([name, title, [entry.row() for entry in entries]])
    return json.dumps(index, ensure_ascii=False, separators=(',', ':'))
