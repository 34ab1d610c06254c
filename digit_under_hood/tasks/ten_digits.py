"Tasks of chapter 08a, ten digits."
import torch
import torch.nn.functional as F

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.practice import Do, FixIt, cases, right, wrong


class safe_softmax(FixIt):
    """
    One row of scores a picture, `(n, k)`. The shares come out as `nan` as soon as a score is above
    88. Repair it: scores of any size are to give the shares that they stand for.
    """
    concept, planted = 'softmax', 'naive'
    equal = {f'{name}: 1 -> -1': 'axis 1 is the last one' for name in ('largest', 'library')}
    hints = ('What is `torch.tensor(89.).exp()` in float32?',
             'What may be added to all scores of a row, without changing one of its shares?',
             'After the change, the largest number that goes into `exp` should be 0.')
    why = ('Shares depend on differences of scores alone. With the largest of each row subtracted, '
           'the largest exponent is 0, so nothing overflows, and the sum is at least 1.')

    @cases
    def rows():
        return [(torch.tensor([[1., 2.]]),), (torch.tensor([[3., 3., 3.], [0., 1., 2.]]),),
                (torch.tensor([[100., 101.]]),), (torch.tensor([[0., -1000.], [500., 499.]]),),
                (torch.tensor([[-300., -299., -310.]]),)]

    @right
    def largest(scores):
        e = (scores - scores.amax(1, keepdim=True)).exp()
        return e/e.sum(1, keepdim=True)

    @right
    def library(scores): return F.softmax(scores, 1)

    @right
    def differences(scores):
        return 1/(scores[:, None, :] - scores[:, :, None]).exp().sum(2)

    @wrong('Still as before: `exp` of a large score is `inf`, and `inf/inf` is `nan`.')
    def naive(scores):
        e = scores.exp()
        return e/e.sum(1, keepdim=True)

    @wrong('One number is subtracted for all rows. A row far below it becomes 0/0. Each row has a '
           'largest score of its own.')
    def one_for_all(scores):
        e = (scores - scores.max()).exp()
        return e/e.sum(1, keepdim=True)

    @wrong('Cut off, no score overflows, but two scores above the limit get the same share. What '
           'matters is how far they are apart.')
    def clamped(scores):
        e = scores.clamp(-80, 80).exp()
        return e/e.sum(1, keepdim=True)

    @wrong('Now the largest score is divided by, and so other differences come out. What may be '
           'done to all scores without changing the shares: multiply, or add?')
    def divided(scores):
        e = (scores/scores.abs().amax(1, keepdim=True)).exp()
        return e/e.sum(1, keepdim=True)

    @wrong('Along the wrong axis: now each *column* adds up to 1. The shares of one picture stand '
           'in a row.')
    def columns(scores): return F.softmax(scores, 0)


class first_loss(Predict):
    """
    A model with ten classes knows nothing yet, and gives each of them the same share. What is its
    cross-entropy? (Two decimals will do.)
    """
    concept = 'cross-entropy'
    hints = ('Which share does the right answer get?', 'Minus the natural logarithm of that.')
    value, within = 2.303, .006
    wrong = {.1: 'That is the share of the right answer. The loss is minus its logarithm.',
             .9: 'That is one minus the share. The logarithm is what cross-entropy takes.',
             1.0: 'That is the logarithm to base 10. Torch, and `exp`, go with the natural one.',
             .693: 'That is the loss of a coin toss between *two* classes, -log 0.5.',
             -2.303: 'The logarithm of 0.1 is negative, and the loss is *minus* that.'}
    why = ('-log 0.1 = log 10 = 2.303. A first loss far above it says that the start is too wild; '
           'one far below, that something gives the answer away.')


class first_push(Predict):
    """
    All ten shares are 0.1. What is the slope of the loss of this picture for the score of the
    *right* class?
    """
    concept = 'gradient'
    hints = ('The formula has two letters.', 'The target of the right class is 1.')
    value, within = -.9, .005
    wrong = {.9: 'The right size. But does the loss grow or fall when the right score grows?',
             .1: 'That is the slope for each of the nine wrong ones.',
             -.1: 'The target counts 1, and the share is to be held against it.',
             -.09: 'Here nothing is squared, and there is no sigmoid: share minus target.'}
    why = 'p - y = 0.1 - 1. Each of the nine others gets 0.1, so all ten together come to 0.'


class log_loss(Do):
    """
    Write `log_loss(scores, targets)`: the mean cross-entropy of scores `(n, k)` and class numbers
    `(n,)`, also where shares are too small for float32. (`F.cross_entropy` and its relatives would
    be no practice.)
    """
    concept = 'cross-entropy'
    equal = {f'{name}: 1 -> -1': 'axis 1 is the last one' for name in ('undone', 'by_hand')}
    hints = ('For one picture it is the log-sum-exp of its scores, minus the score of the right class.',
             '`torch.logsumexp(scores, 1)` is safe for large scores.',
             '`scores[torch.arange(len(scores)), targets]` picks one score out of each row.')
    why = ('The logarithm takes the exponential back. Done on paper, before the computer rounds, '
           'no share has to be small enough to vanish.')

    @cases
    def batches():
        rng = torch.Generator().manual_seed(8)
        return [(torch.zeros(1, 2), torch.tensor([1])), (torch.tensor([[2., 0., 1.]]), torch.tensor([2])),
                (torch.randn(5, 4, generator=rng), torch.tensor([0, 3, 1, 1, 2])),
                (torch.tensor([[0., -200.], [0., 1.]]), torch.tensor([1, 1])),
                (torch.tensor([[500., 0., 10.]]), torch.tensor([0]))]

    @right
    def undone(scores, targets):
        right = scores[torch.arange(len(scores)), targets]
        return (torch.logsumexp(scores, 1) - right).mean()

    @right
    def by_hand(scores, targets):
        shifted = scores - scores.amax(1, keepdim=True)
        right = shifted.gather(1, targets[:, None])[:, 0]
        return (shifted.exp().sum(1).log() - right).mean()

    @right
    def one_by_one(scores, targets):
        losses = [torch.log_softmax(row, 0)[target] for row, target in zip(scores, targets)]
        return -sum(losses)/len(losses)

    @wrong('On paper that is right. But where a share is too small for float32 it is 0, and the '
           'logarithm of 0 is infinite.')
    def share_first(scores, targets):
        return -scores.softmax(1)[torch.arange(len(scores)), targets].log().mean()

    @wrong('Minus the *share* of the right answer: that loss hardly pushes where the share is '
           'small. Where is the logarithm?')
    def no_log(scores, targets):
        return -scores.softmax(1)[torch.arange(len(scores)), targets].mean()

    @wrong('The sign: a good answer should cost little, and this is below 0.')
    def no_minus(scores, targets):
        return torch.log_softmax(scores, 1)[torch.arange(len(scores)), targets].mean()

    @wrong('This adds up over the pictures. With twice as many it is twice as large, and so would '
           'be the step.', when=lambda made, scores, targets: made.isclose(
               F.cross_entropy(scores, targets, reduction='sum')))
    def added(scores, targets): return F.cross_entropy(scores, targets, reduction='sum')

    @wrong('Each picture has its loss now. The loss of a batch is one number.',
           when=lambda made, scores, targets: made.numel() == len(scores))
    def one_each(scores, targets): return F.cross_entropy(scores, targets, reduction='none')

    @wrong('The mean over all classes, right and wrong. Only the class of the target counts.')
    def all_classes(scores, targets): return -torch.log_softmax(scores, 1).mean()


class top_two(Do):
    """
    Write `top_two(scores, targets)`: the share of pictures whose class is among the *two* with the
    highest scores. `scores` is `(n, k)`, `targets` is `(n,)`.
    """
    concept = 'metric'
    equal = {f'{name}: 1 -> -1': 'axis 1 is the last one'
             for name in ('topk', 'better_ones', 'sorted_rows')}
    hints = ('`scores.topk(2)` has values and `indices`, two a row.',
             'Compare the indices `(n, 2)` with the targets as a column.',
             'A row counts once, if *any* of its two comparisons holds.')
    why = ('The comparison is a table of `(n, 2)`. At most one of a row can be true, so its sum '
           'over rows and columns, divided by n, is the share.')

    @cases
    def batches():
        rng = torch.Generator().manual_seed(2)
        three = torch.tensor([[3., 1., 2.], [3., 1., 2.], [3., 1., 2.]])
        return [(three[:1], torch.tensor([0])), (three[:1], torch.tensor([1])),
                (three, torch.tensor([0, 2, 1])), (three.flip(0), torch.tensor([2, 2, 2])),
                (torch.randn(9, 5, generator=rng), torch.tensor([0, 1, 2, 3, 4, 0, 1, 2, 3]))]

    @right
    def topk(scores, targets):
        return (scores.topk(2).indices == targets[:, None]).any(1).float().mean()

    @right
    def better_ones(scores, targets):
        right = scores.gather(1, targets[:, None])
        return ((scores > right).sum(1) < 2).float().mean()

    @right
    def sorted_rows(scores, targets):
        best = scores.argsort(1, descending=True)[:, :2]
        return sum(t in row for t, row in zip(targets, best))/len(targets)

    @wrong('That is the plain accuracy: only the first of the two counts here.')
    def only_first(scores, targets): return (scores.argmax(1) == targets).float().mean()

    @wrong('Only the *second* best counts here. The best one is among the two as well.')
    def only_second(scores, targets):
        return (scores.topk(2).indices[:, 1] == targets).float().mean()

    @wrong('The mean over the whole table. A row can have only one hit in two, so this is half of '
           'what is asked.')
    def table(scores, targets):
        return (scores.topk(2).indices == targets[:, None]).float().mean()

    @wrong('Those with the *lowest* scores.')
    def lowest(scores, targets):
        return (scores.topk(2, largest=False).indices == targets[:, None]).any(1).float().mean()

    @wrong('That is how many, not which share.')
    def counted(scores, targets):
        return (scores.topk(2).indices == targets[:, None]).any(1).sum()


class grey_costs(Choose):
    "Why does L1 with ten mean images call a third of all digits a 1?"
    concept = 'L1 distance'
    hints = ('Look at the ten means: which of them has the least grey?',
             'A pixel is ink for half of the 8s. What does a grey of ½ cost there, by L1, and what '
             'would white cost?')
    right = ('By L1 a grey pixel costs as much as a wild guess, and the ideal 1 has the fewest of '
             'them.')
    wrong = {
        'There are more 1s than other digits.': 'A little more, 11 in 100. And the means know '
        'nothing of how many images went into them.',
        'The 1 is the easiest digit, so most of them are right.': '99 of 100 are. But far more than '
        'the 1s are called a 1: other digits are taken for it.',
        'The other means hold more ink, and dark pixels count more than light ones.': 'A difference '
        'counts the same wherever it lies. What do the *grey* ones cost?'}
    why = ('Where half of the images have ink, a grey of ½ is off by ½ every time. White is off by 0 '
           'or 1: on average ½ as well. So caution is never rewarded, and the mean with the least '
           'grey is near to everything. By squares grey costs ¼ and white ½.')


class same_shares(Choose):
    "All ten scores of a picture grow by 3. What happens to its ten shares?"
    concept = 'softmax'
    hints = ('`exp(s + 3)` is `exp(s)` times something.', 'Which number has to be divided by now?')
    right = 'Nothing.'
    wrong = {
        'All of them grow.': 'They cannot: they always sum to 1.',
        'The largest one grows, the others shrink.': 'That is what *multiplying* the scores does.',
        'They come nearer to one another.': 'They would if the scores were divided by a number. The '
        'distance between two scores is what it was.'}
    why = ('Each exponential grows by the same factor, and so does their sum. That is why the ten '
           'scores have one freedom too many, and why the largest may be subtracted.')


class no_softmax(Choose):
    "The training is over, and all you want is the answer. Is the softmax still needed?"
    concept = 'softmax'
    hints = ('Which score gets the largest share?', '`exp` always rises, and the sum is the same for '
             'all ten.')
    right = 'No: the largest score has the largest share.'
    wrong = {
        'Yes: scores can be negative, and then `argmax` makes no sense.': 'It does: the largest of ten '
        'negative numbers is still the largest.',
        'Yes: without it two scores may be equally large.': 'Then their shares are equal as well.',
        'No, but the answer is a different one then.': 'The order of the ten is the same before and '
        'after, so the first of them is, too.'}
    why = ('Softmax keeps the order. It is needed for the loss, and wherever one asks how sure the '
           'answer is.')


class why_people(Choose):
    "What does holding out *people* tell you, that holding out pictures drawn at random does not?"
    concept = 'validation set'
    hints = ('Whose digits are on both sides, when pictures are drawn at random?',
             'Who will use the program?')
    right = 'How the model does on the digits of somebody whom it has never met.'
    wrong = {
        'How the model does on pictures that it has never met.': 'Pictures drawn at random have not '
        'been met either. But their writers have.',
        'Which writers are hard to read.': 'One can see that as well. But one could see it with '
        'pictures drawn at random too.',
        'The same, only with fewer pictures.': 'The number is up to us. Think of the ninety digits '
        'that one person wrote: on which side are they?'}
    why = ('Ten 4s in one hand are nearly the same 4. If nine of them are learned, the tenth is half '
           'known, and the accuracy is that of a model among friends.')
