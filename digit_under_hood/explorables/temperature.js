// One lever, the temperature: what it does to calibration, loss and the shares of single digits.
import {button, clamp, frame, fromLink, h, images, linkButton, paint, picture, slider, unpack} from './shared.js'
import {PLOT_CSS, plot} from './plot.js'

const LIMITS = [.2, 5], DRAWN = 10, COUNTED = 15   // groups of the picture and of the error, as in the chapter
const HELP = 'Drag the temperature or use the arrow keys, and choose a digit. A dot is a group of digits: where it stands below the dashed line, the network is too sure. The bars are Wilson’s intervals.'

// Rows of scores less the best of their row, from what was packed (roots, as small gaps matter most); each stands for so many digits
export function restore({steps, step, labels, alone, weight}) {
  const k = steps.length/labels.length
  return Array.from(labels, (label, i) => ({label, weight: i < alone ? 1 : weight,
    scores: Array.from(steps.subarray(k*i, k*i + k), v => -v*v*step)}))
}

export function shares(scores, T) {
  const e = scores.map(s => Math.exp(s/T)), sum = e.reduce((a, b) => a + b, 0)
  return e.map(v => v/sum)
}

// Of so many groups by confidence: [mean claim, share that is right, how many], the empty ones left out
function grouped(all, count) {
  const sums = Array.from({length: count}, () => [0, 0, 0])
  for (const {sure, right, weight} of all) {
    const sum = sums[Math.min(Math.floor(sure*count), count - 1)]
    ;[sure, right, 1].forEach((v, i) => { sum[i] += weight*v })
  }
  return sums.filter(([, , n]) => n).map(([claims, keeps, n]) => [claims/n, keeps/n, n])
}

// All that the reader sees of the rows at one temperature
export function measure(rows, T) {
  const all = rows.map(({scores, label, weight}) => {
    const sum = scores.reduce((a, s) => a + Math.exp(s/T), 0)   // the best score is 0
    return {weight, sure: 1/sum, right: +(scores.indexOf(0) === label), loss: Math.log(sum) - scores[label]/T}
  })
  const n = all.reduce((a, {weight}) => a + weight, 0), mean = value => all.reduce((a, one) => a + one.weight*value(one), 0)/n
  const error = grouped(all, COUNTED).reduce((a, [claims, keeps, n]) => a + n*Math.abs(claims - keeps), 0)/n
  return {loss: mean(one => one.loss), error, accuracy: mean(one => one.right), groups: grouped(all, DRAWN)}
}

// Wilson's interval for a share of n, as `accuracy_interval`
export function interval(share, n, z = 1.96) {
  const middle = share + z*z/(2*n), half = z*Math.sqrt(share*(1 - share)/n + z*z/(4*n*n))
  return [middle - half, middle + half].map(v => v/(1 + z*z/n))
}

// A state as text for a link, and back; null for what is none
export const toText = ({T, digit}) => `${T}_${digit}`

export function fromText(text, count) {
  if (!/^\d(\.\d{1,3})?_\d$/.test(text ?? '')) return null
  const [T, digit] = text.split('_').map(Number)
  return T >= LIMITS[0] && T <= LIMITS[1] && digit < count ? {T, digit} : null
}

async function render({model, el}) {
  const {shown, pictures, ...packed} = await unpack(model.get('data')), links = model.get('links')
  const rows = restore(packed), plain = measure(rows, 1), all = images(pictures)
  let state = fromText(links ? fromLink('temperature') : '', shown.length) ?? {T: 1, digit: shown.length - 1}, touched = false

  const lever = slider('Temperature T', {min: -.7, max: .7, step: .01}, power => change({T: clamp(+(10**power).toPrecision(3), ...LIMITS)}))
  const input = lever.querySelector('input'), length = lever.querySelector('.value')
  const sight = plot({label: '', height: 350, xs: [0, 1], ys: [-.1, 1], xLabel: 'claims (mean confidence)', yLabel: 'keeps (share that is right)'})
  const gauge = name => {
    const value = h('b'), note = h('span', {className: 'dim'})
    return {value, note, el: h('div', {className: 'gauge'}, h('span', {}, name), value, note)}
  }
  const gauges = ['Log loss', 'Calibration error', 'Accuracy'].map(gauge)
  const thumbs = all.map((_, i) => picture(`a ${rows[shown[i]].label}`, 28, 28, {className: 'cells thumb'}))
  const picks = shown.map((row, i) => button(thumbs[i] ? '' : `a ${rows[row].label}`, () => change({digit: i}), {className: 'pick', ariaLabel: `Digit ${i + 1}, a ${rows[row].label}`}))
  thumbs.forEach((thumb, i) => picks[i].append(thumb))
  const verdict = h('p', {className: 'verdict'})
  const bars = rows[0].scores.map((_, k) => { const bar = h('i'), share = h('small'); return {bar, share, el: h('span', {}, share, bar, h('small', {}, `${k}`))} })
  const chart = h('div', {className: 'bars', role: 'img'}, ...bars.map(bar => bar.el))

  const say = frame(el, {label: 'What a temperature does', css: PLOT_CSS + STYLE, help: HELP}, [lever, h('div', {className: 'gauges'}, ...gauges.map(g => g.el)), h('div', {className: 'parts'}, sight.el,
    h('div', {}, h('div', {className: 'row picks', role: 'group', ariaLabel: 'Digit'}, ...picks), verdict, chart)),
    h('div', {className: 'row end'}, button('Back to T = 1', () => change({T: 1})), ...(links ? [linkButton('temperature', () => toText(state))] : []))],
  ({ink}) => { thumbs.forEach((thumb, i) => paint(thumb, all[i], ink)); show() })

  function change(to) {
    state = {...state, ...to}
    touched = true
    show()
  }

  function show() {
    const {T, digit} = state, found = measure(rows, T), {scores, label} = rows[shown[digit]], parts = shares(scores, T), best = scores.indexOf(0)
    input.value = Math.log10(T)
    input.setAttribute('aria-valuetext', length.textContent = `${T}`)
    gauges.forEach(({value, note}, i) => {
      const [now, then] = [found, plain].map(({loss, error, accuracy}) => [loss, error, accuracy][i].toFixed(4))
      value.textContent = now
      note.textContent = i === 2 ? 'at every T' : `${then} at T = 1`
    })
    sight.line('word', [[0, 0], [1, 1]], {className: 'dim', dashed: true})
    sight.line('joined', found.groups, {className: 'faint'})
    const side = ([claims, keeps]) => keeps < claims ? 'above' : 'below', many = n => Math.round(n).toLocaleString('en')
    for (let i = 0; i < DRAWN; i++) {
      const [group] = found.groups.filter(([claims]) => Math.min(Math.floor(claims*DRAWN), DRAWN - 1) === i), n = group?.[2]
      sight.line(`interval ${i}`, group ? interval(group[1], n).map(y => [group[0], y]) : [], {className: group ? side(group) : ''})
      sight.text(`count ${i}`, [(i + .5)/DRAWN, -.06], group ? `${Math.round(n)}` : '', {className: 'count', anchor: 'middle'})
    }
    sight.dots('groups', found.groups, {className: i => side(found.groups[i]), radius: i => 3 + 1.2*Math.log10(found.groups[i][2])})
    sight.text('count', [0, -.06], 'digits', {className: 'count', dx: 3})
    sight.text('modest', [0, 1], 'too modest', {className: 'below', dx: 8, dy: 20})
    sight.text('sure', [1, 0], 'too sure', {className: 'above', anchor: 'end', dx: -8, dy: -8})
    sight.name(`At T = ${T}: ${found.groups.map(([claims, keeps, n]) => `${many(n)} digits claim ${claims.toFixed(2)} and keep ${keeps.toFixed(2)}`).join(', ')}`)
    picks.forEach((pick, i) => pick.setAttribute('aria-pressed', i === digit))
    bars.forEach(({bar, share, el}, k) => {
      bar.style.height = `${100*parts[k]}%`
      share.textContent = parts[k] < .005 ? '' : parts[k].toFixed(2).slice(parts[k] < .995 ? 1 : 0)
      el.className = k === label ? 'label' : ''
    })
    const words = `A ${label}, read as ${best} with ${parts[best].toFixed(2)}`
    verdict.replaceChildren(h('b', {}, `${words} ${best === label ? '✓' : '✗'}`), ...(best === label ? [] : [` The ${label} gets ${parts[label].toFixed(2)}.`]))
    chart.setAttribute('aria-label', parts.map((v, k) => `${k}: ${v.toFixed(2)}`).join(', '))
    if (touched) say(`T ${T}: log loss ${found.loss.toFixed(4)}, calibration error ${found.error.toFixed(4)}, accuracy ${found.accuracy.toFixed(4)}. ${words}.`)
  }
}

const STYLE = `
.slider .value { font-size: 1.25rem; font-weight: 600; color: var(--text) }
.gauges { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0 1.2rem; margin: .3rem 0 1.1rem } .gauge { display: grid; align-content: start; font-variant-numeric: tabular-nums } .gauge b { font-size: 1.45rem; line-height: 1.25 } .gauge .dim { font-size: .88rem }
.parts { display: grid; gap: 1rem 1.6rem; grid-template-columns: minmax(0, 1.35fr) minmax(0, 1fr) } .plot text.count { font-size: 11.5px; font-weight: 400 }
.picks { gap: 5px } .pick { width: 46px; height: 46px; min-width: 46px; min-height: 46px; padding: 3px } .pick .cells { border: 0 } .pick[aria-pressed=true] { border-width: 2px; padding: 2px }
.verdict { margin: .7rem 0 .5rem }
.bars { display: grid; grid-template-columns: repeat(10, 1fr); gap: 3px; height: 216px } .bars span { display: grid; grid-template-rows: auto 1fr auto; justify-items: center; color: var(--dim) }
.bars i { align-self: end; width: 100%; min-height: 1px; background: currentColor; border-radius: 2px 2px 0 0 } .bars .label { color: var(--three) } .bars small { font-size: .78rem; line-height: 1.3; font-variant-numeric: tabular-nums } .bars i + small { border-top: 1px solid var(--edge); width: 100%; text-align: center } .bars .label i + small { font-weight: 700 }
.end { margin-top: .9rem }
@container (max-width: 38rem) { .parts { grid-template-columns: minmax(0, 1fr) } .bars { height: 130px } }
@container (max-width: 27rem) { .box { padding: .8rem } .gauges { gap: 0 .7rem; font-size: .88rem } .gauge .dim { font-size: .8rem; line-height: 1.25 } }
`

export default {render}
