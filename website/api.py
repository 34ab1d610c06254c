"Writes the API reference, a page of Markdown, from the docstrings and docments of the modules."
import ast
import io
import re
import tokenize
from html import escape
from pathlib import Path

HEAD = '''---
title: API reference
description: Every name that the notebooks export, with the chapter that builds it.
---

'''
COLUMNS = 'Parameter', 'Type', 'Default', 'What it is'
Row = tuple[str, str, str, str]   # as in COLUMNS


def comments(source: str) -> dict[int, str]:
    "The comment of each line that has one, by line number"
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip('# ') for t in tokens if t.type == tokenize.COMMENT}


def ticks(text: str | None) -> str:
    "HTML of a docstring: escaped, with `names` set as code"
    return re.sub(r'`([^`]+)`', r'<code>\1</code>', escape(text or '', quote=False))


def typed(node: ast.expr | None) -> str: return ast.unparse(node) if node else ''


def rows(function: ast.FunctionDef, notes: dict[int, str], method: bool) -> list[Row]:
    "Parameters of `function`, and what it returns; a line's comment is for its last parameter"
    a = function.args
    plain = [*a.posonlyargs, *a.args]
    defaults = [None]*(len(plain) - len(a.defaults)) + a.defaults
    named = [(arg.arg, arg, d) for arg, d in zip(plain, defaults, strict=True)][method:]
    if a.vararg: named.append((f'*{a.vararg.arg}', a.vararg, None))
    named += [(arg.arg, arg, d) for arg, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    if a.kwarg: named.append((f'**{a.kwarg.arg}', a.kwarg, None))
    last = {arg.end_lineno: name for name, arg, _ in named}
    body = function.body[0].lineno
    result = []
    for name, arg, default in named:
        mine = last[arg.end_lineno] == name and (arg.end_lineno or 0) < body
        note = notes.get(arg.end_lineno or 0, '') if mine else ''
        result.append((name, typed(arg.annotation), typed(default), note))
    if function.returns:
        line = function.returns.end_lineno or 0
        note = '' if line in last or line >= body else notes.get(line, '')
        result.append(('returns', typed(function.returns), '', note))
    return result


def signature(name: str, function: ast.FunctionDef, method: bool) -> str:
    "The call, without types and comments"
    given = [row for row in rows(function, {}, method) if row[0] != 'returns']
    parts = [f'{row[0]}={row[2]}' if row[2] else row[0] for row in given]
    only = len(function.args.kwonlyargs)
    if only and not function.args.vararg: parts.insert(len(parts) - only, '*')
    return f'{name}({", ".join(parts)})'


def table(found: list[Row]) -> str:
    "The docments as an HTML table, less the columns that would be empty"
    def cell(column: int, text: str) -> str:
        code = f'<code>{escape(text)}</code>' if text and text != 'returns' else text
        if column == 0: return f'<th scope="row">{code}</th>'
        return f'<td class="note">{ticks(text)}</td>' if column == 3 else f'<td>{code}</td>'

    if not found: return ''
    used = [i for i in range(4) if any(row[i] for row in found)]
    head = ''.join(f'<th scope="col">{COLUMNS[i]}</th>' for i in used)
    body = ''.join(f'<tr>{"".join(cell(i, row[i]) for i in used)}</tr>' for row in found)
    return (f'<table class="docments"><thead><tr>{head}</tr></thead>'
            f'<tbody>{body}</tbody></table>')


def functions(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}


def takes_self(method: ast.FunctionDef) -> bool:
    return 'staticmethod' not in map(ast.unparse, method.decorator_list)


def entry(node: ast.stmt, source: str, notes: dict[int, str]) -> str:
    "HTML for one exported name: its call, docstring, parameters and methods"
    if isinstance(node, ast.ClassDef):
        methods = functions(node)
        init = methods.get('__init__')
        bases = ', '.join(map(ast.unparse, node.bases))
        call = signature(node.name, init, True) if init else f'{node.name}({bases})'
        listed = ''.join(
            f'<dt><code>{escape(signature(name, m, takes_self(m)))}</code></dt>'
            f'<dd>{ticks(ast.get_docstring(m))}</dd>'
            for name, m in methods.items() if not name.startswith('_'))
        rest = table(rows(init, notes, True)) if init else ''
        if listed: rest += f'<dl class="methods">{listed}</dl>'
    elif isinstance(node, ast.FunctionDef):
        call, rest = signature(node.name, node, False), table(rows(node, notes, False))
    else: call, rest = ast.get_source_segment(source, node) or '', ''
    said = isinstance(node, ast.ClassDef | ast.FunctionDef)
    text = ast.get_docstring(node) if said else notes.get(node.end_lineno or 0)
    text = f'<p>{ticks(text)}</p>' if text else ''
    return f'<pre class="call"><code>{escape(call)}</code></pre>{text}{rest}'


def definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    "What a module defines at its top"
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef): found[node.name] = node
        elif isinstance(node, ast.Assign): found[ast.unparse(node.targets[0])] = node
    return found


def module_part(path: Path, page: dict, site: dict, taken: set[str]) -> str:
    "The section of one module; `taken` are the ids that are in use"
    source = path.read_text(encoding='utf-8')
    tree, notes = ast.parse(source), comments(source)
    defined = definitions(tree)
    promise = (ast.get_docstring(tree) or '').rstrip('.')
    text = (f'## {site["lib"]}.{path.stem}\n\n{promise}. '
            f'Built in [{page["title"]}]({page["notebook"]}).\n\n')
    chapter = page['notebook'][:2]
    every = defined.get('__all__')
    for name in ast.literal_eval(every.value) if isinstance(every, ast.Assign) else []:
        if not (node := defined.get(name)): continue
        place = page['page'] + ('' if isinstance(node, ast.Assign) else f'#{name.lower()}')
        code = f'{site["git"]}/blob/{site["branch"]}/{site["lib"]}/{path.name}#L{node.lineno}'
        built = f'Built in chapter {chapter}'
        links = (f'<p class="where"><a href="{place}" aria-label="{built}: {name}">{built}</a> '
                 f'<a href="{code}" aria-label="Source of {name}">Source</a></p>')
        free = name.lower() not in taken
        anchor = name.lower() if free else f'{path.stem}.{name.lower()}'
        taken.add(anchor)
        html = entry(node, source, notes) + links
        text += f'### {name}\n\n```{{=html}}\n{html}\n```\n\n'
    return text


def api_page(site: dict, pages: list[dict]) -> str:
    "The whole reference, modules in the order of the chapters"
    taken: set[str] = set()
    built = [(site['lib_path']/f'{page["builds"]}.py', page) for page in pages if page['builds']]
    return HEAD + ''.join(module_part(path, page, site, taken)
                          for path, page in built if path.exists())
