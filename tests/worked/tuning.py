"A rate that rises and falls: two solutions, and typical mistakes."
from math import cos, pi

from digit_under_hood.callbacks import Callback
from digit_under_hood.training_loop import set_lr
from worked import fails, works

NAME = 'tuning.one_cycle'


def rate(step, total, peak):
    if step < total/4: return peak*(.1 + .9*step/(total/4))
    return peak*(1 + cos(pi*(step - total/4)/(.75*total)))/2


class Schedule(Callback):
    def __init__(self, peak): self.peak = peak
    def total(self, learn): return learn.epochs*len(learn.dls.train)
    def before_batch(self, learn):
        if learn.training: set_lr(learn.opt, rate(learn.step - 1, self.total(learn), self.peak))


@works(NAME)
def by_the_learners_count(): return dict(rate=rate, Schedule=Schedule)


@works(NAME)
def by_its_own():
    class Counts(Schedule):
        def before_fit(self, learn): self.step = 0
        def before_batch(self, learn): pass
        def after_backward(self, learn):
            for group in learn.opt.param_groups:
                group['lr'] = rate(self.step, self.total(learn), self.peak)
            self.step += 1
    return dict(rate=rate, Schedule=Counts)


def instead(**pieces): return {**by_the_learners_count(), **pieces}


@fails(NAME, 'falls', 'each_step')
def straight_down():
    def straight(step, total, peak):
        return rate(step, total, peak) if step < total/4 else peak*(total - step)/(.75*total)
    return instead(rate=straight)


@fails(NAME, 'rises', 'falls', 'each_step')
def peak_in_the_middle():
    def middle(step, total, peak):
        if step < total/2: return peak*(.1 + .9*step/(total/2))
        return peak*(1 + cos(pi*(step - total/2)/(total/2)))/2
    return instead(rate=middle)


@fails(NAME, 'rises', 'each_step')
def from_nothing():
    def zero(step, total, peak):
        return peak*step/(total/4) if step < total/4 else rate(step, total, peak)
    return instead(rate=zero)


@fails(NAME, 'each_step')
def once_an_epoch():
    class Late(Schedule):
        def before_batch(self, learn): pass
        def before_epoch(self, learn):
            set_lr(learn.opt, rate(learn.step, self.total(learn), self.peak))
    return instead(Schedule=Late)


@fails(NAME, 'each_step')
def one_step_late():
    class Late(Schedule):
        def before_batch(self, learn): pass
        def after_batch(self, learn): Schedule.before_batch(self, learn)
    return instead(Schedule=Late)


@fails(NAME, 'each_step')
def counts_validation():
    class Counts(Schedule):
        def before_fit(self, learn): self.step = -1
        def before_batch(self, learn):
            self.step += 1
            set_lr(learn.opt, rate(min(self.step, self.total(learn)), self.total(learn), self.peak))
    return instead(Schedule=Counts)


@fails(NAME, 'anew')
def counts_on():
    class Counts(Schedule):
        step = 0
        def before_batch(self, learn):
            if not learn.training: return
            set_lr(learn.opt, rate(min(self.step, self.total(learn)), self.total(learn), self.peak))
            self.step += 1
    return instead(Schedule=Counts)
