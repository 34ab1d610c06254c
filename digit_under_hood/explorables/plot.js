// One plot for all explorables: axes, lines, dots, dots to drag. It is drawn in the pixels of the
// screen, so that its words keep their size on a phone, and anew when its width changes.
import {arrow, button, clamp, h} from './shared.js'

const SPACE = h('div', {innerHTML: '<svg/>'}).firstChild.namespaceURI
const GRASP = 44

function node(parent, tag, attributes = {}, text = '') {
  const e = document.createElementNS(SPACE, tag)
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value)
  e.textContent = text
  parent.append(e)
  return e
}

// The part of a way from a to b that lies in a box `wide` by `high` or as far around it again; null if none does
function cut(a, b, wide, high) {
  const way = b.map((v, i) => v - a[i])
  let [from, to] = [0, 1]
  for (const [i, size] of [wide, high].entries()) {
    const ends = [-size, 2*size].map(edge => (edge - a[i])/way[i])
    from = Math.max(from, Math.min(...ends))
    to = Math.min(to, Math.max(...ends))
  }
  return from < to ? [from, to].map(share => a.map((v, i) => (v + share*way[i]).toFixed(2))) : null
}

// Where an axis has its ticks, about `count` of them: 1, 2 or 5 times a power of ten
export function ticks([from, to], count, log = false) {
  const [low, high] = from < to ? [from, to] : [to, from]
  if (log && high > 4*low) {
    const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))]
    const every = Math.ceil((last - first)/count), steps = last - first <= 2 ? [1, 2, 5] : [1]
    const powers = Array.from({length: last - first + 1}, (_, i) => first + i).filter(p => p % every === 0)
    return powers.flatMap(p => steps.map(m => +`${m}e${p}`)).filter(v => v >= low*.999 && v <= high*1.001)
  }
  const rough = (high - low)/count, power = Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map(m => +`${m}e${power}`).find(s => s >= .8*rough)
  const first = Math.ceil(low/step - 1e-9), last = Math.floor(high/step + 1e-9)
  return Array.from({length: last - first + 1}, (_, i) => +((first + i)*step).toPrecision(12))
}

// The ticks of an axis in one way of writing: for each its digits, and the power of ten where they need one
export function tickLabels(values, log = false) {
  const sizes = values.map(Math.abs).filter(v => v), [least, most] = [Math.min(...sizes), Math.max(...sizes)]
  const powers = log ? least < 1e-3 || most >= 1e5 : most < 1e-3 || most >= 1e6
  return values.map(v => {
    const size = Math.abs(v), sign = v < 0 ? '−' : ''
    const [digits, power] = (+size.toPrecision(3)).toExponential().split('e')
    if (!powers || v === 0 || power === '+0' || power === '+1') return [sign + size.toLocaleString('en', {maximumSignificantDigits: 6}), '']
    return [sign + (digits === '1' ? '10' : `${digits}·10`), String(+power).replace('-', '−')]
  })
}

// A number in about `count` digits
export function brief(v, count = 2) {
  if (Number.isNaN(v)) return 'none'
  const size = Math.abs(v), plain = v === 0 || size >= 1e-3 && size < 1e5
  return (plain ? String(+v.toPrecision(count)) : (+v.toPrecision(count)).toExponential().replace('+', '')).replaceAll('-', '−')
}

// A plot of given `height` in pixels, or as high as wide (`square`). `xs`, `ys`: where
// the axes begin and end, also downwards. A line, dots, ... drawn under the `key` of earlier ones
// take their place.
export function plot({label, height = 240, square = false, ...axes}) {
  const el = h('div', {className: 'plot'}), svg = node(el, 'svg', {role: 'img', 'aria-label': label})
  const [grid, under, over] = [node(svg, 'g'), node(svg, 'svg'), node(svg, 'svg', {overflow: 'visible'})]
  const items = new Map(), room = {left: 0, top: 8, width: 0, height: 0}
  let held = null

  const turn = (v, log) => log ? Math.log10(v) : v
  const share = (v, [from, to], log) => (turn(v, log) - turn(from, log))/(turn(to, log) - turn(from, log))
  const unshare = (s, [from, to], log) => log ? 10**(Math.log10(from) + s*Math.log10(to/from)) : from + s*(to - from)
  const toX = v => room.width*share(v, axes.xs, axes.logX)
  const toY = v => room.height*(1 - share(v, axes.ys, axes.logY))
  const back = (x, y) => [unshare(x/room.width, axes.xs, axes.logX), unshare(1 - y/room.height, axes.ys, axes.logY)]
  const inside = (x, y) => x >= -.5 && x <= room.width + .5 && y >= -.5 && y <= room.height + .5
  const pixels = e => {
    const place = svg.getBoundingClientRect()
    return [e.clientX - place.left - room.left, e.clientY - place.top - room.top]
  }

  // Axes, then all that is on them

  function layout() {
    const width = el.clientWidth
    if (!width) return
    const rows = ticks(axes.ys, Math.max(2, (square ? 320 : height)/42), axes.logY), words = tickLabels(rows, axes.logY)
    const widest = words => Math.max(0, ...words.map(([digits, power]) => 7.2*digits.length + 5.5*power.length))
    room.left = 12 + widest(words)
    room.top = axes.yLabel ? 30 : 8
    room.width = Math.max(width - room.left - 18, 1)
    room.height = square ? room.width : height - room.top - (axes.xLabel ? 42 : 24)
    const bottom = room.top + room.height, right = room.left + room.width
    svg.setAttribute('width', width)
    svg.setAttribute('height', bottom + (axes.xLabel ? 42 : 24))
    for (const e of [under, over]) for (const [name, value] of Object.entries({x: room.left, y: room.top, width: room.width, height: room.height})) e.setAttribute(name, value)
    grid.replaceChildren()
    const write = (x, y, anchor, [digits, power]) => {
      const text = node(grid, 'text', {x, y, 'text-anchor': anchor}, digits)
      if (power) node(text, 'tspan', {dy: '-.42em', 'font-size': '.78em'}, power)
    }
    rows.forEach((v, i) => {
      const y = room.top + toY(v)
      node(grid, 'path', {d: `M${room.left} ${y}H${right}`})
      write(room.left - 7, y + 4.5, 'end', words[i])
    })
    const trials = [10, 8, 6, 5, 4, 3, 2].map(count => ticks(axes.xs, count, axes.logX))
    const fits = values => values.length*(widest(tickLabels(values, axes.logX)) + 16) <= room.width
    const columns = trials.find(fits) ?? trials.at(-1)
    tickLabels(columns, axes.logX).forEach((words, i) => {
      const x = room.left + toX(columns[i])
      node(grid, 'path', {d: `M${x} ${room.top}V${bottom}`})
      write(x, bottom + 18, 'middle', words)
    })
    if (axes.yLabel) write(0, 14, 'start', [axes.yLabel])
    if (axes.xLabel) write(right, bottom + 36, 'end', [axes.xLabel])
    items.forEach(item => item.draw())
  }

  function keep(kind, key, make, draw) {
    const name = `${kind} ${key}`, item = items.get(name) ?? {made: make(), nodes: []}
    items.set(name, item)
    item.draw = () => draw(item)
    if (room.width) item.draw()
    return item
  }

  // A line through points [x, y]; it breaks where one is not finite and is cut at the edges. `filled`: an area
  function line(key, points, {className = '', dashed = false, filled = false} = {}) {
    keep('line', key, () => node(under, 'path'), ({made}) => {
      const all = points.map(([x, y]) => [toX(x), toY(y)]), {width, height} = room
      let d = '', pen = ''
      if (filled) d = all.filter(p => p.every(Number.isFinite)).map(([x, y], i) => `${i ? 'L' : 'M'}${clamp(x, -width, 2*width)} ${clamp(y, -height, 2*height)}`).join('')
      else all.forEach((b, i) => {
        const part = i && [...all[i - 1], ...b].every(Number.isFinite) ? cut(all[i - 1], b, width, height) : null
        if (!part) return
        const [from, to] = part.map(p => p.join(' '))
        d += from === pen ? `L${to}` : `M${from}L${to}`
        pen = to
      })
      made.setAttribute('d', d)
      made.setAttribute('class', `${className} ${dashed ? 'dashed' : ''} ${filled ? 'filled' : 'line'}`)
    })
  }

  // As many nodes as points, those outside the axes hidden
  function several(item, points, make, put) {
    while (item.nodes.length < points.length) item.nodes.push(make(item.nodes.length))
    while (item.nodes.length > points.length) item.nodes.pop().remove()
    points.forEach((point, i) => {
      const [x, y] = [toX(point[0]), toY(point[1])], shown = inside(x, y)
      item.nodes[i].style.display = shown ? '' : 'none'
      if (shown) put(item.nodes[i], x, y, i)
    })
  }

  // Dots at points; `hollow`: rings. A function as `radius` or `className` is asked for each
  function dots(key, points, {className = '', radius = 3.5, hollow = false} = {}) {
    const each = (value, i) => typeof value === 'function' ? value(i) : value
    keep('dots', key, () => node(over, 'g'), item => several(item, points, () => node(item.made, 'circle'), (e, x, y, i) => {
      for (const [name, value] of Object.entries({cx: x, cy: y, r: each(radius, i), class: `dot ${hollow ? 'hollow' : ''} ${each(className, i)}`})) e.setAttribute(name, value)
    }))
  }

  // Words at a point, `dx`, `dy` pixels from it
  function text(key, point, words, {className = '', anchor = 'start', dx = 0, dy = 0} = {}) {
    keep('text', key, () => node(over, 'g'), item => several(item, [point], () => node(item.made, 'text'), (e, x, y) => {
      e.textContent = words
      for (const [name, value] of Object.entries({x: x + dx, y: y + dy, 'text-anchor': anchor, class: className})) e.setAttribute(name, value)
    }))
  }

  // Dots to drag, each a slider by its name: `moved(i, [x, y])` is told where one is to go, and draws it
  // there by calling this again. `step`: what an arrow key adds along x and y (decades on a log axis),
  // ten times as much with Shift; 0 holds that direction still. `told(i)`: its value in words.
  function handles(key, points, {className = '', names, told, step: [stepX, stepY], moved}) {
    const rise = stepY ? 1 : 0, range = [axes.xs, axes.ys][rise]
    const item = keep('handles', key, () => null, item => several(item, points, i => {
      const e = h('div', {tabIndex: 0, role: 'slider'})
      e.onkeydown = event => pressed(event, item, i)
      el.append(e)
      return e
    }, (e, x, y, i) => {
      e.className = `handle ${className}`
      e.style.left = `${room.left + x}px`
      e.style.top = `${room.top + y}px`
      const spoken = {label: names[i], valuetext: told(i), valuenow: points[i][rise], valuemin: Math.min(...range), valuemax: Math.max(...range)}
      for (const [name, value] of Object.entries(spoken)) e.setAttribute(`aria-${name}`, value)
    }))
    item.go = (i, x, y) => {
      const to = back(stepX ? clamp(x, 0, room.width) : toX(points[i][0]), stepY ? clamp(y, 0, room.height) : toY(points[i][1]))
      moved(i, to.map((v, axis) => [stepX, stepY][axis] ? v : points[i][axis]))
    }
    item.press = (i, [right, up], times) => {
      const along = stepX && stepY ? [right, up] : [right + up, right + up]
      const far = ([from, to], log, step) => step*times/(turn(to, log) - turn(from, log))
      item.go(i, toX(points[i][0]) + along[0]*room.width*far(axes.xs, axes.logX, stepX), toY(points[i][1]) - along[1]*room.height*far(axes.ys, axes.logY, stepY))
    }
  }

  function pressed(e, item, i) {
    const way = arrow(e)
    if (!way) return
    item.press(i, [way[1], -way[0]], e.shiftKey ? 10 : 1)
    e.preventDefault()
    e.stopPropagation()
  }

  el.onpointerdown = e => {
    if (e.button || !e.isPrimary || !e.target.closest('.handle')) return
    const [x, y] = pixels(e), gap = ({style}) => [parseFloat(style.left) - room.left - x, parseFloat(style.top) - room.top - y]
    const all = [...items.values()].filter(item => item.go).flatMap(item => item.nodes.map((n, i) => ({item, i, n, gap: gap(n)})))
    held = all.filter(one => one.n.style.display === '').sort((a, b) => Math.hypot(...a.gap) - Math.hypot(...b.gap))[0]
    held.n.setPointerCapture(e.pointerId)
    held.n.focus({preventScroll: true})
    e.preventDefault()
  }
  el.onpointermove = e => {
    if (!held?.n.hasPointerCapture(e.pointerId)) return
    const [x, y] = pixels(e)
    held.item.go(held.i, x + held.gap[0], y + held.gap[1])
  }
  el.onpointerup = el.onpointercancel = () => { held = null }

  new ResizeObserver(() => { if (el.clientWidth !== +svg.getAttribute('width')) layout() }).observe(el)
  return {
    el, room, toX, toY, line, dots, text, handles,
    set(changes) {   // xs, ys, logX, logY, xLabel, yLabel
      const before = JSON.stringify(axes)
      if (JSON.stringify(Object.assign(axes, changes)) !== before) layout()
    },
    name(words) { svg.setAttribute('aria-label', words) },
    at: e => back(...pixels(e)),
  }
}

// Buttons of which one is pressed: `picked` is told which was, `mark` shows which is
export function options(label, words, picked, className = 'choice') {
  const made = words.map((word, i) => button(word, () => picked(i)))
  const mark = pressed => made.forEach((b, i) => b.setAttribute('aria-pressed', i === pressed))
  return {mark, el: h('div', {className, role: 'group', ariaLabel: label}, ...made)}
}

export const PLOT_CSS = `
.choice { display: flex } .choice button { margin-left: -1px; border-radius: 0 }
.choice button:first-child { border-radius: 8px 0 0 8px } .choice button:last-child { border-radius: 0 8px 8px 0 }
.choice button[aria-pressed=true] { background: color-mix(in srgb, var(--three) 7%, var(--paper)); position: relative }
.plot { position: relative; min-width: 0 } .plot > svg { display: block; overflow: visible }
.plot text { font-size: 13px; fill: var(--dim); font-variant-numeric: tabular-nums; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round }
.plot text.above, .plot text.below { fill: currentColor; font-weight: 600 }
.plot path { fill: none; stroke: color-mix(in srgb, var(--text) 13%, var(--paper)) }
.plot path.line { stroke: currentColor; stroke-width: 2; stroke-linejoin: round } .plot path.dashed { stroke-dasharray: 5 5 }
.plot path.dim { stroke: var(--dim); stroke-width: 1.2 } .plot path.faint { stroke: var(--edge); stroke-width: 1.2 }
.plot path.filled { stroke: none; fill: currentColor; opacity: .16 }
.dot { fill: currentColor; stroke: var(--paper); stroke-width: 1 } .dot.hollow { fill: var(--paper); stroke: currentColor; stroke-width: 1.8 } .dot.dim { color: var(--dim) }
.handle { position: absolute; width: ${GRASP}px; height: ${GRASP}px; margin: -${GRASP/2}px; border-radius: 50%; cursor: grab; touch-action: none } .handle:active { cursor: grabbing }
.handle::after { content: ''; position: absolute; inset: 13px; border: 2.5px solid var(--paper); border-radius: 50%; background: currentColor; box-shadow: 0 0 0 1.5px currentColor }
.handle:hover::after, .handle:focus-visible::after { inset: 11px }
`
