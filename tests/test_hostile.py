"""What a student may pass by mistake: each function answers right, or says in words what is wrong.

The bad values follow from the annotations. The table only says what a good call is.
"""
import inspect
import json
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from pandas.io.formats.style import Styler
from PIL import Image
from torch import nn

from digit_under_hood.callbacks import Callback
from digit_under_hood.checkpoint import read_file, save_weights
from digit_under_hood.explorable import Explorable, pack, unpack
from digit_under_hood.files import read_idx
from digit_under_hood.learner import Learner
from digit_under_hood.mlp import simple_net
from digit_under_hood.mnist_linear import linear1
from digit_under_hood.trained import Trained, load_trained, save_trained
from digit_under_hood.training_loop import SGD, BasicOptim, DataLoader, DataLoaders

nan, inf = torch.nan, torch.inf
CLEAR = re.compile(r'\w+: got .*, wants .*', re.S)
MODULES = sorted(path.stem for path in Path(inspect.getfile(unpack)).parent.glob('[a-z]*.py'))
RIGHT = {'slope x -1.0', 'broadcast_steps shape_a []', 'broadcast_steps shape_b []',
         'init_params size []', 'step_seconds bandwidth inf', 'rotate degrees -1.0',
         'thicken by -1.0', 'DataLoader rows ', 'DataLoader rows []', 'DataLoader rows {}',
         'shift across -1', 'shift down -1', 'Shifts seed -1', 'conv_net layers []',
         'conv_net layers {}', 'read_arrays names []', 'read_arrays names {}',
         'EarlyStopping patience inf', 'curvatures params tensor([nan, nan, nan])'}   # no mistake
LEFT_OUT = {'BroadcastSteps': 'a result, made by broadcast_steps alone',
            'Explorable': 'a result, made by functions that check what they are given',
            'live_widget': 'takes such a result', 'unpack': 'takes what pack gave',
            'Rates': 'a result of suggest', 'Trained': 'a result of train_digits',
            **dict.fromkeys(('process_group', 'launch'), 'start processes: see test_distributed'),
            **dict.fromkeys(('Distributed', 'Checkpoint'), 'see test_distributed'),
            'pack': 'takes values under any name; what it refuses stands in its appendix',
            'still_png': 'takes a function that draws',
            **dict.fromkeys(('mnist_sample', 'four_models', 'review.progress', 'command.progress',
                             'progress_path', 'read_progress', 'reset_progress', 'review',
                             'task_names', 'Bar', 'Progress', 'Callback'), 'takes nothing'),
            'due_cards': 'takes the time, and that only in tests',
            **dict.fromkeys(('Cancel', 'CancelBatch', 'CancelEpoch', 'CancelFit'), 'ends a fit'),
            **dict.fromkeys(('mode', 'callbacks.plain', 'named', 'split_batch', 'call', 'resume',
                             'Recorder', 'Mean', 'each', 'Repeated', 'LRFinder'),
                            'for the Learner, which is tried in test_learner and test_tuning'),
            **dict.fromkeys(('Learner', 'DataLoaders'), 'see test_learner'),
            'take': 'given rows by the DataLoader', 'suggest': 'given what lr_find recorded',
            'NearestIdeal': 'made by new_net', 'explained': 'draws what classify and reasons say',
            **dict.fromkeys(('markup', 'Question', 'Choose', 'Predict', 'right', 'cases', 'outcome',
                             'wrong', 'Task', 'Do', 'FixIt', 'step', 'Project'),
                            'for those who write tasks: see test_tasks and test_projects'),
            **dict.fromkeys(('outcomes.plain', 'same', 'Said', 'Raised', 'told', 'untouched',
                             'line_of', 'test_eq', 'test_close', 'check'), 'takes anything'),
            **dict.fromkeys(('ExceptionExpected', 'test_fail', 'test_ne', 'test_stdout',
                             'test_warns'), "fastcore's"),
            **dict.fromkeys(('change_progress', 'note_try', 'join_progress'),
                            'used by tasks, and by the functions on files that are tried here'),
            **dict.fromkeys(('command', 'lab', 'data', 'predict', 'train', 'main'),
                            'takes words from a terminal: see test_command'),
            'train_digits': 'trains for half a minute: see test_command',
            'report': 'takes what train_digits gave'}
NOT_TRIED = {'ax': "matplotlib's", 'cmap': "matplotlib's, with an error of its own",
             'show_preds title': 'any text', 'checksum': 'of the data in the package',
             **dict.fromkeys(('shuffle', 'drop_last', 'targeted', 'larger', 'norm'),
                             'yes or no, for which Python takes anything'),
             'trained': 'a result of train_digits or load_trained',
             'write_file data': 'anything that torch can save',
             'read_arrays path': 'of the data in the package',
             'shard': 'set by Distributed; what it refuses stands in test_training_loop'}


def digits(): return torch.linspace(0, 1, 3*784).view(3, 28, 28)
def rows(): return digits().view(3, 784)
def column(): return torch.tensor([[1.], [0], [1]])
def labels(): return torch.tensor([1, 0, 1])
def weights(): return torch.full((784, 1), .01).requires_grad_()
def knobs(): return torch.tensor([.1, .2, .3]).requires_grad_()
def square(x): return (x**2).sum()
def scored(): return torch.tensor([[.5, 1., -2.], [2., -1., 0.], [0., .5, .2]])
def typical(): return (digits()*15).byte()[:, ::2, ::2].flatten(1)
def two_scores(): return nn.Linear(784, 2).requires_grad_(False)
def pad_net(): return nn.Sequential(nn.Linear(784, 2), nn.ReLU(), nn.Linear(2, 1))
def net(): return nn.Sequential(nn.Linear(784, 2), nn.ReLU(), nn.Linear(2, 1)).requires_grad_(False)


def known(): return Trained(nn.Linear(784, 2).requires_grad_(False), [3, 7], typical(),
                              .5, 'linear')


def score(x): return linear1(x, weights(), torch.zeros(1))


def pulled():
    "Parameters with gradients"
    params = [torch.ones(2).requires_grad_(), torch.ones(3).requires_grad_()]
    for p in params: p.grad = torch.full_like(p, .5)
    return params


def fitted(*cbs):
    "A Learner that has learnt a little, with callbacks"
    torch.manual_seed(0)
    dl = DataLoader(digits()[:, None], labels(), 2)
    learn = Learner(DataLoaders(dl, dl), nn.Sequential(nn.Flatten(), nn.Linear(784, 2)),
                    nn.CrossEntropyLoss(), lambda params, lr: SGD(params, lr, .5), cbs=cbs)
    learn.fit(2, .1)
    return learn


@pytest.fixture(scope='module', autouse=True)
def files(tmp_path_factory):
    path = tmp_path_factory.mktemp('images')/'grey.png'
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(path)
    GOOD['image_tensor'] = lambda: dict(path=path)
    GOOD['stack_images'] = lambda: dict(files=[path, path])
    array, idx = np.arange(3, dtype=np.uint8), path.with_name('labels.idx')
    GOOD['write_idx'] = lambda: dict(array=array, path=idx)
    GOOD['read_idx'] = lambda: dict(source=(2049).to_bytes(4, 'big') + bytes([0, 0, 0, 1, 7]))
    weights, model = save_weights(net(), path.with_name('w.pt')), path.with_name('net.safetensors')
    GOOD['write_file'] = lambda: dict(data=rows(), path=path.with_name('new.pt'))
    GOOD['save_weights'] = lambda: dict(model=net(), path=path.with_name('new.pt'))
    GOOD['read_file'] = lambda: dict(path=weights)
    GOOD['load_weights'] = lambda: dict(model=net(), path=weights)
    GOOD['save_trained'] = lambda: dict(trained=known(), path=model)
    GOOD['load_trained'] = lambda: dict(path=save_trained(known(), model))
    Image.fromarray((digits()[0].numpy()*255).astype(np.uint8)).save(path.with_name('ink.png'))
    GOOD['read_ink'] = lambda: dict(path=path.with_name('ink.png'))
    solved = {'tasks': {'a.b': {'tries': 2, 'help': 1, 'at': 'now'}}, 'cards': {}}
    path.with_name('notes.json').write_text(json.dumps(solved))
    GOOD['import_progress'] = lambda: dict(file=path.with_name('notes.json'))
    matplotlib.use('agg')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)   # for what is written to a bad path
        patch.setenv('XDG_DATA_HOME', str(path.parent))   # and for notes on progress
        patch.setattr('digit_under_hood.progress.progress_path', lambda: path.with_name('p.json'))
        yield


GOOD = {
    'image_tensor': dict, 'stack_images': dict,   # filled in above
    'show_images': lambda: dict(images=digits(), titles=['a', 'b', 'c'], ncols=2, size=1., vmax=1.),
    'pixel_table': lambda: dict(image=digits()[0]),
    'mean_image': lambda: dict(images=digits()),
    'l1_distance': lambda: dict(a=digits(), b=digits()[0]),
    'rmse_distance': lambda: dict(a=digits(), b=digits()[0]),
    'ideal_explorer': lambda: dict(images=digits(), labels=3 + 4*labels(), ideals=digits()[:2]),
    'mnist_distance': lambda: dict(a=digits(), b=digits()[0]),
    'broadcast_steps': lambda: dict(shape_a=(2, 1), shape_b=(3,)),
    'broadcast_explorer': lambda: dict(pairs=[((2, 1), (3,))]),
    'is_3': lambda: dict(images=digits(), mean3=digits()[0], mean7=digits()[2]**2),
    'accuracy': lambda: dict(preds=labels(), targets=labels()),
    'class_distances': lambda: dict(images=digits(), means=digits()[:2]),
    'nearest_class': lambda: dict(images=digits(), means=digits()[:2]),
    'accuracy_interval': lambda: dict(correct=9, total=10),
    'writer_interval': lambda: dict(values=labels(), writers=[5, 5, 2], rounds=20, seed=0),
    'f': lambda: dict(t=torch.arange(4.), params=knobs().detach()),
    'show_preds': lambda: dict(preds=labels()*.5, time=labels()*.5, speed=labels()*.5),
    'mse': lambda: dict(preds=column(), targets=column()/2),
    'slope': lambda: dict(func=lambda x: x*x, x=1.5, eps=1e-3),
    'slope_explorer': lambda: dict(x=.7),
    'check_gradients': lambda: (lambda p: dict(
        params=p, loss_func=lambda: square(p), tol=1e-6, k=3))(
            knobs().detach().double().requires_grad_()),
    'apply_step': lambda: dict(params=knobs(), lr=.1, loss_func=square),
    'descend': lambda: dict(params=knobs(), lr=.1, loss_func=square, steps=3),
    'curvatures': lambda: dict(loss_func=square, params=knobs()),
    'descent_explorer': lambda: dict(time=torch.arange(4.), speed=torch.ones(4), raw_rates=[.01],
                                     start=knobs().detach(), rates=[.1, .2]),
    'threes_and_sevens': lambda: dict(split='valid'),
    'init_params': lambda: dict(size=(784, 1), std=0.),
    'linear1': lambda: dict(xb=rows(), weights=weights(), bias=torch.ones(1)),
    'batch_accuracy': lambda: dict(preds=column() - .3, targets=column()),
    'sigmoid': lambda: dict(x=column()),
    'mnist_loss': lambda: dict(predictions=column() - .3, targets=column()),
    'loss_explorer': lambda: dict(images=rows(), targets=column(), scores=column() - .3),
    'grad_by_hand': lambda: dict(xb=rows(), yb=column(), weights=weights(), bias=torch.ones(1)),
    'calc_grad': lambda: dict(xb=rows(), yb=column(), model=score),
    'batches': lambda: dict(x=rows(), y=column(), bs=2),
    'train_epoch': lambda: (lambda w: dict(model=lambda x: linear1(x, w, torch.zeros(1)), lr=.1,
                                           params=[w], dl=[(rows(), column())]))(weights()),
    'fit_linear': lambda: dict(train=(rows(), column()), valid=(rows(), column()), epochs=2, lr=.1,
                               bs=2, std=.1, seed=1),
    'training_film': lambda: dict(runs={'a run': SimpleNamespace(
        per_epoch=2, steps=[0, 1], losses=[.5], history=[(weights(), torch.ones(1))]*2)},
                                  valid=(rows(), column()), shown=[0, 2]),
    'validate_epoch': lambda: dict(model=score, dl=[(rows(), column())]),
    'accuracy_difference': lambda: dict(right_a=labels()*1., right_b=1. - labels()),
    'simple_net': lambda: dict(n_hidden=2, n_in=3, n_out=1, seed=0),
    'count_parameters': lambda: dict(model=net()),
    'relu_fit': lambda: dict(x=torch.arange(5.), y=torch.arange(5.), n=2),
    'bend_explorer': lambda: dict(x=torch.arange(5.), y=torch.arange(5.), steps=1, lr=.1, units=1,
                                  nets={name: [simple_net(1, n_in=1)] for name in 'ab'}),
    'layer_outputs': lambda: dict(model=net(), xb=rows()),
    'kernel_explorer': lambda: dict(images=digits(), labels=labels(),
                                    kernels={'edge': torch.eye(3)}),
    'dead_units': lambda: dict(model=net(), x=rows()),
    'confusion_counts': lambda: dict(preds=labels(), targets=labels(), n_classes=2),
    'module_code': lambda: dict(name='pixels'),
    'pixel_inspector': lambda: dict(images=(digits()*255).byte(), names=['a', 'b', 'c']),
    'shapes': lambda: dict(images=digits()),
    'typical_shapes': lambda: dict(images=digits(), k=2, rounds=2),
    'strangeness': lambda: dict(images=digits(), typical=typical()),
    'rounded': lambda: dict(net=pad_net(), inked=torch.arange(784) % 2 == 0),
    'drawing_pad': lambda: dict(
        digits=[3, 7], ideals=digits()[:2], linear=nn.Linear(784, 1), net=pad_net(),
        typical=typical(), limit=.5, inside=98, images=digits(), labels=3 + 4*labels(),
        samples=[0, 1]),
    'load_digits': lambda: dict(digits=[3], split='valid', scaled=True),
    'image_writers': lambda: dict(digits=[3], split='valid'),
    'image_numbers': lambda: dict(digit=3, split='valid'),
    'read_arrays': lambda: dict(names=['valid_labels']),
    'write_idx': dict, 'read_idx': dict,   # filled in above
    'hold_out_writers': lambda: dict(writers=[5, 5, 2, 7], n=1, seed=0),
    'step_seconds': lambda: dict(n=2, fixed=1., work=9., size=8., bandwidth=4., latency=.5),
    'softmax': lambda: dict(scores=scored()),
    'log_softmax': lambda: dict(scores=scored()),
    'cross_entropy': lambda: dict(scores=scored(), targets=labels()),
    'cross_entropy_grad': lambda: dict(scores=scored(), targets=labels()),
    'top_k_accuracy': lambda: dict(scores=scored(), targets=labels(), k=2),
    'train_classifier': lambda: dict(model=nn.Linear(784, 2), train=(rows(), labels()), epochs=1,
                                     lr=.1, momentum=.5, bs=2, seed=0),
    'reliability': lambda: dict(confidences=column()[:, 0]*.8, right=labels(), bins=3),
    'expected_calibration_error': lambda: dict(confidences=column()[:, 0]*.8, right=labels(),
                                               bins=3),
    'fit_temperature': lambda: dict(scores=scored(), targets=torch.tensor([1, 0, 0])),
    'temperature_explorer': lambda: dict(scores=scored(), labels=torch.tensor([1, 0, 0]),
                                         images=digits()),
    'coverage_curve': lambda: dict(confidences=column()[:, 0]*.8, right=labels()),
    'confident_mistakes': lambda: dict(scores=labels() - .5, targets=1 - labels(), n=2),
    'pixel_gradient': lambda: dict(model=two_scores(), xb=rows(), yb=labels()),
    'fgsm': lambda: dict(model=two_scores(), xb=rows(), yb=labels(), eps=.1),
    'pgd': lambda: dict(model=two_scores(), xb=rows(), yb=labels(), eps=.1, steps=2),
    'smallest_eps': lambda: dict(model=two_scores(), xb=rows(), yb=labels(), steps=1, halvings=2),
    'dream': lambda: dict(model=nn.Sequential(nn.Flatten(), two_scores()), labels=labels(), steps=2,
                          size=.1),
    'rotate': lambda: dict(images=digits()[:, None], degrees=20.),
    'thicken': lambda: dict(images=digits()[:, None], by=.5),
    'fooling_explorer': lambda: dict(
        images=digits(), labels=labels(), linear=nn.Linear(784, 10),
        net=nn.Sequential(nn.Linear(784, 2), nn.ReLU(), nn.Linear(2, 10))),
    'checked': lambda: dict(cb=Callback()),
    'count_items': lambda: dict(data=rows()),
    'shift': lambda: dict(images=digits(), across=2, down=1),
    'convolve': lambda: dict(xb=digits()[:, None], weight=torch.ones(2, 1, 3, 3),
                             bias=torch.ones(2), stride=1, padding=0),
    'conv_net': lambda: dict(layers=(2, 'pool'), side=8, norm=False),
    'occlusion_map': lambda: dict(model=nn.Sequential(nn.Flatten(), two_scores()),
                                  image=digits()[:1], label=1, size=26),
    'Nesterov': lambda: dict(params=pulled(), lr=.1),
    'Shifts': lambda: dict(most=1, seed=0),
    'find_task': lambda: dict(name='similarity.double_odds'),
    'practice': lambda: dict(name='similarity.double_odds'),
    'export_progress': dict,
    'Card': lambda: dict(name='similarity.double_odds'),
    'Adversarial': dict,
    'one_cycle': dict,
    'set_momentum': lambda: dict(opt=SGD(pulled(), .1), momentum=.5),
    'Schedule': lambda: dict(lr=lambda part: 1 - part, momentum=lambda part: part/2),
    'boxed': lambda: dict(ink=digits()[0].numpy()),
    'new_net': lambda: dict(model='linear', n=2),
    'classify': lambda: dict(trained=known(), image=digits()[0]),
    'reasons': lambda: dict(trained=known(), image=digits()[0]),
    'set_lr': lambda: dict(opt=SGD(pulled(), .1), lr=.2),
    'BasicOptim': lambda: dict(params=pulled(), lr=.1),
    'SGD': lambda: dict(params=pulled(), lr=.1),
    'DataLoader': lambda: dict(x=rows(), y=column(), bs=2, seed=0, rows=[0, 2]),
    'EarlyStopping': lambda: dict(patience=1),
    'ToDevice': dict,
}


def bad_tensors(good):
    plain = good.detach()
    yield from (None, 'abc', 3., good.tolist(), plain.numpy(), good[:0], good[None], good[0])
    yield from (good[:-1], torch.cat([good, good]), plain*255, plain*nan, plain + .7)
    yield from (plain.int(), (plain*200).byte())


def bad_values(parameter, good):
    "Values of the wrong kind, size or range for `parameter`, by its annotation"
    kinds = {parameter.annotation, *get_args(parameter.annotation)}
    if torch.Tensor in kinds and isinstance(good, torch.Tensor): return list(bad_tensors(good))
    other = [None, 'abc', '', nan, [], {}, object(), [None], b'x', 2 + 1j]
    if float in kinds: return [*other, inf, -inf, -1., torch.tensor([1., 2])]
    if int in kinds: return [*other, inf, -1, 2.5, torch.tensor([1, 2])]
    return [*other, -1, torch.tensor(1.), torch.ones(2, 2)]


def numbers(result):
    "All numbers in `result`, whatever it is made of, and texts as those of their letters"
    if isinstance(result, Explorable): result = unpack(result.data)   # its picture shows the same
    if isinstance(result, Learner): result = [result.model, result.recorder.losses]
    if isinstance(result, nn.Module): result = result.state_dict()
    if isinstance(result, Styler): result = [result.data.to_numpy(), result.caption]
    if isinstance(result, torch.Tensor): return result.detach().double().flatten().tolist()
    if isinstance(result, np.ndarray | np.generic) and result.dtype.kind in 'biuf':
        return result.astype(float).ravel().tolist()
    if isinstance(result, int | float): return [float(result)]
    if isinstance(result, complex): return [result.real, result.imag]
    if isinstance(result, str): return [*map(float, result.encode())]
    if isinstance(result, slice): result = [result.start, result.stop, result.step]
    if isinstance(result, dict): result = list(result.values())
    if isinstance(result, Iterable): return [n for part in result for n in numbers(part)]
    return numbers(vars(result)) if hasattr(result, '__dict__') and not callable(result) else []


def drawn():
    "What stands in the figures of pyplot: lines, images with their scales, titles"
    for ax in [ax for n in plt.get_fignums() for ax in plt.figure(n).axes]:
        yield [line.get_xydata() for line in ax.lines]
        yield [(np.ma.filled(im.get_array().astype(float), nan), im.get_clim()) for im in ax.images]
        yield [np.ma.filled(marks.get_offsets(), nan) for marks in ax.collections]
        yield ax.get_title()


SEEN = {   # where what a function did is not in what it gives
    'write_idx': lambda given, result: read_idx(given['path']),
    'write_file': lambda given, result: read_file(given['path']),
    'save_weights': lambda given, result: read_file(given['path']),
    'save_trained': lambda given, result: load_trained(given['path']),
    'export_progress': lambda given, result: json.loads(Path(given['file']).read_text()),
    'one_cycle': lambda given, plan: [plan(part/8) for part in range(9)],
    **dict.fromkeys(('set_lr', 'set_momentum'), lambda given, result: given['opt']),
    'load_weights': lambda given, result: given['model'],
    'apply_step': lambda given, result: [result, given['params']],
    'train_epoch': lambda given, result: [result, given['params']],
}


def run(function, arguments):
    "The numbers in the result, in what it is used for, and in what is drawn"
    try:
        result = function(**arguments)
        if inspect.isgenerator(result): result = list(result)
        if isinstance(result, Callback): result = fitted(result)
        if isinstance(result, BasicOptim): result.step()
        if see := SEEN.get(function.__name__): result = see(arguments, result)
        return torch.tensor(numbers([result, *drawn()]), dtype=torch.float64)
    finally:
        plt.close('all')
        Path('abc').unlink(missing_ok=True)   # a bad path, but a path


@cache
def good(name):
    "The numbers of a good call"
    return run(FUNCTIONS[name], arguments(name))


def arguments(name):
    "What a good call is given, defaults too"
    torch.manual_seed(0)
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty} | GOOD[name]()


def outcome(name, parameter, bad):
    "'clear' or 'unclear' for an error, 'right' or 'silent' for a result"
    function, given = FUNCTIONS[name], arguments(name)
    holds_nan = not np.isfinite(numbers(bad)).all()
    try: found = run(function, given | {parameter: bad})
    except AssertionError: return 'clear'                    # the verdict of check_gradients
    except (TypeError, ValueError, OSError) as error:        # or no such file as `bad`
        no_file = isinstance(error, OSError) and repr(bad) in str(error)
        return 'clear' if no_file or CLEAR.match(str(error)) else 'unclear'
    except Exception: return 'unclear'
    expected = good(name)
    if holds_nan or found.isnan().any() and not expected.isnan().any():
        return 'right' if holds_nan and found.isnan().any() else 'silent'
    if isinstance(bad, torch.Tensor):   # as it would be in the most exact arithmetic
        exact = bad.detach().double().requires_grad_(bad.requires_grad)
        try: expected = run(function, arguments(name) | {parameter: exact})
        except Exception: return 'right'
    same = found.shape == expected.shape and torch.allclose(found, expected, atol=1e-4,
                                                            equal_nan=True)
    return 'right' if same else 'silent'


def exported():
    "Every function and class that a notebook exports; two of one name with their modules'"
    found = [(module, name) for module in MODULES
             for name in getattr(import_module(f'digit_under_hood.{module}'), '__all__', ())]
    count = Counter(name for _, name in found)
    for module, name in found:
        one = getattr(import_module(f'digit_under_hood.{module}'), name)
        if callable(one): yield name if count[name] == 1 else f'{module}.{name}', one


EXPORTED = dict(exported())
FUNCTIONS = {name: one for name, one in EXPORTED.items() if name not in LEFT_OUT}


def tried(name):
    "The parameters that are given bad values"
    return [p for p in inspect.signature(FUNCTIONS[name]).parameters.values()
            if not {p.name, f'{name} {p.name}'} & {*NOT_TRIED}]


def all_calls():
    "Every function with every value for every parameter, also what is no mistake at all"
    for name in FUNCTIONS:
        for parameter in tried(name):
            for i, bad in enumerate(bad_values(parameter, arguments(name)[parameter.name])):
                if bad is None and parameter.default is None: continue
                yield name, parameter.name, i, bad


def calls():
    "Every function with every bad value for every parameter"
    return (call for call in all_calls() if f'{call[0]} {call[1]} {call[3]}' not in RIGHT)


def test_nothing_exported_is_forgotten():
    "A new function is in the table or left out for a reason, and so is a new parameter"
    assert {*GOOD} == {*FUNCTIONS} and {*LEFT_OUT} <= {*EXPORTED}
    lacking = {(name, p.name) for name in FUNCTIONS for p in tried(name)} - {
        (name, parameter) for name in FUNCTIONS for parameter in arguments(name)}
    assert lacking == set()
    own = {what for name in FUNCTIONS for p in inspect.signature(FUNCTIONS[name]).parameters
           for what in (p, f'{name} {p}')}
    assert {*NOT_TRIED} <= own and {*SEEN} <= {*FUNCTIONS}
    assert RIGHT <= {f'{name} {parameter} {bad}' for name, parameter, _, bad in all_calls()}


def test_good_calls_are_good():
    for name in FUNCTIONS: assert len(good(name)), f'nothing of {name} is seen'


@pytest.mark.parametrize('every', [3, pytest.param(1, marks=pytest.mark.long)])
def test_bad_calls_end_in_words_or_in_the_right_answer(every):
    "Each third of them, and weekly all"
    told = [(outcome(name, parameter, bad), name, parameter, i, type(bad))
            for name, parameter, i, bad in islice(calls(), 0, None, every)]
    counts = {name: sum(t[1] == name for t in told) for name in FUNCTIONS}
    assert min(counts.values()) >= 8//every, counts
    assert [t for t in told if t[0] == 'silent'] == []
    unclear = [t for t in told if t[0] == 'unclear']
    assert len(unclear) < .05*len(told), (len(unclear), len(told), unclear)


HIDING = {   # what a wrong answer may be, if 1. is the right thing to pass
    'a number': lambda x: x, 'a text': lambda x: f'{x:.2f}',
    'in a namespace': lambda x: SimpleNamespace(x=x),
    'in an array of objects': lambda x: np.array([{'x': x}, None]),
    'in what one plays with': lambda x: Explorable('', pack(x=np.float32([x])), b'', ''),
    'in a line': lambda x: plt.plot([0, x]) and None, 'in a title': lambda x: plt.title(x) and None,
    'in the pixels of an image': lambda x: plt.imshow([[x, 0.]], vmin=0, vmax=9) and None,
    'nan that nobody passed': lambda x: 1. if x == 1 else nan,
}


@pytest.mark.parametrize('function', HIDING.values(), ids=HIDING)
def test_the_judge_is_not_blind(function, monkeypatch):
    monkeypatch.setitem(FUNCTIONS, function, function)
    monkeypatch.setitem(GOOD, function, lambda: dict(x=1.))
    assert outcome(function, 'x', 1.) == 'right' and outcome(function, 'x', 2.) == 'silent'


def test_a_number_made_of_nan_is_silent(monkeypatch):
    for answer, told in (0., 'silent'), (nan, 'right'):
        monkeypatch.setitem(FUNCTIONS, answer, lambda x, a=answer: 1. if x == 1 else a)
        monkeypatch.setitem(GOOD, answer, lambda: dict(x=1.))
        assert outcome(answer, 'x', nan) == told


ones = torch.ones(3)
REFUSED = {   # what used to be a number that looked right
    'flat targets': lambda: grad(yb=column()[:, 0]),
    'a bias for each row': lambda: grad(bias=ones),
    'labels 3 and 7': lambda: grad(yb=3*column()),
    'a score for each row from the bias': lambda: linear1(rows(), weights(), ones),
    'labels of 0 and 2': lambda: F['mnist_loss'](column(), 2*column()),
    'nan is no 7': lambda: F['batch_accuracy'](column()*nan, column()),
    'nan is no mistake': lambda: F['confident_mistakes'](ones*nan, ones),
    'sigmoid of bytes': lambda: F['sigmoid'](torch.tensor([1, 2], dtype=torch.uint8)),
    'a parabola of bytes': lambda: F['f'](torch.tensor([20], dtype=torch.uint8), (1, 0, 0)),
    'rate nan': lambda: F['apply_step'](knobs(), nan, square),
    'rate inf': lambda: F['train_epoch'](score, inf, [weights()], [(rows(), column())]),
    'no image': lambda: F['mean_image'](digits()[:0]),
    'one image': lambda: F['mean_image'](digits()[0]),
    'images of 0 to 255': lambda: F['is_3'](digits()*255, digits()[0], digits()[1]),
    'an image of nan': lambda: F['nearest_class'](digits()*nan, digits()),
    'scores in place of answers': lambda: F['accuracy'](ones*.3, ones),
    'labels 3 and 7 for yes and no': lambda: F['accuracy'](labels() > 0, 3 + 4*labels()),
    'answers 3 and 7 for yes and no': lambda: F['accuracy'](3 + 4*labels(), labels() > 0),
    'bytes as floats against fractions': lambda: F['l1_distance'](digits()*255, digits()),
    'fractions against bytes as floats': lambda: F['rmse_distance'](digits(), digits()*255),
    'means of bytes as floats': lambda: F['class_distances'](digits(), digits()*255),
    'four channels': lambda: F['show_images'](torch.ones(28, 28, 4)),
    'one channel': lambda: F['show_images'](torch.ones(28, 28, 1)),
    'channels first': lambda: F['show_images'](torch.ones(5, 3, 28, 28)),
    'a writer too few': lambda: F['writer_interval'](ones, [1, 2]),
    'writers without numbers': lambda: F['writer_interval'](ones, [.5, 1, 2]),
    'curvatures of a matrix': lambda: F['curvatures'](square, torch.ones(2, 2)),
    'outputs of nothing': lambda: F['layer_outputs'](net(), rows()[:0]),
    'dead on nothing': lambda: F['dead_units'](net(), rows()[:0]),
    'class 0.7': lambda: F['confusion_counts'](ones*.7, ones.long()),
    'n=-1': lambda: F['confident_mistakes'](ones, ones*0, n=-1),
    'k=-1': lambda: F['check_gradients'](**GOOD['check_gradients']() | dict(k=-1)),
    'the last batch dropped': lambda: list(F['batches'](rows(), column(), -1)),
    'labels that are no 3 and no 7': lambda: changed('ideal_explorer', labels=labels()),
    'numbers for a part': lambda: changed('pixel_inspector', part=(1, 2)),
    'a part of one slice': lambda: changed('pixel_inspector', part=[slice(3)]),
    'a part from high to low': lambda: changed('pixel_inspector', part=(slice(9, 3), slice(3))),
    'a part of each second': lambda: changed('pixel_inspector', part=(slice(3), slice(1, 9, 2))),
    'a part without pixels': lambda: changed('pixel_inspector', part=(slice(3), slice(30, 40))),
    'a spread of nan': lambda: F['init_params'](3, nan),
    'shapes of nan': lambda: F['typical_shapes'](digits()*nan, 1),
    'nothing to train': lambda: changed('train_epoch', params=[]),
    'half a seed': lambda: changed('fit_linear', seed=2.5),
    'half a seed of convolutions': lambda: changed('conv_net', seed=2.5),
    'half a seed of a network': lambda: F['new_net']('linear', 2, seed=.5),
    'an empty list for no momentum': lambda: F['Schedule'](abs, momentum=[]),
    'an empty list for nothing to measure on': lambda: changed('train_classifier', valid=[]),
}
F = FUNCTIONS


def changed(name, **others): return F[name](**GOOD[name]() | others)


def grad(**others): return changed('grad_by_hand', **others)


@pytest.mark.parametrize('call', REFUSED.values(), ids=REFUSED)
def test_no_wrong_number_in_silence(call):
    with pytest.raises((TypeError, ValueError), match=CLEAR): call()


def test_labels_of_any_kind_give_the_same_gradients():
    for kind in (torch.uint8, torch.bool, torch.int64, torch.float64):
        for found, expected in zip(grad(yb=column().to(kind)), grad()):
            torch.testing.assert_close(found, expected)


def test_looking_into_a_model_leaves_it_as_it_was():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 4), nn.BatchNorm1d(4), nn.Dropout(.5), nn.ReLU()).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = (F['layer_outputs'](model, rows())[-1] for _ in range(2))
    assert torch.equal(first, second) and model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert F['dead_units'](model, rows()).shape == (4,)
