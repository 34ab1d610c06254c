"Writes the API reference, nbs/api.qmd: what the modules export, as code and chapters say it."
import ast
import re
from html import escape
from pathlib import Path

from address import address
from execnb.nbio import read_nb
from nbdev.config import get_config

from digit_under_hood.lab.directives import builds

from .examples import examples
from .signatures import Module, Row, call, fields, members, rows, takes_self

HEAD = '''---
title: API reference
description: Every name that the notebooks export, with an example and the chapter that builds it.
---

<!-- Made from the modules and the notebooks by `make api`. Change it there. -->
'''
COLUMNS = 'Parameter', 'Type', 'Default', 'What it is'


def ticks(text: str | None) -> str:
    "HTML of a docstring: escaped, on one line, with `names` set as code"
    said = re.sub(r'\s*\n\s*', ' ', text or '')
    return re.sub(r'`([^`]+)`', r'<code>\1</code>', escape(said, quote=False))


def raw(html: str) -> str:
    "Markdown that hands `html` on as it is"
    return f'\n```{{=html}}\n{html}```\n'


def table(found: list[Row]) -> str:
    "The docments as an HTML table, less the columns that would be empty"
    def cell(column: int, text: str) -> str:
        code = f'<code>{escape(text)}</code>' if text and text != 'returns' else text
        if column == 0: return f'<th scope="row">{code}</th>'
        return f'<td class="note">{ticks(text)}</td>' if column == 3 else f'<td>{code}</td>'

    if not found: return ''
    used = [i for i in range(4) if any(row[i] for row in found)]
    head = ''.join(f'<th scope="col">{COLUMNS[i]}</th>' for i in used)
    body = ''.join(f'<tr>{"".join(cell(i, row[i]) for i in used)}</tr>\n' for row in found)
    return (f'<table class="docments">\n<thead><tr>{head}</tr></thead>\n'
            f'<tbody>\n{body}</tbody>\n</table>\n')


def methods(found: dict, node: ast.ClassDef) -> str:
    "The public methods of a class as an HTML list, inherited ones with the class they come from"
    shown = ''
    for name, (function, owner, module) in found.items():
        nothing = owner is not node and ast.get_docstring(function) and len(function.body) == 1
        if name.startswith('_') or nothing: continue   # an event that this class leaves as it is
        given = rows(function, module, takes_self(function))
        origin = '' if owner is node else f' <small>from <code>{owner.name}</code></small>'
        shown += (f'<dt><code>{escape(call(name, given, function))}</code></dt>\n'
                  f'<dd>{ticks(ast.get_docstring(function))}{origin}</dd>\n')
    return f'<dl class="methods">\n{shown}</dl>\n' if shown else ''


def entry(name: str, module: Module, modules: list[Module]) -> str:
    "Markdown for one exported name: its call, docstring, parameters and methods"
    node = module.defined[name]
    said, rest = '', ''
    if isinstance(node, ast.ClassDef):
        found = members(node, module, modules)
        given = fields(node, module)
        if init := found.get('__init__'): given = rows(init.function, init.module, True)
        made = call(name, given, init.function if init else None)
        said, rest = ast.get_docstring(node), table(given) + methods(found, node)
    elif isinstance(node, ast.FunctionDef):
        given = rows(node, module, False)
        made, said, rest = call(name, given, node), ast.get_docstring(node), table(given)
    else:
        made = module.text(node)
        said = module.notes.get(node.end_lineno or 0)
    if said: rest = f'<p>{ticks(said)}</p>\n{rest}'
    return f'```{{.python .call}}\n{made}\n```\n' + (raw(rest) if rest else '')


def api_page(lib: str, git: str, lib_path: Path, chapters: list[Path]) -> str:
    "The whole reference, modules in the order of the chapters"
    built = {name: path for path in chapters if (name := builds(read_nb(path).cells))}
    modules = [Module(lib_path/f'{name}.py') for name in built if (lib_path/f'{name}.py').exists()]
    text = HEAD
    for module in modules:
        path, used = built[module.name], examples(built[module.name])
        number, promise = path.stem.split('_')[0], ast.get_docstring(module.tree) or ''
        there = f'appendix {number.upper()}' if number.isalpha() else f'chapter {number}'
        text += (f'\n## {lib}.{module.name}\n\n{promise.rstrip(".")}. '
                 f'Built in [{there}]({path.name}).\n')
        for name in module.exports:
            assigned = isinstance(module.defined[name], ast.Assign)
            place = path.name + ('' if assigned else f'#{name.lower()}')
            text += f'\n### `{name}`\n\n{entry(name, module, modules)}'
            if example := used.get(name):
                text += f'\nFor example:\n\n```python\n{example.code}\n```\n'
                if example.output: text += f'\n```{{.printed}}\n{example.output}\n```\n'
            links = {f'Built in {there}': place}
            if git: links['Source'] = f'{git}/{lib}/{module.name}.py#{name}'
            where = ' '.join(f'<a href="{href}" aria-label="{said}: {name}">{said}</a>'
                             for said, href in links.items())
            text += raw(f'<p class="where">{where}</p>\n')
    return text


def write() -> None:
    "Make nbs/api.qmd"
    cfg = get_config()
    where = address() and f'{address()}/blob/{cfg.branch}'
    text = api_page(cfg.lib_path.name, where, cfg.lib_path,
                    sorted(cfg.nbs_path.glob('*_*.ipynb')))
    (cfg.nbs_path/'api.qmd').write_text(text, encoding='utf-8', newline='\n')
