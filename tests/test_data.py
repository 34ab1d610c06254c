"The digits as tensors, and the people who wrote them."
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import digit_under_hood.data as data
from digit_under_hood.data import image_numbers, image_writers, load_digits
from digit_under_hood.files import read_arrays

ROOT = Path(__file__).parents[1]
STUDENTS = 2100   # numbers from here on are students'


# Tensors

def test_all_digits_in_both_splits():
    for split, n in (('train', 60_000), ('valid', 10_000)):
        images, labels = load_digits(split=split, scaled=False)
        published, = read_arrays([f'{split}_labels'])
        assert images.shape == (n, 28, 28) and images.dtype == torch.uint8
        assert labels.dtype == torch.int64
        assert labels.bincount().tolist() == np.bincount(published).tolist()


def test_scaled_is_a_255th():
    whole, scaled = load_digits([7, 3], 'valid', scaled=False), load_digits([7, 3], 'valid')
    assert scaled[0].dtype == torch.float32
    assert torch.equal(scaled[0], whole[0].float()/255)
    assert scaled[0].min() == 0 and scaled[0].max() == 1
    assert torch.equal(whole[1], scaled[1])
    assert scaled[1].tolist() == [7]*1028 + [3]*1010


def test_tensors_are_the_callers_own():
    "Changed in place, they do not change what the next call returns"
    for scaled in (True, False):
        first = load_digits(3, 'valid', scaled)[0]
        before = first.clone()
        first.zero_()
        assert torch.equal(load_digits(3, 'valid', scaled)[0], before)


@pytest.mark.parametrize('digits', [3, [3], (3,), iter([3]), range(3, 4), np.int64(3),
                                    np.array([3]), torch.tensor([3])])
def test_digits_may_come_as_any_numbers(digits):
    assert load_digits(digits, 'valid')[0].shape == (1010, 28, 28)


BAD_DIGITS = [(10, '10'), ([3, 10], '10'), (-1, '-1'), ('37', "'3"), ('3', "'3'"), (3.5, '3.5'),
              ([3.0], '3.0'), (True, 'True'), ([True], 'True'), (None, 'None'), ([], '[]'),
              ([None], 'None'), ([[3, 7]], '[3, 7]'), (np.nan, 'nan'), (np.zeros((2, 2)), '0.0'),
              (torch.tensor(3.), '3.0'), (torch.zeros(2, 28, 28), '0.0'), (np.bool_(1), 'True')]


@pytest.mark.parametrize('function', [load_digits, image_writers])
@pytest.mark.parametrize('digits, named', BAD_DIGITS)
def test_unknown_digits(function, digits, named):
    with pytest.raises(ValueError, match='digits: got .*, wants') as error: function(digits)
    assert named in str(error.value) and len(str(error.value)) < 600


@pytest.mark.parametrize('digit, named', [
    *BAD_DIGITS, ({3}, '{3}'), ([3], '[3]'), ([3, 7], '[3, 7]'), (range(3), 'range(0, 3)')])
def test_unknown_digit(digit, named):
    with pytest.raises(ValueError, match='digit: got .*, wants') as error: image_numbers(digit)
    assert named in str(error.value) and len(str(error.value)) < 600


@pytest.mark.parametrize('function', [load_digits, image_numbers, image_writers])
@pytest.mark.parametrize('split', ['test', 'Train', '', None, 0, ['train'], np.array(['train'])])
def test_unknown_split(function, split):
    with pytest.raises(ValueError, match='split: got .*, wants train or valid') as error:
        function(3, split)
    assert repr(split) in str(error.value)


@pytest.mark.parametrize('scaled', ['False', None, 1, 0., [], np.zeros(2), torch.ones(1), float])
def test_scaled_is_yes_or_no(scaled):
    with pytest.raises(ValueError, match='scaled: got .*, wants a bool'):
        load_digits(3, scaled=scaled)


@pytest.mark.parametrize('digit', [3, np.int64(3), np.array(3), torch.tensor(3)])
def test_digit_may_come_as_any_number(digit):
    assert len(image_numbers(digit, 'valid')) == 1010


# The people

def in_published_order(split):
    "The writer of each image of `split`, as MNIST was published"
    found = np.full(len(read_arrays([f'{split}_labels'])[0]), -1)
    for digit in range(10): found[image_numbers(digit, split)] = image_writers(digit, split)
    assert found.min() >= 0
    return found


def test_writers_stand_in_the_order_of_load_digits():
    for digits in (range(10), [7, 3], 3):
        writers, labels = image_writers(digits, 'valid'), load_digits(digits, 'valid')[1]
        assert writers.shape == labels.shape and writers.dtype == int
        published = in_published_order('valid')
        for digit in labels.unique().tolist():
            assert np.array_equal(writers[labels == digit],
                                  published[image_numbers(digit, 'valid')])


def test_writers_are_those_of_the_file():
    "Also the series of NIST, which tells employees (0) from students (4)"
    with np.load(data.WRITERS) as file:
        for split in ('train', 'valid'):
            published = in_published_order(split)
            assert np.array_equal(published, file[f'{split}_writer'])
            assert np.array_equal(published >= STUDENTS, file[f'{split}_collection'] == 4)


def test_how_many_people():
    train, valid = in_published_order('train'), in_published_order('valid')
    assert (len(set(train)), len(set(valid)), set(train) & set(valid)) == (539, 297, set())
    assert ((train < STUDENTS).sum(), (train >= STUDENTS).sum()) == (30_950, 29_050)
    assert (valid[:5001] >= STUDENTS).all() and (valid[5001:] < STUDENTS).all()
    assert (len(set(valid[:5000])), len(set(valid[5001:]))) == (249, 48)
    assert len(set(image_writers(3))) == 538


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_memory():
    "All 3s and 7s take at most 150 MB over what torch takes, at their peak"
    code = '''
import re, torch
import digit_under_hood.data as data
def kib(key): return int(re.search(key + r":\\s+(\\d+)", open("/proc/self/status").read())[1])
open("/proc/self/clear_refs", "w").write("5")    # the peak starts anew
before = kib("VmRSS")
pixels = [data.load_digits([3, 7], split) for split in ("train", "valid")]
print((kib("VmHWM") - before)/1024)
'''
    peak = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, check=True)
    assert 40 < float(peak.stdout) < 150   # the pixels alone, as floats, are 43 MB
