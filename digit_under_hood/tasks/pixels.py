"Tasks of chapter 01, pixels."
from pathlib import Path

import torch

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.outcomes import same, told
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong
from digit_under_hood.projects import Project, step


class label_of(Do):
    """
    Write `label_of(path)`: the digit that the image at `path` shows, as a number. `path` is a
    `Path` such as `Path('train/3/10.png')`; there may be more folders in front.
    """
    question, concept = 2, 'label'
    hints = ('Which of the names in the path says what the image shows?',
             'It is the folder in which the file lies. `path.parent` is the path of that folder.',
             '`path.parts` is a tuple of all the names. From which end do you count, if the path '
             'may begin anywhere?')
    why = ('The name of the folder says what the image is, so no list has to be kept in step with '
           'the files. The folder above it keeps images to learn from apart from images to test '
           'with: only those that a model has never seen show what it has learnt.')

    @cases
    def paths():
        return [(Path(path),) for path in (
            'train/3/10.png', 'train/7/15.png', 'train/7/3.png', 'valid/3/7.png',
            'valid/7/1000.png', 'mnist/train/3/12.png', '/a/3/valid/7/0.png')]

    @outcome
    def number(given, path):
        made = given(path)
        return int(made) if isinstance(made, str) and made.isdigit() else made

    @right
    def folder(path): return int(path.parent.name)

    @right
    def from_the_end(path): return int(path.parts[-2])

    @wrong('That is the number of the image, its place in MNIST. What it shows is written '
           'elsewhere.')
    def image_number(path): return int(path.stem)

    @wrong('That is the split, whether the image is there to learn from or to test with. What it '
           'shows stands one level deeper.')
    def split(path): return path.parts[-3]

    @wrong('0 for a 3 and 1 for a 7 is the code of `labels.csv`. A label is the digit itself.')
    def code(path): return int(path.parent.name == '7')

    @wrong('That is the path of the right folder. Only the last part of it is its name.',
           when=lambda made, path: str(made) == str(path.parent))
    def whole_folder(path): return path.parent

    @wrong('You count from the start of the path, and that depends on where it begins. Look at '
           '`mnist/train/3/12.png`.')
    def from_the_start(path): return path.parts[1]

    @wrong('A 3 can also be in the number of the image, or in another folder: see `train/7/3.png`.')
    def anywhere(path): return 3 if '3' in str(path) else 7


class in_colour(Do):
    """
    Write `in_colour(image)`: a grey image of bytes, `(height, width)`, as a colour image that
    looks the same on a screen. Pillow and matplotlib are to show it: channels where they look for
    them, in bytes from 0 to 255 or in floats from 0 to 1.
    """
    question, concept = 1, 'pixel'
    hints = ('Red, green and blue light in equal parts look grey.',
             'So all three channels hold the same numbers. `colour` above is stacked from three.',
             'Which axis is the channel, for Pillow and matplotlib?')
    verb = 'shows, as shares of full light,'
    why = ('A grey image is a grid with one number for each pixel, most often a byte. A colour '
           'image is three such grids, for red, green and blue light, and equal light is grey.')

    @cases
    def images():
        rng = torch.Generator().manual_seed(1)
        made = [torch.randint(256, shape, generator=rng) for shape in ((2, 4), (3, 3), (5, 2))]
        return [(image.byte(),) for image in (torch.tensor([[29]]), torch.tensor([[0, 128]]), *made)]

    @outcome
    def light(given, image):
        made = torch.as_tensor(given(image))
        return made.clip(0, 1) if made.is_floating_point() else made/255

    @right
    def stacked(image): return torch.stack([image, image, image], dim=2)

    @right
    def expanded(image): return image[:, :, None].expand(-1, -1, 3)

    @wrong('The three grids are there, but the channel comes first, as torch\'s own layers want '
           'it. Pillow and matplotlib look for it elsewhere.')
    def channel_first(image): return torch.stack([image, image, image])

    @wrong('This is still grey, one number for each pixel. How many has a pixel in colour?')
    def still_grey(image): return image

    @wrong('Layout and numbers are right, but they are floats that go up to 255. A float is taken '
           'for a share of full light: 1 and all above it is white.')
    def large_floats(image): return torch.stack([image.float()]*3, 2)

    @wrong('That is a red picture: the other two channels are dark.')
    def red(image): return torch.stack([image, 0*image, 0*image], 2)

    @wrong('There is an axis for the channel now, but only one channel on it.')
    def one_channel(image): return image[:, :, None]

    @wrong('The light is shared out among the channels, and so the picture gets darker. White is '
           '`[255, 255, 255]`.')
    def a_third(image): return torch.stack([image//3]*3, 2)


class mean_gap(FixIt):
    """
    Two images of bytes that are nearly equal come out nearly as far apart as black and white.
    Repair it. Wanted is the mean absolute difference, on the scale from 0 to 255.
    """
    concept, planted = 'dtype', 'too_late'
    hints = ('Try two images of one pixel each, 3 and 5. What does the difference hold?',
             'A result that does not fit into a byte comes around at the other end.',
             'Read as bytes, count as floats. When does the counting begin?')
    why = ('The subtraction is already counting: what it is given has to be able to go below 0. '
           'Once a difference has wrapped around, no later step can tell.')

    @cases
    def pairs():
        rng = torch.Generator().manual_seed(255)
        some = [((5,), (3,)), ((3,), (5,)), ((0, 200), (200, 0)), ((255, 9), (0, 9))]
        made = [[torch.tensor([pixels]).byte() for pixels in pair] for pair in some]
        return [*map(tuple, made), tuple(torch.randint(256, (2, 4, 5), generator=rng).byte())]

    @right
    def floats(a, b): return (a.float() - b.float()).abs().mean()

    @right
    def whole_numbers(a, b): return (a.int() - b.int()).abs().sum()/a.numel()

    @wrong('The difference is still taken in bytes. When it becomes a float, all that should be '
           'below 0 has come around already.')
    def too_late(a, b): return (a - b).float().abs().mean()

    @wrong('Nothing wraps any more. But now the differences above 0 and those below cancel.')
    def no_abs(a, b): return (a.float() - b.float()).mean()

    @wrong('`int8` has a sign, but goes up to 127 only, so a full stroke does not fit into it.')
    def signed_bytes(a, b): return (a.to(torch.int8) - b.to(torch.int8)).float().abs().mean()

    @wrong('A mean of whole numbers is seldom whole, so torch takes none. Which kind of number has '
           'a sign and a mean?', when=lambda made, a, b: 'dtype' in str(made.error))
    def mean_of_integers(a, b): return (a.int() - b.int()).abs().mean()

    @wrong('That is the sum, which grows with the number of pixels.')
    def summed(a, b): return (a.float() - b.float()).abs().sum()

    @wrong('Nothing wraps any more. But this is a share of full ink; wanted is the scale from 0 to '
           '255.')
    def shares(a, b): return (a/255 - b/255).abs().mean()


class by_heart(Choose):
    "A model gets every image in `train` right and only six of ten in `valid`. What has happened?"
    concept = 'overfitting'
    hints = ('Think of the friend with the cards.', 'How would you score on cards that you have '
             'learnt by heart, and how on new ones?')
    right = 'It has learnt its cards by heart, and that does not carry over to others.'
    wrong = {
        'The images in `valid` are much harder.': 'They were drawn from the same kind of digits, so '
        'not by that much. What differs is whether the model has met them.',
        'Four of ten labels in `valid` are wrong.': 'Then everybody would fail on them. Doubtful '
        'labels are rare: chapter 00 counted 15 among 10,000.',
        'It has practised too little and needs more time with `train`.': 'In `train` it has nothing '
        'left to learn: it is right on all of it.'}
    why = ('What it found fits these images only. This is called *overfitting*, and without `valid` '
           'you would not have noticed.')


class which_quarter(Choose):
    "Which part of the image is `im3_t[:14, 14:]`?"
    concept = 'axis'
    hints = ('Which comes first, rows or columns?', 'From which end are rows counted?')
    right = 'the upper right quarter'
    wrong = {'the lower left quarter': 'You have read the columns first. In a tensor the rows come '
             'first, as in a table.',
             'the upper left quarter': 'The rows are right. `14:` begins at column 14 and goes on '
             'to the end.',
             'the lower right quarter': 'The columns are right. `:14` stops before row 14, and row '
             '0 is at the top.'}
    why = 'Rows 0 to 13 are the upper half, columns 14 to 27 the right one. Its shape is `(14, 14)`.'


class room_for_a_sum(Choose):
    "`im3_t.sum()` adds up 784 bytes to far more than 255. Why does it not wrap around?"
    concept = 'dtype'
    hints = ('Look at `im3_t.sum().dtype`.', 'Does the result have to be of the same kind as the '
             'pixels?')
    right = 'torch adds whole numbers of any kind up in an `int64`, which has room enough.'
    wrong = {'Only a minus wraps around, a plus does not.': 'Then 200 + 100 would have been 300.',
             'torch adds up in floats.': 'Look at its dtype: it is a whole number.',
             'It does, but so many times that it comes out right.': 'What is lost by wrapping is '
             'lost: a byte can say 256 things, no more.'}
    why = ('It is the operations that give back *the same kind*, such as `+` and `-` of two images '
           'of bytes, that wrap.')


class below_zero(Predict):
    "Both are `uint8`, one pixel is 100 and the other one 200. What is the first minus the second?"
    concept = 'dtype'
    hints = ('The true difference does not fit into a byte.',
             'It comes around at the other end. How many different numbers can a byte hold?')
    value, within = 156, .4
    wrong = {-100: 'That is the true difference. A `uint8` has no numbers below 0.',
             0: 'A byte does not stop at 0. It goes on at the other end.',
             100: 'The sign is not just dropped. Count down from 100 by 200 steps: where do you '
                  'come around?',
             155: 'Nearly. There are 256 numbers from 0 to 255, not 255.'}
    why = '-100 + 256 = 156. A paler pixel minus a darker one can look darker than either.'


class photograph(Predict):
    "How many *million* numbers are in a colour photograph of 4000 by 3000 pixels?"
    concept = 'pixel'
    hints = ('How many pixels are there?', 'How many numbers has each of them?')
    value, within = 36, .5
    wrong = {12: 'That is how many pixels there are. Each of them is more than one number.',
             288: 'Those are its bits. Each number is one byte of eight.'}
    why = ('4000 x 3000 pixels of three numbers each. In bytes that is 36 megabytes, if nothing is '
           'compressed.')


class upside_down(Do):
    "Write `upside_down(image)`: the image, shape `(h, w)`, turned by half a turn."
    concept = 'axis'
    equal = {'both: 1 -> -1': 'of two axes, 1 and -1 are the same'}
    hints = ('Where does the first row go, and where does the first column go?',
             '`flip` takes the axes that are to be read backwards.')
    why = 'Half a turn reads the rows backwards and each row backwards: both axes, not one.'

    @cases
    def images():
        return [(torch.tensor([[1, 2], [3, 4]]),), (torch.arange(6).view(2, 3),),
                (torch.arange(12.).view(4, 3),)]

    @right
    def both(image): return image.flip(0, 1)

    @right
    def quarter_twice(image): return image.rot90().rot90()

    @wrong('Only the rows are in reverse: this is a mirror that lies on the floor.')
    def rows(image): return image.flip(0)

    @wrong('Only the columns are in reverse: this is a mirror on the wall.')
    def columns(image): return image.flip(1)

    @wrong('Rows became columns. Half a turn leaves rows rows.')
    def swapped(image): return image.T

    @wrong('That is a quarter of a turn.')
    def quarter(image): return image.rot90()


def balance(image):
    "The mean row and column, weighted by ink"
    ink = torch.as_tensor(image).double()
    return [((ink.sum(1 - axis)*torch.arange(ink.shape[axis])).sum()/ink.sum()).item()
            for axis in (0, 1)]


def blots(n=6):
    "Images with a lopsided blot somewhere"
    found = torch.zeros(n, 28, 28, dtype=torch.uint8)
    for i, image in enumerate(found):
        top, left = 3 + i, 9 - i
        image[top:top + 7, left:left + 3] = 255
        image[top:top + 2, left:left + 9] = 90
    return found


class to_the_middle(Project):
    """
    Bring digits to the middle, as those who made MNIST did. `box(image)` gives four numbers: the
    first and the last row, the first and the last column that hold ink. `centre(image)` moves the
    ink by whole pixels, so that its balance point, the mean place weighted by ink, is in the middle
    of the image, to half a pixel. Images are bytes of shape `(28, 28)`, with a wide enough margin.
    """
    concept = 'pixel'
    hints = ('Which rows hold ink? `image.any(1)` tells; `nonzero` gives their places.',
             'The ink of each row, times its number, summed and divided by all ink: the mean row.',
             '`roll` moves by whole pixels. The middle of 28 rows is 13.5, counted from 0.')
    why = ('The balance point, and not the box, is what MNIST was centred by. That is why a 7 does not '
           'fill its margins evenly, and why pixel similarity works at all.')

    @step('`box` is tight: its first and last rows and columns hold ink.')
    def tight(box):
        image = torch.zeros(28, 28, dtype=torch.uint8)
        image[3:10, 5:7] = 255
        found = [int(n) for n in box(image)]
        if found != [3, 9, 5, 6]:
            return f'Ink in rows 3 to 9 and columns 5 and 6 gives `{told(found)}`.'

    @step('`box` counts the faintest ink too.')
    def faint(box):
        image = torch.zeros(28, 28, dtype=torch.uint8)
        image[8, 8] = 255
        before = [int(n) for n in box(image)]
        image[4, 20] = 1
        moved = [int(n) - m for n, m in zip(box(image), before)]
        if moved != [-4, 0, 0, 12]: return 'A pixel of 1 in a corner of its own changes too little.'

    @step('`centre` brings the balance point to the middle.')
    def middle(centre):
        off = [max(abs(at - 13.5) for at in balance(centre(image))) for image in blots()]
        if max(off) > .5001: return f'It is up to {max(off):.1f} pixels off.'

    @step('No ink is lost, and none is made.')
    def ink(centre):
        for image in blots():
            made = torch.as_tensor(centre(image))
            if made.shape != (28, 28): return f'The image has shape `{tuple(made.shape)}` now.'
            if not same(made.flatten().sort().values, image.flatten().sort().values):
                return f'Before there were {int(image.sum())}, now {int(made.sum())}.'

    @step('What is in the middle stays as it is, and so does the image that was given.')
    def stays(centre):
        for image in blots():
            kept = image.clone()
            once = torch.as_tensor(centre(image))
            if not image.equal(kept): return 'The image itself was changed.'
            if not same(centre(once), once): return 'Centred twice is not centred once.'
