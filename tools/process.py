"Processes the notebooks for the docs: nbdev's filter, and what makes both renderers agree."
import ast
import contextlib
import hashlib
import json
import multiprocessing
import os
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path

import yaml
from execnb.nbio import mk_cell, read_nb, write_nb
from nbdev.doclinks import NbdevLookup
from nbdev.processors import FilterDefaults, exec_show_docs
from nbdev.quarto import refresh_quarto_yml

EXPORTS = {'export', 'exports', 'exporti'}
ASKED = {'code-fold', 'echo', 'include'}   # directives by which an author says how code is shown
SLIDER = '<p class="live-only">In the running notebook a slider appears here.</p>'
WIDGET = 'application/vnd.jupyter.widget-view+json'
PREPARES = re.compile(r'plt\.style|plt\.rc|torch\.manual_seed|import |from ')
DRAWS = re.compile(r'\b(plt|ax|axes|axs|fig)\b')


class ExportsOnly(exec_show_docs):
    "Runs the exported cells alone: no signature needs what the demos import, and that is slow"
    def __call__(self, cell):
        if cell.directives_.keys() & EXPORTS or 'show_doc(' in cell.source: super().__call__(cell)


class Filter(FilterDefaults):
    "nbdev's processors for the docs, running no more than they must"
    def base_procs(self):
        return [ExportsOnly if proc is exec_show_docs else proc for proc in super().base_procs()]


# How one cell is shown

def is_check(node: ast.stmt) -> bool:
    "Does this statement only assert? A mistake shown on purpose (`test_fail`) teaches instead"
    call = getattr(getattr(getattr(node, 'value', None), 'func', None), 'id', '')
    return isinstance(node, ast.Assert) or (call.startswith('test_') and call != 'test_fail')


def plumbing(code: str) -> str | None:
    "The name under which a cell that prepares, checks or draws is folded; None if it teaches"
    try: body = ast.parse(code).body
    except SyntaxError: return None
    lines = code.splitlines()
    if not body: return None
    if all(isinstance(node, ast.Import | ast.ImportFrom) for node in body): return 'Imports'
    if all(map(is_check, body)): return f'Checked: {len(body)} assertion{"s"*(len(body) > 1)}'
    if all(PREPARES.match(ast.unparse(node)) for node in body): return 'Set-up'
    if 5 <= sum(bool(DRAWS.search(line)) for line in lines) > len(lines)/2:
        return 'How this is drawn'
    return None


def directives(source: str) -> tuple[dict[str, str], str]:
    "The `#| key: value` lines that nbdev leaves at the top of a cell, and the code below them"
    found = {}
    while m := re.match(r'#\|\s*([\w-]+):\s*(.*?)[ \t]*(?:\n|\Z)', source):
        value = m[2]
        if value[:1] in ('"', "'"):
            with contextlib.suppress(yaml.YAMLError): value = str(yaml.safe_load(value))
        found[m[1]], source = value, source[m.end():]
    return found, source


def spelled(options: dict[str, str]) -> str:
    "Directives as lines, quoted so that a colon in a picture's description does no harm"
    bare = ('true', 'false', 'show', 'asis')
    return ''.join(f'#| {k}: {v if v in bare else json.dumps(v)}\n' for k, v in options.items())


def can_show(output: dict) -> bool:
    "Keep an output that a page can show; a widget gives way to a note"
    data = output.get('data', {})
    if WIDGET in data: output['data'] = data = {'text/html': SLIDER}
    data.pop('application/javascript', None)
    return bool(data) or 'data' not in output


def relink(text: str, site: dict) -> str:
    "Links as the site needs them: relative, and to the code host for files of the project"
    def out(m):
        there = (site['root']/m[1]).exists()
        return f'({site["git"]}/blob/{site["branch"]}/{m[1]})' if there else m[0]
    return re.sub(r'(?<=\])\(\.\./([^)\s]+)\)', out, text.replace(site['base'], ''))


def heading(line: str, names: set[str]) -> str:
    "A heading without links inside, and with an id of its own if an exported name has the same"
    line = re.sub(r'\[(`[^`]+`)\]\([^)]*\)', r'\1', line)
    slug = re.sub(r'[^\w.-]', '', re.sub(r'^#+ ', '', line).lower().replace(' ', '-'))
    return f'{line} {{#{slug}-section}}' if slug in names else line


def tidy(cell, after, site: dict, names: set[str]) -> None:
    "Make one processed cell plain; `names` are those that the notebook exports, in lower case"
    if cell.cell_type == 'markdown':
        lines, fenced = relink(cell.source, site).split('\n'), False
        for i, line in enumerate(lines):
            fenced ^= line.startswith('```')
            if not fenced and re.match('#{1,6} ', line): lines[i] = heading(line, names)
        cell.source = '\n'.join(lines)
    if cell.cell_type != 'code': return
    options, code = directives(cell.source)
    if options.get('code-summary') == 'Exported source':   # it is what the chapter is about
        del options['code-fold'], options['code-summary']
    if not ASKED & options.keys() and (name := plumbing(code)):
        options |= {'code-fold': 'true', 'code-summary': name}
    cell.source = spelled(options) + code
    cell.outputs = [output for output in cell.get('outputs', []) if can_show(output)]
    for output in cell.outputs:
        if not (text := ''.join(output.get('data', {}).get('text/markdown', ''))): continue
        if code.startswith('show_doc(') and after and 'Exported source' in after.source:
            text = re.split(r'\n```', text)[0] + '\n'   # the source below says the rest
        output['data']['text/markdown'] = text.replace(site['base'], '')


# A whole notebook

def about(nb, name: str, site: dict) -> dict:
    "What a page says of its notebook: title, promise, minutes to read, what it builds and needs"
    prose = [c.source for c in nb.cells if c.cell_type == 'markdown']
    code = '\n'.join(c.source for c in nb.cells if c.cell_type == 'code')
    words, lines = len(' '.join(prose).split()), len(re.findall(r'^(?!#|\s*$)', code, re.M))

    def first(pattern: str, text: str):
        return m[1].strip() if (m := re.search(pattern, text, re.M)) else None

    return dict(
        notebook=f'{name}.ipynb',
        page=re.sub(r'^\d+[a-zA-Z0-9]*_', '', name.lower()) + '.html',
        title=first('^# (.+)', ''.join(prose[:1])),
        promise=first('^> (.+)', ''.join(prose[:1])),
        minutes=max(1, round(words/220 + lines/30)),
        builds=first(r'^#\|\s*default_exp\s+(\w+)', code),
        needs=re.findall(rf'^(?:from|import) {site["lib"]}\.(\w+)', code, re.M),
        needs_too=re.findall(r'\]\((\d\d_\w+\.ipynb)', ' '.join(prose[:2])))


def split_opening(nb) -> None:
    "Part title and promise from what follows: nbdev makes front matter of the whole first cell"
    at = next((i for i, c in enumerate(nb.cells) if c.cell_type == 'markdown'), None)
    if at is None: return
    m = re.match(r'(# .+\n+(?:>.*(?:\n+|\Z))*)((?!>)\S[\s\S]*)', nb.cells[at].source)
    if not m: return
    nb.cells[at].source = m[1].rstrip()
    nb.cells.insert(at + 1, mk_cell(m[2], 'markdown'))


def process(name: str, site: dict) -> dict:
    "Process the notebook `name` into _proc; return what `about` says of it"
    os.environ['IN_TEST'] = '1'   # nbdev's sign that cells must not export
    nb = read_nb(site['nbs']/f'{name}.ipynb')
    page = about(nb, name, site)
    split_opening(nb)
    Filter()(nb)
    shows = '\n'.join(c.source for c in nb.cells if c.cell_type == 'code')
    names = {n.lower() for n in re.findall(r'^show_doc\(([\w.]+)', shows, re.M)}
    for cell, after in zip(nb.cells, [*nb.cells[1:], None], strict=True):
        tidy(cell, after, site, names)
    write_nb(nb, site['proc']/f'{name}.ipynb')
    return page


# All of them

def keys(site: dict) -> dict[str, str]:
    "A key for each notebook: it changes with whatever its processed form depends on"
    recipe = Path(__file__).read_text(encoding='utf-8')
    recipe += (site['root']/'settings.ini').read_text(encoding='utf-8')
    recipe += ''.join(map(version, ('nbdev', 'fastcore', 'execnb')))
    index = site['lib_path']/'_modidx.py'
    known = index.read_text(encoding='utf-8') if index.exists() else ''
    links = re.findall(r"'([\w.]+)': \(\s*'([^']+)'", known)
    result = {}
    for path in sorted(site['nbs'].glob('*.ipynb')):
        text = path.read_text(encoding='utf-8')
        near = [link for link in links if link[0].rpartition('.')[2] in text]
        result[path.stem] = hashlib.sha256(f'{recipe}{near}{text}'.encode()).hexdigest()
    return result


def copy_rest(nbs: Path, proc: Path, site: dict) -> None:
    "Copy what is no notebook; pages get their links"
    for path in nbs.iterdir():
        if path.suffix == '.ipynb' or path.name.startswith('.') or path.name.endswith('_files'):
            continue
        if path.is_dir(): shutil.copytree(path, proc/path.name)
        elif path.suffix != '.qmd': shutil.copy2(path, proc/path.name)
        else:
            text = NbdevLookup().linkify(path.read_text(encoding='utf-8'))
            (proc/path.name).write_text(relink(text, site) + '\n', encoding='utf-8')


def process_all(site: dict) -> tuple[list[dict], int]:
    "Bring _proc up to date; return what is known of each notebook, and how many were processed"
    refresh_quarto_yml()
    proc, wanted = site['proc'], keys(site)
    proc.mkdir(exist_ok=True)
    record = proc/'.pages.json'
    known = json.loads(record.read_text(encoding='utf-8')) if record.exists() else {}
    fresh = {name: known[name] for name, key in wanted.items()
             if known.get(name, {}).get('key') == key and (proc/f'{name}.ipynb').exists()}
    keep = {record.name, '.figures', *(f'{name}.ipynb' for name in fresh)}
    for old in proc.iterdir():
        if old.name in keep: continue
        if old.is_dir(): shutil.rmtree(old)
        else: old.unlink()
    todo = [name for name in wanted if name not in fresh]
    work = partial(process, site=site)
    if len(todo) < 2: pages = [*map(work, todo)]
    else:
        workers = min(len(todo), os.cpu_count() or 1)
        with ProcessPoolExecutor(workers, multiprocessing.get_context('spawn')) as pool:
            pages = [*pool.map(work, todo)]
    fresh |= {name: {'key': wanted[name], **page} for name, page in zip(todo, pages, strict=True)}
    record.write_text(json.dumps(fresh, indent=1), encoding='utf-8')
    copy_rest(site['nbs'], proc, site)
    return [fresh[name] for name in wanted], len(todo)
