"Cells that belong together on a page: checks of a section, rows side by side, a guess's answers."
import re
from typing import NamedTuple

from execnb.nbio import NbCell, mk_cell

from digit_under_hood.lab.directives import split
from digit_under_hood.lab.roles import ASKS, FENCED, answers, counted, plumbing, together

ASKED = {'code-fold', 'echo', 'include'}   # directives by which an author says how code is shown
CHECKS = re.compile(r'\d+ checks?')
ASK = 'Show what comes out'


# Rows of what a reader may pass by

def row(cell: NbCell) -> str:
    "The name of the row that the code of `cell` is folded under; '' if it is to be read"
    if 'row' in cell: return cell.row
    if cell.cell_type != 'code': return ''
    options, code = split(cell.source)
    return '' if ASKED & options.keys() else plumbing(code) or ''


def joined(cells: list[NbCell], name: str, **known) -> NbCell:
    "One cell with the code of all, folded in a row called `name`"
    cell = mk_cell('\n'.join(split(cell.source)[1].rstrip() for cell in cells))
    cell.update(row=name, **known)
    return cell


def tidy(cells: list[NbCell]) -> list[NbCell]:
    "`cells` with the checks of a section in one row at its end, and rows side by side joined"
    kept: list[NbCell] = []
    checks: list[NbCell] = []

    def flush():
        if not checks: return
        n = sum(int(row(cell).split()[0]) for cell in checks)
        kept.append(joined(checks, f'{counted(n)} passed'))
        checks.clear()

    for cell in cells:
        before = kept[-1] if kept else cell
        if cell.cell_type == 'markdown' and re.search('^## ', cell.source, re.M): flush()
        if CHECKS.match(row(cell)) and not cell.get('outputs'): checks.append(cell)
        elif cell is not before and before.get('card') == cell.get('card') and (
                name := together(row(before).lower(), row(cell).lower())):
            kept[-1] = joined([before, cell], name.capitalize(), card=cell.get('card'))
        else: kept.append(cell)
    flush()
    return kept


# Guesses

class Piece(NamedTuple):
    "HTML of a cell: text, or code and what came out"
    text: str = ''
    code: str = ''
    output: str = ''
    card: str | None = None   # the id of the guess that it belongs to
    folded: bool = False      # is the code in a row, or not there?
    answers: bool = False     # does the output answer, or if there is none the code?

    def __str__(self): return self.text + boxed(self.code, self.output)


def boxed(*parts: str) -> str:
    "HTML of a cell made of `parts`"
    inside = '\n'.join(part for part in parts if part)
    return f'<div class="cell">\n{inside}\n</div>\n' if inside else ''


def mark(cells: list[NbCell]) -> None:
    "Tell each cell from the prompt of a guess to its last answer its card; the next comments on it"
    for prompt, last in {prompt: last for last, prompt in answers(cells).items()}.items():
        card = f'guess-{cells[prompt].id}'
        for cell in cells[prompt:last + 1]: cell.card = card
        if last + 1 < len(cells): cells[last + 1].comments = card


def parts(text: str) -> tuple[str, str, str]:
    "Part Markdown: up to a heading or question, up to the paragraph that asks, and from there on"
    prose = FENCED.sub(lambda m: ' '*len(m[0]), text)
    heads = [m.span() for m in re.finditer(r'^#+ .*\n*', prose, re.M)]
    asking, ask = [m.start() for m in ASKS.finditer(prose)], len(text)
    if asking: ask = max([prose.rfind('\n\n', 0, asking[-1]) + 1, *(end for _, end in heads)])
    first = min([ask, *(start for start, _ in heads)])
    return text[:first], text[first:ask], text[ask:]


def guess(pieces: list[Piece]) -> str:
    """HTML of a guess: what asks, the code, a field for the reader, and folded what comes out.

    The code is folded too if nothing else answers, or if it is only a row; so is the comment."""
    at = next((i for i, piece in enumerate(pieces) if piece.answers), None)
    if at is None: return ''.join(map(str, pieces))
    before, first, after = pieces[:at], pieces[at], pieces[at + 1:]
    open_code = first.code if first.output and not first.folded else ''
    folded = boxed('' if open_code else first.code, first.output) + ''.join(map(str, after))
    place = first.card
    return f'''<div class="guess" role="group" aria-label="Guess" id="{place}">
{''.join(map(str, before))}{boxed(open_code)}<form class="asks needs-js">
<label for="{place}-said">Your guess</label><input id="{place}-said" maxlength="200" \
autocomplete="off"><p role="status"></p>
<button aria-expanded="false" aria-controls="{place}-answer">{ASK}</button>
</form>
<details class="answer" id="{place}-answer"><summary>{ASK}</summary>
{folded}</details>
</div>
'''
