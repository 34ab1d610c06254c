"Files of weights and of whole fits: damaged, hostile, of another model, written at the same time."
import math
import os
import pickle
import random
import stat
import threading
import time
from functools import partial

import pytest
import torch
from torch import nn
from toys import Noise, at, same, toy, toy_learner, weights

from digit_under_hood.checkpoint import load_weights, read_file, save_weights, write_file
from digit_under_hood.training_loop import SGD, BasicOptim, DataLoader, DataLoaders

# --- files

class Trap:
    def __init__(self, path): self.path = path
    def __reduce__(self): return open, (self.path, 'w')


def test_save_and_load(tmp_path):
    learn, fresh = toy_learner(), toy_learner()
    learn.fit(2, .1)
    path = learn.save(tmp_path/'w.pth')
    fresh.load(str(path))
    assert same(weights(learn), weights(fresh)) and os.listdir(tmp_path) == ['w.pth']
    learn.fit(1, .1)
    learn.save(path)   # over the old one
    fresh.load(path)
    assert same(weights(learn), weights(fresh))


@pytest.mark.parametrize('kind',
    'text empty cut flipped trap tensor list object shape missing extra names'.split())
def test_a_file_that_does_not_fit_changes_nothing(kind, tmp_path):
    model, path, evidence = nn.Linear(3, 1), tmp_path/'w.pth', tmp_path/'evidence'
    state = model.state_dict()
    save_weights(model, path)
    data = path.read_bytes()
    def write(value): torch.save(value, path)
    {'text': lambda: path.write_text('hello'), 'empty': lambda: path.write_bytes(b''),
     'cut': lambda: path.write_bytes(data[:len(data)//2]),
     'flipped': lambda: path.write_bytes(b'\0'*100 + data[100:]),
     'trap': lambda: write(Trap(str(evidence))), 'tensor': lambda: write(torch.ones(3)),
     'list': lambda: write([torch.ones(3)]),
     'object': lambda: path.write_bytes(pickle.dumps(Trap(str(evidence)), protocol=2)),
     'shape': lambda: write({**state, 'weight': torch.ones(3, 1)}),
     'missing': lambda: write({'weight': state['weight']}),
     'extra': lambda: write({**state, 'more': torch.ones(1)}),
     'names': lambda: write({'w': state['weight'], 'b': state['bias']})}[kind]()
    before = [p.detach().clone() for p in model.parameters()]
    with torch.no_grad(): [p.add_(1) for p in model.parameters()]
    with pytest.raises(ValueError) as caught: load_weights(model, path)
    told = {'shape': 'weight: got ((3, 1), False), wants ((1, 3), False)',
            'missing': "weights: got ['weight'], wants", 'extra': "'more'], wants",
            'names': "weights: got ['w', 'b'], wants ['weight', 'bias']",
            'tensor': 'weights: got', 'list': 'weights: got'}
    assert told.get(kind, f'path: got {path}, wants a whole file') in str(caught.value)
    assert all(torch.equal(p, q + 1) for p, q in zip(model.parameters(), before, strict=True))
    assert not evidence.exists()


def test_a_file_from_a_graphics_card_is_read_without_one(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.serialization, 'location_tag', lambda storage: 'cuda:0')
    path = save_weights(nn.Linear(3, 1), tmp_path/'w.pth')
    assert {t.device.type for t in read_file(path).values()} == {'cpu'}


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError): load_weights(nn.Linear(3, 1), tmp_path/'none.pth')
    with pytest.raises((OSError, RuntimeError)):
        save_weights(nn.Linear(3, 1), tmp_path/'no'/'folder.pth')


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    model, path = nn.Linear(3, 1), tmp_path/'w.pth'
    save_weights(model, path)
    data = path.read_bytes()
    def half(state, part):
        part.write_bytes(data[:50])
        raise OSError('no space left')
    monkeypatch.setattr(torch, 'save', half)
    with pytest.raises(OSError, match='no space'): save_weights(model, path)
    assert path.read_bytes() == data and os.listdir(tmp_path) == ['w.pth']


def test_weights_of_other_kinds_are_loaded(tmp_path):
    "Models that hold what cannot be copied, and that compute their weights from others"
    class Locked(nn.Linear):
        def __init__(self):
            super().__init__(3, 2)
            self.lock = threading.Lock()
    for make in (Locked, lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)),
                 lambda: nn.BatchNorm1d(3), lambda: nn.Linear(3, 2).double(),
                 lambda: nn.Linear(3, 2, dtype=torch.complex64)):
        saved, fresh = make(), make()
        load_weights(fresh, save_weights(saved, tmp_path/'w.pth'))
        for p, q in zip(saved.state_dict().values(), fresh.state_dict().values(), strict=True):
            assert torch.equal(p, q)


@pytest.mark.parametrize('value, said', [
    (torch.tensor([[1., float('nan'), 0.]]), 'got nan or inf'),
    (torch.tensor([[1., float('inf'), 0.]]), 'got nan or inf'),
    (torch.ones(1, 3, dtype=torch.complex64), r'weight: got \(\(1, 3\), True\)'),
    ([1., 2., 3.], "weight: got <class 'list'>")])
def test_values_that_are_no_weights(value, said, tmp_path):
    model = nn.Linear(3, 1)
    before = model.weight.detach().clone()
    write_file({'weight': value, 'bias': torch.ones(1)}, tmp_path/'w.pth')
    with pytest.raises(ValueError, match=said): load_weights(model, tmp_path/'w.pth')
    assert torch.equal(model.weight, before) and not torch.equal(model.bias, torch.ones(1))


def changed(model, path):
    "Whether a file that was tampered with gave other weights in silence"
    before = {name: t.clone() for name, t in model.state_dict().items()}
    try: load_weights(model, path)
    except ValueError: return False
    return any(not torch.equal(t, before[name]) for name, t in model.state_dict().items())


def test_flipped_bits_never_give_other_weights(tmp_path):
    "At 60 places over the whole file, those of the weights included"
    model, path = nn.Linear(50, 4), tmp_path/'w.pth'
    data = save_weights(model, path).read_bytes()
    start = data.index(model.weight.detach().numpy().tobytes())
    places = [*range(0, len(data), len(data)//40), *range(start, start + 800, 40)]
    assert len(places) >= 60
    for place in places:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1:])
        assert not changed(model, path), place
    path.write_bytes(data[:start] + bytes([data[start] ^ 1]) + data[start + 1:])
    with pytest.raises(ValueError, match='wants a whole file'): load_weights(model, path)


def test_a_flipped_bit_at_any_place_of_a_file(tmp_path):
    "One of each byte: refused in the same words, or of no importance; no error of the disk"
    model, path, rng = nn.Linear(3, 1), tmp_path/'w.pth', random.Random(0)
    data = save_weights(model, path).read_bytes()
    for place in range(len(data)):
        flipped = bytes([data[place] ^ 1 << rng.randrange(8)])
        path.write_bytes(data[:place] + flipped + data[place + 1:])
        assert not changed(model, path), place


def test_an_error_of_the_disk_comes_out_as_it_is(tmp_path):
    with pytest.raises(IsADirectoryError if os.name == 'posix' else OSError): read_file(tmp_path)


class Masked(nn.Linear):
    def __init__(self, value=-math.inf):
        super().__init__(3, 1)
        self.register_buffer('mask', torch.full((3, 3), value).triu(1))


@pytest.mark.parametrize('value', [-math.inf, math.inf])
def test_an_infinity_by_design_is_loaded(value, tmp_path):
    "If the model has the same; others are refused, and no number is never right"
    saved, fresh = Masked(value), Masked(value)
    path = save_weights(saved, tmp_path/'w.pth')
    load_weights(fresh, path)
    assert torch.equal(saved.weight, fresh.weight) and torch.equal(saved.mask, fresh.mask)
    for other in Masked(0.), Masked(-value), Masked(math.nan):
        with pytest.raises(ValueError, match='mask: got nan or inf'): load_weights(other, path)
    odd = Masked(math.nan)
    save_weights(odd, path)
    with pytest.raises(ValueError, match='mask: got nan or inf'): load_weights(odd, path)


def test_truncated_files_are_refused(tmp_path):
    model, path = nn.Linear(50, 4), tmp_path/'w.pth'
    data = save_weights(model, path).read_bytes()
    for size in [*range(0, len(data), len(data)//25), len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match='wants a whole file'): load_weights(model, path)


def test_mode_and_link_of_an_older_file_stay(tmp_path):
    model, real, link = nn.Linear(3, 1), tmp_path/'real.pth', tmp_path/'link.pth'
    save_weights(model, real)
    real.chmod(0o640)
    link.symlink_to(real)
    with torch.no_grad(): model.weight.add_(1)
    save_weights(model, link)
    assert link.is_symlink() and stat.S_IMODE(real.stat().st_mode) == 0o640
    fresh = nn.Linear(3, 1)
    load_weights(fresh, real)
    assert torch.equal(fresh.weight, model.weight)


def test_what_a_killed_program_left_is_cleared_away(tmp_path):
    "After an hour: a younger one may belong to a program that is still writing"
    old, young, other = (tmp_path/f'.{name}.part' for name in ('w.pth.1', 'w.pth.2', 'v.pth.1'))
    for part in (old, young, other): part.write_bytes(b'half')
    hour_ago = time.time() - 3700
    for part in (old, other): os.utime(part, (hour_ago, hour_ago))
    save_weights(nn.Linear(3, 1), tmp_path/'w.pth')
    assert sorted(os.listdir(tmp_path)) == ['.v.pth.1.part', '.w.pth.2.part', 'w.pth']


def test_two_threads_do_not_mix_their_models(tmp_path):
    "Whoever comes last wins, with all its weights"
    models = [nn.Linear(100, 100) for _ in range(4)]
    for i, model in enumerate(models):
        for p in model.parameters(): nn.init.constant_(p, i)
    failed = []
    def save(model):
        try:
            for _ in range(10): save_weights(model, tmp_path/'w.pth')
        except Exception as error: failed.append(error)
    threads = [threading.Thread(target=save, args=(model,)) for model in models]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    fresh = nn.Linear(100, 100)
    load_weights(fresh, tmp_path/'w.pth')
    assert not failed and len({*fresh.weight.flatten().tolist(), *fresh.bias.tolist()}) == 1
    assert os.listdir(tmp_path) == ['w.pth']


@pytest.mark.parametrize('opt_func', [partial(SGD, momentum=.9), torch.optim.Adam],
                         ids=['momentum', 'adam'])
def test_two_epochs_today_and_two_tomorrow(opt_func, tmp_path):
    "Weights, losses and table are those of four epochs in one go, to the last bit"
    def loaders():
        x, y = toy(22).train.x, toy(22).train.y
        return DataLoaders(DataLoader(x, y, 4, shuffle=True, seed=4), DataLoader(x, y, 4))
    def make():
        net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(.3), nn.Linear(8, 1))
        return toy_learner(model=net, opt_func=opt_func, dls=loaders())
    torch.manual_seed(9)
    state = make().model.state_dict()
    whole, today, tomorrow = make(), make(), make()
    for learn in (whole, today): learn.model.load_state_dict(state)
    torch.manual_seed(1)
    whole.fit(4, .02)
    torch.manual_seed(1)
    today.fit(2, .02)
    today.save(tmp_path/'fit.pth')
    torch.manual_seed(77)
    tomorrow.load(tmp_path/'fit.pth')
    tomorrow.fit(4, .02, start=2)
    assert same(weights(whole), weights(tomorrow)) and tomorrow.step == whole.step
    assert whole.recorder.losses == tomorrow.recorder.losses
    valid = [[row['valid_loss'] for row in learn.recorder.epochs] for learn in (whole, tomorrow)]
    assert valid[0] == valid[1] and len(valid[0]) == 4


def test_a_file_of_weights_is_no_checkpoint(tmp_path):
    learn = toy_learner()
    save_weights(learn.model, tmp_path/'w.pth')
    with pytest.raises(ValueError, match='wants a file of Learner.save'):
        learn.load(tmp_path/'w.pth')
    other = toy_learner(model=nn.Linear(3, 2))
    other.save(tmp_path/'other.pth')
    with pytest.raises(ValueError, match='weight: got'): learn.load(tmp_path/'other.pth')


def stopped(learn, path, *cbs, lr=.05):
    "Save after each epoch of four, and stop in the third"
    def stop(learn):
        if learn.epoch == 3: raise KeyboardInterrupt
    keep = at('after_epoch', lambda learn: learn.save(path))
    with pytest.raises(KeyboardInterrupt): learn.fit(4, lr, [*cbs, keep, at('after_loss', stop)])
    return path


@pytest.mark.parametrize('how', ['fit', 'add', 'init'])
def test_callbacks_go_on_where_they_were(how, tmp_path):
    "However they are given: two of a kind too, each with its own state"
    whole, today = toy_learner(), toy_learner()
    whole.fit(4, .05, [Noise(1), Noise(2)])
    path = stopped(today, tmp_path/'fit.pth', Noise(1), Noise(2))
    fresh = Noise(3), Noise(4)
    again = toy_learner(*(fresh if how == 'init' else ()))
    again.load(path)
    if how == 'add': again.add(*fresh)
    again.fit(4, .05, fresh if how == 'fit' else (), start=2)
    assert same(weights(whole), weights(again))


def test_a_state_that_nobody_took_is_for_the_next_fit_alone(tmp_path):
    path = stopped(toy_learner(), tmp_path/'fit.pth', Noise())
    learn, late = toy_learner(), Noise(5)
    learn.load(path)
    learn.fit(4, .05, start=2)
    learn.fit(1, 0., late)
    other = Noise(5)
    toy_learner().fit(1, 0., other)
    assert torch.equal(late.rng.get_state(), other.rng.get_state())


def test_a_state_that_cannot_be_taken_leaves_the_callbacks_as_they_were(tmp_path):
    path = stopped(toy_learner(), tmp_path/'fit.pth', Noise())
    class Other(Noise):
        def load_state_dict(self, state): raise LookupError('another state')
    Other.__name__ = 'Noise'
    learn = toy_learner()
    learn.load(path)
    with pytest.raises(LookupError, match='another state'): learn.fit(4, .05, Other(), start=2)
    assert learn.cbs == [learn.recorder]


def test_a_callback_that_comes_later_in_the_order_has_its_own_state(tmp_path):
    "Given first, called last: what counts is the order in which they are called"
    def make(seed, order):
        noise = Noise(seed)
        noise.order = order
        return noise
    whole, again = toy_learner(), toy_learner()
    whole.fit(4, .05, [make(1, 2), make(2, 1)])
    path = stopped(toy_learner(), tmp_path/'fit.pth', make(1, 2), make(2, 1))
    again.load(path)
    again.fit(4, .05, [make(3, 2), make(4, 1)], start=2)
    assert same(weights(whole), weights(again))


OPTIMISERS = {'ours': partial(SGD, momentum=.9), 'sgd': partial(torch.optim.SGD, momentum=.9),
              'adam': torch.optim.Adam, 'rmsprop': torch.optim.RMSprop, 'basic': BasicOptim}


@pytest.mark.parametrize('theirs', ['ours', 'sgd', 'adam', 'rmsprop'])
@pytest.mark.parametrize('own', OPTIMISERS)
def test_a_fit_with_another_optimiser_changes_nothing(own, theirs, tmp_path):
    def make(name):
        learn = toy_learner(opt_func=OPTIMISERS[name])
        learn.dls.train.rng = torch.Generator().manual_seed(len(name))
        return learn
    saved, learn = make(theirs), make(own)
    saved.fit(2, .01)
    path = saved.save(tmp_path/'fit.pth')
    learn.fit(1, .02)
    opt, before, losses = learn.opt, weights(learn), [*learn.recorder.losses]
    rng = learn.dls.train.rng.get_state()
    if own == theirs:
        learn.load(path)
        assert same(weights(saved), weights(learn))
    else:
        name = type(opt).__name__
        with pytest.raises(ValueError, match=f'opt: got another state, wants that of {name}'):
            learn.load(path)
        assert same(before, weights(learn)) and learn.recorder.losses == losses
        assert torch.equal(rng, learn.dls.train.rng.get_state())
        assert learn.opt is opt and opt.param_groups[0]['lr'] == .02
        learn.fit(1, .01)


def test_a_loader_that_keeps_no_place(tmp_path):
    saved, learn = toy_learner(), toy_learner(model=nn.Linear(3, 1))
    saved.dls.train.rng = torch.Generator()
    saved.save(tmp_path/'fit.pth')
    learn.dls.train, before = [*learn.dls.train], weights(learn)
    with pytest.raises(ValueError, match='loader: got another state, wants that of list'):
        learn.load(tmp_path/'fit.pth')
    assert same(before, weights(learn)) and learn.opt is None
