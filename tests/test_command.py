"The command `digit-under-hood` as a process: what it prints, what it writes, how it leaves."
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def command(*words: object, cwd: Path | None = None, **env: str) -> tuple[int, str, str]:
    "Code, output and error of `digit-under-hood` followed by `words`"
    done = subprocess.run([sys.executable, '-m', 'digit_under_hood', *map(str, words)], cwd=cwd,
                          env=os.environ | {'PYTHONPATH': str(ROOT)} | env, capture_output=True,
                          text=True, encoding='utf-8')
    return done.returncode, done.stdout, done.stderr


def test_help_needs_no_torch_and_shows_each_command_with_its_examples():
    code = ("import sys; from digit_under_hood.command import COMMANDS, main; main([]); "
            "assert 'torch' not in sys.modules; print([*COMMANDS])")
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    *told, names = done.stdout.splitlines()
    commands = [line.split()[0] for line in told if line.startswith('  ')]
    assert {'lab', 'data', 'progress'} <= {*commands} and str(commands) == names
    left, told, _ = command('lab', '--help')
    assert left == 0 and 'examples:\n  digit-under-hood lab\n' in told


@pytest.mark.parametrize('words, wants', [
    (['trane'], "command: got 'trane', wants one of lab, data, progress"),
    (['lab', '--shine'], 'digit-under-hood lab: unrecognized arguments: --shine'),
    (['lab', '--reset', '99'], "CHAPTER: got '99', wants one of 00, 01")])
def test_bad_use_is_one_line_and_2(words, wants, tmp_path):
    left, told, error = command(*words, cwd=tmp_path)
    assert (left, told) == (2, '') and wants in error and error.count('\n') == 1
    assert not [*tmp_path.iterdir()]


def test_lab_copies_the_chapters_and_comes_back_to_them(tmp_path):
    left, told, error = command('lab', '--copy', cwd=tmp_path)
    assert (left, told, error) == (0, 'Your chapters are in course\n', '')
    chapters = {path.name for path in (ROOT/'nbs').glob('[0-9]*_*.ipynb')}
    assert chapters <= {path.name for path in (tmp_path/'course').iterdir()}
    own = tmp_path/'course/01_pixels.ipynb'
    own.write_text('mine')
    left, told, _ = command('lab', '--reset', '01', cwd=tmp_path/'course')   # from within
    assert left == 0 and own.stat().st_size > 10_000
    assert (tmp_path/'course/01_pixels (mine).ipynb').read_text() == 'mine'
    assert not (tmp_path/'course/course').exists()


def test_data_is_written_and_what_is_damaged_is_told(tmp_path):
    left, told, error = command('data', '--folder', 'digits', cwd=tmp_path)
    assert (left, error) == (0, '') and '60,000 digits' in told and '14,434 image files' in told
    assert len([*(tmp_path/'digits/mnist_sample').glob('*/*/*.png')]) == 14_434
    lost = next((tmp_path/'digits/mnist_sample').glob('*/*/*.png'))
    lost.write_bytes(b'')
    left, told, error = command('data', '--folder', 'digits', cwd=tmp_path)
    assert left == 0 and lost.stat().st_size and 'was damaged' in error

    library = tmp_path/'copy/digit_under_hood'   # a package with one digit cut short
    (library/'data').mkdir(parents=True)
    for path in (ROOT/'digit_under_hood').iterdir():
        if path.name != 'data': (library/path.name).symlink_to(path)
    whole = (ROOT/'digit_under_hood/data/mnist.npz').read_bytes()
    (library/'data/mnist.npz').write_bytes(whole[:-9])
    left, told, error = command('data', cwd=tmp_path/'copy', PYTHONPATH='')
    assert (left, told) == (1, '') and 'mnist.npz: got SHA-256' in error and error.count('\n') == 1


def test_progress_is_a_table_even_where_dots_cannot_be_written(tmp_path):
    home = dict(HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path), PYTHONIOENCODING='ascii')
    left, told, error = command('progress', **home)
    assert (left, error) == (0, '') and told.startswith('chapter ')
    assert all(' 0 of ' in line for line in told.splitlines()[1:]) and '02 similarity' in told
