"Tasks of chapter 06d, what makes training easy."
import math
from copy import deepcopy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from digit_under_hood.choose import Choose
from digit_under_hood.learner import Learner
from digit_under_hood.outcomes import same, told
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong
from digit_under_hood.projects import Project, step
from digit_under_hood.training_loop import DataLoader, DataLoaders


class epochs_run(Do):
    """
    Write `epochs_run(losses, patience)`: after how many epochs early stopping ends a fit. `losses`
    are the validation losses that all its epochs would have.
    """
    concept = 'early stopping'
    equal = {'waits: 0 -> 1': 'the first loss is the best so far in any case'}
    hints = ('Two things are kept in mind from epoch to epoch: the best loss so far, and how long '
             'one has waited since.',
             'Once a new loss is better than the best, the waiting begins anew.',
             'And if it never comes to that?')
    why = ('It is the *best* loss that a new one is compared with, not the last one. A loss that '
           'creeps upwards in a zigzag would otherwise never end the fit.')

    @cases
    def fits():
        return [([1.], 1), ([1., 1.], 1), ([3., 2., 1.], 1), ([1., 2., 3.], 2), ([1., 3., 2., 4., 0.], 2),
                ([2., 3., 1., 2., 2., 0.], 2), ([1., 1., 1., 1., .5], 3)]

    @right
    def waits(losses, patience):
        best, waited = math.inf, 0
        for epoch, loss in enumerate(losses, 1):
            best, waited = (loss, 0) if loss < best else (best, waited + 1)
            if waited >= patience: return epoch
        return len(losses)

    @right
    def looks_back(losses, patience):
        for n in range(patience + 1, len(losses)):
            if min(losses[n - patience:n]) >= min(losses[:n - patience]): return n
        return len(losses)

    @wrong('Each loss is compared with the one before it. So a loss that goes up, and then down a '
           'little, counts as better.')
    def than_the_last(losses, patience):
        waited, last = 0, math.inf
        for epoch, loss in enumerate(losses, 1):
            waited = 0 if loss < last else waited + 1
            last = loss
            if waited >= patience: return epoch
        return len(losses)

    @wrong('The bad epochs are counted all together. A new best one makes up for those before it.')
    def never_forgives(losses, patience):
        best, waited = math.inf, 0
        for epoch, loss in enumerate(losses, 1):
            if loss < best: best = loss
            else: waited += 1
            if waited >= patience: return epoch
        return len(losses)

    @wrong('As good as the best is no improvement. Yours goes on and on while nothing changes.')
    def equal_will_do(losses, patience):
        best, waited = math.inf, 0
        for epoch, loss in enumerate(losses, 1):
            best, waited = (loss, 0) if loss <= best else (best, waited + 1)
            if waited >= patience: return epoch
        return len(losses)

    @wrong('It stops one epoch late: with a patience of 1 the first bad epoch is the last one.')
    def one_late(losses, patience):
        best, waited = math.inf, 0
        for epoch, loss in enumerate(losses, 1):
            best, waited = (loss, 0) if loss < best else (best, waited + 1)
            if waited > patience: return epoch
        return len(losses)

    @wrong('That is the epoch with the best loss. The fit goes on for a while after it.')
    def best_epoch(losses, patience): return losses.index(min(losses)) + 1


class batch_moved(FixIt):
    """
    After this the batch is where it was, on the processor. Repair it. A batch is a tuple of
    tensors, and a tuple is wanted.
    """
    concept, planted = 'tensor', 'thrown_away'
    hints = ('Print `t.device` after the loop.',
             'A module is moved where it is. What does `to` do with a tensor?')
    verb = 'gives, as type and devices,'
    why = ('`to` changes a module in place, but of a tensor it makes a new one elsewhere. Who does '
           'not keep that one has moved nothing.')

    @cases
    def batches():
        x, y = torch.ones(2, 3), torch.zeros(2)
        return [((x, y), 'cpu'), ((x, y), 'meta'), ((x,), 'meta'), ((x, x, y), 'meta')]

    @outcome
    def devices(given, batch, device):
        made = given(batch, device)
        return type(made).__name__, [t.device.type for t in made]

    @right
    def comprehension(batch, device): return tuple(t.to(device) for t in batch)

    @right
    def loop(batch, device):
        moved = ()
        for t in batch: moved += (t.to(device),)
        return moved

    @wrong('Still there: `to` has made tensors on the other device, and nobody keeps them.',
           when=lambda made, batch, device: device == 'meta' and {*made[1]} == {'cpu'})
    def thrown_away(batch, device):
        for t in batch: t.to(device)
        return batch

    @wrong('The inputs have moved and the targets have not. The loss needs both in one place.',
           when=lambda made, batch, device: len(made[1]) == len(batch) and made[1][0] == device
           and made[1][-1] != device)
    def inputs_only(batch, device):
        x, *others = batch
        return (x.to(device), *others)

    @wrong('All are moved, but the tuple is lost. What takes a batch apart may go by its type.',
           when=lambda made, batch, device: made[0] != 'tuple' and {*made[1]} == {device})
    def a_list(batch, device): return [t.to(device) for t in batch]

    @wrong('This fits a batch of two tensors and no other one.',
           when=lambda made, batch, device: 'unpack' in str(made.error))
    def two_only(batch, device):
        x, y = batch
        return x.to(device), y.to(device)


class rising_rates(Do):
    """
    Write `rising_rates(start, end, n)`: the `n` rates of a trial, from `start` to `end`, each one
    larger than the last by the same *factor*. `n` is 2 or more.
    """
    concept = 'learning-rate finder'
    hints = ('How many factors lie between the first rate and the last?',
             'From 0.001 to 10 with `n=5` each rate is ten times the last one.',
             'The factor is a root.')
    why = ('A good rate may be 0.001 or 1. In equal steps nearly all tries would be spent on the '
           'large ones; with equal factors each power of ten gets its share.')

    @cases
    def trials(): return [(1., 8., 2), (1., 4., 3), (.001, 10., 5), (1e-6, 10., 100), (.5, .05, 4)]

    @right
    def factor(start, end, n):
        by = (end/start)**(1/(n - 1))
        return [start*by**i for i in range(n)]

    @right
    def exponents(start, end, n):
        return np.exp(np.linspace(math.log(start), math.log(end), n))

    @wrong('Equal steps: of the rates from 0.001 to 10 hardly any is below 0.1.')
    def equal_steps(start, end, n): return np.linspace(start, end, n)

    @wrong('It does not quite get to `end`: between `n` rates there are fewer than `n` factors.')
    def falls_short(start, end, n):
        by = (end/start)**(1/n)
        return [start*by**i for i in range(n)]

    @wrong('The first rate is left out, and the last one is past `end`.')
    def one_further(start, end, n):
        by = (end/start)**(1/(n - 1))
        return [start*by**i for i in range(1, n + 1)]

    @wrong('Ten times as much each time, wherever it is to end.')
    def tenfold(start, end, n): return [start*10**i for i in range(n)]

    @wrong('These are the logarithms of the rates.')
    def logarithms(start, end, n): return np.linspace(math.log(start), math.log(end), n)


class end_of_fall(Do):
    """
    Write `end_of_fall(lrs, losses)`: the rate at which the loss was lowest, or `None` if this trial
    cannot tell where the fall ends.
    """
    concept = 'learning-rate finder'
    equal = {'by_ends: (losses[0], losses[-1]) -> (losses[-1], losses[0])': 'it is looked for in both'}
    hints = ('Where in the list may the lowest loss stand, so that one has seen the loss rise '
             'after it?',
             'And if it was never lower than at the first rate?')
    why = ('If the loss was least at the last rate tried, the fall may go on beyond it, and a number '
           'would only tell where the trial was cut off. If it was least at the first, it never '
           'fell.')

    @cases
    def trials():
        return [([.1, 1.], [.5, .4]), ([.1, 1.], [.4, .5]), ([.1, 1., 10.], [.5, .4, .6]),
                ([.01, .1, 1., 10.], [.5, .3, .2, .1]), ([.01, .1, 1., 10.], [.5, .2, .3, .9]),
                ([.1], [.5])]

    @right
    def by_index(lrs, losses):
        low = losses.index(min(losses))
        return lrs[low] if 0 < low < len(losses) - 1 else None

    @right
    def by_ends(lrs, losses):
        least, lr = min(zip(losses, lrs))
        return None if least in (losses[0], losses[-1]) else lr

    @wrong('This always has an answer. If the loss falls to the last rate, it names the last rate, '
           'and with a longer trial it would name another one.')
    def always(lrs, losses): return lrs[losses.index(min(losses))]

    @wrong('At the right end it is honest. But if the first rate was the best, the loss has not '
           'fallen at all.')
    def left_end(lrs, losses):
        low = losses.index(min(losses))
        return lrs[low] if low < len(losses) - 1 else None

    @wrong('At the left end it is honest. But where the loss is still falling at the last rate, '
           'nobody knows how far it would go.')
    def right_end(lrs, losses):
        low = losses.index(min(losses))
        return lrs[low] if low > 0 else None

    @wrong('That is the lowest *loss*. Wanted is the rate at which it was.')
    def the_loss(lrs, losses):
        low = losses.index(min(losses))
        return losses[low] if 0 < low < len(losses) - 1 else None

    @wrong('That is the place in the list and not the rate that stands there.')
    def the_place(lrs, losses):
        low = losses.index(min(losses))
        return low if 0 < low < len(losses) - 1 else None


class leaves_no_trace(FixIt):
    """
    A trial: one step, and the loss after it. The model is put back, and yet the next fit comes out
    otherwise than without the trial. Repair it.
    """
    concept, planted = 'learning-rate finder', 'parameters_only'
    hints = ('What does `model.state_dict()` hold that `model.parameters()` does not?',
             'Batch norm keeps running averages, which are no parameters.',
             'It may be easier to try it out on another model that is just like this one.')
    verb = 'leaves behind'
    why = ('Whatever the trial changes goes on acting: running averages, gradients that the next '
           '`backward` adds to, and the random numbers that decide what dropout drops next.')

    @cases
    def models():
        rng, found = torch.Generator().manual_seed(4), []
        for middle in ([], [nn.BatchNorm1d(4)], [nn.BatchNorm1d(4), nn.Dropout(.5)]):
            net = nn.Sequential(nn.Linear(3, 4), *middle, nn.Linear(4, 1))
            for p in net.parameters(): p.data = torch.randn(p.shape, generator=rng)
            found.append((net, torch.randn(6, 3, generator=rng), torch.randn(6, 1, generator=rng), .1))
        return found

    @outcome
    def what_is_left(given, model, xb, yb, lr):
        parameters, buffers = ([t.clone() for t in group] for group in (
            model.parameters(), model.buffers()))
        rng = torch.get_rng_state()
        loss = given(model, xb, yb, lr)
        same = lambda now, was: all(map(torch.equal, now, was))
        return {'loss': loss, 'parameters': same(model.parameters(), parameters),
                'buffers': same(model.buffers(), buffers),
                'gradients': any(p.grad is not None for p in model.parameters()),
                'random numbers': torch.get_rng_state().equal(rng)}

    @right
    def on_a_copy(model, xb, yb, lr):
        twin = deepcopy(model)
        with torch.random.fork_rng():
            nn.functional.mse_loss(twin(xb), yb).backward()
            with torch.no_grad():
                for p in twin.parameters(): p -= lr*p.grad
                return nn.functional.mse_loss(twin(xb), yb).item()

    @right
    def put_back(model, xb, yb, lr):
        before, parameters = deepcopy(model.state_dict()), [*model.parameters()]
        with torch.random.fork_rng():
            slopes = torch.autograd.grad(nn.functional.mse_loss(model(xb), yb), parameters)
            with torch.no_grad():
                for p, slope in zip(parameters, slopes): p -= lr*slope
                loss = nn.functional.mse_loss(model(xb), yb).item()
        model.load_state_dict(before)
        return loss

    @wrong('The running averages of the batch norm have moved on. They are no parameters, but the '
           'model uses them.', when=lambda made, *args: made['parameters'] and not made['buffers'])
    def parameters_only(model, xb, yb, lr):
        before = [p.detach().clone() for p in model.parameters()]
        with torch.random.fork_rng():
            nn.functional.mse_loss(model(xb), yb).backward()
            with torch.no_grad():
                for p in model.parameters(): p -= lr*p.grad
                loss = nn.functional.mse_loss(model(xb), yb).item()
        for p, was in zip(model.parameters(), before): p.data = was
        model.zero_grad()
        return loss

    @wrong('Nothing has been put back: what `state_dict` gives are the tensors of the model '
           'themselves, which the step has changed. What makes copies of them?',
           when=lambda made, *args: not made['parameters'])
    def no_copy(model, xb, yb, lr):
        before = model.state_dict()
        with torch.random.fork_rng():
            nn.functional.mse_loss(model(xb), yb).backward()
            with torch.no_grad():
                for p in model.parameters(): p -= lr*p.grad
                loss = nn.functional.mse_loss(model(xb), yb).item()
        model.load_state_dict(before)
        model.zero_grad()
        return loss

    @wrong('The gradients are still there, and the next `backward` will add to them.',
           when=lambda made, *args: made['parameters'] and made['gradients'])
    def gradients_left(model, xb, yb, lr):
        before = deepcopy(model.state_dict())
        with torch.random.fork_rng():
            nn.functional.mse_loss(model(xb), yb).backward()
            with torch.no_grad():
                for p in model.parameters(): p -= lr*p.grad
                loss = nn.functional.mse_loss(model(xb), yb).item()
        model.load_state_dict(before)
        return loss

    @wrong('Dropout has drawn random numbers, so it will drop others next time than it would have.',
           when=lambda made, *args: made['parameters'] and made['buffers']
           and not made['random numbers'])
    def numbers_drawn(model, xb, yb, lr):
        before = deepcopy(model.state_dict())
        nn.functional.mse_loss(model(xb), yb).backward()
        with torch.no_grad():
            for p in model.parameters(): p -= lr*p.grad
            loss = nn.functional.mse_loss(model(xb), yb).item()
        model.load_state_dict(before)
        model.zero_grad()
        return loss


class hundredth_for_sgd(Choose):
    "Somebody writes: 'A learning rate of 0.01 is a good one.' What is missing?"
    concept = 'learning rate'
    hints = ('The finder has named rates for several learners here. What was different about them?',
             'Pixels from 0 to 255 in place of 0 to 1: what becomes of the slopes?')
    right = 'for which optimiser, which loss and which scale of the data'
    wrong = {
        'for how many epochs': 'More epochs can make up for a small rate, not for one that is too '
        'large. And for Adam 0.01 is another thing than for SGD.',
        'on which device': 'A graphics card computes the same steps, only sooner.',
        'nothing: too small would be 0.001, and too large 0.1': 'In this chapter 1 was fine for SGD '
        'with `mnist_loss`, and a few hundredths for Adam.'}
    why = ('SGD steps by the rate times the slope, and the slope depends on loss and data. Adam '
           'divides by the usual slope, so its rate is about the length of the step itself.')


class Rates:
    "What the steps of the project use: a fit of so many steps, and the rates that they were taken with"
    def __init__(self, Schedule, epochs=2, fits=1):
        torch.manual_seed(0)
        x = torch.randn(40, 2)
        dls = DataLoaders(DataLoader(x, x.sum(1, keepdim=True), bs=4), DataLoader(x, x[:, :1], bs=8))
        self.found = []
        def opt_func(params, lr):
            opt = torch.optim.SGD(params, lr=lr)
            opt.register_step_pre_hook(lambda opt, *_: self.found.append(opt.param_groups[0]['lr']))
            return opt
        learn = Learner(dls, nn.Linear(2, 1), F.mse_loss, opt_func)
        for _ in range(fits): learn.fit(epochs, 1e-3, cbs=Schedule(.1))


class one_cycle(Project):
    """
    A rate that rises and falls. `rate(step, total, peak)`, with steps counted from 0, grows in a
    straight line from `peak/10` at step 0 to `peak` after a quarter of the steps, and then falls
    along half a wave of a cosine, to 0 at `step == total`. `Schedule(peak)` is a callback that gives
    the optimiser this rate before each step of a fit.
    """
    concept = 'learning rate'
    hints = ('Two branches: up to `total/4`, and from there on. What share of each has passed?',
             'Half a wave: `(1 + cos(pi*share))/2` goes from 1 to 0.',
             'In `before_batch`, `learn.opt` is there for `set_lr`. How many steps will there be: '
             '`learn.epochs` times the length of the loader. Batches are dealt in validation too.')
    why = ('Small steps first, while the weights are far from anything, large ones in the middle, and '
           'small ones at the end, where the noise of batches is to average out.')

    @step('`rate` rises in a straight line, from a tenth of `peak` to `peak` after a quarter.')
    def rises(rate):
        made = [float(rate(step, 40, 2.)) for step in (0, 5, 10)]
        if not same(made, [.2, 1.1, 2.]): return f'For steps 0, 5, 10 of 40 and peak 2 it is `{told(made)}`.'

    @step('Then it falls along half a wave, to 0.')
    def falls(rate):
        made = [float(rate(step, 40, 2.)) for step in (10, 20, 25, 40)]
        if not same(made, [2., 1.5, 1., 0.]):
            return f'For steps 10, 20, 25, 40 of 40 and peak 2 it is `{told(made)}`.'

    @step('Each step of a fit is taken with the rate of its own place.')
    def each_step(rate, Schedule):
        made, wanted = Rates(Schedule).found, [float(rate(step, 20, .1)) for step in range(20)]
        for i, (found, due) in enumerate(zip(made, wanted)):
            if abs(found - due) > 1e-6: return f'Step {i} of 20 was taken with {found:.4g}, due is {due:.4g}.'

    @step('A second fit rises and falls anew.')
    def anew(rate, Schedule):
        one = Schedule(.1)
        made = Rates(lambda peak: one, epochs=1, fits=2).found
        if not same(made[:10], made[10:]): return f'It begins with {made[0]:.4g}, then with {made[10]:.4g}.'
