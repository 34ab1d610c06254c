"The pixel inspector of chapter 01, used as a person would."
import re

import torch
from playing import DARK_PHONE, for_everyone, sent


def test_pixels_are_read_by_mouse_and_keyboard(reader):
    page = reader('pixels.html')
    lens = page.get_by_role('application', name='im3_t: pixels to walk over')
    lens.scroll_into_view_if_needed()
    box, image = lens.bounding_box(), torch.from_numpy(sent('pixels')['images'][0])

    def go(row, column):
        page.mouse.move(box['x'] + (column + .5)*box['width']/28,
                        box['y'] + (row + .5)*box['height']/28)

    def read(): return re.findall(r'[\d.]+', page.locator('.where').inner_text())

    def window():
        told = page.locator('.window tr').evaluate_all(
            'all => all.map(r => [...r.cells].map(c => +c.textContent))')
        return page.locator('[data-explorable] .code').inner_text(), torch.tensor(told)

    go(5, 9)
    assert read() == ['5', '9', '29'] and image[5, 9] == 29
    go(4, 4)
    page.mouse.down()
    go(9, 9)
    page.mouse.up()
    code, numbers = window()
    assert code == 'im3_t[4:10, 4:10]' and torch.equal(numbers, image[4:10, 4:10].long())
    lens.focus()
    for key in ['ArrowDown', 'ArrowRight'] + ['Shift+ArrowDown']*2 + ['Shift+ArrowRight']*3:
        page.keyboard.press(key)
    code, numbers = window()
    assert code == 'im3_t[10:13, 10:14]' and torch.equal(numbers, image[10:13, 10:14].long())
    page.get_by_role('button', name='0 to 1').click()
    code, numbers = window()
    assert code.endswith('/255') and (numbers - image[10:13, 10:14]/255).abs().max() <= .0051
    dark = page.locator('.window td').evaluate_all('a => a.map(c => c.style.backgroundColor)')
    page.get_by_role('button', name='As light').click()
    now = page.locator('.window td').evaluate_all('a => a.map(c => c.style.backgroundColor)')
    assert dark != now and torch.equal(window()[1], numbers)
    page.get_by_role('button', name='Next').click()
    page.get_by_text('image_tensor(threes[0]), digit 2 of 3').wait_for()


def test_a_window_is_marked_told_and_linked_without_a_mouse(reader):
    page = reader('pixels.html')
    lens = page.get_by_role('application', name='im3_t: pixels to walk over')
    lens.focus()
    code, before = page.locator('[data-explorable=pixels] .code'), page.url
    page.keyboard.press('ArrowDown')
    for _ in range(2): page.keyboard.press('Shift+ArrowRight')
    marked = code.inner_text()
    told = page.locator('[data-explorable=pixels]').get_by_role('status')
    told.filter(has_text=marked).wait_for(state='attached')
    page.get_by_role('button', name='Next').click()
    shown = code.inner_text()
    assert shown != marked
    page.get_by_role('button', name='Copy link').click()
    assert page.url != before and '#pixels=1.' in page.url
    page.reload()
    page.get_by_text('digit 2 of 3').wait_for()
    assert code.inner_text() == shown


def test_windows_from_links(desk):
    texts = ['2.4.10.4.10', '0.0.28.0.28', '3.4.10.4.10', '0.10.4.4.10', '0.4.29.4.10', '0.4.10',
             '', None, '<b>', '0.-1.4.4.10', '0.4.4.4.10']
    read = desk.evaluate("""async texts => {
        const m = await import('./assets/explorables/pixels.js')
        return texts.map(t => m.fromText(t, 3)) }""", texts)
    assert read == [{'digit': 2, 'part': [4, 10, 4, 10]}, {'digit': 0, 'part': [0, 28, 0, 28]}
                    ] + [None]*9


def test_a_window_is_dragged_by_finger_and_the_page_stays(reader):
    page = reader('pixels.html', **DARK_PHONE)
    lens = page.get_by_role('application', name='im3_t: pixels to walk over')
    lens.scroll_into_view_if_needed()
    box, scrolled = lens.bounding_box(), page.evaluate('scrollY')
    session = page.context.new_cdp_session(page)
    def touch(kind, *cells):
        points = [{'x': box['x'] + (column + .5)*box['width']/28,
                   'y': box['y'] + (row + .5)*box['height']/28} for row, column in cells]
        session.send('Input.dispatchTouchEvent', {'type': kind, 'touchPoints': points})
    touch('touchStart', (6, 8))
    for row in range(7, 15): touch('touchMove', (row, row + 2))
    touch('touchEnd')
    assert page.locator('[data-explorable=pixels] .code').inner_text() == 'im3_t[6:15, 8:17]'
    assert page.evaluate('scrollY') == scrolled
    for_everyone(page, 'pixels')
