"""The judge of gradients: right ones pass, wrong ones are named, the rest is refused.

Each row of the tables is a parameter or more, a loss of them, and (or) a gradient.
"""
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from digit_under_hood.gradients import check_gradients, grad_by_hand
from digit_under_hood.mnist_linear import linear1, mnist_loss

draws = torch.Generator().manual_seed(0)


def draw(*shape): return torch.randn(*shape, generator=draws, dtype=torch.float64)
def param(*values): return torch.tensor(values, dtype=torch.float64, requires_grad=True)


X, Y, T = draw(20, 784).relu(), (draw(20, 1) > 0).double(), draw(20, 3)
W, B = (draw(784, 1)*.1).requires_grad_(), param(.3)      # a linear model of digits
V, M, S = param(.5, -1.2, 3.), draw(4, 3).requires_grad_(), draw(3, 3).requires_grad_()
FIT, A, D = draw(3).requires_grad_(), draw(20, 3), draw(6, 4)
BEST = A@FIT.detach()
ZERO, TINY, ROOTS, BIG = param(0.), param(1e-4), param(1e-6, 3.), param(1e6)
LOGS, STEEP, PAIR = param(1e-4, 1000.), param(2., 3.), param(2., -2.)
SURE, BESIDE, SOME = param(-60.), param(3e-7), param(0., .01, -.02)
ROWS, TURNED = draw(5, 2).requires_grad_(), draw(3, 4).T.requires_grad_()
torch.manual_seed(0)
NET = nn.Sequential(nn.Linear(784, 4), nn.ReLU(), nn.Linear(4, 1)).double()
CONV = nn.Sequential(nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 2, 5, stride=4), nn.ReLU(),
                     nn.Flatten(), nn.Linear(72, 1)).double()
DROP = nn.Sequential(nn.Linear(3, 3), nn.Dropout(.5), nn.Linear(3, 1)).double()
NORM = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).double()


def digits(): return mnist_loss(linear1(X, W, B), Y)
def cubes(): return (V**3).sum()
def mixed(): return (T@S).tanh().mean()
def columns(): return (D@M).sigmoid().mean()
def steep(): return 250*STEEP[0]**2 + STEEP[1]/1000      # slopes of 1000 and 0.001


RIGHT = {
    'a bowl': (V, lambda: (V**2).sum()),
    'a plane': (V, lambda: 3*V.sum()),
    'a perfect fit': (FIT, lambda: ((A@FIT - BEST)**2).mean()),
    'a cube at 0': (ZERO, lambda: ZERO**3),
    'log at a ten-thousandth': (TINY, lambda: TINY.log()),
    'log, beside a thousand': (LOGS, lambda: LOGS.log().sum()),
    'one over a ten-thousandth': (TINY, lambda: 1/TINY),
    'a root near 0': (ROOTS, lambda: ROOTS.sqrt().sum()),
    'exp of 21': (V, lambda: (7*V).exp().sum()),
    'waves': (V, lambda: (100*V).sin().sum()),
    'steep beside flat': (STEEP, steep),
    'on top of a million': (V, lambda: 1e6 + (V**2).sum()),
    'a million': (BIG, lambda: BIG**2),
    'two large ones that cancel': (V, lambda: ((V + 1e4)**2 - (V - 1e4)**2).sum()/1e4),
    'digits': ([W, B], digits),
    'a network': (NET, lambda: mnist_loss(NET(X), Y)),
    'a convolution': (CONV, lambda: mnist_loss(CONV(X), Y)),
    'cross-entropy': (S, lambda: F.cross_entropy(T@S, torch.arange(20) % 3)),
    'beside a kink': (V, lambda: V.abs().sum()),
    'close beside a kink': (BESIDE, lambda: BESIDE.relu()),
    'dropout that is off': (DROP.eval(), lambda: DROP(T).square().mean()),
    'a running mean': (NORM, lambda: NORM(T).sigmoid().mean()),
    'rows that are not looked up': (ROWS, lambda: ROWS[[0, 0, 3]].square().sum()),
    'a view turned over': (TURNED, lambda: (TURNED**3).sum()),
    'the largest': (V, lambda: V.max()**2),
    'constants in float32': (V, lambda: (V*torch.tensor([1., 2., .5])).square().sum()),
    'a mask in float32': (V, lambda: (V*(V > 0).float()).square().sum()),
    'a sigmoid at its end': (SURE, lambda: SURE.sigmoid().sum()),
    'below zero': (V, lambda: -(V**4).sum()),
    'one without effect': (V, lambda: V[0]**2 + 0*V[1] + (V[2] - 3)**2),
    'zeros among weights': (SOME, lambda: (3*SOME + 1).sin().sum()),
}


@pytest.mark.parametrize('params, loss', RIGHT.values(), ids=RIGHT)
def test_right_gradients_pass(params, loss):
    assert max(check_gradients(params, loss, k=5).values()) <= 1e-6


def test_right_gradients_by_hand_pass_in_any_kind_of_float():
    by_hand = grad_by_hand(X, Y, W, B)
    check_gradients([W, B], digits, grads=by_hand)
    check_gradients([W, B], digits, grads=[g.float() for g in by_hand])
    check_gradients(V, cubes, grads=3*V.detach()**2)


def test_perfect_fits_of_any_size_raise_no_alarm():
    for seed in range(20):
        torch.manual_seed(seed)
        a = torch.randn(30, 1 + 8*(seed % 4)).double()*10.**(seed % 5 - 2)
        w = torch.randn(a.shape[1]).double().requires_grad_()
        y = (a@w).detach()
        check_gradients(w, lambda a=a, w=w, y=y: ((a@w - y)**2).mean(), seed=seed)


def scores(error): return lambda g: [X.T@error, error.sum(0)]


def at(place, change):
    "A gradient whose first part is changed in one place"
    def changed(g):
        g[0].view(-1)[place] = change(g[0].view(-1)[place])
        return g
    return changed


p = linear1(X, W, B).sigmoid().detach()
side = (1 - 2*Y)/len(X)
v = V.detach().clone()
DIGITS, MINUS, NAN = ([W, B], digits), torch.tensor([1., -1, 1]), lambda _: torch.nan
WRONG = {
    'half': (V, cubes, lambda g: [g[0]/2]),
    'twice, as after two backwards': (*DIGITS, lambda g: [2*part for part in g]),
    'a sum for a mean': (*DIGITS, lambda g: [20*part for part in g]),
    'uphill': (V, cubes, lambda g: [-g[0]]),
    'one sign of 784': (*DIGITS, at(400, lambda x: -x)),
    'the last sign of 784': (*DIGITS, at(783, lambda x: -x)),
    'one of 784 a hundredth off': (*DIGITS, at(123, lambda x: 1.01*x)),
    'one of 784 forgotten': (*DIGITS, at(321, lambda x: 0)),
    'two of 784 exchanged': (*DIGITS, lambda g: [g[0][[1, 0, *range(2, 784)]], g[1]]),
    'two errors that cancel': (PAIR, lambda: (PAIR**2).sum(), lambda g: [g[0].flip(0)]),
    'a small one forgotten': (STEEP, steep, at(1, lambda x: 0)),
    'a small one turned': (STEEP, steep, at(1, lambda x: -x)),
    'a column turned': (M, columns, lambda g: [g[0]*MINUS]),
    'a row twice': (M, columns, lambda g: [g[0][[0, 0, 2, 3]]]),
    'a square turned over': (S, mixed, lambda g: [g[0].T]),
    'rows in another order': (S, mixed, lambda g: [g[0].roll(1, 0)]),
    'nan': (V, cubes, at(1, NAN)),
    'nan far back': (*DIGITS, at(700, NAN)),
    'infinity': (*DIGITS, at(700, lambda x: torch.inf)),
    'no bias': (*DIGITS, lambda g: [g[0], 0*g[1]]),
    'the bias of one row': (*DIGITS, lambda g: [g[0], (side*p*(1 - p))[-1]]),
    'p': (*DIGITS, scores(side*p)),
    'p(1+p)': (*DIGITS, scores(side*p*(1 + p))),
    'no slope of the sigmoid': (*DIGITS, scores(side)),
    'targets for signs': (*DIGITS, scores((Y - 1)/20*p*(1 - p))),
    'no signs': (*DIGITS, lambda g: [part.abs() for part in g]),
    'clipped': (V, cubes, lambda g: [g[0].clamp(-5, 5)]),
    'three digits': (*DIGITS, lambda g: [(part*1000).round()/1000 for part in g]),
    'float16': (*DIGITS, lambda g: [part.half() for part in g]),
    'a thousandth too much': (*DIGITS, lambda g: [1.001*part for part in g]),
    'one a hundred-thousandth off': (V, cubes, at(0, lambda x: x*(1 + 1e-5))),
    'a millionth added everywhere': (*DIGITS, lambda g: [part + 1e-6 for part in g]),
    'no weight decay': (V, lambda: (V**3).sum() + (V**2).sum()/100, lambda g: [3*v**2]),
    'not the largest': (V, lambda: V.max()**2, lambda g: [g[0].roll(1)]),
    'a power too many': (TINY, lambda: TINY.log(), lambda g: [g[0]**2]),
    'a little added below': (TINY, lambda: TINY.log(), lambda g: [1/(TINY.detach() + 1e-8)]),
    'tanh taken for a sigmoid': (V, lambda: V.tanh().sum(), lambda g: [v.tanh()*(1 - v.tanh())]),
    'nothing': (V, cubes, lambda g: [0*g[0]]),
}


def spoiled(params, loss, change):
    params = params if isinstance(params, list) else [params]
    return change([g.clone() for g in torch.autograd.grad(loss(), params)])


@pytest.mark.parametrize('params, loss, change', WRONG.values(), ids=WRONG)
def test_wrong_gradients_are_refused(params, loss, change):
    for seed in (1, 2):
        with pytest.raises(AssertionError, match=r'gradient of params\[[01]\]'):
            check_gradients(params, loss, grads=spoiled(params, loss, change), k=3, seed=seed)


@pytest.mark.parametrize('place', [0, 77, 400, 783])
def test_the_one_that_is_wrong_is_named(place):
    for change in (lambda x: -x - .01, NAN, lambda x: torch.inf):
        with pytest.raises(AssertionError, match=rf'gradient of w\[{place}, 0\]: got'):
            grads = spoiled(*DIGITS, at(place, change))
            check_gradients({'w': W, 'b': B}, digits, grads=grads, k=1)


@torch.no_grad()
def without_notes(): return (V**2).sum()


CUT = {
    'detached': lambda: V[0]**2 + (V.detach()[1:]**2).sum(),
    'half of it detached': lambda: (V*V.detach()).sum(),
    'copied out': lambda: torch.tensor(sum(x**2 for x in V.tolist()), dtype=torch.float64),
    'without notes': without_notes,
    'rounded straight through': lambda: (V + (V.round() - V).detach()).square().sum(),
}


@pytest.mark.parametrize('loss', CUT.values(), ids=CUT)
def test_a_chain_that_is_cut_is_found(loss):
    with pytest.raises(AssertionError, match='but the slope is'): check_gradients(V, loss)


def into_float32():
    box = torch.zeros(3)
    box.copy_(V)
    return box.double().sum()


def element_by_element():
    box = torch.zeros(3)
    for i in range(3): box[i] = V[i]
    return box.double().sum()


REFUSED = {
    'float32 on the way': (V, lambda: V.float().sum().double(), 'got torch.float32 from float'),
    'float16 on the way': (V, lambda: V.to(torch.half).sum().double(), 'got torch.float16 from to'),
    'copied into float32': (V, into_float32, 'got torch.float32 from copy_'),
    'put into float32': (V, element_by_element, 'got torch.float32 from __setitem__'),
    'a loss in float32': (V, lambda: V.sum().float(), 'got torch.float32'),
    'dropout': (DROP, lambda: F.dropout(T@S, .5).sum(), 'wants the same; dropout'),
    'noise': (V, lambda: (V*torch.rand(3).double()).sum(), 'wants the same'),
    'without effect': ({'idle': V}, lambda: (STEEP**2).sum(), 'got no change from idle'),
    'no finite loss nearby': (V, lambda: (-(V - v).abs()).sqrt().sum(), 'no finite loss nearby'),
    'an infinite loss': (V, lambda: (V/0).sum(), 'loss_func: got'),
    'many losses': (V, lambda: V**2, 'wants one number'),
    'parameters in float32': (V.float(), cubes, 'copy with .double()'),
    'no parameters': ([], cubes, 'params: got none'),
}


@pytest.mark.parametrize('params, loss, told', REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_judged_is_refused(params, loss, told):
    with pytest.raises(ValueError, match=re.escape(told)): check_gradients(params, loss)


def test_gradients_of_another_shape_are_refused():
    with pytest.raises(ValueError, match='grads: got shapes'):
        check_gradients(V, cubes, grads=torch.ones(3, 1))
    with pytest.raises(ValueError, match='grads: got shapes'):
        check_gradients([W, B], digits, grads=[W.detach()])


def test_everything_is_as_it_was():
    before = [part.detach().clone() for part in (W, B, V)]
    check_gradients([W, B], digits, k=2)
    with pytest.raises(AssertionError): check_gradients(V, CUT['detached'])
    def fails():
        if V[0] != before[2][0]: raise KeyError
        return cubes()
    with pytest.raises(KeyError): check_gradients(V, fails)
    assert all(map(torch.equal, (W, B, V), before)) and W.grad is V.grad is None


def test_tables_are_long_enough():
    assert len(RIGHT) >= 20 and len(WRONG) >= 30
