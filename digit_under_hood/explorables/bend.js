// Bend a line onto a curve: drag the corners that n ReLUs make, or watch training move them.
import {button, clamp, frame, fromLink, h, linkButton, slider, unpack} from './shared.js'
import {PLOT_CSS, plot} from './plot.js'

const MOST = 30, GAP = .02
const HELP = 'Drag a corner. On the keyboard: Tab into the plot, the space bar goes to the next corner (with Shift to the one '
  + 'before), the arrow keys move it, with Shift in larger steps.'

// A network of n ReLUs is one array of 3n + 1 numbers in torch's order: the n weights of the first layer,
// its n biases, the n weights of the last layer, its bias
const count = p => (p.length - 1)/3

export function output(p, x) {
  const n = count(p)
  let sum = p[3*n]
  for (let i = 0; i < n; i++) sum += p[2*n + i]*Math.max(0, p[i]*x + p[n + i])
  return sum
}

export const loss = (p, xs, ys) => xs.reduce((sum, x, k) => sum + (output(p, x) - ys[k])**2, 0)/xs.length

// The slope of the loss for each number of `p`
export function gradient(p, xs, ys) {
  const n = count(p), g = new Float64Array(p.length)
  xs.forEach((x, k) => {
    const push = 2*(output(p, x) - ys[k])/xs.length
    g[3*n] += push
    for (let i = 0; i < n; i++) {
      const before = p[i]*x + p[n + i]
      if (before <= 0) continue
      g[i] += push*p[2*n + i]*x
      g[n + i] += push*p[2*n + i]
      g[2*n + i] += push*before
    }
  })
  return g
}

// Gives a function that takes one step from `p` against its slopes, as torch.optim.SGD or Adam does
export function stepper(adam, lr) {
  let steps = 0, mean, square
  return (p, g) => {
    if (!adam) return p.map((v, i) => v - lr*g[i])
    steps++
    mean = g.map((v, i) => .9*(mean?.[i] ?? 0) + .1*v)
    square = g.map((v, i) => .999*(square?.[i] ?? 0) + .001*v*v)
    return p.map((v, i) => v - lr/(1 - .9**steps)*mean[i]/(Math.sqrt(square[i]/(1 - .999**steps)) + 1e-8))
  }
}

// What can be dragged, from left to right: each corner between `low` and `high`, with its unit, and the ends
// of the line (the left one only where the line is not flat there)
export function corners(p, [low, high]) {
  const n = count(p), found = []
  for (let unit = 0; unit < n; unit++) {
    const x = -p[n + unit]/p[unit]
    if (x >= low && x < high) found.push({unit, x})
  }
  found.sort((a, b) => a.x - b.x)
  const slanted = Array.from({length: n}, (_, i) => i).some(i => p[i]*low + p[n + i] > 0)
  if (slanted) found.unshift({unit: null, x: low})
  return [...found, {unit: null, x: high}].map(one => ({...one, y: output(p, one.x)}))
}

// The last unit that begins to rise before `x`: its weight turns the line there; -1 if there is none
function bearer(p, x) {
  const n = count(p)
  let best = -1, nearest = -Infinity
  for (let i = 0; i < n; i++) {
    const knot = -p[n + i]/p[i]
    if (p[i] > 0 && knot < x - GAP/2 && knot > nearest) [best, nearest] = [i, knot]
  }
  return [best, nearest]
}

// Corner `at` pulled to [x, y]. One number takes the line there, so all to the right of it swings along;
// with `hold` the weights after it bring the other corners back, as far as units that rise can do it.
export function pulled(p, at, [x, y], range, hold) {
  const n = count(p), q = Float64Array.from(p), all = corners(p, range), {unit} = all[at]
  const lift = (x, y, i) => {
    if (i < 0) q[3*n] += y - output(q, x)
    else q[2*n + i] += (y - output(q, x))/(q[i]*x + q[n + i])
  }
  if (unit !== null) {
    const [from, to] = [(all[at - 1]?.x ?? range[0] - GAP) + GAP, all[at + 1].x - GAP]
    x = from <= to ? clamp(x, from, to) : all[at].x
    q[n + unit] = -q[unit]*x
  } else x = all[at].x
  lift(x, y, at === 0 && unit === null ? -1 : bearer(q, x)[0])
  let before = x
  for (const next of hold ? all.slice(at + 1) : []) {
    const [i, knot] = bearer(q, next.x)
    if (i >= 0 && knot >= before - 1e-9) lift(next.x, next.y, i)
    before = next.x
  }
  return q
}

// A network as text for a link, and back; null for what is none of 1 to `most` units
export const toText = p => btoa(String.fromCharCode(...new Uint8Array(Float32Array.from(p).buffer)))
  .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

export function fromText(text, most) {
  if (!/^[\w-]{22,486}$/.test(text ?? '') || text.length % 4 === 1) return null
  const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0))
  if (bytes.length % 12 !== 4 || bytes.length > 12*most + 4) return null
  const p = Float64Array.from(new Float32Array(bytes.buffer))
  return p.every(v => Math.abs(v) < 1e4) ? p : null
}

const toldError = v => v < 1e-4 && v > 0 ? v.toExponential(1).replace('-', '−') : v < 1e6 ? v.toPrecision(v >= 100 ? 4 : 3) : 'off the page'

async function render({model, el}) {
  const data = await unpack(model.get('data')), links = model.get('links'), {xs, ys, names, most, steps} = data
  const range = [xs[0], xs.at(-1)], calm = matchMedia('(prefers-reduced-motion: reduce)')
  const network = (kind, n) => {   // those of 1, 2, ... units lie one after another, 4, 7, ... numbers each
    const from = n => (n - 1)*(3*n + 2)/2, at = kind*from(most + 1) + from(n)
    return Float64Array.from(data.nets.subarray(at, at + 3*n + 1))
  }
  const errors = names.map((_, kind) => Array.from({length: most}, (_, i) => [i + 1, loss(network(kind, i + 1), xs, ys)]))
  const told = errors.flat().map(([, error]) => error)
  let p = fromText(links ? fromLink('bend') : '', most) ?? network(0, data.units), n = count(p)
  let picked = 0, touched = false, training = null
  const kept = new Map()   // the line of each number of units, for when it comes back

  const span = Math.max(...ys) - Math.min(...ys), rows = [Math.min(...ys) - .25*span, Math.max(...ys) + .25*span]
  const room = .03*(range[1] - range[0])
  const board = plot({label: 'A curve, and a line with corners', height: 340, xs: [range[0] - room, range[1] + room], ys: rows})
  board.line('target', Array.from(xs, (x, k) => [x, ys[k]]), {dashed: true})
  const ladder = plot({label: 'Squared error by number of units', height: 230, xs: [0, most + 1], ys: [Math.min(...told)/2, Math.max(...told)*2], logY: true, xLabel: 'units', yLabel: 'squared error'})
  errors.slice(1).forEach((line, i) => ladder.line(names[i + 1], line, i ? {className: 'dim', dashed: true} : {className: 'below'}))

  const now = h('b', {className: 'above'}), about = h('p', {className: 'dim about'})
  const beside = names.slice(1).map((name, i) => {
    const value = h('b', {className: i ? '' : 'below'})
    return {value, row: h('div', {className: 'beside'}, h('span', {}, name), value)}
  })
  const crowd = h('b')
  const units = slider('Units', {min: 1, max: most, step: 1, value: n}, v => {
    kept.set(n, p)
    become(kept.get(v) ?? network(0, v))
  })
  const choose = names.map((name, kind) => button(name, () => become(network(kind, n))))
  const train = button('', () => training ? rest() : begin(), {className: 'train'})
  const check = (text, checked) => {
    const input = h('input', {type: 'checkbox', checked})
    return [input, h('label', {className: 'check'}, input, text)]
  }
  const [hold, holdLabel] = check('Hold the other corners', true), [adam, adamLabel] = check('Adam, not plain steps', true)
  adam.onchange = () => { if (training) begin() }

  const say = frame(el, {label: 'Bend a line onto a curve', css: PLOT_CSS + STYLE, help: HELP}, [
    h('p', {className: 'title'}, 'Bend the line onto the dashed curve'),
    h('div', {className: 'parts'}, h('div', {}, board.el, about),
      h('div', {className: 'errors'}, h('div', {className: 'beside now'}, h('span', {}, 'Squared error now'), now), ...beside.map(b => b.row),
        h('div', {className: 'beside'}, h('span', {}, 'Corners'), crowd), ladder.el)),
    h('div', {className: 'controls'}, units, h('div', {className: 'row'}, holdLabel, adamLabel)),
    h('div', {className: 'row'}, ...choose, train, ...(links ? [linkButton('bend', () => toText(p))] : []))], show)

  function become(next) {
    training = null
    p = next
    n = count(p)
    touched = true
    show()
  }

  // Training, a few steps in each frame of the screen; where motion is unwelcome, all at once

  function begin() {
    training = {step: stepper(adam.checked, data.lr), done: 0}
    touched = true
    requestAnimationFrame(() => go(training))
    show()
  }

  function go(mine) {
    if (training !== mine) return
    for (let i = 0; i < (calm.matches ? steps : steps/160) && mine.done < steps; i++, mine.done++) {
      const next = mine.step(p, gradient(p, xs, ys))
      if (!next.every(Number.isFinite)) return rest()
      p = next
    }
    if (mine.done === steps) return rest()
    show()
    requestAnimationFrame(() => go(mine))
  }

  function rest() {
    training = null
    show()
  }

  function show() {
    const all = corners(p, range), off = loss(p, xs, ys)
    picked = Math.min(picked, all.length - 1)
    const spots = [...range, ...all.map(c => c.x), ...Array.from({length: n}, (_, i) => -p[n + i]/p[i])]
    for (let i = 0; i < most; i++) {
      const bend = x => p[2*n + i]*Math.max(0, p[i]*x + p[n + i]), knot = clamp(-p[n + i]/p[i], ...range)
      board.line(`unit ${i}`, i < n ? [range[0], knot, range[1]].map(x => [x, bend(x)]) : [], {className: i === all[picked].unit ? 'dim' : 'faint'})
    }
    board.line('line', spots.filter(x => x >= range[0] && x <= range[1]).sort((a, b) => a - b).map(x => [x, output(p, x)]), {className: 'above'})
    board.handles('corners', all.map(c => [c.x, c.y]), {className: `above ${all.length > 12 ? 'small' : ''}`, step: [.05, .05],
      names: all.map(({unit, x}, i) => unit === null ? x > range[0] ? 'Right end' : 'Left end' : `Corner ${i + 1}`),
      told: i => `at ${all[i].x.toFixed(2)}, height ${all[i].y.toFixed(2)}`,
      moved: (i, to) => { picked = i; become(pulled(p, i, to, range, hold.checked)) }})
    board.el.querySelectorAll('.handle').forEach((e, i) => { e.tabIndex = i === picked ? 0 : -1 })
    const {unit, x, y} = all[picked]
    about.textContent = off > 1e6 ? 'The steps were too long: the line has left the page.'
      : unit === null ? `An end of the line, at height ${y.toFixed(2)}.`
      : `The corner at ${x.toFixed(2)}, height ${y.toFixed(2)}: there unit ${unit + 1} turns the slope by ${(p[2*n + unit]*Math.abs(p[unit])).toFixed(2).replace('-', '−')}.`
    now.textContent = toldError(off)
    const knots = all.filter(c => c.unit !== null).map(c => c.x), places = knots.filter((x, i) => !(x - knots[i - 1] < room)).length
    crowd.textContent = places === knots.length ? places : `${knots.length} at ${places} place${places === 1 ? '' : 's'}`
    beside.forEach(({value}, i) => { value.textContent = toldError(errors[i + 1][n - 1][1]) })
    ladder.dots('now', [[n, off]], {className: 'above', radius: 6})
    train.textContent = training ? `Pause, after ${training.done}` : `Train ${steps.toLocaleString('en')} steps`
    if (touched && !training) say(`${n} unit${n > 1 ? 's' : ''}, squared error ${toldError(off)}, ${names[1].toLowerCase()} ${toldError(errors[1][n - 1][1])}.`)
  }

  board.el.addEventListener('focusin', e => {
    picked = Array.from(board.el.querySelectorAll('.handle')).indexOf(e.target)
    show()
  })
  board.el.addEventListener('keydown', e => {
    if (e.key !== ' ') return
    const handles = board.el.querySelectorAll('.handle')
    handles[(picked + (e.shiftKey ? -1 : 1) + handles.length) % handles.length].focus()
    e.preventDefault()
    e.stopPropagation()
  })
}

const STYLE = `
.parts { display: grid; gap: 1rem 1.8rem; grid-template-columns: minmax(0, 1fr) minmax(0, 17rem) }
.about { min-height: 1.4em; margin: .2rem 0 0; font-variant-numeric: tabular-nums }
.beside { display: flex; justify-content: space-between; gap: .8rem; align-items: baseline; padding: .3rem 0; border-top: 1px solid var(--edge); font-variant-numeric: tabular-nums }
.now { border: 0 } .now b { font-size: 1.6rem; line-height: 1.1 }
.errors .plot { margin-top: .6rem }
.controls { display: grid; gap: .2rem 1.8rem; grid-template-columns: minmax(0, 1fr) auto; align-items: center; margin: .8rem 0 .4rem }
.controls .row { gap: 0 1.4rem }
.train { min-width: 10.5rem; font-variant-numeric: tabular-nums }
.handle.small::after { inset: 16px; border-width: 1.5px } .handle.small:hover::after, .handle.small:focus-visible::after { inset: 13px }
@container (max-width: 44rem) { .parts, .controls { grid-template-columns: minmax(0, 1fr) } }
`

export default {render}
