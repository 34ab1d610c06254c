"""Tells whether the notebooks show the same on other machines: `make test-portable`.

Runs each notebook under settings that let this machine play others (an older processor, another
maths library's path, fewer threads), and with other versions of torch in throw-away environments,
and compares the outputs with the stored ones. Prints a table of how many cells differ, and which.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(path.name for path in ROOT.glob('nbs/*.ipynb'))
SETTINGS = {
    'as it is': {},
    '1 thread': {'OMP_NUM_THREADS': '1'},
    '2 threads': {'OMP_NUM_THREADS': '2'},
    'MKL as on any processor': {'MKL_CBWR': 'COMPATIBLE'},
    'torch without AVX': {'ATEN_CPU_CAPABILITY': 'default'},
}


def check(names: list[str], setting: str) -> dict[str, list[str]]:
    "Run the notebooks `names` under one of the `SETTINGS`; return the differences of each"
    from compare import differences, rerun  # --torch does without what these import
    found = {}
    for name in names:
        found[name] = differences(rerun(name, **SETTINGS[setting]))
        print(f'{setting}, {name}: {len(found[name])} cells differ', flush=True)
    return found


def report(found: dict[str, dict[str, list[str]]]) -> str:
    "The results of `check` for each setting, as a table of counts and a list of what differs"
    names = list(next(iter(found.values())))
    wide = max(map(len, [*found, 'cells that differ']))
    heads = [name.split('_')[0].removesuffix('.ipynb') for name in names]
    rows = [['cells that differ'.ljust(wide), *heads]]
    for setting, results in found.items():
        counts = [str(len(results[name])).rjust(len(head)) for name, head in zip(names, heads)]
        rows.append([setting.ljust(wide), *counts])
    table = '\n'.join('  '.join(row) for row in rows)
    told = [f'\n{setting}, {name}: {difference}' for setting, results in found.items()
            for name, wrong in results.items() for difference in wrong]
    return '\n'.join([table, *told])


def with_torch(version: str, names: list[str]) -> int:
    "Check `names` with another torch, in an environment made for it; return its exit code"
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder)/('Scripts/python.exe' if os.name == 'nt' else 'bin/python')
        wants = [f'{ROOT}[course]', f'torch{version}', 'nbclient', 'pyyaml']
        subprocess.run([python, '-m', 'pip', 'install', '--quiet', *wants], check=True)
        return subprocess.run([python, __file__, '--setting', 'as it is', *names]).returncode


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('names', nargs='*', default=NOTEBOOKS, metavar='NOTEBOOK')
    parser.add_argument('--setting', action='append', choices=SETTINGS, help='only this one')
    parser.add_argument('--torch', action='append', default=[], metavar='VERSION',
                        help='only with it, e.g. ==2.4.1, in an environment of its own (7 GB)')
    args = parser.parse_args()
    if args.torch: sys.exit(any([with_torch(version, args.names) for version in args.torch]))
    import torch
    print(f'torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, '
          f'{os.cpu_count()} processors', flush=True)
    found = {setting: check(args.names, setting) for setting in args.setting or SETTINGS}
    print(report(found))
    sys.exit(any(any(results.values()) for results in found.values()))
