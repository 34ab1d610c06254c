"The pixel inspector of chapter 01, used as a person would."
import re

import torch
from playing import sent


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
