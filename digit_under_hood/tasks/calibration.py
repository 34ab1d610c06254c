"Tasks of chapter 08b, how sure."
import torch

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.outcomes import told
from digit_under_hood.practice import Do, FixIt, cases, right, wrong
from digit_under_hood.projects import Project, step


class confusion_matrix(Do):
    """
    Write `confusion_matrix(preds, targets, k)`: a table `(k, k)` that counts, in the row of the
    true class and the column of the one that was named. (`confusion_counts` would be no practice.)
    """
    concept = 'confusion table'
    hints = ('Begin with `torch.zeros(k, k)` and go through the pairs.',
             'The row is what it is, the column what was said: `table[target, pred] += 1`.')
    why = 'Each row holds all items of one class, so it sums to how many there are, and the diagonal is what is right.'

    @cases
    def answers():
        rng = torch.Generator().manual_seed(8)
        many = [torch.randint(4, (30,), generator=rng) for _ in range(2)]
        return [(torch.tensor([1]), torch.tensor([0]), 2),
                (torch.tensor([0, 1, 1, 1]), torch.tensor([0, 1, 0, 0]), 3), (*many, 4), (*many, 5)]

    @right
    def loop(preds, targets, k):
        table = torch.zeros(k, k)
        for pred, target in zip(preds, targets): table[target, pred] += 1
        return table

    @right
    def pairs(preds, targets, k): return (targets*k + preds).bincount(minlength=k*k).view(k, k)

    @right
    def comparisons(preds, targets, k):
        return torch.tensor([[int(((targets == i) & (preds == j)).sum()) for j in range(k)]
                             for i in range(k)])

    @wrong('Turned over its diagonal: what was *said* goes into the column, what *is* into the row.')
    def turned(preds, targets, k):
        table = torch.zeros(k, k)
        for pred, target in zip(preds, targets): table[pred, target] += 1
        return table

    @wrong('A pair that comes twice is counted once. Fancy indexing with `+=` writes the same 1 '
           'twice; it does not add it twice.')
    def once(preds, targets, k):
        table = torch.zeros(k, k)
        table[targets, preds] += 1
        return table

    @wrong('Shares of each row. Asked is for how many.')
    def row_shares(preds, targets, k):
        table = torch.zeros(k, k)
        for pred, target in zip(preds, targets): table[target, pred] += 1
        return table/table.sum(1, keepdim=True).clamp(min=1)

    @wrong('The right ones are missing: the diagonal is to be counted as well.')
    def mistakes(preds, targets, k):
        table = torch.zeros(k, k)
        for pred, target in zip(preds, targets): table[target, pred] += (pred != target)
        return table


class one_gap(Predict):
    """
    Ten pictures. On four of them a model claims 0.6, and two are right. On six it claims 0.9, and
    all are right. What is its expected calibration error?
    """
    concept = 'calibration'
    hints = ('How far is each of the two groups from its word? Which way does not matter.',
             'Four of ten weigh 0.4, six of ten 0.6.')
    value, within = .1, .005
    wrong = {.02: 'The two gaps have different signs, and you have let them cancel.',
             -.02: 'The two gaps have different signs, and you have let them cancel.',
             .2: 'That is the sum of both gaps. Each counts by its share of the pictures.',
             .8: 'That is its accuracy.', .78: 'That is its mean claim. How far off are the groups?'}
    why = '0.4 times 0.1 plus 0.6 times 0.1. Too sure in one group, too modest in the other.'


class fair_gap(FixIt):
    """
    `fair_gap(claims, keeps, n)` is to be the expected calibration error from a table: what each
    group claims, which share it keeps, how many there are. But a model that is too sure in one
    group and as much too modest in another comes out as perfect. Repair it.
    """
    concept, planted = 'calibration', 'cancels'
    hints = ('Try two groups of the same size, off by 0.1 in opposite directions.',
             'Each gap is to count as a distance.')
    why = 'Distances cannot cancel. And each group counts by how many pictures are in it.'

    @cases
    def tables():
        rng = torch.Generator().manual_seed(3)
        return [(torch.tensor([.7]), torch.tensor([.5]), torch.tensor([4.])),
                (torch.tensor([.6, .9]), torch.tensor([.5, 1.]), torch.tensor([5., 5.])),
                (torch.tensor([.6, .9]), torch.tensor([.5, .7]), torch.tensor([1., 9.])),
                (*torch.rand(2, 6, generator=rng), torch.arange(1., 7.))]

    @right
    def distances(claims, keeps, n): return ((claims - keeps).abs()*n).sum()/n.sum()

    @right
    def loop(claims, keeps, n):
        return sum(abs(c - k)*m for c, k, m in zip(claims, keeps, n))/sum(n)

    @wrong('Gaps above and below still cancel.')
    def cancels(claims, keeps, n): return ((claims - keeps)*n).sum()/n.sum()

    @wrong('The distance is taken after the sum. By then they have cancelled.')
    def too_late(claims, keeps, n): return (((claims - keeps)*n).sum()/n.sum()).abs()

    @wrong('Now each *group* counts the same, also one of a single picture. Each picture should.')
    def by_group(claims, keeps, n): return (claims - keeps).abs().mean()

    @wrong('Squares: small gaps nearly vanish, and the result is no longer in points.')
    def squares(claims, keeps, n): return ((claims - keeps).square()*n).sum()/n.sum()

    @wrong('A sum over all pictures. It is to be the average for one.')
    def no_mean(claims, keeps, n): return ((claims - keeps).abs()*n).sum()


class cooled(Choose):
    "All ten scores are divided by 1.4. What can that *not* change?"
    concept = 'temperature'
    hints = ('Which of the ten is the largest afterwards?', 'And how large is its share?')
    right = 'The accuracy.'
    wrong = {
        'The loss.': 'It is what the temperature was chosen by.',
        'The shares.': 'They move towards one another: that is what it is for.',
        'Which pictures have a share above 0.9.': 'Fewer do: the shares of the answers sink.'}
    why = 'The largest score stays the largest, so each answer stays the same. Only its share changes.'


class answered(Do):
    """
    Write `answered(confidences, right, least)`: the share of pictures that are answered if those
    with a confidence below `least` are not, and the accuracy on those that are. `right` is True or
    False for each. If none is answered, the accuracy is 1.
    """
    concept = 'coverage'
    hints = ('Which pictures are answered? Make a tensor of True and False.',
             '`right[some]` with such a tensor picks the answered ones.')
    why = 'The two are a bargain: asking for more confidence costs coverage and buys accuracy.'

    @cases
    def pictures():
        rng = torch.Generator().manual_seed(5)
        sure = torch.tensor([.5, .9, .7, .9])
        marks = torch.tensor([False, True, True, False])
        many = torch.rand(20, generator=rng)
        return [(sure, marks, .6), (sure, marks, .9), (sure, marks, 0.), (sure, marks, .95),
                (many, torch.rand(20, generator=rng) < many, .5)]

    @right
    def picked(confidences, right, least):
        some = confidences >= least
        return some.float().mean(), right[some].float().mean() if some.any() else 1.

    @right
    def counted(confidences, right, least):
        marks = [bool(r) for c, r in zip(confidences, right) if c >= least]
        return len(marks)/len(right), sum(marks)/len(marks) if marks else 1.

    @wrong('The accuracy is counted over all pictures. Those without an answer have no part in it.')
    def over_all(confidences, right, least):
        some = confidences >= least
        return some.float().mean(), (some & right).float().mean() if some.any() else 1.

    @wrong('Those *below* the limit are answered here.')
    def below(confidences, right, least):
        some = confidences < least
        return some.float().mean(), right[some].float().mean() if some.any() else 1.

    @wrong('A picture whose confidence is just the limit is to be answered too.')
    def strictly(confidences, right, least):
        some = confidences > least
        return some.float().mean(), right[some].float().mean() if some.any() else 1.

    @wrong('With nobody answered the mean of nothing is `nan`.')
    def of_nothing(confidences, right, least):
        some = confidences >= least
        return some.float().mean(), right[some].float().mean()

    @wrong('How many are answered, not which share.')
    def number(confidences, right, least):
        some = confidences >= least
        return some.sum(), right[some].float().mean() if some.any() else 1.


class who_is_asked(Choose):
    "A threshold gave 99 % on the people held out. On other people's digits the model is then right on"
    concept = 'validation set'
    hints = ('By which pictures was the threshold chosen?',
             'How far did the accuracy move from one crowd to another, in part a?')
    right = 'about 99 %, and how near depends on how like those people they are'
    wrong = {
        '99 % or more: that is what the threshold guarantees': 'It was chosen so on some pictures by '
        'some people. Nothing guarantees it for others.',
        'exactly 99 %, once enough of them are read': 'More pictures take away the luck of the draw, '
        'not the difference between crowds.',
        'nobody can say anything at all': 'If they are people of the same kind, the held-out ones '
        'speak for them, within an interval.'}
    why = ('A promise of this kind is a measurement. It holds for digits like those it was taken from, '
           'and has to be checked where the model is used.')


def _scored(n=2000):
    "Scores for ten classes, and the true ones: right for some nine of ten, and less often if close"
    y = torch.randint(10, (n,))
    scores = torch.randn(n, 10)
    scores[range(n), y] += 5*torch.rand(n)
    return scores, y


class i_dont_know(Project):
    """
    A classifier that may say *I don't know*. `threshold(scores, coverage)` looks at the scores of
    digits that were held out, `(n, k)`, and gives the confidence from which on to answer, so that
    the share `coverage` of them is answered. `careful(scores, least)` gives a class for each
    digit, and -1 where the confidence is below `least`. Confidence is the largest probability.
    """
    concept = 'coverage'
    hints = ('Confidences first, for both: softmax over the classes, then the largest of each row.',
             'If nine of ten are to be answered, which of the sorted confidences is the limit?',
             '`torch.quantile` finds it, or sort and count.')
    why = ('Whoever uses a model can so choose how often it may be asked in vain. Choose on digits '
           'that were held out, as here: on the training digits the model is too sure of itself.')

    @step('With a limit of 0, `careful` names the class with the largest score.')
    def all_answered(careful):
        scores, _ = _scored(50)
        made = torch.as_tensor(careful(scores.clone(), 0.)).long()
        if not torch.equal(made, scores.argmax(1)): return f'It gives `{told(made[:9])}` and so on, where `{told(scores.argmax(1)[:9])}` is right.'

    @step('What counts is the probability: the same score may be sure, or not, beside the others.')
    def by_probability(careful):
        scores = torch.tensor([[5., 0., 0.], [5., 5., 4.], [-3., -9., -9.], [1., .5, .9]])
        made = torch.as_tensor(careful(scores, .9)).long().tolist()
        if made != [0, -1, 0, -1]: return f'With a limit of 0.9 it gives `{told(made)}` for `{told(scores)}`.'

    @step('Scores of any size will do.')
    def any_size(careful):
        scores = torch.tensor([[1000., 0.], [1000., 1000.], [-1000., -990.]])
        made = torch.as_tensor(careful(scores, .9)).long().tolist()
        if made != [0, -1, 1]: return f'For `{told(scores)}` it gives `{told(made)}`.'

    @step('Of the digits held out, as many are answered as was asked for.')
    def share(threshold, careful):
        scores, _ = _scored()
        for coverage in .5, .9, 1.:
            made = torch.as_tensor(careful(scores, threshold(scores.clone(), coverage)))
            found = (made >= 0).float().mean().item()
            if abs(found - coverage) > .002: return f'Asked for {coverage:.0%}, {found:.1%} are answered.'

    @step('Others are answered about as often, and those answers are right more often.')
    def promise(threshold, careful):
        (scores, _), (others, y) = _scored(), _scored()
        made = torch.as_tensor(careful(others, threshold(scores, .7)))
        some = made >= 0
        if abs(some.float().mean().item() - .7) > .04: return f'Of others, {some.float().mean():.0%} are answered, not 70 %.'
        gain = (made == y)[some].float().mean() - (others.argmax(1) == y).float().mean()
        if gain < .08: return f'Of those that it answers, only {gain:.1%} more are right than of all.'
