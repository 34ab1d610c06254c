"Early stopping, devices, the bar and the rate finder: what they do, and that they leave no trace."
import math
import random
import threading
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import Spy, at, mae, same, toy, toy_learner, weights

from digit_under_hood.callbacks import Callback, CancelFit
from digit_under_hood.training_loop import SGD, DataLoader, DataLoaders, Repeated, set_lr
from digit_under_hood.tuning import EarlyStopping, LRFinder, Progress, ToDevice, suggest

# --- the other callbacks

@pytest.mark.parametrize('larger', [False, True])
def test_early_stopping(larger):
    values = iter([3., 2., 1., 1., 1.5, .9, .9, .9, .5])
    sign = -1 if larger else 1
    def score(preds, targets): return sign*value
    value = None
    def step(learn):
        nonlocal value
        value = next(values)
    stop = EarlyStopping('score', patience=2, larger=larger)
    learn = toy_learner(at('before_epoch', step), stop, metrics=[score])
    learn.fit(9, .01)
    assert [sign*row['score'] for row in learn.recorder.epochs] == [3, 2, 1, 1, 1.5]
    learn.fit(9, .01)   # a second fit counts anew
    assert len(learn.recorder.epochs) == 5 + 3


def test_early_stopping_counts_nan_as_no_improvement():
    learn = toy_learner(EarlyStopping('odd', patience=2), metrics=[lambda p, t: math.nan])
    learn.metrics = {'odd': learn.metrics['<lambda>']}
    learn.fit(9, .01)
    assert len(learn.recorder.epochs) == 2


def test_early_stopping_wants_a_column_that_exists():
    learn = toy_learner(EarlyStopping('auc'), metrics=[mae])
    with pytest.raises(ValueError, match=r"monitor: got 'auc', wants .*'valid_loss', 'mae'\]"):
        learn.fit(1, .1)
    assert not learn.recorder.losses


def test_to_device_moves_model_loss_and_batches():
    model, loss_func = nn.Linear(3, 1).double(), nn.MSELoss()
    moved = []
    for part in (model, loss_func):
        part.to = lambda device, part=part: moved.append((part, device))
    learn = toy_learner(ToDevice('cpu'), model=model, loss_func=loss_func)
    learn.dls = SimpleNamespace(train=[(torch.ones(2, 3).double(), torch.ones(2, 1).double())],
                                valid=[(torch.ones(2, 3).double(), torch.ones(2, 1).double())])
    learn.fit(1, .1)
    assert moved == [(model, torch.device('cpu')), (loss_func, torch.device('cpu'))]


@pytest.mark.parametrize('here, device', [(True, 'cuda'), (False, 'cpu')])
def test_a_graphics_card_is_taken_if_there_is_one(here, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: here)
    assert ToDevice().device.type == device and ToDevice('meta').device.type == 'meta'


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no graphics card here')
def test_on_a_graphics_card():
    seen = set()
    look = at('after_loss', lambda learn: seen.add((learn.xb.device.type, learn.yb.device.type)))
    cpu, gpu = toy_learner(), toy_learner(ToDevice(), look)
    assert gpu.validate() == pytest.approx(cpu.validate(), rel=1e-4)   # before it has moved
    for learn in (cpu, gpu): learn.fit(3, .1)
    assert next(gpu.model.parameters()).is_cuda and ('cuda', 'cuda') in seen
    assert gpu.recorder.losses == pytest.approx(cpu.recorder.losses, rel=1e-3)
    preds, targets = gpu.get_preds()
    assert not preds.is_cuda and not targets.is_cuda and gpu.predict(torch.ones(1, 3)).is_cuda
    x, y = cpu.dls.train.x.cuda(), cpu.dls.train.y.cuda()
    on_card = DataLoader(x, y, 4, shuffle=True, seed=0)
    gpu.dls = DataLoaders(on_card, on_card)
    gpu.fit(1, .1)


def test_progress_in_a_terminal(capsys):
    "A bar that goes, a table that stays"
    learn = toy_learner(Progress(), metrics=[mae])
    learn.fit(2, .1)
    out = capsys.readouterr().out
    assert '100.00% [6/6' in out
    last = out.split('\r')[-1]
    assert last.split()[:3] == ['train_loss', 'valid_loss', 'mae'] and last.split()[4] == '1'
    assert '%' not in last
    learn.fit(1, .1)
    assert capsys.readouterr().out.split('\r')[-1].split()[4] == '3'   # only the new epoch's row


class Page:
    "What a notebook's `display` shows under one handle, in the order of its updates"
    def __init__(self): self.shown = []
    def display(self, shown, display_id):
        assert display_id   # else there is nothing to update
        self.shown.append(shown)
        return self
    def update(self, shown): self.shown.append(shown)


def test_progress_in_a_notebook(monkeypatch):
    "One output: first with a bar, at the end, also of a fit that fails, the bare table"
    import fastprogress.fastprogress as fastprogress
    import IPython.display
    monkeypatch.setattr(fastprogress, 'progress_bar', fastprogress.NBProgressBar)
    for stop in (None, 4):
        page = Page()
        monkeypatch.setattr(IPython.display, 'display', page.display)
        def halt(learn, stop=stop):
            if learn.step == stop: raise KeyboardInterrupt
        learn = toy_learner(Progress(), at('before_batch', halt))
        try: learn.fit(2, .1)
        except KeyboardInterrupt: assert stop
        first, *_, last = page.shown
        assert '<progress' in first.data and '[0/6' in first.data
        assert '<progress' not in last.to_html()
        assert len(last) == (1 if stop else 2)


# --- the rate finder

def test_lr_find_leaves_no_trace():
    spy = Spy()
    learn = toy_learner(spy, EarlyStopping(patience=1), Progress(), ToDevice('cpu'), dls=toy(n=60),
                        model=nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)))
    state = {name: t.clone() for name, t in learn.model.state_dict().items()}
    cbs = list(learn.cbs)
    rates = learn.lr_find()
    assert all(rate is None or 1e-7 <= rate <= 10 for rate in rates)
    assert all(torch.equal(t, state[name]) for name, t in learn.model.state_dict().items())
    assert learn.cbs == cbs and learn.recorder.losses == learn.recorder.epochs == []
    assert learn.model.training


@pytest.mark.parametrize('opt_func', [SGD, torch.optim.SGD, torch.optim.Adam])
def test_lr_find_steps_through_the_rates(opt_func):
    rates = []
    def look(learn):
        rates.append(learn.opt.param_groups[0]['lr'])
    flat = lambda preds, targets: preds.mean().sigmoid()
    learn = toy_learner(at('after_backward', look), opt_func=opt_func, loss_func=flat)
    learn.lr_find(1e-4, 1., steps=5)
    assert rates == pytest.approx([1e-4, 1e-3, 1e-2, .1, 1.])


def test_lr_find_ends_when_the_loss_explodes():
    "and a rate that had found the explosion is not what it suggests"
    learn = toy_learner(dls=toy(n=400))
    tried = []
    def look(learn): tried.append(learn.opt.param_groups[0]['lr'])
    look.__deepcopy__ = lambda memo: look
    learn.add(at('after_backward', look))
    rates = learn.lr_find(1e-6, 1e6, steps=100)
    assert len(tried) < 90 and rates.valley < tried[-1]/10 and rates.steep < tried[-1]/10
    learn.fit(20, rates.valley)
    assert learn.validate()['valid_loss'] < .1


def test_lr_find_puts_all_back_after_an_error():
    def boom(learn):
        if learn.step == 3: raise KeyboardInterrupt
    learn = toy_learner(at('after_backward', boom))
    before, cbs = weights(learn), list(learn.cbs)
    with pytest.raises(KeyboardInterrupt): learn.lr_find()
    assert same(before, weights(learn)) and learn.cbs == cbs
    learn = toy_learner(loss_func=lambda p, t: p.mean()*math.nan)
    with pytest.raises(FloatingPointError, match='nan at step 1'): learn.lr_find()


@pytest.mark.parametrize('args', [(0, 1), (1, .1), (-1, 1), (1, 1)])
def test_lr_find_wants_a_range(args):
    with pytest.raises(ValueError, match='start'): toy_learner().lr_find(*args)


def test_plots_show_the_record():
    learn = toy_learner()
    learn.fit(2, .1)
    learn.plot_loss()
    each, smooth, valid = plt.gca().lines
    assert list(each.get_ydata()) == learn.recorder.losses
    assert list(smooth.get_ydata()) == learn.recorder.smooth
    assert list(valid.get_xdata()) == [3, 6]
    assert (plt.gca().get_xlabel(), plt.gca().get_ylabel()) == ('step', 'loss')
    assert [text.get_text() for text in plt.gca().get_legend().texts] == [
        'each batch', 'smoothed', 'validation']
    plt.close('all')
    learn.lr_find(1e-3, 1e-1, 10)
    assert plt.gca().get_xscale() == 'log' and len(plt.gca().lines[0].get_ydata()) <= 10
    assert (plt.gca().get_xlabel(), plt.gca().get_ylabel()) == ('learning rate', 'loss')
    plt.close('all')


# --- the finder at its limits

def flat_loss(preds, targets): return (preds - targets).square().mean().tanh()


@pytest.mark.parametrize('end', [.001, .01, .1])
def test_lr_find_names_no_rate_where_nothing_is_learnt(end):
    "The lowest place of a flat and noisy curve is chance"
    assert toy_learner(dls=toy(n=400), loss_func=flat_loss).lr_find(end=end) == (None, None)
    plt.close('all')


def test_suggestions_by_hand():
    lrs = [10.**k for k in range(-6, 1)]
    assert suggest(lrs, [9., 9., 8., 4., 3., 2., 5.]) == (1e-3, 1e-4)
    assert suggest(lrs, [8., 9., 8., 4., 3., 2., 5.]) == (1e-3, 1e-4)   # the rise before is no fall
    assert suggest([1e-6, 1e-5, .1, 1.], [10., 8., 5., 9.]) == (1e-5, 1e-6)   # uneven rates
    assert suggest([1e-3, 1e-2, .1], [10., 9., 9.5]) == (1e-3, 1e-3)   # a tenth is enough
    assert suggest(lrs, [1., 2., 3., 4., 5., 6., 7.]) == (None, None)
    assert suggest(lrs, [7., 6., 5., 4., 3., 2., 1.]) == (None, None)
    assert suggest(lrs, [7., 7., 6.4, 7., 7., 7., 9.]) == (None, None)


def test_lr_find_puts_everything_back():
    "Generators, buffers that are not saved, gradients, optimiser, step, callbacks that act"
    class Counted(nn.Linear):
        def __init__(self):
            super().__init__(3, 1)
            self.register_buffer('calls', torch.zeros(1), persistent=False)
        def forward(self, x):
            self.calls += 1
            return super().forward(F.dropout(x, .2, self.training))
    class Acts(Callback):
        seen = 0
        def after_loss(self, learn):
            self.seen += 1
            random.random(), np.random.rand()
    acts = Acts()
    x, y = torch.randn(60, 3), torch.randn(60, 1)
    loader = DataLoader(x, y, 8, shuffle=True, seed=3)
    learn = toy_learner(acts, model=Counted(), dls=DataLoaders(loader))
    learn.fit(1, .01)
    learn.model.weight.grad = torch.full((1, 3), 7.)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    def state():
        return [*weights(learn), learn.model.calls.clone(), learn.model.weight.grad.clone(),
                torch.get_rng_state(), learn.dls.train.rng.get_state(),
                torch.tensor([acts.seen, learn.step, learn.epoch, len(learn.recorder.losses)])]
    before, opt = state(), learn.opt
    others = random.getstate(), np.random.get_state()[1].tolist()
    learn.lr_find()
    plt.close('all')
    assert same(before, state()) and learn.opt is opt
    assert opt.param_groups[0]['lr'] == .01
    assert (random.getstate(), np.random.get_state()[1].tolist()) == others


def explodes(loss_func, **options):
    "The smoothed losses of a trial that ends in an explosion, and the rates it suggests"
    losses = []
    class Look(Callback):
        order = 60
        def after_loss(self, learn): losses.append(learn.recorder.smooth[-1])
        def __deepcopy__(self, memo): return self
    rates = toy_learner(Look(), dls=toy(n=400), loss_func=loss_func).lr_find(**options)
    plt.close('all')
    return losses, rates


@pytest.mark.parametrize('less', [0., 3., 50.], ids=['positive', 'through zero', 'negative'])
def test_lr_find_ends_when_the_loss_is_three_falls_above_the_least(less):
    "Not before, and not much after; a loss below zero is one too"
    losses, rates = explodes(lambda p, t: F.mse_loss(p, t) - less, start=1e-6, end=1e6)
    def over(first, *smooth):
        low = min([first, *smooth])
        return [first, *smooth][-1] - low > 3*max(abs(low), first - low)
    assert over(*losses) and not any(over(*losses[:i]) for i in range(1, len(losses)))
    assert 20 < len(losses) < 90 and None not in rates and rates.valley < 1


@pytest.mark.parametrize('start, end', [(1., 100.), (5., 1e6)])
def test_an_explosion_before_there_is_a_curve_gives_no_rate(start, end):
    losses, rates = explodes(F.mse_loss, start=start, end=end)
    assert len(losses) <= 10 and rates == (None, None)


class Moves(Callback):
    "As a move to another device: parameters get other data, buffers are other tensors"
    def before_fit(self, learn): learn.model._apply(lambda t: t.clone())
    def before_batch(self, learn): pass


def test_lr_find_puts_back_buffers_of_a_model_that_was_moved():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))
    learn = toy_learner(Moves(), model=model, dls=toy(n=60))
    before = {name: t.clone() for name, t in model.state_dict().items()}
    mean = model[0].running_mean
    learn.lr_find()
    plt.close('all')
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert model[0].running_mean is not mean   # it was moved indeed


def test_a_callback_that_holds_the_model_acts_on_the_model():
    "Or a part of it, or the Learner, which is that of the trial"
    seen = []
    class Holds(Callback):
        def __init__(self, learn):
            self.learn, self.model, self.weight = learn, learn.model, [learn.model.weight]
        def after_backward(self, learn):
            seen.append((self.model is learn.model, self.weight[0] is learn.model.weight,
                         self.learn is learn, learn.recorder is self.learn.recorder))
    learn = toy_learner()
    learn.add(Holds(learn))
    learn.lr_find(steps=5)
    plt.close('all')
    assert {*seen} == {(True, True, True, True)} and learn.cbs[1].learn is learn


def test_a_callback_that_cannot_be_copied_is_named():
    class Log(Callback):
        def __init__(self): self.lock = threading.Lock()
        def after_loss(self, learn): pass
    learn = toy_learner(Log())
    with pytest.raises(TypeError, match='cbs: got Log, wants what deepcopy can copy .*lock'):
        learn.lr_find()
    assert not learn.recorder.losses


def test_a_loader_is_walked_through_until_there_is_enough():
    "One without a batch ends the trial, and does not hold it for ever"
    assert [*Repeated('abc', 5)] == [*'abcab']
    assert [*Repeated(iter('abc'), 5)] == [*'abc']   # used up
    with pytest.raises(ValueError, match='without a batch'):
        toy_learner(dls=DataLoaders([])).lr_find()


def test_lr_find_tries_a_hundred_rates_up_to_ten():
    "If nothing else is said; callbacks that only look on are left out, split and context are not"
    rates, opened = [], []
    @contextmanager
    def context():
        opened.append(1)
        yield
    look = at('after_batch', lambda learn: 1/0)
    note = at('after_backward', lambda learn: rates.append(learn.opt.param_groups[0]['lr']))
    flat = lambda preds, targets: preds.mean().sigmoid()
    turned = [(yb, xb) for xb, yb in toy().train]
    learn = toy_learner(look, note, dls=DataLoaders(turned), loss_func=flat)
    learn.split, learn.context = lambda batch: (batch[1], batch[0]), context
    learn.lr_find()
    plt.close('all')
    assert (len(rates), rates[0], rates[-1]) == (100, pytest.approx(1e-6), pytest.approx(10.))
    assert len(opened) == 200   # for predicting and for the loss


@pytest.mark.parametrize('last, enough', [(19, False), (20, True)])
def test_a_fifth_of_the_rates_is_enough_to_draw(last, enough):
    "Before that a loss that is no number is an error; after it, the explosion that was sought"
    calls = count(1)
    learn = toy_learner(
        loss_func=lambda p, t: p.mean()*0 + (1. if next(calls) <= last else math.nan))
    if enough: assert learn.lr_find(steps=104) == (None, None)
    else:
        with pytest.raises(FloatingPointError): learn.lr_find(steps=104)
    plt.close('all')


def test_four_times_is_still_allowed():
    def hear(*smooth):
        LRFinder([]).after_loss(SimpleNamespace(recorder=SimpleNamespace(smooth=smooth)))
    hear(2., 1., 4.)
    with pytest.raises(CancelFit): hear(2., 1., 4.01)


def test_a_batch_follows_its_model_to_another_device():
    "The `meta` device has no numbers, but it shows who was moved"
    seen = []
    learn = toy_learner(ToDevice('meta'))
    def before(learn):
        seen.append((learn.xb.device.type, learn.yb.device.type))
        raise RuntimeError('enough')
    look = at('before_batch', before)
    look.order = -20   # an early one, but ToDevice is there before
    with pytest.raises(RuntimeError, match='enough'): learn.fit(1, .1, look)
    assert seen == [('meta', 'meta')] and next(learn.model.parameters()).is_meta


def test_the_optimiser_has_the_moved_parameters():
    "It was made before the move, and its steps are those of a fit without one"
    learn, other, buffer = toy_learner(Moves()), toy_learner(), torch.zeros(1)
    learn.model.register_buffer('here', buffer)
    storage = learn.model.weight.data_ptr()
    for each in (learn, other): each.fit(1, .1)
    [group] = learn.opt.param_groups
    assert all(p is q for p, q in zip(group['params'], learn.model.parameters(), strict=True))
    assert learn.model.weight.data_ptr() != storage and learn.model.here is not buffer
    assert same(weights(learn), weights(other))


@pytest.mark.parametrize('patience', [0, -1, math.nan])
def test_patience_has_a_least_value(patience):
    with pytest.raises(ValueError, match=f'patience: got {patience}, wants 1 or more'):
        EarlyStopping(patience=patience)


def test_three_epochs_without_a_better_one_end_a_fit():
    "If nothing else is said; the validation loss counts, and a smaller one is better"
    falling, still = toy_learner(EarlyStopping()), toy_learner(EarlyStopping())
    falling.fit(6, .02)
    still.fit(6, 0.)   # nothing moves: the first epoch is the best
    assert (len(falling.recorder.epochs), len(still.recorder.epochs)) == (6, 4)


def test_validation_is_drawn_where_it_was_measured():
    learn = toy_learner()
    learn.fit(3, .05)
    learn.plot_loss()
    valid = plt.gca().lines[2]
    plt.close('all')
    assert list(valid.get_xdata()) == [3, 6, 9]
    assert list(valid.get_ydata()) == [row['valid_loss'] for row in learn.recorder.epochs]


def test_a_rate_of_a_schedule_does_not_hide_the_finders():
    rates = []
    class Schedule(Callback):
        order = 50   # the finder comes after it all the same
        def before_batch(self, learn): set_lr(learn.opt, .123)
        def after_backward(self, learn): rates.append(learn.opt.param_groups[0]['lr'])
        def __deepcopy__(self, memo): return self
    toy_learner(Schedule()).lr_find(1e-4, 1e-2, 3)
    plt.close('all')
    assert rates == pytest.approx([1e-4, 1e-3, 1e-2])
