"Tasks of chapter 03a, broadcasting."
import sys
from itertools import zip_longest

import numpy as np
import torch

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong


class all_at_once(Do):
    """
    Write `all_at_once(images, ideal)`: for each of the images, `(n, h, w)`, its mean absolute
    difference from `ideal`, `(h, w)`, without a loop in any form. The calls that you make are
    counted: two hundred images may take no more of them than two.
    """
    question, concept = 8, 'vectorised'
    equal = {'last_axes: (-1, -2) -> (-2, -1)': 'axes to average over come in any order',
             'rows: 1 -> -1': 'a table has two axes, and the second is the last'}
    hints = ('Subtract the one ideal from all images in one go.',
             'Which axes are to go, and which one stays?',
             '`mean` takes several axes at once, and they may be counted from the end.')
    verb = 'gives, with how often something is called,'
    why = ('One operation on the whole tensor runs in compiled code, and the fixed price of a call '
           'is paid once and not for each number. Broadcasting extends that to different shapes.')

    @cases
    def piles():
        rng = torch.Generator().manual_seed(8)
        small = [([[[1.]]], [[.25]]), ([[[0., 1.]], [[.5, .5]]], [[.5, 0.]])]
        shapes = (2, 2, 2), (3, 2, 4), (200, 20, 20)
        return [*((torch.tensor(images), torch.tensor(ideal)) for images, ideal in small),
                *((torch.rand(shape, generator=rng), torch.rand(shape[1:], generator=rng))
                  for shape in shapes)]

    @outcome
    def numbers_and_calls(given, images, ideal):
        calls, before = 0, sys.getprofile()
        def count(frame, event, what):
            nonlocal calls
            calls += event in ('call', 'c_call')
        sys.setprofile(count)
        try: made = given(images, ideal)
        finally: sys.setprofile(before)
        if calls < 200: return made, 'a few times'
        return made, 'for each image' if calls < images.numel() else 'for each pixel'

    @right
    def last_axes(images, ideal): return (images - ideal).abs().mean((-1, -2))

    @right
    def rows(images, ideal): return (images - ideal).abs().flatten(1).mean(1)

    @wrong('A comprehension is a loop too, in one line: every image pays the price of its own '
           'calls. What if you subtract before you take the images apart?',
           when=lambda made, images, ideal: made[1] == 'for each image')
    def comprehension(images, ideal):
        return torch.stack([(image - ideal).abs().mean() for image in images])

    @wrong('Here something is called for every *pixel*. `np.vectorize` too is a loop inside: it '
           'saves typing, not time.', when=lambda made, images, ideal: made[1] == 'for each pixel')
    def vectorize(images, ideal):
        return np.vectorize(lambda p, q: abs(p - q))(images, ideal).mean((-1, -2))

    @wrong('No loop, but the mean is taken over everything, the images as well. Which axes are to '
           'go?')
    def one_number(images, ideal): return (images - ideal).abs().mean()

    @wrong('This averages over the images and leaves a picture. What is to stay is one number for '
           'each image.')
    def picture(images, ideal): return (images - ideal).abs().mean(0)

    @wrong('One number for each image, without a loop. But differences above 0 and below cancel.')
    def no_abs(images, ideal): return (images - ideal).mean((-1, -2))

    @wrong('This adds the differences up, and so it grows with the number of pixels.')
    def summed(images, ideal): return (images - ideal).abs().sum((-1, -2))


class corner(Do):
    """
    Make a tensor of the numbers 1 to 9 in three rows of three, double it, and select the four at
    the bottom right: the corner of two rows and two columns.
    """
    question, concept = 9, 'axis'
    equal = dict.fromkeys(('slices: (1:, 1:) -> (1:, 1:)',
                           'from_the_end: (-2:, -2:) -> (-2:, -2:)'), 'both slices are the same')
    hints = ('`torch.arange(1, 10)` has the numbers; `reshape` gives them rows and columns.',
             'The corner needs two slices, one for the rows and one for the columns.',
             'The last two of three begin at place 1, as places are counted from 0.')
    why = ('The last two rows *and* the last two columns. `[-2:, -2:]` says the same, and goes on '
           'saying it when the table grows.')

    @right
    def slices(): return (torch.arange(1, 10).reshape(3, 3)*2)[1:, 1:]

    @right
    def from_the_end(): return torch.arange(2, 20, 2).view(3, 3)[-2:, -2:]

    @wrong('Those are the last four in reading order. The corner lies in two rows, two of each.')
    def last_four(): return (torch.arange(1, 10)*2)[-4:]

    @wrong('`2:` begins at the third of three, so only one row and one column are left.')
    def only_one(): return (torch.arange(1, 10).reshape(3, 3)*2)[2:, 2:]

    @wrong('Two brackets one after the other: each of them takes *rows*. Rows and columns go into '
           'one bracket, with a comma.')
    def two_brackets(): return (torch.arange(1, 10).reshape(3, 3)*2)[1:][1:]

    @wrong('The right corner, but the numbers are not doubled.')
    def not_doubled(): return torch.arange(1, 10).reshape(3, 3)[1:, 1:]

    @wrong('The right corner, but each number is squared instead of doubled.')
    def squared(): return (torch.arange(1, 10).reshape(3, 3)**2)[1:, 1:]

    @wrong('The table begins with 0: `arange(9)` counts from 0 to 8.')
    def from_0(): return (torch.arange(9).reshape(3, 3)*2)[1:, 1:]

    @wrong('That is the corner at the *top* left. `:2` takes the first two.')
    def top_left(): return (torch.arange(1, 10).reshape(3, 3)*2)[:2, :2]


class result_shape(Do):
    """
    Write `result_shape(a, b)`: the shape of the sum of two tensors that have the shapes `a` and
    `b`, tuples of sizes from 1 up, or `None` where torch would refuse. Twenty pairs will be tried.
    """
    question, concept = 10, 'broadcasting'
    equal = {'fill_up: (m, n) -> (n, m)': 'neither of the two is before the other',
             'from_the_right: (m, n) -> (n, m)': 'neither of the two is before the other',
             'fill_up: ((1,) * (rank - len(a)) + tuple(a), (1,) * (rank - len(b)) + tuple(b)) -> '
             '((1,) * (rank - len(b)) + tuple(b), (1,) * (rank - len(a)) + tuple(a))':
             'b plus a has the shape of a plus b'}
    hints = ('Three rules: aligned at the right; equal or 1; a 1 is stretched.',
             'Put 1s in front of the shorter shape, until both are of one length. `(1,)*2` is '
             '`(1, 1)`.',
             'Then go through both with `zip`. When does a pair of sizes not fit, and what comes '
             'out when it does?')
    why = ('Aligned at the right, a missing axis counts as 1, and a 1 is read again and again as if '
           'it had the other\'s size. No input is copied and none is cut down.')

    @cases
    def pairs():
        return [((), ()), ((3,), ()), ((3,), (3,)), ((3,), (1,)), ((1,), (3,)), ((2,), (3,)),
                ((2, 1), (3,)), ((3,), (4, 1)), ((2, 3), (3,)), ((2, 3), (2,)), ((2, 3), (2, 1)),
                ((3, 3), (3,)), ((2, 2), (2, 3)), ((1, 4), (4, 1)), ((4, 2, 3), (2, 3)),
                ((4, 2, 3), (4, 2)), ((4, 2, 3), (4, 1, 1)), ((256, 1), (256,)),
                ((1010, 28, 28), (28, 28)), ((1010, 1, 28, 28), (10, 28, 28))]

    @right
    def fill_up(a, b):
        rank = max(len(a), len(b))
        a, b = (1,)*(rank - len(a)) + tuple(a), (1,)*(rank - len(b)) + tuple(b)
        if any(m != n and 1 not in (m, n) for m, n in zip(a, b)): return None
        return tuple(max(m, n) for m, n in zip(a, b))

    @right
    def from_the_right(a, b):
        shape = []
        for m, n in zip_longest(a[::-1], b[::-1], fillvalue=1):
            if m == n or 1 in (m, n): shape.insert(0, max(m, n))
            else: return None
        return shape

    @wrong('You align the shapes at the left. Beside `(2, 3)`, with which of its axes does a shape '
           '`(2,)` meet?')
    def at_the_left(a, b):
        both = [*zip_longest(a, b, fillvalue=1)]
        return None if any(m != n and 1 not in (m, n) for m, n in both) else [*map(max, both)]

    @wrong('You take the larger of two unequal sizes always. Only a 1 can be stretched: 2 against '
           '3 is refused.')
    def never_refuses(a, b):
        return [max(pair) for pair in zip_longest(a[::-1], b[::-1], fillvalue=1)][::-1]

    @wrong('You take the smaller size. Nothing ever shrinks: it is the 1 that is stretched.')
    def smaller(a, b):
        both = [*zip_longest(a[::-1], b[::-1], fillvalue=1)][::-1]
        return None if any(m != n and 1 not in (m, n) for m, n in both) else [*map(min, both)]

    @wrong('You refuse shapes of different length. An axis that one of them lacks counts as 1.')
    def equal_rank(a, b):
        if len(a) != len(b) or any(m != n and 1 not in (m, n) for m, n in zip(a, b)): return None
        return [*map(max, zip(a, b))]

    @wrong('You refuse unequal sizes even where one of them is a 1.')
    def equal_sizes(a, b):
        if any(m != n for m, n in zip(a[::-1], b[::-1])): return None
        return max(a, b, key=len)

    @wrong('Right where the shapes fit. Where they do not, this stops with an error, and wanted is '
           '`None`.', when=lambda made, a, b: isinstance(made.error, ValueError | RuntimeError)
           and any(m != n and 1 not in (m, n) for m, n in zip(a[::-1], b[::-1])))
    def stops(a, b): return torch.broadcast_shapes(a, b)


class without_ink(FixIt):
    """
    This is to subtract from each image, of `images` `(n, h, w)`, its own mean, so that each of
    them averages 0. With three images of 3 by 3 it runs, but they do not average 0; with most
    shapes it stops. Repair it.
    """
    concept, planted = 'broadcasting', 'lost_axes'
    equal = dict.fromkeys(('kept: (1, 2) -> (2, 1)', 'added: (-1, -2) -> (-2, -1)'),
                          'axes to average over come in any order')
    hints = ('What shape does the mean have, and which axis of `images` does it meet?',
             'Each image needs its mean for all of its rows and all of its columns.',
             'A mean can keep the axes that it averages over, with size 1. Or add them yourself, '
             'with `None`.')
    why = ('The means have the shape `(n, 1, 1)` now, so each of them meets its own image. As `(n,)` '
           'they were aligned with the columns.')

    @cases
    def piles():
        rng = torch.Generator().manual_seed(28)
        made = [torch.rand(shape, generator=rng) for shape in (
            (2, 2, 2), (3, 3, 3), (4, 3, 3), (2, 3, 4))]
        return [(torch.tensor([[[4.]], [[2.]]]),), *((images,) for images in made)]

    @right
    def kept(images): return images - images.mean((1, 2), keepdim=True)

    @right
    def added(images): return images - images.mean((-1, -2))[:, None, None]

    @wrong('Still the means have one axis only, and shapes are aligned at the right: there are the '
           'columns, not the images.')
    def lost_axes(images): return images - images.mean((1, 2))

    @wrong('One axis of size 1 is not enough. `(n, 1)` meets the rows and the columns; the images '
           'are one axis further left.')
    def one_axis(images): return images - images.mean((1, 2))[:, None]

    @wrong('This subtracts one mean, that of the whole pile. Dark images stay above 0 and pale ones '
           'below.')
    def whole_pile(images): return images - images.mean()

    @wrong('This subtracts the average picture: now every *place* averages 0, and not every image.')
    def average_picture(images): return images - images.mean(0)

    @wrong('Each row of each image has lost its own mean. Every image averages 0 then, but more is '
           'gone than was asked for: how much ink each row has.')
    def each_row(images): return images - images.mean(2, keepdim=True)


class read_again(Choose):
    "How does one ideal of shape `(28, 28)` meet all images of a pile of shape `(1010, 28, 28)`?"
    concept = 'stride'
    hints = ('How many bytes lay behind the stretched ideal?',
             'A stride says how many numbers to step over to get to the next entry.')
    right = 'The same memory is read for each image: the axis that it lacks has a stride of 0.'
    wrong = {
        'torch makes 1,009 copies of it behind the scenes.': 'Then 3,167,360 bytes would lie behind '
        'the stretched ideal. The cell above counts 3,136.',
        'The pile is averaged down to `(28, 28)` first.': 'Nothing gets smaller. 1,010 differences '
        'came out, and a loop gave the same.',
        'A Python loop runs over the images, inside torch.': 'There is a loop, but in compiled '
        'code. What matters is where it reads: how far on is the next image?'}
    why = ('To get to the next image of the ideal, step over no numbers: you are where you were. '
           'Only the result takes new memory.')


class all_pairs(Predict):
    "A column of shape `(4, 1)` minus a row of shape `(5,)`: how many numbers come out?"
    concept = 'broadcasting'
    hints = ('Write the shapes under each other, aligned at the right.',
             'On the last axis 1 meets 5, on the one before it 4 meets nothing.')
    value, within = 20, .4
    wrong = {5: 'That is the last axis. There is another one before it, on which the column has 4.',
             4: 'That is the first axis. On the last one the column has a 1, and a 1 is stretched.',
             0: 'It does fit: on each axis one of the two has a 1 or nothing.',
             9: 'They are not put one after the other. Each of the four meets each of the five.'}
    why = 'Both are stretched, to `(4, 5)`: every entry of the column meets every entry of the row.'


class distances_to_all(Do):
    """
    Write `distances_to_all(a, b)`: the L1 distance of each image of `a`, shape `(n, h, w)`, from each
    of `b`, shape `(m, h, w)`, as a table of shape `(n, m)`. One line will do.
    """
    concept = 'broadcasting'
    equal = {'stretched: (2, 3) -> (3, 2)': 'the order of the axes to average over is no matter',
             'stretched: 2 -> -2': 'of four axes, 2 and -2 are the same',
             'row_by_row: 1 -> -1': 'of two axes, 1 and -1 are the same'}
    hints = ('An axis of length 1 is stretched. Where has `a` to get one, so that `b` fits beside it?',
             'The difference has four axes. Which two belong to an image?')
    why = '`(n, 1, h, w)` against `(m, h, w)` gives `(n, m, h, w)`: each with each, without a loop.'

    @cases
    def piles():
        draw = torch.Generator().manual_seed(0)
        return [tuple(torch.rand(k, 2, 3, generator=draw) for k in sizes)
                for sizes in ((1, 1), (2, 3), (3, 3), (4, 1))]

    @right
    def stretched(a, b): return (a[:, None] - b).abs().mean((2, 3))

    @right
    def row_by_row(a, b): return torch.stack([(b - one).abs().flatten(1).mean(1) for one in a])

    @wrong('Rows and columns are swapped: a row belongs to an image of `a`.')
    def other_way(a, b): return (b[:, None] - a).abs().mean((2, 3))

    @wrong('Those are sums over the pixels. L1 is a mean.')
    def sums(a, b): return (a[:, None] - b).abs().sum((2, 3))

    @wrong('Those are squares. L1 takes the size of each difference.')
    def squares(a, b): return (a[:, None] - b).square().mean((2, 3))

    @wrong('Positive and negative differences cancel here.')
    def signed(a, b): return (a[:, None] - b).mean((2, 3))
