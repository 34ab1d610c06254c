"The optimiser with torch's as judge, and the loader: any size, any rows, any layout."
import math
import random

import numpy as np
import pytest
import torch
from torch import nn
from toys import toy_learner

from digit_under_hood.training_loop import SGD, BasicOptim, DataLoader, set_lr

# --- the optimiser, against torch

@pytest.mark.parametrize('momentum', [0., .5, .9, .99])
@pytest.mark.parametrize('seed', range(3))
def test_sgd_is_torchs_sgd(momentum, seed):
    "The same parameters after each of 100 steps with random gradients, some of them missing"
    torch.manual_seed(seed)
    shapes = [(4, 3), (3,), (), (2, 1, 5)]
    ours = [torch.randn(shape).requires_grad_() for shape in shapes]
    theirs = [p.detach().clone().requires_grad_() for p in ours]
    our_opt, their_opt = SGD(ours, .1, momentum), torch.optim.SGD(theirs, lr=.1, momentum=momentum)
    for step in range(100):
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            missing = i == step % 7   # sometimes no gradient reached a parameter
            grad = None if missing else torch.randn(p.shape)
            p.grad, q.grad = grad, None if grad is None else grad.clone()
        our_opt.step()
        their_opt.step()
        for p, q in zip(ours, theirs, strict=True): torch.testing.assert_close(p, q)


def test_an_optimiser_leaves_gradients_as_they_were():
    "Only `zero_grad` touches them, and a change of `lr` counts at once"
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.tensor([1., 2.])
    opt = SGD([p], lr=1., momentum=.5)
    opt.step()
    set_lr(opt, 0.)
    opt.step()
    assert p.tolist() == [0., -1.]
    assert p.grad.tolist() == [1., 2.]
    opt.zero_grad()
    opt.step()
    assert p.grad is None and p.tolist() == [0., -1.]


def test_parameters_may_be_a_generator():
    [group] = BasicOptim(nn.Linear(3, 1).parameters(), .1).param_groups
    assert len(group['params']) == 2
    [group] = BasicOptim(torch.ones(2), .1).param_groups   # a bare tensor is one of them
    assert [p.shape for p in group['params']] == [(2,)]


@pytest.mark.parametrize('lr', [-1, -1e-9, math.nan, math.inf])
def test_a_senseless_rate_is_refused(lr):
    said = f'lr: got {lr}, wants a number from 0'
    for act in (lambda: SGD([torch.ones(1)], lr), lambda: toy_learner().fit(1, lr)):
        with pytest.raises(ValueError, match=said): act()


@pytest.mark.parametrize('momentum', [-.1, 1., 2, math.nan])
def test_a_senseless_momentum_is_refused(momentum):
    with pytest.raises(ValueError, match=f'momentum: got {momentum}, wants a number from 0'):
        SGD([torch.ones(1)], .1, momentum)


@pytest.mark.parametrize('params, kind', [('ab', 'str'), ([1, 2], 'int'), ([torch.ones(1), None],
    'NoneType'), ([{'params': [torch.ones(1)]}], 'dict')])
def test_only_tensors_can_be_trained(params, kind):
    with pytest.raises(TypeError, match=f'params: got a {kind}, wants tensors to train'):
        SGD(params, .1)


def test_an_optimiser_goes_on_from_its_state():
    "In another process: rates and speeds, put at the place of the parameter, not shared"
    ours, theirs = ([torch.ones(2, requires_grad=True) for _ in 'ab'] for _ in range(2))
    old, new = SGD(ours, .3, .5), SGD(theirs, .1, .5)
    ours[1].grad = torch.tensor([1., 2.])
    old.step()
    new.load_state_dict(old.state_dict())
    assert new.param_groups[0]['lr'] == .3 and [*new.last] == theirs[1:]
    for opt, params in ((new, theirs), (old, ours)):
        params[1].grad = torch.zeros(2)
        opt.step()
    assert theirs[1].tolist() == pytest.approx([.85, .7])
    with pytest.raises(ValueError): new.load_state_dict({'groups': [{}, {}], 'last': {}})


def test_momentum_may_change_between_steps():
    "As in torch's: to another share, to none, and back"
    ours, theirs = ([torch.ones(3, requires_grad=True)] for _ in 'ab')
    our_opt, their_opt = SGD(ours, .1, .9), torch.optim.SGD(theirs, lr=.1, momentum=.9)
    for step, momentum in enumerate((.9, .5, 0., .95)):
        for opt, (p,) in (our_opt, ours), (their_opt, theirs):
            opt.param_groups[0]['momentum'] = momentum
            p.grad = torch.tensor([1., -2., .5])*(step + 1)
            opt.step()
        if momentum: torch.testing.assert_close(ours, theirs)


# --- the loader

@pytest.mark.parametrize('said, wrong', [
    ('y: got 3 rows, wants as many as x, 4', dict(y=[1, 2, 3])),
    ('bs: got 0, wants a whole number from 1', dict(bs=0)),
    ('bs: got 1.5, wants a whole number from 1', dict(bs=1.5)),
    (r'shard: got \(-1, 2\), wants', dict(shard=(-1, 2)))])
def test_what_a_loader_refuses(said, wrong):
    with pytest.raises(ValueError, match=said):
        DataLoader(**{'x': torch.arange(4), 'y': torch.arange(4)} | wrong)


def test_64_rows_make_a_batch_if_nothing_is_said():
    assert [len(xb) for xb, _ in DataLoader(torch.arange(130), torch.arange(130))] == [64, 64, 2]


@pytest.mark.parametrize('seed', range(30))
def test_batches_for_any_size(seed):
    "Every row once, in pairs, all batches full but the last, as many as `len` says"
    rng = random.Random(seed)
    n, bs = rng.randrange(60), rng.randrange(1, 20)
    shuffle, drop_last = rng.random() < .5, rng.random() < .5
    x, y = torch.randn(n, 2, 2), torch.arange(n)
    dl = DataLoader(x, y, bs, shuffle, drop_last, seed)
    for _ in range(2):
        batches = list(dl)
        assert len(batches) == len(dl) == (n//bs if drop_last else math.ceil(n/bs))
        assert all(len(xb) == len(yb) == bs for xb, yb in batches[:-1])
        rows = [i for xb, yb in batches for i in yb.tolist()]
        assert len(rows) == len(set(rows)) == (n//bs*bs if drop_last else n)
        assert all(torch.equal(xb, x[yb]) for xb, yb in batches)
        if not shuffle: assert rows == list(range(len(rows)))


def test_walks_can_be_nested_and_given_up():
    dl = DataLoader(torch.arange(6), torch.arange(6), 2, shuffle=True, seed=0)
    next(iter(dl))
    pairs = [(a.tolist(), b.tolist()) for (a, _), (b, _) in zip(dl, dl, strict=True)]
    for walk in zip(*pairs, strict=True): assert sorted(sum(walk, [])) == list(range(6))


def test_every_walk_is_shuffled_anew():
    dl = DataLoader(torch.arange(50), torch.arange(50), 50, shuffle=True, seed=0)
    walks = [tuple(range(50)), *(tuple(xb.tolist()) for _ in range(3) for xb, _ in dl)]
    assert len({*walks}) == 4


def test_a_batch_in_order_is_no_copy():
    x = torch.zeros(5)
    for xb, _ in DataLoader(x, torch.arange(5), 2): xb += 1
    assert x.tolist() == [1.]*5


def test_seeded_loaders_leave_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(DataLoader(torch.arange(9), torch.arange(9), 2, shuffle=True, seed=1))
    assert torch.equal(torch.rand(1), expected)


def test_a_loader_takes_arrays():
    dl = DataLoader([[1., 2.], [3., 4.]], [0, 1], bs=1)
    assert [(xb.tolist(), yb.tolist()) for xb, yb in dl] == [([[1., 2.]], [0]), ([[3., 4.]], [1])]

# --- the loader's doors

def test_a_transform_of_whole_batches():
    x = torch.arange(12, dtype=torch.uint8).view(6, 2)
    dl = DataLoader(x, torch.arange(6), 4, transform=lambda xb, yb: (xb.float()/255, yb + 1))
    got = [torch.cat(parts) for parts in zip(*dl)]
    assert torch.equal(got[0], x.float()/255) and got[1].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize('rows', [[5, 0, 5], range(0, 9, 4), torch.tensor([2, 1, 0])])
def test_chosen_rows(rows):
    dl = DataLoader(torch.arange(9)*10, torch.arange(9), 2, rows=rows)
    assert len(dl) == 2 and [i for _, yb in dl for i in yb.tolist()] == [int(i) for i in rows]


def test_rows_are_asked_anew_for_each_walk():
    "So that any sampler of torch's serves"
    rng = torch.Generator().manual_seed(0)
    rows = torch.utils.data.WeightedRandomSampler([1.]*4 + [0.]*4, 6, generator=rng)
    dl = DataLoader(torch.arange(8), torch.arange(8), 6, rows=rows)
    walks = [xb.tolist() for _ in range(4) for xb, _ in dl]
    assert max(map(max, walks)) < 4 and len({*map(tuple, walks)}) > 1


@pytest.mark.parametrize('shuffle', [False, True])
@pytest.mark.parametrize('n, parts', [(12, 3), (14, 4)])
def test_shards_are_equal_parts_of_one_order(n, parts, shuffle):
    loaders = [DataLoader(torch.arange(n), torch.arange(n), 2, shuffle, seed=1, shard=(i, parts))
               for i in range(parts)]
    for _ in range(2):
        walks = [[xb.tolist() for xb, _ in dl] for dl in loaders]
        assert all(len(walk) == len(dl) and all(walk) for walk, dl in zip(walks, loaders))
        rows = [sum(walk, []) for walk in walks]
        assert {len(own) for own in rows} == {n//parts}
        assert len({*sum(rows, [])}) == n//parts*parts
    with pytest.raises(ValueError, match='seed: got None'):
        DataLoader(torch.arange(4), torch.arange(4), shuffle=True, shard=(0, 2))
    with pytest.raises(ValueError, match='shard: got'):
        DataLoader(torch.arange(4), torch.arange(4), shard=(parts, parts))


def test_the_state_of_a_loader():
    def walk(dl): return [i for xb, _ in dl for i in xb.tolist()]
    dl, other = (DataLoader(np.arange(20), np.arange(20), 3, True, seed=s) for s in (1, 2))
    walk(dl)
    other.load_state_dict(dl.state_dict())
    assert [walk(dl), walk(dl)] == [walk(other), walk(other)]


@pytest.mark.parametrize('shuffle', [False, True])
def test_channels_last_is_kept(shuffle):
    x = torch.randn(8, 3, 4, 4).to(memory_format=torch.channels_last)
    for xb, _ in DataLoader(x, torch.arange(8), 4, shuffle):
        assert xb.is_contiguous(memory_format=torch.channels_last)
