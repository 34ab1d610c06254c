"Solutions of projects, and typical mistakes, in a file for each chapter; no notebook sees them."
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

WORKS, FAILS = defaultdict(list), defaultdict(list)


def works(name: str) -> Callable:
    "Mark a solution: the piece itself, or a function that gives all pieces by name"
    return lambda made: WORKS[name].append(made) or made


def fails(name: str, *steps: str) -> Callable:
    "Mark a solution with a mistake, and say at which steps it fails"
    return lambda made: FAILS[name].append(([*steps], made)) or made


def of(name: str) -> tuple[list, list]:
    "The solutions of a project, and its mistakes with the steps at which they fail"
    chapter = name.partition('.')[0]
    if (Path(__file__).parent/f'{chapter}.py').exists(): import_module(f'worked.{chapter}')
    return WORKS[name], FAILS[name]
