"Any two digits: two solutions, and typical mistakes."
import torch

from digit_under_hood.epochs import fit_linear
from digit_under_hood.mnist_linear import sigmoid
from worked import fails, works

NAME = 'comparing.any_pair'


@works(NAME)
def with_fit_linear(x, y):
    low, high = y.unique().tolist()
    data = x, (y == high).float()[:, None]
    run = fit_linear(data, data, epochs=30, lr=1., bs=64)
    return lambda rows: torch.where(run.model(rows)[:, 0] > 0, high, low)


def own(x, y, steps=300, lr=.5):
    torch.manual_seed(0)
    target, w = (y == y.max()).float(), torch.zeros(x.shape[1] + 1)
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    for _ in range(steps):
        rows = torch.randint(len(x), (128,))
        off = sigmoid(x[rows] @ w) - target[rows]
        w = w - lr*x[rows].T @ off/len(rows)
    return w


def scores(w, rows): return rows @ w[:-1] + w[-1]


@works(NAME)
def by_hand(x, y):
    w, digits = own(x, y), y.unique()
    return lambda rows: digits[(scores(w, rows) > 0).long()]


@fails(NAME, 'in_digits', 'fours_and_nines', 'other_digits', 'rarer')
def zeros_and_ones(x, y):
    w = own(x, y)
    return lambda rows: (scores(w, rows) > 0).long()


@fails(NAME, 'fours_and_nines', 'other_digits', 'rarer')
def the_wrong_way_round(x, y):
    w, digits = own(x, y), y.unique()
    return lambda rows: digits[(scores(w, rows) < 0).long()]


@fails(NAME, 'other_digits')
def only_4_and_9(x, y):
    w = own(x, y)
    return lambda rows: torch.where(scores(w, rows) > 0, 9, 4)


@fails(NAME, 'rarer')
def always_the_first(x, y):
    "Where the digits are not equally many, it takes the more frequent one for all"
    few = (y == y.max()).float().mean()
    if few > .4: return by_hand(x, y)
    return lambda rows: torch.full((len(rows),), int(y.min()))


@fails(NAME, 'fours_and_nines', 'other_digits')
def two_steps(x, y):
    w, digits = own(x, y, steps=2), y.unique()
    return lambda rows: digits[(scores(w, rows) > 0).long()]
