"The reader of `#|` lines: as nbdev reads them, and their values as Quarto does."
from pathlib import Path

import nbformat
import pytest
import yaml
from nbdev.process import extract_directives

from digit_under_hood.lab.directives import builds, directives, split

NOTEBOOKS = sorted((Path(__file__).parents[1]/'nbs').glob('*.ipynb'))


@pytest.mark.parametrize('source, found, code', [
    ('#| hide\nx', {'hide': True}, 'x'),
    ('#| hide:\nx', {'hide': True}, 'x'),
    ('#|eval: false\nx', {'eval': False}, 'x'),
    ('# | default_exp pixels', {'default_exp': 'pixels'}, ''),
    ('#| exporti more words \n\n#| echo: true\n\nx\n', {'exporti': 'more words', 'echo': True},
     '\nx\n'),
    ('#| fig-alt: "Loss: it \\"falls\\""\nx', {'fig-alt': 'Loss: it "falls"'}, 'x'),
    ('#| layout: [1, 2]\nx', {'layout': [1, 2]}, 'x'),
    ('x\n#| hide', {}, 'x\n#| hide'),
    ('# a comment\nx', {}, '# a comment\nx'),
    ('', {}, '')])
def test_split(source, found, code): assert split(source) == (found, code)


def test_a_value_that_is_not_yaml_is_told():
    with pytest.raises(yaml.YAMLError): split('#| fig-alt: Loss: it falls\nx')


def test_markdown_has_no_directives():
    assert directives(nbformat.v4.new_markdown_cell('#| hide')) == {}


def test_the_module_that_a_notebook_makes():
    cells = [nbformat.v4.new_markdown_cell('#| default_exp not_this'),
             nbformat.v4.new_code_cell('#| hide'), nbformat.v4.new_code_cell('# | default_exp it')]
    assert builds(cells) == 'it' and builds(cells[:2]) is None


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_same_names_as_nbdev_finds(path):
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == 'code']
    for cell in cells:
        assert [*directives(cell)] == [n.rstrip(':') for n in extract_directives(cell, False)]
    assert any(map(directives, cells))
