"Learners from scratch: three that do what the checklist wants, and typical mistakes."
from contextlib import suppress

import torch

from digit_under_hood.callbacks import CancelBatch, CancelEpoch, CancelFit
from digit_under_hood.learner import Learner
from worked import fails, works

NAME = 'learner.from_scratch'
works(NAME)(Learner)   # the chapter's own


@works(NAME)
class Plain:
    "Everything where it is needed, nothing twice"
    def __init__(self, dls, model, loss_func, opt_func, metrics=(), cbs=()):
        self.dls, self.model, self.loss_func, self.opt_func = dls, model, loss_func, opt_func
        self.metrics, self.cbs = metrics, cbs

    def call(self, event):
        for cb in self.cbs: getattr(cb, event)(self)

    def compare(self):
        self.preds = self.model(self.xb)
        self.loss = self.loss_func(self.preds, self.yb)

    def gradients(self):
        self.opt.zero_grad()
        self.loss.backward()
        self.call('after_backward')

    def batch(self):
        with suppress(CancelBatch):
            self.call('before_batch')
            self.compare()
            self.gradients()
            self.opt.step()
        with suppress(CancelBatch): self.call('after_batch')

    def epoch(self):
        self.model.train()
        for self.xb, self.yb in self.dls.train: self.batch()
        self.validate()

    def fit(self, epochs, lr):
        self.opt = self.opt_func(self.model.parameters(), lr=lr)
        with suppress(CancelFit):
            self.call('before_fit')
            for _ in range(epochs):
                self.call('before_epoch')
                with suppress(CancelEpoch): self.epoch()
                self.call('after_epoch')
        self.call('after_fit')

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        total, n = {}, 0
        for self.xb, self.yb in self.dls.valid:
            self.compare()
            found = {f.__name__: f(self.preds, self.yb) for f in self.metrics}
            found['valid_loss'] = self.loss
            for name, value in found.items():
                total[name] = total.get(name, 0) + float(value.detach())*len(self.xb)
            n += len(self.xb)
        return {name: value/n for name, value in total.items()}


@works(NAME)
class AllAtOnce:
    "A generator of events; validation on all predictions at once; mode put back"
    def __init__(self, dls, model, loss_func, opt_func, metrics=(), cbs=()):
        vars(self).update(locals())

    def events(self, epochs):
        yield 'before_fit'
        for _ in range(epochs):
            yield 'before_epoch'
            for self.xb, self.yb in self.dls.train:
                try:
                    yield 'before_batch'
                    self.preds = self.model(self.xb)
                    self.loss = self.loss_func(self.preds, self.yb)
                    self.loss.backward()
                    yield 'after_backward'
                    self.opt.step()
                except CancelBatch: pass
                self.opt.zero_grad()
                yield 'after_batch'
            self.scores = self.validate()
            yield 'after_epoch'

    def fit(self, epochs, lr):
        self.opt = self.opt_func([*self.model.parameters()], lr=lr)
        self.model.train()
        events, error = self.events(epochs), None
        with suppress(CancelFit, StopIteration):
            while True:
                event = events.throw(error) if error else next(events)
                error = None
                try:
                    for cb in self.cbs: getattr(cb, event)(self)
                except CancelBatch as stop: error = stop
        for cb in self.cbs: cb.after_fit(self)

    def validate(self):
        before = self.model.training
        self.model.eval()
        with torch.no_grad():
            preds, targets = (torch.cat(part) for part in zip(
                *((self.model(xb), yb) for xb, yb in self.dls.valid)))
        self.model.train(before)
        return {'valid_loss': self.loss_func(preds, targets).item()} | {
            f.__name__: f(preds, targets).item() for f in self.metrics}


STEPS = ('makes_optimiser one_step every_batch forgets weights goes_on in_eval_mode train_again '
         'no_gradients by_image order between skips cancels').split()


@fails(NAME, 'forgets', 'weights', 'goes_on')
class NeverForgets(Plain):
    def gradients(self):
        self.loss.backward()
        self.call('after_backward')


@fails(NAME, 'one_step', 'forgets', 'weights', 'goes_on', 'between')
class ForgetsTooEarly(Plain):
    def gradients(self):
        self.loss.backward()
        self.opt.zero_grad()
        self.call('after_backward')


@fails(NAME, *(step for step in STEPS if step not in ('in_eval_mode', 'no_gradients', 'by_image')))
class stops_for_want_of_an_optimiser(Plain):
    "Takes what makes an optimiser for one"
    def fit(self, epochs, lr):
        opt, self.opt_func = self.opt_func, lambda *_, **__: opt
        super().fit(epochs, lr)


@fails(NAME, 'makes_optimiser', 'one_step', 'forgets', 'weights', 'goes_on')
class OptimiserAtOnce(Plain):
    "Made before a rate is known"
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        opt = self.opt_func(self.model.parameters(), lr=1e-3)
        self.opt_func = lambda params, lr: opt


@fails(NAME, 'every_batch', 'forgets', 'weights', 'skips', 'cancels')
class OneStepAnEpoch(Plain):
    def batch(self):
        if self.xb is not self.dls.train[-1][0]:
            opt, self.opt = self.opt, torch.optim.SGD(self.model.parameters(), lr=0.)
            super().batch()
            self.opt = opt
        else: super().batch()


@fails(NAME, 'goes_on')
class FirstRateForEver(Plain):
    def fit(self, epochs, lr):
        self.lr = getattr(self, 'lr', lr)
        super().fit(epochs, self.lr)


@fails(NAME, 'in_eval_mode')
class ValidatesInTrainMode(Plain):
    def validate(self):
        self.model.eval = self.model.train
        return super().validate()


@fails(NAME, 'train_again')
class StaysInEvalMode(Plain):
    def epoch(self):
        for self.xb, self.yb in self.dls.train: self.batch()
        self.validate()


@fails(NAME, 'train_again')
class NeverValidates(Plain):
    def epoch(self):
        self.model.train()
        for self.xb, self.yb in self.dls.train: self.batch()


@fails(NAME, 'no_gradients')
class ValidatesWithGradients(Plain):
    def validate(self): return Plain.validate.__wrapped__(self)


@fails(NAME, 'by_image')
class MeanOfBatches(Plain):
    "Each batch counts alike, however small"
    @torch.no_grad()
    def validate(self):
        self.model.eval()
        pairs = [(self.model(xb), yb) for xb, yb in self.dls.valid]
        funcs = {'valid_loss': self.loss_func} | {f.__name__: f for f in self.metrics}
        return {k: sum(f(*pair).item() for pair in pairs)/len(pairs) for k, f in funcs.items()}


@fails(NAME, 'order')
class LastFirst(Plain):
    def call(self, event):
        for cb in reversed(self.cbs): getattr(cb, event)(self)


@fails(NAME, 'between')
class CallsAfterTheStep(Plain):
    def batch(self):
        with suppress(CancelBatch):
            self.call('before_batch')
            self.compare()
            self.opt.zero_grad()
            self.loss.backward()
            self.opt.step()
            self.call('after_backward')
        with suppress(CancelBatch): self.call('after_batch')


@fails(NAME, 'skips')
class BatchEndsTheEpoch(Plain):
    def batch(self):
        self.call('before_batch')
        self.compare()
        self.gradients()
        self.opt.step()
        self.call('after_batch')

    def epoch(self):
        self.model.train()
        with suppress(CancelBatch):
            for self.xb, self.yb in self.dls.train: self.batch()
        self.validate()


@fails(NAME, 'cancels')
class FitEndsTheEpoch(Plain):
    def epoch(self):
        with suppress(CancelFit): super().epoch()
