"Tasks of chapter 06a, a loop for every model."
import torch
from torch import nn

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.mnist_linear import linear1
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong
from digit_under_hood.training_loop import SGD, DataLoader


def called(thing, name):
    "Let `thing` call itself `name` in a message"
    thing.__class__ = type(name, (type(thing),), {'__repr__': lambda self: name})
    return thing


class does_without(Choose):
    "A loop is to train *any* model on *any* data. Which of these can it do without?"
    concept = 'metric'
    hints = ('Go through the loop above, line by line. What does each of them need?',
             'Which of the four does nothing to the weights?')
    right = 'the accuracy'
    wrong = {
        'the loss': 'Without it there is no slope to follow. It is as much a choice as the model.',
        'the rule of the step': 'Slopes alone change nothing. Somebody has to say how far to go '
        'and in which direction: the *optimiser*.',
        'the data in batches': 'Then there is nothing to predict. The model holds no images.'}
    why = ('Data in batches, model, loss and optimiser: without one of these four nothing is '
           'trained. An accuracy is for people, and training goes the same way without it.')


class every_parameter(FixIt):
    """
    Somebody trains the parameters of this module. The weights learn, and the bias stays at 0
    without a word. Repair it. Called with `n` it gives a module with `weights`, `(n, 1)`, and
    `bias`, `(1,)`, all zeros.
    """
    concept, planted = 'parameter', 'plain'
    equal = {'wrapped: order -> def every_parameter(n):\n    model = nn.Module()\n'
             '    model.bias = nn.Parameter(torch.zeros(1))\n'
             '    model.weights = nn.Parameter(torch.zeros(n, 1))\n    return model':
             'which of the two comes first is all the same'}
    hints = ('What does `list(model.parameters())` hold?',
             'That a tensor wants a gradient does not put it into the list.',
             'Compare how the two are stored.')
    verb = 'gives a model with'
    why = ('A module finds what is wrapped in `nn.Parameter`, in itself and in the modules stored '
           'in it. All else is only kept, and the optimiser never hears of it.')

    @cases
    def widths(): return [(n,) for n in (2, 3)]

    @outcome
    def what_is_trained(given, n):
        model, xb = given(n), torch.arange(2.*n).view(2, n)
        found = [*model.parameters()]
        before = linear1(xb, model.weights, model.bias).detach()
        if trained := [p for p in found if p.requires_grad]:
            (linear1(xb, model.weights, model.bias) - 1).square().mean().backward()
            SGD(trained, .01).step()
        return {'numbers trained': sum(p.numel() for p in trained), 'before': before,
                'after a step': linear1(xb, model.weights, model.bias).detach(),
                'held fast': len(found) - len(trained), 'buffers': len([*model.buffers()])}

    @right
    def wrapped(n):
        model = nn.Module()
        model.weights = nn.Parameter(torch.zeros(n, 1))
        model.bias = nn.Parameter(torch.zeros(1))
        return model

    @right
    def one_by_one(n):
        model = nn.Module()
        for name, size in {'weights': (n, 1), 'bias': (1,)}.items():
            model.register_parameter(name, nn.Parameter(torch.zeros(size)))
        return model

    @wrong('The bias still stands in no list: the module has the weights as its only parameter.',
           when=lambda made, n: made['numbers trained'] == n and not made['buffers']
           and not made['held fast'])
    def plain(n):
        model = nn.Module()
        model.weights = nn.Parameter(torch.zeros(n, 1))
        model.bias = torch.zeros(1, requires_grad=True)
        return model

    @wrong('A buffer is saved and moved with the model, but it is not trained.',
           when=lambda made, n: made['numbers trained'] == n and made['buffers'] == 1)
    def buffer(n):
        model = nn.Module()
        model.weights = nn.Parameter(torch.zeros(n, 1))
        model.register_buffer('bias', torch.zeros(1))
        return model

    @wrong('It is in the list now, and told at the same time that it wants no gradient.',
           when=lambda made, n: made['held fast'] == 1)
    def frozen(n):
        model = nn.Module()
        model.weights = nn.Parameter(torch.zeros(n, 1))
        model.bias = nn.Parameter(torch.zeros(1), requires_grad=False)
        return model

    @wrong('Now the weights are in no list either.',
           when=lambda made, n: made['numbers trained'] < n)
    def neither(n):
        model = nn.Module()
        model.weights = torch.zeros(n, 1, requires_grad=True)
        model.bias = torch.zeros(1, requires_grad=True)
        return model


class roll_along(Do):
    """
    Write `roll_along(slopes, lr, momentum)`: a parameter starts at 0 and meets these gradients, one
    a step. Where does it stand after each step? Numbers only, no optimiser.
    """
    concept = 'momentum'
    hints = ('Two things are carried from step to step: where it stands, and its last change.',
             'The formula above gives the new change. The step is the rate times that, downhill.',
             'Check it with the slopes 1, 1, 1 at a rate of 1 and a momentum of 0.5: -1, -2.5, '
             '-4.25.')
    why = ('The last change holds a share of the one before it, and so on back to the first: old '
           'gradients fade and are not forgotten at once.')

    @cases
    def ways():
        return [([], .1, .5), ([2.], .5, .9), ([1., 1., 1.], 1., .5), ([3., -1., 0., 2.], .1, .9),
                ([1., 2., 3.], .5, 0.)]

    @right
    def loop(slopes, lr, momentum):
        at, change, path = 0., 0., []
        for slope in slopes:
            change = slope + momentum*change
            at -= lr*change
            path.append(at)
        return path

    @right
    def sums(slopes, lr, momentum):
        changes = [sum(momentum**(t - s)*slopes[s] for s in range(t + 1))
                   for t in range(len(slopes))]
        return [-lr*sum(changes[:t]) for t in range(1, len(slopes) + 1)]

    @wrong('Each step goes by its own gradient alone, and nothing is carried over.')
    def plain(slopes, lr, momentum): return [-lr*sum(slopes[:t + 1]) for t in range(len(slopes))]

    @wrong('That is a weighted mean of the gradients, whose weights add up to 1, so it never gets '
           'faster. Here the new gradient counts in full.')
    def mean(slopes, lr, momentum):
        at, change, path = 0., 0., []
        for slope in slopes:
            change = (1 - momentum)*slope + momentum*change
            at -= lr*change
            path.append(at)
        return path

    @wrong('A share of the last *gradient* is added, so that all earlier ones are gone. What is '
           'kept is a share of the last change.')
    def last_gradient(slopes, lr, momentum):
        at, last, path = 0., 0., []
        for slope in slopes:
            at -= lr*(slope + momentum*last)
            last = slope
            path.append(at)
        return path

    @wrong('The speed is right, and the direction uphill.')
    def uphill(slopes, lr, momentum):
        at, change, path = 0., 0., []
        for slope in slopes:
            change = slope + momentum*change
            at += lr*change
            path.append(at)
        return path

    @wrong('What is carried over has the rate in it already, and gets it a second time.')
    def rate_twice(slopes, lr, momentum):
        at, step, path = 0., 0., []
        for slope in slopes:
            step = lr*(slope + momentum*step)
            at -= step
            path.append(at)
        return path

    @wrong('Those are the steps. Wanted is where each of them leads.')
    def steps(slopes, lr, momentum):
        change, found = 0., []
        for slope in slopes:
            change = slope + momentum*change
            found.append(-lr*change)
        return found


class top_speed(Predict):
    """
    The rate is 0.1, the momentum 0.9, and the gradient is 2 for ever. How long do the steps become
    in the end?
    """
    concept = 'momentum'
    hints = ('Without momentum each step would be 0.2.', 'And with it so many times as long: one '
             'over what is lost of the speed at each step.')
    value, within = 2, .01
    wrong = {.2: 'That is the first step, and each one without momentum.',
             20: 'So large the change becomes. A step is that times the rate.',
             .38: 'That is the second step. The speed goes on growing.'}
    why = '0.1 · 2 / (1 - 0.9): ten times the plain step. Momentum makes up for a smaller rate.'


class walk_again(FixIt):
    """
    In the first epoch this loader serves its batches. In the second one it serves none, and nobody
    complains. Repair it: it is to be walked through as often as one likes, each time in a new
    order.
    """
    concept, planted = 'DataLoader', 'used_up'
    hints = ('What does `for` do with a generator that has come to its end?',
             '`for` calls `iter` on what it walks through. Which method answers that, and what '
             'must be drawn in it?')
    verb = 'gives a loader with'
    why = ('A loader is no iterator: it *makes* one, with an order of its own, each time that '
           'somebody begins a walk.')

    @cases
    def rows(): return [(torch.arange(float(n)), bs) for n, bs in ((30, 10), (32, 10), (25, 4))]

    @outcome
    def walks(given, x, bs):
        dl = given(x, bs)
        one, two = ([*dl] for _ in range(2))
        return {'rows a batch': [[len(xb) for xb in walk] for walk in (one, two)],
                'each row once': bool(one) and torch.cat(one).sort()[0].equal(x),
                'shuffled': bool(one) and not torch.cat(one).equal(x),
                'a new order': bool(two) and not torch.cat(one).equal(torch.cat(two)),
                'batches of two walks at a time': len([*zip(dl, dl)])}

    @right
    def iterable(x, bs):
        class Loader:
            def __iter__(self): return iter(x[torch.randperm(len(x))].split(bs))
        return Loader()

    @right
    def generator(x, bs):
        class Loader:
            def __iter__(self):
                for rows in torch.randperm(len(x)).split(bs): yield x[rows]
        return Loader()

    @wrong('Still used up after one walk: the second one finds nothing.',
           when=lambda made, x, bs: not made['rows a batch'][1])
    def used_up(x, bs):
        order = torch.randperm(len(x))
        return (x[rows] for rows in order.split(bs))

    @wrong('Each walk has all batches now, but in the same order, drawn once. An order belongs to '
           'a walk.', when=lambda made, x, bs: made['shuffled'] and not made['a new order'])
    def a_list(x, bs):
        order = torch.randperm(len(x))
        return [x[rows] for rows in order.split(bs)]

    @wrong('It can be walked through again, but nothing is shuffled any more.',
           when=lambda made, x, bs: made['each row once'] and not made['shuffled'])
    def in_order(x, bs): return x.split(bs)

    @wrong('Two walks at the same time take the batches from each other. The loader is not to be '
           'its own iterator: each walk needs one of its own.',
           when=lambda made, x, bs: made['a new order']
           and made['batches of two walks at a time'] < len(made['rows a batch'][0]))
    def own_iterator(x, bs):
        class Loader:
            def __iter__(self):
                self.left = [*x[torch.randperm(len(x))].split(bs)]
                return self
            def __next__(self):
                if not self.left: raise StopIteration
                return self.left.pop(0)
        return Loader()

    @wrong('Drawn anew for each batch, so that some rows come twice and others never.',
           when=lambda made, x, bs: not made['each row once'] and made['rows a batch'][1])
    def drawn_anew(x, bs):
        class Loader:
            def __iter__(self):
                for xb in x.split(bs): yield x[torch.randint(len(x), (len(xb),))]
        return Loader()


class why_fast(Choose):
    "Shuffled, ours copies each pixel as well. Why is it so much faster than item by item?"
    concept = 'DataLoader'
    hints = ('How often is anybody asked for something in one epoch?',
             'A call into torch costs some microseconds, however little it has to do.')
    right = 'It asks torch once for a whole batch, and not 256 times for one image.'
    wrong = {
        'It shuffles once and keeps the batches for later epochs.': 'Each walk draws a new order '
        'and cuts new batches. Kept batches would be the same in each epoch.',
        'It works on all processor cores at once.': 'It runs in one thread like the other. Several '
        'workers are a help for data that must be opened and decoded.',
        'It leaves out the rows that it has served before.': 'Each row is served in each epoch, '
        'otherwise nothing could be learned from it twice.'}
    why = ('The work on the pixels is the same. What costs are the calls: 49 an epoch here, and '
           'there 12,396 for the images alone.')


class train_it(Do):
    """
    Write `train_it(model, loss_func, opt, dl, epochs)`: the training loop, for any model. `dl` may
    be walked through again and again and gives batches `(xb, yb)`. The model is trained in place,
    and nothing need be given back.
    """
    question, concept = 33, 'training loop'
    hints = ('Two loops, one in the other. What is repeated for each epoch, and what for each '
             'batch?',
             'Predict, compare, gradients, step, forget. Two of the five are calls to `opt`.',
             'Old gradients must be gone when `backward` adds the new ones, and the new ones still '
             'there at the step.')
    verb = 'leaves the parameters at'
    why = ('Predict and compare, gradients, step, forget; for each batch of each epoch. Nothing in '
           'it knows of digits, so it serves every model.')

    @cases
    def fits():
        rng, found = torch.Generator().manual_seed(33), []
        xb, yb = torch.rand(10, 3, generator=rng), torch.arange(10.)[:, None] % 2
        for n, epochs, momentum in ((4, 1, 0.), (8, 1, 0.), (10, 2, 0.), (10, 2, .5)):
            model, dl = called(nn.Linear(3, 1), 'model'), DataLoader(xb[:n], yb[:n], 4)
            for p in model.parameters(): p.data = torch.randn(p.shape, generator=rng)
            loss, opt = nn.BCEWithLogitsLoss(), SGD(model.parameters(), 1., momentum)
            found.append((model, called(loss, 'loss_func'), called(opt, f'momentum {momentum}'),
                          called(dl, f'dl of {len(dl)}'), epochs))
        return found

    @outcome
    def parameters_after(given, model, loss_func, opt, dl, epochs):
        calls, before = [], model.weight.detach().clone()
        def noted(name, f):
            def call(*args):
                calls.append(name)
                return f(*args)
            return call
        def loss_noted(*args):
            loss = loss_func(*args)
            loss.register_hook(lambda slope: calls.append('backward'))
            return loss
        opt.step, opt.zero_grad = noted('step', opt.step), noted('forget', opt.zero_grad)
        given(model, loss_noted, opt, dl, epochs)
        if calls and model.weight.equal(before): return 'where they were', ' '.join(calls)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    @right
    def forget_last(model, loss_func, opt, dl, epochs):
        for _ in range(epochs):
            for xb, yb in dl:
                loss = loss_func(model(xb), yb)
                loss.backward()
                opt.step()
                opt.zero_grad()

    @right
    def forget_first(model, loss_func, opt, dl, epochs):
        for _ in range(epochs):
            for xb, yb in dl:
                opt.zero_grad()
                loss_func(model(xb), yb).backward()
                opt.step()

    @wrong('The first step is right, and each later one follows the sum of all gradients so far.')
    def no_zeroing(model, loss_func, opt, dl, epochs):
        for _ in range(epochs):
            for xb, yb in dl:
                loss_func(model(xb), yb).backward()
                opt.step()

    @wrong('The gradients are forgotten between `backward` and the step, so nothing ever moves.',
           when=lambda made, *args: made[1].startswith(('backward forget', 'forget backward forget')))
    def zeroed_between(model, loss_func, opt, dl, epochs):
        for _ in range(epochs):
            for xb, yb in dl:
                loss_func(model(xb), yb).backward()
                opt.zero_grad()
                opt.step()

    @wrong('The step comes before `backward`, when there are no gradients for it yet.',
           when=lambda made, *args: made[1].startswith(('step', 'forget step')) and 'b' in made[1])
    def step_first(model, loss_func, opt, dl, epochs):
        for _ in range(epochs):
            for xb, yb in dl:
                loss = loss_func(model(xb), yb)
                opt.step()
                loss.backward()
                opt.zero_grad()

    @wrong('Each step goes by the gradient of the batch *before*: it is taken ahead of `backward`.')
    def step_late(model, loss_func, opt, dl, epochs):
        for _ in range(epochs):
            for xb, yb in dl:
                loss = loss_func(model(xb), yb)
                opt.step()
                opt.zero_grad()
                loss.backward()

    @wrong('That is one step an epoch, by the sum of its gradients. Each batch is worth a step.')
    def one_step(model, loss_func, opt, dl, epochs):
        for _ in range(epochs):
            for xb, yb in dl: loss_func(model(xb), yb).backward()
            opt.step()
            opt.zero_grad()

    @wrong('One epoch and no more: who repeats it?')
    def one_epoch(model, loss_func, opt, dl, epochs):
        for xb, yb in dl:
            loss_func(model(xb), yb).backward()
            opt.step()
            opt.zero_grad()

    @wrong('`step` alone changes nothing: the optimiser finds no gradients. Who computes them?',
           when=lambda made, *args: 'backward' not in made[1] and 'step' in made[1])
    def no_backward(model, loss_func, opt, dl, epochs):
        for _ in range(epochs):
            for xb, yb in dl:
                loss_func(model(xb), yb)
                opt.step()

    @wrong('Predictions and targets have changed places. The loss takes the predictions first.')
    def turned(model, loss_func, opt, dl, epochs):
        for _ in range(epochs):
            for xb, yb in dl:
                loss_func(yb, model(xb)).backward()
                opt.step()
                opt.zero_grad()


class warm_up(Do):
    """
    Write `warm_up(step, n, peak)`: the rate of a step, counted from 0. Over the first `n` steps it
    grows in equal parts, from `peak/n` at step 0 to `peak` at step `n - 1`; then it stays there.
    """
    concept = 'learning rate'
    hints = ('How many parts of `n` has step 0, how many step 1?', '`min` holds it at the top.')
    why = 'Step 0 gets one part of `n`, not none: a step at rate 0 would be a batch wasted.'

    @cases
    def steps(): return [(step, n, .5) for n in (1, 4, 5) for step in (0, 1, 3, 4, 9)]

    @right
    def at_most(step, n, peak): return peak*min(1, (step + 1)/n)

    @right
    def branch(step, n, peak):
        if step >= n: return peak
        return peak*(step + 1)/n

    @wrong('Step 0 has rate 0, and learns nothing.')
    def from_nothing(step, n, peak): return peak*min(1, step/n)

    @wrong('It grows for ever. What holds it at the top?')
    def for_ever(step, n, peak): return peak*(step + 1)/n

    @wrong('After the warm-up it falls to 0.')
    def and_ends(step, n, peak): return peak*(step + 1)/n if step < n else 0

    @wrong('It starts at the top and falls.')
    def downwards(step, n, peak): return peak*max(1/n, 1 - step/n)
