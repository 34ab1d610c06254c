"Dropout as a layer: two solutions, and typical mistakes."
import torch
from torch import nn

from worked import fails, works

NAME = 'mlp.drops_out'


@works(NAME)
class Masks(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def kept(self, x): return torch.rand_like(x) > self.p

    def forward(self, x):
        if not self.training: return x
        return x*self.kept(x)/(1 - self.p)


@works(NAME)
class Draws(Masks):
    def forward(self, x):
        if self.training:
            x = x*torch.bernoulli(torch.full(x.shape, 1 - self.p)).div(1 - self.p)
        return x


works(NAME)(nn.Dropout)   # torch's own


@fails(NAME, 'off')
class Always(Masks):
    def forward(self, x): return x*self.kept(x)/(1 - self.p)


@fails(NAME, 'mean')
class TooSmall(Masks):
    def forward(self, x): return x*self.kept(x) if self.training else x


@fails(NAME, 'share', 'mean')
class KeepsP(Masks):
    def kept(self, x): return torch.rand_like(x) < self.p


@fails(NAME, 'share')
class OneMaskForAllRows(Masks):
    def kept(self, x): return torch.arange(len(x[0])) % 4 > 0 if self.p < .5 else super().kept(x)


@fails(NAME, 'anew')
class OnceForEver(Masks):
    mask = None
    def kept(self, x):
        if self.mask is None: self.mask = super().kept(x)
        return self.mask


@fails(NAME, 'slopes')
class NoWayBack(Masks):
    def forward(self, x):
        if not self.training: return x
        return x + (super().forward(x) - x).detach()
