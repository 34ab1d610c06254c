"Tasks of chapter 07a, a network with one hidden layer."
import torch
import torch.nn.functional as F
from torch import nn

from digit_under_hood.choose import Choose
from digit_under_hood.mlp import count_parameters, simple_net
from digit_under_hood.outcomes import same
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong
from digit_under_hood.projects import Project, step

_exact = 'the functions differ by nothing or by much'


class relu(Do):
    """
    Write `relu(s)` for a tensor `s` of any shape: positive numbers stay, negative ones become 0.
    Then draw it from -2 to 2, on paper or with `plt.plot`. (`F.relu` itself would be no practice.)
    """
    question, concept = 34, 'ReLU'
    equal = {'where: s > 0 -> s >= 0': 'at 0 both sides are 0'}
    hints = ('Which of the numbers stay, and what takes the place of the others?',
             'The larger one of two numbers: which two?',
             '`torch.where` takes a condition and two values, `clamp` takes limits.')
    why = ('Flat on the axis up to 0, then a straight rise with slope 1 to the point (2, 2): two '
           'straight pieces with one corner.')

    @cases
    def sums():
        return [(torch.tensor(s),) for s in (3., -2., 0., [-2., -1., 0., 1., 2.],
                                             [[-.5, 40.], [.25, -100.]])]

    @right
    def clamp(s): return s.clamp(min=0)

    @right
    def where(s): return torch.where(s > 0, s, 0)

    @wrong('Negative numbers have only lost their sign: that is a V, with two rising sides.')
    def both_sides(s): return s.abs()

    @wrong('That keeps the other half. What is above 0 has to stay, what is below has to go.')
    def other_half(s): return s.clamp(max=0)

    @wrong('There is a little left of the negative numbers. (That exists too, as `nn.LeakyReLU`.) '
           'Here nothing of them is left.',
           when=lambda made, s: made[s < 0].lt(0).all() and made[s < 0].gt(s[s < 0]).all()
           and made[s >= 0].equal(s[s >= 0]))
    def leaky(s): return torch.where(s > 0, s, .01*s)

    @wrong('That says only *whether* a number is positive. A positive one keeps its size.')
    def step(s): return (s > 0).float()

    @wrong('The negative numbers are gone, and so are their places. The shape has to stay.',
           when=lambda made, s: made.numel() == int((s > 0).sum()))
    def dropped(s): return s[s > 0]


class stops_folding(Do):
    """
    Write `stops_folding(f)`: `True` if the function `f`, put between two linear layers, keeps them
    from folding into one, and `False` if they fold in spite of it. `f` takes a tensor and works on
    each number of it; if it bends at all, it does so somewhere from -2 to 2.
    """
    question, concept = 35, 'activation function'
    equal = {'even_steps: 3 -> 4': 'wider is as good', 'even_steps: 25 -> 26': 'finer is as good',
             'straight_line: 25 -> 26': 'finer is as good', 'even_steps: 0.0001 -> 0': _exact,
             'even_steps: (rise.max() - rise.min()).item() > 0.0001 -> '
             '(rise.max() - rise.min()).item() >= 0.0001': _exact,
             'straight_line: (f(s) - line).abs().max() > 0.0001 -> '
             '(f(s) - line).abs().max() >= 0.0001': _exact}
    hints = ('A linear layer multiplies and adds. Which functions do no more than that?',
             'Draw `f` in your mind: what matters is whether it is one straight line.',
             'The mixture of two images has told a straight model from a bent one. Numbers can be '
             'mixed as well.')
    why = ('A function that is one straight line, whatever its slope and height, is a linear layer '
           'itself and folds. What is not straight stops it: that is an activation function.')

    @cases
    def functions():
        class Named:
            def __init__(self, name, f): self.name, self.f = name, f
            def __repr__(self): return self.name
            def __call__(self, s): return self.f(s)
        found = {'3*s': lambda s: 3*s, 's + 1': lambda s: s + 1, 's': lambda s: s,
                 '2 - s/2': lambda s: 2 - s/2, '0*s': lambda s: 0*s, 'relu(s)': F.relu,
                 'abs(s)': torch.abs, 's**2': torch.square, 'sigmoid(s)': torch.sigmoid,
                 '-abs(s)': lambda s: -s.abs(), 'clamp(s, max=1)': lambda s: s.clamp(max=1),
                 'relu(s + 1.5)': lambda s: F.relu(s + 1.5)}
        return [(Named(name, f),) for name, f in found.items()]

    @right
    def even_steps(f):
        s = torch.linspace(-3, 3, 25)
        rise = f(s).diff()
        return (rise.max() - rise.min()).item() > 1e-4

    @right
    def straight_line(f):
        s = torch.linspace(-3, 3, 25)
        line = torch.lerp(f(s[:1]), f(s[-1:]), (s + 3)/6)
        return bool((f(s) - line).abs().max() > 1e-4)

    @wrong('`3*s` stops nothing: twice as much in gives twice as much out. A slope is a weight, and '
           'a weight folds.')
    def any_change(f): return not f(torch.tensor([-2., 1., 2.])).equal(torch.tensor([-2., 1., 2.]))

    @wrong('You ask whether the sum of two gives the sum of both results, and `s + 1` fails that. '
           'But it folds: to add a number is what a bias does.')
    def additive(f): return bool((f(torch.tensor(2.)) - 2*f(torch.tensor(1.))).abs() > 1e-4)

    @wrong('`abs` is left out: it is straight on each side of 0, but not in one line.')
    def on_each_side(f):
        return not all((rise.max() - rise.min()).item() < 1e-4
                       for s in (torch.linspace(-3, 0, 13), torch.linspace(0, 3, 13))
                       for rise in [f(s).diff()])

    @wrong('That is true of functions that go up and down. ReLU never falls, and still it bends.')
    def falls(f):
        rise = f(torch.linspace(-3, 3, 25)).diff()
        return bool((rise > 1e-4).any() and (rise < -1e-4).any())

    @wrong('You look at the right side of 0 only, and there ReLU and `abs` are straight.')
    def right_side(f):
        rise = f(torch.linspace(0, 1, 5)).diff()
        return (rise.max() - rise.min()).item() > 1e-4


class bent_network(FixIt):
    """
    This is to be a network: the layer `first`, a ReLU, the layer `second`. It stops with an error.
    Repair it.
    """
    question, concept, planted = 36, 'layer', 'function'
    hints = ('Call it with two layers and read the error to its end: what does a `Sequential` take?',
             '`F.relu` is a function, to be called on numbers. There is a class of nearly the same '
             'name.',
             'A class is not a module yet. What makes one of it?')
    verb = 'gives a network that makes of two images'
    why = ('Both compute the same. `F.relu` is called on a tensor; `nn.ReLU()` makes a module, '
           'which can stand in a list of layers.')

    @cases
    def layers():
        rng = torch.Generator().manual_seed(36)
        found = [(nn.Linear(3, n), nn.Linear(n, 1)) for n in (2, 5)]
        for pair in found:
            for layer in pair:
                for p in layer.parameters(): p.data = torch.randn(p.shape, generator=rng)
        return found

    @outcome
    def scores(given, first, second):
        net = given(first, second)
        return net(torch.tensor([[1., -2., .5], [-1., 1., 2.]])), len([*net.parameters()])

    @right
    def module(first, second): return nn.Sequential(first, nn.ReLU(), second)

    @right
    def appended(first, second):
        net = nn.Sequential(first)
        net.append(nn.ReLU())
        net.append(second)
        return net

    @wrong('Still: `F.relu` is a function, and a `Sequential` takes modules only.',
           when=lambda made, first, second: 'relu is not a Module' in str(made.error))
    def function(first, second): return nn.Sequential(first, F.relu, second)

    @wrong('`nn.ReLU` is a class, a plan for modules. Something is missing behind it.',
           when=lambda made, first, second: 'ReLU is not a Module' in str(made.error)
           or 'type is not a Module' in str(made.error))
    def no_brackets(first, second): return nn.Sequential(first, nn.ReLU, second)

    @wrong('The brackets of `nn.ReLU` take settings of the new module, not what it shall work on. '
           'So your layer was taken for a setting, and is lost from the row.',
           when=lambda made, first, second: 'shapes cannot be multiplied' in str(made.error))
    def layer_as_setting(first, second): return nn.Sequential(nn.ReLU(first), second)

    @wrong('`F.relu` wants numbers, and this is a layer. Here nothing is computed yet, only put in '
           'a row.', when=lambda made, first, second: 'must be Tensor' in str(made.error))
    def called_on_a_layer(first, second): return nn.Sequential(F.relu(first), second)

    @wrong('The error is gone, and the bend with it: two linear layers in a row are one.')
    def no_bend(first, second): return nn.Sequential(first, second)

    @wrong('A bend behind the last layer cuts off all scores below 0. It belongs between the two.')
    def bent_at_the_end(first, second): return nn.Sequential(first, second, nn.ReLU())


class parameters_of(Do):
    """
    Write `parameters_of(sizes)`: how many numbers a network of linear layers and ReLUs learns.
    `[784, 30, 1]` are the sizes of the one above: 784 pixels, 30 units, one score. There may be
    more layers.
    """
    concept = 'parameter'
    hints = ('Between two neighbours of the list stands one linear layer. What does it hold?',
             'A weight for each number in and each number out. And for each number out one more.')
    why = ('A layer from n to m numbers has n times m weights and m biases. ReLUs between them have '
           'nothing to learn.')

    @cases
    def networks(): return [([1, 1],), ([2, 3],), ([3, 2, 1],), ([784, 30, 1],), ([5, 4, 3, 2],)]

    @right
    def pairs(sizes): return sum((n + 1)*m for n, m in zip(sizes, sizes[1:]))

    @right
    def asked(sizes):
        return sum(count_parameters(nn.Linear(sizes[i - 1], sizes[i])) for i in range(1, len(sizes)))

    @wrong('Those are the weights. Each unit has a bias as well.')
    def no_biases(sizes): return sum(n*m for n, m in zip(sizes, sizes[1:]))

    @wrong('The hidden units have their biases, and the last layer is without: it has them too.')
    def last_without(sizes): return sum((n + 1)*m for n, m in zip(sizes, sizes[1:])) - sizes[-1]

    @wrong('One bias for a whole layer: each *unit* has its own.')
    def one_bias(sizes): return sum(n*m + 1 for n, m in zip(sizes, sizes[1:]))

    @wrong('You have given each number that comes in a bias. Count those that go out.')
    def bias_in(sizes): return sum(n*m + n for n, m in zip(sizes, sizes[1:]))

    @wrong('Those are the units and the inputs. Each unit has a weight for *every* number that '
           'comes in.')
    def units(sizes): return sum(sizes)


class tower_and_layer(Do):
    """
    `n` tents stand on top of one another. Write `tower_and_layer(n)`, which gives three numbers: how
    many straight pieces they make; how many units *one* hidden layer needs for as many; and how
    many parameters such a network of one number in and one out has.
    """
    question, concept = 37, 'universal approximation'
    hints = ('The three panels: 2, 4, 8 pieces. What does one more tent do to them?',
             'Between so many pieces, how many corners? In one layer each unit makes one at most.',
             'Each unit of the one layer has a weight, a bias, and a weight in the last layer. And '
             'the last layer has a bias.')
    why = ('Five tents: 32 pieces from 10 ReLUs and 35 numbers, where one layer needs 31 and 94. One '
           'layer can do it all, but stacking multiplies where widening adds, and that "can" leaves '
           'open how many units it takes and whether training finds the weights.')

    @cases
    def heights(): return [(n,) for n in (1, 2, 3, 5, 10)]

    @right
    def doubled(n): return 2**n, 2**n - 1, 3*2**n - 2

    @right
    def counted(n):
        pieces = 1
        for _ in range(n): pieces *= 2
        return pieces, pieces - 1, count_parameters(simple_net(pieces - 1, n_in=1))

    @wrong('You have *added* the pieces of the tents: ten for five of them. Count them in the three '
           'panels.')
    def added(n): return 2*n, 2*n - 1, 6*n - 2

    @wrong('The pieces are right. But a tent is made of two units, a corner of one.')
    def two_a_corner(n): return 2**n, 2*(2**n - 1), 6*(2**n - 1) + 1

    @wrong('One layer can: a sum of hinges has a corner wherever you want one. It only needs many.',
           when=lambda made, n: made[0] == 2**n and made[1] in (None, 0, float('inf')))
    def it_cannot(n): return 2**n, float('inf'), float('inf')

    @wrong('A unit for each piece is one too many: count the corners *between* the pieces.')
    def one_a_piece(n): return 2**n, 2**n, 3*2**n + 1

    @wrong('Pieces and units are right. Each unit has a weight, a bias and a weight in the last '
           'layer, and what has the last layer besides?',
           when=lambda made, n: made[:2] == (2**n, 2**n - 1) and made[2] == 3*2**n - 3)
    def last_bias(n): return 2**n, 2**n - 1, 3*(2**n - 1)


class exclusive_or(Do):
    """
    Exclusive or: two units, with weights set by hand, that give 1 for (0, 1) and for (1, 0), and 0
    for (0, 0) and for (1, 1). `values` holds what
    `with_weights(simple_net(2, n_in=2), *values)` takes, as lists: the weights of the two units,
    their biases, the weights of the last layer, its bias.
    """
    concept = 'activation function'
    equal = {'*': 'many values do it, and the four scores are what counts'}
    hints = ('Both units may take the sum of the two inputs, which is 0, 1 or 2.',
             'Bend the sum at 0 in one unit and at 1 in the other.',
             'For the sum 2 the units give 2 and 1. How much of the second has to go?')
    verb = 'gives for (0,0), (0,1), (1,0), (1,1)'
    why = ('The first unit gives the sum, the second what is above 1 of it. Of that, twice is taken '
           'away. No straight model can do this: one corner is what it takes.')

    @outcome
    def four_scores(given):
        net = simple_net(2, n_in=2)
        for p, value in zip(net.parameters(), given, strict=True):
            p.data = torch.tensor(value, dtype=torch.float).view_as(p)
        return net(torch.tensor([[0., 0.], [0., 1.], [1., 0.], [1., 1.]])).detach()[:, 0]

    @right
    def by_the_sum(): return [[1., 1.], [1., 1.]], [0., -1.], [[1., -2.]], [0.]

    @right
    def by_the_difference(): return [[1., -1.], [-1., 1.]], [0., 0.], [[1., 1.]], [0.]

    @wrong('(1, 1) gives 2: that is the plain sum, and nothing bends it.')
    def plain_sum(): return [[1., 1.], [0., 0.]], [0., 0.], [[1., 0.]], [0.]

    @wrong('That is "or": (1, 1) has to give 0 as well. How much more must be taken away there?')
    def plain_or(): return [[1., 1.], [1., 1.]], [0., -1.], [[1., -1.]], [0.]

    @wrong('That is "and": the corner is at the right place, and the rest is missing.')
    def plain_and(): return [[1., 1.], [1., 1.]], [0., -1.], [[0., 1.]], [0.]

    @wrong('That is "both alike", just the reverse of what is wanted.')
    def alike(): return [[1., 1.], [1., 1.]], [0., -1.], [[-1., 2.]], [1.]


class promise(Choose):
    "What does the universal approximation theorem promise of one hidden layer?"
    concept = 'universal approximation'
    hints = ('Read it like a lawyer: who does what?', 'What did training find from the flat start?')
    why = ('It promises that good weights *exist*, for a continuous function, within bounds. How '
           'many units that takes, and how to find the weights, it leaves open.')
    right = ('For any tolerance there is some number of units, and weights for them, that come '
             'within it.')
    wrong = {
        'With enough units, training finds the weights.':
            'With 20 units it did not: its corners stuck together in four places.',
        'Thirty units come as close as you like.':
            'The tolerance comes first, and for a small one it may take a great many.',
        'It comes close to any function, jumps included.':
            'A sum of hinges has no gap. At a jump it is off by half of it, however many there are.'}


class leaky(Do):
    "Write `leaky(x, slope)`: like ReLU, but what is below 0 keeps `slope` times its value."
    concept = 'ReLU'
    equal = {'chosen: x > 0 -> x >= 0': 'at 0 both pieces are 0'}
    hints = ('Two pieces, with the bend at 0.', '`torch.where` chooses for each number.')
    why = ('Below 0 there is a slope after all, so a unit that is off can still learn its way back. '
           '`nn.LeakyReLU` is this, with a slope of 0.01.')

    @cases
    def numbers():
        return [(torch.tensor([-2., -.5, 0., 1., 3.]), slope) for slope in (.1, .5, 0.)]

    @right
    def chosen(x, slope): return torch.where(x > 0, x, slope*x)

    @right
    def two_parts(x, slope): return x.clamp(min=0) + slope*x.clamp(max=0)

    @wrong('That is ReLU itself: nothing comes through below 0.')
    def plain(x, slope): return x.clamp(min=0)

    @wrong('The whole of `x` was multiplied, above 0 too.')
    def everywhere(x, slope): return slope*x

    @wrong('Below 0 it rises to the left: the sign was lost.')
    def folded(x, slope): return torch.where(x > 0, x, -slope*x)

    @wrong('Below 0 it is one and the same number. A slope means: in proportion to `x`.')
    def level(x, slope): return torch.where(x > 0, x, torch.full_like(x, -slope))


class drops_out(Project):
    """
    Dropout, as a layer of your own. `Dropout(p)` is an `nn.Module`. In train mode it sets each number
    to 0 with probability `p`, each call and each number anew, and multiplies the others by
    `1/(1 - p)`, so that their sum stays on average what it was. In eval mode it changes nothing.
    """
    concept = 'activation function'
    hints = ('`self.training` tells in which mode the layer is.',
             '`torch.rand_like(x) > p` is true for those that stay.',
             'What does the mean lose if a share of `p` is 0, and by what is it made good?')
    why = ('A network that cannot rely on any single unit spreads what it knows. And because the rest '
           'is made larger in training, nothing has to change when it is switched off.')

    @step('In eval mode it changes nothing.')
    def off(Dropout):
        x = torch.randn(50, 8)
        if not same(Dropout(.5).eval()(x), x): return 'Numbers are other than they were.'

    @step('In train mode a share of `p` is 0, and each row has zeros of its own.')
    def share(Dropout):
        gone = Dropout(.25)(torch.ones(400, 100)) == 0
        if abs((found := gone.float().mean().item()) - .25) > .02: return f'With p = 0.25, {found:.0%} are.'
        if gone.any(0).float().mean() < .9 or (gone == gone[0]).all(): return 'Whole columns stay or go.'

    @step('The mean stays what it was.')
    def mean(Dropout):
        found = Dropout(.25)(torch.ones(400, 100)).mean().item()
        if abs(found - 1) > .03: return f'Of ones it is {found:.2f}.'

    @step('Each call draws anew.')
    def anew(Dropout):
        layer, x = Dropout(.5), torch.ones(20, 20)
        if torch.equal(layer(x) == 0, layer(x) == 0): return 'The same numbers are dropped again.'

    @step('Slopes pass where numbers pass, and only there.')
    def slopes(Dropout):
        x = torch.ones(50, 20, requires_grad=True)
        made = Dropout(.5)(x)
        made.sum().backward()
        if x.grad is None or not same(x.grad, made.detach()):
            return 'The gradient is not that of what was let through.'
