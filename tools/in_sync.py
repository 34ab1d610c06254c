"""Fail when what is generated differs from its source.

Cleans the notebooks, exports the library, makes README.md and the reference again; what changes was
out of date.
On a fresh clone this is `git diff --exit-code` after the three commands; it also works with changes
that are not committed yet, since it compares the files before and after.
"""
import subprocess
import sys
from pathlib import Path

import readme
from nbdev.clean import nbdev_clean
from nbdev.doclinks import nbdev_export

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))
from website import api  # noqa: E402

MADE = ('nbs/*.ipynb', 'digit_under_hood/*.py', 'README.md', 'nbs/index_files/*', 'nbs/api.qmd')


def snapshot():
    "The bytes of each generated file and each notebook, by path"
    return {path.relative_to(ROOT).as_posix(): path.read_bytes()
            for pattern in MADE for path in sorted(ROOT.glob(pattern))}


if __name__ == '__main__':
    before = snapshot()
    nbdev_clean()
    nbdev_export()
    readme.write()
    api.write()
    after = snapshot()
    names = before.keys() | after.keys()
    stale = sorted(name for name in names if before.get(name) != after.get(name))
    if stale:
        subprocess.run(['git', '--no-pager', 'diff', '--stat', '--', *stale], cwd=ROOT)
        sys.exit('Out of date, now made again; look, and commit it: ' + ', '.join(stale))
    count = sum(name.endswith('.ipynb') for name in after)
    print(f'In sync: {count} notebooks, library, README and API reference')
