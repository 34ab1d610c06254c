"A classifier that may say I don't know: two solutions, and typical mistakes."
import torch

from worked import fails, works

NAME = 'calibration.i_dont_know'


def threshold(scores, coverage):
    sure = scores.softmax(1).amax(1).sort(descending=True).values
    return sure[round(coverage*len(sure)) - 1].item()


def careful(scores, least):
    sure, best = scores.softmax(1).max(1)
    return torch.where(sure >= least, best, -1)


@works(NAME)
def by_sorting(): return dict(threshold=threshold, careful=careful)


@works(NAME)
def by_quantile():
    def threshold(scores, coverage):
        return scores.softmax(1).amax(1).double().quantile(1 - coverage).item()

    def careful(scores, least):
        said = scores.argmax(1)
        scores = scores - scores.amax(1, keepdim=True)   # the largest is 0, so its share is 1/sum
        said[1/scores.exp().sum(1) < least] = -1
        return said
    return dict(threshold=threshold, careful=careful)


@fails(NAME, 'by_probability', 'any_size')
def by_score():
    def threshold(scores, coverage):
        sure = scores.amax(1).sort(descending=True).values
        return sure[round(coverage*len(sure)) - 1].item()

    def careful(scores, least):
        return torch.where(scores.amax(1) >= least, scores.argmax(1), -1)
    return dict(threshold=threshold, careful=careful)


@fails(NAME, 'any_size')
def overflows():
    def careful(scores, least):
        shares = scores.exp()/scores.exp().sum(1, keepdim=True)
        return torch.where(shares.amax(1) >= least, scores.argmax(1), -1)
    return dict(threshold=threshold, careful=careful)


@fails(NAME, 'share', 'promise')
def wrong_end():
    def other(scores, coverage): return threshold(scores, 1 - coverage) if coverage < 1 else 1.
    return dict(threshold=other, careful=careful)


@fails(NAME, 'share')
def one_too_few():
    def other(scores, coverage):
        return threshold(scores, max(coverage - .01, 0))
    return dict(threshold=other, careful=careful)


@fails(NAME, 'all_answered', 'by_probability', 'any_size', 'share', 'promise')
def answers_the_unsure():
    def careful(scores, least):
        sure, best = scores.softmax(1).max(1)
        return torch.where(sure < least, best, -1)
    return dict(threshold=threshold, careful=careful)
