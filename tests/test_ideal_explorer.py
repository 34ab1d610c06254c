"The explorer of chapter 02, used as a person would, and its distances against torch."
import re

import pytest
import torch
from playing import DARK_PHONE, for_everyone, sent
from test_site import settle

from digit_under_hood.data import load_digits
from digit_under_hood.similarity import l1_distance, rmse_distance


@pytest.fixture(scope='module')
def data(): return sent('ideal')


@pytest.fixture(scope='module')
def ideals():
    "As exact as torch has them, not as they were sent"
    return torch.stack([load_digits([digit])[0].double().mean(0) for digit in (3, 7)])


@pytest.fixture(scope='module')
def images(data): return torch.from_numpy(data['images']).double()/255


def in_page(desk, data, images, code: str) -> torch.Tensor:
    "What `code` gives of each image, called `image`, with the functions `m` and the two `ideals`"
    return torch.tensor(desk.evaluate("""async ([sent, images, code]) => {
        const m = await import('./assets/explorables/ideal.js')
        const ideals = sent.map(ideal => Float32Array.from(ideal, v => v/65535))
        const f = new Function('m', 'ideals', 'image', `return ${code}`)
        return images.map(image => f(m, ideals, Float32Array.from(image)))
    }""", [data['ideals'].reshape(2, 784).tolist(), images.flatten(1).tolist(), code]),
        dtype=torch.float64)


def test_distances_agree_with_torch_on_all_digits_and_200_edited_ones(desk, data, images, ideals):
    g = torch.Generator().manual_seed(2)
    edited = images[torch.randint(len(images), (200,), generator=g)].clone()
    share = torch.rand(200, 1, 1, generator=g)*.3
    turned = torch.rand(edited.shape, generator=g) < share
    edited[turned] = (edited[turned] < .5).double()
    everything = torch.cat([images, edited])[:, None]
    assert len(images) == 24
    wanted = torch.stack([d(everything, ideals) for d in (l1_distance, rmse_distance)], 2)
    code = 'ideals.map(ideal => m.distances(image, ideal))'
    found = in_page(desk, data, everything[:, 0], code)
    assert (found - wanted).abs().max() < 1e-5   # the ideals are rounded to 16 bits
    margins = in_page(desk, data, everything[:, 0], 'm.margins(image, ideals)')
    assert torch.equal(margins > 0, wanted[:, 0] < wanted[:, 1])


def test_a_pixel_moves_the_verdict_by_as_much_as_is_said(desk, data, images):
    sent_ideals = torch.from_numpy(data['ideals']/65535.)
    image = images[3]
    each = image.repeat(784, 1, 1)
    each.view(784, 784).diagonal().copy_((image.flatten() < .5).double())
    for n, distance in enumerate((l1_distance, rmse_distance)):
        margin = [distance(i, sent_ideals[1]) - distance(i, sent_ideals[0]) for i in (each, image)]
        found = in_page(desk, data, image[None], f'Array.from(m.influence(image, ideals, {n}))')
        torch.testing.assert_close(found[0], margin[0] - margin[1], atol=1e-6, rtol=0)
        best = in_page(desk, data, image[None],
                       f'm.strongest(m.influence(image, ideals, {n}), {margin[1].item()})')
        assert best == (found[0]*-margin[1].sign()).argmax()


def test_ideal_links(desk):
    read = desk.evaluate("""async () => {
        const m = await import('./assets/explorables/ideal.js')
        const turned = new Map([[0, 1], [783, 0], [40, 1]]), text = m.toText(5, turned)
        const back = m.fromText(text, 24), bad = ['24..', '5', '5.0.', '5.zz.', '<b>', '5...', null]
        return {text, back: [back.digit, ...back.turned], bad: bad.map(b => m.fromText(b, 24))}
    }""")
    assert read['text'] == '5.lr.0014'
    assert read['back'][0] == 5 and sorted(read['back'][1:]) == [[0, 1], [40, 1], [783, 0]]
    assert read['bad'] == [None]*7


def verdicts(page) -> list[str]:
    page.locator('[data-explorable=ideal] .box').wait_for()
    settle(page)
    return page.locator('[data-explorable=ideal] .digit').all_inner_texts()


def numbers(page) -> list[float]:
    "Distances to the ideal 3 and 7, by L1 and then by RMSE"
    page.locator('[data-explorable=ideal] .box').wait_for()
    settle(page)
    return [float(t) for t in page.locator('[data-explorable=ideal] .number').all_inner_texts()]


def test_a_verdict_is_turned_pixel_by_pixel_and_taken_back(reader, images, ideals):
    page = reader('similarity.html')
    sheet = page.get_by_role('application', name='pixels to turn')
    sheet.scroll_into_view_if_needed()
    both = torch.stack([d(images[0], ideals) for d in (l1_distance, rmse_distance)])
    before = numbers(page)
    assert before == [round(v, 4) for v in both.flatten().tolist()]
    assert verdicts(page) == ['3', '3']
    page.get_by_role('button', name='Maps by RMSE').click()
    ring = page.get_by_role('button', name='Turn the ringed pixel')
    lead, turned = ((ideals[1] - pixels)**2 - (ideals[0] - pixels)**2
                    for pixels in (images[0], (images[0] < .5).double()))
    moves = (turned - lead).flatten().sort().values.cumsum(0) + lead.sum()
    count = int((moves < 0).int().argmax()) + 1   # as few as can be
    for n in range(count):
        assert (n, verdicts(page)[1]) == (n, '3')
        ring.click()
    assert verdicts(page)[1] == '7'
    assert f'{count} pixels changed: RMSE moved by' in page.locator('.quest').inner_text()
    for _ in range(count): page.get_by_role('button', name='Undo').click()
    assert numbers(page) == before and page.get_by_role('button', name='Undo').is_disabled()
    box = sheet.bounding_box()
    page.mouse.move(box['x'] + 2, box['y'] + 2)      # paper: a line of ink
    page.mouse.down()
    page.mouse.move(box['x'] + box['width'] - 2, box['y'] + 2)
    page.mouse.up()
    inked = images[0].clone()
    inked[0] = 1
    both = torch.stack([d(inked, ideals) for d in (l1_distance, rmse_distance)])
    assert numbers(page) == [round(v, 4) for v in both.flatten().tolist()]
    page.get_by_role('button', name='Copy link').click()
    assert re.search(r'#ideal=0\.\.(0\d|0[a-r]){28}$', page.url)
    page.reload()
    assert numbers(page) == [round(v, 4) for v in both.flatten().tolist()]


def test_the_keyboard_turns_pixels(reader, images, ideals):
    page = reader('similarity.html')
    page.get_by_role('button', name='Digit 2, a real 3').press('Enter')
    sheet = page.get_by_role('application', name='pixels to turn')
    sheet.focus()
    for key in ['Shift+ArrowUp', 'ArrowLeft', 'ArrowDown', ' ']: page.keyboard.press(key)
    settle(page)
    row, column, ink = re.findall(r'[\d.]+', page.locator('.where').inner_text())
    turned = images[1].clone()
    turned[int(row), int(column)] = (turned[int(row), int(column)] < .5).double()
    assert (row, column, float(ink)) == ('11', '13', turned[11, 13])
    both = torch.stack([d(turned, ideals) for d in (l1_distance, rmse_distance)])
    assert numbers(page) == [round(v, 4) for v in both.flatten().tolist()]
    page.get_by_role('status').filter(has_text='Row 11, column 13').wait_for(state='attached')
    page.keyboard.press('Backspace')
    both = torch.stack([d(images[1], ideals) for d in (l1_distance, rmse_distance)])
    assert numbers(page) == [round(v, 4) for v in both.flatten().tolist()]


def test_finding_those_that_disagree_by_touch_on_a_phone_in_the_dark(reader, images, ideals):
    page = reader('similarity.html', **DARK_PHONE)
    margin = torch.stack([d(images[:, None], ideals) for d in (l1_distance, rmse_distance)])
    says3 = margin[..., 0] < margin[..., 1]
    odd = (says3[0] != says3[1]).nonzero().flatten().tolist()
    quest = page.locator('.quest')
    assert 8 <= len(odd) < 16 and quest.inner_text().startswith('Find one on which')
    for found, n in enumerate(odd[:2], 1):
        page.get_by_role('button', name=f'Digit {n + 1}, a real').tap()
        assert verdicts(page) == ['7', '3']
        assert f'L1 says 7, RMSE 3. Found: {found} of {len(odd)}.' in quest.inner_text()
    for_everyone(page, 'ideal')
