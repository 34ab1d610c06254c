"A line through any points: two solutions, and typical mistakes."
import torch

from worked import fails, works

NAME = 'valleys.any_line'


def descent(x, y, lr=.3, steps=60):
    params = torch.zeros(2, dtype=x.dtype)
    for _ in range(steps):
        off = params[0]*x + params[1] - y
        params = params - lr*2*torch.stack([(off*x).mean(), off.mean()])
    return params


@works(NAME)
def standardised(x, y):
    x, y = x.double(), y.double()
    mean, spread = x.mean(), x.std(correction=0)
    a, b = descent((x - mean)/spread, y)
    return a/spread, b - a*mean/spread


@works(NAME)
def by_autograd(x, y):
    x, y = x.double(), y.double()
    u, v = ((t - t.mean())/t.std() for t in (x, y))
    knobs = torch.zeros(2, dtype=torch.double, requires_grad=True)
    for _ in range(200):
        ((knobs[0]*u + knobs[1] - v)**2).mean().backward()
        with torch.no_grad(): knobs -= .1*knobs.grad
        knobs.grad = None
    a, b = knobs.tolist()
    slope = a*y.std()/x.std()
    return slope.item(), (y.mean() + b*y.std() - slope*x.mean()).item()


@fails(NAME, 'any_ruler')
def raw(x, y): return descent(x.double(), y.double(), steps=500)


@fails(NAME, 'exact', 'scattered', 'any_ruler')
def not_turned_back(x, y):
    return descent((x - x.mean())/x.std(correction=0), y)


@fails(NAME, 'any_ruler')
def only_half_turned_back(x, y):
    a, b = descent((x - x.mean())/x.std(correction=0), y)
    return a/x.std(correction=0), b


@fails(NAME, 'exact', 'scattered', 'any_ruler')
def too_few_steps(x, y):
    a, b = descent((x - x.mean())/x.std(correction=0), y, lr=.05, steps=10)
    return a/x.std(correction=0), b - a*x.mean()/x.std(correction=0)


@fails(NAME, 'kept')
def in_place(x, y):
    mean, spread = x.double().mean(), x.double().std(correction=0)
    given = x.double()
    x.sub_(x.mean()).div_(x.std(correction=0))
    a, b = descent((given - mean)/spread, y.double())
    return a/spread, b - a*mean/spread
