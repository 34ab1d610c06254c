"Each chapter with all its tasks answered: the answers are right there, and `progress()` counts."
import ast
import re
import sys
from importlib import import_module

import answered
import nbformat
import pytest
from answered import answered_book, chapters
from nbformat.v4 import new_code_cell, new_notebook

from digit_under_hood import progress
from digit_under_hood.lab.roles import plumbing
from digit_under_hood.review import progress as table


@pytest.mark.long
@pytest.mark.parametrize('module', chapters())
def test_all_are_right_with_what_the_chapter_imports_and_exports(module, monkeypatch, tmp_path):
    "Of its cells, imports and tasks are run; `make test-answered` runs chapters whole"
    monkeypatch.setattr(progress, 'progress_path', lambda: tmp_path/'progress.json')
    book, places = answered_book(chapters()[module])
    names, exports = {i: name for name, i in places}, import_module(f'digit_under_hood.{module}')
    space = {name: getattr(exports, name) for name in exports.__all__}
    for i, cell in enumerate(book.cells):
        if cell.cell_type != 'code': continue
        asks = re.match(r'task = practice\(', cell.source)
        if i not in names and not asks and plumbing(cell.source) != 'Imports': continue
        *body, last = ast.parse(re.sub('(?m)^%.*', '', cell.source)).body
        if i not in names: body.append(last)
        exec(compile(ast.Module(body, []), f'<{module}>', 'exec'), space)
        if i not in names: continue
        said = eval(compile(ast.Expression(last.value), f'<{names[i]}>', 'eval'), space)
        assert said.right is True, f'{names[i]}: {said.text}'
    assert re.search(rf' {module} \| ●{{{len(places)}}}○*[ |]', table().text)


@pytest.mark.skipif(sys.platform != 'linux', reason='keeps its notes where XDG_DATA_HOME says')
@pytest.mark.long
def test_a_whole_chapter_is_run_and_what_is_wrong_is_told(monkeypatch, tmp_path):
    cells = ["from digit_under_hood.practice import practice", "practice('data.ten_images')"
             ".check(...)", "task = practice('similarity.rank_of')", 'def rank_of(shape):\n'
             '    ...\n\ntask.check(rank_of)', '1/0']
    path = tmp_path/'x.ipynb'
    nbformat.write(new_notebook(cells=[*map(new_code_cell, cells)]), path)
    monkeypatch.setattr(answered, 'chapters', lambda: {'similarity': path})
    monkeypatch.setattr(answered, 'NBS', tmp_path)
    whole = answered.run('similarity', str(tmp_path/'right'))
    assert whole[0] == "ZeroDivisionError in '1/0'" and 'counted otherwise' in whole[1]
    assert '02 similarity | ●○' in whole[1] and '00 data | ●○' in whole[1]
    monkeypatch.setattr(answered, 'answer', lambda task, own: f'{own} = 3')
    assert [line.partition(':')[0] for line in answered.run('similarity', str(tmp_path))] == [
        "ZeroDivisionError in '1/0'", 'data.ten_images', 'similarity.rank_of', 'counted otherwise']
