// Downhill on the loss of a parabola, at any rate: the curve, the way on the map of the loss, the loss by step.
import {button, frame, fromLink, h, linkButton, slider, unpack} from './shared.js'
import {PLOT_CSS, brief, options, plot} from './plot.js'

const MOST = 5000, GONE = 1e12, LONGEST = 4, SHORTEST = 1e-3   // rates, as shares of the largest stable one
const DIRECTIONS = ['along', 'in between', 'across']
const HELP = 'Play takes steps until you press it again; a change of the rate shows the same number of steps anew. Tab reaches all controls, arrow keys move a slider.'

// Loss and its slopes for a, b and c: the mean squared error of the parabola
export function lossAndSlopes(times, speed, [a, b, c]) {
  const n = times.length, slopes = [0, 0, 0]
  let loss = 0
  times.forEach((t, i) => {
    const miss = (a*t + b)*t + c - speed[i]
    loss += miss*miss/n
    for (const [k, by] of [t*t, t, 1].entries()) slopes[k] += 2*miss*by/n
  })
  return [loss, slopes]
}

// The knobs and the losses of a walk downhill; it ends early (`gone`) when the loss has grown beyond all measure
export function walk(times, speed, start, rate, momentum, steps) {
  let knobs = start, last = [0, 0, 0], [loss, slopes] = lossAndSlopes(times, speed, start)
  const path = [start], losses = [loss], far = GONE*loss
  while (path.length <= steps && loss < far) {
    last = slopes.map((slope, k) => momentum*last[k] + slope)
    knobs = knobs.map((knob, k) => knob - rate*last[k])
    ;[loss, slopes] = lossAndSlopes(times, speed, knobs)
    path.push(knobs)
    losses.push(loss)
  }
  return {path, losses, gone: !(loss < far)}
}

// The largest rate at which a bowl of this curvature is not left, and what a step makes of the way to its bottom:
// with momentum the larger root of x² - (1 + m - rate*curvature) x + m, which may turn as well as shrink
export const limit = (curvature, momentum) => 2*(1 + momentum)/curvature

export function factor(curvature, rate, momentum) {
  const sum = 1 + momentum - rate*curvature, inside = sum*sum - 4*momentum
  if (momentum === 0) return sum
  return inside < 0 ? Math.sqrt(momentum) : (sum + Math.sign(sum)*Math.sqrt(inside))/2
}

// A slider over powers of ten from `low` to `high`; `tell` gives a value in words, `put` on it sets one
function logSlider(label, {low, high, value, step = .05, tell = String}, oninput) {
  const made = slider(label, {min: Math.log10(low), max: Math.log10(high), step, value: Math.log10(value), 'aria-valuetext': tell(value)}, exponent => {
    const v = +(10**exponent).toPrecision(3)
    show(v)
    oninput(v)
  })
  const input = made.querySelector('input')
  const show = v => {
    input.setAttribute('aria-valuetext', tell(v))
    made.querySelector('.value').textContent = tell(v)
  }
  made.put = v => { input.value = Math.log10(v); show(v) }
  return made
}

// A state as text for a link, and back; null for what is none
export const toText = ({ruler, rate, momentum, steps}) => [ruler, rate, momentum, steps].join('_')

export function fromText(text, rulers) {
  if (!/^\d_[\d.]+(e-\d+)?_0(\.\d+)?_\d{1,4}$/.test(text ?? '')) return null
  const [ruler, rate, momentum, steps] = text.split('_').map(Number), curvature = rulers[ruler]?.curvatures.at(-1)
  const fits = rate >= SHORTEST*limit(curvature, 0) && rate <= LONGEST*limit(curvature, 0)
  return fits && momentum <= .95 && steps <= MOST ? {ruler, rate, momentum, steps} : null
}

async function render({model, el}) {
  const {rulers, speed, best, start} = await unpack(model.get('data')), links = model.get('links'), seconds = rulers[0].times
  const state = fromText(links ? fromLink('descent') : '', rulers) ?? {ruler: 0, rate: rulers[0].rates[0], momentum: 0, steps: 0}
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches
  let timer = 0, touched = false, found

  const fit = plot({label: '', height: 300, xs: [seconds[0], seconds.at(-1)], ys: [-20, 80], xLabel: 'time (s)', yLabel: 'speed (cm/s)'})
  const map = plot({label: '', square: true, xs: [-1, 1], ys: [-1, 1]})
  const curve = plot({label: '', height: 300, xs: [0, 25], ys: [1, 1e4], logY: true, xLabel: 'step', yLabel: 'loss'})
  const choices = options('Ruler for time', rulers.map(({name}) => name), ruler => change({ruler, rate: rulers[ruler].rates[0], steps: 0}))
  const presets = rulers.map(({rates}) => h('div', {className: 'row'}, ...rates.map(rate => button(brief(rate, 3), () => set(rate), {ariaLabel: `rate ${brief(rate, 3)}`}))))
  const levers = rulers.map(({curvatures, rates}) => logSlider('Learning rate', {low: SHORTEST*limit(curvatures.at(-1), 0), high: LONGEST*limit(curvatures.at(-1), 0),
    value: rates[0], step: .005, tell: v => brief(v, 3)}, rate => change({rate})))
  const mark = h('p', {className: 'mark'})
  const roll = slider('Momentum', {min: 0, max: .95, step: .05, value: state.momentum}, momentum => change({momentum}))
  const play = button(still ? '25 steps' : 'Play', () => still ? go(25) : timer ? pause() : run())
  const one = button('Step', () => { pause(); go(1) }), many = button('100 steps', () => { pause(); go(100) })
  const reset = button('Reset', () => { pause(); change({steps: 0}) })
  const told = h('p', {className: 'told'}), body = h('tbody')
  const place = h('p', {className: 'dim'})

  const say = frame(el, {label: 'Downhill', css: PLOT_CSS + STYLE, help: HELP}, [
    h('div', {className: 'row'}, choices.el, ...presets),
    h('div', {className: 'levers'}, h('div', {}, ...levers, mark), roll),
    h('div', {className: 'row'}, play, one, many, reset, ...(links ? [linkButton('descent', () => toText(state))] : [])), told,
    h('div', {className: 'parts'}, h('div', {}, fit.el), h('div', {}, map.el, place), h('div', {}, curve.el)),
    h('table', {}, h('thead', {}, h('tr', {}, ...['direction', 'curvature', 'a step keeps', 'left of the way'].map(t => h('th', {scope: 'col'}, t)))), body)], () => {})

  function set(rate) {
    levers[state.ruler].put(rate)
    change({rate})
  }

  function change(what) {
    Object.assign(state, what)
    if (what.ruler !== undefined) { pause(); levers[what.ruler].put(state.rate) }
    touched = true
    show()
  }

  function go(steps) { change({steps: Math.min(found.path.length - 1 + steps, MOST)}) }

  function pause() {
    clearTimeout(timer)
    timer = 0
    play.textContent = still ? '25 steps' : 'Play'
  }

  function run() {
    if (!el.isConnected || found.gone || state.steps >= MOST) return pause()
    go(1 + Math.floor(state.steps/25))
    timer = setTimeout(run, 90)
    play.textContent = 'Pause'
  }

  // How far knobs are from the bottom along each axis of the valley, the flattest first; on the map: across, along
  function away(knobs) {
    const {axes, bottom} = rulers[state.ruler]
    return axes.map(axis => axis.reduce((sum, v, i) => sum + v*(knobs[i] - bottom[i]), 0))
  }

  function onMap(knobs) {
    const [along, , across] = away(knobs)
    return [across, along]
  }

  function show() {
    const {ruler, rate, momentum, steps} = state, {times, curvatures, rates} = rulers[ruler]
    found = walk(times, speed, start, rate, momentum, steps)
    const {path, losses, gone} = found, at = path.length - 1, [across, along] = onMap(start)
    choices.mark(ruler)
    levers.forEach((lever, i) => { lever.hidden = i !== ruler })
    presets.forEach((row, i) => { row.hidden = i !== ruler; row.childNodes.forEach((made, k) => made.setAttribute('aria-pressed', rates[k] === rate)) })
    const most = limit(curvatures[2], momentum), span = Math.log10(LONGEST/SHORTEST)
    const share = (Math.log10(most/limit(curvatures[2], 0)) - Math.log10(SHORTEST))/span
    mark.style.right = `calc(${100*(1 - share)}% + ${16*share - 8}px - .35em)`
    mark.textContent = `largest stable rate ${brief(most, 3)} ▲`
    one.disabled = many.disabled = gone || at >= MOST
    play.disabled = one.disabled && !timer

    const knobs = path.at(-1), draw = ([a, b, c]) => seconds.map((s, i) => [s, (a*times[i] + b)*times[i] + c])
    fit.line('first', draw(start), {className: 'dim', dashed: true})
    fit.line('now', draw(knobs), {className: 'above'})
    fit.dots('measured', seconds.map((s, i) => [s, speed[i]]), {className: 'below'})
    fit.name(`The measured speeds, and the parabola ${knobs.map(v => brief(v, 4)).join(', ')}`)

    const high = 1.3*Math.max(Math.abs(along), Math.abs(across)), stretch = 10**Math.floor(Math.log10(Math.abs(along/across) + .5))
    const wide = high/Math.max(stretch, 1), top = (curvatures[2]*wide**2 + curvatures[0]*high**2)/2
    map.set({xs: [-wide, wide], ys: [-high, high], xLabel: 'across the valley', yLabel: 'along the valley'})
    LEVELS.forEach((level, i) => {
      const [x, y] = [2, 0].map(k => Math.sqrt(2*level*top/curvatures[k]))
      map.line(`contour ${i}`, TURN.map(angle => [x*Math.cos(angle), y*Math.sin(angle)]), {className: 'faint'})
    })
    const shown = path.slice(0, 400).map(onMap), last = onMap(knobs)
    map.line('way', [...shown, last], {className: 'above'})
    map.dots('steps', shown.slice(0, 80), {className: 'above', radius: 2.5})
    map.dots('start', [shown[0]], {className: 'above', radius: 5, hollow: true})
    map.dots('now', [last], {className: 'above', radius: 5.5})
    map.text('bottom', [0, 0], '★', {className: 'below', anchor: 'middle', dy: 5})
    map.name(`Map of the loss: the way is ${brief(last[0])} across and ${brief(last[1])} along from the bottom`)
    place.textContent = stretch > 1 ? `Drawn ${stretch} times as wide as it is.` : 'Both ways on one scale.'

    const end = Math.max(25, at), peak = Math.max(...losses.filter(Number.isFinite))
    curve.set({xs: [0, end], ys: [1, Math.max(1e4, 10**Math.ceil(Math.log10(peak)))]})
    const thin = Math.ceil(losses.length/1000)
    curve.line('best', [[0, best], [end, best]], {className: 'dim', dashed: true})
    curve.line('loss', losses.map((l, i) => [i, l]).filter(([i]) => i % thin === 0 || i === at), {className: 'above'})
    curve.dots('loss', at <= 60 ? losses.map((l, i) => [i, l]) : [[at, losses[at]]], {className: 'above', radius: 2.5})
    curve.text('best', [0, best], 'best possible', {dx: 6, dy: -6})
    curve.name(`Loss by step: from ${brief(losses[0], 4)} to ${brief(losses[at], 4)} after ${at}`)

    const keeps = curvatures.map(curvature => factor(curvature, rate, momentum))
    tell(at, losses, gone, keeps)
    const left = away(knobs), whole = away(start)
    body.replaceChildren(...[2, 1, 0].map(k => h('tr', {className: Math.abs(keeps[k]) >= 1 ? 'wrong' : ''}, h('th', {scope: 'row'}, DIRECTIONS[k]),
      ...[brief(curvatures[k], 4), brief(keeps[k], Math.abs(Math.abs(keeps[k]) - 1) < .01 ? 7 : 3), `${brief(100*left[k]/whole[k], 4)} %`].map(t => h('td', {}, t)))))
  }

  function tell(at, losses, gone, keeps) {
    const now = `Step ${at}: loss ${brief(losses[at], 4)}, the best possible is ${brief(best, 4)}. `
    const wall = Math.abs(keeps[2]), slow = 1 - Math.max(...keeps.map(Math.abs))
    const why = gone ? `It is gone: the loss is over a trillion times that of the start, and the walk was stopped.`
      : wall > 1 + 1e-9 ? `Diverging: each step makes what is left across the valley ${brief(wall, wall < 1.01 ? 6 : 3)} times as large.`
      : losses[at] < 1.001*best ? 'Arrived.'
      : slow < 1e-3 ? 'Crawling: along the valley hardly anything is done in a step.'
      : keeps[2] < 0 ? 'Each step lands on the other wall of the valley, a little lower.' : 'Down the wall of the valley, on the same side of it.'
    told.textContent = now + (at || gone ? why : 'Choose a rate; then play or step.')
    if (touched) say(told.textContent)
  }

  levers[state.ruler].put(state.rate)
  show()
}

const LEVELS = [.003, .02, .06, .13, .25, .42, .65], TURN = Array.from({length: 121}, (_, i) => i*Math.PI/60)

const STYLE = `
[hidden] { display: none !important } .row { gap: .5rem 1rem } .row .row { gap: .4rem }
.levers { display: grid; gap: .2rem 1.6rem; grid-template-columns: minmax(0, 2.2fr) minmax(0, 1fr); align-items: start; margin: .6rem 0 .3rem } .levers > div { position: relative; padding-bottom: 1.6rem }
.slider .value { font-size: 1.15rem; font-weight: 600; color: var(--text) }
.mark { position: absolute; bottom: .25rem; font-size: .88rem; color: var(--dim); white-space: nowrap; pointer-events: none }
.told { margin: .7rem 0; min-height: 2.8em }
.parts { display: grid; gap: 1rem 1.2rem; grid-template-columns: repeat(3, minmax(0, 1fr)) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-top: .8rem }
th, td { padding: .22rem 1.6rem .22rem 0; text-align: left; font-weight: 400 } thead th, tbody th { color: var(--dim) } tbody tr { border-top: 1px solid var(--edge) }
.wrong td:nth-child(3) { color: var(--three); font-weight: 600 }
@container (max-width: 44rem) { .parts, .levers { grid-template-columns: minmax(0, 1fr) } th, td { padding-right: .9rem; font-size: .92rem } }
`

export default {render}
