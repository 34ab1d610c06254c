"Tasks of chapter 09, convolution."
import torch
import torch.nn.functional as F

from digit_under_hood.choose import Choose, Predict
from digit_under_hood.practice import Do, FixIt, cases, outcome, right, wrong
from digit_under_hood.projects import Project, step


class kernel_for(Do):
    """
    Give `kernel`, a tensor of 3 by 3 weights that moves a picture one pixel to the *right*. It is
    slid with one row of paper around the picture, so that the result has the same size.
    """
    concept = 'kernel'
    hints = ('One weight is 1, all others are 0. With the 1 in the middle nothing would move.',
             'What comes out at a place is what the 1 sees there. Which neighbour of a place should '
             'come to it if all moves to the right?')
    why = ('At each place the 1 picks up the pixel to the left of it. So what was on the left '
           'arrives here: the picture has moved to the right.')
    @right
    def written(): return torch.tensor([[0., 0., 0.], [1., 0., 0.], [0., 0., 0.]])

    @right
    def placed(): return torch.eye(9)[3].view(3, 3)

    @wrong('It moves, but to the left: the 1 picks up the pixel on its right and brings it here.')
    def left(): return torch.tensor([[0., 0., 0.], [0., 0., 1.], [0., 0., 0.]])

    @wrong('That one moves nothing: each place picks up its own pixel.')
    def still(): return torch.tensor([[0., 0., 0.], [0., 1., 0.], [0., 0., 0.]])

    @wrong('It moves, but down: each place picks up the pixel above it.')
    def down(): return torch.tensor([[0., 1., 0.], [0., 0., 0.], [0., 0., 0.]])


class sizes(Predict):
    """
    Images of 28 by 28 pixels, a kernel of 5 by 5, two rows of padding on each side, a stride of 2.
    How many rows does the result have?
    """
    concept = 'stride'
    hints = ('With the padding the image is 32 pixels high.',
             'The first place of the kernel begins at row 0, the last one must end by row 31.')
    why = '32 rows, less 5 for the kernel, leave 27; every second one gives 13 steps, and the first '\
          'place makes 14: half of 28.'
    value, within = 14, .4
    wrong = {28: 'That would be the size without the stride. With 2 the kernel visits every second '
                 'row.',
             13: 'Those are the steps. The place where it begins counts too.',
             12: 'The padding is missing: two rows above and two below.',
             16: 'That is half of the padded image. But the kernel has to fit in as a whole.'}


class weights_of_a_layer(Choose):
    "A layer makes 32 channels out of 16, with kernels of 3 by 3. How many weights does it have, without biases?"
    concept = 'channel'
    hints = ('Each of the 32 kernels looks at all 16 channels.',)
    why = '32 kernels, each with 9 weights for each of the 16 channels: 32 times 16 times 9.'
    right = '4,608'
    wrong = {'288': 'That is 32 kernels of nine weights. Each needs nine for *every* channel that '
                    'comes in.',
             '512': 'That is one weight for each pair of channels: kernels of 1 by 1.',
             '3,612,672': 'That is 4,608 weights for each of the 784 places. The places share '
                          'theirs: that is the point of a convolution.'}


class pooled(Do):
    """
    Write `pooled(image)`: the largest of each 2 by 2 pixels, without torch's own pooling. Height
    and width are even.
    """
    concept = 'pooling'
    equal = {'axes: (1, 3) -> (3, 1)': 'axes to look along come in any order'}
    hints = ('`image[::2, ::2]` is one of the four pixels of each square. Which are the others?',
             'Or give each square two axes of its own: `image.view(h//2, 2, w//2, 2)`.')
    why = 'Four views of the image, each a quarter of its size, hold the four pixels of every '\
          'square; the largest of them stays.'

    @cases
    def images():
        rng = torch.Generator().manual_seed(9)
        return [(torch.tensor([[1., 2.], [4., 3.]]),), (torch.tensor([[-1., -2.], [-4., -3.]]),),
                (torch.arange(24.).view(4, 6),), (torch.randn(6, 4, generator=rng),)]

    @right
    def axes(image):
        h, w = image.shape
        return image.view(h//2, 2, w//2, 2).amax((1, 3))

    @right
    def four_views(image):
        pairs = torch.maximum(image[::2], image[1::2])
        return torch.maximum(pairs[:, ::2], pairs[:, 1::2])

    @wrong('That keeps one pixel of four, always the same one, not the largest.')
    def first(image): return image[::2, ::2]

    @wrong('That is the mean of each square: average pooling. The largest is wanted.')
    def average(image): return F.avg_pool2d(image[None], 2)[0]

    @wrong('The squares overlap here. The next one should begin where the last one has ended.')
    def overlapping(image): return F.max_pool2d(image[None], 2, stride=1)[0]

    @wrong('One number for the whole image. Each square of 2 by 2 has its own.')
    def whole(image): return image.max()


class moved_by(Do):
    """
    Write `moved_by(image, across, down)`: the image moved by whole pixels, to the right and down
    (or left and up, below 0), with zeros where nothing comes in. Use neither `F.pad` nor our
    `shift`. The image is never moved out of itself.
    """
    concept = 'augmentation'
    equal = {'larger_paper: 3 -> 4': 'the paper may be larger still'}
    hints = ('Begin with an image of zeros. Which part of it is written, and what is read?',
             '`torch.roll` moves too, but what leaves on one side comes back on the other.')
    why = 'The part that stays in the picture is cut out of the old image and put into a new one of '\
          'zeros, `across` columns and `down` rows further.'

    @cases
    def moves():
        small = torch.arange(1., 13).view(3, 4)
        return [(small, 0, 0), (small, 1, 0), (small, 0, 1), (small, -2, 1), (small, 3, -2)]

    @right
    def larger_paper(image, across, down):
        h, w = image.shape
        paper = torch.zeros(3*h, 3*w)
        paper[h:2*h, w:2*w] = image
        return paper[h - down:2*h - down, w - across:2*w - across]

    @right
    def pixel_by_pixel(image, across, down):
        new = torch.zeros_like(image)
        for r, row in enumerate(image):
            for c, pixel in enumerate(row):
                if 0 <= r + down < len(image) and 0 <= c + across < len(row):
                    new[r + down, c + across] = pixel
        return new

    @wrong('What leaves on one side comes back on the other. There should be zeros.')
    def rolled(image, across, down): return torch.roll(image, (down, across), (0, 1))

    @wrong('It moves the other way: left for right, up for down.')
    def other_way(image, across, down): return F.pad(image, (-across, across, -down, down))

    @wrong('Across and down are exchanged: the first axis of an image counts rows.')
    def exchanged(image, across, down): return F.pad(image, (down, -down, across, -across))

    @wrong('The image has grown. What leaves the picture is cut off.',
           when=lambda made, image, across, down: made.numel() > image.numel())
    def grown(image, across, down):
        return F.pad(image, (max(across, 0), max(-across, 0), max(down, 0), max(-down, 0)))


class normed(FixIt):
    """
    `normed(maps)` should do what batch norm does: bring every *channel* to mean 0 and spread 1 over
    the whole batch. `maps` is `(n, c, h, w)`. Yet a network with it never notices that one image is
    much darker than another: after it all images have the same mean.
    """
    concept = 'batch norm'
    planted = 'each_image'
    equal = {'moments: (0, 2, 3) -> (2, 3, 0)': 'axes to average over come in any order',
             'moments: 2 -> -2': 'of four axes the last but one is the third'}
    hints = ('Over which axes is a mean taken, if one number is to come out for each channel?',
             'The axes are images, channels, rows, columns. All but one of them are averaged over.')
    why = 'One mean and one spread for each channel, over images, rows and columns: axes 0, 2 and 3.'
    verb = 'gives'

    @cases
    def batches():
        rng = torch.Generator().manual_seed(3)
        noise = torch.randn(4, 3, 2, 2, generator=rng)
        return [(torch.tensor([[[[0.]]], [[[2.]]]]),), (noise,),
                (noise*torch.tensor([1., 5., .5])[:, None, None] + torch.arange(4.)[:, None, None, None],)]

    @right
    def moments(maps):
        spread = maps.std((0, 2, 3), keepdim=True, correction=0)
        return (maps - maps.mean((0, 2, 3), keepdim=True))/spread

    @right
    def channel_by_channel(maps):
        out = maps.clone()
        for c in range(maps.shape[1]):
            one = maps[:, c]
            out[:, c] = (one - one.mean())/one.std(correction=0)
        return out

    @wrong('Each image is standardised by itself, channel by channel. What is the difference '
           'between a dark and a light image after that?')
    def each_image(maps):
        mean = maps.mean((2, 3), keepdim=True)
        spread = maps.std((2, 3), keepdim=True, correction=0)
        return (maps - mean)/spread

    @wrong('One mean for everything: a channel with small numbers stays small.')
    def all_together(maps): return (maps - maps.mean())/maps.std(correction=0)

    @wrong('Here every pixel has a mean of its own, over the batch. A channel is the same stencil at '
           'all places, so its places belong together.')
    def each_pixel(maps):
        return (maps - maps.mean(0))/maps.std(0, correction=0)

    @wrong('The means are right, the spread is missing: a channel of large numbers stays large.')
    def only_mean(maps): return maps - maps.mean((0, 2, 3), keepdim=True)


class why_fewer(Choose):
    "A convolutional network has a tenth of the flat network's weights and makes fewer mistakes. Why?"
    concept = 'convolution'
    hints = ('What do the two know about pixels before they have seen a single digit?',)
    why = ('That near pixels belong together, and that a pattern is the same wherever it is, is true '
           'of pictures. The flat network would have to learn it for every place anew.')
    right = 'What it assumes about pictures is true: it need not learn a stroke for each place anew.'
    wrong = {
        'Fewer weights always make fewer mistakes, since there is less to overfit.':
            'The linear model has fewer still and is worse. It matters *which* weights are saved.',
        'It can compute functions that a flat network cannot.':
            'The other way round: a convolution is a linear layer with most weights 0 and the rest '
            'shared. A flat layer could do the same.',
        'It sees more pixels at once.':
            'A kernel sees nine pixels; a unit of the flat network sees all 784.'}


def _pooled(images, size, stride):
    "What torch makes of it, and its gradient for one of random numbers"
    images = images.clone().requires_grad_()
    out = F.max_pool2d(images, size, stride)
    grad = torch.randn_like(out)
    out.backward(grad)
    return out.detach(), grad, images.grad


def _off(made, wanted):
    "Say where two tensors differ first; nothing if they agree"
    if tuple(made.shape) != tuple(wanted.shape):
        return f'Its shape is `{tuple(made.shape)}`, wanted is `{tuple(wanted.shape)}`.'
    apart = (~((made - wanted).abs() < 1e-5)).nonzero().tolist()
    if not apart: return ''
    at = tuple(apart[0])
    return f'At `{at}` it gives `{made[at]:.3f}`, and `{wanted[at]:.3f}` is right.'


class max_pooling(Project):
    """
    Max pooling, there and back, without torch's own. `pool(images, size, stride)`: from
    `(n, c, h, w)` the largest number of each window of `size` by `size`, a new window each `stride`
    pixels; what does not fill a window is left out. `back(images, grad, size, stride)`: `grad`
    says how the loss changes with each number that came out; what is the gradient of the images?
    """
    concept = 'pooling'
    hints = ('`images.unfold(2, size, stride)` makes windows of the rows, and a second one of the '
             'columns.',
             'On the way back only the largest pixel of a window gets something. Which is it? '
             '`argmax` of the flattened window tells.',
             'If windows overlap, a pixel may win several times: add, do not overwrite.')
    why = ('A maximum passes its whole gradient to the number that won, and nothing to the others. So '
           'in training each window teaches one place alone.')

    @step('Squares of 2 by 2, side by side: the largest of each, channel by channel.')
    def squares(pool):
        images = torch.randn(2, 3, 6, 8) - 3   # most of them below 0
        return _off(pool(images.clone(), 2, 2), F.max_pool2d(images, 2))

    @step('Windows may overlap, and pixels that fill no window are left out.')
    def windows(pool):
        images = torch.randn(2, 3, 7, 8) - 3
        for size, stride in ((3, 1), (3, 2), (2, 3)):
            off = _off(pool(images.clone(), size, stride), F.max_pool2d(images, size, stride))
            if off: return f'Windows of {size}, a stride of {stride}. {off}'

    @step('On the way back the pixel that won gets all, and the others get 0.')
    def winners(back):
        images = torch.randn(2, 3, 6, 8)
        _, grad, wanted = _pooled(images, 2, 2)
        return _off(back(images.clone(), grad, 2, 2), wanted)

    @step('A pixel that wins several windows gets the sum.')
    def many_wins(back):
        images = torch.randn(2, 3, 7, 8)
        for size, stride in ((3, 1), (3, 2)):
            _, grad, wanted = _pooled(images, size, stride)
            off = _off(back(images.clone(), grad, size, stride), wanted)
            if off: return f'Windows of {size}, a stride of {stride}. {off}'

    @step('What was given stays as it was.')
    def kept(pool, back):
        images, grad = torch.randn(1, 2, 4, 4), torch.randn(1, 2, 2, 2)
        before = images.clone(), grad.clone()
        pool(images, 2, 2)
        back(images, grad, 2, 2)
        if not (images.equal(before[0]) and grad.equal(before[1])): return 'It was changed.'
