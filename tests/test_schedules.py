"Schedules: fastai and torch as judges, what is put back, and a plan that goes on tomorrow."
import warnings
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from toys import at, same, toy, toy_learner, weights

from digit_under_hood.callbacks import Callback
from digit_under_hood.distributed import Checkpoint
from digit_under_hood.schedules import Schedule, one_cycle, set_momentum
from digit_under_hood.training_loop import SGD, BasicOptim

ONE_CYCLE = one_cycle(), one_cycle(.95, .85, .95)
OURS = [(partial(SGD, momentum=.9), 'SGD', {'mom': .9}),
        (partial(torch.optim.Adam, betas=(.9, .99), eps=1e-5), 'Adam', {'wd': 0.})]


class Watch(Callback):
    "Keep rate and momentum of each step"
    def before_fit(self, learn): self.seen = []
    def after_backward(self, learn):
        group = learn.opt.param_groups[0]
        self.seen.append((group['lr'], group.get('momentum') or group['betas'][0]))


@pytest.mark.parametrize('opt_func, name, options', OURS, ids=['sgd', 'adam'])
def test_one_cycle_is_fastais(opt_func, name, options):
    "The same rate and momentum at each step, the same weights at the end, also in a second fit"
    warnings.simplefilter('ignore')
    import fastai.vision.all as fv
    fv.default_device(False)   # on the processor, as ours
    ours, theirs, watch = toy_learner(opt_func=opt_func), toy_learner(), Watch()
    judge = fv.Learner(fv.DataLoaders(*toy(n=50).__dict__.values()), theirs.model, F.mse_loss,
                       opt_func=partial(getattr(fv, name), **options))
    ours.dls = toy(n=50)
    for epochs in (3, 1):
        ours.fit(epochs, .03, [Schedule(*ONE_CYCLE), watch])
        with judge.no_bar(), judge.no_logging(): judge.fit_one_cycle(epochs, .03)
        hps = judge.recorder.hps
        assert watch.seen == [pytest.approx(step, rel=1e-5) for step in zip(*hps.values())]
        for p, q in zip(weights(ours), weights(theirs), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-5)
    assert len(watch.seen) == 13 and [*hps] == ['lr', 'mom']


def test_a_plan_that_goes_on_tomorrow(tmp_path):
    "Stopped in the middle of four epochs, loaded, and gone on with: the weights of one fit"
    whole, today, tomorrow = (toy_learner(dls=toy(n=40, shuffle=True, seed=3),
                                          opt_func=partial(SGD, momentum=.9)) for _ in range(3))
    for learn in (whole, today, tomorrow): learn.dls.train.rng = torch.Generator().manual_seed(5)
    whole.fit(4, .05, Schedule(*ONE_CYCLE))
    def crash(learn):
        if learn.epoch == 3: raise KeyboardInterrupt
    keep = at('after_epoch', lambda learn: learn.save(tmp_path/'two.pth'))
    with pytest.raises(KeyboardInterrupt):
        today.fit(4, .05, [Schedule(*ONE_CYCLE), keep, at('before_epoch', crash)])
    tomorrow.load(tmp_path/'two.pth')
    tomorrow.fit(4, .05, Schedule(*ONE_CYCLE), start=len(tomorrow.recorder.epochs))
    assert same(weights(whole), weights(tomorrow))
    assert len(tomorrow.recorder.losses) == 40


@pytest.mark.parametrize('opt_func', [partial(SGD, momentum=.9), torch.optim.Adam])
@pytest.mark.parametrize('how', ['fit', 'add', 'checkpoint'])
def test_after_a_plan_that_went_on_the_settings_are_the_users(opt_func, how, tmp_path):
    "Momentum and rate, as after the undisturbed fit; and so a plain fit after both is the same"
    plan, file = lambda: Schedule(*ONE_CYCLE), tmp_path/'fit.pth'
    whole, today, again = (toy_learner(opt_func=opt_func) for _ in range(3))
    whole.fit(4, .05, plan())
    def crash(learn):
        if learn.epoch == 3: raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        today.fit(4, .05, [plan(), Checkpoint(file), at('after_loss', crash)])
    if how == 'checkpoint': again.fit(4, .05, [plan(), Checkpoint(file)])
    else:
        if how == 'add': again.add(plan())
        again.load(file)
        again.fit(4, .05, [plan()] if how == 'fit' else [], start=2)
        again.cbs = [again.recorder]
    settings = [{name: value for name, value in learn.opt.param_groups[0].items()
                 if name != 'params'} for learn in (whole, again)]
    assert settings[0] == settings[1] and settings[0]['lr'] == .05
    assert settings[0].get('momentum', settings[0].get('betas')) in (.9, (.9, .999))
    for learn in (whole, again): learn.fit(2, .05)
    assert same(weights(whole), weights(again))


def test_a_plan_that_goes_on_at_another_rate_leaves_that_rate(tmp_path):
    learn, again = (toy_learner(opt_func=partial(SGD, momentum=.9)) for _ in range(2))
    learn.fit(2, .05, [Schedule(*ONE_CYCLE), Checkpoint(tmp_path/'fit.pth')])
    again.load(tmp_path/'fit.pth')
    again.fit(4, .01, Schedule(*ONE_CYCLE), start=2)
    group = again.opt.param_groups[0]
    assert (group['lr'], group['momentum']) == (.01, .9)


def test_a_second_fit_finds_its_own_settings():
    "What the first one has put back is not kept for the second"
    plan, learn = Schedule(*ONE_CYCLE), toy_learner(opt_func=partial(SGD, momentum=.9))
    learn.fit(1, .05, plan)
    set_momentum(learn.opt, .5)
    learn.fit(1, .05, plan)
    assert learn.opt.param_groups[0]['momentum'] == .5


@pytest.mark.parametrize('opt_func, name', [(partial(SGD, momentum=.7), 'momentum'),
                                            (torch.optim.Adam, 'betas')])
def test_after_a_fit_the_momentum_is_what_it_was(opt_func, name):
    "Also if the fit failed"
    learn = toy_learner(opt_func=opt_func)
    def boom(learn): raise LookupError
    for cbs in ([], [at('after_backward', boom)]):
        try: learn.fit(1, .01, [Schedule(*ONE_CYCLE), *cbs])
        except LookupError: pass
        assert learn.opt.param_groups[0][name] == {'momentum': .7, 'betas': (.9, .999)}[name]


def test_a_failed_start_is_told_as_it_is():
    "A callback before it fails, so that it has seen no fit when it is to clean up"
    def boom(learn): raise LookupError('first')
    early = at('before_fit', boom)
    learn = toy_learner(early)
    with pytest.raises(LookupError, match='first'): learn.fit(1, .1, Schedule(*ONE_CYCLE))


def test_validation_does_not_count_as_a_step():
    parts = []
    learn = toy_learner()
    learn.fit(2, .1, Schedule(lambda part: parts.append(part) or 1.))
    assert parts == pytest.approx([0, 1/6, 2/6, 3/6, 4/6, 5/6])


def test_an_optimiser_without_momentum():
    learn = toy_learner(opt_func=BasicOptim)
    learn.fit(1, .1, Schedule(one_cycle()))
    with pytest.raises(ValueError, match='opt: got BasicOptim, wants one with momentum'):
        learn.fit(1, .1, Schedule(*ONE_CYCLE))


@pytest.mark.parametrize('rise', [0, 1, -.1, 2])
def test_a_senseless_rise_is_refused(rise):
    with pytest.raises(ValueError, match=f'rise: got {rise}, wants a number above 0'):
        one_cycle(rise=rise)


@pytest.mark.parametrize('name', ['start', 'peak', 'end'])
@pytest.mark.parametrize('value, error', [(float('nan'), ValueError), (float('inf'), ValueError),
                                          (-1., ValueError), ('a', TypeError)])
def test_a_plan_is_made_of_numbers(name, value, error):
    with pytest.raises(error, match=f'{name}: got .*, wants a number from 0'):
        one_cycle(**{name: value})


@pytest.mark.parametrize('value, error', [(float('nan'), ValueError), (5., ValueError),
                                          (1., ValueError), (-.1, ValueError), ('a', TypeError)])
@pytest.mark.parametrize('opt_func', [partial(SGD, momentum=.7), torch.optim.Adam])
def test_a_senseless_momentum_is_refused(opt_func, value, error):
    opt = opt_func([torch.ones(1)], lr=.1)
    before = {**opt.param_groups[0]}
    with pytest.raises(error, match='momentum: got .*, wants'): set_momentum(opt, value)
    assert opt.param_groups[0] == before
    set_momentum(opt, 0.)


class Theirs(Callback):
    "A scheduler of torch's, made at the start of a fit and asked after every step"
    def __init__(self, make): self.make = make
    def before_fit(self, learn): self.plan = self.make(learn.opt)
    def after_batch(self, learn):
        if learn.training: self.plan.step()


@pytest.mark.parametrize('opt_func', [partial(torch.optim.SGD, momentum=.9), torch.optim.Adam])
def test_torchs_one_cycle_works_with_torchs_optimisers(opt_func):
    "It begins its steps one later and ends at the last: the same half waves"
    watch, steps = Watch(), 2*3
    def make(opt):
        return torch.optim.lr_scheduler.OneCycleLR(opt, .1, steps, pct_start=.5,
                                                   final_div_factor=10)
    toy_learner(Theirs(make), watch, opt_func=opt_func).fit(2, .1)
    rates, momenta = zip(*watch.seen)
    up = one_cycle(.1/25, .1, .1/250, rise=2/5)
    assert rates == pytest.approx([up(step/5) for step in range(6)])
    assert min(momenta) == pytest.approx(.85) and len(momenta) == steps
