"""`digit_under_hood.broadcasting` over many random inputs, with torch as judge."""
from random import Random

import pytest
import torch

from digit_under_hood.broadcasting import broadcast_steps


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


def test_a_broadcast_subtraction_allocates_its_result_and_no_more():
    images, mean = torch.rand(1010, 28, 28), torch.rand(28, 28)
    with torch.profiler.profile(profile_memory=True) as prof: difference = images - mean
    taken = sum(max(0, event.self_cpu_memory_usage) for event in prof.key_averages())
    assert difference.nbytes <= taken < 1.1*difference.nbytes
