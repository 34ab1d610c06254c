"What the tests of the Learner play with: a few points, a small model, callbacks that look on."
import torch
import torch.nn.functional as F
from torch import nn

from digit_under_hood.callbacks import EVENTS, Callback
from digit_under_hood.learner import Learner
from digit_under_hood.training_loop import DataLoader, DataLoaders


def toy(n=10, bs=4, seed=0, **kwargs):
    "Loaders of `n` points, three features and one target each, the same to train and to validate"
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=rng)
    y = x @ torch.tensor([[1.], [-2.], [.5]]) + .3
    return DataLoaders(DataLoader(x, y, bs, **kwargs), DataLoader(x, y, bs))


def toy_learner(*cbs, dls=None, model=None, loss_func=F.mse_loss, **kwargs):
    torch.manual_seed(0)
    return Learner(dls or toy(), model or nn.Linear(3, 1), loss_func, cbs=cbs, **kwargs)


def mae(preds, targets): return (preds - targets).abs().mean()


def at(event, act):
    "A callback that does `act(learn)` at `event`"
    return type('At', (Callback,), {event: lambda self, learn: act(learn)})()


def weights(learn): return [p.detach().clone() for p in learn.model.parameters()]


def same(a, b): return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


class Spy(Callback):
    def __init__(self): self.log = []


for name in EVENTS:
    setattr(Spy, name, lambda self, learn, name=name: self.log.append(name))


class Noise(Callback):
    "Noise on each training batch, from a generator whose state a file keeps"
    def __init__(self, seed=1): self.rng = torch.Generator().manual_seed(seed)
    def state_dict(self): return {'rng': self.rng.get_state()}
    def load_state_dict(self, state): self.rng.set_state(state['rng'])
    def before_batch(self, learn):
        if learn.training: learn.xb = learn.xb + torch.randn(learn.xb.shape, generator=self.rng)
