"The kernel of chapter 09, painted and slid as a person would, and its arithmetic against torch."
import pytest
import torch
import torch.nn.functional as F
from playing import DARK_PHONE, sent
from test_site import settle

IMPORT = 'const m = await import("./assets/explorables/kernel.js")'


@pytest.fixture(scope='module')
def data():
    "What the chapter has stored: digits and kernels"
    return sent('kernel')


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('padding', [0, 1])
def test_maps_and_windows_agree_with_torch(desk, data, stride, padding):
    rng = torch.Generator().manual_seed(10*stride + padding)
    digits = torch.from_numpy(data['images']).double()[:, None]/255
    weights = torch.randn(len(digits), 1, 3, 3, generator=rng, dtype=torch.float64)
    for digit, weight in zip(digits, weights, strict=True):
        wanted = F.conv2d(digit[None], weight[None], stride=stride, padding=padding)[0, 0]
        windows = F.unfold(digit[None], 3, stride=stride, padding=padding)[0].T
        for relu in True, False:
            out, last = desk.evaluate(f'''async ([image, weights, how]) => {{ {IMPORT}
                const made = m.convolve(image, weights, how)
                const n = m.places(28, how.stride, how.padding)
                const below = m.windowAt(image, [n - 1, 2], how.stride, how.padding)
                return [Array.from(made), [n, ...below]] }}''', [digit.flatten().tolist(),
                weight.flatten().tolist(), dict(stride=stride, padding=padding, relu=relu)])
            n = len(wanted)
            assert last[0] == n == (28 + 2*padding - 3)//stride + 1
            torch.testing.assert_close(torch.tensor(last[1:]).double(),
                                       windows[n*(n - 1) + 2], rtol=0, atol=1e-6)
            torch.testing.assert_close(torch.tensor(out).double().view(n, n),
                                       wanted.relu() if relu else wanted, rtol=0, atol=1e-6)


def test_kernel_links_bring_all_back_and_bad_ones_are_refused(desk):
    back, bad = desk.evaluate(f'''async () => {{ {IMPORT}
        const one = {{digit: 3, stride: 2, padding: 1, relu: true,
                      weights: [0, -1, 1, .25, -.125, 2, 0, .1, -2]}}
        const nine = '_0_0_0_0_0_0_0_0_0', bad = ['', null, '<b>', '3_1_0_0' + nine + '_1',
            '3_3_0_0' + nine, '3_1_2_0' + nine, '9_1_0_0' + nine, '3_1_0_0_NaN' + nine.slice(2)]
        return [m.fromText(m.toText(one), 6), bad.map(t => m.fromText(t, 6))] }}''')
    assert back == dict(digit=3, stride=2, padding=1, relu=True,
                        weights=[0, -1, 1, .25, -.125, 2, 0, .1, -2])
    assert bad == [None]*8


# In the hand

def part(page): return page.locator('[data-explorable=kernel] .box')
def field(page, name): return part(page).get_by_role('application', name=name)


def point(page, name: str, row: float, column: float, n: int) -> tuple[float, float]:
    "Where the middle of a cell of a picture of n by n cells is on the screen"
    box = field(page, name).bounding_box()
    return box['x'] + (column + .5)*box['width']/n, box['y'] + (row + .5)*box['height']/n


def weights(page) -> torch.Tensor:
    part(page).wait_for()
    told = part(page).locator('.weights span').all_inner_texts()
    return torch.tensor([float(text.replace('−', '-')) for text in told]).view(3, 3)


def read(page) -> tuple[list[int], float, float, str]:
    "The place, the sum, the nine products added up here, and the rest of what is said"
    settle(page)
    said = part(page).locator('.sum').inner_text()
    number = part(page).locator('.sum b').inner_text().replace('−', '-')
    products = part(page).locator('td b').all_inner_texts()
    place = [int(word.strip(',')) for word in said.split() if word.strip(',').isdigit()]
    return place[:2], float(number), sum(float(p.replace('−', '-')) for p in products), said


def test_weights_are_painted_and_places_shown_by_mouse(reader, data):
    page, digit = reader('convolution.html'), torch.from_numpy(data['images'][0]).view(28, 28)/255
    part(page).scroll_into_view_if_needed()
    assert read(page)[0] == [*data['at']]   # where the stored picture has its largest number
    page.mouse.move(*point(page, 'Digit', 9, 16, 28))
    place, number, products, _ = read(page)
    wanted = F.conv2d(digit[None, None], weights(page)[None, None])[0, 0]
    assert place == [8, 15] and abs(number - wanted[8, 15]) < .0051 > abs(products - number)/9
    page.mouse.move(*point(page, 'Map', 20, 8, 26))
    assert read(page)[0] == [20, 8] and abs(read(page)[1] - wanted[20, 8]) < .0051
    part(page).get_by_role('button', name='blur').click()
    page.mouse.move(*point(page, 'Kernel,', 0, 0, 3))
    page.mouse.down()   # the first was above 0, so it becomes -1, and the others like it
    page.mouse.move(*point(page, 'Kernel,', 0, 1, 3), steps=4)
    page.mouse.move(*point(page, 'Kernel,', 0, 2, 3), steps=4)
    page.mouse.up()
    settle(page)
    assert weights(page)[0].tolist() == [-1]*3 and (weights(page)[1:] - 1/9).abs().max() < .0051
    part(page).get_by_role('slider').fill('0.7')
    settle(page)
    assert weights(page)[0].tolist() == pytest.approx([-1, -1, .7])
    for name, shape in (('Stride 2', 13), ('Padding 1', 14)):
        part(page).get_by_role('button', name=name).click()
        settle(page)
        assert f'shape ({shape}, {shape})' in part(page).inner_text()
        assert field(page, f'Map of {shape} by {shape}').evaluate('c => c.width') == shape
    small = F.conv2d(digit[None, None], weights(page)[None, None], stride=2, padding=1)[0, 0]
    low = divmod(int(small.argmin()), 14)
    page.mouse.move(*point(page, 'Map', *low, 14))
    assert read(page)[1] < -1 and 'ReLU' not in read(page)[3]
    part(page).get_by_role('button', name='ReLU').click()
    page.mouse.move(*point(page, 'Map', *low, 14))
    assert 'ReLU makes it 0' in read(page)[3] and 'From 0 to' in part(page).inner_text()
    part(page).get_by_role('button', name='Digit 5, a real 3').click()
    part(page).get_by_role('button', name='Copy link').click()
    before = weights(page), page.url
    page.reload()
    settle(page)
    assert torch.equal(weights(page), before[0]) and '#kernel=4_2_1_1_-1000' in page.url
    assert field(page, 'Digit 5, a real 3').is_visible()
    assert 'shape (14, 14)' in part(page).inner_text()


def test_the_keyboard_does_all_and_a_screen_reader_is_told(reader, data):
    page = reader('convolution.html', reduced_motion='reduce')
    told = part(page).get_by_role('status')
    row, column = data['at']
    field(page, 'Digit').focus()
    for key in 'ArrowDown', 'ArrowDown', 'ArrowLeft': page.keyboard.press(key)
    assert read(page)[0] == [row + 2, column - 1]
    place = f'Row {row + 2}, column {column - 1} of the map'
    told.filter(has_text=place).wait_for(state='attached')
    field(page, 'Map').focus()
    page.keyboard.press('Shift+ArrowDown')
    assert read(page)[0] == [row + 6, column - 1]
    field(page, 'Kernel,').focus()
    for key in ' ', 'ArrowUp', 'Delete', 'ArrowLeft', '+', '+', 'ArrowDown', ' ', ' ', '-':
        page.keyboard.press(key)
    settle(page)
    assert weights(page).tolist() == [[pytest.approx(-.8), 0, -1], [pytest.approx(-1.1), 1, 0],
                                      [1, 1, 1]]
    told.filter(has_text='Weights −0.8, 0, −1, −1.1, 1, 0').wait_for(state='attached')
    row_of = part(page).get_by_role('button', name='Next row')   # nothing moves by itself
    for _ in range(3): row_of.press('Enter')
    assert read(page)[0] == [2, 25]
    assert field(page, 'Map').evaluate('''c => [...c.getContext('2d').getImageData(0, 3, 26, 23)
        .data].every(v => v === 0)''')
    field(page, 'Map').press('ArrowUp')   # and all of it is there again
    assert read(page)[0] == [1, 25] and field(page, 'Map').evaluate('''c =>
        [...c.getContext('2d').getImageData(0, 3, 26, 23).data].some(v => v !== 0)''')


def test_a_finger_paints_and_the_page_stays_where_it_is(reader):
    page = reader('convolution.html', **DARK_PHONE)
    part(page).get_by_role('button', name='left edge').tap()
    settle(page)
    field(page, 'Kernel,').scroll_into_view_if_needed()
    page.touchscreen.tap(*point(page, 'Kernel,', 1, 1, 3))
    settle(page)
    assert weights(page).tolist() == [[-1, 0, 1], [-1, 1, 1], [-1, 0, 1]]
    session, scrolled = page.context.new_cdp_session(page), page.evaluate('scrollY')
    for kind, row in (('touchStart', 0), ('touchMove', 1), ('touchMove', 2), ('touchEnd', None)):
        x, y = point(page, 'Kernel,', row or 0, 2, 3)
        points = [] if row is None else [{'x': x, 'y': y}]
        session.send('Input.dispatchTouchEvent', {'type': kind, 'touchPoints': points})
    settle(page)
    assert weights(page).tolist() == [[-1, 0, -1], [-1, 1, -1], [-1, 0, -1]]
    assert page.evaluate('scrollY') == scrolled
    page.touchscreen.tap(*point(page, 'Map', 6, 20, 26))
    assert read(page)[0] == [6, 20]
