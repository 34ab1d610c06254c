"""`digit_under_hood.broadcasting` over many random inputs, with torch and exact sums as judges."""
import subprocess
import sys
from math import comb
from random import Random

import pytest
import torch

from digit_under_hood.broadcasting import (
    accuracy,
    accuracy_interval,
    broadcast_steps,
    class_distances,
    is_3,
    mnist_distance,
    nearest_class,
)
from digit_under_hood.similarity import rmse_distance

Z = 1.959963984540054


def random_shape(rng, sizes=(0, 1, 2, 3, 7), rank=6):
    return tuple(rng.choices(sizes, k=rng.randrange(rank)))


def shape_or_none(rule, a, b):
    try: return tuple(rule(a, b))
    except (RuntimeError, ValueError): return None


@pytest.mark.parametrize('seed', range(5))
def test_steps_agree_with_torch(seed):
    rng = Random(seed)
    # Few different sizes fit often, many seldom: both outcomes are met.
    pairs = [(random_shape(rng), random_shape(rng)) for _ in range(1000)]
    pairs += [(random_shape(rng, (1, 4)), random_shape(rng, (1, 4))) for _ in range(1000)]
    expected = [shape_or_none(torch.broadcast_shapes, a, b) for a, b in pairs]
    ours = [shape_or_none(lambda a, b: broadcast_steps(a, b).shape, a, b) for a, b in pairs]
    assert ours == expected
    assert 200 < expected.count(None) < 1800


def test_steps_have_one_true_line_an_axis():
    rng = Random(7)
    for _ in range(500):
        a, b = random_shape(rng, (1, 5)), random_shape(rng, (1, 5))
        shape, lines = broadcast_steps(a, b)
        assert len(lines) == 1 + len(shape) == 1 + max(len(a), len(b))
        for i, line in enumerate(lines[1:], 1):
            axis, m, n, size, why = line.split(maxsplit=4)
            assert int(axis) == -i and int(size) == shape[-i]
            assert m == (str(a[-i]) if i <= len(a) else '-')
            assert n == (str(b[-i]) if i <= len(b) else '-')
            assert (why == 'equal') == (m == n)
            if 'stretched' in why: assert why[0] == ('a' if int(m) == 1 else 'b')
            if 'no such' in why: assert why[0] == ('a' if m == '-' else 'b')


@pytest.mark.parametrize('axis', [-1, -2, -3, -4])
def test_steps_name_the_axis_that_does_not_fit(axis):
    a, b = [2, 3, 4, 5], [2, 3, 4, 5]
    b[axis] += 6
    said = rf'^shape_b: got {b[axis]} on axis {axis} .* wants {a[axis]} '
    with pytest.raises(ValueError, match=said):
        broadcast_steps(a, b)


@pytest.mark.parametrize('bad', [3, 'ab', (2, -1), (2, 1.5), None, torch.zeros(2, 3)])
def test_steps_refuse_what_is_no_shape(bad):
    with pytest.raises(TypeError, match='shape_a: got'): broadcast_steps(bad, (1,))
    with pytest.raises(TypeError, match='shape_b: got'): broadcast_steps((1,), bad)


def test_steps_take_the_shape_of_a_tensor():
    assert broadcast_steps(torch.zeros(2, 1).shape, [3]).shape == (2, 3)


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


def test_a_broadcast_subtraction_allocates_its_result_and_no_more():
    images, mean = torch.rand(1010, 28, 28), torch.rand(28, 28)
    with torch.profiler.profile(profile_memory=True) as prof: difference = images - mean
    taken = sum(max(0, event.self_cpu_memory_usage) for event in prof.key_averages())
    assert difference.nbytes <= taken < 1.1*difference.nbytes


@pytest.mark.skipif(sys.platform != 'linux', reason='reads the peak memory as Linux reports it')
def test_class_distances_need_the_memory_of_one_class():
    code = '''
import resource, torch
from digit_under_hood.broadcasting import class_distances
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024
images, means = torch.rand(10_000, 28, 28), torch.rand(10, 28, 28)
class_distances(images[:10], means)
before = peak()
class_distances(images, means)
print(peak() - before)
'''
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert float(out.stdout) < 150   # MB; all pairs at once would take 314 twice over
