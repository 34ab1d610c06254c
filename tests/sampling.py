"What `make test` takes of many cases that are alike; all of them are tested weekly."
from collections.abc import Iterable

import pytest


def each_third(cases: Iterable) -> list:
    "Cases for `parametrize`, of which two in three are marked as long"
    return [case if n % 3 == 0 else pytest.param(*case, marks=pytest.mark.long)
            for n, case in enumerate(cases)]
