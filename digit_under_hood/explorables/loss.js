// Drag the scores of real images: the sigmoid, the loss and the accuracy answer.
import {button, clamp, frame, fromLink, h, images, linkButton, paint, picture, unpack} from './shared.js'
import {PLOT_CSS, options, plot} from './plot.js'

const MOST = 8, STEP = .1
const HELP = 'Drag an image along its line. On the keyboard: Tab goes from image to image, the arrow keys change its score '
  + 'by a tenth, Page up and Page down by more, Home and End all the way.'

export const sigmoid = x => 1/(1 + Math.exp(-Math.max(x, -80)))
export const squash = (score, twice) => twice ? sigmoid(sigmoid(score)) : sigmoid(score)

// What makes an image a 3: the right rule, and two that mix up the scales. `edge`: where on the scores it changes sides
export const RULES = [
  {name: 'score > 0', edge: 0, says: score => score > 0},
  {name: 'score > 0.5', edge: .5, says: score => score > .5},
  {name: 'sigmoid > 0', edge: -Infinity, says: score => sigmoid(score) > 0}]

// Each prediction's distance from its target, 1 for a 3 and 0 for a 7; which are called a 3; their mean loss and the share that is right
export function measure(scores, targets, twice = false, rule = 0) {
  const count = scores.length, distances = Array.from(scores, (s, i) => targets[i] ? 1 - squash(s, twice) : squash(s, twice))
  const called = Array.from(scores, RULES[rule].says)
  return {distances, called, loss: distances.reduce((a, d) => a + d, 0)/count,
    accuracy: called.reduce((a, three, i) => a + (three === !!targets[i]), 0)/count}
}

// A state as text for a link, scores in hundredths, and back; null for what is no such text
export const toText = ({scores, twice, rule}) => [`${+twice}${rule}`, ...Array.from(scores, s => Math.round(100*s))].join('_')

export function fromText(text, count) {
  if (!/^[01][0-2](_-?\d{1,3})+$/.test(text ?? '')) return null
  const [[twice, rule], ...hundredths] = text.split('_'), scores = hundredths.map(v => v/100)
  return scores.length === count && scores.every(s => Math.abs(s) <= MOST) ? {scores, twice: twice === '1', rule: +rule} : null
}

const signed = v => (v < 0 ? '−' : v > 0 ? '+' : '') + Math.abs(v).toFixed(1)

async function render({model, el}) {
  const {images: packed, targets, scores: first} = await unpack(model.get('data')), links = model.get('links'), count = first.length, real = images(packed)
  const start = () => ({scores: Array.from(first), twice: false, rule: 0})
  let state = fromText(links ? fromLink('loss') : '', count) ?? start(), colours = {}, touched = false
  let chosen = state.scores.reduce((best, s, i) => Math.abs(s) < Math.abs(state.scores[best]) ? i : best, 0)
  const digit = i => targets[i] ? 3 : 7, side = three => three ? 'above' : 'below'

  const curve = plot({label: 'The sigmoid and the images on it', height: 190, xs: [-MOST, MOST], ys: [0, 1], yLabel: 'prediction'})
  const rows = Array.from(first, (_, i) => {
    const input = h('input', {type: 'range', min: -MOST, max: MOST, step: STEP, ariaLabel: `Score of image ${i + 1}, a ${digit(i)}`})
    const thumb = picture(''), [called, far] = [h('span', {className: 'called'}), h('span', {className: 'far'})]
    thumb.setAttribute('aria-hidden', true)
    thumb.className += ` ${side(targets[i])}`
    input.oninput = () => { state.scores[i] = +input.value; pick(i) }
    input.onfocus = () => { if (chosen !== i) { chosen = i; show() } }
    return {input, thumb, called, far, all: [h('div', {className: 'lane'}, input, thumb), h('div', {className: 'answer'}, called, far)]}
  })
  const gauge = name => {
    const value = h('b'), bar = h('i'), note = h('span', {className: 'dim'})
    return {value, bar, note, all: h('div', {className: 'gauge'}, h('span', {}, name), value, h('span', {className: 'meter'}, bar), note)}
  }
  const [loss, accuracy] = [gauge('Loss'), gauge('Accuracy')]
  const alone = h('p', {className: 'title'}), trace = plot({label: 'Loss and accuracy by one score', height: 190, xs: [-MOST, MOST], ys: [0, 1], xLabel: 'its score'})
  const squashers = options('The sigmoid is applied', ['once', 'twice'], i => change({twice: i === 1}), 'row')
  const rules = options('It is called a 3 if', RULES.map(({name}) => name), rule => change({rule}), 'row')

  const lanes = h('div', {className: 'lanes'}, curve.el, h('div', {className: 'answer heads dim'}, h('span', {}, 'called'), h('span', {}, 'loss')), ...rows.flatMap(row => row.all))

  const say = frame(el, {label: 'Scores, predictions, loss and accuracy', css: PLOT_CSS + STYLE, help: HELP}, [h('div', {className: 'parts'},
    h('div', {className: 'told'}, loss.all, accuracy.all),
    lanes,
    h('div', {className: 'more'}, alone, trace.el,
      h('p', {className: 'dim'}, 'The sigmoid is applied'), squashers.el,
      h('p', {className: 'dim'}, 'It is called a 3 if'), rules.el,
      h('div', {className: 'row end'}, button('Back to the model', () => change(start())), ...(links ? [linkButton('loss', () => toText(state))] : []))))],
  found => { colours = found; recolour() })

  function change(to) {
    state = {...state, ...to}
    touched = true
    show()
  }

  function pick(i) {
    chosen = i
    touched = true
    show()
  }

  function recolour() {
    rows.forEach(({thumb}, i) => paint(thumb, real[i], colours[side(targets[i])]))
    show()
  }

  function show() {
    const {scores, twice, rule} = state, found = measure(scores, targets, twice, rule), {edge} = RULES[rule]
    const right = found.called.map((three, i) => three === !!targets[i]), hits = right.filter(Boolean).length
    drawCurve(found, edge)
    const {left, width} = curve.room   // the lines of the images lie below its axis
    lanes.style.setProperty('--left', `${left}px`)
    lanes.style.setProperty('--right', `${curve.el.clientWidth - left - width}px`)
    lanes.style.setProperty('--edge-at', (clamp(edge, -9, 9) + MOST)/(2*MOST))
    rows.forEach(({input, thumb, called, far}, i) => {
      input.value = scores[i]
      input.setAttribute('aria-valuetext', `${signed(scores[i])}, prediction ${squash(scores[i], twice).toFixed(2)}, called a ${found.called[i] ? 3 : 7}`)
      thumb.style.setProperty('--at', (clamp(scores[i], -MOST, MOST) + MOST)/(2*MOST))
      thumb.classList.toggle('chosen', i === chosen)
      called.textContent = `${found.called[i] ? 3 : 7} ${right[i] ? '✓' : '✗'}`
      called.className = `called ${side(found.called[i])}`
      far.textContent = found.distances[i].toFixed(2)
    })
    loss.value.textContent = found.loss.toFixed(4)
    loss.bar.style.width = `${100*found.loss}%`
    loss.note.textContent = 'mean distance'
    accuracy.value.textContent = found.accuracy.toFixed(3)
    accuracy.bar.style.width = `${100*found.accuracy}%`
    accuracy.note.textContent = `${hits} of ${count} right`
    drawTrace(found, edge)
    squashers.mark(+twice)
    rules.mark(rule)
    if (touched) say(`Image ${chosen + 1}, a ${digit(chosen)}: score ${signed(scores[chosen])}. Loss ${found.loss.toFixed(4)}, ${hits} of ${count} right.`)
  }

  function drawCurve({distances}, edge) {
    const {scores, twice} = state, grid = Array.from({length: 161}, (_, i) => (i/80 - 1)*MOST)
    curve.line('edge', [[edge, 0], [edge, 1]], {className: 'dim', dashed: true})
    curve.line('once', twice ? grid.map(x => [x, sigmoid(x)]) : [], {className: 'faint'})
    curve.line('curve', grid.map(x => [x, squash(x, twice)]), {})
    scores.forEach((s, i) => curve.line(`far${i}`, [[s, targets[i]], [s, squash(s, twice)]], {className: side(targets[i])}))
    curve.dots('images', scores.map(s => [s, squash(s, twice)]), {className: i => side(targets[i]), radius: i => i === chosen ? 6 : 4})
  }

  function drawTrace(found, edge) {
    const {scores, twice, rule} = state, at = x => measure(scores.map((s, i) => i === chosen ? x : s), targets, twice, rule)
    const ends = [at(-MOST).accuracy, at(MOST).accuracy], here = scores[chosen]
    alone.textContent = `If only image ${chosen + 1}, a ${digit(chosen)}, moved`
    trace.line('accuracy', edge === -Infinity ? [[-MOST, ends[1]], [MOST, ends[1]]] : [[-MOST, ends[0]], [edge, ends[0]], [edge, ends[1]], [MOST, ends[1]]])
    trace.line('loss', Array.from({length: 81}, (_, i) => (i/40 - 1)*MOST).map(x => [x, at(x).loss]), {className: 'above'})
    trace.line('here', [[here, 0], [here, 1]], {className: 'faint', dashed: true})
    trace.dots('now', [[here, found.loss], [here, found.accuracy]], {className: i => i ? '' : 'above', radius: 5})
    trace.text('accuracy name', [-MOST, ends[0]], 'accuracy', {dx: 6, dy: -7})
    trace.text('loss name', [-MOST, at(-MOST).loss], 'loss', {className: 'above', dx: 6, dy: Math.abs(at(-MOST).loss - ends[0]) < .15 ? 17 : -7})
  }
}

const STYLE = `
.parts { display: grid; gap: 1rem 2rem; grid-template: 'lanes told' auto 'lanes more' 1fr / minmax(0, 1.45fr) minmax(0, 1fr) }
.told { grid-area: told } .lanes { grid-area: lanes } .more { grid-area: more }
.lanes { display: grid; grid-template-columns: minmax(0, 1fr) 5.4rem; gap: 0 .5rem; align-items: center }
.lane { position: relative; height: 44px; margin: 0 calc(var(--right) - 22px) 0 calc(var(--left) - 22px) }
.lane { overflow-x: clip } .lane::after { content: ''; position: absolute; left: calc(22px + var(--edge-at)*(100% - 44px)); height: 100%; top: 0; border-left: 1px dashed var(--dim); opacity: .6; pointer-events: none }
.lane::before { content: ''; position: absolute; left: 22px; right: 22px; top: 50%; border-top: 1px solid var(--edge); pointer-events: none }
.lane input { appearance: none; width: 100%; height: 44px; margin: 0; background: none; cursor: grab; touch-action: pan-y }
.lane input::-webkit-slider-thumb { appearance: none; width: 44px; height: 44px; background: none }
.lane input::-moz-range-thumb { width: 44px; height: 44px; border: 0; background: none }
.lane input:focus-visible { outline: 0 } .lane input:focus-visible + canvas { outline: 3px solid var(--three); outline-offset: 1px }
.lane .cells { position: absolute; top: 3px; left: calc(3px + var(--at)*(100% - 44px)); width: 38px; height: 38px; pointer-events: none; border: 1.5px solid currentColor }
.lane .chosen { box-shadow: 0 0 0 1.5px currentColor }
.answer { display: flex; gap: .4rem; justify-content: space-between; font-variant-numeric: tabular-nums } .called { font-weight: 600; white-space: nowrap }
.heads { align-self: end; font-size: .85rem }
.gauge { display: grid; grid-template-columns: 1fr auto; gap: .1rem .8rem; align-items: baseline; margin-bottom: .8rem; font-variant-numeric: tabular-nums }
.gauge b { font-size: 1.5rem; line-height: 1.1 } .gauge .meter, .gauge .dim { grid-column: 1/3 }
.meter { position: relative; display: block; height: 10px; border-radius: 5px; background: var(--well); border: 1px solid var(--edge); overflow: hidden }
.meter i { position: absolute; left: 0; top: 0; bottom: 0; background: var(--three) } .gauge + .gauge .meter i { background: var(--dim) }
.more .dim { margin: .6rem 0 .3rem } .more .row button { padding: 0 .7rem } .end { margin-top: .9rem }
@container (max-width: 40rem) { .parts { grid-template: 'told' 'lanes' 'more' / minmax(0, 1fr) } .told { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.4rem } }
@container (max-width: 27rem) { .box { padding: .8rem } .lanes { grid-template-columns: minmax(0, 1fr) 4.6rem } }
`

export default {render}
