"What the tests of the explorables share: what the notebooks have stored of each, and its rules."
import json
import re
from functools import cache
from pathlib import Path

import nbformat
from test_site import AXE, PHONE, coloured, settle

from digit_under_hood.explorable import unpack

ROOT = Path(__file__).parents[1]
MODULES = ROOT/'digit_under_hood'/'explorables'
DARK_PHONE = {'viewport': PHONE, 'has_touch': True, 'color_scheme': 'dark',
              'reduced_motion': 'reduce'}


@cache
def stored() -> list[tuple[str, str, str]]:
    "Each explorable that a notebook holds: its name, the notebook, the HTML"
    found = []
    for path in sorted((ROOT/'nbs').glob('*.ipynb')):
        outputs = [out for cell in nbformat.read(path, 4).cells for out in cell.get('outputs', [])]
        htmls = [out.data.get('text/html', '') for out in outputs if 'data' in out]
        found += [(name[1], path.name, html) for html in htmls
                  if (name := re.search(r'<div data-explorable="(\w+)"', html))]
    return found


def element(name: str, notebook: str = '') -> str:
    "The HTML that `notebook`, or the first that has it, has stored of explorable `name`"
    return next(html for n, path, html in stored() if n == name and notebook in (path, ''))


def sent(name: str, notebook: str = '') -> dict:
    "What that explorable computes with"
    html = element(name, notebook)
    return unpack(json.loads(re.search(r'application/json">(.*?)</script>', html, re.S)[1]))


def page_of(notebook: str) -> str:
    "The page that is made from a notebook: `03a_broadcasting.ipynb` becomes `broadcasting.html`"
    return re.sub(r'^\d\d[a-z]?_', '', notebook).replace('.ipynb', '.html')


def for_everyone(page, name: str) -> None:
    "axe finds nothing in explorable `name`, the page is no wider than it is, fingers find all"
    page.evaluate(AXE)
    for scheme in 'dark', 'light':
        coloured(page, scheme)
        found = page.evaluate(f'axe.run(document.querySelector("[data-explorable={name}]"))')
        assert [f'{v["id"]}, {scheme}: {node["html"][:80]}' for v in found['violations']
                for node in v['nodes']] == []
    assert page.evaluate('document.documentElement.scrollWidth <= innerWidth')
    small = page.locator(f'[data-explorable={name}]').locator(
        'button:visible, input:visible, select:visible').evaluate_all('''all => all.filter(b =>
            ![b, b.closest('label') ?? b].map(e => e.getBoundingClientRect())
                .some(r => Math.min(r.width, r.height) >= 44)).map(b => b.outerHTML)''')
    assert small == []


SHOWN = """el => {
    const box = el.shadowRoot.querySelector('.box')
    const canvases = [...box.querySelectorAll('canvas')].map(c => c.toDataURL())
    const fields = [...box.querySelectorAll('input, select')].map(f => f.value + f.checked)
    const words = [...box.children].filter(e => e.matches(':not(.live, .help)'))
    return [...words.map(e => e.innerHTML), ...canvases, ...fields].join() }"""
KEYS = {'application': ['ArrowDown', ' ', 'ArrowDown', 'ArrowRight', ' '], 'range': ['ArrowRight']}


def shown(explorable) -> str:
    "All that an explorable shows, as text"
    return explorable.evaluate(SHOWN)


def use(page, explorable) -> str | None:
    "Use an explorable by keyboard until it shows something else; the control that did it"
    controls = explorable.locator('[role=application], input[type=range], button:enabled')
    for control in controls.all()[:8]:
        before = shown(explorable)
        kind = control.get_attribute('role') or control.get_attribute('type')
        control.focus()
        for key in KEYS.get(kind, ['Enter']): page.keyboard.press(key)
        settle(page)
        if shown(explorable) != before: return control.evaluate('e => e.outerHTML')
    return None


def predict(box, number: str) -> str:
    "Answer a task that asks for a number, by keyboard; what it says"
    box.get_by_label('Your number').focus()
    box.page.keyboard.press('ControlOrMeta+a')
    box.page.keyboard.type(number)
    box.page.keyboard.press('Enter')
    box.locator('.verdict').wait_for()
    return box.locator('.verdict').inner_text()


def insert(page, html: str) -> None:
    "Put `html` at the end of the page as a notebook does, scripts and all, in place of the last"
    page.evaluate("""html => {
        document.querySelector('#again')?.remove()
        const place = document.body.appendChild(document.createElement('div'))
        place.id = 'again'
        place.innerHTML = html
        for (const old of place.querySelectorAll('script[type=module]')) {
            const script = document.createElement('script')
            Object.assign(script, {type: 'module', textContent: old.textContent})
            old.replaceWith(script)
        }
    }""", html)
