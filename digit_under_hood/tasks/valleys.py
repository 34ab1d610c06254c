"Tasks of chapter 04b, valleys."
from itertools import combinations, permutations, product

import torch

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.outcomes import same, told
from digit_under_hood.practice import Do, cases, outcome, right, wrong
from digit_under_hood.projects import Project, step
from digit_under_hood.quadratic_sgd import f, mse


class not_to_the_star(Choose):
    "Why does a step against the gradient not lead straight to the bottom?"
    concept = 'gradient'
    hints = ('At what angle does the gradient cross a contour line?',
             'Draw a long ellipse, and at some point of it a line at a right angle to it. Does it '
             'pass through the middle?')
    right = ('It crosses the contour lines at a right angle, and in a long ellipse that leads across '
             'the valley.')
    wrong = {
        'Because the learning rate is too large.': 'The rate says how *far* to go. However small it '
        'is, the direction stays the same.',
        'Because autograd finds the gradient only roughly.': 'It finds it to all the digits that '
        'the computer has. The exact direction does not point to the bottom either.',
        'Because there are better directions, in which the loss falls faster at once.': 'There are '
        'none: no step of the same small length lowers the loss more. Steepest is not the same '
        'as towards the bottom.'}
    why = ('Where the contour lines are circles, each line at a right angle to them passes through '
           'the middle. In an ellipse only its two axes do.')


class how_thin(Predict):
    "A loss of three knobs has the curvatures 0.5, 2 and 20. What is its condition number?"
    concept = 'condition number'
    hints = ('It compares two of the three.', 'The steepest over the flattest.')
    value, within = 40, .01
    wrong = {10: 'That compares the steepest with the one in the middle. Which axis is the slowest?',
             .025: 'Upside down: it tells how many times the steepest bends more than the flattest.',
             19.5: 'That is the difference. Multiply the loss by ten, and the difference changes, '
             'though the valley is as thin as before.',
             6.325: 'That is the root of it: how many times the valley is as long as wide.'}
    why = ('The largest curvature over the smallest. The largest caps the rate, and at such a rate '
           'the flattest axis takes about as many steps as this number says, times a few.')


class flat_at_last(Choose):
    "The loss hardly falls any more. What do you know?"
    concept = 'loss'
    hints = ('Look at the loss of the first walk, from its tenth step on.',
             'Was that the bottom?')
    right = 'Not much: the walk may be at the bottom, or crawl along the floor of a thin valley.'
    wrong = {
        'It has arrived at the bottom.': 'So it looked on raw time too, at a loss of 405, and the '
        'best one was 7.3.',
        'The rate is too small, and a larger one will help.': 'On raw time it could not have been '
        'four times as large. The steepest direction sets that limit, not the flat one.',
        'The model has learned the noise.': 'A loss can go flat long before that. What would '
        'show it is a metric on images or dots that were kept apart.'}
    why = ('The loss curve alone does not tell. Other rates do, a better ruler, and a metric on a '
           'validation set.')


def _after(params, t, speed, lr):
    "The knobs after a step that looks at all these dots"
    adds = torch.stack([t**2, t, torch.ones_like(t)])
    return params - lr*2*(adds @ (params @ adds - speed))/len(t)


class sgd_step(Do):
    """
    Write `sgd_step(params, t, speed, bs, lr)`: one step of *stochastic* gradient descent for the
    parabola `f(t, params)` and the loss `mse`. It draws `bs` of the dots at random, a new handful
    for each call, and gives the knobs after the step.
    """
    question, concept = 12, 'SGD'
    hints = ('`torch.randperm` mixes the numbers of all dots. The first few are a handful.',
             'The same handful of times *and* of speeds goes into the loss.',
             'To collect slopes, make a copy of `params` that is marked for it.')
    verb = 'goes, at all of 12 calls and with changes from call to call, by'
    why = ('Stochastic gradient descent: each step goes against the gradient of the loss on a few '
           'items drawn at random. It costs less than the whole, and on average it leads the same '
           'way.')

    @cases
    def carts():
        t, speed = torch.tensor([-1.5, -.5, .5, 1.5]), torch.tensor([7.2, 1.6, 1.1, 3.7])
        return [(torch.tensor(params), t, speed, bs, .1)
                for params, bs in (([0., 0., 0.], 1), ([0., 0., 0.], 2), ([3., 1., -1.], 3))]

    @outcome
    def where_it_goes(given, params, t, speed, bs, lr):
        "What explains the knobs after each of 12 calls, and if there is more than one result"
        some = [[*rows] for rows in combinations(range(len(t)), bs)]
        mixed = [[*rows] for rows in permutations(range(len(t)), bs)]
        steps = torch.stack([_after(params, t[rows], speed[rows], lr) for rows in some]) - params
        ways = {'a handful': steps, 'all dots': _after(params, t, speed, lr)[None] - params,
                'a handful, uphill': -steps,
                'signs': lr*torch.cartesian_prod(*3*[torch.tensor([-1., 1.])]),
                'times of some dots, speeds of others': torch.stack([
                    _after(params, t[a], speed[b], lr) - params for a, b in product(some, mixed)])}
        ends = torch.stack([torch.as_tensor(given(params.clone(), t, speed, bs, lr)).detach()
                            for _ in range(12)]) - params
        found = [name for name, way in ways.items()
                 if ((ends[:, None] - way).abs().amax(2).amin(1) < 1e-4).all()]
        return found[0] if found else 'none of what was expected', len(ends.unique(dim=0)) > 1

    @right
    def backward(params, t, speed, bs, lr):
        here, some = params.clone().requires_grad_(), torch.randperm(len(t))[:bs]
        mse(f(t[some], here), speed[some]).backward()
        return params - lr*here.grad

    @right
    def by_hand(params, t, speed, bs, lr):
        some = torch.multinomial(torch.ones(len(t)), bs)
        adds = torch.stack([t**2, t, torch.ones_like(t)])[:, some]
        return params - lr*2*(adds @ (params @ adds - speed[some]))/bs

    @wrong('Each call does the same: it looks at *all* the dots. That is gradient descent, and '
           'nothing is stochastic about it.')
    def whole_set(params, t, speed, bs, lr):
        params = params.clone().requires_grad_()
        mse(f(t, params), speed).backward()
        return params.detach() - lr*params.grad

    @wrong('A handful it is, but each time the same one: the first dots. The others have no say.')
    def first_ones(params, t, speed, bs, lr):
        params = params.clone().requires_grad_()
        mse(f(t[:bs], params), speed[:bs]).backward()
        return params.detach() - lr*params.grad

    @wrong('This walks uphill, *along* the gradient.')
    def adds(params, t, speed, bs, lr):
        some = torch.randperm(len(t))[:bs]
        params = params.clone().requires_grad_()
        mse(f(t[some], params), speed[some]).backward()
        return params.detach() + lr*params.grad

    @wrong('Only the sign of each slope counts here, and each step is equally long. Where it is '
           'steep the step should be long.')
    def sign_only(params, t, speed, bs, lr):
        some = torch.randperm(len(t))[:bs]
        params = params.clone().requires_grad_()
        mse(f(t[some], params), speed[some]).backward()
        return params.detach() - lr*params.grad.sign()

    @wrong('Times and speeds are drawn apart, so a time meets the speed of another moment.')
    def apart(params, t, speed, bs, lr):
        params = params.clone().requires_grad_()
        mse(f(t[torch.randperm(len(t))[:bs]], params), speed[torch.randperm(len(t))[:bs]]).backward()
        return params.detach() - lr*params.grad

    @wrong('PyTorch takes notes on these knobs and refuses to have them changed in place. What '
           'tells it to look away?',
           when=lambda made, *args: 'in-place' in str(made.error))
    def with_notes(params, t, speed, bs, lr):
        some = torch.randperm(len(t))[:bs]
        params.requires_grad_()
        mse(f(t[some], params), speed[some]).backward()
        params -= lr*params.grad
        return params


class starting_weights(Do):
    """
    Write `starting_weights(n)`: `n` weights to begin a training with. Small random numbers with a
    spread of 0.01, ready to collect slopes.
    """
    question, concept = 15, 'initialisation'
    equal = {'marked_last: 0.01 -> -0.01': 'random numbers around 0 with all signs turned are '
             'random numbers around 0'}
    hints = ('`torch.randn` draws numbers with a spread of 1.',
             'The result of a calculation is no leaf, and collects no slopes of its own. So when '
             'is it to be marked?')
    verb = 'lacks'
    why = ('Random, and usually small. For a bowl any start will do; in a network equal weights '
           'would stay equal. And a parameter is a *leaf*: nothing that was computed with notes.')

    @cases
    def sizes(): return [(1,), (2000,)]

    @outcome
    def what_they_lack(given, n):
        w = given(n)
        mean, spread = w.detach().float().mean().abs(), w.detach().float().std(correction=0)
        has = {'the shape': tuple(w.shape) == (n,), 'floats': w.is_floating_point(),
               'the mark': w.requires_grad, 'being a leaf': w.is_leaf,
               'difference': w.unique().numel() > .9*n, 'a mean of 0': n == 1 or mean < .002,
               'a spread of 0.01': n == 1 or .008 < spread < .012}
        return [name for name in has if not has[name]]

    @right
    def marked_last(n): return (.01*torch.randn(n)).requires_grad_()

    @right
    def normal(n): return torch.empty(n).normal_(0, .01).requires_grad_()

    @wrong('They are no leaf: the mark came first, and then a calculation, so what you hand out is '
           'its *result*. It collects no slopes.', when=lambda made, n: 'being a leaf' in made)
    def no_leaf(n): return .01*torch.randn(n, requires_grad=True)

    @wrong('All weights are equal. A bowl does not mind, but in a network they would get equal '
           'gradients and stay equal for ever.',
           when=lambda made, n: 'difference' in made)
    def all_equal(n): return torch.zeros(n, requires_grad=True)

    @wrong('Whole numbers cannot take a small step, so they have no slopes.',
           when=lambda made, n: 'floating' in str(made.error))
    def integers(n): return torch.randint(-1, 2, (n,)).requires_grad_()

    @wrong('Nobody takes notes on these weights: they are not marked.',
           when=lambda made, n: 'the mark' in made)
    def unmarked(n): return .01*torch.randn(n)

    @wrong('Random and ready, but of another spread than the one asked for.',
           when=lambda made, n: 'a spread of 0.01' in made)
    def spread_one(n): return torch.randn(n).requires_grad_()


class any_line(Project):
    """
    Fit a line to any points: `fit(x, y)`, two tensors of shape `(n,)`, gives `(a, b)` so that
    `a*x + b` has the least mean squared error. Descend with gradients, and make it work for any
    ruler: seconds, years, millimetres.
    """
    concept = 'standardising'
    hints = ('Standardise `x` first: the mean to 0, the spread to 1. Then one rate suits all.',
             'What you get are the knobs for the standardised `x`. Put `(x - mean)/spread` in its '
             'place and sort out what stands before `x`.',
             'Standardise `y` as well, and even its size no longer matters.')
    why = ('The valley was made round, the descent was short, and the answer was turned back into the '
           'ruler that was given. Most fits in libraries do the first step for you, or fail without.')

    @step('Points on a line are met.')
    def exact(fit):
        x = torch.linspace(-1, 1, 9)
        made = [float(one) for one in fit(x, 2*x - 1)]
        if not same(made, [2., -1.], 1e-2): return f'For y = 2x - 1 it gives `{told(made)}`.'

    @step('For scattered points it agrees with least squares.')
    def scattered(fit):
        x, y = torch.randn(2, 40)
        made = [float(one) for one in fit(x.clone(), y)]
        wanted = least_squares_line(x, y)
        if not same(made, wanted, 1e-2): return f'It gives `{told(made)}`, wanted is `{told(wanted)}`.'

    @step('It does so for years from 1900 to 2000, and for thousandths.')
    def any_ruler(fit):
        for scale, shift in ((100, 1900), (.001, 0)):
            x = torch.rand(40)*scale + shift
            y = 3*(x - shift)/scale + .1*torch.randn(40)
            (a, b), (c, d) = (float(one) for one in fit(x.clone(), y)), least_squares_line(x, y)
            off = ((a - c)*x + b - d).abs().max().item()
            if not off < .05: return f'For x from {shift} to {shift + scale:g} the line is off by {off:.2g}.'

    @step('`x` and `y` stay as they were.')
    def kept(fit):
        x, y = torch.randn(2, 9)
        before = torch.stack([x, y])
        fit(x, y)
        if not before.equal(torch.stack([x, y])): return 'They were changed.'


def least_squares_line(x, y):
    "The best line, by the formula"
    x, y = x.double(), y.double()
    a = ((x - x.mean())*(y - y.mean())).mean()/x.var(correction=0)
    return [a.item(), (y.mean() - a*x.mean()).item()]
