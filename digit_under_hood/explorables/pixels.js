// Move over a digit: each pixel's place and value, and any window of it with its code.
import {arrow, button, cellAt, clamp, frame, fromLink, h, linkButton, picture, unpack} from './shared.js'

const SIDE = 28
const HELP = 'Point at a pixel, drag to mark a window. On the keyboard: the arrow keys move, with Shift they mark.'

// The window as code: rows first, from the first to the one after the last
export const toCode = (name, [top, bottom, left, right]) => `${name}[${top}:${bottom}, ${left}:${right}]`

// Corners of the window between two pixels, each [row, column]
export const between = ([a, b], [c, d]) => [Math.min(a, c), Math.max(a, c) + 1, Math.min(b, d), Math.max(b, d) + 1]

// A window from a link: digit, top, bottom, left, right; null if it is none
export function fromText(text, count) {
  if (!/^\d{1,3}(\.\d{1,2}){4}$/.test(text ?? '')) return null
  const [digit, ...part] = text.split('.').map(Number), [top, bottom, left, right] = part
  return digit < count && top < bottom && bottom <= SIDE && left < right && right <= SIDE ? {digit, part} : null
}

async function render({model, el}) {
  const data = await unpack(model.get('data')), links = model.get('links'), count = data.names.length
  let {digit, part} = fromText(links ? fromLink('pixels') : '', count) ?? {digit: 0, part: data.part}
  let at = [part[0], part[2]], anchor = null, light = false, scaled = false, touched = false
  const value = (row, column) => data.images[(digit*SIDE + row)*SIDE + column]
  const shown = v => scaled ? (v/255).toFixed(2) : String(v)

  const canvas = picture('Digit', SIDE, SIDE, {tabIndex: 0})
  canvas.setAttribute('role', 'application')
  canvas.setAttribute('aria-roledescription', 'pixels')
  const [mark, spot] = [h('i', {className: 'mark'}), h('i', {className: 'spot'})]
  const title = h('p', {className: 'title'}), where = h('p', {className: 'where'}), code = h('code', {className: 'code'})
  const table = h('table'), sum = h('p', {className: 'dim'})
  const turn = (text, change) => {
    const made = button(text, () => {
      made.setAttribute('aria-pressed', change())
      touched = true
      show()
    })
    made.setAttribute('aria-pressed', false)
    return made
  }
  const step = n => () => { digit = (digit + n + count) % count; touched = true; show() }
  const tools = [button('Previous', step(-1)), button('Next', step(1)),
    turn('As light', () => (light = !light)), turn('0 to 1', () => (scaled = !scaled)),
    ...(links ? [linkButton('pixels', () => [digit, ...part].join('.'))] : [])]

  const say = frame(el, {label: 'Pixels of a digit', css: STYLE, help: HELP}, [h('div', {className: 'parts'},
    h('div', {}, title, h('div', {className: 'sheet'}, canvas, mark, spot)),
    h('div', {className: 'read'}, where, code, h('div', {className: 'window'}, table), sum),
    h('div', {className: 'row tools'}, ...tools))], show)

  function grey(v) {
    const bright = light ? v : 255 - v
    return `rgb(${bright} ${bright} ${bright})`
  }

  function over(e, [top, bottom, left, right]) {
    const share = n => `${n/SIDE*100}%`
    e.style.cssText = `top: ${share(top)}; left: ${share(left)}; height: ${share(bottom - top)}; width: ${share(right - left)}`
  }

  function show() {
    const context = canvas.getContext('2d'), name = data.names[digit], [row, column] = at, [top, bottom, left, right] = part
    title.textContent = `${name}, digit ${digit + 1} of ${count}`
    canvas.ariaLabel = `${name}: pixels to walk over`
    for (let r = 0; r < SIDE; r++) for (let c = 0; c < SIDE; c++) {
      context.fillStyle = grey(value(r, c))
      context.fillRect(c, r, 1, 1)
    }
    over(mark, part)
    over(spot, [row, row + 1, column, column + 1])
    where.replaceChildren(h('span', {}, `row ${row}`), h('span', {}, `column ${column}`), h('b', {}, shown(value(row, column))))
    code.textContent = toCode(name, part) + (scaled ? '/255' : '')
    let ink = 0
    table.style.setProperty('--n', right - left)
    table.replaceChildren(...Array.from({length: bottom - top}, (_, i) => h('tr', {}, ...Array.from({length: right - left}, (_, j) => {
      const v = value(top + i, left + j), cell = h('td', {}, scaled ? shown(v).replace(/^0(?=\.)/, '') : shown(v))
      cell.style.cssText = `background: ${grey(v)}; color: ${(light ? v : 255 - v) > 118 ? '#000' : '#fff'}`
      ink += v
      return cell
    }))))
    sum.textContent = `${bottom - top} x ${right - left} numbers; together ${scaled ? (ink/255).toFixed(2) : ink}`
    if (touched) say(`Row ${row}, column ${column}: ${shown(value(row, column))}. ${anchor ? code.textContent : ''}`)
  }

  function move(to, marking) {
    touched = true
    if (marking) anchor ??= at
    else anchor = null
    at = to
    if (anchor) part = between(anchor, at)
    show()
  }

  let held = false
  canvas.onpointerdown = e => {
    if (e.button || !e.isPrimary) return
    canvas.setPointerCapture(e.pointerId)
    held = true
    move(cellAt(canvas, e), false)
  }
  canvas.onpointermove = e => {
    const to = cellAt(canvas, e)
    if (to[0] !== at[0] || to[1] !== at[1]) move(to, held)
  }
  canvas.onpointerup = canvas.onpointercancel = () => { held = false; anchor = null }
  canvas.onkeydown = e => {
    const way = arrow(e)
    if (!way) return
    move(at.map((v, i) => clamp(v + way[i], 0, SIDE - 1)), e.shiftKey)
    e.preventDefault()
    e.stopPropagation()
  }
}

const STYLE = `
.parts { display: grid; gap: 1rem 1.8rem; grid-template-columns: minmax(0, 19rem) minmax(0, 1fr) }
.tools { grid-column: 1/3 }
.sheet { position: relative } .cells { border-radius: 0; cursor: crosshair; touch-action: none }
.mark, .spot { position: absolute; pointer-events: none; border: 2px solid #dd6b20 }
.spot { border: 0; outline: 2px solid #2b7fd4 }
.where { display: flex; gap: 1rem; align-items: baseline; color: var(--dim); font-variant-numeric: tabular-nums } .where span { min-width: 4rem }
.where b { font-size: 1.6rem; color: var(--text) }
.code { display: block; margin: .5rem 0; padding: .45rem .7rem; border-radius: 6px; background: var(--well); font: 400 .95rem/1.4 var(--mono, ui-monospace, monospace); overflow-wrap: anywhere }
.window { container-type: inline-size; margin: .6rem 0 }
table { border-collapse: collapse; table-layout: fixed; border: 1px solid var(--edge) }
td { width: min(2.7rem, 100cqi/var(--n)); padding: .3em 0; text-align: center; font-variant-numeric: tabular-nums; font-size: min(.92rem, 100cqi/var(--n)/2.1); line-height: 1.25 }
@container (max-width: 34rem) { .parts { grid-template-columns: minmax(0, 1fr) } .tools { grid-column: 1 } }
`

export default {render}
