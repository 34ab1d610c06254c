"Tasks of chapter 00, the data."
import torch

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.practice import Do, cases, right, wrong
from digit_under_hood.projects import Project, step


class people_apart(Choose):
    "Why does it matter that the *people* of the two splits are separate, and not only the pictures?"
    concept = 'validation set'
    hints = ('Whose handwriting will a program meet when it is used?',
             'What could it remember about you, if some of your 7s were there to learn from?')
    right = 'We want to know how the program does on people that it has never met.'
    wrong = {
        'Otherwise a picture could be in both splits.': 'Two different pictures by one person are '
        'not the same picture. They are alike all the same: in what?',
        'Otherwise the two splits would not be equally hard.': 'They need not be, and half of this '
        'test set is harder than the other. What does a program gain from having met the writer?',
        'Otherwise some people would have written more than others.': 'That they did in any case. '
        'It says little about what is tested.'}
    why = ('If your 7s were in both sets, the program could look good by remembering your hand. '
           'Whoever uses it later has a hand that it has never seen.')


class ten_objects(Choose):
    """
    You photograph ten objects with your phone, twenty times each, and split the 200 photos at
    random into a training and a validation set. What will the validation set *not* tell you?
    """
    concept = 'validation set'
    hints = ('Lay a photo of the validation set beside its nearest neighbours. Where are they?',
             'What will be new when somebody else uses the program?')
    right = 'how the program does with other phones, other light, other specimens of the objects'
    wrong = {
        'how the program does on photos that it has not seen': 'That it does tell: no photo is in '
        'both sets. But how unlike the others are these photos?',
        'anything at all, as 200 photos are too few': 'Few photos make it unsure, and an interval '
        'says how much. Taken in the same hour with the same phone, two million would have another '
        'fault.',
        'which of the ten objects are confused with each other': 'It does: each of its photos has a '
        'label, so you can see what is taken for what.'}
    why = ('Each validation photo has near twins in the training set. MNIST was split by *writers* '
           'for this reason. Split by what will be new when it counts.')


class ten_images(Choose):
    "A model is right on 97.0% of the 10,000 test images, another one on 97.1%. Which is better?"
    concept = 'confidence interval'
    hints = ('How many images is 0.1% of the test set?', 'How many of its labels are doubtful?')
    right = 'Nobody can know from this.'
    wrong = {
        'The second one, by a tenth of a percent.': 'By ten images. Would you bet that on the next '
        '10,000 it is ahead by ten again?',
        'Neither: they are equally good.': 'That would be a finding too, and ten images do not '
        'settle it either way.',
        'The first one, as the second has learnt the test set by heart.': 'It may have, or not. '
        'An accuracy alone tells nothing about that.'}
    why = ('They differ by ten images, and fifteen labels are doubtful: those alone could turn the '
           'order round.')


class true_alarms(Predict):
    """
    An alarm finds 90% of the wrong labels and flags 3% of the right ones. One label in a thousand
    is wrong. How many of a hundred of its alarms are true?
    """
    concept = 'base rate'
    hints = ('Take 100,000 labels. How many are wrong, and how many of those does it flag?',
             'How many are right, and how many of *those* does it flag?')
    value, within = 2.9, .3
    wrong = {90: 'That is the share of the *wrong labels* that it flags. Asked is for the share of '
                 'what it flags that is wrong.',
             97: 'That is the share of the right labels that it leaves in peace.',
             30: '90 against 3? These are shares of two groups, and one of them is a thousand times '
                 'as large as the other.',
             .1: 'That is the base rate, how many of a thousand *labels* are wrong. The alarm does '
                 'better than to flag at random.'}
    why = ('In 100,000 labels 100 are wrong, and it flags 90 of them. Of the 99,900 right ones it '
           'flags 2,997. So 90 of 3,087 alarms are true, three in a hundred.')


class how_many(Do):
    """
    Write `how_many(labels)`: ten numbers, how often each digit from 0 to 9 is among `labels`, a
    tensor of shape `(n,)`.
    """
    concept = 'label'
    hints = ('Ten numbers always, also where no 9 occurs.',
             '`bincount` counts, and takes a `minlength`; a comparison can be summed.')
    why = 'Ten places, one for each digit: a digit that never occurs still has its count, 0.'

    @cases
    def some():
        return [(torch.tensor([3, 7, 3]),), (torch.tensor([9, 9, 0, 1]),), (torch.arange(10),)]

    @right
    def counted(labels): return labels.bincount(minlength=10)

    @right
    def one_by_one(labels): return [(labels == digit).sum() for digit in range(10)]

    @wrong('Your list ends with the largest digit that occurs. A sheet without 9s has a count too.')
    def too_short(labels): return labels.bincount()

    @wrong('Digits that do not occur are left out, and the others move up.')
    def those_there(labels): return labels.unique(return_counts=True)[1]

    @wrong('Those are shares. Wanted are the counts.')
    def shares(labels): return labels.bincount(minlength=10)/len(labels)

    @wrong('The digits begin with 0.')
    def from_one(labels): return [(labels == digit).sum() for digit in range(1, 11)]


def aside(split, share=.1, seed=0, n=200):
    "Set some of 200 writers aside, of five images each: writers, and a bool for each image"
    writers = torch.arange(2100, 2100 + n).repeat(5)
    writers = writers[torch.randperm(len(writers), generator=torch.Generator().manual_seed(2))]
    made = torch.as_tensor(split(writers, share, seed))
    if made.dtype == torch.bool: return writers, made
    found = torch.zeros(len(writers), dtype=torch.bool)
    found[made.long()] = True   # places, which the first step refuses
    return writers, found


class new_hands(Project):
    """
    Set some writers aside, so that no hand is in both parts. Write `split(writers, share, seed)`:
    `writers` tells who wrote each image, shape `(n,)`. Wanted is a bool for each image, `True` if it
    is set aside. `share` is the share of the *writers* that are, drawn at random by `seed`.
    """
    concept = 'validation set'
    hints = ('Draw among the writers, not among the images. `unique` names each writer once.',
             'A permutation of the writers: the first of them are set aside.',
             '`torch.isin` tells for each image whether its writer is one of them.')
    why = ('A part that was set aside by writers tells how the model does with a hand that it has '
           'never seen. One that was drawn by images would tell how it does with hands it knows.')

    @step('It gives a bool for each image.')
    def mask(split):
        made = torch.as_tensor(split(torch.tensor([5, 9, 9, 7, 5]), .4, 0))
        if made.dtype != torch.bool: return f'It gives {made.dtype}.'
        if made.shape != (5,): return f'For five images it gives shape `{tuple(made.shape)}`.'

    @step('All images of one writer are on the same side.')
    def together(split):
        writers, found = aside(split)
        if torn := sum(len(found[writers == who].unique()) > 1 for who in writers.unique()):
            return f'{torn} of 200 writers are on both.'

    @step('Of 200 writers, a share of 0.1 sets 20 aside.')
    def as_many(split):
        writers, found = aside(split)
        if (n := len(writers[found].unique())) not in (19, 20, 21): return f'It sets {n} aside.'

    @step('The same seed sets the same ones aside, and another seed others.')
    def drawn(split):
        torch.manual_seed(1)
        first, again, other = (aside(split, seed=seed)[1] for seed in (3, 3, 4))
        if not first.equal(again): return 'The same seed gives another part.'
        if first.equal(other): return 'Another seed gives the same part.'
