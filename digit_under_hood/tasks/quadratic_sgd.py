"Tasks of chapter 04a, slopes and steps."
import torch

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.practice import Do, cases, outcome, right, wrong


class cart_losses(Choose):
    "Which of these would serve as a loss for the cart's curve?"
    question, concept = 16, 'loss'
    hints = ('It has to get smaller when the curve gets better.',
             'And it has to react when a knob is turned by very little.')
    right = 'the mean of the misses without their signs'
    wrong = {
        'the share of dots that the curve passes within 1 cm/s': 'That is an accuracy. Turn a knob '
        'by very little: hardly ever does a dot change sides, so there is no slope to follow. And '
        'it gets larger when the curve gets better.',
        'the mean of the misses, each with its sign': 'Misses above and below cancel. A level line '
        'through the mean speed has a mean miss of 0, and is no good curve.',
        'one over the mean squared error': 'It reacts to each small turn. But it is large where '
        'the curve is good, and each step goes towards less of it.'}
    why = ('A loss is one number for how badly the model does with its present parameters: small is '
           'good, and it reacts to each small change of a parameter, so that it has a slope to '
           'follow. Squares are not the only way.')


class wave_slopes(Do):
    """
    Write `wave_slopes(xs)`: the slopes of `xs*xs.sin()` at all of `xs`, a tensor of floats. Let
    autograd find them. Somebody may have used `xs` before you.
    """
    question, concept = 19, 'autograd'
    hints = ('Three parts: mark `xs`, compute one number from it, call `backward` on that.',
             'Turning one x changes only its own height. So which single number has all the '
             'slopes as its gradient?',
             'What does `backward` do with slopes that are in `.grad` already?')
    why = ('Nobody needs to work the formula out: autograd notes each operation and applies its '
           'derivative rule backwards. It starts from one number, and adds to what is in `.grad`.')

    @cases
    def places():
        used = torch.tensor([.5, -2.], requires_grad=True)
        used.square().sum().backward()
        return [(torch.tensor([1.]),), (torch.tensor([0., 2.]),), (torch.tensor([-1., .5, 3.]),),
                (used,)]

    @outcome
    def slopes(given, xs): return given(xs)

    @right
    def backward(xs):
        xs = xs.detach().clone().requires_grad_()
        (xs*xs.sin()).sum().backward()
        return xs.grad

    @right
    def grad(xs):
        xs.requires_grad_()
        return torch.autograd.grad((xs*xs.sin()).sum(), xs)[0]

    @wrong('These slopes are on top of those that somebody had left in `xs.grad`.',
           when=lambda made, xs: xs.grad is not None and len(made) == len(xs))
    def on_top(xs):
        xs.requires_grad_()
        (xs*xs.sin()).sum().backward()
        return xs.grad

    @wrong('Nobody has told PyTorch to take notes on `xs`, so there is nothing to read backwards.',
           when=lambda made, xs: xs.requires_grad or 'does not require grad' in str(made.error))
    def no_notes(xs):
        (xs*xs.sin()).sum().backward()
        return xs.grad

    @wrong('`backward` starts from *one* number, and this is one height for each x. What single '
           'number holds all of them?',
           when=lambda made, xs: 'scalar' in str(made.error))
    def from_many(xs):
        xs = xs.detach().clone().requires_grad_()
        (xs*xs.sin()).backward()
        return xs.grad

    @wrong('In a mean each height has only its share, and so has each slope.')
    def of_the_mean(xs):
        xs = xs.detach().clone().requires_grad_()
        (xs*xs.sin()).mean().backward()
        return xs.grad

    @wrong('Those are the heights of the curve, not how steep it is there.')
    def heights(xs): return xs*xs.sin()


class cart_gradient(Do):
    """
    Write `cart_gradient(params, t, speed)`: the gradient of the mean squared error of the parabola,
    three slopes, worked out by hand. `params` are the knobs a, b, c; `t` and `speed` have the
    shape `(n,)`.
    """
    question, concept = 18, 'gradient'
    hints = ('For each dot: twice the miss, times what the knob does to the prediction.',
             'One unit more of a adds t squared to the prediction. What does one unit of b add, '
             'and of c?',
             'The loss is a mean over the dots, and so is each slope.')
    why = ('One slope for each knob: how much the loss changes for each unit of a small turn of '
           'that knob, with the others held. Together they say which way and how strongly, not how '
           'far to go.')

    @cases
    def measured():
        t = torch.tensor([0., 1., 2., 3.])
        return [((0., 0., 1.), torch.tensor([0.]), torch.tensor([3.])),
                ((0., 1., 0.), torch.tensor([0., 2.]), torch.tensor([1., 1.])),
                ((1., -1., .5), t, torch.tensor([2., 0., 1., 4.])),
                ((.5, -2., 3.), 2*t, torch.tensor([9., 3., 1., 5.]))]

    @right
    def by_hand(params, t, speed):
        a, b, c = params
        miss = a*t**2 + b*t + c - speed
        return torch.stack([(2*miss*t**2).mean(), (2*miss*t).mean(), (2*miss).mean()])

    @right
    def one_table(params, t, speed):
        adds = torch.stack([t**2, t, torch.ones_like(t)])
        miss = torch.tensor(params) @ adds - speed
        return 2*(adds @ miss)/len(t)

    @right
    def autograd(params, t, speed):
        a, b, c = knobs = [torch.tensor(p, requires_grad=True) for p in params]
        return torch.autograd.grad(((a*t**2 + b*t + c - speed)**2).mean(), knobs)

    @wrong('Half of what it should be, for each knob. What does the square leave behind when you '
           'take its slope?')
    def no_two(params, t, speed):
        a, b, c = params
        miss = a*t**2 + b*t + c - speed
        return torch.stack([(miss*t**2).mean(), (miss*t).mean(), miss.mean()])

    @wrong('Each slope has the wrong sign: a miss counts from the dot to the curve.')
    def signs(params, t, speed):
        a, b, c = params
        miss = speed - a*t**2 - b*t - c
        return torch.stack([(2*miss*t**2).mean(), (2*miss*t).mean(), (2*miss).mean()])

    @wrong('That is *one* number for three knobs. Each knob has a slope of its own, with the other '
           'two held.', when=lambda made, params, t, speed: torch.is_tensor(made) and made.numel() == 1)
    def one_number(params, t, speed):
        a, b, c = params
        return (2*(a*t**2 + b*t + c - speed)).mean()

    @wrong('All three slopes are alike, as if each knob did the same to the prediction. One unit of '
           'a does more than one unit of c.')
    def all_alike(params, t, speed):
        a, b, c = params
        return (2*(a*t**2 + b*t + c - speed)).mean().repeat(3)

    @wrong('Added up over the dots. The loss is their mean, and so is its slope.')
    def sums(params, t, speed):
        a, b, c = params
        miss = a*t**2 + b*t + c - speed
        return torch.stack([(2*miss*t**2).sum(), (2*miss*t).sum(), (2*miss).sum()])


class step_on(Do):
    """
    Write `step_on(w, lr)`: one step downhill. `w` collects slopes, and they lie in `w.grad`
    already. The function changes `w` itself, and need not give anything back.
    """
    question, concept = 23, 'step'
    hints = ('Downhill is against the slope, and far where it is steep.',
             'PyTorch refuses to change a tensor on which it takes notes. What tells it to look '
             'away?')
    verb = 'leaves, as `w` and what it gives back,'
    why = ('The new weight is the old one minus the learning rate times the slope, in place and '
           'without notes: a step is no part of the calculation whose slope we want.')

    @cases
    def weights():
        made = [([3.], [6.], .25), ([1., -1.], [2., -.5], .1), ([0., 2., 5.], [4., 0., -3.], 1.)]
        found = []
        for values, slopes, lr in made:
            w = torch.tensor(values, requires_grad=True)
            w.grad = torch.tensor(slopes)
            found.append((w, lr))
        return found

    @outcome
    def weights_after(given, w, lr):
        back = given(w, lr)
        return w.detach(), 'nothing' if back is None or back is w else back

    @right
    def no_notes(w, lr):
        with torch.no_grad(): w -= lr*w.grad

    @right
    def data(w, lr): w.data = w.data - lr*w.grad

    @wrong('This walks *up*: the weight moves along its slope.',
           when=lambda made, w, lr: torch.allclose(made[0], w.detach() + lr*w.grad))
    def adds(w, lr):
        with torch.no_grad(): w += lr*w.grad

    @wrong('PyTorch takes notes on `w` and refuses to have it changed. The step is no part of the '
           'calculation: what turns the notes off for a while?',
           when=lambda made, w, lr: 'in-place' in str(made.error))
    def with_notes(w, lr): w -= lr*w.grad

    @wrong('`w` itself is as it was. You have made a *new* tensor, and whoever holds the old one, '
           'a model for one, sees nothing of it.',
           when=lambda made, w, lr: made[0].equal(w.detach()) and (
               made[1] == 'nothing' or torch.is_tensor(made[1])))
    def new_tensor(w, lr):
        w = w - lr*w.grad
        return w

    @wrong('The direction is right, but each step is as long as the rate, however steep it is. '
           'Such steps never get shorter near the bottom.')
    def sign_only(w, lr):
        with torch.no_grad(): w -= lr*w.grad.sign()

    @wrong('The whole slope was taken away, and the learning rate has no say.')
    def no_rate(w, lr):
        with torch.no_grad(): w -= w.grad


CARDS = 'start forget predict loss gradient step repeat stop'.split()


class seven_steps(Do):
    """
    The seven steps, and an eighth that is easily forgotten, as cards: `'gradient'`, `'step'`,
    `'stop'`, `'forget'` (the old gradient), `'loss'`, `'repeat'`, `'start'`, `'predict'`. Write a
    list with all of them in an order that works. `'repeat'` goes back to the card after
    `'start'`.
    """
    question, concept = 14, 'SGD'
    hints = ('One comes before all rounds, two come after them, and five make a round.',
             'What does each card need? The loss needs predictions, the step needs slopes.',
             'New slopes are added to the old ones. Where may the old ones not be thrown away?')
    why = ('Start, predict, loss, gradient, step, repeat, stop. The old gradient may go anywhere '
           'but between the new one and the step that uses it.')

    @right
    def forget_first(): return 'start forget predict loss gradient step repeat stop'.split()

    @right
    def forget_last(): return 'start predict loss gradient step forget repeat stop'.split()

    @outcome
    def where_they_lead(given):
        "The x of four rounds on x squared, or what is missing for a card"
        if unknown := [card for card in given if card not in CARDS]: return unknown
        if sorted(given) != sorted(CARDS): return 'not each card once'
        first, *a_round = given
        if [first, *a_round[-2:]] != ['start', 'repeat', 'stop']: return 'no frame'
        x, prediction, loss_at, slope, visited = 3., None, None, None, []
        for _ in range(4):
            for card in a_round[:-2]:
                if card == 'predict': prediction = x
                elif card == 'loss':
                    if prediction is None: return 'loss of nothing'
                    loss_at = prediction
                elif card == 'gradient':
                    if loss_at is None: return 'gradient of nothing'
                    slope = (slope or 0.) + 2*loss_at
                elif card == 'forget': slope = 0. if slope is not None else None
                elif slope is None: return 'step by nothing'
                else: x -= .2*slope
            visited.append(x)
        return visited

    @wrong('The step comes before the first gradient: it has no slopes to go by yet.',
           when=lambda made: made == 'step by nothing')
    def step_first(): return 'start predict loss step gradient forget repeat stop'.split()

    @wrong('The loss comes before the predictions. In the first round there are none yet, and in '
           'all later ones they are old: made before the step.',
           when=lambda made: made == 'loss of nothing')
    def old_predictions(): return 'start forget loss gradient step predict repeat stop'.split()

    @wrong('The gradient comes before the loss. It is the gradient *of* the loss.',
           when=lambda made: made == 'gradient of nothing')
    def loss_later(): return 'start forget predict gradient loss step repeat stop'.split()

    @wrong('The new gradient is forgotten before the step uses it, so nothing ever moves.',
           when=lambda made: made == [3.]*4)
    def forgets_the_new(): return 'start predict loss gradient forget step repeat stop'.split()

    @wrong('The start comes once, before all rounds, and at the end stand the card that goes back '
           'and then the one that stops.', when=lambda made: made == 'no frame')
    def start_again(): return 'predict start loss forget gradient step repeat stop'.split()

    @wrong('Each of the eight cards is wanted, and each once.',
           when=lambda made: made == 'not each card once')
    def seven_only(): return 'start predict loss gradient step repeat stop'.split()


class bounce(Predict):
    "On x squared you start at x = 3 and take *two* steps at a rate of 0.75. Where are you?"
    concept = 'step'
    hints = ('The slope of x squared is 2x, also when x is negative.',
             'One step multiplies x by 1 minus twice the rate.')
    value, within = .75, .004
    wrong = {-1.5: 'That is where the first step leads, to the other side. One more.',
             .1875: 'The slope of x squared is *twice* x.',
             18.75: 'That goes uphill: each step goes against the slope.',
             -6: 'After the first step you are on the other side, and the slope is a different '
             'one there. The second step comes back.'}
    why = ('One step multiplies x by 1 - 2 · 0.75 = -0.5: to -1.5, then to 0.75. From side to side, '
           'and each time half as far.')


class largest_rate(Do):
    """
    A loss is a sum of bowls, one for each of its knobs, and `bends` lists their curvatures. All
    knobs take their steps with the same learning rate. Write `largest_rate(bends)`: the border
    that it must stay below, so that no knob runs off.
    """
    question, concept = 17, 'learning rate'
    equal = {'strictest: 2 / bend < found -> 2 / bend <= found': 'of two equal ones either will do'}
    hints = ('For one bowl the border stands above, in the formula for its curvature.',
             'If the rate is good for one bowl and too high for another, what becomes of the second?',
             'The border of each bowl, and then the strictest of them.')
    why = ('A slope is right only close by. Beyond 2 over the curvature a step lands higher than it '
           'started, and each further one makes it worse; the most strongly bent bowl sets the '
           'border for all.')

    @cases
    def curvatures(): return [([4.],), ([.5],), ([1., 4.],), ([4., 5.],), ([5., .5, 2.],)]

    @right
    def steepest(bends): return 2/max(bends)

    @right
    def strictest(bends):
        found = float('inf')
        for bend in bends:
            if 2/bend < found: found = 2/bend
        return found

    @wrong('At one over the curvature a single step leads straight to the bottom. It may be larger '
           'than that, with jumps to the other side.')
    def one_over(bends): return 1/max(bends)

    @wrong('That is the border of the flattest bowl. What happens at such a rate in the others?')
    def flattest(bends): return 2/min(bends)

    @wrong('Turned upside down: this allows *more* where the bowl bends more.')
    def upside_down(bends): return max(bends)/2

    @wrong('The mean of the curvatures is too mild: the steepest bowl bends more than that, and its '
           'knob runs off.')
    def mean_bend(bends): return 2*len(bends)/sum(bends)


class both_sides(Do):
    """
    Write `both_sides(func, x, h)`: the slope of `func` at `x`, measured from `h` to the left of `x` to
    `h` to the right of it.
    """
    concept = 'slope'
    equal = {'mean_of_two: ((func(x + h) - here) / h, (here - func(x - h)) / h) -> '
             '((here - func(x - h)) / h, (func(x + h) - here) / h)': 'a sum in another order'}
    hints = ('Rise over run. How long is the run?', 'From `x - h` to `x + h` it is `2*h`.')
    why = ('Measured to both sides, the error of a parabola cancels, and that of other curves is '
           'smaller by far than with a step to one side.')

    @cases
    def curves():
        return [(lambda x: 3*x, 2., .5), (lambda x: x**2, 1., .5), (lambda x: x**3, -1., .25)]

    @right
    def over_the_run(func, x, h): return (func(x + h) - func(x - h))/(2*h)

    @right
    def mean_of_two(func, x, h):
        here = func(x)
        right, left = (func(x + h) - here)/h, (here - func(x - h))/h
        return (right + left)/2

    @wrong('That is measured to the right only.')
    def one_side(func, x, h): return (func(x + h) - func(x))/h

    @wrong('The run is as long as both steps together.')
    def half_the_run(func, x, h): return (func(x + h) - func(x - h))/h

    @wrong('The sign is wrong: what rises to the right has a positive slope.')
    def backwards(func, x, h): return (func(x - h) - func(x + h))/(2*h)

    @wrong('That is the rise. Divide it by the run.')
    def rise(func, x, h): return func(x + h) - func(x - h)
