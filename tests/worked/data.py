"Writers set aside: two solutions, and typical mistakes."
from random import Random

import torch

from worked import fails, works

NAME = 'data.new_hands'


def drawn(writers, share, seed):
    people = writers.unique()
    order = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed))
    return people[order[:round(share*len(people))]]


@works(NAME)
def isin(writers, share, seed): return torch.isin(writers, drawn(writers, share, seed))


@works(NAME)
def sets(writers, share, seed):
    people = sorted({*writers.tolist()})
    chosen = {*Random(seed).sample(people, int(share*len(people)))}
    return [who in chosen for who in writers.tolist()]


@fails(NAME, 'together', 'as_many')
def by_image(writers, share, seed):
    return torch.rand(len(writers), generator=torch.Generator().manual_seed(seed)) < share


@fails(NAME, 'mask')
def places(writers, share, seed): return isin(writers, share, seed).nonzero()[:, 0]


@fails(NAME, 'drawn')
def the_first(writers, share, seed):
    return writers < writers.unique()[int(share*len(writers.unique()))]


@fails(NAME, 'drawn')
def no_seed(writers, share, seed):
    people = writers.unique()
    return torch.isin(writers, people[torch.randperm(len(people))[:int(share*len(people))]])


@fails(NAME, 'as_many')
def the_others(writers, share, seed): return ~isin(writers, share, seed)
