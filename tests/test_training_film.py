"The film of chapter 05c: it shows what torch has computed, and is used as a person would."
import re
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from playing import DARK_PHONE, for_everyone, sent

from digit_under_hood.epochs import batches, fit_linear, train_epoch
from digit_under_hood.mnist_linear import (
    batch_accuracy,
    init_params,
    linear1,
    mnist_loss,
    threes_and_sevens,
)

PAGE, NOTEBOOK, PART = 'epochs.html', '05c_epochs.ipynb', '[data-explorable=training] .box'


class Looks(NamedTuple):
    steps: list
    losses: list      # one a step
    scores: np.ndarray
    valid_losses: list
    accuracies: list


@pytest.fixture(scope='module')
def trained():
    "Our run and the unshuffled one, made anew: places in the film, scores of the digits, measures"
    train, (x, y) = threes_and_sevens(), threes_and_sevens('valid')
    data, found = sent('training', NOTEBOOK), {}
    rows = (x*255).round().to(torch.uint8)
    shown = [next(i for i in range(len(x)) if torch.equal(rows[i], torch.tensor(image)))
             for image in data['images']]
    for which, shuffle in ((0, True), (4, False)):
        by_epoch = fit_linear(train, (x, y), epochs=4, lr=1., shuffle=shuffle)
        torch.manual_seed(0)
        w, b = init_params((784, 1), .01), init_params(1, .01)
        model, steps, losses, scores = partial(linear1, weights=w, bias=b), [0], [], []
        scores.append(model(x).detach())
        for step in range(196):
            if step % 49 == 0: dl = list(batches(*train, 256, shuffle))
            losses.append(train_epoch(model, 1., [w, b], dl[step % 49:step % 49 + 1]))
            if (step + 1) not in [49*look//8 for look in range(1, 33)]: continue
            steps.append(step + 1)
            scores.append(model(x).detach())
        assert torch.equal(w.detach(), by_epoch.history[4][0])   # the notebook's run, looked into
        found[which] = Looks(steps, losses, torch.stack(scores)[:, shown, 0].numpy(),
                             [mnist_loss(s, y).item() for s in scores],
                             [batch_accuracy(s, y).item() for s in scores])
    return found


def test_scores_and_losses_at_each_look_are_those_of_torch(desk, trained):
    data = sent('training', NOTEBOOK)
    runs = desk.evaluate("""async data => {
        const m = await import('./assets/explorables/training.js')
        data.changes = Int8Array.from(data.changes.flat())
        return m.restore(data).map(run => ({...run, weights: null,
            scores: Array.from(run.steps, (_, k) => m.scoresAt(run, k, data.images.flat()))}))
    }""", {name: np.nan_to_num(v, nan=-1).tolist() if isinstance(v, np.ndarray) else v
           for name, v in data.items()})
    assert [len(run['scores']) for run in runs] == [33]*5
    for which, run in trained.items():
        film, shown = runs[which], np.array(runs[which]['scores'])
        assert np.abs(shown - run.scores).max() < .2
        assert ((shown > 0) == (run.scores > 0)).all()
        assert film['steps'] == run.steps
        between = zip(run.steps, run.steps[1:])
        weights = [256]*48 + [12396 - 48*256]   # rows of the batches of an epoch
        means = [np.average(run.losses[i:j], weights=(weights*4)[i:j]) for i, j in between]
        assert film['losses'] == pytest.approx([-1, *means], abs=1e-3)
        assert film['validLosses'] == pytest.approx(run.valid_losses, abs=1e-3)
        assert film['accuracies'] == pytest.approx(run.accuracies, abs=1e-3)


def test_places_from_links(desk):
    texts = ['4.32', '0.0', '5.0', '0.33', '', None, '1', '-1.2', '<b>']
    read = desk.evaluate("""async texts => {
        const m = await import('./assets/explorables/training.js')
        return texts.map(t => m.fromText(t, Array.from({length: 5}, () => ({steps: Array(33)}))))
    }""", texts)
    assert read == [{'run': 4, 'look': 32}, {'run': 0, 'look': 0}] + [None]*7


def told(page) -> list[str]: return page.locator(f'{PART} .count').inner_text().split('\n')


def test_a_run_is_played_and_scrubbed_by_mouse_and_keyboard(reader, trained):
    page = reader(PAGE)
    part = page.locator(PART)
    part.scroll_into_view_if_needed()
    run = trained[0]
    def at(look): return [f'after step {run.steps[look]}',
                          f'validation loss {run.valid_losses[look]:.3f}',
                          f'accuracy {run.accuracies[look]:.3f}']
    assert told(page) == at(0)
    page.get_by_role('button', name='Play').click()
    page.get_by_role('button', name='Play').wait_for()   # it says so at the end again
    assert told(page) == at(32)
    slider = page.get_by_role('slider', name='Look')
    slider.focus()
    page.keyboard.press('Home')
    page.keyboard.press('ArrowRight')
    assert told(page) == at(1)
    assert slider.get_attribute('aria-valuetext') == 'step 6, epoch 0.12'
    page.get_by_role('status').filter(has_text='2 of 8 digits on the wrong side').wait_for(
        state='attached')
    run = trained[4]
    page.get_by_role('button', name='not shuffled').click()
    for _ in range(3): page.get_by_role('slider', name='Look').press('ArrowRight')
    assert told(page) == at(4)
    wanted = [f'{"−" if s < 0 else "+"}{abs(s):.1f}' for s in run.scores[4]]
    shown = part.locator('.digits > span').all_inner_texts()
    for a, b in zip(shown, wanted, strict=True):
        assert abs(float(a[:-2].replace('−', '-')) - float(b.replace('−', '-'))) < .25
    assert part.locator('.wrong').count() == 4      # "always a 3"
    page.get_by_role('button', name='Copy link').click()
    assert page.url.endswith('#training=4.4')
    page.reload()
    assert told(page) == at(4)


def test_a_run_is_paused_by_touch_on_a_phone_in_the_dark(reader):
    page = reader(PAGE, **DARK_PHONE)      # motion reduced: it plays more slowly
    page.get_by_role('button', name='32 a batch').tap()
    page.get_by_role('button', name='Play').tap()
    page.locator(f'{PART} .count').filter(has_text=re.compile(r'step [1-9]')).wait_for()
    page.get_by_role('button', name='Pause').tap()
    seen = told(page)
    page.wait_for_timeout(600)
    assert told(page) == seen
    for_everyone(page, 'training')
