"The student's edition: what its chapters hold, and that no work of a student is ever lost."
import json
from pathlib import Path

import nbformat
import nbformat.sign
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from digit_under_hood.lab import student
from digit_under_hood.lab.roles import answers, asks, summary

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted([*(ROOT/'nbs').glob('[0-9]*_*.ipynb'), *(ROOT/'nbs').glob('[a-z]_*.ipynb')])


def code(source: str, *shown: str):
    "A code cell that showed the texts `shown`"
    return new_code_cell(source, outputs=[new_output('stream', text=text) for text in shown])


def book(*cells):
    "A notebook with the code cells and texts `cells` below its title"
    made = [new_markdown_cell(cell) if isinstance(cell, str) else cell
            for cell in ('# A title', *cells)]
    return new_notebook(cells=made)


# What a chapter holds

@pytest.mark.parametrize('path', CHAPTERS, ids=lambda path: path.stem)
def test_edition_of_each_chapter(path):
    made = student.edition(nbformat.read(path, 4))
    nbformat.validate(made)
    cells = [cell for cell in made.cells if cell.cell_type == 'code']
    assert not [cell.source for cell in cells if 'nbdev' in cell.source or '#|' in cell.source]
    hidden = [cell for cell in cells if cell.metadata.get('jupyter') == {'source_hidden': True}]
    assert 3 <= len(hidden) < .7*len(cells)
    assert all(cell.source.startswith('# ') for cell in hidden)
    whole = nbformat.read(path, 4).cells
    guessed = {whole[i].id for i in answers(whole)}
    kept = {cell.id for cell in whole if cell.get('outputs')} - guessed
    assert {cell.id for cell in cells if cell.outputs} == kept and len(kept) >= 5


def test_imports_and_set_up_side_by_side_are_one_line():
    made = student.edition(book(code('import a'), code('plt.style.use("x")'), code('import b'),
                                code('assert 1'), code('import c'), 'Text.', code('plt.rc("x")')))
    assert [cell.source for cell in made.cells if cell.cell_type == 'code'] == [
        '# imports and set-up\nimport a\nplt.style.use("x")\nimport b', '# 1 check\nassert 1',
        '# imports\nimport c', '# set-up\nplt.rc("x")']


def test_plumbing_is_collapsed_under_a_line_that_names_it_and_teaching_is_open():
    made = student.edition(book(
        code('#| default_exp pixels'), code('#| export\nimport torch'), code('import sys'),
        code('#| exports\ndef f(x): return x', ''), code('#| hide\ntest_eq(f(1), 1)\nassert f'),
        code('#| fig-alt: "A line"\nplt.plot(x)'), code('#| export\ndef _g(x): return x'),
        code('#| hide\nfrom nbdev.doclinks import nbdev_export\nnbdev_export()')))
    cells = [(cell.source, 'jupyter' in cell.metadata) for cell in made.cells
             if cell.cell_type == 'code']
    assert cells == [('# imports\nimport torch\nimport sys', True), ('def f(x): return x', False),
                     ('# 2 checks\ntest_eq(f(1), 1)\nassert f', True), ('plt.plot(x)', False),
                     ('# code of _g\ndef _g(x): return x', True)]


@pytest.mark.parametrize('options, source, said', [
    ({'hide': True}, 'with a as b:\n    test_eq(b, 1)', '1 check'),
    ({'hide': True}, 'x = 1', 'set-up'), ({'echo': False}, 'x.plot()', 'how this is drawn'),
    ({'code-fold': True, 'code-summary': 'The rest'}, 'x = 1', 'The rest'),
    ({'code-fold': True}, 'class A: pass', 'code of A'), ({'exports': True}, 'x = 1', None),
    ({'timing': True}, 'f(x)', None), ({}, '%timeit f(x)', None)])
def test_summary(options, source, said): assert summary(options, source) == said


# Guesses

@pytest.mark.parametrize('text', [
    '**Guess:** what is 200 + 100?', 'Two questions; guess both.', 'Guess, then run.',
    'Before you run the cell, sketch it.', 'Now a guess: will they all lie close to a half?',
    'A guess from you first: more or less?', 'In one pile. Predict: the same?',
    'Try to predict each.', 'Which error message do you expect?', 'First guess the shape.'])
def test_asks_for_a_guess(text): assert asks(text)


@pytest.mark.parametrize('text', [
    'It stops rather than guess. NumPy guesses.', 'The type is guessed from what you put in.',
    'Why? A guess: the ideal 7 has less ink.', '**Step 2: predict.**', 'We predict again.',
    'Keep your guess.', '```\nguess = model(xb)\n```', 'More than guessing gives.',
    'Predict, loss, gradients, step: this is the loop.', 'The prediction lies before 1.'])
def test_asks_for_no_guess(text): assert not asks(text)


def test_answers_reach_to_the_text_that_follows_them():
    made = book('**Guess:** how many?', code('x = f()'), 'Wait.', code('x', '3'),
                code('test_eq(x, 3)'), 'Three.', code('x + 1', '4'),
                '**Guess:** and now?', '## Another section', code('y', '5'),
                '## Your turn', 'Guess, then run.', code('z', '6'))
    assert answers(made.cells) == {2: 1, 4: 1, 5: 1}
    assert answers(book('Guess!<details>\n\nSo.\n\n</details>', code('x', '3')).cells) == {}
    kept = [cell for cell in student.edition(made).cells if cell.get('outputs')]
    assert [cell.source for cell in kept] == ['x + 1', 'y', 'z']


# The folder of a student

@pytest.fixture
def course(tmp_path, monkeypatch):
    "A course of one chapter; `publish` brings out another text of it, `work` is a student's"
    monkeypatch.setenv('JUPYTER_DATA_DIR', str(tmp_path/'data'))
    nbs = tmp_path/'nbs'
    nbs.mkdir()

    class Trial(student.Course):
        def publish(self, text, name='03a_rows'):
            nbformat.write(book(text, code('1 + 1', '2')), nbs/f'{name}.ipynb')
            return self.again()

        def again(self):
            self.__init__(tmp_path/'course', nbs)
            return list(self.make())

        def work(self, text, name='03a_rows'):
            made = nbformat.read(self.folder/f'{name}.ipynb', 4)
            made.cells[2].source = text
            nbformat.write(made, self.folder/f'{name}.ipynb')

        @property
        def texts(self):
            return {path.stem: nbformat.read(path, 4).cells[2].source
                    for path in self.folder.glob('*.ipynb')}

    trial = Trial(tmp_path/'course', nbs)
    assert trial.publish('one') == []
    return trial


def test_untouched_chapter_follows_the_newest(course):
    assert course.publish('two') == [] and course.texts == {'03a_rows': 'two'}


def test_changed_chapter_is_never_overwritten_and_told_once(course):
    course.work('mine')
    assert course.again() == [] and course.texts == {'03a_rows': 'mine'}
    [told] = course.publish('two')
    assert '03a_rows (new).ipynb' in told
    assert course.texts == {'03a_rows': 'mine', '03a_rows (new)': 'two'}
    course.work('mine too', '03a_rows (new)')
    assert course.again() == []
    [told] = course.publish('three')
    assert course.texts == {'03a_rows': 'mine', '03a_rows (new)': 'mine too',
                            '03a_rows (new 2)': 'three'}
    (course.folder/'03a_rows (new 2).ipynb').unlink()
    assert course.again() == []   # it was thrown away


def test_what_a_student_has_run_is_a_change(course):
    path = course.folder/'03a_rows.ipynb'
    made = nbformat.read(path, 4)
    made.cells[-1].outputs = [new_output('stream', text='3')]
    nbformat.write(made, path)
    assert len(course.publish('two')) == 1
    assert nbformat.read(path, 4).cells[-1].outputs[0].text == '3'


@pytest.mark.parametrize('content', ['', 'no notebook', '{}', '[]', '{"cells": 1}'])
def test_damaged_file_is_the_students(course, content):
    path = course.folder/'03a_rows.ipynb'
    path.write_text(content)
    course.publish('two')
    assert path.read_text() == content
    assert (course.folder/'03a_rows (new).ipynb').exists()


def test_without_its_record_no_file_is_overwritten(course):
    course.work('mine')
    (course.folder/'.made.json').unlink()
    course.publish('two')
    assert course.texts == {'03a_rows': 'mine', '03a_rows (new)': 'two'}


def test_reset_gives_a_fresh_chapter_and_keeps_the_old(course):
    assert course.reset('03a') == '03a_rows.ipynb is fresh' and course.texts == {'03a_rows': 'one'}
    for text in ('mine', 'mine again'):
        course.work(text)
        course.reset('03a')
    assert course.texts == {'03a_rows': 'one', '03a_rows (mine)': 'mine',
                            '03a_rows (mine 2)': 'mine again'}
    assert course.again() == []
    with pytest.raises(ValueError, match="CHAPTER: got '3', wants one of 03a"): course.reset('3')


def test_chapter_that_moved_leaves_unless_it_was_changed(course):
    course.publish('other', '04_lines')
    course.work('mine')
    for path in (course.chapters[0].parent).iterdir(): path.unlink()
    assert course.publish('five', '05_curves') == []
    assert course.texts == {'03a_rows': 'mine', '05_curves': 'five'}


def test_file_is_trusted_and_says_which_kernel_runs_it(course):
    made = nbformat.read(course.folder/'03a_rows.ipynb', 4)
    assert nbformat.sign.NotebookNotary().check_signature(made)
    assert made.metadata.language_info.name == 'python' and made.metadata.kernelspec.display_name
    assert json.loads((course.folder/'.made.json').read_text()) == {
        '03a_rows.ipynb': student.digest(made)}
