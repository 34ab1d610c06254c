"Digits brought to the middle: two solutions, and typical mistakes."
import torch
import torch.nn.functional as F

from worked import fails, works

NAME = 'pixels.to_the_middle'


def box(image):
    rows, columns = (image.any(axis).nonzero()[:, 0] for axis in (1, 0))
    return rows[0], rows[-1], columns[0], columns[-1]


def point(image):
    places = torch.arange(28.)
    return [(image.float().sum(axis)*places).sum()/image.sum() for axis in (1, 0)]


def centre(image):
    return image.roll([round(13.5 - at.item()) for at in point(image)], (0, 1))


@works(NAME)
def rolled(): return dict(box=box, centre=centre)


@works(NAME)
def cut_and_padded():
    def corners(image):
        y, x = zip(*[(y, x) for y in range(28) for x in range(28) if image[y, x]])
        return min(y), max(y), min(x), max(x)
    def padded(image):
        dy, dx = (round(13.5 - at.item()) for at in point(image))
        wide = F.pad(image, (28, 28, 28, 28))
        return wide[28 - dy:56 - dy, 28 - dx:56 - dx]
    return dict(box=corners, centre=padded)


def instead(**pieces): return {**rolled(), **pieces}


@fails(NAME, 'tight')
def as_a_slice():
    def ends(image): return [int(n) + i % 2 for i, n in enumerate(box(image))]
    return instead(box=ends)


@fails(NAME, 'faint')
def dark_only(): return instead(box=lambda image: box(image > 127))


@fails(NAME, 'middle')
def by_the_box():
    def middle(image):
        top, low, left, right = map(int, box(image))
        return image.roll((13 - (top + low)//2, 13 - (left + right)//2), (0, 1))
    return instead(centre=middle)


@fails(NAME, 'middle', 'stays')
def the_other_way():
    def away(image): return image.roll([round(at.item() - 13.5) for at in point(image)], (0, 1))
    return instead(centre=away)


@fails(NAME, 'middle', 'stays')
def axes_swapped():
    def swapped(image): return image.roll([round(13.5 - at.item()) for at in point(image)], (1, 0))
    return instead(centre=swapped)


@fails(NAME, 'ink', 'stays')
def as_shares(): return instead(centre=lambda image: centre(image)/255)


@fails(NAME, 'stays')
def in_place():
    def moved(image):
        image.copy_(centre(image))
        return image.clone()
    return instead(centre=moved)
