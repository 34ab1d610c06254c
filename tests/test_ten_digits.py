"Softmax and its relatives against torch, calibration against what its words say, for many inputs."
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from digit_under_hood.calibration import (
    coverage_curve,
    expected_calibration_error,
    fit_temperature,
    reliability,
)
from digit_under_hood.ten_digits import (
    cross_entropy,
    cross_entropy_grad,
    hold_out_writers,
    log_softmax,
    softmax,
    top_k_accuracy,
    train_classifier,
)


def cases(dtype=torch.float64):
    "Scores and classes of many sizes, from tiny to far beyond what `exp` can hold"
    rng = torch.Generator().manual_seed(12)
    for n, k in (1, 2), (3, 10), (40, 7), (5, 1):
        for size in (1e-3, 1., 50., 1e4):
            scores = size*torch.randn(n, k, generator=rng, dtype=torch.float64)
            yield scores.to(dtype), torch.randint(k, (n,), generator=rng)


@pytest.mark.parametrize('dtype, eps', [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_softmax_and_cross_entropy_are_torchs(dtype, eps):
    for scores, targets in cases(dtype):
        near = dict(rtol=eps, atol=eps)
        torch.testing.assert_close(softmax(scores), F.softmax(scores, -1), **near)
        torch.testing.assert_close(log_softmax(scores), F.log_softmax(scores, -1), **near)
        torch.testing.assert_close(cross_entropy(scores, targets), F.cross_entropy(scores, targets),
                                   **near)


def test_its_gradient_by_hand_and_by_autograd_are_torchs():
    for scores, targets in cases():
        scores.requires_grad_()
        wanted, = torch.autograd.grad(F.cross_entropy(scores, targets), scores)
        found, = torch.autograd.grad(cross_entropy(scores, targets), scores)
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)
        by_hand = cross_entropy_grad(scores, targets)
        torch.testing.assert_close(by_hand, wanted, rtol=1e-9, atol=1e-12)
        assert not by_hand.requires_grad


def test_softmax_of_any_number_of_axes():
    scores = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    assert softmax(scores).equal(torch.stack([softmax(part) for part in scores]))
    torch.testing.assert_close(softmax(scores[0, 0]), softmax(scores)[0, 0])


def test_top_k_counts_by_hand():
    for scores, targets in cases():
        for k in range(1, scores.shape[1] + 1):
            better = (scores > scores.gather(1, targets[:, None])).sum(1)
            assert top_k_accuracy(scores, targets, k) == (better < k).float().mean()


def test_nobody_is_on_both_sides_and_the_seed_decides_who():
    writers = torch.arange(30).repeat_interleave(3)[torch.randperm(90)]
    draws = [hold_out_writers(writers, 7, seed) for seed in (0, 0, 1)]
    for held in draws:
        assert held.sum() == 21 and not {*writers[held].tolist()} & {*writers[~held].tolist()}
    assert draws[0].equal(draws[1]) and not draws[0].equal(draws[2])
    assert hold_out_writers(writers.numpy(), 7).equal(hold_out_writers(writers.tolist(), 7))


def test_a_training_can_be_repeated_and_leaves_the_dtype():
    x = torch.rand(60, 4, generator=torch.Generator().manual_seed(3))
    y = x.argmax(1)
    def trained(dtype):
        torch.manual_seed(0)
        model = nn.Linear(4, 4, dtype=dtype)
        return train_classifier(model, (x, y), (x, y), epochs=60, bs=8)
    first, second = trained(torch.float32), trained(torch.float32)
    assert first.model.weight.equal(second.model.weight) and first.model.weight.dtype == x.dtype
    assert trained(torch.float64).model.weight.dtype == torch.float64
    assert first.recorder.epochs[-1]['top_k_accuracy'] > .9


def answers():
    rng = torch.Generator().manual_seed(4)
    for n in (1, 7, 500):
        sure = torch.rand(n, generator=rng, dtype=torch.float64)
        yield sure, torch.rand(n, generator=rng) < sure
        yield sure.mul(4).round()/4, torch.rand(n, generator=rng) < .5   # many alike


def test_calibration_error_is_what_its_words_say():
    for sure, right in answers():
        for bins in (1, 4, 15):
            total, groups = 0., reliability(sure, right, bins)
            for i in range(bins):
                inside = [j for j, c in enumerate(sure.tolist())
                          if i <= c*bins < i + 1 or i == bins - 1 and c == 1]
                assert groups[i, 2] == len(inside)
                if not inside: continue
                gap = sum(sure[j] - float(right[j]) for j in inside)
                total += abs(gap)/len(sure)
            assert expected_calibration_error(sure, right, bins) == pytest.approx(float(total))


def test_no_temperature_is_better():
    tried = torch.logspace(-2, 2, 2001, dtype=torch.float64)
    rng = torch.Generator().manual_seed(5)
    for size in (.01, 1., 30.):
        targets = torch.randint(5, (300,), generator=rng)
        scores = size*(torch.randn(300, 5, generator=rng, dtype=torch.float64)
                       + F.one_hot(targets, 5))
        T = fit_temperature(scores, targets)
        assert cross_entropy(scores/T, targets) <= min(
            cross_entropy(scores/(T*t), targets) for t in tried)
        assert fit_temperature(scores.float(), targets) == pytest.approx(T, rel=1e-5)


def test_coverage_at_each_threshold_is_what_one_counts():
    for sure, right in answers():
        for level, coverage, accuracy in zip(*coverage_curve(sure, right), strict=True):
            some = sure >= level
            assert coverage == some.float().mean()
            assert accuracy == pytest.approx(right[some].double().mean().item())
