"Tasks of chapter 02, similarity."
import numpy as np
import torch

from digit_under_hood.choose import Choose
from digit_under_hood.outcomes import same, told
from digit_under_hood.practice import Do, cases, outcome, right, wrong
from digit_under_hood.projects import Project, step


class double_odds(Do):
    "Write `double_odds(numbers)`: a new list with the odd ones of `numbers`, each doubled."
    question, concept = 4, 'list comprehension'
    equal = {'loop: 2 -> -2': 'what is left of -2 is -1 for odd numbers, which is as true as 1'}
    hints = ('An `if` at the end of a list comprehension lets only some through.',
             '`n % 2` is what is left of `n` when you divide by 2.',
             'Three parts, in this order: what becomes of each, where each comes from, which ones.')
    why = ('The `if` chooses from what comes in, and the part before the `for` says what becomes '
           'of each.')

    @cases
    def lists(): return [([],), ([1],), ([2],), ([4, 7],), ([1, 2, 3, 4, 5],), ([-3, 0, 9, 9],)]

    @right
    def comprehension(numbers): return [2*n for n in numbers if n % 2 == 1]

    @right
    def loop(numbers):
        found = []
        for n in numbers:
            if n % 2: found.append(n + n)
        return found

    @wrong('You have taken the even numbers. What does `%` leave of an odd one?')
    def even(numbers): return [2*n for n in numbers if n % 2 == 0]

    @wrong('All of them are doubled, the even ones too: nothing chooses yet.')
    def all_of_them(numbers): return [2*n for n in numbers]

    @wrong('You chose after doubling, and what has been doubled is always even. Choose first.')
    def doubled_first(numbers): return [n for n in [2*n for n in numbers] if n % 2 == 1]

    @wrong('The right ones, but none is doubled.')
    def not_doubled(numbers): return [n for n in numbers if n % 2 == 1]

    @wrong('The result is right, but the list that was handed in is changed as well, and it is '
           'not yours. Build a new one.')
    def in_place(numbers):
        numbers[:] = [2*n for n in numbers if n % 2 == 1]
        return numbers


class three_axes(Do):
    "Make a tensor of rank 3, any you like."
    question, concept = 5, 'rank'
    hints = ('The rank counts the axes. How many indices name one number of it?',
             '`torch.zeros` takes one length for each axis.')
    equal = {'*': 'any three lengths will do'}
    why = ('It has three axes, so three indices name one number in it. The pile of 3s is such a '
           'tensor: which image, which row, which column.')

    @right
    def zeros(): return torch.zeros(2, 3, 4)

    @right
    def pile(): return torch.stack([torch.ones(28, 28), torch.ones(28, 28)])

    @outcome
    def rank(given): return len(given.shape)

    @wrong('That is *one* axis with three numbers on it. A vector of length 3 has rank 1.',
           when=lambda got: got == 1)
    def vector(): return torch.tensor([1, 2, 3])

    @wrong('A grid has two axes, however long they are: three rows and three columns are rank 2.',
           when=lambda got: got == 2)
    def grid(): return torch.zeros(3, 3)

    @wrong('One number alone has no axis at all: rank 0.', when=lambda got: got == 0)
    def number(): return torch.tensor(3)


class rank_of(Do):
    "Write `rank_of(shape)`: the rank of a tensor that has this `shape`, such as `(6131, 28, 28)`."
    question, concept = 6, 'rank'
    hints = ('The shape has one number for each axis.',
             'You need not look at any of these numbers. How many are there?')
    why = 'The shape lists the length of each axis, and the rank is how many axes there are.'

    @cases
    def shapes(): return [((),), ((3,),), ((28, 28),), ((6131, 28, 28),), ((100, 32, 32, 3),)]

    @right
    def length(shape): return len(shape)

    @right
    def count(shape): return sum(1 for size in shape)

    @wrong('That is the length of the first axis: how many images, say. How many *axes* are there?')
    def first(shape): return shape[0]

    @wrong('You have counted the numbers in the tensor. The rank does not ask how long its axes '
           'are.')
    def product(shape): return int(np.prod(shape))

    @wrong('That is the longest axis. A vector can be very long, and still has rank 1.')
    def largest(shape): return max(shape)


class colour_pile(Choose):
    "What are rank and shape of a hundred colour images of 32 by 32 pixels?"
    concept = 'rank'
    hints = ('What do you need to name one number of it: which image, which ...?',
             'A colour image has three numbers for each pixel.')
    right = 'rank 4, shape `(100, 32, 32, 3)`'
    wrong = {'rank 3, shape `(100, 32, 32)`': 'That is a hundred *grey* images. A colour image has '
             'three numbers for each pixel, red, green and blue, and they need an axis too.',
             'rank 3, shape `(32, 32, 3)`': 'That is *one* colour image. Where are the hundred?',
             'rank 100, shape `(100, 32, 32, 3)`': 'The shape is right. But the rank is how many '
             'axes there are, not how long the first one is.'}
    why = 'Which image, which row, which column, which channel: four indices, so four axes.'


class says_3(Do):
    """
    Pixel similarity in one function. Write `says_3(image, ideal3, ideal7)`: `True` if the image is
    nearer, by the mean absolute difference, to the ideal 3 than to the ideal 7. All three are
    floats of one shape, but the pixels of `image` go up to 255, those of the ideals up to 1.
    """
    question, concept = 3, 'baseline'
    equal = {'loop: 1 -> -1': 'of two, the second is the last'}
    hints = ('Two distances, and then one comparison.',
             'Before you subtract, bring the image on the scale of the ideals.',
             'A distance: subtract, drop the signs, take the mean.')
    why = ('Nothing here has learned anything: two averages, one distance, and the nearer ideal '
           'is the answer. Chapter 03 finds that it is right on 95 of 100 digits.')

    @cases
    def made_up():
        rng = torch.Generator().manual_seed(3)
        ideal3, ideal7 = torch.tensor([[.1, .8], [.7, .2]]), torch.tensor([[.4, .3], [.1, .6]])
        noise = .2*torch.randn(10, 2, 2, generator=rng)
        near = [((share*ideal3 + (1 - share)*ideal7 + off).clip(0, 1), ideal3, ideal7) for share, off
                in zip((1., 0., .9, .1, .7, .3, .6, .4, .55, .45), noise)]
        half = torch.tensor([.5]), torch.tensor([.25]), torch.tensor([.75])
        blank = torch.zeros(2, 2), ideal3, ideal7
        return [(image*255, *ideals) for image, *ideals in [half, blank, *near]]

    @right
    def distances(image, ideal3, ideal7):
        pixels = image/255
        return (pixels - ideal3).abs().mean() < (pixels - ideal7).abs().mean()

    @right
    def loop(image, ideal3, ideal7):
        off = [sum(abs(a/255 - b) for a, b in zip(image.flatten().tolist(), ideal.flatten().tolist()))
               for ideal in (ideal3, ideal7)]
        return off[0] < off[1]

    @wrong('It says 3 where the ideal 7 is nearer, and the other way round. The *smaller* distance '
           'wins.')
    def turned_round(image, ideal3, ideal7):
        return (image/255 - ideal3).abs().mean() > (image/255 - ideal7).abs().mean()

    @wrong('Differences above zero and below cancel here, so this compares amounts of ink, not '
           'places. What makes every difference count as positive?')
    def no_abs(image, ideal3, ideal7):
        return (image/255 - ideal3).mean() < (image/255 - ideal7).mean()

    @wrong('The image still goes up to 255 and the ideals up to 1. Beside such numbers an ideal is '
           'all but white, and what decides is how much ink it has.')
    def unscaled(image, ideal3, ideal7):
        return (image - ideal3).abs().mean() < (image - ideal7).abs().mean()


class l1_and_rmse(Do):
    """
    Write `l1_and_rmse(a, b)`: both distances of two images, first L1, then RMSE. The images are
    floats of shape `(height, width)`.
    """
    question, concept = 7, 'distance'
    hints = ('Both begin with `a - b` and end with one number.',
             'L1: drop the signs, then the mean. RMSE: square, then the mean, and one thing more.',
             'Read RMSE backwards: *root* of the *mean* of the *squared* *error*.')
    why = ('Both are in the units of a pixel. RMSE weighs large differences more and is never the '
           'smaller of the two.')

    @cases
    def pairs():
        rng = torch.Generator().manual_seed(7)
        return [(torch.zeros(1, 2), torch.tensor([[0., 2.]])),
                (torch.zeros(2, 2), torch.tensor([[1., -1.], [1., -1.]])),
                (torch.zeros(2, 3), torch.tensor([[.5, 0, 0], [0, -1, .25]])),
                tuple(torch.rand(2, 28, 28, generator=rng))]

    @right
    def methods(a, b):
        return (a - b).abs().mean(), (a - b).pow(2).mean().sqrt()

    @right
    def loops(a, b):
        off = [x - y for x, y in zip(a.flatten().tolist(), b.flatten().tolist())]
        return sum(map(abs, off))/len(off), (sum(x*x for x in off)/len(off))**.5

    @wrong('L1 is right. The other number is the mean of the squares: what brings it back to the '
           'units of a pixel?')
    def no_root(a, b): return (a - b).abs().mean(), (a - b).pow(2).mean()

    @wrong('The second number is right. In the first, differences above and below zero cancel.')
    def no_abs(a, b): return (a - b).mean(), (a - b).pow(2).mean().sqrt()

    @wrong('These are sums, the *norms* of mathematics: they grow with the number of pixels. Here '
           'both are means.')
    def sums(a, b): return (a - b).abs().sum(), (a - b).pow(2).sum().sqrt()

    @wrong('You took the root of each square before the mean, and that undoes the square: both '
           'numbers are L1 now. The root comes last.')
    def root_too_early(a, b): return (a - b).abs().mean(), (a - b).pow(2).sqrt().mean()

    @wrong('This averages over one axis only and leaves a number for each column. Which axes should '
           'go?')
    def one_axis(a, b): return (a - b).abs().mean(0), (a - b).pow(2).mean(0).sqrt()

    @wrong('Both are right, in the other order: L1 was asked for first.')
    def swapped(a, b): return (a - b).pow(2).mean().sqrt(), (a - b).abs().mean()


class two_axes_gone(Choose):
    "`mean` takes several axes too. What does `stacked_threes.mean((1, 2))` give?"
    concept = 'mean over an axis'
    hints = ('The axes that are named disappear. Which one is left?',
             'Axis 0 says which image.')
    right = 'shape `(6131,)`: how much ink each image takes'
    wrong = {'shape `(28, 28)`: the ideal 3': 'That is `mean(0)`, which lays image on image. Here '
             'axes 1 and 2 are named, and those are the ones that go.',
             'shape `(28,)`: one number for each column': 'Only one axis would be left in a shape '
             'of length one, that is so. But it is the one that was *not* named.',
             'one number: the mean ink of all 3s': 'For that axis 0 has to go as well.'}
    why = ('Rows and columns are gone, and one number is left for each image: the mean of its 784 '
           'pixels.')


class never_smaller(Choose):
    "On no digit here was RMSE smaller than L1. Can it ever be?"
    concept = 'distance'
    hints = ('Look at `spread` and `lumped` above: what are L1 and RMSE of each?',
             'When all differences are of one size, squaring and drawing the root changes nothing.')
    right = 'Never, and they are equal where all differences have one size.'
    wrong = {'Yes: differences below 1 get smaller when they are squared.': 'The squares do. But '
             'then comes the root, and it makes them larger again.',
             'Yes, for images with few differences.': 'Few differences among many zeros are uneven, '
             'and unevenness is what raises RMSE: see `lumped`.',
             'Never, and they are never equal either.': 'Compare the two distances of `spread`.'}
    why = ('Any unevenness raises the mean of the squares more than the square of the mean. The gap '
           'between those two is the variance, which is never negative.')


class most_typical(Do):
    """
    Write `most_typical(images)`: the place of the image that is nearest, by L1, to the mean of all
    `images`, shape `(n, h, w)`.
    """
    concept = 'mean image'
    equal = {'in_a_row: (images - images.mean(0)).abs().mean -> (images - images.mean(0)).abs().sum':
             'all sums are 784 times the means, so the least is at the same place',
             'loop: (image - ideal).abs().mean -> (image - ideal).abs().sum': 'all sums are as many times',
             'in_a_row: (1, 2) -> (2, 1)': 'the order of the axes to average over is no matter'}
    hints = ('One mean image, one distance for each image, one place.',
             'Which axes belong to the image, and which one counts the images?',
             '`argmin` gives the place of the smallest.')
    why = 'A mean over the first axis makes the ideal, a mean over the other two makes the distances.'

    @cases
    def piles():
        draw = torch.Generator().manual_seed(28)
        return [(torch.zeros(1, 2, 2),), (torch.tensor([[[0., 1.]], [[.5, .5]], [[1., .9]]]),),
                (torch.tensor([[[0., 0.]], [[.9, .1]], [[1., 0.]], [[1., 1.]], [[0., .9]]]),),
                *((torch.rand(n, 3, 4, generator=draw),) for n in (5, 8, 12))]

    @right
    def in_a_row(images): return (images - images.mean(0)).abs().mean((1, 2)).argmin()

    @right
    def loop(images):
        ideal = sum(images)/len(images)
        gaps = [(image - ideal).abs().mean().item() for image in images]
        return gaps.index(min(gaps))

    @wrong('That is the *least* typical one.')
    def farthest(images): return (images - images.mean(0)).abs().mean((1, 2)).argmax()

    @wrong('That is the nearest by RMSE.')
    def squares(images): return (images - images.mean(0)).square().mean((1, 2)).argmin()

    @wrong('You have compared amounts of ink: a 3 and a 7 with as much ink would be the same.')
    def ink(images): return (images.mean((1, 2)) - images.mean()).abs().argmin()

    @wrong('That is the image itself. Wanted is its place.')
    def image(images): return images[(images - images.mean(0)).abs().mean((1, 2)).argmin()]

    @wrong('Each image was compared with its own mean grey. The ideal has a grey for each pixel.')
    def own_mean(images):
        return (images - images.mean((1, 2), keepdim=True)).abs().mean((1, 2)).argmin()


class neighbours(Project):
    """
    Tell digits by their nearest neighbour. Write `nearest(images, labels, new)`: for each image of
    `new`, shape `(m, 28, 28)`, the label of the image that is nearest to it by L1 among the known
    `images`, shape `(n, 28, 28)`, whose labels are `labels`, shape `(n,)`.
    """
    concept = 'distance'
    hints = ('Begin with one new image: its distances to all known ones are a tensor of shape `(n,)`.',
             '`argmin` gives a place among the known images. What is the label there?',
             'A loop over the new images is fast enough, and needs little memory.')
    why = ('No ideal was made, and nothing was learned: all known images are kept and compared. That '
           'beats the two mean images by far, and each answer takes as long as there are images.')

    @step('An image that is known gets its own label.')
    def known(nearest):
        images, labels = torch.eye(4).view(4, 1, 4).expand(4, 2, 4), torch.tensor([7, 3, 9, 3])
        found = nearest(images, labels, images[2:3])
        if same(found, [2]): return 'That is the place of the nearest one among the known.'
        if not same(found, [9]): return f'Of four images it takes the third for `{told(found)}`.'

    @step('Many new images get one label each, as a tensor of shape `(m,)`.')
    def many(nearest):
        images, labels = torch.rand(9, 28, 28), torch.arange(9) % 3
        found = torch.as_tensor(nearest(images, labels, images[:5] + .001))
        if found.shape != (5,): return f'For five new ones it gives shape `{tuple(found.shape)}`.'
        if len(found.unique()) == 1: return 'All five get the same label.'

    @step('Near means near by L1: many small gaps count as much as one large.')
    def by_l1(nearest):
        images = torch.stack([torch.full((2, 2), .4), torch.tensor([[1., 0.], [0., 0.]])])
        found = nearest(images, torch.tensor([3, 7]), torch.zeros(1, 2, 2))
        if same(found, [3]): return 'It measures with squares.'
        if not same(found, [7]): return f'It gives `{told(found)}`, for labels 3 and 7.'

    @step('Of 400 new 3s and 7s at least 97 % are right, with 500 known images of each.')
    def enough(nearest):
        from digit_under_hood.data import load_digits
        known, new = ([load_digits(digit, split)[0][:n] for digit in (3, 7)]
                      for split, n in (('train', 500), ('valid', 200)))
        labels = [torch.tensor([3, 7]).repeat_interleave(n) for n in (500, 200)]
        found = torch.as_tensor(nearest(torch.cat(known), labels[0], torch.cat(new))).flatten()
        share = (found == labels[1]).float().mean().item() if len(found) == 400 else 0
        if share < .97: return f'{share:.1%} are right.'
