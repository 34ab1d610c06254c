"Tasks of chapter 07b, looking inside."
import torch
import torch.nn.functional as F
from torch import nn

from digit_under_hood.choose import Choose
from digit_under_hood.mlp import count_parameters, layer_outputs
from digit_under_hood.practice import Do, FixIt, cases, right, wrong


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
