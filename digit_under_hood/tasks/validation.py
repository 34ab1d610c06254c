"Tasks of chapter 03b, validation."
import torch

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.data import load_digits
from digit_under_hood.outcomes import same, told
from digit_under_hood.practice import Do, cases, right, wrong
from digit_under_hood.projects import Project, step
from digit_under_hood.similarity import mean_image
from digit_under_hood.validation import accuracy, is_3, nearest_class


class fair_accuracy(Do):
    """
    Write `fair_accuracy(train_x, train_y, valid_x, valid_y)`: the accuracy that counts, of the
    classifier by two ideals, image by image. The images are floats `(n, h, w)`, the labels 3 or 7.
    The functions of this chapter and of chapter 02 are at hand.
    """
    question, concept = 11, 'validation set'
    hints = ('Which of the two sets may have a part in the ideals, and which has to be new?',
             '`train_x[train_y == 3]` are the 3s to learn from. `is_3` wants two ideals.',
             '`is_3` says True and False, the labels say 3 and 7. What makes one of the other?')
    why = ('A model can do well on its training images by remembering them. We want to know how it '
           'does on digits that it has not met, so they may have no part in making it, and each of '
           'them counts once.')

    @cases
    def made_up():
        rng = torch.Generator().manual_seed(11)
        ideal = {3: torch.rand(3, 3, generator=rng), 7: torch.rand(3, 3, generator=rng)}
        def digits(n3, n7):
            y = torch.tensor([3]*n3 + [7]*n7)[torch.randperm(n3 + n7, generator=rng)]
            x = torch.stack([ideal[int(label)] for label in y])
            return (x + .8*torch.randn(x.shape, generator=rng)).clip(0, 1), y
        sizes = ((2, 2), (2, 3)), ((2, 3), (7, 2)), ((5, 9), (20, 6)), ((30, 8), (9, 30))
        return [(*digits(*train), *digits(*valid)) for train, valid in sizes]

    @right
    def functions(train_x, train_y, valid_x, valid_y):
        ideals = mean_image(train_x[train_y == 3]), mean_image(train_x[train_y == 7])
        return accuracy(is_3(valid_x, *ideals), valid_y == 3)

    @right
    def nearest(train_x, train_y, valid_x, valid_y):
        ideals = torch.stack([train_x[train_y == digit].mean(0) for digit in (7, 3)])
        return accuracy(nearest_class(valid_x, ideals), (valid_y == 3).long())

    @wrong('You judge on the training images. They had a part in the ideals, so this tells little '
           'about new ones.')
    def on_training(train_x, train_y, valid_x, valid_y):
        ideals = mean_image(train_x[train_y == 3]), mean_image(train_x[train_y == 7])
        return accuracy(is_3(train_x, *ideals), train_y == 3)

    @wrong('You average the shares of the two classes. That gives each *class* the same weight; '
           'asked is for each image.')
    def by_class(train_x, train_y, valid_x, valid_y):
        called = is_3(valid_x, train_x[train_y == 3].mean(0), train_x[train_y == 7].mean(0))
        shares = called[valid_y == 3].float().mean(), (~called)[valid_y == 7].float().mean()
        return sum(shares)/2

    @wrong('The ideals are made of the validation images, and then the same images are judged. '
           'They are no longer new to the classifier.')
    def ideals_of_valid(train_x, train_y, valid_x, valid_y):
        ideals = mean_image(valid_x[valid_y == 3]), mean_image(valid_x[valid_y == 7])
        return accuracy(is_3(valid_x, *ideals), valid_y == 3)

    @wrong('Training and validation images are judged in one pile, and so those that the ideals '
           'know already count too.')
    def one_pile(train_x, train_y, valid_x, valid_y):
        ideals = mean_image(train_x[train_y == 3]), mean_image(train_x[train_y == 7])
        return accuracy(is_3(torch.cat([train_x, valid_x]), *ideals),
                        torch.cat([train_y, valid_y]) == 3)

    @wrong('Answers of True and False are never equal to 3 or 7. The labels have to become targets '
           'first.')
    def labels_for_targets(train_x, train_y, valid_x, valid_y):
        called = is_3(valid_x, train_x[train_y == 3].mean(0), train_x[train_y == 7].mean(0))
        return (called == valid_y).float().mean()

    @wrong('That is the share of the *mistakes*: the ideals have changed places, or the answers.')
    def turned_round(train_x, train_y, valid_x, valid_y):
        ideals = mean_image(train_x[train_y == 7]), mean_image(train_x[train_y == 3])
        return accuracy(is_3(valid_x, *ideals), valid_y == 3)

    @wrong('That is how many are right, not which share of them.')
    def counted(train_x, train_y, valid_x, valid_y):
        called = is_3(valid_x, train_x[train_y == 3].mean(0), train_x[train_y == 7].mean(0))
        return (called == (valid_y == 3)).sum()


class by_image(Predict):
    """
    A classifier is right on all of 10 sevens and on 45 of 90 threes. What is its accuracy, counted
    by image?
    """
    concept = 'accuracy'
    hints = ('Put all images in one pile. How many are there?', 'How many of them are right?')
    value, within = .55, .005
    wrong = {.75: 'That is the mean of the two classes, 1 and 0.5. It gives ten sevens the weight of '
                  'ninety threes.',
             .5: 'That is its share of the threes alone. The sevens are in the pile too.',
             55: 'That is how many it gets right. Which share is it?',
             .45: 'That is the share of its mistakes.'}
    why = '55 of 100. By class it would be 0.75, so say which of the two you report.'


class draw_people(Choose):
    "Why does `writer_interval` draw writers anew, and not images?"
    concept = 'bootstrap'
    hints = ('Look at the eight 3s of the writer with five mistakes.',
             'If that person had stayed at home, how many mistakes would be gone?')
    right = 'Images by one hand stand or fall together, and a program will meet new people.'
    wrong = {
        'There are fewer of them, so it is quicker.': 'A little. But then one could draw fewer '
        'images as well. What do the images of one person have in common?',
        'That makes the interval narrower.': 'It gets wider here, by a fifth: it is as if there '
        'were fewer images.',
        'A person with five mistakes spoils the accuracy and should be left out.': 'Nobody is left '
        'out: such a person comes in some draws twice and in others not at all.'}
    why = ('Mistakes come by the person. Every further digit by the same hand tells a little less, '
           'and drawing people takes that into account.')


class forged(Choose):
    """
    One banknote in ten thousand is forged. A program that looks for forgeries has an accuracy of
    0.9999. Is that good?
    """
    concept = 'base rate'
    hints = ('What accuracy has a program that calls every note genuine?',
             'What would you want to know of a program that looks for forgeries?')
    right = 'One cannot tell: calling every note genuine has the same accuracy.'
    wrong = {
        'Yes: it is wrong on one note in ten thousand.': 'So it is. But just one note in ten '
        'thousand is forged: which one may it be that it gets wrong?',
        'Yes, if it was measured on notes that it had not met.': 'That is needed, but it does not '
        'help here. What would a program score that never looks at the note?',
        'No: with so few forged notes it has found none of them.': 'Perhaps, perhaps not. It may '
        'find every one and flag a genuine note by mistake: the accuracy is the same.'}
    why = ('It is the base rate of the genuine notes. Ask how many of the forged notes it finds, '
           'and how many genuine ones it flags.')


def ink_in_a_frame(n=3):
    "Images with a wide margin, each different"
    images = torch.zeros(n, 28, 28)
    images[:, 6:22, 6:22] = torch.rand(n, 16, 16, generator=torch.Generator().manual_seed(1))
    return images


class however_it_lies(Project):
    """
    Chapter 03b moves all images by three pixels, and accuracy falls from 95 to 89 %. Make a distance
    that does not mind: `tolerant(images, ideals, r)`, for each image of `(n, 28, 28)` and each ideal
    of `(k, 28, 28)` the least L1 distance over all moves of the ideal, up to `r` pixels in each
    direction, as a table `(n, k)`.
    """
    concept = 'distance'
    hints = ('`roll` moves an image. How many moves are there for `r = 1`, with the diagonals?',
             'Two loops over the moves, and inside the distance of all images from all moved ideals.',
             'Keep the smallest so far: `torch.minimum`.')
    why = ('Moves cost time, 25 times as much for two pixels, and buy tolerance. Convolution, which you '
           'meet later, gets it much cheaper.')

    @step('With `r = 0` it is L1, a row for each image and a column for each ideal.')
    def no_move(tolerant):
        images = ink_in_a_frame(5)
        made, wanted = tolerant(images[:3], images[3:], 0), torch.stack(
            [(images[:3] - ideal).abs().mean((1, 2)) for ideal in images[3:]], 1)
        if not same(made, wanted): return f'It gives `{told(made)}`, wanted is `{told(wanted)}`.'

    @step('An ideal that lies up to `r` pixels away, in any direction, is at distance 0.')
    def found_again(tolerant):
        ideals = ink_in_a_frame()
        for moves in ((0, 0), (2, 0), (0, -2), (-1, 2), (2, 2)):
            made = torch.as_tensor(tolerant(ideals.roll(moves, (1, 2)), ideals, 2))
            if made.diagonal().abs().max() > 1e-5: return f'Moved by {moves} it is not found.'

    @step('Farther away it is not.')
    def not_farther(tolerant):
        ideals = ink_in_a_frame()
        for moves in ((3, 0), (0, -3), (3, 3)):
            made = torch.as_tensor(tolerant(ideals.roll(moves, (1, 2)), ideals, 2))
            if made.diagonal().min() < 1e-3: return f'With `r = 2` it is found when moved by {moves}.'

    @step('Of 200 unseen 3s and 7s, moved by two pixels, at least 85 % are right.')
    def reads_them(tolerant):
        ideals = torch.stack([load_digits(digit)[0].mean(0) for digit in (3, 7)])
        images = torch.cat([load_digits(digit, 'valid')[0][:100] for digit in (3, 7)])
        made = torch.as_tensor(tolerant(images.roll((2, 2), (1, 2)), ideals, 2))
        share = (made.argmin(1) == torch.tensor([0, 1]).repeat_interleave(100)).float().mean()
        if share < .85: return f'{share:.0%} are.'
