"Gradient descent to play with in chapter 04b: its paths against torch's, and as one uses it."
import pytest
import torch
from playing import DARK_PHONE, for_everyone, sent

from digit_under_hood.quadratic_sgd import descend, f, mse
from digit_under_hood.valleys import curvatures

RATES = [.02, .3, .87, .99, 1.01, 1.3]     # as shares of the largest stable one
MOMENTA = [0, .3, .9]
STEPS = 100


@pytest.fixture(scope='module')
def data(): return sent('descent')


def loss_of(data, ruler):
    times, speed = (torch.tensor(values, dtype=torch.float64)
                    for values in (data['rulers'][ruler]['times'], data['speed']))
    return lambda params: mse(f(times, params), speed)


def rolled(loss, start, rate, momentum, steps):
    "The path and the losses of torch's own optimiser, in float64"
    knobs = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([knobs], rate, momentum)
    path, losses = [knobs.detach().clone()], []
    for _ in range(steps + 1):
        optimiser.zero_grad()
        now = loss(knobs)
        now.backward()
        losses.append(now.item())
        optimiser.step()
        path.append(knobs.detach().clone())
    return torch.stack(path[:-1]), torch.tensor(losses, dtype=torch.float64)


@pytest.mark.parametrize('ruler', [0, 1], ids=['raw', 'standardised'])
def test_descent_takes_the_steps_of_torch(desk, data, ruler):
    view, loss = data['rulers'][ruler], loss_of(data, ruler)
    trials = [(share*2*(1 + m)/view['curvatures'][2], m) for share in RATES for m in MOMENTA]
    trials += [(rate, 0) for rate in view['rates']]
    found = desk.evaluate("""async ([times, speed, start, trials, steps]) => {
        const {walk} = await import('./assets/explorables/descent.js')
        return trials.map(([rate, momentum]) => walk(times, speed, start, rate, momentum, steps))
    }""", [view['times'], data['speed'], data['start'], trials, STEPS])
    ended = 0
    for (rate, momentum), ours in zip(trials, found, strict=True):
        path, losses = rolled(loss, data['start'], rate, momentum, len(ours['path']) - 1)
        ours_path = torch.tensor(ours['path'], dtype=torch.float64)
        apart = (ours_path - path).norm(dim=1)/path.norm(dim=1)
        assert apart.max() < 1e-6, (rate, momentum)
        ours_losses = torch.tensor(ours['losses'], dtype=torch.float64)
        assert ((ours_losses - losses)/losses).abs().max() < 1e-6, (rate, momentum)
        assert ours['gone'] == (losses[-1].item() > 1e12*losses[0].item())
        assert ours['gone'] or len(losses) == STEPS + 1
        ended += ours['gone']
    assert 2 <= ended < len(trials)/2
    rate = view['rates'][1]     # and those of the notebook's own `descend`
    path = descend(torch.tensor(data['start'], dtype=torch.float64), rate, loss, STEPS)[1]
    ours = torch.tensor(found[trials.index((rate, 0))]['path'], dtype=torch.float64)
    assert ((ours - path).norm(dim=1)/path.norm(dim=1)).max() < 1e-6


@pytest.mark.parametrize('ruler', [0, 1], ids=['raw', 'standardised'])
def test_limit_and_factors_are_those_of_the_walk(desk, data, ruler):
    view, loss = data['rulers'][ruler], loss_of(data, ruler)
    exact = curvatures(loss, torch.tensor(data['start'], dtype=torch.float64))
    assert torch.allclose(exact, torch.tensor(view['curvatures'], dtype=torch.float64), rtol=1e-5)
    shares = [.1, .5, .9, .999, 1.001, 1.5]
    limits, factors = desk.evaluate("""async ([curvature, momenta, shares]) => {
        const m = await import('./assets/explorables/descent.js')
        return [momenta.map(p => m.limit(curvature, p)), momenta.map(p => shares.map(s =>
            m.factor(curvature, s*m.limit(curvature, p), p)))]
    }""", [view['curvatures'][2], MOMENTA, shares])
    for momentum, limit, row in zip(MOMENTA, limits, factors, strict=True):
        assert limit == pytest.approx(2*(1 + momentum)/exact[2].item(), rel=1e-5)
        for share, factor in zip(shares, row, strict=True):
            turn = 1 + momentum - share*limit*view['curvatures'][2]   # x' = turn*x - momentum*last
            both = torch.linalg.eigvals(torch.tensor([[turn, -momentum], [1, 0]]).double())
            assert abs(factor) == pytest.approx(both.abs().max().item(), rel=1e-6)
            assert (abs(factor) < 1) == (share < 1)


def test_descent_links_are_checked(desk, data):
    texts = ['1_0.35_0_25', '0_1e-5_0.9_5000', '0_0.35_0_1', '2_0.35_0_1', '1_0.35_1_1',
             '1_0.35_0.99_1', '1_0.35_0_5001', '1_0_0_1', '1_1e999_0_1', '', None, '<b>']
    read = desk.evaluate("""async ([texts, rulers]) => {
        const m = await import('./assets/explorables/descent.js')
        return [texts.map(t => m.fromText(t, rulers)), m.toText(m.fromText(texts[1], rulers))]
    }""", [texts, data['rulers']])
    assert [bool(state) for state in read[0]] == [True, True] + [False]*10
    assert read[0][1] == {'ruler': 0, 'rate': 1e-5, 'momentum': .9, 'steps': 5000}
    assert read[1] == '0_0.00001_0.9_5000'


def test_descent_by_mouse_and_keyboard(reader, data):
    page = reader('valleys.html')
    part = page.locator('[data-explorable=descent] .box')
    press = lambda name: part.get_by_role('button', name=name, exact=True).click()   # noqa: E731
    told = part.locator('.told')
    press('standardised time')
    press('rate 0.35')
    press('Step')
    assert told.inner_text().startswith('Step 1: loss')
    press('100 steps')
    loss = descend(torch.tensor(data['start']).double(), .35, loss_of(data, 1), 101)[0]
    assert told.inner_text() == (f'Step 101: loss {loss[-1]:.4g}, '
                                 'the best possible is 7.311. Arrived.')
    press('rate 0.41')                                    # the same 101 steps at another rate
    assert 'Step 101' in told.inner_text() and 'Diverging: each step' in told.inner_text()
    page.get_by_role('slider', name='Momentum').press('End')
    assert 'largest stable rate 0.789' in part.inner_text()
    assert 'Diverging' not in told.inner_text()
    page.get_by_role('slider', name='Momentum').press('Home')
    lever = page.get_by_role('slider', name='Learning rate')
    lever.press('End')                                    # the largest rate, gone within 101 steps
    assert 'the walk was stopped' in told.inner_text() and 'NaN' not in part.inner_text()
    assert part.get_by_role('button', name='Step', exact=True).is_disabled()
    assert 'NaN' not in part.inner_html() and 'Infinity' not in part.inner_html()
    page.get_by_role('status').filter(has_text='the walk was stopped').wait_for(state='attached')
    press('Reset')
    press('rate 0.4')
    press('Play')
    told.filter(has_text='Step 3').wait_for()
    press('Pause')
    taken = told.inner_text()
    press('Copy link')
    page.wait_for_timeout(250)
    assert told.inner_text() == taken
    page.reload()
    assert told.inner_text() == taken
    rate = part.get_by_role('button', name='rate 0.4', exact=True)
    assert rate.get_attribute('aria-pressed') == 'true'


def test_descent_on_a_phone_in_the_dark_without_motion(reader):
    page = reader('valleys.html', **DARK_PHONE)
    part = page.locator('[data-explorable=descent] .box')
    page.evaluate('window.calls = 0; const real = setTimeout; '
                  'window.setTimeout = (f, ms) => { if (ms < 400) calls++; return real(f, ms) }')
    part.get_by_role('button', name='25 steps').tap()
    assert part.locator('.told').inner_text().startswith('Step 25:')
    assert 'Crawling' in part.locator('.told').inner_text()
    assert page.evaluate('calls') == 0                    # nothing plays
    for_everyone(page, 'descent')
