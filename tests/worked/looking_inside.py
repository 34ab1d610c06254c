"All ten digits: two solutions, and typical mistakes."
from functools import cache

import torch
import torch.nn.functional as F
from torch import nn

from digit_under_hood.data import load_digits
from worked import fails, works

NAME = 'looking_inside.ten_digits'


@cache
def data():
    x, y = load_digits()
    return x.flatten(1), y


def entropy(scores, y): return (scores.logsumexp(1) - scores[range(len(y)), y]).mean()


def count(predicted, y):
    table = torch.zeros(10, 10, dtype=int)
    for true, read in zip(y, predicted): table[true, read] += 1
    return table


@cache
def trained(hidden: int = 128, epochs: int = 4):
    "A network with one hidden layer, or with none"
    torch.manual_seed(0)
    (x, y), layers = data(), [nn.Linear(784, 10)]
    if hidden: layers = [nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10)]
    model = nn.Sequential(*layers)
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(250):
            opt.zero_grad()
            entropy(model(x[rows]), y[rows]).backward()
            opt.step()
    return model


@works(NAME)
def by_hand(): return dict(train=data(), loss=entropy, model=trained(), confusion=count)


@works(NAME)
def in_other_words():
    "Rows in a random order, shares written out, a function for a model, pairs counted as numbers"
    x, y = data()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))[:50_000]
    def loss(scores, y):
        moved = scores - scores.amax(1, keepdim=True)
        logs = moved - moved.exp().sum(1, keepdim=True).log()
        return -(logs*F.one_hot(y, 10)).sum()/len(y)
    w1, b1, w2, b2 = [p.detach() for p in trained().parameters()]
    def model(x): return (x @ w1.T + b1).relu() @ w2.T + b2
    def confusion(predicted, y): return torch.bincount(10*y + predicted, minlength=100).view(10, 10)
    return dict(train=(x[order], y[order]), loss=loss, model=model, confusion=confusion)


def instead(**pieces): return {**by_hand(), **pieces}


@fails(NAME, 'data')
def only_3s_and_7s():
    x, y = data()
    keep = (y == 3) | (y == 7)
    return instead(train=(x[keep], y[keep]))


@fails(NAME, 'data')
def labels_as_floats(): return instead(train=(data()[0], data()[1].float()))


@fails(NAME, 'data')
def bytes_as_pixels(): return instead(train=(data()[0]*255, data()[1]))


@fails(NAME, 'pairs')
def shuffled_apart():
    x, y = data()
    return instead(train=(x, y[torch.randperm(len(y))]))


@fails(NAME, 'honest')
def all_70_000():
    test_x, test_y = load_digits(split='valid')
    x, y = data()
    return instead(train=(torch.cat([x, test_x.flatten(1)]), torch.cat([y, test_y])))


@fails(NAME, 'stable')
def exponentials_of_anything():
    def loss(scores, y):
        shares = scores.exp()/scores.exp().sum(1, keepdim=True)
        return -shares[range(len(y)), y].log().mean()
    return instead(loss=loss)


@fails(NAME, 'cross_entropy', 'slopes')
def squashed_twice():
    return instead(loss=lambda scores, y: entropy(scores.softmax(1), y))


@fails(NAME, 'cross_entropy', 'slopes')
def a_sum(): return instead(loss=lambda scores, y: entropy(scores, y)*len(y))


@fails(NAME, 'slopes')
def no_way_back():
    def loss(scores, y): return entropy(scores.detach(), y) + 0*scores.sum()
    return instead(loss=loss)


@fails(NAME, 'ten_scores', 'accuracy')
def one_answer():
    return instead(model=lambda x: trained()(x).argmax(1))


@fails(NAME, 'accuracy')
def a_linear_model(): return instead(model=trained(hidden=0, epochs=1))


@fails(NAME, 'table')
def rows_and_columns_swapped(): return instead(confusion=lambda predicted, y: count(y, predicted))


@fails(NAME, 'table')
def shares_of_a_row():
    def confusion(predicted, y):
        table = count(predicted, y).float()
        return table/table.sum(1, keepdim=True).clamp(min=1)
    return instead(confusion=confusion)
