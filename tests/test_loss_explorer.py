"Score, probability, loss of chapter 05a, used as a person would, and its arithmetic against torch."
import json

import pytest
import torch
from playing import DARK_PHONE, for_everyone, sent

from digit_under_hood.mnist_linear import batch_accuracy, mnist_loss, sigmoid

PAGE, SCORES, TARGETS = 'mnist_linear.html', *map(
    torch.tensor, (sent('loss')['scores'], sent('loss')['targets'].astype('float32')))
PART = '[data-explorable=loss] .box'


def test_loss_and_accuracy_agree_with_torch_on_1000_vectors_of_scores(desk):
    draw = torch.Generator().manual_seed(5)
    cases = []
    for n in range(1000):
        size = int(torch.randint(1, 12, (1,), generator=draw))
        scores = torch.randn(size, 1, generator=draw)*10**(n % 4 - 1)
        if n % 5 == 0: scores = (2*scores).round()/2   # on the edges 0 and 0.5 too
        cases.append((scores, torch.randint(2, (size, 1), generator=draw).float()))
    found = desk.evaluate("""async cases => {
        const m = await import('./assets/explorables/loss.js')
        return cases.map(([scores, targets]) => [0, 1, 2].map(rule => [false, true].map(twice =>
            m.measure(scores, targets, twice, rule))).concat([scores.map(m.sigmoid)]))
    }""", [[s.flatten().tolist(), t.flatten().tolist()] for s, t in cases])
    for (scores, targets), (*rules, squashed) in zip(cases, found, strict=True):
        scores = scores.double()   # as JavaScript counts
        assert squashed == pytest.approx(sigmoid(scores).flatten().tolist(), abs=1e-6)
        accuracies = [batch_accuracy(s, targets).item()
                      for s in (scores, scores - .5, sigmoid(scores))]
        losses = [mnist_loss(s, targets).item() for s in (scores, sigmoid(scores))]
        for rule, accuracy in zip(rules, accuracies, strict=True):
            for one, loss in zip(rule, losses, strict=True):
                assert abs(one['loss'] - loss) < 1e-6 > abs(one['accuracy'] - accuracy)
                assert abs(sum(one['distances'])/len(scores) - loss) < 1e-6


def test_states_from_links(desk):
    texts = ['00_-299_436', '12_800_-800', '13_1_2', '02_801_0', '00_1', '00_1_2_3', '', None]
    read = desk.evaluate("""async texts => {
        const m = await import('./assets/explorables/loss.js')
        const text = m.toText({scores: [-2.9888, 4.36], twice: true, rule: 2})
        return [...texts.map(t => m.fromText(t, 2)), text]
    }""", texts)
    assert read == [{'scores': [-2.99, 4.36], 'twice': False, 'rule': 0},
                    {'scores': [8, -8], 'twice': True, 'rule': 2}] + [None]*6 + ['12_-299_436']


def told(page) -> tuple[float, float]:
    "Loss and accuracy, as the page shows them"
    page.locator(PART).wait_for()
    loss, accuracy = page.locator(f'{PART} .gauge b').all_inner_texts()
    return float(loss), float(accuracy)


def expected(scores) -> tuple[float, float]:
    return mnist_loss(scores, TARGETS).item(), batch_accuracy(scores, TARGETS).item()


def test_starts_with_the_scores_of_the_chapters_model(reader):
    page = reader(PAGE)
    assert told(page) == pytest.approx(expected(SCORES), abs=1e-4)
    values = page.locator(f'{PART} input').evaluate_all('all => all.map(e => +e.value)')
    assert values == pytest.approx(SCORES.flatten().tolist(), abs=.051)
    assert json.dumps(page.locator(f'{PART} .called').all_inner_texts()) == json.dumps(
        [f'{3 if s > 0 else 7} {"✓" if (s > 0) == (t == 1) else "✗"}'
         for s, t in zip(SCORES, TARGETS)], ensure_ascii=True)


def test_scores_are_dragged_by_mouse_and_moved_by_keyboard(reader):
    page = reader(PAGE)
    lanes = page.locator(f'{PART} .lane')
    lanes.first.scroll_into_view_if_needed()
    thumb, lane = lanes.first.locator('canvas').bounding_box(), lanes.first.bounding_box()
    page.mouse.move(thumb['x'] + 19, thumb['y'] + 19)
    page.mouse.down()
    seen = []
    for share in (.45, .55, .7, .9):    # of the lane, in which the axis leaves 22 px free
        page.mouse.move(lane['x'] + 22 + share*(lane['width'] - 44), thumb['y'] + 19)
        seen.append(told(page))
    page.mouse.up()
    losses, accuracies = zip(*seen)
    assert [*losses] == sorted(losses, reverse=True) and len({*losses}) == 4   # it glides
    assert accuracies == (.5, .625, .625, .625)                                # it jumps
    slider = page.get_by_role('slider', name='Score of image 1, a 3')
    scores = SCORES.clone()
    scores[0] = float(slider.input_value())
    assert 6 < scores[0] < 7 and told(page) == pytest.approx(expected(scores), abs=1e-4)
    dot, box = page.locator(f'{PART} .lanes svg circle').first, lanes.first.locator('canvas')
    centres = [b['x'] + b['width']/2 for b in (dot.bounding_box(), box.bounding_box())]
    assert abs(centres[0] - centres[1]) < 1.5       # the image hangs below its dot
    page.keyboard.press('Tab')
    page.keyboard.press('Home')
    for _ in range(3): page.keyboard.press('ArrowRight')
    scores[1] = -7.7
    assert told(page) == pytest.approx(expected(scores), abs=1e-4)
    page.get_by_role('status').filter(has_text='Image 2, a 3: score −7.7').wait_for(
        state='attached')
    page.get_by_role('button', name='Copy link').click()
    page.reload()
    assert told(page) == pytest.approx(expected(scores), abs=1e-3)
    page.get_by_role('button', name='Back to the model').click()
    assert told(page) == pytest.approx(expected(SCORES), abs=1e-4)


def test_switches_by_touch_on_a_phone_in_the_dark(reader):
    page = reader(PAGE, **DARK_PHONE)
    sliders = page.locator(f'{PART} input')
    sliders.first.scroll_into_view_if_needed()
    place = sliders.first.bounding_box()
    page.touchscreen.tap(place['x'] + place['width'] - 5, place['y'] + 22)
    assert sliders.first.input_value() == '8'
    perfect = 8*(2*TARGETS - 1)
    for i, score in enumerate(perfect.flatten().tolist()): sliders.nth(i).fill(str(score))
    assert told(page) == pytest.approx((.0003, 1), abs=1e-4)
    page.get_by_role('button', name='twice').tap()
    assert told(page) == pytest.approx((mnist_loss(sigmoid(perfect), TARGETS).item(), 1), abs=1e-4)
    page.get_by_role('button', name='sigmoid > 0').tap()
    assert told(page)[1] == .5
    sliders.first.fill('0.3')
    page.get_by_role('button', name='score > 0.5').tap()
    assert told(page)[1] == .875
    page.get_by_role('button', name='score > 0', exact=True).tap()
    assert told(page)[1] == 1
    for_everyone(page, 'loss')
