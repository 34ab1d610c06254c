"Reads the `#|` lines at the top of a cell; the one place that knows how they are written."
import re
from typing import Any

import yaml

LINE = re.compile(r'\s*#[ \t]*\|[ \t]*([\w-]+)[ \t]*(:?)[ \t]*(.*?)[ \t]*(?:\n|\Z)')


def split(
    source: str,   # of a code cell
) -> tuple[dict[str, Any], str]:
    """Part a cell's `source` into its directives and the code below them.

    As in Quarto, what follows `name:` is YAML. As in nbdev, `name words` holds a string and a bare
    `name` is True. Raises `yaml.YAMLError` for a value that is not YAML."""
    found: dict[str, Any] = {}
    while m := LINE.match(source):
        name, colon, value = m.groups()
        if colon and value: found |= yaml.safe_load(f'{name}: {value}')
        else: found[name] = value or True
        source = source[m.end():]
    return found, source


def directives(cell) -> dict[str, Any]:
    "Read the directives of a notebook's `cell`; one of Markdown has none"
    return split(cell.source)[0] if cell.cell_type == 'code' else {}


def builds(cells) -> str | None:
    "Name the module that the `cells` of a notebook make, if any"
    return next(filter(None, (directives(cell).get('default_exp') for cell in cells)), None)
