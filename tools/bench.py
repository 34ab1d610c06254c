"""Time the library side by side with what it is compared to: one run, one table.

    bench.py [--quick] [--only WORDS] [--out FOLDER]

Contenders take turns, round after round, each round in another order; every ratio is taken within
a round, so that a busy moment of the machine hits both sides. Shown are medians, with the quartiles
as the spread. Writes `bench.json` to FOLDER (the package's data if none is given);
nbs/how_fast.ipynb shows it, and chapter 09 a part of it. `--only` measures the groups that have
WORDS in their title, and puts them into the file that is there, with their own date and machine.
`--quick` is a smoke test of two rounds, not a measurement.
"""
import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path

import nbformat

from digit_under_hood.lab.directives import builds

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT/'nbs').glob('[0-9][0-9]*_*.ipynb'))
MODULES = [builds(nbformat.read(path, 4).cells) for path in CHAPTERS]   # in order

# Each cold measurement runs in a fresh interpreter and prints one number.
CLOCK = """import time
{setup}
start = time.perf_counter()
{body}
print(time.perf_counter() - start)"""
PEAK = """{body}
import resource, sys
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak/(2**20 if sys.platform == 'darwin' else 2**10))"""
OURS = "data = [load_digits([3, 7], split)[0] for split in ('train', 'valid')]"
LOADER = 'from digit_under_hood.data import load_digits\n'
FILES = """from digit_under_hood.data import mnist_sample
folders = [sorted(folder.iterdir()) for folder in sorted(mnist_sample().glob('*/[37]'))]
"""
BOOK = """data = [torch.stack([tensor(Image.open(file)) for file in files]).float()/255
        for files in folders]"""
LEAN = BOOK.replace('tensor(Image.open(file))', 'torch.from_numpy(np.array(Image.open(file)))')
FIT = """from torch import nn
from digit_under_hood.learner import Learner
from digit_under_hood.mnist_linear import batch_accuracy, mnist_loss, threes_and_sevens
from digit_under_hood.training_loop import DataLoader, DataLoaders, SGD
import torch
dls = DataLoaders(*(DataLoader(*threes_and_sevens(split), 256) for split in ('train', 'valid')))
learn = Learner(dls, nn.Linear(784, 1), mnist_loss, {opt}, [batch_accuracy])"""


def fresh(code: str) -> float:
    "The number that `code` prints in a new interpreter"
    command = [sys.executable, '-W', 'ignore', '-c', code]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode: sys.exit(f'{code}\n{done.stderr}')
    return float(done.stdout.split()[-1])


def cold(body: str, setup: str = ''):
    "A contender: seconds for `body` in a new interpreter, after `setup`"
    return lambda: fresh(CLOCK.format(setup=setup, body=body))


def peak(body: str):
    "A contender: the largest memory, in MB, of a new interpreter that runs `body`"
    return lambda: fresh(PEAK.format(body=body))


def warm(f):
    "A contender: seconds for one call of `f` in this process"
    def run() -> float:
        start = time.perf_counter()
        f()
        return time.perf_counter() - start
    return run


# --- one epoch, in five ways that do the same sums: train in order, then validate

def linear_by_hand(x, y, w, b, lr):
    "A step with the formula of chapter 05; changes `w` and `b` in place"
    from digit_under_hood.gradients import grad_by_hand
    for p, grad in zip((w, b), grad_by_hand(x, y, w, b), strict=True): p -= lr*grad


def mlp_by_hand(x, y, w1, b1, w2, b2, lr):
    "The same with a hidden layer, by the chain rule, from the loss backwards"
    hidden = (x @ w1 + b1).clamp(min=0)
    p = (hidden @ w2 + b2).sigmoid()
    error = (1 - 2*y)*p*(1 - p)/len(x)
    back = (error @ w2.T)*(hidden > 0)
    grads = x.T @ back, back.sum(0), hidden.T @ error, error.sum(0)
    for q, grad in zip((w1, b1, w2, b2), grads, strict=True): q -= lr*grad


def scores(predict, data):
    "Mean loss and accuracy of `predict` over batches of the rows of `data`"
    import torch

    from digit_under_hood.mnist_linear import batch_accuracy, mnist_loss
    total = torch.zeros(2)
    with torch.no_grad():
        for xb, yb in zip(*(t.split(256) for t in data), strict=True):
            preds = predict(xb)
            total += len(yb)*torch.stack([mnist_loss(preds, yb), batch_accuracy(preds, yb)])
    return total/len(data[0])


def by_hand(net, train, valid, lr):
    import torch
    layers = [m for m in net if isinstance(m, torch.nn.Linear)]
    params = [t for m in layers for t in (m.weight.detach().T, m.bias.detach())]   # views
    step = linear_by_hand if len(layers) == 1 else mlp_by_hand
    def epoch():
        with torch.no_grad():
            for xb, yb in zip(*(t.split(256) for t in train), strict=True):
                step(xb, yb, *params, lr)
        return scores(net, valid)
    return epoch


def bare(net, train, valid, lr):
    import torch

    from digit_under_hood.mnist_linear import mnist_loss
    def epoch():
        for xb, yb in zip(*(t.split(256) for t in train), strict=True):
            mnist_loss(net(xb), yb).backward()
            with torch.no_grad():
                for p in net.parameters():
                    p -= lr*p.grad
                    p.grad = None
        return scores(net, valid)
    return epoch


def ours(net, train, valid, lr):
    from digit_under_hood.learner import Learner
    from digit_under_hood.mnist_linear import batch_accuracy, mnist_loss
    from digit_under_hood.training_loop import DataLoader, DataLoaders
    dls = DataLoaders(DataLoader(*train, 256), DataLoader(*valid, 256))
    learn = Learner(dls, net, mnist_loss, metrics=[batch_accuracy])
    def epoch():
        learn.fit(1, lr)
        return [*learn.recorder.epochs[-1].values()][1:]
    return epoch


def fastai(loader):
    "With fastai's Learner; `loader` makes batches of 256 of two tensors"
    def contender(net, train, valid, lr):
        import fastai.vision.all as fv

        from digit_under_hood.mnist_linear import batch_accuracy, mnist_loss
        dls = fv.DataLoaders(loader(*train), loader(*valid))
        learn = fv.Learner(dls, net, mnist_loss, opt_func=fv.SGD, metrics=batch_accuracy)
        learn.remove_cb(fv.ProgressCallback)
        learn.logger = fv.noop
        def epoch():
            learn.fit(1, lr)
            return list(learn.recorder.values[-1])[1:]
        return epoch
    return contender


def slices(x, y):
    from digit_under_hood.training_loop import DataLoader
    return DataLoader(x, y, 256)


def tuples(x, y):
    from fastai.vision.all import DataLoader
    return DataLoader(list(zip(x, y, strict=True)), bs=256)


WAYS = {'gradients by hand': by_hand, 'bare torch loop': bare, 'our Learner': ours,
        "fastai's Learner, our loader": fastai(slices),
        "fastai's Learner, list of tuples": fastai(tuples)}


def epochs(make_net, lr: float):
    "The contenders for one epoch, after a check that all of them train alike"
    import torch

    from digit_under_hood.mnist_linear import threes_and_sevens
    data = threes_and_sevens('train'), threes_and_sevens('valid')
    runs, results, weights = {}, {}, {}
    for name, way in WAYS.items():
        torch.manual_seed(0)
        net = make_net()
        runs[name] = way(net, *data, lr)
        results[name] = torch.as_tensor([float(score) for score in runs[name]()])
        weights[name] = torch.cat([p.detach().flatten() for p in net.parameters()])
    for name in WAYS:
        torch.testing.assert_close(results[name], results['bare torch loop'], rtol=0, atol=1e-4)
        torch.testing.assert_close(weights[name], weights['bare torch loop'], rtol=0, atol=1e-4)
    return {name: warm(run) for name, run in runs.items()}


def linear():
    from torch import nn
    return nn.Sequential(nn.Linear(784, 1))


def mlp():
    from digit_under_hood.mlp import simple_net
    return simple_net(seed=0)


def convolutions():
    "The contenders for 256 images through 16 kernels of 3 by 3, forward"
    import torch
    import torch.nn.functional as F

    from digit_under_hood.convnet import convolve
    torch.manual_seed(0)
    xb, weight = torch.rand(256, 8, 28, 28), torch.randn(16, 8, 3, 3)
    torch.testing.assert_close(convolve(xb, weight), F.conv2d(xb, weight), rtol=0, atol=1e-3)
    return {'F.conv2d': warm(lambda: F.conv2d(xb, weight)),
            'ours: convolve, one matrix product': warm(lambda: convolve(xb, weight))}


def steps():
    "The contenders for one training step of chapter 09's small network on 256 images"
    import torch
    import torch.nn.functional as F

    from digit_under_hood.convnet import Nesterov, conv_net
    x, y = torch.rand(256, 1, 28, 28, generator=torch.Generator().manual_seed(0)), torch.arange(256)
    def way(memory_format, bf16=False, compiled=False):
        net = conv_net(seed=0).to(memory_format=memory_format)
        opt, xb, yb = Nesterov(net.parameters(), .01), x.to(memory_format=memory_format), y % 10
        run = torch.compile(net) if compiled else net
        def step():
            with torch.autocast('cpu', torch.bfloat16, enabled=bf16):
                loss = F.cross_entropy(run(xb), yb)
            loss.backward()
            opt.step()
            opt.zero_grad()
            return loss.item()
        return step
    ways = {'contiguous': way(torch.contiguous_format), 'channels-last': way(torch.channels_last),
            'channels-last, bf16': way(torch.channels_last, bf16=True)}
    if shutil.which('g++') or shutil.which('clang++'):   # torch.compile writes C++
        ways['channels-last, torch.compile'] = way(torch.channels_last, compiled=True)
    losses = {name: [step() for _ in range(2)] for name, step in ways.items()}   # and warm
    for found in losses.values():
        torch.testing.assert_close(found, losses['contiguous'], rtol=0, atol=.02)
    return {name: warm(step) for name, step in ways.items()}


# --- measuring

def measure(contenders, rounds: int):
    "`rounds` numbers for each contender"
    names = list(contenders)
    found = {name: [] for name in names}
    for i in range(rounds):
        for name in names[i % len(names):] + names[:i % len(names)]:
            found[name].append(contenders[name]())
    return found


def spread(values) -> dict:
    "Median and quartiles, to four digits"
    low, mid, high = statistics.quantiles(values, n=4, method='inclusive')
    return {k: float(f'{v:.4g}') for k, v in dict(median=mid, low=low, high=high).items()}


def group(title: str, unit: str, reference: str, contenders, rounds: int) -> dict:
    "A part of the table: for each contender its numbers, and its ratio to the reference"
    print(f'{title} ...', file=sys.stderr, flush=True)
    found = measure(contenders(), rounds)
    rows = [dict(name=name, **spread(values),
                 ratio=spread([v/r for v, r in zip(values, found[reference], strict=True)]))
            for name, values in found.items()]
    return dict(title=title, unit=unit, reference=reference, rounds=rounds, rows=rows)


def memory():
    fastai_tensor = f'import torch\nfrom fastai.vision.all import Image, tensor\n{FILES}{BOOK}'
    return {'import torch': peak('import torch'), 'ours: 3s and 7s': peak(LOADER + OURS),
            'ours: all ten digits': peak(f'{LOADER}data = load_digits()'),
            'import fastai.vision.all': peak('import fastai.vision.all'),
            "the book's loop over PNG files": peak(fastai_tensor)}


def imports(modules):
    ways = {'torch': cold('import torch')}
    ways |= {f'ours: {m}, over torch': cold(f'import digit_under_hood.{m}', 'import torch')
             for m in modules}
    return ways | {'fastai.vision.all, over torch': cold('import fastai.vision.all',
                                                         'import torch')}


def reading():
    libraries = 'import torch\nimport numpy as np\nfrom PIL import Image\n'
    return {'ours: load_digits': cold(OURS, libraries + LOADER),
            "the book's loop over PNG files": cold(
                BOOK, f'{libraries}from fastai.vision.all import tensor\n{FILES}'),
            'the same loop without fastai': cold(LEAN, libraries + FILES)}


def first_epochs():
    return {name: cold('learn.fit(1, 1.)', FIT.format(opt=opt)) for name, opt in
            (('our SGD', 'SGD'), ('torch.optim.SGD', 'torch.optim.SGD'))}


def run(quick: bool, only: str) -> list[dict]:
    "The groups with `only` in their title; those in fresh interpreters first, while this is small"
    few, many, bare = 2 if quick else 7, 2 if quick else 40, 'bare torch loop'
    groups = [] if sys.platform == 'win32' else [   # no `resource` there
        ('Peak memory', 'MB', 'import torch', memory, 2 if quick else 3)]
    groups = [
        *groups,
        ('Import', 's', 'torch', partial(imports, MODULES[-1:] if quick else MODULES), few),
        ('3s and 7s ready as tensors, cold', 's', 'ours: load_digits', reading, few),
        ('First epoch of a session, our Learner', 's', 'our SGD', first_epochs, few),
        ('One epoch, linear', 's', bare, partial(epochs, linear, 1.), many),
        ('One epoch, 784-30-1', 's', bare, partial(epochs, mlp, .1), many),
        ('One convolution of 256 images', 's', 'F.conv2d', convolutions, many),
        ('One training step of the small convolutional network', 's', 'contiguous', steps, few),
    ]
    found = [group(*one) for one in groups if only.lower() in one[0].lower()]
    if not found: sys.exit(f'--only: got {only!r}, wants words of {[one[0] for one in groups]}')
    return found


# --- telling

def machine() -> dict:
    import torch
    cpu = platform.processor() or platform.machine()
    try: lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError: lines = []
    cpu = next((line.split(':')[1].strip() for line in lines if line.startswith('model name')), cpu)
    packages = {name: version(name) for name in ('torch', 'fastai', 'numpy')}
    return dict(cpu=cpu, cores=os.cpu_count(), threads=torch.get_num_threads(),
                system=platform.platform(terse=True), python=platform.python_version(), **packages)


def table(result: dict) -> str:
    "The result as text, a line for each contender"
    out = []
    for g in result['groups']:
        out += ['', f"{g['title']}, {g['unit']} ({g['rounds']} rounds)"]
        for row in g['rows']:
            r = row['ratio']
            ratio = f"{r['median']:.3g}x ({r['low']:.3g} to {r['high']:.3g})"
            if row['name'] == g['reference']: ratio = '1'
            numbers = '{median:>8.4g}  ({low:.4g} to {high:.4g})'.format(**row)
            out.append(f"  {row['name']:<36}{numbers}".ljust(76) + ratio)
    return '\n'.join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--quick', action='store_true', help='a smoke test, not a measurement')
    parser.add_argument('--only', default='', help='words in the title of the groups to measure')
    parser.add_argument('--out', type=Path, default=ROOT/'digit_under_hood'/'data')
    args = parser.parse_args()
    warnings.simplefilter('ignore')   # of other libraries
    when = dict(date=datetime.date.today().isoformat(), machine=machine())
    result = dict(quick=args.quick, **when,
                  groups=[g | when for g in run(args.quick, args.only)])
    args.out.mkdir(parents=True, exist_ok=True)
    file, written = args.out/'bench.json', result
    if args.only and file.exists():
        new = {g['title']: g for g in result['groups']}
        written = json.loads(file.read_text('utf-8'))
        written['groups'] = [new.pop(g['title'], g) for g in written['groups']] + [*new.values()]
    file.write_text(json.dumps(written, indent=1) + '\n', encoding='utf-8')
    print(', '.join(f'{k} {v}' for k, v in result['machine'].items()), result['date'], sep='\n')
    print(table(result))


if __name__ == '__main__': main()
