"Attacks against their closed forms and their bounds, the explorable of chapter 10a against torch."
import pytest
import torch
import torch.nn.functional as F
from playing import DARK_PHONE, for_everyone, sent
from torch import nn

from digit_under_hood.convnet import conv_net
from digit_under_hood.data import load_digits
from digit_under_hood.fooling import fgsm, pgd, pixel_gradient, smallest_eps
from digit_under_hood.mlp import simple_net
from digit_under_hood.trained import load_trained

IMPORT = 'const m = await import("./assets/explorables/fool.js")'
rng = torch.Generator().manual_seed(10)


@pytest.fixture(scope='module')
def digits():
    x, y = (t[::250] for t in load_digits(split='valid'))
    return x.flatten(1), y


def linear(k: int = 3, n: int = 20) -> nn.Linear:
    return nn.Linear(n, k).requires_grad_(False)


# Attacks

def test_gradients_agree_with_autograd_by_hand_and_leave_the_weights_alone():
    net, y = conv_net((4, 'pool')), torch.tensor([1, 9, 1])
    x = torch.rand(3, 1, 28, 28, generator=rng)
    found = pixel_gradient(net, x, y)
    assert net.training and all(p.grad is None for p in net.parameters()) and not x.requires_grad
    net.eval()
    for one, label, slopes in zip(x, y, found):   # alone each image has the same slopes
        pixels = one[None].clone().requires_grad_()
        F.cross_entropy(net(pixels), label[None]).backward()
        assert torch.allclose(slopes, pixels.grad[0], atol=1e-6)


def test_fgsm_on_two_classes_is_its_closed_form():
    for _ in range(20):
        model, x, eps = linear(2), torch.rand(5, 20, generator=rng), .05
        labels = torch.randint(2, (5,), generator=rng)
        d = model.weight[labels] - model.weight[1 - labels]
        wanted = (x - eps*d.sign()).clamp(0, 1)
        assert torch.allclose(fgsm(model, x, labels, eps), wanted, atol=1e-6)
        assert torch.allclose(pgd(model, x, labels, eps), wanted, atol=1e-6)   # no better way


def test_smallest_eps_of_a_linear_model_is_its_margin_over_the_sum_of_sizes():
    for _ in range(10):
        model, x = linear(2), .3 + .4*torch.rand(6, 20, generator=rng)   # far from both ends
        labels = model(x).argmax(1)
        d = model.weight[labels] - model.weight[1 - labels]
        wanted = model(x).diff(dim=1)[:, 0].abs()/d.abs().sum(1)
        inside = wanted < .3
        found = smallest_eps(model, x, labels)[inside]
        assert (found >= wanted[inside] - 1e-5).all() and (found <= wanted[inside] + .005).all()


@pytest.mark.parametrize('targeted', [False, True])
@pytest.mark.parametrize('eps', [.02, .3, 1.])
def test_pgd_stays_in_its_box(digits, targeted, eps):
    (x, y), net = digits, load_trained('mlp').net
    for steps in 1, 3, 10:
        moved = pgd(net, x, y, eps, steps, targeted)
        assert (moved - x).abs().max() <= eps + 1e-6 and 0 <= moved.min() and moved.max() <= 1
        loss = [F.cross_entropy(net(images), y).item() for images in (x, moved)]
        if steps == 10: assert loss[1] < loss[0] if targeted else loss[1] > loss[0]


def test_each_image_has_an_eps_of_its_own(digits):
    (x, y), net = digits, load_trained('mlp').net.double()   # signs of slopes must not be rounding
    x, each = x.double(), torch.linspace(0, .2, len(x)).double()
    moved = pgd(net, x, y, each)
    assert torch.equal(moved[0], x[0])
    for i in 5, 20:
        alone = pgd(net, x[i:i + 1], y[i:i + 1], each[i].item())
        assert torch.allclose(moved[i:i + 1], alone)


def test_a_target_is_reached_and_what_is_one_already_needs_nothing(digits):
    (x, y), net = digits, load_trained('mlp').net
    wanted = (y + 1) % 10
    eps = smallest_eps(net, x, wanted, targeted=True)
    reached = net(pgd(net, x, wanted, eps, targeted=True)).argmax(1)
    assert (reached == wanted).all() and (eps < .5).all()
    assert (smallest_eps(net, x, net(x).argmax(1), targeted=True) <= 1/256).all()
    assert (smallest_eps(net, x, (net(x).argmax(1) + 1) % 10) <= 1/256).all()   # misread already


# The explorable

@pytest.fixture(scope='module')
def data():
    return sent('fool')


@pytest.fixture(scope='module')
def models(data):
    "The two models as the page has them, their weights rounded"
    line, net = nn.Linear(784, 10), simple_net(30, n_out=10)
    def scaled(name):
        steps = torch.from_numpy(data[f'{name}Steps'])
        return torch.from_numpy(data[name]).double()*steps[:, None]
    values = [scaled('linear'), data['linearBias'], scaled('first'), data['firstBias'],
              data['second'], data['secondBias']]
    for p, value in zip((*line.parameters(), *net.parameters()), values, strict=True):
        p.data = torch.as_tensor(value).double().view(p.shape)
    return [line.requires_grad_(False), net.requires_grad_(False)]


def start(data):
    x = torch.from_numpy(data['images']).double().view(-1, 784)/255
    return x, torch.tensor(data['labels'])


JS = f'''async ([data, x, labels, way, eps, steps]) => {{ {IMPORT}
    const t = Object.fromEntries(Object.entries(data).map(([k, v]) => [k, Float64Array.from(v)]))
    const net = m.restore(t), images = x.map(image => Float64Array.from(image))
    const moved = images.map((image, i) => m.moved(net, way, image, labels[i], eps, steps))
    return [moved.map(image => Array.from(image)),
            [0, 1].map(k => moved.map(image => Array.from(m.scores(net, k, image)))),
            moved.map((image, i) => m.margin(m.scores(net, 1, image), labels[i]))] }}'''


@pytest.mark.parametrize(('way', 'steps'), [(0, 1), (0, 20), (1, 1), (1, 20)])
def test_the_page_moves_pixels_as_torch_does(desk, data, models, way, steps):
    x, y = start(data)
    numbers = {k: v.flatten().tolist() for k, v in data.items() if k not in ('images', 'labels')}
    found, scores, margins = desk.evaluate(JS, [numbers, x.tolist(), y.tolist(), way, .12, steps])
    wanted = fgsm(models[way], x, y, .12) if steps == 1 else pgd(models[way], x, y, .12, steps)
    assert torch.allclose(torch.tensor(found).double(), wanted, atol=1e-6)
    for k, model in enumerate(models):
        assert torch.allclose(torch.tensor(scores[k]).double(), model(wanted), atol=1e-4)
    rest = models[1](wanted).scatter(1, y[:, None], -torch.inf).amax(1)
    own = models[1](wanted).gather(1, y[:, None])[:, 0]
    assert torch.allclose(torch.tensor(margins).double(), own - rest, atol=1e-4)


def test_rounded_weights_answer_as_the_exact_ones(models):
    x, y = (t[::5] for t in load_digits(split='valid'))
    for model, name in zip(models, ('linear', 'mlp')):
        exact, rough = load_trained(name).net(x.flatten(1)), model(x.flatten(1).double())
        assert (exact - rough).abs().max() < .3
        assert (exact.argmax(1) == rough.argmax(1)).float().mean() > .995


def test_fool_links_bring_a_state_back_and_bad_ones_are_refused(desk):
    states = [{'digit': 5, 'way': 2, 'many': False, 'eps': .3},
              {'digit': 0, 'way': 1, 'many': True, 'eps': 0}]
    def back(texts, how):
        return desk.evaluate(f'async all => {{ {IMPORT}; return all.map({how}) }}', texts)
    assert back(states, 's => m.fromText(m.toText(s), 6)') == states
    bad = ['', None, '<b>', '6.0.0.1', '0.3.0.1', '0.0.2.1', '0.0.0.61', '0.0.0.-1', '0.0.0']
    assert back(bad, 't => m.fromText(t, 6)') == [None]*9


def part(page): return page.locator('[data-explorable=fool] .box')


def says(page) -> list[str]:
    part(page).wait_for()
    return part(page).locator('.answer b').all_inner_texts()


def test_a_digit_is_fooled_by_keyboard_told_and_linked(reader, models, data):
    page = reader('fooling.html')
    assert says(page) == ['3 ✓', '3 ✓']
    lever = part(page).get_by_role('slider')
    lever.focus()
    for _ in range(20): page.keyboard.press('ArrowRight')
    x, y = start(data)
    moved = fgsm(models[0], x, y, .1)
    answers = [model(moved)[0].argmax().item() for model in models]
    assert says(page) == [f'{a} {"✓" if a == 3 else "✗"}' for a in answers] and answers == [2, 3]
    told = part(page).get_by_role('status').filter(has_text='changed by at most 0.100')
    told.wait_for(state='attached')
    part(page).get_by_role('button', name='20 steps').press('Enter')
    part(page).get_by_role('button', name='Network’s gradient').press('Enter')
    assert says(page)[1].endswith('✗')
    before = says(page), lever.input_value()
    part(page).get_by_role('button', name='Copy link').click()
    page.reload()
    assert (says(page), lever.input_value()) == before
    lever.press('Home')
    assert says(page) == ['3 ✓', '3 ✓']


def test_fooled_by_touch_on_a_phone_in_the_dark(reader):
    page = reader('fooling.html', **DARK_PHONE)
    part(page).get_by_role('button', name='Image 2, a 7').tap()
    part(page).get_by_role('slider').fill('0.12')
    assert says(page) == ['3 ✗', '3 ✗']
    part(page).get_by_role('button', name='Random signs').tap()
    assert says(page) == ['7 ✓', '7 ✓']
    assert part(page).get_by_role('button', name='1 step').is_disabled()
    for_everyone(page, 'fool')
