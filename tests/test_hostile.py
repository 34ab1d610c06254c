"""What a student may pass by mistake: each function answers right, or says in words what is wrong.

The bad values follow from the annotations. The table only says what a good call is.
"""
import inspect
import re
from collections.abc import Iterable
from importlib import import_module
from itertools import islice
from types import SimpleNamespace
from typing import get_args

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from digit_under_hood.mlp import simple_net
from digit_under_hood.mnist_linear import linear1

nan, inf = torch.nan, torch.inf
CLEAR = re.compile(r'\w+: got .*, wants .*', re.S)
MODULES = ('pixels similarity broadcasting validation quadratic_sgd valleys mnist_linear gradients '
           'epochs comparing mlp looking_inside ten_digits calibration convnet fooling robustness '
           'distributed explorable drawing data files').split()
RIGHT = {'slope x -1.0', 'broadcast_steps shape_a []', 'broadcast_steps shape_b []',
         'init_params size []', 'step_seconds bandwidth inf', 'rotate degrees -1.0',
         'thicken by -1.0'}   # no mistake at all
LEFT_OUT = {'SIGNED': 'colours, no function',
            'BroadcastSteps': 'a result, made by broadcast_steps alone',
            'Explorable': 'a result, made by functions that check what they are given',
            'live_widget': 'takes such a result', 'unpack': 'takes what pack gave',
            **dict.fromkeys(('shift', 'convolve', 'conv_net', 'occlusion_map'),
                            'what it refuses stands in its chapter and in test_convnet'),
            **dict.fromkeys(('process_group', 'launch'), 'start processes: see test_distributed'),
            'pack': 'takes values under any name; what it refuses stands in its appendix',
            'still_png': 'takes a function that draws',
            **dict.fromkeys(('mnist_sample', 'four_models'), 'takes nothing')}


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


def score(x): return linear1(x, weights(), torch.zeros(1))


@pytest.fixture(scope='module', autouse=True)
def files(tmp_path_factory):
    path = tmp_path_factory.mktemp('images')/'grey.png'
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(path)
    GOOD['image_tensor'] = lambda: dict(path=path)
    GOOD['stack_images'] = lambda: dict(files=[path, path])
    array, idx = np.arange(3, dtype=np.uint8), path.with_name('labels.idx')
    GOOD['write_idx'] = lambda: dict(array=array, path=idx)
    GOOD['read_idx'] = lambda: dict(source=(2049).to_bytes(4, 'big') + bytes([0, 0, 0, 1, 7]))
    matplotlib.use('agg')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)   # for what is written to a bad path
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
    "All numbers in `result`, whatever it is made of"
    if isinstance(result, nn.Module): result = list(result.parameters())
    if isinstance(result, torch.Tensor): return result.detach().double().flatten().tolist()
    if isinstance(result, str | None): return []
    if isinstance(result, dict): result = list(result.values())
    if isinstance(result, Iterable): return [n for part in result for n in numbers(part)]
    return [float(result)] if isinstance(result, int | float) else []


def run(function, arguments):
    "The result, run to its end"
    try: result = function(**arguments)
    finally: plt.close('all')
    return list(result) if inspect.isgenerator(result) else result


def outcome(function, arguments, name, bad):
    "'clear' or 'unclear' for an error, 'right' or 'silent' for a result"
    try: result = run(function, arguments | {name: bad})
    except AssertionError: return 'clear'                    # the verdict of check_gradients
    except (TypeError, ValueError, OSError) as error:        # or no such file as `bad`
        ok = repr(bad) in str(error) if isinstance(error, OSError) else CLEAR.match(str(error))
        return 'clear' if ok else 'unclear'
    except Exception: return 'unclear'
    found = torch.tensor(numbers(result))
    if found.isnan().any(): return 'right'                   # nan in, nan out
    if isinstance(bad, torch.Tensor):   # as it would be in the most exact arithmetic
        try: arguments = arguments | {name: bad.detach().double().requires_grad_(bad.requires_grad)}
        except RuntimeError: return 'right'
    try: expected = torch.tensor(numbers(run(function, arguments)))
    except Exception: return 'right'
    same = found.shape == expected.shape and torch.allclose(found, expected, atol=1e-4)
    return 'right' if same else 'silent'


FUNCTIONS = {name: getattr(module, name)
             for module in (import_module(f'digit_under_hood.{name}') for name in MODULES)
             for name in module.__all__ if name not in LEFT_OUT and name.lower() == name}


def calls():
    "Every function with every bad value for every parameter of its good call"
    for name, function in FUNCTIONS.items():
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name not in GOOD[name](): continue
            for i, bad in enumerate(bad_values(parameter, GOOD[name]()[parameter.name])):
                if bad is None and parameter.default is None: continue
                if f'{name} {parameter.name} {bad}' in RIGHT: continue
                yield name, parameter.name, i, bad


def test_good_calls_are_good():
    for name, function in FUNCTIONS.items(): run(function, GOOD[name]())


@pytest.mark.parametrize('every', [3, pytest.param(1, marks=pytest.mark.long)])
def test_bad_calls_end_in_words_or_in_the_right_answer(every):
    "Each third of them, and weekly all"
    told = [(outcome(FUNCTIONS[name], GOOD[name](), parameter, bad), name, parameter, i, type(bad))
            for name, parameter, i, bad in islice(calls(), 0, None, every)]
    counts = {name: sum(t[1] == name for t in told) for name in FUNCTIONS}
    assert min(counts.values()) >= 8//every, counts
    assert [t for t in told if t[0] == 'silent'] == []
    unclear = [t for t in told if t[0] == 'unclear']
    assert len(unclear) < .05*len(told), (len(unclear), len(told), unclear)


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
