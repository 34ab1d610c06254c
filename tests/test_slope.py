"The slope explorer of chapter 04a: its arithmetic against torch and NumPy, and as one uses it."
import numpy as np
import pytest
import torch
from playing import DARK_PHONE, for_everyone, sent

from digit_under_hood.quadratic_sgd import slope

KINDS = {'float32': torch.float32, 'float64': torch.float64}


@pytest.fixture(scope='module')
def found(desk):
    "All that is measured: for each curve, number of sides and kind of float, over all runs"
    return desk.evaluate("""async ({curves, x, runs}) => {
        const {measured} = await import('./assets/explorables/slope.js')
        return Object.fromEntries(curves.flatMap(curve => [false, true].flatMap(both =>
            ['float32', 'float64'].map(type => [`${curve} ${+both} ${type}`,
                runs.map(run => measured(curve, x, run, both, type))]))))
    }""", sent('slope'))


def one_sided(func, x, run):
    return (func(x + run) - func(x))/((x + run) - x)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('both', [0, 1])
def test_slope_of_the_square_is_that_of_torch_and_numpy_bit_for_bit(found, both, kind):
    data = sent('slope')
    x, ours = torch.tensor(data['x'], dtype=KINDS[kind]), found[f'x² {both} {kind}']
    at = getattr(np, kind)(data['x'])
    for run, one in zip(data['runs'], ours, strict=True):
        if x + run == x:
            assert one['run'] == 0 or both
            continue
        torchs = (slope if both else one_sided)(torch.square, x, torch.tensor(run, dtype=x.dtype))
        assert one['slope'] == torchs.item()
        far = getattr(np, kind)(run)
        low = at - far if both else at
        assert one['slope'] == ((at + far)*(at + far) - low*low)/((at + far) - low)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('both', [0, 1])
def test_slope_of_the_sine_is_that_of_torch_but_for_the_last_bit_of_the_sine(found, both, kind):
    data = sent('slope')
    x, ours = torch.tensor(data['x'], dtype=KINDS[kind]), found[f'sin x {both} {kind}']
    bit, compared = torch.finfo(x.dtype).eps, 0
    for run, one in zip(data['runs'], ours, strict=True):
        if not one['run']: continue
        torchs = (slope if both else one_sided)(torch.sin, x, torch.tensor(run, dtype=x.dtype))
        assert abs(one['slope'] - torchs.item()) <= 2*bit/one['run'] + 2*bit
        compared += 1
    assert compared > 35


def test_errors_fall_and_rise_in_a_v_and_float32_stands_on_stairs(desk, found):
    data = sent('slope')
    for kind, best in (('float32', 1e-2), ('float64', 1e-5)):
        off = [abs(one['slope'] - data['slopes'][0]) for one in found[f'sin x 1 {kind}']]
        lowest = min((e, i) for i, e in enumerate(off) if e == e)[1]
        assert best/100 < data['runs'][lowest] < best*10
        assert off[0] > 1e4*off[lowest] and off[lowest + 15] > 100*off[lowest]
    assert found['sin x 0 float32'][-1]['run'] == 0     # x is not moved at all
    heights = desk.evaluate("""async () => {
        const {magnified} = await import('./assets/explorables/slope.js')
        return ['float32', 'float64'].map(type => new Set(
            magnified('sin x', .7, 1e-7, Math.cos(.7), type).map(([, y]) => y)).size)
    }""")
    assert heights[0] < 10 and heights[1] > 400


def test_digits_that_agree_and_links(desk):
    read = desk.evaluate("""async () => {
        const m = await import('./assets/explorables/slope.js')
        const agree = (a, b, type) => {
            const {texts, digits, places} = m.alike(a, b, type)
            return [digits, ...texts.map((t, i) => t.slice(0, places[i]))]
        }
        const states = ['0.5.1.0', '1.75.0.1', '2.5.1.0', '0.76.1.0', '0.5.2.0', '', null, '<b>']
        return {agree: [agree(.64421768, .64421768, 'float32'),
                        agree(.6442177, .6442176, 'float32'), agree(1.25, -1.25, 'float64'),
                        agree(12.345678, 12.345, 'float32')],
                links: states.map(text => m.fromText(text, 2, 76)),
                back: m.toText({curve: 1, run: 7, both: true, type: 0})}
    }""")
    assert read['agree'][:3] == [[9, '0.644217680', '0.644217680'], [6, '0.644217', '0.644217'],
                                 [0, '', '']]
    assert read['agree'][3] == [4, '12.34', '12.34']
    assert [bool(state) for state in read['links']] == [True, True] + [False]*6
    assert read['links'][1] == {'curve': 1, 'run': 75, 'both': False, 'type': 1}
    assert read['back'] == '1.7.1.0'


def test_slope_by_keyboard_and_a_link_that_brings_it_back(reader):
    page = reader('quadratic_sgd.html')
    part = page.locator('[data-explorable=slope] .box')
    lever = page.get_by_role('slider', name='Run')
    lever.focus()
    for _ in range(5): page.keyboard.press('ArrowRight')
    assert lever.get_attribute('aria-valuetext') == '0.1'
    row = part.locator('tbody tr')
    error = row.filter(has_text='error').locator('td').all_inner_texts()
    assert error[0] == error[1] == '0.0013'                  # h²/6 times the cosine
    page.get_by_role('button', name='One side').click()
    assert row.filter(has_text='error').locator('td').first.inner_text() == '0.033'
    part.get_by_role('button', name='float32').click()
    lever.press('End')
    assert 'In float32, 0.7 + 1e−15 is 0.7: no run' in part.inner_text()
    assert row.filter(has_text='slope').locator('td').first.inner_text() == 'none'
    page.get_by_role('status').filter(has_text='Run 1e−15, one side').wait_for(state='attached')
    page.get_by_role('button', name='Copy link').click()
    assert page.url.endswith('#slope=0.75.0.0')
    page.reload()
    assert page.get_by_role('slider', name='Run').get_attribute('aria-valuetext') == '1e−15'
    assert page.get_by_role('button', name='One side').get_attribute('aria-pressed') == 'true'


def test_slope_by_touch_on_a_phone_in_the_dark(reader):
    page = reader('quadratic_sgd.html', **DARK_PHONE)
    part = page.locator('[data-explorable=slope] .box')
    page.get_by_role('slider', name='Run').scroll_into_view_if_needed()
    place = page.get_by_role('slider', name='Run').bounding_box()
    page.touchscreen.tap(place['x'] + place['width']/2, place['y'] + place['height']/2)
    assert page.get_by_role('slider', name='Run').get_attribute('aria-valuetext').endswith('e−8')
    page.get_by_role('button', name='x²').tap()
    assert 'x² at 0.7 has slope 1.4.' in part.inner_text()
    for_everyone(page, 'slope')
