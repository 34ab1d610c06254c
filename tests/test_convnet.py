"Chapter 09: torch as judge of the convolution and the optimiser; shifts, networks, covering."
import copy
import math
from contextlib import suppress

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from digit_under_hood.convnet import Nesterov, Shifts, conv_net, convolve, occlusion_map, shift
from digit_under_hood.distributed import Checkpoint
from digit_under_hood.learner import Learner
from digit_under_hood.schedules import Schedule, one_cycle
from digit_under_hood.training_loop import DataLoader, DataLoaders


@pytest.mark.parametrize('shape', [(1, 1, 5, 5), (3, 2, 7, 4), (2, 4, 6, 9)])
@pytest.mark.parametrize('kernel', [(1, 1), (3, 3), (2, 4)])
@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('padding', [0, 1, 2])
def test_convolve_is_torchs(shape, kernel, stride, padding):
    "Numbers and gradients, with and without a bias"
    torch.manual_seed(0)
    xb, weight, bias = torch.randn(shape), torch.randn(3, shape[1], *kernel), torch.randn(3)
    grads = []
    for f in convolve, F.conv2d:
        args = [t.clone().requires_grad_() for t in (xb, weight, bias)]
        out = f(*args, stride=stride, padding=padding)
        out.square().sum().backward()
        grads.append([out.detach(), *(t.grad for t in args)])
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(convolve(xb, weight, None, stride, padding),
                               F.conv2d(xb, weight, None, stride, padding), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('given, said', [
    ((torch.ones(1, 2, 5, 5), torch.ones(1, 3, 3, 3)), 'weight: got float32 .*wants floats'),
    ((torch.ones(1, 1, 2, 5), torch.ones(1, 1, 3, 3)), r'weight: got kernels of \(3, 3\), wants'),
    ((torch.ones(1, 1, 5, 5), torch.ones(1, 1, 3, 3), None, 0), 'stride: got 0, wants'),
    ((torch.ones(1, 1, 5, 5), torch.ones(1, 1, 3, 3), None, 1, -1), 'padding: got -1, wants')])
def test_what_convolve_refuses(given, said):
    with pytest.raises(ValueError, match=said): convolve(*given)


@pytest.mark.parametrize('decay, error', [(math.nan, ValueError), (-1., ValueError),
                                          ('a', TypeError)])
def test_a_senseless_decay_is_refused(decay, error):
    with pytest.raises(error, match='decay: got .*, wants a number from 0'):
        Nesterov([torch.ones(1)], .1, decay=decay)


@pytest.mark.parametrize('momentum', [0., .5, .9])
@pytest.mark.parametrize('decay', [0., .01])
def test_nesterov_is_torchs(momentum, decay):
    "Also when a schedule changes rate and momentum, and the gradients stay as they were"
    torch.manual_seed(1)
    ours = [torch.randn(3, 2, requires_grad=True), torch.randn(2, requires_grad=True)]
    theirs = copy.deepcopy(ours)
    opts = [Nesterov(ours, .1, momentum, decay),
            torch.optim.SGD(theirs, .1, momentum, nesterov=momentum > 0, weight_decay=decay)]
    for step in range(20):
        grads = [torch.randn_like(p) for p in ours]
        for opt, params in zip(opts, (ours, theirs), strict=True):
            opt.param_groups[0]['lr'] = .1/(1 + step)
            if momentum: opt.param_groups[0]['momentum'] = momentum - .02*step
            for p, grad in zip(params, grads, strict=True): p.grad = grad.clone()
            opt.step()
        assert all(torch.equal(p.grad, grad) for p, grad in zip(ours, grads, strict=True))
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('across, down', [(0, 0), (2, 0), (-1, 3), (4, -4), (-3, -2)])
def test_shift_moves_and_fills(across, down):
    images = torch.arange(1., 33).view(2, 4, 4)
    moved = shift(images, across, down)
    assert moved.shape == images.shape
    for r in range(4):
        for c in range(4):
            inside = 0 <= r - down < 4 and 0 <= c - across < 4
            wanted = images[:, r - down, c - across] if inside else torch.zeros(2)
            assert torch.equal(moved[:, r, c], wanted)


def learner(*cbs, seed=0, n=32, lr=.05):
    x = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    dls = DataLoaders(DataLoader(x, torch.arange(n)%3, 16), DataLoader(x, torch.arange(n)%3, 16))
    learn = Learner(dls, conv_net((4, 'pool'), 3, side=8, seed=0), F.cross_entropy, Nesterov)
    learn.fit(1, lr, [Schedule(one_cycle()), *cbs])
    return learn


def test_shifts_move_groups_of_training_batches_alone():
    seen = []
    class Look(Shifts):
        order = 20
        def before_batch(self, learn): seen.append((learn.training, learn.xb))
    plain = Look()
    learn = learner(Shifts(2, groups=4, seed=1), plain)
    assert [training for training, _ in seen] == [True, True, False, False]
    assert torch.equal(seen[2][1], learn.dls.train.x[:16])   # validation, as it was
    moved = seen[0][1]
    for group in range(4):   # all of a group by the same shift, of at most 2
        rows = slice(4*group, 4*group + 4)
        assert any(torch.equal(moved[rows], shift(learn.dls.train.x[rows], a, d))
                   for a in range(-2, 3) for d in range(-2, 3))


def test_shifts_are_repeatable():
    params = [[p.detach() for p in learner(Shifts(seed=seed)).model.parameters()]
              for seed in (1, 1, 2)]
    same = [all(torch.equal(p, q) for p, q in zip(params[0], other, strict=True))
            for other in params[1:]]
    assert same == [True, False]


@pytest.mark.parametrize('seed', [None, 1])
def test_a_fit_with_shifts_goes_on_as_if_it_had_never_stopped(seed, tmp_path):
    def fit(name: str, stop: int = 0) -> list[torch.Tensor]:
        "Weights after 3 epochs, or those left when the fit is stopped"
        class Cut(Checkpoint):
            def after_epoch(self, learn):
                super().after_epoch(learn)
                if learn.epoch == stop: raise KeyboardInterrupt
        torch.manual_seed(0)
        x = torch.rand(32, 1, 8, 8)
        dls = DataLoaders(DataLoader(x, torch.arange(32)%3, 16, shuffle=True), None)
        learn = Learner(dls, conv_net((4, 'pool'), 3, side=8, seed=0), F.cross_entropy, Nesterov)
        with suppress(KeyboardInterrupt): learn.fit(3, .05, [Shifts(seed=seed), Cut(tmp_path/name)])
        return [p.detach() for p in learn.model.parameters()]
    whole, cut = fit('whole.pth'), fit('cut.pth', stop=1)
    assert not all(map(torch.equal, whole, cut))
    assert all(map(torch.equal, whole, fit('cut.pth')))


@pytest.mark.parametrize('layers, side', [((4,), 8), ((4, 'pool', 6), 8),
                                          ((3, 5, 'pool', 'pool'), 9)])
@pytest.mark.parametrize('norm', [True, False])
def test_networks_of_all_forms(layers, side, norm):
    "A pool comes before norm and ReLU, with the same result as after them"
    net = conv_net(layers, 7, side, norm, seed=3).eval()
    xb = torch.rand(5, 1, side, side)
    now, parts = xb, [m for m in net if not isinstance(m, nn.MaxPool2d)]
    convs = iter(parts)
    for layer in layers:
        if layer == 'pool': now = F.max_pool2d(now, 2)
        else:
            for _ in range(3 if norm else 2): now = next(convs)(now)
    for rest in convs: now = rest(now)
    torch.testing.assert_close(net(xb), now)
    assert net(xb).shape == (5, 7)
    state = torch.random.get_rng_state()
    conv_net(layers, 7, side, norm, seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_covering_shows_what_is_used():
    "A model that looks at one pixel alone: only squares over that pixel change its answer"
    class Look(nn.Module):
        def forward(self, xb): return torch.stack([4*xb[:, 0, 2, 3], torch.zeros(len(xb))], 1)
    model = Look().train()
    found = occlusion_map(model, torch.ones(1, 5, 6), 0, size=2)
    assert found.shape == (4, 5) and model.training
    over = {(r, c) for r in (1, 2) for c in (2, 3)}
    for r in range(4):
        for c in range(5):
            wanted = .5 if (r, c) in over else 1/(1 + math.exp(-4))
            assert found[r, c].item() == pytest.approx(wanted)
    with pytest.raises(ValueError, match='size: got 6, wants at most 5'):
        occlusion_map(model, torch.ones(1, 5, 6), 0, size=6)


def test_a_small_network_learns():
    "Squares from crosses, wherever they lie: no flat model of so few weights could"
    rng = torch.Generator().manual_seed(0)
    x = torch.zeros(200, 1, 12, 12)
    y = torch.arange(200)%2
    for image, label in zip(x, y, strict=True):
        r, c = torch.randint(0, 8, (2,), generator=rng).tolist()
        shape = torch.ones(4, 4) if label else torch.eye(4)
        image[0, r:r + 4, c:c + 4] = shape
    dls = DataLoaders(DataLoader(x[:150], y[:150], 25, shuffle=True, seed=0),
                      DataLoader(x[150:], y[150:], 50))
    def right(preds, targets): return (preds.argmax(1) == targets).float().mean()
    learn = Learner(dls, conv_net((4, 'pool', 8, 'pool'), 2, 12, seed=0), F.cross_entropy,
                    Nesterov, right)
    learn.fit(5, .1, [Schedule(one_cycle())])
    assert learn.recorder.epochs[-1]['right'] == 1
