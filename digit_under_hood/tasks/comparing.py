"Tasks of chapter 05d, break it and measure it."
from functools import cache

import torch

from digit_under_hood.choose import Choose
from digit_under_hood.data import load_digits
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong
from digit_under_hood.projects import Project, step


class steps_an_epoch(Do):
    """
    Write `steps_an_epoch(n, bs)`: how many steps one epoch takes with `n` images in batches of
    `bs`. The last batch may be smaller.
    """
    question, concept = 13, 'mini-batch'
    hints = ('12,396 images in batches of 256: 48 whole ones, and what is left?',
             'And if nothing is left, as with 10 images in batches of 5?')
    why = ('A whole set gives an exact gradient and one step an epoch; single images give thousands '
           'of rough ones, and the computer spends its time on calls. A batch is good enough, and '
           'keeps the machine busy.')

    @cases
    def sizes(): return [(1, 1), (1, 256), (10, 5), (11, 5), (7, 2), (12396, 256), (12396, 12396)]

    @right
    def whole_and_rest(n, bs): return n//bs + (n % bs > 0)

    @right
    def starts(n, bs): return len(range(0, n, bs))

    @wrong('The images that are left over get no step: the last, smaller batch is dropped.')
    def floor(n, bs): return n//bs

    @wrong('One step too many where the batches come out even: there is no last, smaller one then.')
    def one_more(n, bs): return n//bs + 1

    @wrong('A rest of less than half a batch is still a batch. Rounding loses it.')
    def rounded(n, bs): return round(n/bs)

    @wrong('A share of a step is no step. The last batch is smaller, but its step counts as one.')
    def share(n, bs): return n/bs

    @wrong('That is one step for each *image*.')
    def images(n, bs): return n


class mixed_epochs(FixIt):
    """
    A model trained on these batches swings: it calls everything a 3 for a while, then everything a
    7. `x` and `y` hold all 3s and then all 7s, and the list is to hold the batches of two epochs,
    each of which sees each row once. Repair it.
    """
    concept, planted = 'shuffling', 'in_order'
    hints = ('Print the targets of the first batch, for 8 rows in batches of 4.',
             'A random order of the *rows*, the same one for inputs and targets.',
             'A new epoch, a new order.')
    why = ('In order, each batch holds a single digit and pulls the model its own way. Shuffled anew '
           'for each epoch, each batch is a small sample of both.')

    @cases
    def sorted_rows():
        return [(torch.arange(float(n))[:, None], (torch.arange(n) < n//2).float()[:, None], bs)
                for n, bs in ((80, 20), (84, 32))]

    @outcome
    def what_the_batches_hold(given, x, y, bs):
        n, dealt = len(x), [*given(x, y, bs)]
        rows, targets = (torch.cat(side)[:, 0] for side in zip(*dealt))
        one, two = rows[:n], rows[n:]
        pairs = y[rows.long(), 0].equal(targets)
        return {'lengths': [len(xb) for xb, yb in dealt], 'pairs kept': pairs,
                'each row once an epoch': all(half.sort()[0].equal(x[:, 0]) for half in (one, two)),
                'mixed': all(yb.unique().numel() == 2 for xb, yb in dealt), 'a new order': not one.equal(two)}

    @right
    def new_order(x, y, bs):
        found = []
        for _ in range(2):
            order = torch.randperm(len(x))
            for rows in order.split(bs): found.append((x[rows], y[rows]))
        return found

    @right
    def comprehension(x, y, bs):
        return [(x[rows], y[rows]) for _ in range(2) for rows in torch.randperm(len(x)).split(bs)]

    @wrong('Still in order: the first batch holds 3s alone, the last one 7s alone.')
    def in_order(x, y, bs):
        found = []
        for _ in range(2):
            order = torch.arange(len(x))
            for rows in order.split(bs): found.append((x[rows], y[rows]))
        return found

    @wrong('Both epochs deal in the same random order. Where is it drawn, and how often?',
           when=lambda made, *args: made['mixed'] and made['pairs kept']
           and not made['a new order'])
    def drawn_once(x, y, bs):
        order = torch.randperm(len(x))
        return [(x[rows], y[rows]) for _ in range(2) for rows in order.split(bs)]

    @wrong('The batches come in a new order, but within each of them nothing is mixed: most still '
           'hold a single digit.', when=lambda made, *args: made['pairs kept'] and not made['mixed'])
    def batches_only(x, y, bs):
        dealt = [*zip(x.split(bs), y.split(bs))]
        return [dealt[i] for _ in range(2) for i in torch.randperm(len(dealt))]

    @wrong('Inputs and targets have lost each other: each was shuffled in an order of its own.',
           when=lambda made, *args: not made['pairs kept'])
    def apart(x, y, bs):
        found = []
        for _ in range(2):
            one, other = torch.randperm(len(x)), torch.randperm(len(x))
            found += zip(x[one].split(bs), y[other].split(bs))
        return found

    @wrong('Mixed, but some rows come twice in an epoch and others never.',
           when=lambda made, *args: made['mixed'] and not made['each row once an epoch'])
    def with_return(x, y, bs):
        drawn = [torch.randint(len(x), (len(xb),)) for _ in range(2) for xb in x.split(bs)]
        return [(x[rows], y[rows]) for rows in drawn]


class to_unit(FixIt):
    """
    The images of a file, bytes from 0 to 255 in `(n, 28, 28)`, become rows for `linear1`. Nothing
    complains, but from these rows some starts never learn. Repair it.
    """
    concept, planted = 'dtype', 'unscaled'
    hints = ('Look at the largest number in a row.',
             'How large do scores get, and what is the slope of the sigmoid there?')
    why = ('Scaled to 0 and 1, scores stay where the sigmoid is steep, and a rate that suits one '
           'set of images suits the next.')

    @cases
    def files():
        rng = torch.Generator().manual_seed(6)
        ends = torch.tensor([0, 255], dtype=torch.uint8).repeat(392).view(1, 28, 28)
        return [(ends,), (torch.randint(200, (3, 28, 28), generator=rng, dtype=torch.uint8),)]

    @outcome
    def rows(given, images):
        made = given(images)
        return made, made.is_floating_point()

    @right
    def divided(images): return images.float().view(-1, 28*28)/255

    @right
    def multiplied(images): return images.flatten(1)*(1/255)

    @wrong('Still from 0 to 255. Scores are 255 times as large as they should be, far out where the '
           'sigmoid is flat.')
    def unscaled(images): return images.float().view(-1, 28*28)

    @wrong('Each image is scaled by its own largest pixel. A pale digit and a dark one become alike, '
           'and new images get another scale.',
           when=lambda made, images: made[0].amax(1).equal(torch.ones(len(images)))
           and made[0].min() >= 0)
    def by_each(images):
        rows = images.float().view(-1, 28*28)
        return rows/rows.amax(1, keepdim=True)

    @wrong('Divided as whole numbers: everything below 255 has become 0.')
    def whole(images): return images.view(-1, 28*28)//255

    @wrong('The numbers are right, but still in images. A row for each is wanted.',
           when=lambda made, images: made[0].shape == images.shape and made[0].max() <= 1)
    def images_still(images): return images.float()/255


class the_loud_one(Choose):
    "Which of these mistakes stops with an error message?"
    concept = 'dtype'
    hints = ('Which of them did this chapter have to catch with `test_fail`?',
             'The others run, and give numbers that look like numbers.')
    right = 'The images are bytes when they meet the weights.'
    wrong = {
        'The gradients are never set to zero.': 'Silent: it ends at 0.97. The scores give it away, '
        'which run off into the thousands.',
        'The sigmoid is taken twice.': 'Silent: it ends at 0.97 as well. What gives it away is a '
        'loss that cannot get below 0.38.',
        'Scores are compared with 0.5 in place of 0.': 'Silent: only a handful of images change '
        'sides, and the accuracy may even look better.',
        'The training set is not shuffled.': 'Silent: at a small rate it even learns. The accuracy '
        'after each step gives it away, which swings.'}
    why = ('Bytes and floats do not multiply. Of most other mistakes you see nothing but a number, '
           'so it pays to have seen how they look.')


class image_by_image(Choose):
    """
    Two models, the same images. Why is their difference taken image by image, and not from their
    two intervals?
    """
    concept = 'confidence interval'
    hints = ('Which images are hard for one of them, and which for the other?',
             'What both have in common cancels when you subtract.')
    right = 'What is hard for both cancels, so the interval of the difference is much narrower.'
    wrong = {
        'Because two intervals that overlap prove that there is no difference.': 'They prove '
        'nothing of the kind. Two intervals may overlap and the difference be certain.',
        'Because the interval of one accuracy holds only for small samples.': 'It holds for any '
        'size. But it contains a spread that both models share.',
        'Because it makes the difference itself larger.': 'The difference is the same either way: '
        'the mean over all images. Only how sure it is changes.'}
    why = ('Most images are easy for both or hard for both. What is left are the few on which the '
           'two differ.')


class best_of_many(Choose):
    "Why may one not quote the best of many accuracies on the validation set?"
    concept = 'validation set'
    hints = ('A hundred people throw a die six times each. How good is the best of them?',
             'What would the same model have on new images?')
    right = 'Each is partly luck, and the best of many is the luckiest.'
    wrong = {
        'The model was trained on those images.': 'It was not: no gradient came from them. It was '
        '*chosen* by them, and that is enough.',
        'An accuracy on 2,038 images is too uncertain to be quoted.': 'It may be quoted, with its '
        'interval. The interval does not know of a choice, though.',
        'The mean of all tries is the honest one.': 'That is the accuracy of no model in '
        'particular. Choose with other images, then look once.'}
    why = ('What was used for choosing says too good a number. An image that took part in no choice '
           'does not.')


@cache
def pair_of(a, b, split='train', n=1500):
    "Rows of pixels of two digits, all of the first and then all of the second, and the digits"
    images, labels = zip(*(load_digits(digit, split) for digit in (a, b)))
    return (torch.cat([part[:n].flatten(1) for part in images]),
            torch.cat([part[:n] for part in labels]))


class any_pair(Project):
    """
    A classifier for any two digits. Write `fit_pair(x, y)`: `x` are rows of pixels, `y` the digits,
    such as 4 and 9. It trains a linear model, and gives a function that takes rows of pixels and
    gives the digits.
    """
    concept = 'target'
    hints = ('The smaller digit is 0 for the model and the larger one 1. Who turns that back?',
             'The rows come sorted. What does that do to mini-batches?',
             '`fit_linear` of chapter 05c does most of it, or twenty lines of your own.')
    why = ('What a model calls 0 and 1 is a matter between you and it. With forty-five such pairs, each '
           'with a vote, you could read all ten digits; softmax does it in one.')

    @step('It answers with the two digits, not with 0 and 1, a whole number for each row.')
    def in_digits(fit_pair):
        x, y = pair_of(4, 9)
        made = torch.as_tensor(fit_pair(x[::50], y[::50])(x[:7])).flatten()
        if len(made) != 7: return f'For seven rows it gives {len(made)} answers.'
        if not {*made.tolist()} <= {4, 9}: return f'For 4s and 9s it says {made.unique().tolist()}.'

    @step('For 4s and 9s, at least 93 % of unseen ones are right.')
    def fours_and_nines(fit_pair): return unseen_right(fit_pair, 4, 9, .93)

    @step('For 0s and 6s, at least 97 %: nothing is made for one pair.')
    def other_digits(fit_pair): return unseen_right(fit_pair, 6, 0, .97)

    @step('Where the two digits are not equally many, the rarer one is found all the same.')
    def rarer(fit_pair):
        x, y = pair_of(4, 9)
        test_x, _ = pair_of(4, 9, 'valid')
        made = torch.as_tensor(fit_pair(x[:2500], y[:2500])(test_x[-500:])).flatten()
        if (found := (made == 9).float().mean()) < .6: return f'Of unseen 9s it finds {found:.0%}.'


def unseen_right(fit_pair, a, b, bar):
    "Say how many are right, if too few are"
    test_x, test_y = pair_of(a, b, 'valid')
    right = (torch.as_tensor(fit_pair(*pair_of(a, b))(test_x)).flatten() == test_y).float().mean()
    if right < bar: return f'{right:.1%} are.'
