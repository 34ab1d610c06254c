"The line of chapter 07a, bent by hand or by training: its arithmetic against torch, and its use."
import pytest
import torch
from playing import DARK_PHONE, for_everyone, sent
from test_site import settle
from torch import nn

from digit_under_hood.mlp import simple_net

IMPORT = 'const m = await import("./assets/explorables/bend.js")'


@pytest.fixture(scope='module')
def data():
    "What the chapter has stored: the curve, and networks of 1 to 30 units, three of each"
    return sent('bend')


def networks(data, name: str) -> list[nn.Sequential]:
    nets, numbers = [], torch.from_numpy(data['nets']).double()
    rows = numbers.view(len(data['names']), -1)[data['names'].index(name)]
    for n in range(1, data['most'] + 1):
        net = simple_net(n, n_in=1).double()
        for p in net.parameters():
            p.data, rows = rows[:p.numel()].view_as(p).clone(), rows[p.numel():]
        nets.append(net)
    return nets


def flat(net: nn.Module) -> list[float]:
    "A network as the page has it: all of its numbers in a row"
    return torch.cat([p.detach().flatten() for p in net.parameters()]).tolist()


def curve(data) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(torch.from_numpy(data[key]).double()[:, None] for key in ('xs', 'ys'))


def near(found, wanted, eps: float) -> bool:
    return torch.allclose(torch.tensor(found).double(), wanted.double(), rtol=0, atol=eps)


def test_line_error_and_slopes_agree_with_torch(desk, data):
    x, y = curve(data)
    for name in data['names']:
        for net in networks(data, name):
            loss = (net(x) - y).square().mean()
            loss.backward()
            line, off, slopes = desk.evaluate(f'''async ([p, xs, ys]) => {{ {IMPORT}
                return [xs.map(x => m.output(p, x)), m.loss(p, xs, ys),
                        Array.from(m.gradient(p, xs, ys))] }}''',
                [flat(net), x[:, 0].tolist(), y[:, 0].tolist()])
            assert near(line, net(x)[:, 0].detach(), 1e-6) and abs(off - loss.item()) < 1e-6
            wanted = torch.cat([p.grad.flatten() for p in net.parameters()])
            assert near(slopes, wanted, 1e-6)


@pytest.mark.parametrize('adam', [True, False])
@pytest.mark.parametrize('units', [1, 5, 30])
def test_50_steps_agree_with_torch(desk, data, adam, units):
    (x, y), net = curve(data), networks(data, 'Flat start')[units - 1]
    found = desk.evaluate(f'''async ([p, xs, ys, adam]) => {{ {IMPORT}
        const step = m.stepper(adam, .01)
        let q = Float64Array.from(p)
        for (let i = 0; i < 50; i++) q = step(q, m.gradient(q, xs, ys))
        return Array.from(q) }}''', [flat(net), x[:, 0].tolist(), y[:, 0].tolist(), adam])
    opt = (torch.optim.Adam if adam else torch.optim.SGD)(net.parameters(), .01)
    for _ in range(50):
        opt.zero_grad()
        (net(x) - y).square().mean().backward()
        opt.step()
    assert near(found, torch.tensor(flat(net)), 1e-5)


def pulled(desk, net, at, to, hold):
    "Corners before and after one is pulled, and the numbers after"
    return desk.evaluate(f'''async ([p, at, to, hold]) => {{ {IMPORT}
        const all = p => m.corners(p, [0, 4]).map(c => [c.x, c.y])
        const q = m.pulled(p, at, to, [0, 4], hold)
        return [all(p), all(q), Array.from(q)] }}''', [flat(net), at, to, hold])


def test_a_corner_goes_where_it_is_pulled_and_the_others_stay(desk, data):
    for net in networks(data, 'Even knots, best heights')[1:12]:
        before, after, _ = pulled(desk, net, 1, [before_x(net, 1) + .01, 2.5], True)
        wanted = [*before[:1], [before[1][0] + .01, 2.5], *before[2:]]
        assert near(after, torch.tensor(wanted), 1e-6)


def before_x(net, i: int) -> float:
    return sorted((-net[0].bias/net[0].weight[:, 0]).tolist())[i]


def test_alone_it_takes_one_weight_and_all_to_its_right_along(desk, data):
    net = networks(data, 'Even knots, best heights')[4]
    numbers = flat(net)
    before, after, changed = pulled(desk, net, 3, [before_x(net, 3), 0.], False)
    assert [i for i in range(16) if abs(changed[i] - numbers[i]) > 1e-9] == [12]   # of unit 3
    assert near(after[:3], torch.tensor(before[:3]), 1e-9) and abs(after[3][1]) < 1e-9
    turn = (after[3][1] - before[3][1])/(before[3][0] - before[2][0])
    assert near([b[1] - a[1] for a, b in zip(before[4:], after[4:])],
                torch.tensor([turn*(x - before[2][0]) for x, _ in before[4:]]), 1e-6)


def test_corners_do_not_pass_each_other_and_trained_ones_can_be_pulled(desk, data):
    net = networks(data, 'Even knots, best heights')[4]
    before, after, _ = pulled(desk, net, 2, [9, 1], True)
    assert abs(after[2][0] - (before[3][0] - .02)) < 1e-6
    assert near(after[3], torch.tensor(before[3]), 1e-6)
    for net in networks(data, 'Training found')[4:30:9]:   # corners crowd, some are outside
        places = pulled(desk, net, 0, [0, 1], True)[0]
        for at in range(len(places)):
            _, after, numbers = pulled(desk, net, at, [places[at][0], 1.], True)
            assert min(abs(y - 1) for _, y in after) < 1e-6
            assert torch.tensor(numbers).isfinite().all()


def test_bend_links_bring_a_line_back_and_bad_ones_are_refused(desk, data):
    for net in networks(data, 'Training found'):
        back = desk.evaluate(f'''async p => {{ {IMPORT}
            return Array.from(m.fromText(m.toText(p), 30)) }}''', flat(net))
        assert near(back, torch.tensor(flat(net)), 1e-6)
    bad = desk.evaluate(f'''async () => {{ {IMPORT}
        const wide = m.toText(new Array(34).fill(1))
        const bad = ['', null, '<b>', 'A'.repeat(21), 'A'.repeat(23), 'A'.repeat(600)]
        return [...bad, m.toText([1, NaN, 1, 1]), m.toText([1, 1e9, 1, 1])]
            .map(t => m.fromText(t, 30)).concat(m.fromText(wide, 10)) }}''')
    assert bad == [None]*9


# In the hand

def part(page): return page.locator('[data-explorable=bend] .box')
def now(page) -> float: return float(part(page).locator('.now b').inner_text())


def test_bent_by_mouse_and_brought_back_by_a_link(reader):
    page = reader('mlp.html')
    part(page).scroll_into_view_if_needed()
    assert part(page).get_by_role('slider').count() == 7   # the units, five corners, the right end
    before, corner = now(page), part(page).get_by_role('slider', name='Corner 3')
    box = corner.bounding_box()
    page.mouse.move(box['x'] + 22, box['y'] + 22)
    page.mouse.down()
    page.mouse.move(box['x'] + 42, box['y'] - 40, steps=5)
    page.mouse.up()
    assert now(page) < before
    moved = corner.bounding_box()
    assert abs(moved['x'] - box['x'] - 20) < 2 and abs(moved['y'] - box['y'] + 62) < 2
    words = corner.get_attribute('aria-valuetext')
    part(page).get_by_role('button', name='Copy link').click()
    page.reload()
    assert corner.get_attribute('aria-valuetext') == words
    corner.focus()
    assert 'turns the slope by' in part(page).locator('.about').inner_text()


def test_the_keyboard_bends_and_trains_and_a_screen_reader_is_told(reader):
    page = reader('mlp.html', reduced_motion='reduce')
    before = now(page)
    part(page).get_by_role('slider', name='Corner 1').focus()
    for _ in range(5): page.keyboard.press(' ')
    assert page.evaluate('''document.querySelector("[data-explorable=bend]").shadowRoot
        .activeElement.getAttribute("aria-label")''') == 'Right end'
    for _ in range(6): page.keyboard.press('Shift+ArrowUp')
    assert now(page) < before and 'height 3.00' in part(page).get_by_role(
        'slider', name='Right end').get_attribute('aria-valuetext')
    page.keyboard.press('Shift+ ')
    page.keyboard.press('ArrowLeft')
    assert part(page).get_by_role('slider', name='Corner 5').get_attribute(
        'aria-valuetext') == 'at 3.15, height 0.00'
    told = part(page).get_by_role('status')
    told.filter(has_text='5 units, squared error').wait_for(state='attached')
    part(page).get_by_role('button', name='Flat start').press('Enter')
    part(page).get_by_role('button', name='Train 1,000').press('Enter')
    settle(page)
    found = part(page).locator('.beside b').nth(1).inner_text()
    part(page).get_by_role('button', name='Train 1,000').wait_for()
    assert now(page) == float(found) == .058   # the page's own training ends where torch's did
    told.filter(has_text='5 units, squared error 0.0580, training found 0.0580').wait_for(
        state='attached')


def test_touched_on_a_phone_in_the_dark(reader):
    page = reader('mlp.html', **DARK_PHONE)
    part(page).get_by_role('slider', name='Units').fill('20')
    part(page).get_by_role('button', name='Training found').tap()
    assert now(page) == .0411 and ' at ' in part(page).locator('.beside b').nth(3).inner_text()
    part(page).get_by_role('slider', name='Units').fill('5')
    corner = part(page).get_by_role('slider', name='Corner 2')
    corner.scroll_into_view_if_needed()
    box, session = corner.bounding_box(), page.context.new_cdp_session(page)
    before, scrolled = now(page), page.evaluate('scrollY')
    for kind, up in (('touchStart', 0), ('touchMove', 20), ('touchMove', 60), ('touchEnd', None)):
        points = [] if up is None else [{'x': box['x'] + 22, 'y': box['y'] + 22 - up}]
        session.send('Input.dispatchTouchEvent', {'type': kind, 'touchPoints': points})
    assert now(page) < before and page.evaluate('scrollY') == scrolled
    for_everyone(page, 'bend')
