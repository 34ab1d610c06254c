"Tasks of chapter 05b, the slope of 785 numbers."
import torch

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.gradients import grad_by_hand
from digit_under_hood.mnist_linear import linear1, mnist_loss
from digit_under_hood.practice import Do, cases, outcome, right, wrong


class second_slope(Predict):
    "What do you get, in the same way, for the second weight?"
    concept = 'gradient'
    hints = ('The 3 has half a unit of ink there, the 7 a whole one.',
             'Ink times its eighth, for each of the two, and then the sum.')
    value, within = .0625, .0005
    wrong = {.125: 'That is the share of the 7 alone. The 3 has some ink there too.',
             -.0625: 'That is the share of the 3 alone. The 7 has ink there too.',
             .1875: 'The two pull in opposite directions: mind the signs of the eighths.',
             .03125: 'The two eighths have the mean over both images in them already. Just add.'}
    why = 'Half an eighth with a minus from the 3, a whole eighth from the 7: together 1/16.'


class corner_weight(Choose):
    "The pixel in the top left corner is white in all images. What is the gradient of its weight?"
    concept = 'gradient'
    hints = ('What does a nudge of this weight do to the score of an image?',
             'Each image passes on its share: ink times something.')
    right = 'zero, so it never changes, whatever the training does'
    wrong = {
        'a quarter, the slope of the sigmoid at score 0': 'That is one link of the chain. Another '
        'one is the ink of the pixel, and the chain multiplies.',
        'zero in the first step, and something else once the other weights have moved': 'Moving '
        'others changes the predictions, but not the ink in this corner.',
        'none: autograd gives `None` for a weight that has no effect': 'The weight takes part in the '
        'calculation, with a factor of 0. `None` is for what took no part in it.'}
    why = 'Each share is multiplied by the ink there, and that is 0 for each image.'


class go_backward(Do):
    """
    Write `go_backward(xb, yb, weights, bias)`: what `mnist_loss(linear1(xb, weights, bias),
    yb).backward()` does, with the help of `grad_by_hand`.
    """
    question, concept = 30, 'backward pass'
    hints = ('Who sees the slopes afterwards, and where?',
             'What if there is something in `weights.grad` already? And if it is still `None`?')
    verb = 'leaves'
    why = ('It walks from the loss back along the calculation, multiplies the slopes on its way, '
           'and *adds* the slope for each parameter to its `.grad`. It changes no parameter.')

    @cases
    def batches():
        rng = torch.Generator().manual_seed(30)
        found = []
        for n, p, used in ((1, 2, False), (1, 2, True), (4, 3, True)):
            xb, yb = torch.rand(n, p, generator=rng), torch.arange(n)[:, None] % 2
            weights, bias = (torch.randn(*size, generator=rng, requires_grad=True)
                             for size in ((p, 1), (1,)))
            if used: weights.grad, bias.grad = torch.ones(p, 1), torch.tensor([2.])
            found.append((xb, yb.float(), weights, bias))
        return found

    @outcome
    def parameters_and_slopes(given, xb, yb, weights, bias):
        kept = [p.grad is None or p.grad.clone() for p in (weights, bias)]
        back = given(xb, yb, weights, bias)
        found = {'weights': weights.detach(), 'bias': bias.detach(), 'weights.grad': weights.grad,
                 'bias.grad': bias.grad}
        idle = all(p.grad is None or p.grad.equal(torch.as_tensor(old))
                   for p, old in zip((weights, bias), kept))
        return found | {'given back': back} if idle else found

    @right
    def adds_up(xb, yb, weights, bias):
        for p, slope in zip((weights, bias), grad_by_hand(xb, yb, weights, bias)):
            p.grad = slope if p.grad is None else p.grad + slope

    @right
    def autograd(xb, yb, weights, bias): mnist_loss(linear1(xb, weights, bias), yb).backward()

    @wrong('What was in `.grad` before is gone. `backward` keeps it.')
    def overwrites(xb, yb, weights, bias):
        weights.grad, bias.grad = grad_by_hand(xb, yb, weights, bias)

    @wrong('The slopes are handed out, and nothing is left in `.grad`, where the step looks for '
           'them.', when=lambda made, *args: len(made['given back']) == 2)
    def hands_out(xb, yb, weights, bias): return grad_by_hand(xb, yb, weights, bias)

    @wrong('The parameters have moved. Finding the slopes is one thing, the step is another, and '
           '`backward` does only the first.',
           when=lambda made, xb, yb, weights, bias: not made['weights'].equal(weights.detach()))
    def steps_too(xb, yb, weights, bias):
        with torch.no_grad():
            for p, slope in zip((weights, bias), grad_by_hand(xb, yb, weights, bias)): p -= slope

    @wrong('The weights have their slopes, but the bias is a parameter as well.')
    def no_bias(xb, yb, weights, bias):
        slope, _ = grad_by_hand(xb, yb, weights, bias)
        weights.grad = slope if weights.grad is None else weights.grad + slope

    @wrong('This adds to what is there. But at first nothing is: `.grad` of a parameter that was '
           'never asked is `None`.', when=lambda made, *args: 'NoneType' in str(made.error))
    def needs_some(xb, yb, weights, bias):
        for p, slope in zip((weights, bias), grad_by_hand(xb, yb, weights, bias)):
            p.grad += slope


class random_direction(Choose):
    "Why does the judge nudge along a *random* direction, and not by the same for all?"
    concept = 'finite difference'
    hints = ('What does a nudge by the same for all measure? A sum of what?',
             'One slope is too large by 1 and another too small by 1. Does the sum tell?')
    right = 'With equal nudges two mistakes could cancel in the sum.'
    wrong = {
        'A random direction is steeper, so the change of the loss is easier to see.': 'The steepest '
        'direction is the gradient itself. A random one is flatter.',
        'So that each slope is checked on its own.': 'They are all checked in one go, by their sum '
        'with different factors. That is what makes it cheap.',
        'So that each run checks something else, and in the end all is checked.': 'One direction '
        'checks all slopes already, and its seed is fixed.'}
    why = ('Equal nudges check only the sum of all slopes. Random sizes weigh each one differently, '
           'so that mistakes cancel only by a coincidence that does not happen.')


class in_float64(Choose):
    "Training runs in `float32`. Why is a gradient checked in `float64`?"
    concept = 'finite difference'
    hints = ('Two losses that are nearly equal are subtracted. How many digits are left?',
             'Think of the right arm of chapter 04\'s V.')
    right = 'Two nearly equal losses agree in most of their digits, and of seven too few are left.'
    wrong = {
        'Autograd works in `float64` inside.': 'It works in whatever the parameters are.',
        'In `float32` the gradient itself would be wrong.': 'It would be right to about seven '
        'digits, which is plenty for a step. The *measurement* is what needs more.',
        'Because large weights do not fit into a `float32`.': 'It goes up to more than 10 to the '
        '38th. What it lacks are digits.'}
    why = ('The nudge is small, so the difference keeps only the last few digits. A step needs no '
           'slope to seven digits, so training can do with fewer.')
