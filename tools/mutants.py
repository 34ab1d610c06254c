"""Tells whether the tests see it when a line of the Learner is wrong: `make mutants`.

Makes one small mistake at a time (a mutant: `<=` for `<`, a `not`, a number one larger, a call, an
assignment or a named argument left out) in a copy of each module, and runs its tests on the copy.
A mutant that passes them has survived. `mutants.toml`, beside this file, holds the survivors that
are known, and why they may live; any other wants a test, or less code. Annotations stay as they
are, as nothing depends on them, and each operator becomes its neighbour and its opposite, not all
others. Each run is a fork of one process, so that torch is imported once; Windows has no forks.
"""
import argparse
import ast
import gc
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from importlib import import_module
from itertools import accumulate
from pathlib import Path

import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

HERE = Path(__file__).parent
LIBRARY, NOTES = 'digit_under_hood', Path('notes.json')
MODULES = 'training_loop', 'callbacks', 'learner', 'tuning', 'checkpoint'
TESTS = [f'tests/test_{name}.py' for name in ('training_loop', 'learner', 'tuning', 'checkpoint')]
FLAGS = ['-x', '--assert=plain', '-p', 'no:cacheprovider', '-p', 'no:unraisableexception']
HANGS = ['-o', 'faulthandler_timeout=60', '-o', 'faulthandler_exit_on_timeout=true']
WARM = ('torch torch._dynamo matplotlib.pyplot pandas fastcore.all fastprogress.fastprogress '
        'IPython.display filelock').split()   # what the tests import and no mutant changes
OPERATORS = re.compile(   # any other, such as `^` for `+`, is as good as always seen
    'Comparison.*_(Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt|Eq_NotEq|NotEq_Eq|'
    'Is_IsNot|IsNot_Is)$|Binary.*_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|FloorDiv_Div|Mod_Div|'
    'Pow_Mul|BitOr_BitAnd|BitAnd_BitOr)$|Unary|/[A-Z](?!.*_)')
Mutant = tuple[tuple[int, int], str]   # its place (line and column), the code with it


def swaps(code: str) -> Iterator[Mutant]:
    "Cosmic Ray's mutants: operators, numbers, conditions, loops, decorators, exceptions"
    nodes = list(ast_nodes(get_ast(code)))
    for name in operator_names():
        if not OPERATORS.search(name) or get_operator(name).arguments(): continue
        operator = get_operator(name)()
        places = [place for node in nodes for place, _ in operator.mutation_positions(node)]
        for i, place in enumerate(places): yield place, mutate_code(code, operator, i)


def gaps(code: str) -> Iterator[Mutant]:
    "What Cosmic Ray does not try: a statement, or an argument given by its name, left out"
    text, tree = code.encode(), ast.parse(code)
    starts = [0, *accumulate(map(len, text.splitlines(keepends=True)))]
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg=str()): statement = False
            case ast.Assign() | ast.AugAssign() | ast.Raise() | ast.Expr(ast.Call()):
                if node in tree.body: continue
                statement = True
            case _: continue
        head = text[:starts[node.lineno - 1] + node.col_offset]
        tail = text[starts[node.end_lineno - 1] + node.end_col_offset:]
        if statement: head += b'pass'
        elif head.rstrip().endswith(b','): head = head.rstrip()[:-1]
        else: tail = tail.lstrip(b', ')
        yield (node.lineno, node.col_offset), (head + tail).decode()


def mutants(code: str) -> list[Mutant]:
    "All mutants of `code` outside of annotations, in the order of their places"
    notes = [note for node in ast.walk(ast.parse(code)) for name in ('annotation', 'returns')
             if (note := getattr(node, name, None))]
    spans = [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in notes]
    found = [*swaps(code), *gaps(code)]
    return sorted(m for m in found if runs(m[1]) and
                  not any(first <= m[0] < end for first, end in spans))


def runs(code: str) -> bool:
    "Whether `code` is Python at all"
    try: return bool(ast.parse(code))
    except SyntaxError: return False


def told(code: str, mutant: str) -> str:
    "The line that `mutant` changes, with the change as [-old-]{+new+}"
    first = len(os.path.commonprefix([code, mutant]))
    last = len(os.path.commonprefix([code[first:][::-1], mutant[first:][::-1]]))
    first -= len(re.search(r'(\w*|[<>=!*/|&^+-]*)$', code[:first])[0])   # whole words, operators
    last -= len(re.match(r'(\w+|[<>=!*/|&^+-]+)?', code[len(code) - last:])[0])
    start, end = code.rfind('\n', 0, first) + 1, code.find('\n', len(code) - last)
    old, new = code[first:len(code) - last], mutant[first:len(mutant) - last]
    line = f'{code[start:first]}[-{old}-]{{+{new.strip()}+}}{code[len(code) - last:end]}'
    return ' '.join(line.split())


class Trace:
    "Note how long each test takes, and which lines of the library it runs: a pytest plugin"
    def __init__(self): self.notes = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        lines, began = set(), time.monotonic()
        def trace(frame, event, arg):
            folder, _, name = frame.f_code.co_filename.rpartition(os.sep)
            if not folder.endswith(LIBRARY): return None
            lines.add(f'{name} {frame.f_lineno}')
            return trace
        sys.settrace(trace)
        threading.settrace(trace)
        try: return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)   # type: ignore
            self.notes[item.nodeid] = time.monotonic() - began, sorted(lines)

    def pytest_sessionfinish(self): NOTES.write_text(json.dumps(self.notes))


class Only:
    "Run the tests `names`, in this order: a pytest plugin"
    def __init__(self, names: list[str]): self.names = names

    def pytest_collection_modifyitems(self, items):
        place = {name: i for i, name in enumerate(self.names)}
        items[:] = sorted((item for item in items if item.nodeid in place),
                          key=lambda item: place[item.nodeid])


def passes(files: list[str], plugin, *flags: str) -> bool:
    "Whether the tests pass, in a fork of this process"
    def test():
        signal.signal(signal.SIGINT, signal.default_int_handler)   # ignored in the background
        output = os.open('output', os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2): os.dup2(output, stream)
        sys.exit(pytest.main([*FLAGS, *flags, *files], [plugin]))
    process = multiprocessing.get_context('fork').Process(target=test)
    process.start()
    process.join()
    return process.exitcode == 0


def reaching(code: str, module: str, line: int, notes: dict) -> list[str]:
    "The tests that run a line, or else its function, its class, all; the quickest first"
    spans = [range(line, line + 1)]
    spans += [range(node.body[0].lineno, node.end_lineno + 1) for node in ast.walk(ast.parse(code))
              if isinstance(node, ast.FunctionDef | ast.ClassDef)
              and node.lineno <= line <= node.end_lineno]
    for span in sorted(spans, key=len):
        wanted = {f'{module}.py {line}' for line in span}
        found = [name for name, (_, lines) in notes.items() if not wanted.isdisjoint(lines)]
        if found: break
    return sorted(found or notes, key=lambda name: notes[name][0])


def survivors(module: str, notes: dict) -> list[str]:
    "Try all mutants of `module` in the copy of the library in the working directory"
    path, began, found = Path(LIBRARY, f'{module}.py'), time.monotonic(), []
    code = path.read_text(encoding='utf-8')
    tried = mutants(code)
    for i, ((line, _), mutant) in enumerate(tried, 1):
        names = reaching(code, module, line, notes)
        path.write_text(mutant, encoding='utf-8')
        if passes(sorted({name.partition(':')[0] for name in names}), Only(names), *HANGS):
            found.append(f'{module}: {told(code, mutant)}')
            print(found[-1])
        print(f'{module} {i}/{len(tried)}, {len(found)} survived', end='\r', flush=True)
    path.write_text(code, encoding='utf-8')
    minutes = (time.monotonic() - began)/60
    print(f'{module}: {len(tried)} mutants, {len(found)} survived, {minutes:.0f} minutes')
    return found


def known() -> dict[str, list[str]]:
    "The survivors that may live, by the reason for it"
    groups = tomllib.loads((HERE/'mutants.toml').read_text(encoding='utf-8'))['survivors']
    return {group['because']: group['mutants'] for group in groups}


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('modules', nargs='*', default=MODULES, metavar='MODULE',
                        help=f'one or more of {", ".join(MODULES)}; all if none is named')
    modules = parser.parse_args().modules
    if unknown := {*modules} - {*MODULES}: parser.error(f'got {unknown}, wants some of {MODULES}')
    os.environ['OMP_NUM_THREADS'] = '1'   # threads do not live on in a fork
    os.environ |= {'MPLBACKEND': 'agg', 'PYTEST_DISABLE_PLUGIN_AUTOLOAD': '1'}
    sys.dont_write_bytecode = True   # two mutants of one second would be taken for the same
    for name in WARM: import_module(name)
    gc.freeze()
    with tempfile.TemporaryDirectory() as copy:
        for name in (LIBRARY, 'tests'): shutil.copytree(HERE.parent/name, f'{copy}/{name}')
        shutil.copy(HERE.parent/'pyproject.toml', copy)
        os.chdir(copy)
        sys.path.insert(0, copy)
        if not passes(TESTS, Trace()):
            sys.exit(f'{Path("output").read_text()}\nThe tests fail without any mutant.')
        notes = json.loads(NOTES.read_text())
        found = [told for module in modules for told in survivors(module, notes)]
    expected = {name for names in known().values() for name in names
                if name.partition(':')[0] in modules}
    for name in sorted({*found} - expected): print(f'survived: {name}')
    for name in sorted(expected - {*found}): print(f'known, but dead or gone: {name}')
    sys.exit({*found} != expected)
