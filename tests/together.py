"""What test_distributed.py runs in two processes, and for comparison in its own.

    torchrun --nproc-per-node 2 together.py FOLDER [resume | card | silent]

With the folder alone, process 1 is killed in the end, in the middle of a fit.
"""
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from digit_under_hood.callbacks import Callback
from digit_under_hood.distributed import Checkpoint, Distributed, process_group
from digit_under_hood.learner import Learner
from digit_under_hood.schedules import Schedule, one_cycle
from digit_under_hood.training_loop import SGD, DataLoader, DataLoaders
from digit_under_hood.tuning import ToDevice


def right(preds, targets): return (preds.argmax(1) == targets).float().mean()


class Called:
    "How often each class was the answer: a sum that is a tensor"
    def reset(self): self.total, self.n = torch.zeros(3), 0
    def update(self, preds, targets):
        answers = preds.argmax(1).cpu()
        self.total, self.n = self.total + answers.bincount(minlength=3), self.n + 1
    def compute(self): return self.total @ torch.tensor([1., 200., 40_000.])


class Rows101:
    "As torchmetrics does it: the sums of all are asked for when the metric is computed"
    sync_on_compute = True
    def reset(self): self.rows = 0
    def update(self, preds, targets): self.rows += len(targets)
    def compute(self):
        rows = torch.tensor(self.rows)
        if dist.is_initialized(): dist.all_reduce(rows)
        return rows


def learner(*layers, bs=20, seed=0):
    "A small network, 230 rows to learn from and 101 to validate on"
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(331, 12, generator=rng)
    y = (x[:, :3] + .5*torch.randn(331, 3, generator=rng)).argmax(1)
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(12, 8), *layers, nn.ReLU(), nn.Linear(8, 3))
    dls = DataLoaders(DataLoader(x[:230], y[:230], bs, shuffle=True, seed=0),
                      DataLoader(x[230:], y[230:], 50))
    metrics = [right, Called(), Rows101()]
    return Learner(dls, net, F.cross_entropy, partial(SGD, momentum=.9), metrics)


class Kill(Callback):
    def __init__(self, folder): self.folder = folder
    def after_backward(self, learn):
        if dist.get_rank() == 1 and (learn.epoch, learn.batch) == (3, 5):
            (self.folder/'killed').write_text(str(time.time()))
            os.kill(os.getpid(), signal.SIGKILL)


class Rows(Callback):
    "Keep the first numbers of the rows that are trained on, and what the generator is at"
    def before_fit(self, learn): self.seen, self.drawn = [], []
    def before_epoch(self, learn): self.drawn.append(torch.get_rng_state().sum().item())
    def before_batch(self, learn):
        if learn.training: self.seen.append(learn.xb[:, 0].tolist())


def plain(*cbs):
    "A fit that is the same in one process and in two"
    learn, rows = learner(), Rows()
    learn.fit(3, .1, [Distributed(), rows, *cbs])
    return learn, rows


def long(path, *cbs):
    "A fit with dropout and a plan, kept in `path`"
    learn = learner(nn.Dropout(.3))
    learn.fit(4, .2, [Distributed(), Schedule(one_cycle(), one_cycle(.95, .85, .95)),
                      Checkpoint(path), *cbs])


def everybody(value):
    "What each process has"
    found = [None]*dist.get_world_size()
    dist.all_gather_object(found, value)
    return found


def card(folder, rank):
    "The same fit on the graphics cards: one for each process if there are enough"
    learn, _ = plain(ToDevice())
    if rank: return
    kinds = {p.device.type for p in learn.model.parameters()}
    torch.save((learn.recorder.losses, learn.recorder.epochs, kinds), folder/'card.pth')


def silent(rank):
    "Process 1 says nothing more, and does not end"
    if rank == 1: time.sleep(120)
    plain()


def main(folder, way=''):
    with process_group(3 if way == 'silent' else 30) as (rank, _):
        if way == 'resume': return long(folder/'cut.pth')
        if way == 'card': return card(folder, rank)
        if way == 'silent': return silent(rank)
        learn, rows = plain()
        record, train, valid = learn.recorder, learn.dls.train, learn.dls.valid
        normed = learner(nn.BatchNorm1d(8), seed=rank)   # and each begins with its own weights
        normed.fit(1, .1, Distributed())
        refused = ''
        try: learner(bs=25).fit(1, .1, Distributed())
        except ValueError as error: refused = str(error)
        found = dict(
            losses=record.losses, smooth=record.smooth, epochs=record.epochs,
            weights=learn.model.state_dict(), model=type(learn.model).__name__,
            loaders=[train.bs, train.shard, valid.bs, valid.rows], refused=refused,
            alone=everybody(learn.validate()), rows=everybody(rows.seen),
            drawn=everybody(rows.drawn), scores=everybody(record.epochs),
            normed=everybody({**normed.model.state_dict()}))
        long(folder/'whole.pth')
        if rank == 0: torch.save(found, folder/'found.pth')
        long(folder/'cut.pth', Kill(folder))


if __name__ == '__main__': main(Path(sys.argv[1]), *sys.argv[2:])
