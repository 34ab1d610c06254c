"Tasks of chapter 05a, a score and a loss for every image."
import torch

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong


class rows_of(Do):
    """
    Write `rows_of(images)`: the same pixels as one flat row for each image, without a copy. A
    batch has the shape `(n, 28, 28)`, with any `n`.
    """
    question, concept = 27, 'view'
    hints = ('`view` wants one length for each axis of the result. How many axes has a table?',
             'The last axis holds all pixels of an image, and -1 says "work this one out".')
    verb = 'gives, as shape and first row, and whether it looks at the same memory,'
    why = ('`view` reads the same memory in another shape. -1 stands for the length that follows '
           'from the others, so it works for any number of images.')

    @cases
    def batches():
        return [(torch.arange(n*784.).view(n, 28, 28),) for n in (1, 2, 5)]

    @outcome
    def shape_row_memory(given, images):
        rows = given(images)
        first = rows.flatten()[:3], rows.shape[0] and rows[0].flatten()[-1]
        return rows.shape, *first, rows.data_ptr() == images.data_ptr()

    @right
    def view(images): return images.view(-1, 28*28)

    @right
    def flatten(images): return images.flatten(1)

    @wrong('Those are columns: 784 of them down, the images across. And each of them mixes pixels '
           'of different images.', when=lambda made, images: made[0][0] == 784 and len(made[0]) == 2)
    def turned(images): return images.reshape(784, -1)

    @wrong('The rows are right, but they are a copy. The same memory can be read in another shape.',
           when=lambda made, images: tuple(made[0]) == (len(images), 784) and not made[-1])
    def copied(images): return images.reshape(-1, 784).clone()

    @wrong('All images have become one long row. Where does one image end and the next begin?',
           when=lambda made, images: len(made[0]) == 1)
    def one_row(images): return images.view(-1)

    @wrong('This works only for one number of images, and the next batch may hold another.')
    def fixed(images): return images.view(2, 784)


class pair_up(Do):
    "Write `pair_up(xs, ys)`: the list of pairs that a data set is, one input and its target each."
    question, concept = 26, 'data set'
    hints = ('Python has a function that walks along two lists at once.',
             'What `zip` gives can be walked along once. A data set has a length and hands out a '
             'pair for an index.')
    why = ('A list of pairs of input and target has a length and gives a pair for an index, and '
           'that is all a data set needs.')

    @cases
    def lists():
        return [([1], ['a']), ([1, 2], ['a', 'b']), ([1, 2, 3, 4], list('abcd')), ([], [])]

    @outcome
    def length_and_pairs(given, xs, ys):
        pairs = given(xs, ys)
        return len(pairs), [pairs[i] for i in range(len(pairs))]

    @right
    def zipped(xs, ys): return list(zip(xs, ys))

    @right
    def by_index(xs, ys): return [(xs[i], ys[i]) for i in range(len(xs))]

    @wrong('`zip` alone is an iterator: it can be walked along once, has no length and no index. '
           'What makes a list of it?')
    def iterator(xs, ys): return zip(xs, ys)

    @wrong('That is each input with *every* target. Only those at the same place belong together.')
    def every_pair(xs, ys): return [(x, y) for x in xs for y in ys]

    @wrong('One list after the other: which target belongs to which input is lost.')
    def joined(xs, ys): return list(xs) + list(ys)

    @wrong('Two things, all inputs and all targets. Turn it: many things, each a pair.')
    def two_lists(xs, ys): return [xs, ys]


class scores_by_hand(Do):
    """
    Write `scores_by_hand(xb, weights, bias)`: what `linear1` does, without using it: one score for
    each image. `xb` is `(n, p)`, `weights` is `(p, 1)`, `bias` is `(1,)`, the scores are `(n, 1)`.
    """
    question, concept = 28, 'bias'
    hints = ('Multiply each pixel by its weight, add up, add the bias.',
             'What adds up the products of a whole table at once has a sign of its own.',
             'The bias is added once to each score, after the adding up.')
    why = ('The bias is one number for each score. Without it an image without ink would always '
           'score 0, whatever the weights are; with it, the model has a say there too.')

    @cases
    def batches():
        rng = torch.Generator().manual_seed(28)
        small = [(torch.tensor(xb), torch.tensor(w), torch.tensor([b])) for xb, w, b in (
            ([[0., 0.]], [[1.], [2.]], 3.), ([[1., 0.]], [[5.], [7.]], 1.),
            ([[1., 2.], [3., 4.]], [[10.], [1.]], .5))]
        return [*small, (torch.rand(5, 784, generator=rng), torch.randn(784, 1, generator=rng),
                         torch.tensor([-2.]))]

    @right
    def matrix(xb, weights, bias): return xb @ weights + bias

    @right
    def sums(xb, weights, bias):
        return torch.stack([(image*weights[:, 0]).sum() + bias[0] for image in xb])[:, None]

    @wrong('The bias is added to every product here, so it counts once for each pixel. It belongs '
           'to the score, after the adding up.')
    def at_each_pixel(xb, weights, bias): return (xb*weights.T + bias).sum(1, keepdim=True)

    @wrong('The score is multiplied by the bias. A page without ink still scores 0 then, and that '
           'is what the bias is there to change.')
    def multiplied(xb, weights, bias): return (xb @ weights)*bias

    @wrong('The bias is missing: a page without ink scores 0, whatever the weights are.')
    def no_bias(xb, weights, bias): return xb @ weights

    @wrong('The bias is taken away instead of added.')
    def taken_away(xb, weights, bias): return xb @ weights - bias

    @wrong('The numbers are right, but as a plain list. Remember the trap: a column `(n, 1)` and a '
           'list `(n,)` make a table when they are compared.')
    def a_list(xb, weights, bias): return (xb @ weights + bias)[:, 0]


class products(Do):
    """
    Write `products(a, b)`: what `a @ b` gives for two matrices `(n, k)` and `(k, m)`, without `@`
    and its relatives.
    """
    question, concept = 29, 'matrix multiplication'
    hints = ('The number in row i and column j comes from row i of `a` and column j of `b`.',
             'Multiply that row and that column pairwise, and add up.')
    why = ('Each row of the left one meets each column of the right one: multiply pairwise, add '
           'up. `xb @ weights` gives all images\' scores at once.')

    @cases
    def matrices():
        rng = torch.Generator().manual_seed(29)
        made = [(torch.tensor([[1., 2]]), torch.tensor([[10.], [1]])),
                (torch.tensor([[1., 2], [3, 4]]), torch.tensor([[0., 1], [1, 1]]))]
        return [*made, *((torch.randn(n, k, generator=rng), torch.randn(k, m, generator=rng))
                         for n, k, m in ((2, 3, 4), (3, 2, 2), (3, 3, 3)))]

    @right
    def loops(a, b):
        return torch.stack([torch.stack([(row*column).sum() for column in b.T]) for row in a])

    @right
    def broadcast(a, b): return (a[:, :, None]*b).sum(1)

    @wrong('`*` multiplies place by place, and where the shapes allow it, it does so silently. '
           'Nothing is added up yet.')
    def star(a, b): return a*b

    @wrong('You have met the columns of the left one with rows of the right one: the two have '
           'changed places.')
    def swapped(a, b): return (b[:, :, None]*a).sum(1)

    @wrong('Pairwise multiplied, but added up over the wrong axis: what has to go is the axis that '
           'both have in common, of length k.')
    def wrong_axis(a, b): return (a[:, :, None]*b).sum(2)

    @wrong('Those are the rows of `a` against the *rows* of `b`.')
    def rows_with_rows(a, b): return (a[:, None]*b).sum(2)


class safe_sigmoid(Do):
    """
    Write `safe_sigmoid(x)` for a tensor of scores, from the formula: right at -1000 and at 1000,
    and with a slope that is a number at -100. (`torch.sigmoid` itself would be no practice.)
    """
    question, concept = 21, 'sigmoid'
    equal = {'clamped: 80 -> 81': 'any limit will do at which the exponential is finite'}
    hints = ('The formula stands above: one over one plus something.',
             '$e^{100}$ is too large for a float. The value survives that, the slope does not.',
             'Let no score go below some limit before you take its exponential.')
    verb = 'gives as values and as slopes'
    why = ('An S from 0 to 1, through a half at score 0; always rising, smooth, and flat at both '
           'ends, so that images about which the model is sure have little say.')

    @cases
    def scores():
        return [(torch.tensor(x),) for x in ([0.], [1.], [-3.], [4., -4.], [-1000.], [1000.], [-100.])]

    @outcome
    def values_and_slopes(given, x):
        value = given(x.requires_grad_())
        return value, torch.autograd.grad(value.sum(), x)[0]

    @right
    def clamped(x): return 1/(1 + torch.exp(-x.clamp(min=-80)))

    @right
    def by_tanh(x): return torch.tanh(x/2)/2 + .5

    @wrong('It falls where it should rise: a high score gives a number near 0. Look at the sign '
           'in the exponential.')
    def falling(x): return 1/(1 + torch.exp(x.clamp(max=80)))

    @wrong('That has the form of an S, but goes from -1 to 1. A prediction lies between 0 and 1.')
    def tanh(x): return torch.tanh(x)

    @wrong('Far from 0 this is infinity over infinity, which is not a number.',
           when=lambda made, x: made[0].isnan().any())
    def ratio(x): return torch.exp(x)/(1 + torch.exp(x))

    @wrong('The values are right everywhere. But the slope at -100 is not a number, since there '
           'the exponential is infinite.', when=lambda made, x: not made[1].isfinite().all())
    def plain(x): return 1/(1 + torch.exp(-x))


class one_squash(FixIt):
    """
    This loss can never come near 0, even if all answers are right and sure. Repair it. The model
    gives scores, `targets` holds 1 for a 3 and 0 for a 7.
    """
    concept, planted = 'loss', 'twice'
    hints = ('What are the smallest and the largest number that `p` can be?',
             'The sigmoid of a number between 0 and 1 lies between 0.5 and 0.73.',
             'Each score is to be squashed once.')
    why = 'The model gives scores, and the loss does the squashing, once.'

    @cases
    def batches():
        scores, targets = torch.tensor([[4.], [-3.], [.5], [-9.]]), torch.tensor([[1.], [0.], [0.], [1.]])
        return [(scores[:n], targets[:n]) for n in (1, 2, 3, 4)] + [(40*scores, targets)]

    @right
    def once(scores, targets):
        p = torch.sigmoid(scores)
        return torch.where(targets == 1, 1 - p, p).mean()

    @right
    def by_sign(scores, targets):
        return torch.sigmoid(torch.where(targets == 1, -scores, scores)).mean()

    @wrong('Still squashed twice: sure and right, it costs 0.27 or more for a 3 and 0.5 for a 7.')
    def twice(scores, targets):
        p = torch.sigmoid(scores)
        p = torch.sigmoid(p)
        return torch.where(targets == 1, 1 - p, p).mean()

    @wrong('Now nothing squashes. A single huge score counts more than a thousand right answers, '
           'and the loss has no lowest value.')
    def never(scores, targets): return torch.where(targets == 1, 1 - scores, scores).mean()

    @wrong('Squashed once, but turned round: it is small where the answers are wrong.')
    def turned_round(scores, targets):
        p = torch.sigmoid(scores)
        return torch.where(targets == 1, p, 1 - p).mean()

    @wrong('Each image has its right distance now. The loss is to be one number for all of them.',
           when=lambda made, scores, targets: made.numel() == len(scores))
    def no_mean(scores, targets):
        p = torch.sigmoid(scores)
        return torch.where(targets == 1, 1 - p, p)


class column_of_targets(FixIt):
    """
    The scores of a batch have the shape `(n, 1)`, the targets come as a list `(n,)`, and the
    accuracy is wrong without complaint. Repair it: `(n,)` targets are what comes in.
    """
    concept, planted = 'unsqueeze', 'table'
    equal = {'column: 1 -> -1': 'after the only axis is also at the end'}
    hints = ('Print the shape of the comparison for four images.',
             'A column against a list: broadcasting makes a table of them.',
             'Which axis does the list lack, and which function adds one?')
    why = ('Both are columns now, so each score meets its own target, n comparisons and not n times '
           'n.')

    @cases
    def batches():
        scores = torch.tensor([[2.], [-1.], [.5], [-3.], [0.]])
        return [(scores[:len(y)], torch.tensor(y)) for y in (
            [1., 1.], [0., 0.], [1., 0., 0.], [1., 0., 1., 0.], [0., 1., 1., 1.], [1., 0., 0., 0., 1.])]

    @right
    def column(scores, targets):
        return ((scores > 0) == (targets.unsqueeze(1) == 1)).float().mean()

    @right
    def list_of_scores(scores, targets):
        return ((scores[:, 0] > 0) == (targets == 1)).float().mean()

    @wrong('There is still a table: every score is compared with every target, and the mean is '
           'taken over all of it.')
    def table(scores, targets): return ((scores > 0) == (targets == 1)).float().mean()

    @wrong('Each score meets its own target now, but it is counted when they *differ*.')
    def errors(scores, targets):
        return ((scores[:, 0] > 0) != (targets == 1)).float().mean()

    @wrong('That is how many are right, not which share of them.')
    def count(scores, targets): return ((scores[:, 0] > 0) == (targets == 1)).float().sum()


class no_slope(Choose):
    "Why is the accuracy no good as a loss?"
    question, concept = 20, 'loss'
    hints = ('Move one weight by very little. What happens to the scores, and what to the answers?',
             'A loss is followed downhill. What does a level floor say about the way down?')
    right = 'A small change of a weight almost never changes an answer, so its slope is 0.'
    wrong = {
        'It is between 0 and 1, and a loss may be any number above 0.': 'Our own loss lies between '
        '0 and 1 too. The range is no hindrance; what does it do when a weight moves a little?',
        'It gets larger when the model gets better, and a loss has to fall.': 'Then one minus the '
        'accuracy would do. It would not: it is as much a staircase as the accuracy.',
        'It is measured on the validation set, and a loss on the training set.': 'It can be measured '
        'on any set. Measured on the training set it is still no help: look at its slope.'}
    why = ('It changes only when an answer changes sides. So the slope is 0 almost everywhere, and '
           'where it is not there is a jump. Gradients of 0 tell no parameter where to go.')


class loss_or_metric(Choose):
    "Four properties. Which is one of the *metric*, and not of the loss?"
    question, concept = 22, 'metric'
    hints = ('One of the two is for the machine, the other one for people.',
             'Which of them do we want to be able to explain to somebody?')
    right = 'It says what we care about, in a number that people understand.'
    wrong = {
        'It must change when a parameter changes a little.': 'Without that the machine has no slope '
        'to follow. A metric may well be a staircase.',
        'Its gradient is computed at every step.': 'Only the loss is followed downhill. Nobody '
        'differentiates an accuracy.',
        'The lower it is, the better, and at best it is 0.': 'That is how our loss is built. The '
        'accuracy is best at 1.'}
    why = ('The loss is for the machine: it has to react to every small change of a parameter. The '
           'metric is for people, and is measured on images that the model has not seen.')


class opposite_model(Predict):
    "A random model has an accuracy of 0.2. You flip the sign of all its parameters. Its accuracy is?"
    concept = 'accuracy'
    hints = ('What becomes of each score?', 'What becomes of each answer, right or wrong?')
    value, within = .8, .005
    wrong = {.2: 'Each score changes its sign, and so each image gets the other answer.',
             .5: 'Only if half the answers were right before. Here it is 2 of 10.',
             -.2: 'A share cannot be negative. What becomes of each answer?'}
    why = ('Each answer turns into the other one, and each wrong answer into a right one. So for '
           'each model in the histogram there is a twin on the other side of a half.')
