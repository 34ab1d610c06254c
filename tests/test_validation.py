"""`digit_under_hood.validation` over many inputs, with loops, exact sums and formulas as judges."""
import os
import subprocess
import sys
from math import comb

import numpy as np
import pytest
import torch

from digit_under_hood.broadcasting import mnist_distance
from digit_under_hood.similarity import rmse_distance
from digit_under_hood.validation import (
    accuracy,
    accuracy_interval,
    class_distances,
    is_3,
    nearest_class,
    writer_interval,
)

Z = 1.959963984540054


@pytest.mark.parametrize('distance', [mnist_distance, rmse_distance])
@pytest.mark.parametrize('n, k', [(1, 1), (5, 1), (1, 5), (4, 4), (9, 3)])
def test_class_distances_equal_a_loop_over_pairs(distance, n, k):
    torch.manual_seed(n*10 + k)
    images, means = torch.rand(n, 6, 5), torch.rand(k, 6, 5)
    found = class_distances(images, means, distance)
    assert found.shape == (n, k)
    for i in range(n):
        for j in range(k):
            torch.testing.assert_close(found[i, j], distance(images[i], means[j]))
        assert nearest_class(images[i], means, distance) == found[i].argmin()
    assert nearest_class(images, means, distance).tolist() == found.argmin(1).tolist()


def test_is_3_is_the_nearest_of_two():
    torch.manual_seed(0)
    images, mean3, mean7 = torch.rand(200, 28, 28), torch.rand(28, 28), torch.rand(28, 28)
    calls = is_3(images, mean3, mean7)
    assert calls.dtype == torch.bool and 0 < calls.sum() < 200
    assert torch.equal(calls, nearest_class(images, torch.stack([mean3, mean7])) == 0)


@pytest.mark.parametrize('shape', [(28, 28), (0, 28, 28), (1, 2, 28, 28)])
def test_means_of_a_wrong_shape_are_named(shape):
    with pytest.raises(ValueError, match='means: got float32'):
        class_distances(torch.zeros(3, 28, 28), torch.zeros(shape))


def test_accuracy_refuses_what_would_broadcast():
    preds, targets = torch.tensor([1, 0, 1]), torch.tensor([1, 1, 1])
    assert accuracy(preds, targets).item() == pytest.approx(2/3)
    for wrong in (targets[:, None], targets[:1], targets[None]):
        with pytest.raises(ValueError, match='targets: got int64'): accuracy(preds, wrong)


def test_interval_ends_solve_wilsons_equation():
    for total in (1, 2, 20, 2038):
        for correct in {0, 1, total//3, total//2, total - 1, total}:
            share, (low, high) = correct/total, accuracy_interval(correct, total)
            assert 0 <= low <= share <= high <= 1 and low < high
            for p in (low, high):
                assert (share - p)**2 == pytest.approx(Z**2*p*(1 - p)/total, abs=1e-12)
            mirrored = accuracy_interval(total - correct, total)
            assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-12)


def test_interval_holds_the_true_share_about_95_times_in_100():
    for n in (20, 100):
        ends = [accuracy_interval(k, n) for k in range(n + 1)]
        held = []
        for p in (i/200 for i in range(10, 191)):
            inside = [k for k, (low, high) in enumerate(ends) if low <= p <= high]
            held.append(sum(comb(n, k)*p**k*(1 - p)**(n - k) for k in inside))
        assert .945 < sum(held)/len(held) < .965 and min(held) > .9


def test_interval_takes_counts_as_tensors():
    assert accuracy_interval(torch.tensor(5), torch.tensor(8)) == accuracy_interval(5, 8)


@pytest.mark.parametrize('correct, total, name', [
    (.9, 10, 'correct'), (-1, 10, 'correct'), (11, 10, 'correct'), (float('nan'), 10, 'correct'),
    (0, 0, 'total'), (1, -5, 'total'), (1, 2.5, 'total')])
def test_interval_refuses_what_is_no_count(correct, total, name):
    with pytest.raises(ValueError, match=f'{name}: got'): accuracy_interval(correct, total)


def test_writer_interval_of_people_with_one_image_each_is_that_of_images():
    right = torch.arange(900) % 10 > 0
    found = writer_interval(right, np.random.default_rng(1).permutation(900))
    assert found == pytest.approx(accuracy_interval(810, 900), abs=.004)


def test_writer_interval_widens_by_the_root_of_the_images_a_writer():
    "Twenty-five images of each writer, all right or all wrong, tell no more than one"
    right = torch.arange(400) % 2
    one = writer_interval(right, range(400))
    many = writer_interval(right.repeat_interleave(25), torch.arange(400).repeat_interleave(25))
    assert many == pytest.approx(one, abs=1e-9)


def test_writer_interval_holds_the_true_mean_about_95_times_in_100():
    "Writers whose skill differs: by writer the promise is kept, by image it is not"
    rng, held = np.random.default_rng(0), np.zeros(2)
    writers = np.repeat(range(60), 20)
    for _ in range(100):
        skill = rng.beta(4, 1, 60)   # of mean 0.8
        right = torch.from_numpy(rng.random(1200) < skill[writers])
        ends = writer_interval(right, writers, 300), accuracy_interval(int(right.sum()), 1200)
        held += [low <= .8 <= high for low, high in ends]
    assert held[0] > 90 and held[1] < 85


def test_writer_interval_is_the_same_each_time_and_leaves_the_seeds_alone():
    values, writers = torch.rand(50), [i//5 for i in range(50)]
    state = torch.get_rng_state(), np.random.get_state()[1].tolist()
    assert writer_interval(values, writers, 99) == writer_interval(values, np.array(writers), 99)
    assert writer_interval(values, writers, 99) != writer_interval(values, writers, 99, seed=1)
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.random.get_state()[1].tolist() == state[1]


@pytest.mark.skipif(sys.platform != 'linux', reason='reads the peak memory as Linux reports it')
def test_class_distances_need_the_memory_of_one_class():
    code = r'''
import re, torch
from digit_under_hood.validation import class_distances
def mib(key): return int(re.search(key + r":\s+(\d+)", open("/proc/self/status").read())[1])/1024
images, means = torch.rand(10_000, 28, 28), torch.rand(10, 28, 28)
class_distances(images[:10], means)
open("/proc/self/clear_refs", "w").write("5")    # the peak starts anew
before = mib("VmRSS")
class_distances(images, means)
print(mib("VmHWM") - before)
'''
    given_back = os.environ | {'MALLOC_MMAP_THRESHOLD_': '1000000'}   # what is freed, at once
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True,
                         env=given_back)
    assert 30 < float(out.stdout) < 150   # MB; all pairs at once would take 314 twice over
