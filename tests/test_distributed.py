"Chapter 11: two real processes against one, a kill, what comes after it, and memory."
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from together import learner, long, plain

from digit_under_hood.checkpoint import read_file
from digit_under_hood.distributed import Checkpoint, Distributed, launch, process_group
from digit_under_hood.schedules import Schedule, one_cycle

SCRIPT = Path(__file__).with_name('together.py')


@pytest.fixture(scope='module')
def two(tmp_path_factory):
    "A folder with what two processes have found and left, of which one was killed, and resumed"
    folder = tmp_path_factory.mktemp('two')
    with pytest.raises(RuntimeError) as caught: launch(SCRIPT, folder)
    assert (folder/'killed').exists(), caught.value
    ended = time.time() - float((folder/'killed').read_text())
    left = read_file(folder/'cut.pth')
    launch(SCRIPT, folder, 'resume')
    return dict(folder=folder, said=str(caught.value), ended=ended, left=left,
                **torch.load(folder/'found.pth', weights_only=True))


@pytest.fixture(scope='module')
def one(): return plain()


def test_two_processes_give_the_losses_of_one(one, two):
    learn, _ = one
    assert len(two['losses']) == 3*12
    for name in 'losses', 'smooth':
        assert np.allclose(getattr(learn.recorder, name), two[name], rtol=0, atol=1e-5)
    for a, b in zip(learn.recorder.epochs, two['epochs'], strict=True):
        assert a.keys() == b.keys() and np.allclose([*a.values()], [*b.values()], 0, 1e-5)
    for name, t in learn.model.state_dict().items():   # names without `module.`
        torch.testing.assert_close(two['weights'][name], t, rtol=0, atol=1e-5)


def test_the_parts_of_a_batch_are_the_batch(one, two):
    "Row for row, in each step, and none twice"
    _, rows = one
    for whole, *parts in zip(rows.seen, *two['rows'], strict=True):
        assert len(parts[0]) == len(parts[1]) and not {*parts[0]} & {*parts[1]}
        assert sorted(whole) == sorted(sum(parts, []))


def test_all_know_the_same_and_draw_differently(two):
    "Metrics, also a sum that is a tensor, were reduced: any decision would be the same"
    first, second = two['scores']
    assert first == second == two['epochs']
    counts = first[-1]['Called']
    assert counts//40_000 + counts//200 % 200 + counts % 200 == 101   # each row once
    assert first[-1]['Rows101'] == 101   # it has asked the others itself
    drawn = sum(two['drawn'], [])
    assert len({*drawn}) == len(drawn) == 6


def test_afterwards_all_is_as_it_was(two):
    assert two['model'] == 'Sequential' and two['loaders'] == [20, (0, 1), 50, None]
    assert two['alone'] == two['alone'][::-1]   # each by itself, over all rows
    for name in ('valid_loss', 'right', 'Called'):
        assert two['alone'][0][name] == pytest.approx(two['epochs'][-1][name], abs=1e-5)


def test_other_starts_are_overruled_and_averages_shared(two):
    "Weights and running averages are those of process 0"
    first, second = two['normed']
    assert len(first) == 9
    for name, t in first.items():
        assert torch.equal(t, second[name]) and not name.startswith('module')


def test_a_batch_that_cannot_be_shared(two):
    assert two['refused'] == 'bs: got 25, wants a multiple of 2, one part a process'


def test_a_kill_ends_the_run_in_time(two):
    assert two['said'] == (
        'process 1: got SIGKILL, wants an end without error; the others were ended too')
    assert two['ended'] < 60
    assert len(two['left']['record'][2]) == 2   # of the third epoch nothing


@pytest.mark.long
def test_a_silent_process_ends_the_run_too(tmp_path):
    "Who waits for it gives up, and says so"
    start = time.time()
    with pytest.raises(RuntimeError, match=r'(?s)process 0: got exit code 1.*[Tt]imed out'):
        launch(SCRIPT, tmp_path, 'silent')
    assert time.time() - start < 60   # its sleep is 120 seconds


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no graphics card here')
@pytest.mark.parametrize('processes', [1, 2])
def test_on_graphics_cards(one, processes, tmp_path):
    "By NCCL where each process has one, else by Gloo"
    launch(SCRIPT, tmp_path, 'card', processes=processes)
    losses, epochs, kinds = torch.load(tmp_path/'card.pth', weights_only=True)
    assert kinds == {'cuda'}
    assert losses == pytest.approx(one[0].recorder.losses, abs=1e-4)
    for a, b in zip(one[0].recorder.epochs, epochs, strict=True):
        assert [*a.values()] == pytest.approx([*b.values()], abs=1e-4)


def test_resumed_it_ends_as_if_nothing_had_been(two):
    "Weights, optimiser, diary: dropout, schedule and shuffles went on where they were"
    whole, resumed = [read_file(two['folder']/name) for name in ('whole.pth', 'cut.pth')]
    assert whole['model'].keys() == resumed['model'].keys()
    for name, t in whole['model'].items(): assert torch.equal(t, resumed['model'][name])
    speeds = [each['opt']['last'] for each in (whole, resumed)]
    for place, t in speeds[0].items(): assert torch.equal(t, speeds[1][place])
    assert whole['record'][0] == resumed['record'][0]
    np.testing.assert_allclose(whole['record'][1], resumed['record'][1], rtol=1e-9)
    assert whole['record'][3] == resumed['record'][3] == [12, 24, 36, 48]


def test_resumed_alone(tmp_path):
    "The same without a group, from every epoch; and what is done is not done again"
    long(tmp_path/'whole.pth')
    whole = read_file(tmp_path/'whole.pth')
    class Stop(Checkpoint):
        def after_epoch(self, learn):
            super().after_epoch(learn)
            raise KeyboardInterrupt
    for epoch in range(1, 5):
        with pytest.raises(KeyboardInterrupt): long(tmp_path/'cut.pth', Stop(tmp_path/'cut.pth'))
        assert len(read_file(tmp_path/'cut.pth')['record'][2]) == epoch
    long(tmp_path/'cut.pth')
    resumed = read_file(tmp_path/'cut.pth')
    for name, t in whole['model'].items(): assert torch.equal(t, resumed['model'][name])
    assert whole['record'][0] == resumed['record'][0]


def test_a_rate_of_ones_own(tmp_path):
    "The rate of the new call holds, not the one that the file was written with"
    learn = learner()
    learn.fit(1, .1, [Schedule(one_cycle()), Checkpoint(tmp_path/'fit.pth')])
    again = learner()
    again.fit(2, .05, Checkpoint(tmp_path/'fit.pth'))
    assert again.opt.param_groups[0]['lr'] == .05 and len(again.recorder.losses) == 24


def test_without_processes_nothing_changes():
    with process_group() as (rank, n): assert (rank, n, dist.is_initialized()) == (0, 1, False)
    ours, theirs = learner(), learner()
    ours.fit(1, .1, Distributed())
    theirs.fit(1, .1)
    assert ours.recorder.losses == theirs.recorder.losses


@pytest.mark.skipif(sys.platform != 'linux', reason='counts memory as Linux does')
def test_a_mapped_file_takes_no_memory(tmp_path):
    "80,000 images are 60 MB; each walk in a process of its own, where nothing else comes or goes"
    def walk(way, path):
        code = f'from processes import walk; print(walk({way!r}, {str(path)!r}))'
        tools = Path(__file__).parents[1]/'tools'
        done = subprocess.run([sys.executable, '-c', code], cwd=tools, capture_output=True,
                              text=True)
        assert done.returncode == 0, done.stderr
        return float(done.stdout)
    path = tmp_path/'digits.npy'
    np.lib.format.open_memmap(path, 'w+', np.uint8, (80_000, 28, 28))[::7] = 1
    assert walk('mapped', path) < 20
    assert walk('whole', path) > 55
    assert os.path.getsize(path) == 128 + 80_000*784
