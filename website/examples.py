"Examples for the reference: the cell by which a chapter first shows an exported name at work."
import ast
from typing import NamedTuple

from execnb.nbio import read_nb

from digit_under_hood.lab.directives import split
from digit_under_hood.lab.roles import is_check

LONGEST, WIDEST = 12, 240   # lines of code, characters of output


class Example(NamedTuple):
    "Code that uses a name, and what its last line gave, where that is short and is text"
    code: str
    output: str


def names(node: ast.AST) -> set[str]:
    "Every name and attribute that `node` mentions"
    return ({n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            | {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)})


def assigned(node: ast.stmt) -> set[str]:
    "The names that a statement makes"
    made = {n.id for n in ast.walk(node)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return made | ({node.name} if isinstance(node, ast.FunctionDef | ast.ClassDef) else set())


def shortened(code: str, name: str, first: bool = False) -> tuple[str, bool]:
    """The statements of `code` that use `name` and what those need; whether the last one is there.

    Of `code` that is long, or if `first`, only the first of them."""
    body, lines = ast.parse(code).body, code.split('\n')

    def text(kept):
        return '\n'.join('\n'.join(lines[n.lineno - 1:n.end_lineno]) for n in body if n in kept)

    users = [node for node in body if name in names(node)]
    for wanted in (users[:1],) if first else (body, users, users[:1]):
        kept, needs = list(wanted), set().union(*map(names, wanted))
        for node in reversed(body[:body.index(wanted[-1])]):
            if node not in kept and assigned(node) & needs:
                kept.append(node)
                needs |= names(node)
        if text(kept).count('\n') < LONGEST: break
    return text(kept), body[-1] in kept


def result(cell) -> str:
    "What a cell printed as its value: text alone, and not much"
    for out in cell.get('outputs', []):
        data = out.get('data', {})
        text = ''.join(data.get('text/plain', ''))
        if set(data) == {'text/plain'} and len(text) <= WIDEST: return text
    return ''


def examples(path) -> dict[str, Example]:
    """For each name that the notebook at `path` exports, its first use in a cell below.

    Where the chapter shows none a check must do, and where it shows no check a hidden one."""
    waiting, hidden, checked, found = [], {}, {}, {}
    for cell in read_nb(path).cells:
        if cell.cell_type != 'code': continue
        options, code = split(cell.source)
        try: body = ast.parse(code).body
        except SyntaxError: continue
        if {'export', 'exports'} & options.keys():
            waiting += [name for node in body for name in assigned(node)]
        else:
            for name in [name for name in waiting if any(name in names(node) for node in body)]:
                short, whole = shortened(code, name, 'hide' in options)
                example = Example(short, result(cell) if whole and 'timing' not in options else '')
                if 'hide' in options: hidden.setdefault(name, example)
                elif all(map(is_check, body)): checked.setdefault(name, example)
                else:
                    found[name] = example
                    waiting.remove(name)
    return hidden | checked | found
