"The speed-up of chapter 11: its arithmetic against `step_seconds`, its use, its links."
import random

import pytest
from playing import DARK_PHONE, sent

from digit_under_hood.distributed import step_seconds

IMPORT = 'const m = await import("./assets/explorables/speedup.js")'


@pytest.fixture(scope='module')
def data():
    "What the chapter has stored: two networks, four wires, the rows of a batch"
    return sent('speedup')


def fast(data, net: str, n: int, wire: str, each: bool = False, **changed) -> float:
    "How many times as many images a second as one process, as the chapter computes it"
    fixed, work, size = data['nets'][net]
    known = dict(zip(('bandwidth', 'latency'), data['wires'][wire])) | changed
    alone = step_seconds(1, fixed, work)
    return n*alone/step_seconds(n, fixed, n*work, size, **known) if each \
        else alone/step_seconds(n, fixed, work, size, **known)


def test_a_step_takes_as_long_as_in_python(desk):
    rng, asked, wanted = random.Random(0), [], []
    for _ in range(200):
        n, grow = rng.randint(1, 64), rng.random() < .5
        net = dict(fixed=rng.random()/100, work=rng.random(), size=10**rng.uniform(2, 9))
        wire = dict(bandwidth=10**rng.uniform(7, 12), latency=10**rng.uniform(-7, -1))
        asked.append([net, grow, n, wire])
        now = step_seconds(n, **net | wire | {'work': n*net['work'] if grow else net['work']})
        ratio = (n if grow else 1)*step_seconds(1, net['fixed'], net['work'])/now
        wanted += [now, ratio, ratio]
    found = desk.evaluate(f'''async all => {{ {IMPORT}
        return all.flatMap(a => [m.stepSeconds(...a), m.speedUp(...a),
                                 m.curve(a[0], a[1], a[3])[a[2] - 1][1]]) }}''', asked)
    assert found == pytest.approx(wanted, rel=1e-9, abs=0)


def test_speedup_links_bring_all_back_and_bad_ones_are_refused(desk):
    states = [dict(net=1, grow=True, n=64, bandwidth=1e12, latency=1e-7),
              dict(net=0, grow=False, n=1, bandwidth=964650000, latency=.00016095)]
    back, none = desk.evaluate(f'''async ([states, bad]) => {{ {IMPORT}
        const texts = states.map(m.toText)
        return [texts.map(t => m.fromText(t, 2)), bad.map(t => m.fromText(t, 2))] }}''',
        [states, ['', None, '<b>', '2_0_8_1e9_1e-4', '0_2_8_1e9_1e-4', '0_0_65_1e9_1e-4',
                  '0_0_0_1e9_1e-4', '0_0_8_1e13_1e-4', '0_0_8_1e9_1', '0_0_8_1e9',
                  '0_0_8_1.2.3_1e-4', '0_0_8_NaN_1e-4']])
    assert back == states and none == [None]*12


# In the hand

def part(page): return page.locator('[data-explorable=speedup] .box')
def told(page) -> str: return part(page).locator('.told').inner_text()
def lever(page, name): return part(page).get_by_role('slider', name=name)


def press(page, *names: str, how='click') -> None:
    for name in names: getattr(part(page).get_by_role('button', name=name, exact=True), how)()


def listed(page) -> list[float]:
    "The last row of the table: processes, fixed, work, messages, a step, images a second"
    row = part(page).locator('tbody tr').last.locator('th, td').all_inner_texts()
    return [float(text.replace(',', '')) for text in row]


def test_the_mouse_chooses_and_a_link_brings_it_back(reader, data):
    page = reader('distributed.html')
    part(page).scroll_into_view_if_needed()
    gain = fast(data, 'convolution', 8, 'between cards')   # no answer to the guess above it
    assert told(page).startswith(f'8 processes, each with 32 rows: {gain:.1f} times as fast')
    press(page, 'This machine')
    fixed, work, size = data['nets']['convolution']
    bandwidth, latency = data['wires']['this machine']
    n, *parts, step, images = listed(page)
    wanted = [fixed, work/8, 14*(size/8/bandwidth + latency)]
    assert n == 8 and parts == pytest.approx([1000*v for v in wanted], abs=.051)
    assert step == pytest.approx(1000*sum(wanted), abs=.051)
    assert images == pytest.approx(256/sum(wanted), rel=.005)
    colours = part(page).locator('.bar').last.locator('i').evaluate_all(
        'all => all.map(i => i.getBoundingClientRect().width)')
    shares = [seconds/sum(wanted) for seconds in wanted]
    assert [wide/sum(colours) for wide in colours] == pytest.approx(shares, abs=.01)
    press(page, 'Flat', '10-gigabit network')
    picture = part(page).locator('.plot > svg').first
    box = picture.bounding_box()
    picture.click(position={'x': box['width'] - 19, 'y': box['height']/2})
    assert lever(page, 'Processes').input_value() == '64'
    gain = fast(data, 'flat', 64, '10-gigabit network')
    assert told(page).startswith(f'64 processes, each with 4 rows: {gain:.1f} times as fast')
    press(page, 'Town to town')
    assert 'slower than one' in told(page) and 'No number of them is faster' in told(page)
    press(page, '256 rows for each', 'Between cards', 'Copy link')
    before = told(page), listed(page)
    gain = fast(data, 'flat', 64, 'between cards', each=True)
    assert f'each with 256 rows: {gain:.0f} times as many images a second' in before[0]
    page.reload()
    assert (told(page), listed(page)) == before and '#speedup=1_1_64_' in page.url
    page.goto(page.url.partition('#')[0] + '#speedup=1_1_65_1e9_1e-4')
    page.reload()
    assert told(page).startswith('8 processes, each with 32 rows')


def test_the_keyboard_does_all_and_a_screen_reader_is_told(reader, data):
    page = reader('distributed.html', reduced_motion='reduce')
    lever(page, 'Processes').press('Home')
    assert told(page).startswith('1 process, with all 256 rows.')
    assert part(page).get_by_role('row').count() == 2   # a heading and the one process
    for _ in range(4): lever(page, 'Processes').press('ArrowRight')
    for name in 'Flat', 'This machine':
        press(page, name, how='focus')
        page.keyboard.press('Enter')
    wire = lever(page, 'Bandwidth')
    assert wire.get_attribute('aria-valuetext') == '965 MB/s'
    wire.press('End')
    assert wire.get_attribute('aria-valuetext') == '1 TB/s'
    pressed = part(page).get_by_role('group', name='Wire').locator('[aria-pressed=true]')
    assert pressed.count() == 0
    gain = fast(data, 'flat', 5, 'this machine', bandwidth=1e12)
    words = f'5 processes, each with about 51 rows: {gain:.1f} times as fast as one.'
    part(page).get_by_role('status').filter(has_text=words).wait_for(state='attached')
    assert 'messages' in part(page).get_by_role('status').inner_text()
    plotted = part(page).locator('.plot > svg').get_attribute('aria-label')
    assert plotted.endswith(f'flat with 5: {gain:.1f}')
    lever(page, 'Latency').press('Home')
    assert lever(page, 'Latency').get_attribute('aria-valuetext') == '0.1 µs'
    assert '5 processes: ' in part(page).locator('.chart').get_attribute('aria-label')


def test_chosen_by_touch_on_a_phone_in_the_dark(reader, data):
    page = reader('distributed.html', **DARK_PHONE)
    press(page, 'This machine', 'Flat', how='tap')
    lever(page, 'Processes').fill('64')
    gain = fast(data, 'flat', 64, 'this machine')
    assert f': {gain:.1f} times as fast as one' in told(page)
