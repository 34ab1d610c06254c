"""Runs a notebook afresh and compares its outputs with the stored ones.

A cell whose output may differ from run to run, such as a time, says so with the line `#| timing`.
Whole numbers and words must be equal. Fractions may differ as much as float32 between machines.
While it runs, the clock tells no time (NaN), and with NaN every comparison is false: an assertion
on a time fails, and a time in a cell without `#| timing` is seen.
Of what a reader can play with, the data are compared: packed numbers may be two steps off.
"""
import json
import math
import os
import re
import subprocess
from html import unescape
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient

from digit_under_hood.explorable import unpack
from digit_under_hood.lab.directives import directives

NBS = Path(__file__).parents[1]/'nbs'
NOTEBOOKS = sorted(path.name for path in NBS.glob('*.ipynb'))
SECONDS = 300     # that a cell may take
NUMBER = re.compile(r'(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?')
RELATIVE, ABSOLUTE = 1e-3, 1e-4
ANSI = re.compile(r'\x1b\[[0-9;]*m')
PICTURES = {'image/png', 'image/jpeg', 'image/svg+xml'}
BAR = re.compile(r'^.*\r|\|█*-*\| [\d.]+% \[.*\]', re.M)   # where no browser shows it
PASSING = {'application/javascript', 'application/vnd.jupyter.widget-view+json'}
PLAYED = re.compile(r'<div data-explorable="\w+">.*?json">(.*?)</script>', re.S)
STEPS, FEW = 2, 16   # that packed numbers may be off; fewer different values than this are names
NO_CLOCK = """
def no_clock(time, timeit, importlib, sys):
    def told(real):
        def clock():   # the kernel, and what else waits, keep theirs
            asks = sys._getframe(1).f_globals.get('__name__')
            return float('nan') if asks == '__main__' else real()
        return clock
    for name in 'time', 'monotonic', 'process_time', 'thread_time':
        for each in name, f'{name}_ns': setattr(time, each, told(getattr(time, each)))
    time.perf_counter = time.perf_counter_ns = lambda: float('nan')
    importlib.reload(timeit)   # it has taken hold of perf_counter
no_clock(*map(__import__, ('time', 'timeit', 'importlib', 'sys')))
del no_clock
"""


def rerun(
    name: str,         # of a file in nbs
    **settings: str,   # environment variables of the kernel
) -> list[tuple]:      # of each code cell that is meant to run: the cell, old texts, new texts
    "Run a notebook in a fresh kernel, and list what each cell showed before and what it shows now"
    nb = nbformat.read(NBS/name, 4)
    nb.cells = [cell for cell in nb.cells if directives(cell).get('eval', True)]
    cells = [cell for cell in nb.cells if cell.cell_type == 'code']
    before = [texts(cell) for cell in cells]
    for cell in cells: cell.outputs, cell.execution_count = [], None
    nb.cells.insert(0, nbformat.v4.new_code_cell(NO_CLOCK))
    client = NotebookClient(nb, timeout=SECONDS, interrupt_on_timeout=True, kernel_name='python3',
                            allow_errors=True, resources={'metadata': {'path': str(NBS)}})
    tells = {'IN_TEST': '1', 'PYDEVD_DISABLE_FILE_VALIDATION': '1'}
    client.execute(env=os.environ | tells | settings, stderr=subprocess.DEVNULL)
    return [(cell, old, texts(cell)) for cell, old in zip(cells, before, strict=True)]


def words(html: str) -> str:
    "Strip an HTML output of all but its text"
    return unescape(re.sub(r'<(style|script)\b.*?</\1>|<[^>]+>', ' ', html, flags=re.S))


def texts(cell) -> list[str]:
    "List what a cell shows: its text, a word for each picture, and nothing for bars and widgets"
    shown: list[str] = []
    for output in cell.outputs:
        data = output.get('data', {})
        html = ''.join(data.get('text/html', ''))
        plain = BAR.sub('', ''.join(output.get('text', data.get('text/plain', ''))))
        if output.output_type == 'stream' and not plain.strip(): continue
        if PASSING & set(data) or '<progress' in html: continue
        if played := PLAYED.search(html):
            shown.append(f'data: {played[1]}')
            continue
        if html and not words(html).strip(): continue
        if output.output_type == 'error': shown.append(f'{output.ename}: {output.evalue}')
        elif PICTURES & set(data): shown.append('picture')
        elif html: shown.append(words(html))
        elif output.output_type != 'stream': shown.append(ANSI.sub('', plain))
        elif shown and shown[-1].startswith(f'{output.name}: '): shown[-1] += plain
        else: shown.append(f'{output.name}: {plain}')
    return shown


def skeleton(text: str) -> str:
    "Strip `text` of its numbers and spaces"
    return re.sub(r'\s+', '', NUMBER.sub('#', text))


def same_number(a: str, b: str) -> bool:
    "Are two printed numbers equal, fractions within the tolerance?"
    if re.fullmatch(r'[-+]?\d+', a) and re.fullmatch(r'[-+]?\d+', b): return int(a) == int(b)
    return math.isclose(float(a), float(b), rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def steps_off(a: np.ndarray, b: np.ndarray) -> int:
    "By how much packed whole numbers differ at most; they go round, as bytes do"
    unsigned = f'u{a.dtype}'.replace('uu', 'u')
    apart = np.stack([a.view(unsigned) - b.view(unsigned), b.view(unsigned) - a.view(unsigned)])
    return int(apart.min(0).max(initial=0))


def data_difference(stored: str, fresh: str) -> str | None:
    "Say what differs between what was packed for an explorable and what is now, or None"
    old, new = (unpack(json.loads(text.removeprefix('data: '))) for text in (stored, fresh))
    if [*old] != [*new]: return f'stored {[*old]}, now {[*new]}'
    for name, a in old.items():
        b = new[name]
        if not isinstance(a, np.ndarray):
            if found := difference([repr(a)], [repr(b)]): return f'{name}: {found}'
        elif (a.dtype, a.shape) != (b.dtype, b.shape): return f'{name}: another type or shape'
        elif a.dtype.kind == 'f':
            if not np.allclose(a, b, RELATIVE, ABSOLUTE, equal_nan=True): return f'{name}: {a}, {b}'
        elif (off := steps_off(a, b)) > STEPS*(len(np.unique(a)) >= FEW):
            return f'{name}: {off} steps apart'
    return None


def difference(stored: list[str], fresh: list[str]) -> str | None:
    "Say what differs between the outputs of a cell, or None"
    if len(stored) != len(fresh): return f'{len(stored)} outputs stored, {len(fresh)} now: {fresh}'
    for old, new in zip(stored, fresh, strict=True):
        if old.startswith('data: {') and new.startswith('data: {'):
            if found := data_difference(old, new): return found
            continue
        if skeleton(old) != skeleton(new): return f'stored {old!r}, now {new!r}'
        for a, b in zip(NUMBER.findall(old), NUMBER.findall(new), strict=True):
            if not same_number(a, b): return f'stored {a}, now {b}, in {new!r}'
    return None


def differences(
    cells: list[tuple],   # as `rerun` returns them
) -> list[str]:
    "List the cells that show something else than before; of a time only that it shows"
    wrong = []
    for cell, old, new in cells:
        errors = [output.ename for output in cell.outputs if output.output_type == 'error']
        told = len(old) == len(new) or errors     # no picture can be drawn of NaN
        if 'timing' in directives(cell) and told and 'AssertionError' not in errors: continue
        if found := difference(old, new): wrong.append(f'{cell.source[:200]}\n    {found[:400]}')
    return wrong
