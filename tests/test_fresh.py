"No page shows a stale number: `make nbs-test` compares each, and the comparison itself can fail."
import os
import re
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import portable
import pytest
from compare import NBS, NO_CLOCK, NOTEBOOKS, difference, differences, rerun, texts

from digit_under_hood.explorable import Explorable, pack
from digit_under_hood.lab.directives import directives

ROOT = NBS.parent


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_few_outputs_are_excused(name):
    code = [c for c in nbformat.read(NBS/name, 4).cells if c.cell_type == 'code' and c.outputs]
    excused = sum('timing' in directives(cell) for cell in code)
    compared = sum(bool(texts(cell)) for cell in code) - excused
    assert compared >= 1 and excused <= .2*compared + 1


# spawn: as on Windows
@pytest.mark.parametrize('start', ['as here', pytest.param('spawn', marks=pytest.mark.long)])
def test_nbdev_test_runs_each_apart_and_fails_where_an_output_has_changed(start, tmp_path):
    sources = {   # what each runs, and what it has stored
        'a_true': ('import sys, json; sys.old = 1; print(.5)', '0.5'),
        'b_apart': ("import sys; print(hasattr(sys, 'old'))", 'False'),
        'c_stale': ('print(.25)', '0.5'), 'd_fails': ('1/0', ''),
        'e_times': ('import time; assert time.time() > 0', '')}
    (tmp_path/'nbs').mkdir()
    shutil.copy2(ROOT/'settings.ini', tmp_path)
    failed = ['c_stale.ipynb', 'd_fails.ipynb', 'e_times.ipynb']
    if start == 'spawn':   # takes longer
        sources, failed = {'c_stale': sources['c_stale']}, failed[:1]
        (tmp_path/'sitecustomize.py').write_text(
            "import multiprocessing as m; m.get_all_start_methods = lambda: ['spawn']; "
            "m.set_start_method('spawn')")
    for name, (source, text) in sources.items():
        outputs = [nbformat.v4.new_output('stream', text=f'{text}\n')] if text else []
        cell = nbformat.v4.new_code_cell(source, outputs=outputs)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path/f'nbs/{name}.ipynb')
    ran = subprocess.run([sys.executable, ROOT/'tools'/'nbs_test.py', '--n_workers', '1'],
                         env=os.environ | {'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'},
                         cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1 and 'stored 0.5, now 0.25' in ran.stderr, ran.stderr
    assert re.findall(r'^\t(.*)', ran.stderr, re.M) == failed


# What the comparison sees

@pytest.mark.parametrize('stored, now', [
    ('12396', '12397'), ('tensor(0.9511)', 'tensor(0.9533)'), ('True', 'False'), ('nan', '0.1'),
    ('(28, 28)', '(28, 28, 1)'), ('picture', '0.5'), ('-0.5', '0.5'), ('1e-07', '1e-02'),
    ('uint8', 'uint16'), ('3.', '4.'), ('[1, 2]', '[2, 1]')])
def test_comparison_sees_a_difference(stored, now): assert difference([stored], [now])


def test_comparison_counts_the_outputs():
    assert difference(['1'], []) and difference(['1', '2'], ['1'])


@pytest.mark.parametrize('stored, now', [
    ('tensor(0.9511)', 'tensor(0.9512)'), ('[ 1.,  2.]', '[1., 2.]'), ('1e-07', '-3e-08'),
    ('0.0000', '-0.0000'), ('(6131, 28, 28)', '(6131, 28, 28)'), ('float32', 'float32')])
def test_comparison_allows_rounding(stored, now): assert difference([stored], [now]) is None


def shown(**data) -> nbformat.NotebookNode:
    "An output that displays `data`: its kinds, with __ for /, and their contents"
    bundle = {kind.replace('__', '/'): content for kind, content in data.items()}
    return nbformat.v4.new_output('display_data', data=bundle)


def test_comparison_reads_every_kind_of_output():
    line = nbformat.v4.new_output('stream', text='loss 0.5\n')
    table = shown(text__html='<style>td { width: 5px }</style><table><td>7</td></table>',
                  text__plain='<pandas.Styler at 0x7f>')
    bar = shown(text__html='<progress value="3"></progress>')
    picture = shown(image__png='AA==', text__plain='<Figure>')
    cell = nbformat.v4.new_code_cell('#| timing\nx', outputs=[line, line, table, bar, picture])
    first, *rest = texts(cell)
    assert first == 'stdout: loss 0.5\nloss 0.5\n'
    assert [text.strip() for text in rest] == ['7', 'picture']


def played(**values) -> str:
    "What `texts` makes of an explorable that holds `values`"
    html = Explorable('pixels', pack(**values), b'', 'none')._repr_html_()
    output = shown(text__html=html, image__png='AA==', text__plain='<Explorable>')
    return texts(nbformat.v4.new_code_cell('x', outputs=[output]))[0]


RAMP, NAMES = np.arange(-100, 100).astype('int8'), np.array([0, 1, 1], 'uint8')


@pytest.mark.parametrize('now', [
    dict(a=RAMP + np.int8(3)), dict(a=RAMP[:-1]), dict(a=RAMP.view('uint8')), dict(b=RAMP),
    dict(names=NAMES[::-1].copy()), dict(f=np.float32([.5, 1])), dict(rate=.2), dict(which=['x'])])
def test_comparison_sees_other_data_of_an_explorable(now):
    stored = dict(a=RAMP, names=NAMES, f=np.float32([.5, 2]), rate=.1, which=['y'])
    assert difference([played(**stored)], [played(**stored | now)])


def test_comparison_allows_what_was_packed_two_steps_off_also_past_the_end():
    near = dict(a=RAMP + np.int8(2), f=np.float32([.5001, np.nan]), rate=.10001, which=['y'])
    stored = dict(a=RAMP, f=np.float32([.5, np.nan]), rate=.1, which=['y'])
    assert difference([played(**stored)], [played(**near)]) is None
    ends = np.arange(256).astype('uint8').view('int8')
    assert difference([played(a=ends)], [played(a=ends + np.int8(2))]) is None


def cell_of(source: str, output=None):
    "A code cell as `rerun` lists it, which showed 1 before and shows `output` now"
    cell = nbformat.v4.new_code_cell(source, outputs=[output] if output else [])
    return cell, ['1'], texts(cell)


def test_a_time_is_excused_but_no_assertion_on_it():
    def error(name): return nbformat.v4.new_output('error', ename=name, evalue='', traceback=[])
    time = nbformat.v4.new_output('stream', text='nan')
    assert not differences([cell_of('#| timing\nx', time)])
    assert not differences([cell_of('#| timing\nplot(x)', error('ValueError'))])
    assert differences([cell_of('#| timing\nx')]) and differences([cell_of('x', time)])
    assert differences([cell_of('#| timing\nassert x < 1', error('AssertionError'))])
    assert differences([cell_of('plot(x)', error('ValueError'))])


CLOCKS = ['time.perf_counter', 'time.perf_counter_ns', 'time.time', 'time.time_ns',
          'time.monotonic', 'time.process_time', 'timeit.default_timer']


def test_no_clock_fails_an_assertion_on_it(tmp_path, monkeypatch):
    "A notebook that compares times is caught, whatever its clock; one that shows them passes"
    def shown(source):
        output = nbformat.v4.new_output('stream', text='0.1')
        return nbformat.v4.new_code_cell(f'#| timing\n{source}', outputs=[output])
    cells = []
    for clock in CLOCKS:
        module, name = clock.split('.')
        source = f'from {module} import {name} as clock\nstart = clock()\n'
        cells += [shown(f'{source}clock() - start'),
                  nbformat.v4.new_code_cell(f'{source}assert clock() - start < 1e9')]
    source = "import timeit\nspent = timeit.timeit('1', number=3)\n"
    cells += [shown(f'{source}spent'), nbformat.v4.new_code_cell(f'{source}assert spent < 100')]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path/'times.ipynb')
    monkeypatch.setattr('compare.NBS', tmp_path)
    found = differences(rerun('times.ipynb'))
    assert len(found) == len(CLOCKS) + 1, found
    assert all('AssertionError' in told and '\nassert ' in told for told in found)


def test_no_clock_leaves_time_to_all_else(tmp_path, monkeypatch):
    "What a notebook starts, and the kernel it runs in, wait as long as they should"
    source = """import asyncio, logging, subprocess, sys, threading
logging.getLogger().makeRecord('', 0, '', 0, '', (), None)   # it holds the time
threading.Event().wait(.01), subprocess.run([sys.executable, '-c', ''], timeout=60)
await asyncio.wait_for(asyncio.sleep(.01), 60)
'done'"""
    output = nbformat.v4.new_output('execute_result', {'text/plain': "'done'"}, execution_count=1)
    cell = nbformat.v4.new_code_cell(source, outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path/'waits.ipynb')
    monkeypatch.setattr('compare.NBS', tmp_path)
    assert differences(rerun('waits.ipynb')) == []


def test_no_clock_reaches_a_timeit_that_is_there_already():
    code = f'import timeit\n{NO_CLOCK}\nfrom timeit import default_timer, repeat\n'
    code += "print(default_timer(), *repeat('1', number=1, repeat=2))"
    ran = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert ran.stdout == 'nan nan nan\n'


def test_portable_begins_without_what_it_installs(tmp_path):
    "The workflow that tries other versions of torch has a bare Python"
    blocked = ('numpy', 'torch', 'nbclient', 'nbformat', 'yaml', 'digit_under_hood')
    for name in blocked: (tmp_path/f'{name}.py').write_text('raise ImportError(__name__)')
    ran = subprocess.run([sys.executable, ROOT/'tools'/'portable.py', '--help'], cwd=tmp_path,
                         env=os.environ | {'PYTHONPATH': str(tmp_path)}, capture_output=True,
                         text=True)
    assert ran.returncode == 0 and '--torch' in ran.stdout, ran.stderr
    assert portable.NOTEBOOKS == NOTEBOOKS


def test_portable_tells_which_cell_differs_where(monkeypatch):
    "Each setting reaches the kernel as it is named, and the table counts its differences"
    def rerun(name, **settings):
        return [(nbformat.v4.new_code_cell('loss'), ['0.5'],
                 ['0.6' if name.startswith('05') and 'MKL_CBWR' in settings else '0.5'])]
    monkeypatch.setattr('compare.rerun', rerun)
    names = ['04b_valleys.ipynb', '05c_epochs.ipynb']
    found = {setting: portable.check(names, setting) for setting in portable.SETTINGS}
    head, *rows, empty, told = portable.report(found).splitlines()[:len(found) + 3]
    assert head.split()[-2:] == ['04b', '05c'] and not empty
    assert [row.split()[-2:] for row in rows] == [
        ['0', '1' if 'MKL' in setting else '0'] for setting in portable.SETTINGS]
    assert told == 'MKL as on any processor, 05c_epochs.ipynb: loss'
