// A digit that moves along the gradient of a model, or at random, and what two models make of it.
import {button, clamp, frame, fromLink, h, images, linkButton, paint, paintSigned, picture, slider, unpack} from './shared.js'
import {PLOT_CSS, brief, options, plot} from './plot.js'

const PIXELS = 784, CLASSES = 10, MOST = .3, STEP = .005, MANY = 20
const WAYS = ['Linear model’s gradient', 'Network’s gradient', 'Random signs'], NAMES = ['Linear model', 'Network'], SIDES = ['above', 'below']
const HELP = 'Choose a digit and a way, then drag the slider or use its arrow keys. Below the dashed line the digit is misread.'

// The two models from unpacked data, the weights that were packed as whole numbers in their own size
export function restore({linear, linearSteps, linearBias, first, firstSteps, firstBias, second, secondBias, signs}) {
  const scaled = (numbers, steps) => Float64Array.from(numbers, (v, i) => v*steps[Math.floor(i/PIXELS)])
  return {linear: scaled(linear, linearSteps), linearBias, first: scaled(first, firstSteps), firstBias, second, secondBias,
    signs: Float64Array.from(signs, bit => 2*bit - 1)}
}

// Each row of weights times the image, and a bias
const layer = (weights, bias, from, width = from.length) => Float64Array.from(bias, (b, row) => {
  let sum = b
  for (let i = 0; i < width; i++) sum += weights[row*width + i]*from[i]
  return sum
})

// The sum of rows of weights, each times its number
function back(weights, numbers, width) {
  const sum = new Float64Array(width)
  numbers.forEach((v, row) => { if (v) for (let i = 0; i < width; i++) sum[i] += v*weights[row*width + i] })
  return sum
}

const hidden = (m, image) => layer(m.first, m.firstBias, image).map(v => Math.max(v, 0))

// The ten scores of model 0, the linear one, or 1, the network
export const scores = (m, which, image) => which ? layer(m.second, m.secondBias, hidden(m, image)) : layer(m.linear, m.linearBias, image)

export function softmax(scores) {
  const most = Math.max(...scores), e = scores.map(s => Math.exp(s - most)), sum = e.reduce((a, b) => a + b, 0)
  return e.map(v => v/sum)
}

// The slope of cross-entropy for each pixel
export function gradient(m, which, image, label) {
  const off = softmax(scores(m, which, image)).map((p, k) => p - (k === label))
  if (!which) return back(m.linear, off, PIXELS)
  const lit = hidden(m, image), down = back(m.second, off, lit.length)
  return back(m.first, down.map((v, u) => lit[u] ? v : 0), PIXELS)
}

// The image after `steps` steps along a way (0, 1: the gradient of that model; 2: random signs), no pixel
// farther than `eps` from where it was: one step is FGSM, many are PGD
export function moved(m, way, image, label, eps, steps) {
  const step = steps > 1 ? 2.5*eps/steps : eps
  let now = image
  for (let n = 0; n < (way === 2 ? 1 : steps); n++) {
    const slopes = way === 2 ? m.signs : gradient(m, way, now, label), far = way === 2 ? eps : step
    now = now.map((v, i) => clamp(clamp(v + far*Math.sign(slopes[i]), image[i] - eps, image[i] + eps), 0, 1))
  }
  return now
}

// The score of the right digit less the best of the others: below 0 the model is fooled
export const margin = (scores, label) => scores[label] - Math.max(...scores.filter((_, k) => k !== label))

// A state as text for a link, and back; null for what is none
export const toText = ({digit, way, many, eps}) => [digit, way, +many, Math.round(eps/STEP)].join('.')

export function fromText(text, count) {
  if (!/^\d{1,2}\.[012]\.[01]\.\d{1,2}$/.test(text ?? '')) return null
  const [digit, way, many, place] = text.split('.').map(Number), eps = place*STEP
  return digit < count && eps <= MOST + 1e-9 ? {digit, way, many: many === 1, eps} : null
}

async function render({model, el}) {
  const {labels, images: packed, ...numbers} = await unpack(model.get('data')), links = model.get('links')
  const m = restore(numbers), all = images(packed).map(image => Float64Array.from(image)), count = Math.round(MOST/STEP/2)
  let state = fromText(links ? fromLink('fool') : '', labels.length) ?? {digit: 0, way: 0, many: false, eps: 0}
  const at = eps => moved(m, state.way, all[state.digit], labels[state.digit], eps, state.many ? MANY : 1)
  let colours, lines, touched = false

  const thumbs = all.map((_, i) => picture(`a ${labels[i]}`, 28, 28, {className: 'cells thumb'}))
  const picks = thumbs.map((thumb, i) => button('', () => change({digit: i}), {className: 'pick', ariaLabel: `Image ${i + 1}, a ${labels[i]}`}))
  picks.forEach((pick, i) => pick.append(thumbs[i]))
  const ways = options('Which way', WAYS, way => change({way}), 'choice ways'), steps = options('Steps', ['1 step', `${MANY} steps`], i => change({many: i === 1}))
  const lever = slider('Most that a pixel may change, ε', {min: 0, max: MOST, step: STEP, value: state.eps}, eps => change({eps}))
  const input = lever.querySelector('input'), length = lever.querySelector('.value')
  const seen = picture('', 28, 28), added = picture('', 28, 28)
  const answers = NAMES.map((name, i) => {
    const verdict = h('b', {}), sure = h('span', {className: 'dim'}), bars = Array.from({length: CLASSES}, () => h('i', {}))
    const chart = h('div', {className: `bars ${SIDES[i]}`, role: 'img'}, ...bars.map((bar, k) => h('span', {}, bar, h('small', {}, `${k}`))))
    return {verdict, sure, bars, chart, el: h('div', {className: 'answer'}, h('p', {}, h('span', {className: SIDES[i]}, name), ' says ', verdict, ' ', sure), chart)}
  })
  const trace = plot({label: '', height: 230, xs: [0, MOST], ys: [-10, 10], xLabel: 'ε', yLabel: 'margin of the right digit'})

  const say = frame(el, {label: 'A digit that moves along a gradient', css: PLOT_CSS + STYLE, help: HELP}, [
    h('div', {className: 'row picks', role: 'group', ariaLabel: 'Digit'}, ...picks),
    h('div', {className: 'row choices'}, ways.el, steps.el), lever,
    h('div', {className: 'parts'},
      h('figure', {}, seen, h('figcaption', {}, 'as you see it')), h('figure', {}, added, h('figcaption', {}, 'what was changed')),
      h('div', {className: 'told'}, ...answers.map(a => a.el))),
    trace.el, ...(links ? [h('div', {className: 'row end'}, linkButton('fool', () => toText(state)))] : [])],
  found => { colours = found; thumbs.forEach((thumb, i) => paint(thumb, all[i], colours.ink)); show() })

  function change(to) {
    state = {...state, ...to}
    if (!('eps' in to)) lines = undefined
    touched = true
    show()
  }

  // Both margins for every second eps of the slider: drawn anew when anything but eps changes
  function margins() {
    const points = Array.from({length: count + 1}, (_, i) => [2*i*STEP, at(2*i*STEP)])
    return [0, 1].map(which => points.map(([eps, image]) => [eps, margin(scores(m, which, image), labels[state.digit])]))
  }

  function show() {
    const {digit, way, many, eps} = state, label = labels[digit], image = at(eps), change = image.map((v, i) => v - all[digit][i])
    lines ??= margins()
    picks.forEach((pick, i) => pick.setAttribute('aria-pressed', i === digit))
    ways.mark(way)
    steps.mark(+many)
    steps.el.querySelectorAll('button').forEach(b => { b.disabled = way === 2 })
    input.value = eps
    input.setAttribute('aria-valuetext', length.textContent = eps.toFixed(3))
    paint(seen, image, colours.ink)
    paintSigned(added, change, colours, MOST)
    seen.setAttribute('aria-label', `A ${label}, no pixel changed by more than ${eps.toFixed(3)}`)
    added.setAttribute('aria-label', `What was changed: ink added in ${change.filter(v => v > 0).length} pixels, taken away in ${change.filter(v => v < 0).length}`)
    const told = answers.map(({verdict, sure, bars, chart}, which) => {
      const shares = softmax(scores(m, which, image)), best = shares.indexOf(Math.max(...shares)), percent = `${Math.round(100*shares[best])} %`
      verdict.textContent = `${best} ${best === label ? '✓' : '✗'}`
      sure.textContent = `${percent} sure`
      bars.forEach((bar, k) => { bar.style.height = `${100*shares[k]}%` })
      chart.setAttribute('aria-label', `${NAMES[which]}: ${Array.from(shares, (s, k) => [s, k]).sort((a, b) => b[0] - a[0]).slice(0, 3).map(([s, k]) => `${k} ${Math.round(100*s)} %`).join(', ')}`)
      return `${NAMES[which].toLowerCase()} ${best}, ${percent}`
    })
    const heights = lines.flat().map(([, y]) => y), room = Math.max(...heights) - Math.min(...heights)
    trace.set({ys: [Math.min(...heights, -1) - .14*room, Math.max(...heights) + .08*room]})
    trace.line('edge', [[0, 0], [MOST, 0]], {className: 'dim', dashed: true})
    lines.forEach((line, i) => {
      trace.line(NAMES[i], line, {className: SIDES[i]})
      const first = line[0][1] > lines[1 - i][0][1]   // its name stands above its start, the other's below its end
      trace.text(NAMES[i], line.at(first ? 0 : -1), NAMES[i].toLowerCase(), {className: SIDES[i], anchor: first ? 'start' : 'end', dx: first ? 8 : -4, dy: first ? -8 : 20})
    })
    const now = [0, 1].map(which => [eps, margin(scores(m, which, image), label)])
    trace.dots('now', now, {className: i => SIDES[i], radius: 5})
    trace.name(`Score of the right digit less the best other, for ε from 0 to ${MOST}. At ${eps.toFixed(3)}: ${now.map(([, y], i) => `${NAMES[i].toLowerCase()} ${brief(y)}`).join(', ')}`)
    if (touched) say(`A ${label}, changed by at most ${eps.toFixed(3)}. Read as: ${told.join('; ')}.`)
  }
}

const STYLE = `
.picks { margin-bottom: .7rem } .pick { width: 48px; height: 48px; min-width: 48px; padding: 3px } .pick .cells { border: 0 }
.pick[aria-pressed=true] { border-width: 2px; padding: 2px }
.choices { gap: .5rem 1.2rem; margin-bottom: .5rem } .choices button { padding: 0 .75rem }
.slider .value { font-size: 1.25rem; font-weight: 600; color: var(--text) }
.parts { display: grid; gap: .8rem 1.2rem; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr) minmax(0, 1.5fr); margin: .4rem 0 1rem; align-items: start }
figure { margin: 0 } figcaption { color: var(--dim); font-size: .88rem; margin-top: .3rem }
.told { display: grid; gap: .7rem } .answer p span:first-child { font-weight: 600 } .answer b { font-size: 1.15rem }
.bars { display: grid; grid-template-columns: repeat(10, 1fr); gap: 3px; height: 62px } .bars span { display: grid; grid-template-rows: 1fr auto; align-items: end; justify-items: center }
.bars i { display: block; width: 100%; min-height: 1px; background: currentColor; border-radius: 2px 2px 0 0 } .bars small { color: var(--dim); font-size: .78rem; line-height: 1.2; border-top: 1px solid var(--edge); width: 100%; text-align: center }
.end { margin-top: .9rem }
@container (max-width: 38rem) { .parts { grid-template-columns: 1fr 1fr } .told { grid-column: 1/3; grid-template-columns: 1fr 1fr } .ways { flex-wrap: wrap } .ways button { margin-top: -1px } }
@container (max-width: 27rem) { .box { padding: .8rem } .ways { display: grid; width: 100% } .ways button, .ways button:first-child, .ways button:last-child { border-radius: 8px; margin: 0 0 .3rem } .choices, .picks { gap: .4rem } }
`

export default {render}
