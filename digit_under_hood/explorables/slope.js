// A slope as rise over run, the run as short as you like: how straight a curve becomes, and how rough its numbers.
import {frame, fromLink, h, linkButton, slider, unpack} from './shared.js'
import {PLOT_CSS, brief, options, plot} from './plot.js'

const FLOATS = ['float32', 'float64'], COLOURS = ['above', 'below'], SIDES = ['One side', 'Both sides'], REACH = 2.3
const HELP = 'Drag the slider or use the arrow keys; Home and End go to the longest and the shortest run.'

// The curves, every operation rounded by `r`
export const CURVES = {'sin x': (x, r) => r(Math.sin(x)), 'x²': (x, r) => r(x*x)}
const ROUND = {float32: Math.fround, float64: v => v}

// Rise over run of a curve, from x by `h` to one side or both, as computed with numbers of `type` alone
export function measured(curve, x, h, both, type) {
  const r = ROUND[type], at = r(x), far = r(h), right = r(at + far), left = both ? r(at - far) : at
  const [high, low, middle] = [right, left, at].map(v => CURVES[curve](v, r)), [rise, run] = [r(high - low), r(right - left)]
  return {at, right, left, high, low, middle, rise, run, slope: run ? r(rise/run) : NaN}
}

// The curve about x as computed so: distances from x in runs of `h`, heights in the rise of the tangent over one run
export function magnified(curve, x, h, slope, type, count = 480) {
  const r = ROUND[type], at = r(x), middle = CURVES[curve](at, r)
  return Array.from({length: count + 1}, (_, i) => REACH*(2*i/count - 1)).map(share =>
    [share, (CURVES[curve](r(at + r(share*h)), r) - middle)/(slope*h)])
}

// Two numbers with all the digits of `type`, in how many of these they agree, and where in the text that ends
export function alike(a, b, type) {
  const count = type === 'float32' ? 9 : 17, texts = [a, b].map(v => v.toPrecision(count).replace('-', '−'))
  const digits = a === b ? count : Math.min(Math.max(Math.floor(-Math.log10(Math.abs(a - b)/Math.max(Math.abs(a), Math.abs(b)))), 0), count)
  const places = texts.map(text => {
    const lead = text.search(/[1-9]/), point = text.indexOf('.')
    return digits && lead >= 0 ? lead + digits + (point > lead && point < lead + digits + 1) : 0
  })
  return {texts, digits, places}
}

// A state as text for a link, and back; null for what is none
export const toText = ({curve, run, both, type}) => [curve, run, +both, type].join('.')

export function fromText(text, curves, runs) {
  if (!/^\d\.\d{1,3}\.[01]\.[01]$/.test(text ?? '')) return null
  const [curve, run, both, type] = text.split('.').map(Number)
  return curve < curves && run < runs ? {curve, run, both: both === 1, type} : null
}

async function render({model, el}) {
  const {curves, x, slopes, runs} = await unpack(model.get('data')), links = model.get('links')
  const state = fromText(links ? fromLink('slope') : '', curves.length, runs.length) ?? {curve: 0, run: 0, both: true, type: 1}
  const errors = curves.map((curve, c) => [false, true].map(both => FLOATS.map(type =>
    runs.map(run => [run, Math.abs(measured(curve, x, run, both, type).slope - slopes[c])]))))
  let shortest = state.run, touched = false

  const lever = slider('Run', {min: 0, max: runs.length - 1, step: 1, value: state.run, 'aria-valuetext': brief(runs[state.run])}, run => change({run}))
  const input = lever.querySelector('input'), length = lever.querySelector('.value')
  const choice = (name, label, words, values) => {
    const {el, mark} = options(label, words, i => change({[name]: values[i]}))
    return {el, mark: () => mark(values.indexOf(state[name]))}
  }
  const choices = [choice('curve', 'Curve', curves, [...curves.keys()]), choice('both', 'Run to', SIDES, [false, true]), choice('type', 'Numbers', FLOATS, [0, 1])]
  const near = plot({label: '', height: 320, xs: [-REACH, REACH], ys: [-REACH, REACH], xLabel: 'distance from x, in runs', yLabel: 'rise (the tangent: 1 a run)'})
  const vees = plot({label: '', height: 320, xs: [runs[0], runs.at(-1)], ys: [1e-13, 10], logX: true, logY: true, xLabel: 'run, shorter to the right', yLabel: 'error of the slope'})
  const key = (className, words) => h('span', {className: 'key'}, h('i', {className}), words), secant = key('', 'secant')
  const told = h('p', {className: 'told'}), body = h('tbody')

  const say = frame(el, {label: 'A slope and its run', css: PLOT_CSS + STYLE, help: HELP}, [
    h('div', {className: 'row choices'}, ...choices.map(c => c.el)), lever,
    h('div', {className: 'parts'},
      h('div', {}, near.el, h('p', {className: 'keys'}, key('', 'curve as computed'), secant, key('dim dashed', 'tangent'))),
      h('div', {}, vees.el, h('p', {className: 'keys'}, key('above', 'float32'), key('below', 'float64'), key('dim dashed', 'one side')))),
    told, h('table', {}, h('thead', {}, h('tr', {}, h('td'), ...FLOATS.map((each, i) => h('th', {scope: 'col', className: COLOURS[i]}, each)))), body),
    ...(links ? [h('div', {className: 'row'}, linkButton('slope', () => toText(state)))] : [])], () => {})
  show()

  function change(what) {
    Object.assign(state, what)
    shortest = Math.max(shortest, state.run)
    touched = true
    show()
  }

  function show() {
    const {curve, both, type} = state, [name, slope, run] = [curves[curve], slopes[curve], runs[state.run]]
    const found = FLOATS.map(each => measured(name, x, run, both, each)), off = found.map(one => Math.abs(one.slope - slope))
    input.setAttribute('aria-valuetext', length.textContent = brief(run))
    choices.forEach(c => c.mark())
    magnify(name, slope, run, found[type], type)

    errors[curve].forEach((pair, sides) => pair.forEach((line, i) => {
      const className = COLOURS[i], own = sides === +both
      vees.line(`${sides}${i}`, line.slice(0, shortest + 1), {className, dashed: !sides})
      vees.dots(`${sides}${i}`, own ? [line[state.run]] : [], {className, radius: i === type ? 6 : 4})
    }))
    vees.name(`Error of the slope for runs from ${runs[0]} to ${brief(runs[shortest])}, on logarithmic axes`)
    tabulate(found, off, both)

    const lost = found.findIndex(one => !one.run), {digits} = alike(found[type].high, found[type].low, FLOATS[type])
    told.textContent = `${name} at ${x} has slope ${+slope.toPrecision(9)}. ` + (lost < 0
      ? `In ${FLOATS[type]} the two heights agree in ${digits} of ${type ? 17 : 9} digits; only the rest is left for the slope.`
      : `In ${FLOATS[lost]}, ${x} + ${brief(run)} is ${x}: no run at all, and nothing to divide by.`)
    if (touched) say(`Run ${brief(run)}, ${SIDES[+both].toLowerCase()}. Error: ${FLOATS.map((each, i) => `${brief(off[i])} in ${each}`).join(', ')}.`)
  }

  function magnify(name, slope, run, own, type) {
    const ends = [[own.left, own.low], [own.right, own.high]].map(([u, v]) => [(u - own.at)/run, (v - own.middle)/(slope*run)])
    const [[u, v], [w, z]] = ends, tilt = (z - v)/(w - u)
    near.line('tangent', [[-9, -9], [9, 9]], {className: 'dim', dashed: true})
    near.line('curve', magnified(name, x, run, slope, FLOATS[type]))
    near.line('secant', [[u - 9, v - 9*tilt], [u + 9, v + 9*tilt]], {className: COLOURS[type]})
    secant.firstChild.className = COLOURS[type]
    near.dots('ends', ends, {className: COLOURS[type], radius: 5})
    near.name(`${name} around ${x} in ${FLOATS[type]}, the run of ${brief(run)} drawn as 1: the secant has slope ${brief(own.slope, 4)}, the tangent ${brief(slope, 4)}`)
  }

  function tabulate(found, off, both) {
    const heights = found.map((one, i) => alike(one.high, one.low, FLOATS[i]))
    const number = which => ({texts, places}) => [h('span', {className: 'same'}, texts[which].slice(0, places[which])), h('b', {}, texts[which].slice(places[which]))]
    const row = (name, cells) => h('tr', {}, h('th', {scope: 'row'}, name), ...cells.map(cell => h('td', {}, ...[cell].flat())))
    body.replaceChildren(
      row('at x + run', heights.map(number(0))), row(both ? 'at x − run' : 'at x', heights.map(number(1))),
      row('rise', found.map(one => brief(one.rise, 3))), row('run', found.map(one => brief(one.run, 3))),
      row('slope', found.map((one, i) => brief(one.slope, i ? 12 : 8))), row('error', off.map(v => brief(v))))
  }
}

const STYLE = `
.choices { gap: .5rem 1.2rem; margin-bottom: .5rem }
.slider .value { font-size: 1.25rem; font-weight: 600; color: var(--text) }
.parts { display: grid; gap: 1rem 1.6rem; grid-template-columns: repeat(2, minmax(0, 1fr)); margin: .6rem 0 }
.keys { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .88rem } .key { display: flex; gap: .45rem; align-items: center }
.key i { width: 1.5rem; border-top: 2.5px solid currentColor } .key i.dashed { border-top-style: dashed } .key i.dim { color: var(--dim) }
.told { margin: .8rem 0 .5rem; min-height: 2.8em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-bottom: .8rem } thead th { font-weight: 600 }
th, td { padding: .22rem 1.4rem .22rem 0; text-align: left; font-weight: 400; white-space: nowrap } tbody tr { border-top: 1px solid var(--edge) } tbody th { color: var(--dim) }
td { font-family: var(--mono, ui-monospace, monospace); font-size: .92rem } .same { color: var(--dim) } td b { color: var(--three); font-weight: 600 } td + td b { color: var(--seven) }
@container (max-width: 34rem) { .parts { grid-template-columns: minmax(0, 1fr) } td { font-size: .76rem } th, td { padding-right: .6rem } th { font-size: .88rem } }
`

export default {render}
