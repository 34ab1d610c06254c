"The broadcast explorer of chapter 03a, used as a person would, and its arithmetic against torch."
from ast import literal_eval
from math import prod
from random import Random

import torch
from playing import DARK_PHONE, for_everyone


def test_broadcasting_agrees_with_torch_on_1000_pairs_messages_included(desk):
    rng = Random(11)
    pairs = [[rng.choices((0, 1, 1, 2, 3, 28), k=rng.randrange(5)) for _ in 'ab']
             for _ in range(1000)]
    found = desk.evaluate("""async pairs => {
        const shapes = await import('./assets/explorables/broadcast.js')
        return pairs.map(([a, b]) => [shapes.broadcast(a, b), shapes.toTuple(a)])
    }""", pairs)
    refused = 0
    for (a, b), (ours, text) in zip(pairs, found, strict=True):
        assert text == str(tuple(a))
        try: wanted, error = list((torch.empty(a) + torch.empty(b)).shape), None
        except RuntimeError as e: wanted, error = None, str(e)
        assert (ours['shape'], ours['error']) == (wanted, error), (a, b)
        refused += wanted is None
        assert len(ours['axes']) == max(len(a), len(b))
        if wanted is not None: assert [axis['size'] for axis in ours['axes']] == wanted[::-1]
    assert 200 < refused < 800


def test_broadcast_cells_read_the_memory_that_torch_reads(desk):
    rng = Random(5)
    wholes = [rng.choices((1, 2, 3), k=rng.randrange(5)) for _ in range(200)]
    pairs = [[[rng.choice((1, n)) for n in whole][rng.randrange(len(whole) + 1):], whole]
             for whole in wholes]
    drawn = desk.evaluate("""async pairs => {
        const {cells} = await import('./assets/explorables/broadcast.js')
        return pairs.map(([own, whole]) => cells(own, whole).found)
    }""", pairs)
    for (own, whole), found in zip(pairs, drawn, strict=True):
        places = torch.arange(prod(own)).view(own).expand(whole).flatten().tolist()
        assert [cell['memory'] for cell in found] == places
        firsts = [place not in places[:i] for i, place in enumerate(places)]
        assert [not cell['again'] for cell in found] == firsts


def test_broadcast_shapes_from_text_links_and_challenges(desk):
    read = desk.evaluate("""async () => {
        const m = await import('./assets/explorables/broadcast.js')
        const tuples = ['(2, 3)', '2,3', '()', ' (7,)', 'torch.Size([4, 1])', '[2]', '1 2 3 4',
                        '1,2,3,4,5', '-1', '2.5', '(2', '<b>', '10000'].map(m.fromTuple)
        const links = ['2.1_3', '_', '_5', '', null, '2.1', '1.1.1.1.1_', '<_>'].map(m.fromText)
        let seed = 1
        const random = () => (seed = seed*16807 % 2147483647)/2147483647
        const asked = Array.from({length: 1000}, () => m.challenge(random))
        return {tuples, links, back: m.toText([2, 1], []), asked}
    }""")
    assert read['tuples'] == [[2, 3], [2, 3], [], [7], [4, 1], [2], [1, 2, 3, 4]] + [None]*6
    assert read['links'] == [[[2, 1], [3]], [[], []], [[], [5]]] + [None]*5
    assert read['back'] == '2.1_'
    assert all(1 <= len(shape) <= 4 and a != b for a, b in read['asked'] for shape in (a, b))
    refused = 0
    for a, b in read['asked']:
        try: torch.broadcast_shapes(a, b)
        except RuntimeError: refused += 1
    assert 200 < refused < 600


def board(page):
    "Sizes of what comes out, the reasons, and what torch says, as the page shows them"
    cells = page.locator('[data-explorable=broadcast] tr')
    rows = [cells.nth(i).locator('td').all_inner_texts() for i in (3, 4)]
    return *rows, page.locator('[data-explorable=broadcast] .verdict').inner_text()


def test_broadcast_shapes_are_changed_by_mouse_and_keyboard(reader):
    page = reader('broadcasting.html')
    part = page.locator('[data-explorable=broadcast] .box')
    assert board(page)[2] == 'torch.Size([1010, 28, 28])'
    page.get_by_role('textbox', name='a.shape').focus()
    for text in ('(2, 1)', '3'):
        page.keyboard.press('Control+a')
        page.keyboard.type(text)
        page.keyboard.press('Tab')
    assert board(page) == (['', '', '2', '3'], ['', '', 'b: – → 2', 'a: 1 → 3'],
                           'torch.Size([2, 3])')
    page.get_by_role('status').filter(has_text='(2, 1) plus (3,): torch').wait_for(state='attached')
    sums = torch.tensor([[1], [2]]) + torch.tensor([10, 20, 30])
    assert part.locator('figure').nth(2).locator('text').all_text_contents() == [
        str(n) for n in sums.flatten().tolist()]
    hatched = [part.locator('figure').nth(i).locator('rect.again').count() for i in range(3)]
    assert hatched == [4, 3, 0]
    page.get_by_role('button', name='a, axis -1: more').click()
    assert board(page)[0] == ['', '', '2', '✗'] and board(page)[2] == (
        'RuntimeError: The size of tensor a (2) must match the size of tensor b (3) '
        'at non-singleton dimension 1')
    page.get_by_role('button', name='b, axis -1: less').focus()
    for _ in range(4): page.keyboard.press('Enter')   # 3, 2, 1, no axis, and no further
    assert page.get_by_role('textbox', name='b.shape').input_value() == '()'
    page.get_by_role('button', name='b, axis -3: more').click()
    assert page.get_by_role('textbox', name='b.shape').input_value() == '(1, 1, 1)'
    field = page.get_by_role('textbox', name='a.shape')
    field.fill('two')
    field.press('Enter')
    assert field.get_attribute('aria-invalid') == 'true' and 'Write up to 4' in part.inner_text()
    page.get_by_role('button', name='Copy link').click()
    assert page.url.endswith('#broadcast=2.2_1.1.1')
    page.reload()
    assert board(page)[2] == 'torch.Size([1, 2, 2])'


def test_broadcast_challenges_by_touch_on_a_phone_in_the_dark(reader):
    page = reader('broadcasting.html', **DARK_PHONE)
    part = page.locator('[data-explorable=broadcast] .box')
    page.get_by_role('button', name='(2, 3) + (2,)').tap()
    page.get_by_role('button', name='b, axis -1: more').tap()
    assert board(page)[2] == 'torch.Size([2, 3])'
    for n, honest in enumerate((True, True, False), 1):
        page.get_by_role('button', name='Challenge me' if n == 1 else 'Another one').tap()
        assert not part.locator('.verdict').is_visible() and '✗' not in board(page)[0]
        a, b = (literal_eval(page.get_by_role('textbox', name=f'{x}.shape').input_value())
                for x in 'ab')
        try: wanted = str(tuple(torch.broadcast_shapes(a, b)))
        except RuntimeError: wanted = None
        if not honest: wanted = '(9, 9)'
        if wanted: page.get_by_role('textbox', name='What comes out?').fill(wanted)
        page.get_by_role('button', name='Answer' if wanted else 'It is refused').tap()
        assert f'Score: {min(n, 2)} of {n}' in part.inner_text()
        assert part.locator('.verdict').is_visible()
    for_everyone(page, 'broadcast')
