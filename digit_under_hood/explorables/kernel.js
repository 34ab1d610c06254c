// A kernel of nine weights slides over a digit: paint it, see its map, the nine products at each place and their sum.
import {arrow, button, cellAt, clamp, frame, fromLink, h, images, linkButton, paint, paintSigned, picture, slider, unpack} from './shared.js'

const SIDE = 28, K = 3
const HELP = 'Point at the digit or at its map to see the nine products there. Press on a weight to turn it: 1, −1, 0; drag to paint more of the same. '
  + 'On the keyboard: the arrow keys move over digit, map and weights; among the weights the space bar turns one, + and − change it by a tenth, Delete makes it 0.'

// How many places there are for the kernel along an axis of `n` pixels
export const places = (n, stride, padding) => Math.floor((n + 2*padding - K)/stride) + 1

// The nine pixels below the kernel at a place of the map; around the image is paper
export function windowAt(image, [row, column], stride, padding, side = SIDE) {
  const found = new Float64Array(K*K)
  for (let i = 0; i < K*K; i++) {
    const r = row*stride - padding + Math.floor(i/K), c = column*stride - padding + i % K
    if (r >= 0 && r < side && c >= 0 && c < side) found[i] = image[r*side + c]
  }
  return found
}

// What the kernel gives at each place, row by row
export function convolve(image, weights, {stride, padding, relu}, side = SIDE) {
  const n = places(side, stride, padding)
  return Float64Array.from({length: n*n}, (_, i) => {
    const below = windowAt(image, [Math.floor(i/n), i % n], stride, padding, side)
    const sum = weights.reduce((total, w, k) => total + w*below[k], 0)
    return relu ? Math.max(sum, 0) : sum
  })
}

export const turned = w => w > 0 ? -1 : w < 0 ? 0 : 1   // 0 to 1 to -1 to 0

// A state as text for a link (weights in thousandths), and back; null for what is no such text
export const toText = ({digit, stride, padding, relu, weights}) =>
  [digit, stride, padding, +relu, ...Array.from(weights, w => Math.round(1000*w))].join('_')

export function fromText(text, count) {
  if (!/^\d{1,2}_[12]_[01]_[01](_-?\d{1,5}){9}$/.test(text ?? '')) return null
  const [digit, stride, padding, relu, ...weights] = text.split('_').map(Number)
  return digit < count ? {digit, stride, padding, relu: !!relu, weights: weights.map(w => w/1000)} : null
}

const short = v => String(+v.toFixed(2)).replace('-', '−')

async function render({model, el}) {
  const data = await unpack(model.get('data')), links = model.get('links'), digits = images(data.images), {names} = data
  const presets = names.map((_, n) => Array.from(data.kernels.subarray(9*n, 9*n + 9)))
  const state = fromText(links ? fromLink('kernel') : '', digits.length) ?? {digit: 0, stride: 1, padding: 0, relu: false, weights: presets[0]}
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches
  let at = data.at, chosen = 4, pen = null, upto = Infinity, timer = 0, queued = false, touched = false, told = 'place', colours = {}

  const field = (label, size, pixels) => {
    const canvas = picture(label, size, size, {tabIndex: 0})
    canvas.setAttribute('role', 'application')
    canvas.setAttribute('aria-roledescription', pixels)
    return canvas
  }
  const [digit, map, kernel] = [field('Digit', SIDE, 'places for the kernel'), field('Map', 26, 'places of the kernel'), field('Kernel', K, 'weights to paint')]
  const [spot, ring, dot, ink] = ['spot field', 'ring', 'spot', 'spot'].map(className => h('i', {className}))
  const weights = Array.from({length: 9}, () => h('span')), products = Array.from({length: 9}, () => h('td'))
  const finer = slider('The marked weight', {min: -2, max: 2, step: .1, value: 0}, w => set(chosen, w))
  const [size, range, sum] = [h('p', {className: 'dim'}), h('p', {className: 'dim range'}), h('p', {className: 'sum'})]
  const toggle = (text, flip) => button(text, () => {
    const from = at.map(v => v*state.stride - state.padding)   // the window stays where it is, as far as it can
    stop()
    flip()
    at = from.map(v => Math.round((v + state.padding)/state.stride))
    change({})
  })
  const two = toggle('Stride 2', () => { state.stride = 3 - state.stride }), pad = toggle('Padding 1', () => { state.padding = 1 - state.padding })
  const relu = toggle('ReLU', () => { state.relu = !state.relu })
  const slide = button('', () => still ? reveal(places(SIDE, state.stride, state.padding)) : timer ? stop() : (start(), run()))
  const choices = names.map((name, n) => {
    const pictures = [picture(`weights of ${name}`, K, K), picture(`what ${name} makes of it`)]
    return [button('', () => { stop(); change({weights: presets[n]}) }, {className: 'preset'}), pictures, name]
  })
  choices.forEach(([made, pictures, name]) => made.append(h('span', {className: 'pair'}, ...pictures), name))
  const rack = digits.map((_, n) => {
    const small = picture(`a real ${data.labels[n]}`)
    return [button(small, () => { stop(); change({digit: n}) }, {className: 'choice', ariaLabel: `Digit ${n + 1}, a real ${data.labels[n]}`}), small]
  })
  const part = (title, ...below) => h('div', {}, h('p', {className: 'title'}, title), ...below)

  const say = frame(el, {label: 'A kernel slides over a digit', css: STYLE, help: HELP}, [
    h('div', {className: 'choices'}, ...choices.map(c => c[0])),
    h('div', {className: 'parts'}, part('Digit', h('div', {className: 'sheet'}, digit, ring, spot)),
      part('Kernel', h('div', {className: 'sheet grid'}, kernel, h('div', {className: 'weights'}, ...weights), ink), finer),
      part('Map', h('div', {className: 'sheet'}, map, dot), range)),
    h('div', {className: 'parts sums'}, h('table', {ariaLabel: 'weight times pixel, at the marked place'}, h('tbody', {}, ...[0, 3, 6].map(i => h('tr', {}, ...products.slice(i, i + K))))),
      h('div', {}, sum, size, h('div', {className: 'row'}, two, pad, relu, slide, ...(links ? [linkButton('kernel', () => toText(state))] : [])))),
    h('div', {className: 'rack'}, ...rack.map(r => r[0]))], now => {
    colours = now
    rack.forEach(([, small], n) => paint(small, digits[n], colours.ink))
    show()
  })

  function change(what) {
    Object.assign(state, what)
    told = 'map'
    later()
  }

  function set(i, w) {
    chosen = i
    change({weights: state.weights.map((v, n) => n === i ? w : v)})
  }

  function later() {
    touched = true
    if (!queued) requestAnimationFrame(show)
    queued = true
  }

  // The kernel walks over all places, and the map grows behind it
  function start() { upto = 0; slide.textContent = 'Stop' }
  function stop() { clearTimeout(timer); timer = 0; upto = Infinity }
  function reveal(more) {
    const n = places(SIDE, state.stride, state.padding), all = n*n
    upto = upto >= all ? more : upto + more
    const last = Math.min(upto, all) - 1
    at = [Math.floor(last/n), last % n]
    told = 'place'
    if (upto >= all) stop()
    later()
  }
  function run() {
    if (!el.isConnected) return stop()
    timer = setTimeout(run, 33)
    reveal(upto < 2*SIDE ? 1 : 4)
  }

  function show() {
    queued = false
    const {stride, padding, weights: w} = state, image = digits[state.digit], n = places(SIDE, stride, padding), wide = SIDE + 2*padding
    at = at.map(v => clamp(v, 0, n - 1))
    const [row, column] = at, made = convolve(image, w, state), below = windowAt(image, at, stride, padding)
    const most = made.reduce((a, v) => Math.max(a, Math.abs(v)), 0)
    if (digit.width !== wide) digit.width = digit.height = wide
    if (map.width !== n) map.width = map.height = n
    const paper = new Float64Array(wide*wide)
    image.forEach((v, i) => { paper[(Math.floor(i/SIDE) + padding)*wide + i % SIDE + padding] = v })
    paint(digit, paper, colours.ink)
    paintSigned(map, made.map((v, i) => i < upto ? v : 0), colours, most)
    paintSigned(kernel, w, colours, 2.5*Math.max(...w.map(Math.abs), .4))
    place(spot, row*stride, column*stride, K, wide)
    place(dot, row, column, 1, n)
    place(ink, Math.floor(chosen/K), chosen % K, 1, K)
    place(ring, padding, padding, SIDE, wide)
    ring.hidden = !padding
    digit.ariaLabel = `Digit ${state.digit + 1}, a real ${data.labels[state.digit]}: places for the kernel`
    map.ariaLabel = `Map of ${n} by ${n} sums`
    kernel.ariaLabel = `Kernel, ${Array.from(w, short).join(', ')}: weights to paint`
    weights.forEach((cell, i) => { cell.textContent = short(w[i]) })
    const [input, value] = ['input', '.value'].map(name => finer.querySelector(name))
    input.value = w[chosen]
    value.textContent = short(w[chosen])
    products.forEach((cell, i) => {
      const product = w[i]*below[i]
      cell.replaceChildren(h('small', {}, `${short(w[i])} × ${short(below[i])}`), h('b', {className: Math.abs(product) < .005 ? 'none' : product > 0 ? 'above' : 'below'}, short(product)))
    })
    const total = w.reduce((a, v, i) => a + v*below[i], 0)
    sum.replaceChildren(h('span', {}, `Row ${row}, column ${column} of the map: the nine products add up to `), h('b', {}, short(total)),
      state.relu && total < 0 ? ', and ReLU makes it 0.' : '.')
    const formula = `(28 + 2·${padding} − 3)/${stride}`
    size.textContent = `${stride === 1 ? `${formula} + 1` : `⌊${formula}⌋ + 1`} = ${n}: the map has the shape (${n}, ${n}).`
    range.textContent = most < 1e-9 ? 'All of it is 0.' : `From ${short(Math.min(...made))} to ${short(Math.max(...made))}`
    for (const [made, on] of [[two, stride === 2], [pad, padding], [relu, state.relu]]) made.setAttribute('aria-pressed', !!on)
    slide.textContent = still ? 'Next row' : timer ? 'Stop' : 'Slide'
    choices.forEach(([made, [small, its]], k) => {
      const found = convolve(image, presets[k], {stride: 1, padding: 1})
      paintSigned(small, presets[k], colours)
      paintSigned(its, found, colours)
      made.setAttribute('aria-pressed', presets[k].every((v, i) => Math.abs(v - w[i]) < 5e-4))
    })
    rack.forEach(([made], k) => made.setAttribute('aria-pressed', k === state.digit))
    if (!touched || timer) return
    say(told === 'place' ? sum.textContent : told === 'weight' ? `Weight in row ${Math.floor(chosen/K)}, column ${chosen % K}: ${short(w[chosen])}.`
      : `Weights ${Array.from(w, short).join(', ')}. ${size.textContent} ${range.textContent}`)
  }

  function place(e, row, column, span, whole) {
    const share = v => `${100*v/whole}%`
    e.style.cssText = `top: ${share(row)}; left: ${share(column)}; width: ${share(span)}; height: ${share(span)}`
  }

  function move(to) {
    stop()
    at = to
    told = 'place'
    later()
  }

  const keys = (canvas, act) => {
    canvas.onkeydown = e => {
      if (e.ctrlKey || e.metaKey || e.altKey || !act(e)) return
      e.preventDefault()
      e.stopPropagation()
    }
  }
  const step = e => {
    const way = arrow(e), n = places(SIDE, state.stride, state.padding)
    if (way) move(at.map((v, i) => clamp(v + way[i]*(e.shiftKey ? 4 : 1), 0, n - 1)))
    return way
  }
  for (const [canvas, to] of [[digit, v => Math.round((v - 1)/state.stride)], [map, v => v]]) {
    canvas.onpointerdown = e => { canvas.setPointerCapture(e.pointerId); move(cellAt(canvas, e).map(to)) }
    canvas.onpointermove = e => { if (!timer) move(cellAt(canvas, e).map(to)) }
    keys(canvas, step)
  }

  const cell = e => {
    const [row, column] = cellAt(kernel, e)
    return row*K + column
  }
  kernel.onpointerdown = e => {
    if (e.button || !e.isPrimary) return
    kernel.setPointerCapture(e.pointerId)
    stop()
    pen = turned(state.weights[cell(e)])
    set(cell(e), pen)
  }
  kernel.onpointermove = e => { if (pen !== null && cell(e) !== chosen) set(cell(e), pen) }
  kernel.onpointerup = kernel.onpointercancel = () => { pen = null }
  keys(kernel, e => {
    const way = arrow(e), w = state.weights[chosen], tenth = by => clamp(Math.round(10*w + by)/10, -2, 2)
    if (way) {
      const [row, column] = [Math.floor(chosen/K), chosen % K].map((v, i) => clamp(v + way[i], 0, K - 1))
      chosen = row*K + column
      told = 'weight'
      later()
    } else if (e.key === ' ') set(chosen, turned(w))
    else if (e.key === '+' || e.key === '=') set(chosen, tenth(1))
    else if (e.key === '-') set(chosen, tenth(-1))
    else if (e.key === 'Delete' || e.key === 'Backspace') set(chosen, 0)
    else return false
    return true
  })
}

const STYLE = `
[hidden] { display: none !important }
.choices { display: grid; gap: .5rem; grid-template-columns: repeat(auto-fill, minmax(5.6rem, 1fr)); margin-bottom: 1rem }
.preset { padding: .4rem; font-size: .88rem } .preset[aria-pressed=true] { box-shadow: 0 0 0 1px var(--three) }
.pair { display: grid; grid-template-columns: 2.1rem 2.1rem; gap: .4rem; justify-content: center; margin-bottom: .25rem }
.parts { display: grid; gap: 1rem 1.6rem; grid-template-columns: minmax(0, 1fr) minmax(0, .8fr) minmax(0, 1fr); align-items: start }
.sheet { position: relative } .sheet .cells { border-radius: 0; cursor: crosshair; touch-action: none } .grid .cells { cursor: pointer }
.spot, .ring { position: absolute; pointer-events: none } .spot { outline: 2px solid var(--text); box-shadow: 0 0 0 3.5px var(--paper), inset 0 0 0 1px var(--paper) } .field { outline-color: var(--three) } .ring { border: 1px dashed var(--dim) }
.weights { position: absolute; inset: 1px; display: grid; grid-template: repeat(3, minmax(0, 1fr))/repeat(3, minmax(0, 1fr)); place-items: center; pointer-events: none; font-variant-numeric: tabular-nums; font-size: min(1.1rem, 10.5cqi) } .grid { container-type: inline-size }
.range { margin-top: .3rem } .slider { margin-top: .5rem } .grid + .slider .value { color: var(--text); font-weight: 600 }
.sums { grid-template-columns: minmax(0, 1fr) minmax(0, 1.8fr); margin: 1rem 0; align-items: center }
table { width: 100%; border-collapse: collapse; table-layout: fixed; font-variant-numeric: tabular-nums }
td { border: 1px solid var(--edge); padding: .3rem .1rem; text-align: center; line-height: 1.25 } small { display: block; font-size: .78rem; color: var(--dim) } td b { font-weight: 600 } td .none { color: var(--dim); font-weight: 400 }
.sum b { font-size: 1.25rem } .sum { min-height: 2.8em } .sums .dim { margin-bottom: .7rem }
.rack { display: grid; gap: .35rem; grid-template-columns: repeat(auto-fill, 44px) }
.choice { width: 44px; padding: 3px } .choice .cells { border: 0 } .choice[aria-pressed=true] { box-shadow: 0 0 0 2px var(--three) }
@container (max-width: 34rem) { .parts { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem .8rem } .parts > :nth-child(2):not(:last-child) { order: 1; grid-column: 1/3; display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 .8rem } .parts > :nth-child(2) .title { grid-column: 1/3 } .sums { grid-template-columns: minmax(0, 1fr) } }
`

export default {render}
