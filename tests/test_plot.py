"The plot that explorables share: its ticks, what it does with odd numbers, dots that are dragged."
from itertools import pairwise

import pytest
from browsing import opened
from playing import DARK_PHONE, for_everyone

# A page with one plot; `moves` records where handles were asked to go
SCENE = """async () => {
    const {plot, PLOT_CSS} = await import('./assets/explorables/plot.js')
    const {frame, h} = await import('./assets/explorables/shared.js')
    document.body.replaceChildren(document.createElement('main'))
    const el = document.querySelector('main').appendChild(h('div'))
    el.dataset.explorable = 'scene'
    const p = window.p = plot({label: 'A scene', height: 300, xs: [0, 10], ys: [1e-3, 1e3],
                               logY: true, xLabel: 'step', yLabel: 'loss'})
    frame(el, {label: 'Scene', css: PLOT_CSS}, [p.el], () => {})
    p.line('all', [[0, 1], [2, 10], [3, NaN], [4, 0], [5, 1e-9], [6, 1e300], [8, 1],
                    [9, Infinity], [9.5, 1]])
    p.dots('all', [[1, 1], [11, 1], [2, 1e9], [3, -1], [4, NaN], [9, 100]])
    p.text('all', [5, 1], 'a word')
    const points = [[2, 1], [2.2, 1], [8, .1]]
    window.moves = []
    const show = () => p.handles('knots', points, {names: ['one', 'two', 'three'], step: [.5, 1],
        told: i => `at ${points[i][0].toFixed(2)}`,
        moved: (i, to) => { points[i] = to; moves.push([i, ...to]); show() }})
    show()
}"""


@pytest.fixture
def scene(browser, site):
    with opened(browser, site, '404.html') as page:
        page.evaluate(SCENE)
        page.locator('.plot path.line').wait_for(state='attached')
        yield page


def test_ticks_are_round_few_and_inside(desk):
    ranges = [[0, 10], [-3.2, 3.1], [10, 0], [0, .003], [-2e6, 2e6], [15.01, 15.09], [0, 1]]
    logs = [[1e-15, 1], [1, 1e-15], [.001, 1000], [1, 90], [.3, .4], [1e-5, 1e30]]
    found = desk.evaluate("""async ([ranges, logs]) => {
        const {ticks, tickLabels} = await import('./assets/explorables/plot.js')
        const read = log => range => {
            const values = ticks(range, 6, log)
            return tickLabels(values, log).map((words, i) => [values[i], words.join('^')])
        }
        return [...ranges.map(read(false)), ...logs.map(read(true))]
    }""", [ranges, logs])
    for ends, all_ in zip(ranges + logs, found, strict=True):
        values, words = zip(*all_, strict=True)
        assert 3 <= len(values) <= 8 and len(set(words)) == len(words), (ends, words)
        assert min(ends)*.999 <= min(values) or min(ends) <= 0
        assert max(values) <= max(ends)*1.001
    words = [[text for _, text in all_] for all_ in found]
    assert words[1] == ['−3^', '−2^', '−1^', '0^', '1^', '2^', '3^']
    assert words[3] == ['0^', '0.0005^', '0.001^', '0.0015^', '0.002^', '0.0025^', '0.003^']
    assert words[4] == ['−2·10^6', '−10^6', '0^', '10^6', '2·10^6']
    assert words[7] == ['10^−15', '10^−12', '10^−9', '10^−6', '10^−3', '1^']
    assert words[9] == ['0.001^', '0.01^', '0.1^', '1^', '10^', '100^', '1,000^']


def test_what_is_not_finite_or_outside_is_survived(scene):
    d = scene.locator('.plot path.line').get_attribute('d')
    assert 'NaN' not in d and 'Infinity' not in d
    assert d.count('M') == 3   # anew after NaN and 0, and where it comes back from afar
    places = [float(n) for n in d.replace('M', ' ').replace('L', ' ').split()]
    width, height = scene.evaluate('[p.toX(10), p.toY(1e-3)]')
    assert max(places[::2]) < width and -height - 1 < min(places[1::2]) < -height + 1
    assert places[:4] == pytest.approx([0, height/2, width/5, height/3], abs=.01)
    shown = scene.locator('.plot circle').evaluate_all('all => all.map(e => e.style.display)')
    assert shown == ['', 'none', 'none', 'none', 'none', '']


def test_places_are_those_of_the_axes(scene):
    x, y = scene.evaluate('[p.toX(5), p.toY(1)]')
    width, height = scene.evaluate('[p.toX(10), p.toY(1e-3)]')
    assert x == pytest.approx(width/2) and y == pytest.approx(height/2)
    back = scene.evaluate("""() => {
        const {left, top} = p.el.querySelector('svg svg').parentNode.getBoundingClientRect()
        const inner = p.el.querySelector('svg svg')
        return p.at({clientX: left + inner.x.baseVal.value + p.toX(7),
                     clientY: top + inner.y.baseVal.value + p.toY(20)})
    }""")
    assert back == pytest.approx([7, 20])
    scene.evaluate('p.set({xs: [10, 0]})')
    assert scene.evaluate('[p.toX(10), p.toX(0)]') == pytest.approx([0, width])
    scene.evaluate('p.set({xs: [0, 10]})')


def test_dots_are_dragged_by_keyboard_and_mouse(scene):
    scene.evaluate('moves.length = 0')
    three = scene.get_by_role('slider', name='three')
    three.focus()
    for key in ('ArrowRight', 'ArrowUp', 'Shift+ArrowRight'): scene.keyboard.press(key)
    found = scene.evaluate('moves')
    assert [move[0] for move in found] == [2]*3
    assert found[0][1:] == pytest.approx([8.5, .1])
    assert found[1][1:] == pytest.approx([8.5, 1])
    assert found[2][1:] == pytest.approx([10, 1])   # stays inside
    assert three.get_attribute('aria-valuetext') == 'at 10.00'
    two = scene.get_by_role('slider', name='two').bounding_box()
    x, y = two['x'] + 22, two['y'] + 22      # one and two overlap: the nearest is taken
    scene.mouse.move(x + 1, y)
    scene.mouse.down()
    scene.mouse.move(x + 101, y - 50, steps=3)
    scene.mouse.move(x + 101, y - 5000)
    scene.mouse.up()
    scene.mouse.move(x, y)
    found = scene.evaluate('moves.slice(3)')
    assert {move[0] for move in found} == {1} and len(found) == 4
    width = scene.evaluate('p.toX(10)')
    assert found[-1][1:] == pytest.approx([2.2 + 10*100/width, 1e3], abs=.02)


def test_plot_on_a_phone_in_the_dark(browser, site):
    with opened(browser, site, '404.html', **DARK_PHONE) as page:
        page.evaluate(SCENE)
        page.locator('.plot path.line').wait_for(state='attached')
        for_everyone(page, 'scene')
        size = 'e => parseFloat(getComputedStyle(e).fontSize)'
        assert page.locator('.plot text').first.evaluate(size) >= 12
        boxes = page.locator('.plot g text[text-anchor=middle]').evaluate_all(
            'all => all.map(e => e.getBoundingClientRect()).map(r => [r.left, r.right])')
        assert all(a[1] < b[0] for a, b in pairwise(boxes))
