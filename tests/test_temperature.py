"The temperature of chapter 08b: its arithmetic against torch, its use, its links."
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from playing import DARK_PHONE, for_everyone, insert, sent

from digit_under_hood.calibration import (
    expected_calibration_error,
    fit_temperature,
    reliability,
    temperature_explorer,
)
from digit_under_hood.explorable import unpack
from digit_under_hood.ten_digits import cross_entropy, softmax
from digit_under_hood.validation import accuracy_interval

IMPORT = 'const m = await import("./assets/explorables/temperature.js")'
MEASURE = f'''async ([data, temperatures]) => {{ {IMPORT}
    const typed = {{steps: Uint8Array.from(data.steps), labels: Uint8Array.from(data.labels)}}
    const rows = m.restore({{...data, ...typed}})
    return temperatures.map(T =>
        ({{...m.measure(rows, T), shares: m.shares(rows[0].scores, T)}})) }}'''
MANY = [.2, .302, .5, .708, 1, 1.2, 1.41, 2, 3.02, 5]


@pytest.fixture(scope='module')
def data():
    "What the chapter has stored"
    return sent('temperature')


def measured(desk, data, temperatures=MANY) -> list[dict]:
    "What the page makes of packed scores at each temperature"
    plain = {name: v.flatten().tolist() if isinstance(v, np.ndarray) else v
             for name, v in data.items() if name != 'pictures'}
    return desk.evaluate(MEASURE, [plain, temperatures])


def restored(data) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    "Scores and labels as the page has them, and for how many digits each stands"
    n = torch.ones(len(data['labels'])).double()
    n[data['alone']:] = data['weight']
    scores = -torch.from_numpy(data['steps']).double()**2*data['step']
    return scores, torch.from_numpy(data['labels']).long(), n


def made(n: int, seed: int, spread: float = 4) -> tuple[torch.Tensor, torch.Tensor]:
    "Scores of a model that is too sure: labels are drawn from shares at T = 1.5"
    rng = torch.Generator().manual_seed(seed)
    scores = spread*torch.randn(n, 10, generator=rng).double()
    return scores, torch.multinomial(softmax(scores/1.5), 1, generator=rng)[:, 0]


@pytest.mark.parametrize('seed', range(5))
def test_where_each_digit_counts_once_all_is_as_in_torch_and_in_the_chapter(desk, seed):
    scores, labels = made(500, seed)
    data = unpack(temperature_explorer(scores, labels).data)
    assert data['weight'] == 1 and len(data['labels']) == 500
    near, labels, _ = restored(data)
    for T, found in zip(MANY, measured(desk, data)):
        shares, right = F.softmax(near/T, 1), near.argmax(1) == labels
        sure = shares.amax(1)
        assert found['loss'] == pytest.approx(F.cross_entropy(near/T, labels).item(), abs=1e-9)
        error = expected_calibration_error(sure, right)
        assert found['error'] == pytest.approx(error, abs=1e-9)
        assert found['accuracy'] == pytest.approx(right.double().mean().item(), abs=1e-12)
        assert found['shares'] == pytest.approx(shares[0].tolist(), abs=1e-12)
        groups = reliability(sure, right)
        groups = groups[groups[:, 2] > 0]
        assert np.allclose(found['groups'], groups, atol=1e-9)


@pytest.mark.parametrize('seed', range(5))
def test_some_that_stand_for_all_keep_the_accuracy_and_nearly_the_loss(seed):
    scores, labels = made(3000, seed, spread=8)
    data = unpack(temperature_explorer(scores, labels).data)
    near, kept, n = restored(data)
    assert data['weight'] > 2 and len(kept) < 2400
    wanted = (scores.argmax(1) == labels).double().mean().item()
    assert ((near.argmax(1) == kept)*n).sum().item()/3000 == pytest.approx(wanted, abs=1e-9)
    assert n.sum().item() == pytest.approx(3000, abs=1e-9)
    for T in MANY:
        loss = F.cross_entropy(near/T, kept, reduction='none')
        loss = ((loss*n).sum()/n.sum()).item()
        assert loss == pytest.approx(cross_entropy(scores/T, labels).item(), abs=.002)


def test_what_the_chapter_sends_agrees_with_torch(desk, data):
    near, labels, n = restored(data)
    for T, found in zip(MANY, measured(desk, data)):
        loss = F.cross_entropy(near/T, labels, reduction='none')
        assert found['loss'] == pytest.approx(((loss*n).sum()/n.sum()).item(), abs=1e-9)
        assert sum(group[2] for group in found['groups']) == pytest.approx(9895, abs=1e-6)
        assert found['accuracy'] == pytest.approx(1 - 308/9895, abs=1e-9)   # as the chapter counts
    losses = [found['loss'] for found in measured(desk, data, [1, 1.4])]
    assert losses == pytest.approx([.1188, .1082], abs=2e-4)   # of all 9,895


def test_the_fitted_temperature_is_the_lowest_of_the_curve(desk, data):
    scores, labels = made(400, 7)
    grid = [fit_temperature(scores, labels)*1.02**i for i in range(-30, 31)]
    few = unpack(temperature_explorer(scores, labels).data)
    losses = [found['loss'] for found in measured(desk, few, grid)]
    lowest = losses.index(min(losses))
    assert abs(lowest - 30) <= 1
    assert losses[:lowest] == sorted(losses[:lowest], reverse=True)
    assert losses[lowest:] == sorted(losses[lowest:])
    grid = [1.3 + i/100 for i in range(21)]
    losses = [found['loss'] for found in measured(desk, data, grid)]
    assert grid[losses.index(min(losses))] == pytest.approx(1.4, abs=.021)   # as for all 9,895


def test_intervals_are_those_of_chapter_03b(desk):
    asked = [(0, 3), (3, 3), (7, 20), (9700, 9895), (1, 1)]
    found = desk.evaluate(f'''async all => {{ {IMPORT}
        return all.map(([k, n]) => m.interval(k/n, n)) }}''', asked)
    assert np.allclose(found, [accuracy_interval(k, n) for k, n in asked], atol=1e-4)


def test_temperature_links_bring_all_back_and_bad_ones_are_refused(desk):
    states = [{'T': 1.41, 'digit': 5}, {'T': .2, 'digit': 0}, {'T': 5, 'digit': 3},
              {'T': .302, 'digit': 2}]
    back, none = desk.evaluate(f'''async ([states, bad]) => {{ {IMPORT}
        return [states.map(s => m.fromText(m.toText(s), 6)), bad.map(t => m.fromText(t, 6))] }}''',
        [states, ['', None, '<b>', '1_6', '0.19_0', '5.01_0', '1', '1_', '_1', '-1_0', '1e1_0',
                  '1.2.3_0', 'NaN_0', '1_0_0', '1.41_0.5']])
    assert back == states and none == [None]*15


# In the hand

def part(page): return page.locator('[data-explorable=temperature] .box')
def lever(page): return part(page).get_by_role('slider', name='Temperature T')
def verdict(page) -> str: return part(page).locator('.verdict').inner_text()


def told(page) -> list[float]:
    "Log loss, calibration error and accuracy, as the page shows them"
    part(page).wait_for()
    return [float(text) for text in part(page).locator('.gauge b').all_inner_texts()]


def expected(desk, data, T: float) -> list[float]:
    [found] = measured(desk, data, [T])
    return [round(found[name], 4) for name in ('loss', 'error', 'accuracy')]


def test_the_keyboard_does_all_a_screen_reader_is_told_a_link_brings_it_back(reader, desk, data):
    page = reader('calibration.html', reduced_motion='reduce')
    assert told(page) == expected(desk, data, 1) and lever(page).input_value() == '0'
    assert verdict(page).startswith('A 4, read as 6 with 0.70 ✗')
    lever(page).focus()
    for _ in range(15): page.keyboard.press('ArrowRight')
    assert lever(page).get_attribute('aria-valuetext') == '1.41'
    assert told(page) == expected(desk, data, 1.41)
    plotted = part(page).locator('.plot > svg').get_attribute('aria-label')
    assert plotted.startswith('At T = 1.41: ') and 'digits claim 0.99 and keep 0.9' in plotted
    second = part(page).get_by_role('button', name='Digit 2, a 7')
    second.focus()
    page.keyboard.press('Enter')
    assert second.get_attribute('aria-pressed') == 'true'
    near, labels, _ = restored(data)
    shares = softmax(near[data['shown'][1]]/1.41)
    assert verdict(page) == f'A 7, read as 7 with {shares.amax():.2f} ✓'
    bars = part(page).locator('.bars i').evaluate_all(
        'all => all.map(i => i.getBoundingClientRect().height)')
    assert bars.index(max(bars)) == 7 and bars[0]/bars[7] == pytest.approx(
        (shares[0]/shares[7]).item(), abs=.02)
    part(page).get_by_role('status').filter(has_text='T 1.41: log loss 0.1082, calibration error '
                                            ).wait_for(state='attached')
    before = told(page), verdict(page)
    part(page).get_by_role('button', name='Copy link').press('Enter')
    assert page.url.endswith('#temperature=1.41_1')
    page.reload()
    assert (told(page), verdict(page)) == before
    lever(page).press('Home')
    assert told(page) == expected(desk, data, .2)
    lever(page).press('ArrowRight')
    assert lever(page).get_attribute('aria-valuetext') == '0.204'
    lever(page).press('End')
    assert told(page) == expected(desk, data, 5)
    part(page).get_by_role('button', name='Back to T = 1').press('Enter')
    assert told(page) == expected(desk, data, 1)
    page.goto(page.url.partition('#')[0] + '#temperature=9_1')
    page.reload()
    assert told(page) == expected(desk, data, 1)


def test_the_mouse_drags_it_and_the_dots_cross_the_diagonal(reader, desk, data):
    page = reader('calibration.html')
    lever(page).scroll_into_view_if_needed()
    place = lever(page).bounding_box()
    y, accuracy = place['y'] + place['height']/2, told(page)[2]
    def sides(): return [part(page).locator(f'circle.{s}').count() for s in ('above', 'below')]
    page.mouse.move(place['x'] + place['width']/2, y)
    page.mouse.down()
    page.mouse.move(place['x'] + .1*place['width'], y, steps=4)
    sure, modest = sides()
    assert sure >= 4 and modest <= 1 and told(page)[2] == accuracy
    page.mouse.move(place['x'] + .9*place['width'], y, steps=4)
    sure, modest = sides()
    assert sure <= 1 and modest >= 6 and told(page)[2] == accuracy
    page.mouse.up()
    T = float(lever(page).get_attribute('aria-valuetext'))
    assert T > 3 and told(page) == expected(desk, data, T)
    counts = part(page).locator('.plot text.count').all_text_contents()
    [found] = measured(desk, data, [T])
    assert sorted(filter(None, counts)) == sorted(
        ['digits', *(f'{int(n + .5)}' for _, _, n in found['groups'])])


def test_by_touch_on_a_phone_in_the_dark(reader, desk, data):
    page = reader('calibration.html', **DARK_PHONE)
    lever(page).scroll_into_view_if_needed()
    place = lever(page).bounding_box()
    page.touchscreen.tap(place['x'] + .85*place['width'], place['y'] + place['height']/2)
    T = float(lever(page).get_attribute('aria-valuetext'))
    assert T > 2.5 and told(page) == expected(desk, data, T)
    part(page).get_by_role('button', name='Digit 5, a 6').tap()
    assert verdict(page).startswith('A 6, read as 8 with 0.4') and 'The 6 gets 0.3' in verdict(page)
    part(page).get_by_role('button', name='Back to T = 1').tap()
    assert told(page) == expected(desk, data, 1)
    for_everyone(page, 'temperature')


def test_without_pictures_the_digits_have_names(reader):
    page = reader('404.html')
    insert(page, temperature_explorer(*made(200, 1))._repr_html_())
    part(page).wait_for()
    names = part(page).get_by_role('group', name='Digit').get_by_role('button').all_inner_texts()
    assert len(names) == 6 and all(name.startswith('a ') for name in names)
