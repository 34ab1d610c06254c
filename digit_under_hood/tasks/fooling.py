"Tasks of chapter 10a, fooling it."
import torch
import torch.nn.functional as F

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.practice import Do, FixIt, cases, right, wrong


class one_step(Do):
    """
    Write `one_step(image, gradient, eps)`: the fast gradient sign method by hand. Each pixel moves by
    `eps` in the direction in which the loss *grows*, and stays between 0 and 1. A pixel with
    gradient 0 stays where it is.
    """
    concept = 'FGSM'
    hints = ('What does `.sign()` give for -3, 0 and 0.001?', '`.clamp(0, 1)` keeps paper paper.')
    why = ('Only the direction of each slope counts: every pixel goes the whole way that it is '
           'allowed. What leaves the range of ink is cut off.')

    @cases
    def images():
        image, slope = torch.tensor([[0., .5], [1., .2]]), torch.tensor([[-3., 2.], [.5, 0.]])
        return [(torch.tensor([.5]), torch.tensor([.01]), .1), (image, slope, .1),
                (image, -slope, .3), (image.flatten(), slope.flatten(), .05)]

    @right
    def signs(image, gradient, eps): return (image + eps*gradient.sign()).clamp(0, 1)

    @right
    def up_and_down(image, gradient, eps):
        moved = torch.where(gradient > 0, image + eps, image)
        moved = torch.where(gradient < 0, image - eps, moved)
        return torch.minimum(torch.maximum(moved, torch.zeros(())), torch.ones(()))

    @wrong('Here steep pixels move far and flat ones hardly at all. Each is allowed the whole `eps`.')
    def unsigned(image, gradient, eps): return (image + eps*gradient).clamp(0, 1)

    @wrong('That goes downhill, as training does with weights. Here the loss is to grow.')
    def downhill(image, gradient, eps): return (image - eps*gradient.sign()).clamp(0, 1)

    @wrong('Some pixels have left the range: less than no ink, or more than black.')
    def unclamped(image, gradient, eps): return image + eps*gradient.sign()

    @wrong('That is only the change. Where is the image that it is added to?')
    def change(image, gradient, eps): return (eps*gradient.sign()).clamp(0, 1)


class most_push(Predict):
    """
    A linear model has 784 weights, each 0.02 or -0.02. Every pixel may change by 0.1, and none is at
    the end of its range. By how much can its score change at most?
    """
    concept = 'adversarial example'
    hints = ('How much does the score change with one pixel that changes by 0.1?',
             'The sign of each change is ours to choose, so nothing cancels.')
    why = '784 times 0.1 times 0.02: each push is tiny, and all of them point the same way.'
    value, within = 1.568, .01
    wrong = {.056: 'That is about what random signs give: they cancel, and the sum grows with the '
                   'root of 784.',
             .002: 'That is what one pixel does. There are 784.',
             15.68: 'That is without the 0.1: each pixel changes by a tenth of its range.'}


class back_into(Do):
    """
    Write `back_into(moved, image, eps)`: bring `moved` back to where it may be. No pixel may be farther
    than `eps` from its value in `image`, and all stay between 0 and 1.
    """
    concept = 'PGD'
    hints = ('For each pixel there is a lowest and a highest value. Which?',
             '`clamp` takes tensors too: `moved.clamp(low, high)`.')
    why = ('A box around the image, cut off at paper and at ink: each pixel goes to the nearest '
           'value in it. That is the *projection* in the name of the method.')

    @cases
    def moves():
        rng = torch.Generator().manual_seed(10)
        image = torch.tensor([0., .5, 1., .98])
        return [(torch.tensor([.9]), torch.tensor([.5]), .1),
                (torch.tensor([-.5, .45, 1.5, .5]), image, .1),
                (torch.rand(3, 4, generator=rng)*2 - .5, torch.rand(3, 4, generator=rng), .2)]

    @right
    def box(moved, image, eps): return moved.clamp((image - eps).clamp(min=0), (image + eps).clamp(max=1))

    @right
    def change_first(moved, image, eps): return (image + (moved - image).clamp(-eps, eps)).clamp(0, 1)

    @wrong('All pixels are ink or paper, but some are farther than `eps` from where they began.')
    def only_range(moved, image, eps): return moved.clamp(0, 1)

    @wrong('None is too far from where it began, but some are less than 0 or more than 1.')
    def only_eps(moved, image, eps): return image + (moved - image).clamp(-eps, eps)

    @wrong('That is the change, not the image with the change.')
    def change(moved, image, eps): return (moved - image).clamp(-eps, eps)

    @wrong('Every pixel has gone the whole `eps`. One that is nearer stays where it is.')
    def whole_way(moved, image, eps): return (image + eps*(moved - image).sign()).clamp(0, 1)


class towards(FixIt):
    """
    `towards(weights, image, target, eps)` is to make one step of size `eps` that has a linear model
    (weights of shape `(784, 10)`, no bias) call `image` a `target`. But the more it changes, the
    *less* the model believes in that digit. Repair it.
    """
    concept, planted = 'targeted attack', 'uphill'
    hints = ('The loss is that of the digit we want to be seen. Should it grow or shrink?',
             'What does a training step do with the gradient, and what is done here?')
    why = ('The loss of the *right* digit is to grow; the loss of the *wanted* one is to shrink. With '
           'a target the step goes downhill, as in training.')

    @cases
    def models():
        rng = torch.Generator().manual_seed(3)
        return [(torch.randn(784, 10, generator=rng)/9, torch.rand(784, generator=rng), target, eps)
                for target, eps in ((7, .01), (0, .05), (3, .2))]

    @right
    def downhill(weights, image, target, eps):
        pixels = image.clone().requires_grad_()
        loss = F.cross_entropy(pixels @ weights, torch.tensor(target))
        step = torch.autograd.grad(loss, pixels)[0].sign()
        return (image - eps*step).clamp(0, 1)

    @right
    def by_hand(weights, image, target, eps):
        shares = (image @ weights).softmax(0)
        shares[target] -= 1
        return (image - eps*(weights @ shares).sign()).clamp(0, 1)

    @wrong('It still goes uphill: away from the digit that it wants.')
    def uphill(weights, image, target, eps):
        pixels = image.clone().requires_grad_()
        loss = F.cross_entropy(pixels @ weights, torch.tensor(target))
        step = torch.autograd.grad(loss, pixels)[0].sign()
        return (image + eps*step).clamp(0, 1)

    @wrong('The direction is right. But what has become of paper and ink, of 0 and 1?')
    def unclamped(weights, image, target, eps):
        shares = (image @ weights).softmax(0)
        shares[target] -= 1
        return image - eps*(weights @ shares).sign()

    @wrong('Every slope has its own size here. Each pixel may go the whole `eps`: what is missing?')
    def unsigned(weights, image, target, eps):
        shares = (image @ weights).softmax(0)
        shares[target] -= 1
        return (image - eps*(weights @ shares)).clamp(0, 1)

    @wrong('That leaves the digit that is the answer now. The wanted one is another.')
    def away(weights, image, target, eps):
        shares = (image @ weights).softmax(0)
        shares[shares.argmax()] -= 1
        return (image + eps*(weights @ shares).sign()).clamp(0, 1)


class what_it_proves(Choose):
    """
    `smallest_eps` gives 0.2 for a model and a digit. A colleague says: "So no change below 0.2 fools
    it." What do you answer?
    """
    concept = 'adversarial example'
    hints = ('How was the number found, and what does a search that failed show?',)
    why = ('A search that finds something proves that it is there. One that finds nothing proves '
           'nothing: a better one may. For a linear model there is a formula; a proof for a network '
           'takes far more work.')
    right = 'We only know that a change of 0.2 does; a better search may find a smaller one.'
    wrong = {'Right: the gradient points to the nearest wrong answer.':
             'Only for a linear model of two classes. With more, or with bends, the way turns, and '
             'a walk can end in a corner.',
             'Right, if enough steps were taken.': 'More steps make it likelier, not certain: the '
             'walk follows one path of many.',
             'Wrong: random noise of 0.1 would have done it as well.': 'Noise pushes each pixel its '
             'own way, and the pushes cancel. It needs far more than the gradient does.'}
