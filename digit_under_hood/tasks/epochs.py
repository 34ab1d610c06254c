"Tasks of chapter 05c, the loop that learns."
import torch

from digit_under_hood.choose import Predict
from digit_under_hood.mnist_linear import linear1, mnist_loss
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong


def _start():
    "Weights, bias and three batches of unequal length"
    rng = torch.Generator().manual_seed(25)
    xb, yb = torch.rand(10, 3, generator=rng), torch.arange(10.)[:, None] % 2
    weights, bias = (torch.randn(*size, generator=rng, requires_grad=True) for size in ((3, 1), (1,)))
    return weights, bias, [*zip(xb.split(4), yb.split(4))]


class step_again(FixIt):
    """
    Called once, this step goes where it should. Called again and again, it runs too far, as if it
    remembered where it came from. Repair it. It changes `weights` and `bias` in place.
    """
    question, concept, planted = 31, 'zeroing the gradients', 'never'
    equal = {f'{way}: (weights, bias) -> (bias, weights)': 'each is stepped on its own'
             for way in ('before', 'afterwards')}
    hints = ('Print `weights.grad` after each call on one and the same batch, at a rate of 0.',
             '`backward` adds. To what?',
             'The old gradient may go at any time but one: not between `backward` and the step.')
    verb = 'leaves weights and bias, after each of three calls, at'
    why = ('`backward` adds to `.grad`. Without zeroing, each step follows the sum of the gradients '
           'of all steps so far, and the weights run far past the goal.')

    @cases
    def batches():
        weights, bias, dl = _start()
        return [(weights, bias, *dl[0], 1.), (weights, bias, *dl[2], .5)]

    @outcome
    def three_steps(given, weights, bias, xb, yb, lr):
        before, found = weights.detach().clone(), []
        for _ in range(3):
            back = given(weights, bias, xb, yb, lr)
            found.append(torch.cat([weights[:, 0], bias]).detach().clone())
        if not weights.equal(before): return found
        return 'where they were', back, weights.grad is not None

    @right
    def before(weights, bias, xb, yb, lr):
        weights.grad = bias.grad = None
        mnist_loss(linear1(xb, weights, bias), yb).backward()
        with torch.no_grad():
            for p in (weights, bias): p -= lr*p.grad

    @right
    def afterwards(weights, bias, xb, yb, lr):
        mnist_loss(linear1(xb, weights, bias), yb).backward()
        with torch.no_grad():
            for p in (weights, bias):
                p -= lr*p.grad
                p.grad.zero_()

    @wrong('Still: the first step is right, and each one after it follows the sum of all gradients '
           'so far.')
    def never(weights, bias, xb, yb, lr):
        mnist_loss(linear1(xb, weights, bias), yb).backward()
        with torch.no_grad():
            for p in (weights, bias): p -= lr*p.grad

    @wrong('The gradient of the bias still adds up. It is a parameter like the weights.')
    def bias_forgotten(weights, bias, xb, yb, lr):
        weights.grad = None
        mnist_loss(linear1(xb, weights, bias), yb).backward()
        with torch.no_grad():
            for p in (weights, bias): p -= lr*p.grad

    @wrong('The new gradient is gone before the step can use it.',
           when=lambda made, *args: 'NoneType' in str(getattr(made, 'error', '')) or
           made[0] == 'where they were' and made[2])
    def before_the_step(weights, bias, xb, yb, lr):
        mnist_loss(linear1(xb, weights, bias), yb).backward()
        with torch.no_grad():
            for p in (weights, bias):
                p.grad.zero_()
                p -= lr*p.grad

    @wrong('You have set the *weights* to zero, and with them all that was learned. What is to go '
           'is their gradient.')
    def weights_zeroed(weights, bias, xb, yb, lr):
        mnist_loss(linear1(xb, weights, bias), yb).backward()
        with torch.no_grad():
            for p in (weights, bias):
                p -= lr*p.grad
                p.zero_()


class error_of_64(Predict):
    "You go from batches of 256 images to batches of 64. By what factor does the error grow?"
    concept = 'mini-batch'
    hints = ('The dots lie on "one over the root of the size".', 'A quarter of the images.')
    value, within = 2, .01
    wrong = {4: 'The batch is a quarter as large. But the error goes with the *root* of the size.',
             .5: 'With fewer images the error gets larger.',
             16: 'That is the square. The error goes with the root of the size.'}
    why = 'A quarter of the images, so twice the error: one over the root of the size.'


class deal_out(Do):
    """
    Write `deal_out(x, y, bs)`: the batches of one epoch as a list of pairs `(xb, yb)`, shuffled,
    without using `batches`. Each row of `x` and its target in `y` once; the last batch holds what
    is left.
    """
    question, concept = 24, 'DataLoader'
    hints = ('`torch.randperm` gives a random order of the row numbers.',
             'The same order serves for `x` and for `y`.',
             'Then deal: `bs` rows from the first on, `bs` from there, and so on to the end.')
    verb = 'gives'
    why = ('It shuffles, deals the rows into mini-batches and hands them out, inputs and targets '
           'together, for each epoch anew. That is what a DataLoader does.')

    @cases
    def rows():
        return [(torch.arange(float(n))[:, None], 10*torch.arange(n)[:, None], bs)
                for n, bs in ((30, 10), (32, 10), (25, 4))]

    @outcome
    def what_is_dealt(given, x, y, bs):
        dealt = [[*given(x, y, bs)] for _ in range(2)]
        first, second = ([torch.cat(side) for side in zip(*pairs)] for pairs in dealt)
        return {'lengths': [len(xb) for xb, yb in dealt[0]],
                'each row once': first[0].sort(0)[0].equal(x),
                'pairs kept': bool((first[1] == 10*first[0]).all()),
                'shuffled': not first[0].equal(x),
                'another order each time': not first[0].equal(second[0])}

    @right
    def slices(x, y, bs):
        order = torch.randperm(len(x))
        return [(x[order[i:i + bs]], y[order[i:i + bs]]) for i in range(0, len(x), bs)]

    @right
    def split(x, y, bs):
        order = torch.randperm(len(x))
        return [*zip(x[order].split(bs), y[order].split(bs))]

    @wrong('Inputs and targets are shuffled apart, so an image meets the target of another one.',
           when=lambda made, *args: not made['pairs kept'])
    def apart(x, y, bs):
        return [*zip(x[torch.randperm(len(x))].split(bs), y[torch.randperm(len(y))].split(bs))]

    @wrong('The rows that are left at the end are lost. The last batch may be smaller.',
           when=lambda made, x, y, bs: len(x) % bs and made['lengths'] == [bs]*(len(x)//bs))
    def rest_lost(x, y, bs):
        order = torch.randperm(len(x))
        return [(x[rows], y[rows]) for rows in order.split(bs) if len(rows) == bs]

    @wrong('The order is a random one, but the same in each epoch. What makes it so?',
           when=lambda made, *args: made['shuffled'] and made['each row once']
           and not made['another order each time'])
    def same_order(x, y, bs):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        return [(x[rows], y[rows]) for rows in order.split(bs)]

    @wrong('All rows at once: one batch, and so one step an epoch.')
    def all_at_once(x, y, bs):
        order = torch.randperm(len(x))
        return [(x[order], y[order])]

    @wrong('In the order in which they came: all 3s first, then all 7s. Nothing is shuffled yet.',
           when=lambda made, *args: not made['shuffled'])
    def unshuffled(x, y, bs): return [*zip(x.split(bs), y.split(bs))]

    @wrong('Drawn anew for each batch, so some rows come twice and others never.',
           when=lambda made, *args: made['pairs kept'] and not made['each row once'])
    def drawn_anew(x, y, bs):
        drawn = [torch.randint(len(x), (len(xb),)) for xb in x.split(bs)]
        return [(x[rows], y[rows]) for rows in drawn]


class lopsided(Predict):
    """
    A model has 0.9 of a batch of 1,000 images right, and 0.5 of the last batch of 100. What is its
    accuracy on all 1,100?
    """
    concept = 'accuracy'
    hints = ('How many images are right in each batch?', 'Those together, over all images.')
    value, within = .8636, .003
    wrong = {.7: 'In a plain mean of the two each of the last 100 images counts as much as ten '
             'others.',
             .95: '950 is how many are right. Of how many in all?'}
    why = '900 and 50 are right, so 950 of 1,100. Each image counts once, whatever its batch.'


class one_epoch(Do):
    """
    Write `one_epoch(weights, bias, lr, dl)`: an epoch of training without `train_epoch`. For each
    batch `(xb, yb)` of `dl` a step, with the model `linear1` and the loss `mnist_loss`. It changes
    `weights` and `bias` in place.
    """
    question, concept = 25, 'epoch'
    equal = {'by_hand: (weights, bias) -> (bias, weights)': 'each is stepped on its own'}
    hints = ('Five lines: for each batch score, loss, forget and find the gradients, step.',
             'What happens inside the loop, and what comes after it?',
             'A step needs `torch.no_grad()`, and forgetting must not come between `backward` and '
             'the step.')
    verb = 'leaves the weights, and then the bias, at'
    why = ('For each batch: scores, loss, old gradients away and new ones found, a step against them '
           'for each parameter.')

    @cases
    def epochs():
        weights, bias, dl = _start()
        return [(weights, bias, lr, dl[:n]) for lr, n in ((1., 1), (1., 2), (2., 3))]

    @outcome
    def parameters_after(given, weights, bias, lr, dl):
        before = weights.detach().clone()
        back = given(weights, bias, lr, dl)
        if not weights.equal(before): return weights[:, 0].detach(), bias.detach()
        return 'where they were', back, weights.grad is not None

    @right
    def by_hand(weights, bias, lr, dl):
        for xb, yb in dl:
            weights.grad = bias.grad = None
            mnist_loss(linear1(xb, weights, bias), yb).backward()
            with torch.no_grad():
                for p in (weights, bias): p -= lr*p.grad

    @right
    def optimiser(weights, bias, lr, dl):
        opt = torch.optim.SGD([weights, bias], lr=lr)
        for xb, yb in dl:
            opt.zero_grad()
            mnist_loss(xb @ weights + bias, yb).backward()
            opt.step()

    @wrong('The first step is right, and each later one follows the sum of all gradients so far. '
           'Old gradients must go.')
    def no_zeroing(weights, bias, lr, dl):
        for xb, yb in dl:
            mnist_loss(linear1(xb, weights, bias), yb).backward()
            with torch.no_grad():
                for p in (weights, bias): p -= lr*p.grad

    @wrong('The gradients are zeroed between `backward` and the step, so nothing moves.',
           when=lambda made, *args: made[0] == 'where they were' and made[2])
    def zeroed_between(weights, bias, lr, dl):
        for xb, yb in dl:
            mnist_loss(linear1(xb, weights, bias), yb).backward()
            for p in (weights, bias): p.grad.zero_()
            with torch.no_grad():
                for p in (weights, bias): p -= lr*p.grad

    @wrong('At the time of the step there is no gradient: `.grad` is `None`. Has `backward` been '
           'called before it, and has nothing cleared it since?',
           when=lambda made, *args: 'NoneType' in str(made.error))
    def step_first(weights, bias, lr, dl):
        for xb, yb in dl:
            with torch.no_grad():
                for p in (weights, bias): p -= lr*p.grad
            weights.grad = bias.grad = None
            mnist_loss(linear1(xb, weights, bias), yb).backward()

    @wrong('That is one step for the whole epoch, after the loop. Each batch is worth a step.')
    def one_step(weights, bias, lr, dl):
        for xb, yb in dl: mnist_loss(linear1(xb, weights, bias), yb).backward()
        with torch.no_grad():
            for p in (weights, bias): p -= lr*p.grad

    @wrong('Only the weights are stepped. The bias is a parameter as well.')
    def no_bias(weights, bias, lr, dl):
        for xb, yb in dl:
            weights.grad = bias.grad = None
            mnist_loss(linear1(xb, weights, bias), yb).backward()
            with torch.no_grad(): weights -= lr*weights.grad

    @wrong('This walks uphill, along the gradients.')
    def uphill(weights, bias, lr, dl):
        for xb, yb in dl:
            weights.grad = bias.grad = None
            mnist_loss(linear1(xb, weights, bias), yb).backward()
            with torch.no_grad():
                for p in (weights, bias): p += lr*p.grad

    @wrong('PyTorch refuses to change a tensor on which it takes notes. What turns them off?',
           when=lambda made, *args: 'in-place' in str(made.error))
    def with_notes(weights, bias, lr, dl):
        for xb, yb in dl:
            weights.grad = bias.grad = None
            mnist_loss(linear1(xb, weights, bias), yb).backward()
            for p in (weights, bias): p -= lr*p.grad


class step_with_decay(Do):
    """
    Write `step_with_decay(p, grad, lr, wd)`: the new parameters after a step with weight decay. The
    slope of each parameter is `grad` and `wd` times the parameter itself.
    """
    concept = 'step'
    hints = ('What is the whole slope of a parameter?', 'A step goes against it, `lr` times.')
    why = ('Weights that no batch asks for shrink a little with each step. `weight_decay` of the '
           'optimisers in torch is this `wd`.')

    @cases
    def parameters():
        return [(torch.tensor([2., -1.]), torch.tensor([.5, 1.]), .5, .25),
                (torch.tensor([4.]), torch.tensor([0.]), .5, .5),
                (torch.tensor([1., 3.]), torch.tensor([2., -2.]), .25, 0.)]

    @right
    def whole_slope(p, grad, lr, wd): return p - lr*(grad + wd*p)

    @right
    def shrink_and_step(p, grad, lr, wd):
        smaller = p*(1 - lr*wd)
        return smaller - lr*grad

    @wrong('The weights grow: the step goes against the second part of the slope too.')
    def grows(p, grad, lr, wd): return p - lr*(grad - wd*p)

    @wrong('The rate holds for the whole slope, for what decays too.')
    def no_rate(p, grad, lr, wd): return p - lr*grad - wd*p

    @wrong('It decays the gradient. It is the weights that shrink.')
    def of_the_gradient(p, grad, lr, wd): return p - lr*(grad + wd*grad)

    @wrong('There is no decay in it.')
    def plain(p, grad, lr, wd): return p - lr*grad
