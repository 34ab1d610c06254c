"A distance that does not mind moves: two solutions, and typical mistakes."
import torch
import torch.nn.functional as F

from worked import fails, works

NAME = 'validation.however_it_lies'


def moved(images, ideals, moves):
    "The distances for each of some moves of the ideals"
    return torch.stack([(images[:, None] - ideals.roll(move, (1, 2))).abs().mean((2, 3))
                        for move in moves])


def square(r): return [(y, x) for y in range(-r, r + 1) for x in range(-r, r + 1)]


@works(NAME)
def least(images, ideals, r): return moved(images, ideals, square(r)).amin(0)


@works(NAME)
def padded(images, ideals, r):
    "The images moved instead, out of a wider one; the smallest so far"
    found = torch.full((len(images), len(ideals)), torch.inf)
    wide = F.pad(images, (r, r, r, r))
    for top in range(2*r + 1):
        for left in range(2*r + 1):
            part = wide[:, top:top + 28, left:left + 28]
            gaps = torch.cdist(part.flatten(1), ideals.flatten(1), p=1)/784
            found = torch.minimum(found, gaps)
    return found


@fails(NAME, 'found_again', 'reads_them')
def no_diagonals(images, ideals, r):
    return moved(images, ideals, [move for move in square(r) if 0 in move]).amin(0)


@fails(NAME, 'found_again')
def down_and_right(images, ideals, r):
    return moved(images, ideals, [move for move in square(r) if min(move) >= 0]).amin(0)


@fails(NAME, 'found_again', 'reads_them')
def mean_of_moves(images, ideals, r): return moved(images, ideals, square(r)).mean(0)


@fails(NAME, 'not_farther')
def one_too_far(images, ideals, r): return moved(images, ideals, square(r and r + 1)).amin(0)


@fails(NAME, 'no_move')
def sums(images, ideals, r): return least(images, ideals, r)*784


@fails(NAME, 'no_move', 'found_again', 'reads_them')
def farthest(images, ideals, r): return 1 - moved(images, ideals, square(r)).amin(0)
