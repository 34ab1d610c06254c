"""Runs `nbdev_test`, and holds what each notebook shows against what it has stored.

    nbs_test.py [FLAGS OF nbdev_test]

A notebook passes if no cell fails and none shows anything else than before (see compare.py). Each
runs in a process of its own: what one imports is not there for the next. Where a process can be
forked, what takes long to import and most of them want is in memory when they begin.
"""
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_all_start_methods, get_context

import nbdev.test
import nbformat
from compare import NO_CLOCK, differences, texts
from execnb.shell import CaptureShell

from digit_under_hood.lab.directives import directives

ORDER = ['stream', 'display_data', 'execute_result', 'error']   # in which this shell lists outputs


class Comparing(CaptureShell):
    "Runs a notebook as `nbdev_test` does, with no clock, and fails where an output has changed"

    def __init__(self, path):
        super().__init__(path)
        self.cells = nbformat.read(path, 4).cells
        self.ran = []
        self.run(NO_CLOCK)

    def cell(self, cell, **options):
        cell.outputs, stored = [], self.cells[cell.idx_]
        super().cell(cell, **options)
        if cell.cell_type != 'code': return
        stored.outputs.sort(key=lambda output: ORDER.index(output.output_type))
        old, stored.outputs = texts(stored), nbformat.from_dict(cell.outputs)
        self.ran.append((stored, old, texts(stored)))
        if 'timing' in directives(stored) and not isinstance(self.exc, AssertionError):
            self.exc = None   # no picture can be drawn of NaN

    def run_all(self, nb, **options):
        super().run_all(nb, **options)
        if wrong := differences(self.ran):
            self._cell_idx, self.exc = None, AssertionError('\n\n'.join(wrong))
            raise self.exc


START = 'fork' if 'fork' in get_all_start_methods() else 'spawn'   # on Windows
test_here = nbdev.test.test_nb


def run(*args, **options):
    nbdev.test.CaptureShell = Comparing
    return test_here(*args, **options)


def test_apart(*args, **options):
    "Test a notebook in a process that ends with it"
    with ProcessPoolExecutor(1, mp_context=get_context(START)) as pool:
        return pool.submit(run, *args, **options).result()


if __name__ == '__main__':
    if START == 'fork':
        for name in ('torch._dynamo', 'matplotlib.pyplot', 'pandas'): import_module(name)
    nbdev.test.test_nb = test_apart
    nbdev.test.nbdev_test()
