"""Measure what several processes cost, and what a loader needs that reads from the disk.

    processes.py [--quick] [--out FOLDER]

A step of training alone, for batches of several sizes; in two processes at once with half a batch
each, for itself and together; a sum over two processes, for tensors of several sizes; and the
memory that an epoch over ten times MNIST needs, read whole or mapped. Times are medians over
rounds, one thread a process.
Writes processes.json to FOLDER (the package's data if none is given), which
nbs/11_distributed.ipynb shows. `--quick` is a smoke test, not a measurement.
"""
import argparse
import datetime
import json
import os
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import torch
import torch.distributed as dist
import torch.nn.functional as F
from bench import ROOT, fresh, machine, spread
from torch import nn

from digit_under_hood.callbacks import Callback
from digit_under_hood.convnet import conv_net, shift
from digit_under_hood.data import load_digits
from digit_under_hood.distributed import Distributed, launch, process_group
from digit_under_hood.learner import Learner
from digit_under_hood.mlp import count_parameters
from digit_under_hood.training_loop import SGD, DataLoader, DataLoaders

BS = 256
NETS = {'convolution': conv_net,
        'flat': lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 1000), nn.ReLU(),
                                      nn.Linear(1000, 1000), nn.ReLU(), nn.Linear(1000, 10))}
SHIFTS = [(across, down) for across in (-2, 0, 2) for down in (-1, 0, 1)] + [(1, 0)]   # ten


class Clock(Callback):
    "Keep the moment when each step is done"
    order = 99
    def before_fit(self, learn): self.moments = []
    def after_batch(self, learn): self.moments.append(time.perf_counter())


def steps(net, bs: int, rounds: int, *cbs) -> dict:
    "Seconds of a step of our Learner"
    n = bs*(rounds + 4)
    x, y, clock = torch.rand(n, 1, 28, 28), torch.arange(n) % 10, Clock()
    learn = Learner(DataLoaders(DataLoader(x, y, bs, shuffle=True, seed=0)), net(),
                    F.cross_entropy, SGD)
    learn.fit(1, .01, [clock, *cbs])
    return spread([b - a for a, b in pairwise(clock.moments)][3:])   # the first ones warm up


def sums(size: int, rounds: int) -> dict:
    "Seconds to add up `size` numbers over all processes"
    t, found = torch.ones(size), []
    for _ in range(rounds + 3):
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(t)
        found.append(time.perf_counter() - start)
    return spread(found[3:])


def together(rounds: int) -> dict:
    "Two processes at once: sums of 4 bytes to 64 MiB; half a batch each, for itself and together"
    return dict(sums=[dict(bytes=4*size, **sums(size, rounds))
                      for size in (1, 1 << 12, 1 << 16, 1 << 20, 1 << 22, 1 << 24)],
                apart={name: steps(net, BS//2, rounds) for name, net in NETS.items()},
                joined={name: steps(net, BS, rounds, Distributed()) for name, net in NETS.items()})


def alone(rounds: int) -> dict:
    "A step of each network without another process"
    return {name: dict(parameters=count_parameters(net()),
                       steps=[dict(bs=bs, **steps(net, bs, rounds))
                              for bs in (BS//64, BS//8, BS//2, BS)])
            for name, net in NETS.items()}


def walk(way: str, file: str) -> float:
    "The most memory in MiB, above what Python itself needs, of an epoch over `file`"
    def held():   # what is not a copy of something on the disk
        now = psutil.Process().memory_info()
        return (now.rss - now.shared)/2**20
    before = most = held()
    x = np.load(file, mmap_mode='c' if way == 'mapped' else None)
    if way == 'floats': x = np.divide(x, 255, dtype=np.float32)
    as_floats = lambda xb, yb: (xb.float()/255 if xb.dtype == torch.uint8 else xb, yb)
    for xb, _ in DataLoader(x, np.zeros(len(x), np.int64), BS, shuffle=True, seed=0,
                            transform=as_floats):
        xb.mean()
        most = max(most, held())
    return round(most - before, 1)


def memory(quick: bool) -> dict:
    "Each way to walk, in a process of its own"
    images, _ = load_digits(scaled=False)
    if quick: images = images[::20].clone()
    with tempfile.TemporaryDirectory() as folder:
        path, n = Path(folder)/'digits.npy', len(images)
        file = np.lib.format.open_memmap(path, 'w+', np.uint8, (len(SHIFTS)*n, 28, 28))
        for i, by in enumerate(SHIFTS): file[i*n:(i + 1)*n] = shift(images, *by)
        file.flush()
        start = f'import sys; sys.path.insert(0, {str(ROOT/"tools")!r}); import processes\n'
        return dict(images=len(SHIFTS)*n, file=round(path.stat().st_size/2**20, 1),
                    **{way: fresh(f'{start}print(processes.walk({way!r}, {str(path)!r}))')
                       for way in ('mapped', 'whole', 'floats')})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--quick', action='store_true', help='a smoke test, not a measurement')
    parser.add_argument('--out', type=Path, default=ROOT/'digit_under_hood/data')
    args = parser.parse_args()
    torch.set_num_threads(1)
    rounds = 3 if args.quick else 40
    if 'RANK' in os.environ:   # one of two, started below
        with process_group() as (rank, _):
            found = together(rounds)
            if rank == 0: print(json.dumps(found))
        return
    options = ['--quick'] if args.quick else []
    result = dict(date=datetime.date.today().isoformat(), quick=args.quick, machine=machine(),
                  alone=alone(rounds), two=json.loads(launch(__file__, *options)),
                  memory=memory(args.quick))
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out/'processes.json').write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    print(json.dumps(result, indent=1))


if __name__ == '__main__': main()
