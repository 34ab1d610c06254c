"Tasks of chapter 10b, what the models dream of."
import torch
import torch.nn.functional as F

from digit_under_hood.choose import Choose
from digit_under_hood.practice import Do, cases, right, wrong


class confident_noise(Choose):
    """
    A network is shown a picture of noise and says: a 5, 99 % sure. What does the 99 % mean?
    """
    concept = 'confidence'
    hints = ('Among which answers are the shares divided?',
             'What do the ten shares add up to, whatever the picture is?')
    why = ('The ten shares sum to 1 for any picture. They compare the digits with each other; that it '
           'is a digit at all is not asked.')
    right = 'If it had to be one of the ten digits, the 5 has by far the highest score.'
    wrong = {'Of a hundred such pictures of noise, 99 are a 5.':
             'That is what a calibrated model keeps *on digits like those it was measured on*. None of '
             'this noise is a 5.',
             'The picture is 99 % like the 5s of the training.':
             'No share measures likeness. A picture far from every digit may get the highest scores.',
             'The weights are badly trained: a good model would say 10 % each.':
             'Very good models do the same. Nothing in the training asked for doubt about what is no '
             'digit.'}


class thicker(Do):
    """
    Write `thicker(image)`: each pixel becomes the largest of itself and its eight neighbours, so that
    strokes grow by a pixel on each side. Beyond the edge there is paper, 0. The image keeps its size.
    """
    concept = 'pooling'
    equal = {'window_by_window: 1 -> -1': 'of two axes the last is axis 1'}
    hints = ('Max pooling with a window of 3 does it. Which stride and which padding keep the size?',
             'Or put a row of zeros around the image and take the largest of nine views of it.')
    why = ('The largest of 3 by 3 pixels at every place: max pooling with a stride of 1. Beside a stroke '
           'the stroke is the largest.')

    @cases
    def images():
        rng = torch.Generator().manual_seed(4)
        dot = torch.zeros(4, 5)
        dot[1, 2] = .5
        return [(dot,), (torch.eye(3),), (torch.rand(5, 4, generator=rng),), (torch.eye(6)[:, :4],)]

    @right
    def pooled(image): return F.max_pool2d(image[None], 3, 1, 1)[0]

    @right
    def window_by_window(image):
        rows, columns = range(image.shape[0]), range(image.shape[1])
        return torch.stack([torch.stack([image[max(r - 1, 0):r + 2, max(c - 1, 0):c + 2].max()
                                         for c in columns]) for r in rows])

    @wrong('That is the mean of the nine: it blurs, and a stroke gets paler.')
    def blurred(image): return F.avg_pool2d(image[None, None], 3, stride=1, padding=1)[0, 0]

    @wrong('Here strokes get *thinner*: beside paper the paper wins.')
    def thinner(image): return -F.max_pool2d(-image[None, None], 3, stride=1, padding=1)[0, 0]

    @wrong('The image has lost its edge: two rows and two columns are gone.')
    def smaller(image): return F.max_pool2d(image[None, None], 3, stride=1)[0, 0]

    @wrong('That looks at neighbours left and right only. Strokes grow up and down as well.')
    def sideways(image): return F.max_pool2d(image[None, None], (1, 3), stride=1, padding=(0, 1))[0, 0]
