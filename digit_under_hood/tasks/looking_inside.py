"Tasks of chapter 07b, looking inside."
from contextlib import nullcontext
from functools import cache

import torch
import torch.nn.functional as F
from torch import nn

from digit_under_hood.callbacks import mode
from digit_under_hood.choose import Choose
from digit_under_hood.data import load_digits
from digit_under_hood.mlp import count_parameters, layer_outputs
from digit_under_hood.practice import Do, FixIt, cases, right, wrong
from digit_under_hood.projects import Project, step


class activations_of(Do):
    """
    Write `activations_of(model, xb)`: how many numbers the layers of an `nn.Sequential` compute
    from the batch `xb`, all layers and all rows together. What comes in is given, not computed.
    """
    concept = 'activation'
    equal = {'layer_by_layer: 1 -> -1': 'the last axis of two'}
    hints = ('`layer_outputs` gives what each layer computes. Look at the shapes.',
             'A tensor says with `numel()` how many numbers it holds.')
    why = ('Parameters are learned, and are as many whatever comes in. Activations are computed, and '
           'each row has its own.')

    @cases
    def networks():
        one, two = nn.Sequential(nn.Linear(4, 3)), nn.Sequential(nn.Linear(5, 2), nn.ReLU(),
                                                                 nn.Linear(2, 1))
        return [(one, torch.ones(1, 4)), (two, torch.ones(1, 5)), (two, torch.ones(7, 5))]

    @right
    def outputs(model, xb): return sum(out.numel() for out in layer_outputs(model, xb))

    @right
    def layer_by_layer(model, xb):
        n = 0
        for layer in model:
            xb = layer(xb)
            n += xb.shape[0]*xb.shape[1]
        return n

    @wrong('Those are the parameters: learned, and the same for every image.')
    def parameters(model, xb): return count_parameters(model)

    @wrong('That is right for a single image. Each row has activations of its own.')
    def one_row(model, xb): return sum(out[0].numel() for out in layer_outputs(model, xb))

    @wrong('What comes in is counted as well, and nobody has computed it.')
    def input_too(model, xb):
        return xb.numel() + sum(out.numel() for out in layer_outputs(model, xb))

    @wrong('Those are the scores alone, at the end. The layers before compute as well.')
    def last_layer(model, xb): return model(xb).numel()

    @wrong('What comes out of the bend is missing: it has nothing to learn, but it computes.')
    def without_the_bend(model, xb):
        return sum(out.numel() for layer, out in zip(model, layer_outputs(model, xb))
                   if count_parameters(layer))


class count_dead(FixIt):
    """
    `sums` holds what the hidden units add up *before* the bend: a row for each image, a column for
    each unit. This is to count the dead units, and it buries some alive. Repair it.
    """
    concept, planted = 'dead unit', 'on_average'
    hints = ('Try a unit with the sums -9 and 1. Does it do anything?',
             'What has to be true of *every* image?',
             'The bend makes 0 of a sum of exactly 0 as well.')
    why = 'Dead is who is silent for every image. A single image that wakes it is enough to learn.'

    @cases
    def tables():
        rng = torch.Generator().manual_seed(7)
        found = ([[-1.]], [[1.]], [[-9., -1.], [1., -2.]], [[-1., 0., 3.], [-2., -1., -9.]], [[0.]],
                 [[-1., -2.], [-3., -4.], [-5., 6.]])
        made = [torch.tensor(sums) for sums in found]
        return [(sums,) for sums in [*made, torch.randn(4, 60, generator=rng)]]

    @right
    def off_for_all(sums): return int((sums <= 0).all(0).sum())

    @right
    def nothing_passes(sums): return int((F.relu(sums).amax(0) == 0).sum())

    @wrong('Still: a unit may be far below 0 for most images and yet be on for one. On average is '
           'not always.')
    def on_average(sums): return int((sums.mean(0) < 0).sum())

    @wrong('Off for one image is no death. ReLUs are off half of the time, that is how they bend.')
    def off_once(sums): return int((sums < 0).any(0).sum())

    @wrong('Those are *images* for which all units are off. Which axis has the images?')
    def silent_images(sums): return int((sums <= 0).all(1).sum())

    @wrong('That counts single numbers, not units: a unit is a whole column.')
    def single_numbers(sums): return int((sums <= 0).sum())

    @wrong('After the bend nothing is below 0, so none is found that way.')
    def below_after(sums): return int((F.relu(sums) < 0).all(0).sum())

    @wrong('Nearly: a sum of exactly 0 does not pass the bend either, and has no slope there.')
    def without_zero(sums): return int((sums < 0).all(0).sum())


class stays_dead(Choose):
    "A hidden unit is off for every image that you have. What wakes it up?"
    concept = 'dead unit'
    hints = ('The gradient of its weights is multiplied by the slope of its bend.',
             'How large is a step along a gradient of exactly 0?')
    right = 'No step on these images, whatever the rate.'
    why = ('Its sum is below 0 for every image, and there the slope of ReLU is 0. Every gradient that '
           'reaches its weights is multiplied by this slope, so no step moves them.')
    wrong = {
        'A larger learning rate.': 'However large: times a gradient of 0 it is a step of 0.',
        'More epochs.': 'Each of them brings the same gradient, which is exactly 0.',
        'The units of the last layer, once they give it more weight.':
            'Its output is 0, so any weight on it adds 0. And the slope of its bend still lets '
            'nothing through.'}


class loss_or_rate(Choose):
    """
    Two settings differ in the loss *and* in the learning rate. The second gets more digits right,
    and the interval of the difference lies above 0. What do you know about the new loss?
    """
    concept = 'hyperparameter'
    hints = ('How many things have changed?', 'Which third run would tell the two apart?')
    why = ('The rate may have done it. A third run, with the old loss and the new rate, tells the two '
           'apart.')
    wrong = {
        'It is better: the interval says so.':
            'The interval says that the second *setting* is better. It does not know which half of '
            'it did the work.',
        'It is better, by the difference at most.':
            'It may even do harm that the new rate makes good.'}
    right = 'Nothing yet.'


class own_log_loss(Do):
    """
    Write `own_log_loss(scores, targets)`: the mean of `-log p`, where *p* is the prediction for
    the right answer, without the function of torch that does it all. Both have the shape `(n, 1)`;
    a target is 1 for a 3 and 0 for a 7. A 3 with a score of -200 must cost 200, not infinity.
    """
    concept = 'cross-entropy'
    hints = ('The prediction for a 3 is the sigmoid of the score. And for a 7? It has to do with '
             'minus the score.',
             'Turn the sign of the scores of the 7s, and all are scores of the right answer.',
             '`F.logsigmoid` takes the logarithm of the sigmoid in one go, so nothing overflows.')
    why = ('For a 7 the prediction of the right answer is the sigmoid of minus the score. A mistake '
           'costs about as much as its score is wrong, without limit.')

    @cases
    def batches():
        found = (([0.], [1.]), ([2.], [1.]), ([2.], [0.]), ([1., -3., .5], [1., 0., 0.]),
                 ([-200.], [1.]), ([300., 1.], [0., 1.]))
        return [tuple(torch.tensor(values)[:, None] for values in pair) for pair in found]

    @right
    def by_sign(scores, targets):
        return -F.logsigmoid(torch.where(targets == 1, scores, -scores)).mean()

    @right
    def softplus(scores, targets): return F.softplus(scores - 2*targets*scores).mean()

    @wrong('Right, until the network is very wrong: there *p* is rounded to 0, and its logarithm is '
           'infinite.', when=lambda made, scores, targets: made.isinf() or made.isnan())
    def rounded_to_0(scores, targets):
        return -torch.sigmoid(torch.where(targets == 1, scores, -scores)).log().mean()

    @wrong('That is right for the 3s. For a 7 the right answer is the other one.')
    def threes_only(scores, targets): return -F.logsigmoid(scores).mean()

    @wrong('Turned round: who is right pays.')
    def turned_round(scores, targets):
        return -F.logsigmoid(torch.where(targets == 1, -scores, scores)).mean()

    @wrong('The sign is missing: this is below 0, and the better the lower it should get.')
    def no_minus(scores, targets):
        return F.logsigmoid(torch.where(targets == 1, scores, -scores)).mean()

    @wrong('That is the sum. With twice as many images it would be twice as large.')
    def added_up(scores, targets):
        return -F.logsigmoid(torch.where(targets == 1, scores, -scores)).sum()

    @wrong('That is `1 - p`, the loss that gives up: nothing costs more than 1.')
    def gives_up(scores, targets):
        return torch.sigmoid(torch.where(targets == 1, -scores, scores)).mean()

    @wrong('The scores have to be squashed once. Here it happens twice.')
    def squashed_twice(scores, targets):
        return F.binary_cross_entropy_with_logits(torch.sigmoid(scores), targets)


class to_report(FixIt):
    """
    Several settings were tried. `held` has their accuracies on the held-out digits, `valid` those
    on the validation split, both by name. This is to give the setting to choose and the accuracy
    to report of it, and the number is too good. Repair it.
    """
    concept, planted = 'validation set', 'chosen_by_valid'
    hints = ('Which images have had a say in the choice?',
             'One set of images to choose by, another one to judge.')
    why = ('The best of many is a little lucky on the images that it was chosen by. Images that had '
           'no say in the choice know nothing of that luck.')

    @cases
    def settings():
        tables = ({'a': (.9, .8)}, {'a': (.97, .95), 'b': (.96, .98)},
                  {'a': (.99, .95), 'b': (.98, .985), 'c': (.97, .99)},
                  {'small': (.981, .985), 'wide': (.992, .984), 'deep': (.99, .991)})
        return [tuple({name: pair[i] for name, pair in table.items()} for i in (0, 1))
                for table in tables]

    @right
    def chosen_by_held(held, valid):
        best = max(held, key=held.get)
        return best, valid[best]

    @right
    def in_order(held, valid):
        best = sorted(held, key=lambda name: held[name])[-1]
        return best, valid[best]

    @wrong('Still: the validation split has chosen, and then it judges its own choice.')
    def chosen_by_valid(held, valid):
        best = max(valid, key=valid.get)
        return best, valid[best]

    @wrong('The choice is sound. But this number comes from the images that made it, so it is '
           'flattering.')
    def flattering(held, valid):
        best = max(held, key=held.get)
        return best, held[best]

    @wrong('You have changed the roles: the validation split chooses, and the held-out digits judge. '
           'Then it has been looked at before the end.')
    def roles_changed(held, valid):
        best = max(valid, key=valid.get)
        return best, held[best]

    @wrong('The validation split still has a say in the choice, half of it.')
    def both_choose(held, valid):
        best = max(valid, key=lambda name: held[name] + valid[name])
        return best, valid[best]


class epoch_to_keep(Do):
    """
    Write `epoch_to_keep(training, held)`, for two lists of losses, measured after each epoch on
    training images and on held-out ones: after which epoch was the network best at other digits?
    The first epoch is number 1.
    """
    concept = 'early stopping'
    equal = {'walked: loss < held[best] -> loss <= held[best]': 'no two of the losses are equal'}
    hints = ('Which of the two curves speaks of digits that the network has not seen?',
             'Where does that curve have its lowest point?', 'A list begins with number 0.')
    why = ('The training loss goes on falling when only these images are being learned. The held-out '
           'loss says when that began.')

    @cases
    def curves():
        return [([.5], [.6]), ([.5, .4], [.6, .5]), ([.5, .3, .2, .1], [.6, .5, .4, .45]),
                ([.5, .3, .2, .1, .05, .01], [.6, .5, .52, .4, .38, .41]),
                ([.6, .5, .45, .4], [.5, .52, .55, .6])]

    @right
    def lowest(training, held): return held.index(min(held)) + 1

    @right
    def walked(training, held):
        best = 0
        for i, loss in enumerate(held):
            if loss < held[best]: best = i
        return best + 1

    @wrong('The training loss is lowest at the end, and it only knows the images that were learned.')
    def by_training(training, held): return training.index(min(training)) + 1

    @wrong('Right place, counted from 0. The first epoch is number 1.')
    def from_zero(training, held): return held.index(min(held))

    @wrong('You stop when it rises for the first time. It may wobble and then get better still.')
    def first_rise(training, held):
        rises = [i for i in range(1, len(held)) if held[i] > held[i - 1]]
        return rises[0] if rises else len(held)

    @wrong('There the two curves are closest. But close together, both may be high.')
    def closest(training, held):
        gaps = [b - a for a, b in zip(training, held)]
        return gaps.index(min(gaps)) + 1

    @wrong('There the held-out loss is *highest*.')
    def highest(training, held): return held.index(max(held)) + 1


class recognised(Do):
    """
    Write `recognised(counts)`: for each true class the share of its items that was recognised.
    `counts` is a table as `confusion_counts` gives it, for any number of classes.
    """
    concept = 'confusion table'
    equal = {'diagonal: 1 -> -1': 'the last axis of two'}
    hints = ('Where in the table stand the right answers?',
             'Of how many? A row holds all items of one true class.')
    why = ('A row holds all that truly was of a class, and the diagonal what was recognised of it. '
           'Each class gets a number of its own, where one accuracy would hide a weak one.')

    @cases
    def tables():
        found = ([[1, 1], [0, 2]], [[1020, 8], [9, 1001]], [[90, 10], [0, 5]],
                 [[8, 1, 1], [2, 5, 3], [0, 0, 4]])
        return [(torch.tensor(counts),) for counts in found]

    @right
    def diagonal(counts): return counts.diag()/counts.sum(1)

    @right
    def rows(counts): return [int(row[i])/int(row.sum()) for i, row in enumerate(counts)]

    @wrong('You have divided by the columns: of all that was *taken* for a class, the share that was '
           'of it. Asked is the other way round.')
    def by_columns(counts): return counts.diag()/counts.sum(0)

    @wrong('You have divided by all items. Of a class only its own can be recognised.')
    def of_all(counts): return counts.diag()/counts.sum()

    @wrong('That is one number, the accuracy. It hides a class in which most is wrong.')
    def one_number(counts): return counts.diag().sum()/counts.sum()

    @wrong('Those are the shares that were missed.')
    def missed(counts): return 1 - counts.diag()/counts.sum(1)



@cache
def all_images():
    "The bytes of every training image with its digit, and those of every test image"
    found = []
    for part in ('train', 'valid'):
        images, labels = load_digits(split=part, scaled=False)
        found.append(dict(zip(map(bytes, images.flatten(1).numpy()), labels.tolist())))
    return found


def some_rows(train, n=3000):
    "Bytes and labels of some rows of what was trained on, spread over all of them"
    x, y = (torch.as_tensor(part) for part in train)
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:n]
    images = (x[rows].detach().flatten(1)*255).round().clamp(0, 255).to(torch.uint8)
    return [*map(bytes, images.cpu().numpy())], y[rows]


def scores_of(model, x, bs=2000):
    "Scores of a model, in eval mode and without gradients"
    with torch.no_grad(), mode(model, False) if isinstance(model, nn.Module) else nullcontext():
        return torch.cat([model(xb) for xb in x.split(bs)])


class ten_digits(Project):
    """
    All ten digits, the second of the book's projects for further research: the whole way from
    60,000 images to a model that reads any digit, and to a table of what it takes for what.
    `train` is what you train on, `(x, y)`: rows of 784 pixels from 0 to 1, and digits from 0 to 9.
    `loss(scores, y)` is your own cross-entropy of ten scores for each image. `model(x)` gives these
    scores; train it as you like. `confusion(predicted, y)` counts in a table of ten rows and ten
    columns how often the digit of a row was taken for the digit of a column.
    """
    concept, time = 'softmax', 'a day'
    hints = ('A score for each digit instead of one for all. Which shapes change, and which do not?',
             'Softmax: the exponentials of the scores, divided by their sum. The loss is minus the '
             'logarithm of the share of the right digit, on average.',
             'Subtract the largest score of a row first: the shares stay the same, and nothing '
             'overflows. `torch.logsumexp` does so.')
    why = ('That is the pipeline of most image classifiers: labels, scores, cross-entropy, an honest '
           'test, and a look at the mistakes. With more layers and other pictures it is the same.')

    @step('`train` has rows of 784 pixels from 0 to 1, and one whole number from 0 to 9 for each.')
    def data(train):
        x, y = (torch.as_tensor(part) for part in train)
        if x.ndim != 2 or x.shape[1] != 784: return f'`x` has shape `{tuple(x.shape)}`.'
        if x.min() < 0 or x.max() > 1: return f'Its pixels go up to {x.max():g}.'
        if y.shape != (len(x),): return f'`y` has shape `{tuple(y.shape)}` for {len(x)} images.'
        if y.is_floating_point() or y.dtype == torch.bool: return f'`y` is {y.dtype}.'
        if y.unique().tolist() != [*range(10)]: return f'`y` has these labels: {y.unique().tolist()}.'

    @step('Each image still has the label of its own.')
    def pairs(train):
        images, y = some_rows(train)
        known, test = all_images()
        true = [known.get(image, test.get(image)) for image in images]
        seen = [(a, int(b)) for a, b in zip(true, y.flatten()) if a is not None]
        if not seen: return 'None of its images is one of the 60,000 as they are.'
        if (off := sum(a != b for a, b in seen)): return f'{off/len(seen):.0%} have another.'

    @step('No image of the test set is among them.')
    def honest(train):
        images, _ = some_rows(train, 100_000)
        if both := sum(image in all_images()[1] for image in images):
            return f'{both} are. A model that has seen them is no longer tested by them.'

    @step('`loss` is cross-entropy, as torch computes it.')
    def cross_entropy(loss):
        scores, y = 3*torch.randn(7, 10), torch.randint(10, (7,))
        made, wanted = float(loss(scores, y)), float(F.cross_entropy(scores, y))
        if abs(made - wanted) > 1e-4: return f'It gives {made:.4f} where torch gives {wanted:.4f}.'

    @step('It stands scores of a thousand, in its value and its slopes.')
    def stable(loss):
        scores = torch.tensor([[1000.] + [0.]*9, [-1000.]*9 + [0.]]).requires_grad_()
        made = loss(scores, torch.tensor([1, 9]))
        made.backward()
        if not made.isfinite(): return f'There it is {made.item()}.'
        if not scores.grad.isfinite().all(): return 'Some slopes are nan there.'

    @step('Its slopes are those of torch.')
    def slopes(loss):
        scores, y = torch.randn(7, 10).requires_grad_(), torch.randint(10, (7,))
        made, = torch.autograd.grad(loss(scores, y), scores)
        wanted, = torch.autograd.grad(F.cross_entropy(scores, y), scores)
        if not torch.allclose(made, wanted, atol=1e-5):
            return f'The first is {made[0, 0]:.4f} where torch has {wanted[0, 0]:.4f}.'

    @step('`model` gives ten scores for each row of pixels.')
    def ten_scores(model):
        scores = scores_of(model, torch.rand(3, 784))
        if scores.shape != (3, 10): return f'For three rows it gives shape `{tuple(scores.shape)}`.'

    @step('At least 97 % of the 10,000 test images are right.')
    def accuracy(model):
        x, y = load_digits(split='valid')
        scores = scores_of(model, x.flatten(1))
        right = (scores.argmax(1) == y).sum().item() if scores.shape == (len(y), 10) else 0
        if right < 9700: return f'{right:,} of 10,000 are.'

    @step('`confusion` counts each image once: a row for the true digit, a column for the predicted.')
    def table(confusion):
        y, predicted = torch.tensor([3, 3, 3, 7, 0]), torch.tensor([3, 5, 5, 7, 0])
        made = torch.as_tensor(confusion(predicted, y))
        if made.shape != (10, 10): return f'It has shape `{tuple(made.shape)}`.'
        if made.sum() != 5: return f'Of five images it counts {made.sum():g}.'
        if made[5, 3] == 2: return 'Rows and columns are swapped.'
        if made[3].tolist() != [0, 0, 0, 1, 0, 2, 0, 0, 0, 0]:
            return f'A 3 read once as 3 and twice as 5 makes the row {made[3].tolist()}.'
