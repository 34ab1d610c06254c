"""Train on the ten digits: which part of the recipe pays, and how soon is which network how good?

    accuracy.py [--parts] [--race] [--quick] [--seeds N] [--out FOLDER]

`--parts` leaves out one part of the recipe at a time and measures on 10,000 training images that
were held out. `--race` trains several networks, some by other libraries, on all 60,000 images and
measures on the test split after each epoch; seconds are those of training alone. The last network
is also asked five times about each digit, as it is and moved by a pixel in each direction. Without
either, both are done. Seeds take turns, and accuracy.json in FOLDER (the package's data if none is
given) is written after each; nbs/09_convolution.ipynb shows it. `--quick` is a smoke test.
"""
import argparse
import json
import time
import warnings
from datetime import date
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from bench import ROOT, machine
from torch import nn

from digit_under_hood.callbacks import Callback, mode
from digit_under_hood.convnet import Nesterov, Shifts, conv_net, shift
from digit_under_hood.data import load_digits
from digit_under_hood.learner import Learner
from digit_under_hood.mlp import simple_net
from digit_under_hood.schedules import Schedule, one_cycle
from digit_under_hood.training_loop import DataLoader, DataLoaders

FULL = (16, 'pool', 32, 'pool', 48, 64, 'pool', 64)
SHORT = (8, 'pool', 24, 'pool', 48, 48, 'pool')
SMOOTH = partial(F.cross_entropy, label_smoothing=.1)
BARS = .99, .996
OTHERS = "PyTorch's example", "fastai's Learner, our network"   # from one start: they are slow


def right(preds, targets): return (preds.argmax(1) == targets).float().mean()


def flat(**options): return nn.Sequential(nn.Flatten(), *simple_net(100, n_out=10, **options))


class Clock(Callback):
    "Keep the seconds of training, without validation, and the accuracy, after each epoch"
    order = -30   # begins before the others, so that their work counts
    def before_fit(self, learn): self.seconds, self.curve = 0., []
    def before_epoch(self, learn): self.start, self.trained = time.perf_counter(), False
    def before_batch(self, learn):
        if learn.training or self.trained: return
        self.seconds, self.trained = self.seconds + time.perf_counter() - self.start, True
    def after_epoch(self, learn):
        self.curve.append((round(self.seconds, 2), round(learn.scores['right'], 4)))


def ours(train, valid, net, epochs, seed, lr=.1, plan=one_cycle, shifts=2, loss=SMOOTH, bs=256):
    "A trained Learner, and its seconds and accuracy after each epoch"
    dls = DataLoaders(DataLoader(*train, bs, shuffle=True, seed=seed), DataLoader(*valid, 1000))
    clock, cbs = Clock(), [Schedule(plan())] if plan else []
    if shifts: cbs.append(Shifts(shifts, seed=seed))
    learn = Learner(dls, net(seed=seed), loss, Nesterov, right)
    learn.fit(epochs, lr, [clock, *cbs])
    return learn, clock.curve


def asked_five_times(net, x, y):
    "Accuracy of the mean answer to digits as they are, and moved by a pixel in each direction"
    moves = (0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)
    with torch.no_grad(), mode(net, training=False):
        preds = [sum(net(shift(xb, *by)).softmax(1) for by in moves) for xb in x.split(1000)]
    return round(right(torch.cat(preds), y).item(), 4)


def example(train, valid, epochs, seed):
    "PyTorch's MNIST example: its network, optimiser, schedule and batches, in a bare loop"
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(),
                        nn.MaxPool2d(2), nn.Dropout(.25), nn.Flatten(), nn.Linear(9216, 128),
                        nn.ReLU(), nn.Dropout(.5), nn.Linear(128, 10))
    opt = torch.optim.Adadelta(net.parameters(), lr=1.)
    plan = torch.optim.lr_scheduler.StepLR(opt, 1, .7)
    (x, y), (valid_x, valid_y) = [((x - .1307)/.3081, y) for x, y in (train, valid)]
    curve, seconds = [], 0.
    for _ in range(epochs):
        start = time.perf_counter()
        for xb, yb in DataLoader(x, y, 64, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net.train()(xb), yb).backward()
            opt.step()
        plan.step()
        seconds += time.perf_counter() - start
        with torch.no_grad(): scores = torch.cat([net.eval()(xb) for xb in valid_x.split(1000)])
        curve.append((round(seconds, 2), round(right(scores, valid_y).item(), 4)))
    return curve


def fastais(train, valid, epochs, seed):
    "fastai's Learner with our network and batches: its Adam and one cycle, as they come"
    import fastai.vision.all as fv
    dls = fv.DataLoaders(DataLoader(*train, 256, shuffle=True, seed=seed), DataLoader(*valid, 1000))
    class Watch(fv.Callback):
        def before_fit(self): self.seconds, self.curve = 0., []
        def before_epoch(self): self.start = time.perf_counter()
        def after_train(self): self.seconds += time.perf_counter() - self.start
        def after_epoch(self):
            self.curve.append((round(self.seconds, 2), round(self.recorder.values[-1][-1], 4)))
    watch = Watch()
    watch.order = 60   # after fastai's recorder
    learn = fv.Learner(dls, conv_net(FULL, seed=seed), SMOOTH, metrics=right)
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(epochs, .01, cbs=watch)
    return watch.curve


PARTS = {   # the recipe, and what is left out of it or put in its place
    'all of it': {},
    'constant rate of 0.05': dict(plan=None, lr=.05),
    'no shifts': dict(shifts=0),
    'no batch norm, rate 0.05': dict(net=partial(conv_net, norm=False), lr=.05),
    'no label smoothing': dict(loss=F.cross_entropy),
    'flat network': dict(net=flat),
}


def part_runs(quick):
    "One epoch for each part that is left out: accuracy on held-out digits as they are, and moved"
    x, y = load_digits()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    held, rest = order[:10_000], order[10_000:2_000 + 10_000] if quick else order[10_000:]
    train, valid = [(x[rows, None], y[rows]) for rows in (rest, held)]
    moved = DataLoader(shift(valid[0], 2, -1), valid[1], 1000)
    def run(seed, net=conv_net, **options):
        learn, curve = ours(train, valid, net, 1, seed, **options)
        return curve[-1][1], round(learn.validate(moved)['right'], 4)
    return {name: partial(run, **options) for name, options in PARTS.items()}


def race_runs(quick):
    "One training for each contender: seconds and accuracy on the test split after each epoch"
    train, valid = [(x[:, None], y) for x, y in (load_digits(), load_digits(split='valid'))]
    if quick: train, valid = [(x[::40], y[::40]) for x, y in (train, valid)]
    def run(layers, epochs, shifts, seed):
        net = partial(conv_net, layers)
        learn, curve = ours(train, valid, net, epochs, seed, shifts=shifts, bs=128)
        asked = asked_five_times(learn.model, *valid)
        return {'': curve, ', asked five times': [(curve[-1][0], asked)]}
    return {'ours, short': partial(run, SHORT, 1, 1), 'ours, long': partial(run, FULL, 4, 2),
            "PyTorch's example": partial(example, train, valid, 2),
            "fastai's Learner, our network": partial(fastais, train, valid, 4)}


def measure(runs, seeds, write):
    "Results by name, a list with an entry for each seed; `write` gets them after each seed"
    found = {}
    for seed in range(seeds):
        for name, run in runs.items():
            if seed and name in OTHERS: continue
            result = run(seed=seed)
            for more, each in result.items() if isinstance(result, dict) else [('', result)]:
                found.setdefault(name + more, []).append(each)
                print(seed, name + more, each, flush=True)
        write(found)


def when(curve, bar):
    "Seconds until `bar` was reached, or None"
    return next((seconds for seconds, accuracy in curve if accuracy >= bar), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--parts', action='store_true', help='leave out one part at a time')
    parser.add_argument('--race', action='store_true', help='time to accuracy beside others')
    parser.add_argument('--quick', action='store_true', help='a smoke test, not a measurement')
    parser.add_argument('--seeds', type=int, default=5)
    parser.add_argument('--out', type=Path, default=ROOT/'digit_under_hood/data')
    args = parser.parse_args()
    warnings.simplefilter('ignore')   # of other libraries
    file = args.out/'accuracy.json'
    args.out.mkdir(parents=True, exist_ok=True)
    result = json.loads(file.read_text('utf-8')) if file.exists() else {}
    def keep(key):
        def write(found):
            result[key] = dict(quick=args.quick, date=date.today().isoformat(),
                               machine=machine(), found=found)
            file.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
        return write
    both = args.parts == args.race
    if args.parts or both: measure(part_runs(args.quick), args.seeds, keep('parts'))
    if args.race or both:
        measure(race_runs(args.quick), args.seeds, keep('race'))
        for name, curves in result['race']['found'].items():
            print(name, {bar: [when(curve, bar) for curve in curves] for bar in BARS})


if __name__ == '__main__': main()
