"Tasks of chapter 06c, the Learner."
import copy
from functools import partial
from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional as F

from digit_under_hood.callbacks import EVENTS, Callback, Cancel, CancelBatch, CancelFit
from digit_under_hood.choose import Choose, Predict
from digit_under_hood.learner import Learner
from digit_under_hood.mnist_linear import batch_accuracy, mnist_loss
from digit_under_hood.outcomes import told
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong
from digit_under_hood.projects import Project, step
from digit_under_hood.training_loop import SGD, DataLoader, DataLoaders


class all_are_told(FixIt):
    """
    If the first listener cancels, the others never hear of the event. Repair it: each of them is
    called with `learn`, and if one or more raised a `Cancel`, the first of those is raised after
    that. Any other error comes out at once.
    """
    concept, planted = 'callback', 'stops_at_once'
    hints = ('Where must a net hang so that the loop goes on?',
             'What was caught is kept until the loop is over.',
             'And if two of them cancel?')
    verb = 'ends, after these were called, with'
    why = ('A diary, a bar, a file: each of them counts on hearing every event. So a cancelling is '
           'kept in hand until all have been told.')

    @cases
    def listeners():
        class Hears:
            def __init__(self, name, error=None): self.name, self.error = name, error
            def __repr__(self): return self.name
            def __call__(self, learn):
                learn.append(self.name)
                if self.error: raise self.error(self.name)
        a, b, c = (Hears(name) for name in 'abc')
        stops, ends, bug = Hears('stops', CancelBatch), Hears('ends', Cancel), Hears('bug', ValueError)
        plans = [], [a, b], [a, stops], [stops, a], [a, stops, b, ends, c], [ends, stops, c], [a, bug, b]
        return [(plan, []) for plan in plans]

    @outcome
    def who_heard(given, listeners, learn):
        try: given(listeners, learn)
        except (Cancel, ValueError) as error: return [*learn, f'{type(error).__name__}: {error}']
        return [*learn, 'no error']

    @right
    def kept(listeners, learn):
        cancelled = None
        for hear in listeners:
            try: hear(learn)
            except Cancel as error: cancelled = cancelled or error
        if cancelled: raise cancelled

    @right
    def listed(listeners, learn):
        found = []
        for hear in listeners:
            try: hear(learn)
            except Cancel as error: found.append(error)
        for error in found: raise error

    @wrong('Still: with the first one that cancels the loop is over.')
    def stops_at_once(listeners, learn):
        for hear in listeners: hear(learn)

    @wrong('All are told, and then nothing is cancelled: the exception has been swallowed.')
    def swallowed(listeners, learn):
        for hear in listeners:
            try: hear(learn)
            except Cancel: pass

    @wrong('If two of them cancel, yours raises the later one. The first one is wanted.')
    def the_last(listeners, learn):
        cancelled = None
        for hear in listeners:
            try: hear(learn)
            except Cancel as error: cancelled = error
        if cancelled: raise cancelled

    @wrong('A `ValueError` is a bug, and no cancelling. It is to come out at once, as it is.',
           when=lambda made, listeners, learn: 'bug' in made and made[-2:] != ['bug', 'ValueError: bug'])
    def catches_all(listeners, learn):
        cancelled = None
        for hear in listeners:
            try: hear(learn)
            except Exception as error: cancelled = cancelled or error
        if cancelled: raise cancelled

    @wrong('The ones after it are told, but it is raised only if it comes last in the list.')
    def only_the_end(listeners, learn):
        for i, hear in enumerate(listeners, 1):
            try: hear(learn)
            except Cancel:
                if i == len(listeners): raise


class least_learner(Do):
    """
    Write `least_learner(x, y, valid_x, valid_y)`: a Learner that can train a linear model on these
    rows, with `mnist_loss`, in shuffled batches of 4, and with a momentum of 0.9. Leave out what it
    can do without. `x` has the shape `(n, p)`.
    """
    question, concept = 32, 'Learner'
    equal = {'parts: 1 -> -1': 'of two axes the last is the second',
             'by_name: 0 -> 1': 'all rows are equally long'}
    hints = ('Look at its `__init__`: what has no default?',
             'It makes the optimiser itself, at the first `fit`. So what must you hand it?',
             '`partial` fills in some arguments of a function and leaves the others open.')
    verb = 'gives a Learner with'
    why = ('The data as `DataLoaders`, the model, the loss, and the *function* that makes the '
           'optimiser. Rate and epochs come later, with `fit`. Metrics are for people.')

    @cases
    def rows():
        rng = torch.Generator().manual_seed(32)
        made = []
        for n, p in ((8, 3), (10, 2)):
            x, y = torch.rand(n, p, generator=rng), (torch.arange(n) % 2).float()[:, None]
            made.append((x, y, x[:6] + 1, y[:6]))
        return made

    @outcome
    def one_fit(given, x, y, valid_x, valid_y):
        learn = given(x, y, valid_x, valid_y)
        before = [p.detach().clone() for p in learn.model.parameters()]
        loaders = learn.dls.train, learn.dls.valid
        told = {'rows a batch': [[len(xb) for xb, yb in dl] for dl in loaders],
                'all rows': [torch.cat([xb for xb, yb in dl]).sum() for dl in loaders],
                'shuffled': not torch.cat([xb for xb, yb in learn.dls.train]).equal(x),
                'metrics': len(learn.metrics)}
        learn.fit(2, .1)
        moved = any(not p.equal(was) for p, was in zip(learn.model.parameters(), before))
        preds, targets = learn.get_preds()
        return told | {'numbers trained': sum(p.numel() for p in before), 'moved': moved,
                       'momentum': learn.opt.param_groups[0].get('momentum', 0),
                       'its loss': learn.loss_func(preds, targets) - mnist_loss(preds, targets),
                       'scores': [*learn.scores]}

    @right
    def parts(x, y, valid_x, valid_y):
        dls = DataLoaders(DataLoader(x, y, 4, shuffle=True), DataLoader(valid_x, valid_y, 4))
        return Learner(dls, nn.Linear(x.shape[1], 1), mnist_loss, partial(SGD, momentum=.9))

    @right
    def by_name(x, y, valid_x, valid_y):
        train = DataLoader(x, y, bs=4, shuffle=True)
        return Learner(dls=DataLoaders(train, valid=DataLoader(valid_x, valid_y, bs=4)), model=nn.Linear(len(x[0]), 1),
                       loss_func=mnist_loss,
                       opt_func=lambda params, lr: SGD(params, lr=lr, momentum=.9))

    @wrong('This works, but a metric is nothing that it needs: it is measured for people, and no '
           'weight depends on it.', when=lambda made, *args: made['metrics'])
    def metrics_counted(x, y, valid_x, valid_y):
        dls = DataLoaders(DataLoader(x, y, 4, True), DataLoader(valid_x, valid_y, 4))
        return Learner(dls, nn.Linear(x.shape[1], 1), mnist_loss, partial(SGD, momentum=.9),
                       metrics=batch_accuracy)

    @wrong('It asks for loaders `train` and `valid`, and got bare tensors. Who cuts the rows into '
           'batches, and who keeps the two loaders together?',
           when=lambda made, *args: "has no attribute 'train'" in str(made.error)
           or 'not enough values' in str(made.error) or 'too many values' in str(made.error))
    def bare_tensors(x, y, valid_x, valid_y):
        return Learner((x, y), nn.Linear(x.shape[1], 1), mnist_loss, partial(SGD, momentum=.9))

    @wrong('That is an optimiser, ready made. Nothing complains until `fit`, which then wants to '
           '*make* one, and calls what you gave it.',
           when=lambda made, *args: "object is not callable" in str(made.error))
    def made_already(x, y, valid_x, valid_y):
        dls = DataLoaders(DataLoader(x, y, 4, True), DataLoader(valid_x, valid_y, 4))
        model = nn.Linear(x.shape[1], 1)
        return Learner(dls, model, mnist_loss, SGD(model.parameters(), .1, momentum=.9))

    @wrong('It trains, but without momentum: the default optimiser has none.',
           when=lambda made, *args: made['moved'] and not made['momentum'])
    def plain_sgd(x, y, valid_x, valid_y):
        dls = DataLoaders(DataLoader(x, y, 4, True), DataLoader(valid_x, valid_y, 4))
        return Learner(dls, nn.Linear(x.shape[1], 1), mnist_loss)

    @wrong('There is nothing to validate on: what are `valid_x` and `valid_y` for?',
           when=lambda made, *args: "'NoneType' object is not iterable" in str(made.error))
    def no_validation(x, y, valid_x, valid_y):
        dls = DataLoaders(DataLoader(x, y, 4, True))
        return Learner(dls, nn.Linear(x.shape[1], 1), mnist_loss, partial(SGD, momentum=.9))

    @wrong('It validates on the rows that it trains on, and would look good on them in any case.',
           when=lambda made, x, *args: made['all rows'][1].isclose(x.sum()))
    def no_split(x, y, valid_x, valid_y):
        both = DataLoaders(DataLoader(x, y, 4, True), DataLoader(x, y, 4))
        return Learner(both, nn.Linear(x.shape[1], 1), mnist_loss, partial(SGD, momentum=.9))

    @wrong('An accuracy cannot be followed downhill: it has no slope. It takes the place of the '
           'loss here.', when=lambda made, *args: 'does not require grad' in str(made.error))
    def accuracy_as_loss(x, y, valid_x, valid_y):
        dls = DataLoaders(DataLoader(x, y, 4, True), DataLoader(valid_x, valid_y, 4))
        return Learner(dls, nn.Linear(x.shape[1], 1), batch_accuracy, partial(SGD, momentum=.9))

    @wrong('Everything is there, but each epoch meets the rows in the same order.',
           when=lambda made, *args: made['moved'] and not made['shuffled'])
    def unshuffled(x, y, valid_x, valid_y):
        dls = DataLoaders(DataLoader(x, y, 4), DataLoader(valid_x, valid_y, 4))
        return Learner(dls, nn.Linear(x.shape[1], 1), mnist_loss, partial(SGD, momentum=.9))


class add_up(Do):
    """
    Write `add_up(n)`: a callback that lets the gradients of `n` batches add up before each step, so
    that only each n-th batch ends in one. `learn.step` counts the batches from 1.
    """
    concept = 'gradient accumulation'
    hints = ('Look at `_step`: what comes after the gradients are there, and which event stands '
             'before it?',
             'Whoever raises `CancelBatch` there leaves out the step, and with it the zeroing.',
             'At which numbers must it not be raised?')
    verb = 'gives a callback with which a fit makes'
    why = ('`backward` adds, and what is skipped is the step *and* the zeroing. So a batch of '
           'any size takes no more memory than a small one.')

    @cases
    def numbers(): return [(1,), (2,), (4,)]

    @right
    def after_backward(n):
        class Wait(Callback):
            def after_backward(self, learn):
                if learn.step % n: raise CancelBatch
        return Wait()

    @right
    def another_n_full(n):
        class Wait(Callback):
            def after_backward(self, learn):
                if learn.step//n == (learn.step - 1)//n: raise CancelBatch
        return Wait()

    @outcome
    def weights_by_batch(given, n):
        class Diary(Callback):
            def before_fit(self, learn): self.path = []
            def after_batch(self, learn): self.path.append(learn.model.weight.item())
        cb, diary, model = given(n), Diary(), nn.Linear(1, 1, bias=False)
        nn.init.zeros_(model.weight)
        x = torch.arange(1., 10)[:, None]
        learn = Learner(DataLoaders(DataLoader(x, x, 1)), model, lambda preds, y: (y - preds).sum(),
                        cbs=[cb, diary])
        learn.fit(2, 1.)
        return {'losses': len(learn.recorder.losses), 'weights': diary.path}

    @wrong('A batch that is cancelled before it is predicted adds no gradient. Most of them have '
           'no say at all.')
    def before_batch(n):
        class Wait(Callback):
            def before_batch(self, learn):
                if learn.step % n: raise CancelBatch
        return Wait()

    @wrong('Cancelled after the loss, before there are gradients: nothing is there to add up.')
    def after_loss(n):
        class Wait(Callback):
            def after_loss(self, learn):
                if learn.training and learn.step % n: raise CancelBatch
        return Wait()

    @wrong('The other way round: this leaves out each n-th step and takes the others.')
    def one_left_out(n):
        class Wait(Callback):
            def after_backward(self, learn):
                if learn.step % n == 0: raise CancelBatch
        return Wait()

    @wrong('When `after_batch` is called the step has been taken already.')
    def too_late(n):
        class Wait(Callback):
            def after_batch(self, learn):
                if learn.step % n: raise CancelBatch
        return Wait()

    @wrong('The first step comes after one batch, and then one after each `n`. Where does the '
           'counting begin?')
    def one_early(n):
        class Wait(Callback):
            def after_backward(self, learn):
                if (learn.step - 1) % n: raise CancelBatch
        return Wait()


class losses_compared(Predict):
    """
    10 batches to train on, 4 to validate on, and `fit(3, lr)`. How often is `after_loss` called?
    """
    concept = 'callback'
    hints = ('In which of the boxes of the drawing does it stand?', 'Once for each batch of both.')
    value, within = 42, .1
    wrong = {30: 'Those are the batches that are trained on. A validation batch has a loss as well.',
             14: 'That is one epoch.',
             34: 'It validates after *each* epoch.'}
    why = '10 and 4 batches in each of 3 epochs. Of `after_backward` there are only 30.'


class second_fit(Choose):
    "You call `fit` again on the same Learner. What begins anew?"
    concept = 'Learner'
    hints = ('Look at `fit` once more: what is made only if there is none yet?',
             'The Recorder has a `before_fit`. What does it set?')
    right = 'the smoothed loss'
    wrong = {
        'the weights': 'They stay, and the second fit improves what the first one left.',
        'the momentum of the optimiser': 'The optimiser is kept from fit to fit, and its momentum '
        'with it, unless you say `reset_opt=True`.',
        'the table of epochs': 'It goes on: a row for each epoch of all fits.'}
    why = ('Model, optimiser and diary go on from where they were. Only the average that smooths '
           'the loss starts from nothing, as another rate may give quite other losses.')



class FromScratch:
    "What the steps of the project use: data whose origin the model can tell, and who looks on"
    def __init__(self, Learner, sizes=(4, 4, 2), metrics=(), cbs=()):
        draw = torch.Generator().manual_seed(1)
        def rows(n, mark):
            x = torch.randn(n, 3, generator=draw)
            x[:, 0] = mark
            return x, x.sum(1, keepdim=True) + torch.randn(n, 1, generator=draw)
        self.train = [rows(n, 1.) for n in sizes]
        self.valid = [rows(5, -1.), rows(1, -1.)]
        self.model, self.seen, self.fresh, self.opts = nn.Linear(3, 1), [], [], []
        with torch.no_grad():
            for p in self.model.parameters(): p.fill_(.1)
        self.bare = copy.deepcopy(self.model)
        self.model.register_forward_pre_hook(self.look)
        self.learn = Learner(SimpleNamespace(train=self.train, valid=self.valid), self.model,
                             F.mse_loss, self.opt_func, metrics=metrics, cbs=cbs)

    def look(self, model, args):
        "Note of each call: training rows or not, train mode or not, gradients or not"
        self.seen.append((args[0][0, 0].item() > 0, model.training, torch.is_grad_enabled()))

    def opt_func(self, params, lr):
        "Make torch's optimiser, and note at each step what gradients it finds"
        opt = torch.optim.SGD(params, lr=lr)
        def note(*_):
            grads = [p.grad.flatten() for p in self.model.parameters() if p.grad is not None]
            self.fresh.append(torch.cat([torch.zeros(0), *grads]))
        opt.register_step_pre_hook(note)
        self.opts.append(opt)
        return opt

    def loop(self, epochs, lr, train=None):
        "Train the other copy of the model by a bare loop; give the gradient of each step"
        found = []
        for _ in range(epochs):
            for xb, yb in train or self.train:
                grads = torch.autograd.grad(F.mse_loss(self.bare(xb), yb), [*self.bare.parameters()])
                with torch.no_grad():
                    for p, grad in zip(self.bare.parameters(), grads): p -= lr*grad
                found.append(torch.cat([grad.flatten() for grad in grads]))
        return found

    def gap(self):
        "How far the weights of the two models are apart"
        return max((p - q).abs().max().item() for p, q in
                   zip(self.model.parameters(), self.bare.parameters()))


class Diary(Callback):
    "Notes what is called, in training"
    def __init__(self, notes, name='', act=None): self.notes, self.own, self.act = notes, name, act

for event in EVENTS:
    def note(self, learn, event=event):
        if 'batch' in event or event == 'after_backward':
            if learn.xb[0, 0] < 0: return   # while validating
        self.notes.append(self.own + event)
        if self.act: self.act(event, learn)
    setattr(Diary, event, note)


class from_scratch(Project):
    """
    A Learner from scratch, the first of the book's two projects for further research. Close the
    chapter and write your own `Learner(dls, model, loss_func, opt_func, metrics=(), cbs=())` with
    `fit(epochs, lr)` and `validate()`. As here, `dls` has loaders `train` and `valid`, and
    `opt_func(params, lr=lr)` makes an optimiser. `validate()` gives a dict: `valid_loss`, and each
    metric under the name of its function. Callbacks are those of chapter 06b: each event is called
    with the Learner, which has `model`, and in a batch `xb`, `yb` and, once they are there, `preds`
    and `loss`.
    """
    concept, time = 'Learner', 'a day'
    hints = ('Begin with `fit` as six lines, with no callbacks and no validation. Five steps hold then.',
             '`validate` next: what has to be switched off, and on again, whatever happens in between?',
             'For callbacks, one method that calls an event on all of them. `try` stands around what a '
             '`Cancel` may end: a batch, the fit.')
    why = ('Your Learner does what ours does, step by step. What is left are comforts: a record, a '
           'rate finder, a file to go on from. Each is a callback, or a few lines.')

    @step('`fit` makes the optimiser, by calling `opt_func` with the parameters and `lr`.')
    def makes_optimiser(Learner):
        made = FromScratch(Learner)
        if made.opts: return 'It is made before `fit`, when no rate is known.'
        made.learn.fit(1, .07)
        if not made.opts: return '`opt_func` was never called. It is no optimiser, it makes one.'
        if made.opts[0].param_groups[0]['lr'] != .07: return 'It has another rate than `fit` was given.'

    @step('One epoch with one batch takes one step: predict, compare, backward, step.')
    def one_step(Learner):
        made = FromScratch(Learner, sizes=(6,))
        made.learn.fit(1, .1)
        made.loop(1, .1)
        if len(made.fresh) != 1: return f'It took {len(made.fresh)} steps.'
        if (gap := made.gap()) > 1e-4: return f'The weights are off by {gap:.2g} after it.'

    @step('Each batch of each epoch takes a step.')
    def every_batch(Learner):
        made = FromScratch(Learner)
        made.learn.fit(2, .1)
        if len(made.fresh) != 6: return f'Two epochs of three batches took {len(made.fresh)} steps.'

    @step('Each step finds the gradient of its own batch, and nothing of the one before.')
    def forgets(Learner):
        made = FromScratch(Learner)
        made.learn.fit(1, .01)
        own = made.loop(1, .01)
        for i, (found, fresh) in enumerate(zip(made.fresh, own), 1):
            if not found.numel(): return f'Step {i} finds no gradient. Is it forgotten too early?'
            if not torch.allclose(found, fresh, atol=.05): return f'Step {i} finds more than its own.'

    @step('After three epochs the weights are those of a bare loop, to 0.0001.')
    def weights(Learner):
        made = FromScratch(Learner)
        made.learn.fit(3, .1)
        made.loop(3, .1)
        if not (gap := made.gap()) < 1e-4: return f'They are off by {gap:.2g}.'

    @step('A second `fit` goes on from there, with the rate that it is given.')
    def goes_on(Learner):
        made = FromScratch(Learner, sizes=(6,))
        for lr in .1, .01:
            made.learn.fit(1, lr)
            made.loop(1, lr)
        if not (gap := made.gap()) < 1e-4: return f'The weights are off by {gap:.2g} after it.'

    @step('`validate` sees each validation batch once, in eval mode.')
    def in_eval_mode(Learner):
        made = FromScratch(Learner)
        made.learn.validate()
        if [train for train, *_ in made.seen] != [False]*2:
            return f'It called the model {len(made.seen)} times, for two batches.'
        if any(mode for _, mode, _ in made.seen): return 'The model was in train mode.'

    @step('`fit` validates after each epoch, and trains in train mode all the same.')
    def train_again(Learner):
        made = FromScratch(Learner)
        made.model.eval()
        made.learn.fit(2, .1)
        if [train for train, *_ in made.seen] != ([True]*3 + [False]*2)*2:
            return 'It does not go through three training and two validation batches, twice.'
        if not all(mode for train, mode, _ in made.seen if train):
            return 'Some training batches found the model in eval mode.'

    @step('Validating needs no gradients, and leaves weights and gradients alone.')
    def no_gradients(Learner):
        made = FromScratch(Learner)
        made.learn.validate()
        if any(grads for *_, grads in made.seen): return 'It computed what gradients need.'
        if made.gap() or any(p.grad is not None for p in made.model.parameters()):
            return 'Weights or gradients are not what they were.'
        if not torch.is_grad_enabled(): return 'Gradients stay switched off afterwards.'

    @step('Loss and metrics are means over the images, however they are cut into batches.')
    def by_image(Learner):
        def far(preds, targets): return (preds - targets).abs().mean()
        made = FromScratch(Learner, metrics=[far])
        x, y = (torch.cat(part) for part in zip(*made.valid))
        with torch.no_grad(): preds = made.bare(x)
        wanted, found = {'valid_loss': F.mse_loss(preds, y), 'far': far(preds, y)}, made.learn.validate()
        if not isinstance(found, dict) or not wanted.keys() <= found.keys():
            return f'It gave `{told(found)}`, wanted is a dict with `valid_loss` and `far`.'
        if off := [name for name in wanted if abs(float(found[name]) - wanted[name]) > 1e-4]:
            return f'{" and ".join(off)} differ, where the last batch is smaller.'

    @step('Events come in order, and each goes to the callbacks in the order given.')
    def order(Learner):
        notes = []
        cbs = [Diary(notes, 'a '), Diary(notes, 'b ')]
        FromScratch(Learner, sizes=(2, 2), cbs=cbs).learn.fit(1, .1)
        notes = [note for note in notes if note.split()[1] not in ('after_loss', 'cleanup_fit')]
        batch = ['before_batch', 'after_backward', 'after_batch']
        wanted = ['before_fit', 'before_epoch', *batch, *batch, 'after_epoch', 'after_fit']
        for i, event in enumerate(both := [who + event for event in wanted for who in ('a ', 'b ')]):
            if notes[i:i + 1] != [event]:
                return f'As event {i + 1} of {len(both)}, {event!r} was due, and {notes[i:i + 1]} came.'
        if len(notes) > len(both): return f'After the last one comes {notes[len(both)]!r}.'

    @step('In `after_backward` the gradients are there, and the step is not taken yet.')
    def between(Learner):
        found = []
        def act(event, learn):
            if event != 'after_backward': return
            found.append((learn.model.weight.grad is not None, learn.model.weight[0, 0].item()))
        FromScratch(Learner, sizes=(4,), cbs=[Diary([], act=act)]).learn.fit(1, .1)
        if not found: return 'It is never called.'
        if not found[0][0]: return 'There is no gradient.'
        if abs(found[0][1] - .1) > 1e-6: return 'The weights have already moved.'

    @step('`CancelBatch` in `before_batch` skips this batch, and only this one.')
    def skips(Learner):
        def act(event, learn):
            if event == 'before_batch' and len(learn.xb) == 2: raise CancelBatch
        made = FromScratch(Learner, sizes=(4, 2, 4), cbs=[Diary([], act=act)])
        made.learn.fit(2, .1)
        if len(made.fresh) != 4: return f'Of six batches, two were to be skipped: {len(made.fresh)} steps.'

    @step('`CancelFit` ends the fit, without an error, and `after_fit` is called all the same.')
    def cancels(Learner):
        notes = []
        def act(event, learn):
            if event == 'after_batch' and notes.count('after_batch') == 2: raise CancelFit
        made = FromScratch(Learner, cbs=[Diary(notes, act=act)])
        made.learn.fit(9, .1)
        if len(made.fresh) != 2: return f'It took {len(made.fresh)} steps, where two were to be the last.'
        last = [event for event in notes if event != 'cleanup_fit'][-1]
        if last != 'after_fit': return f'The last event was {last!r}.'
