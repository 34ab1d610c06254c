// Watch a linear model learn: scrub or play runs that were recorded, step by step.
import {button, clamp, frame, fromLink, h, images, linkButton, paint, paintSigned, picture, slider, unpack} from './shared.js'
import {PLOT_CSS, options, plot} from './plot.js'

const PIXELS = 784
const HELP = 'Play a run, or go through it with the slider: on the keyboard the arrow keys take one look, Page up and Page down several, Home and End go to its ends.'

// The runs from unpacked data. Weights were packed as whole numbers of a step of their run, each look
// as its difference from the one before (in bytes, which go round: 127 + 1 is -128).
export function restore({runs, changes, sizes, biases, steps, losses, validLosses, accuracies}) {
  let at = 0
  return runs.map(({name, looks, epoch}, r) => {
    const whole = new Int8Array(PIXELS), first = at
    const weights = Array.from({length: looks}, (_, k) => {
      for (let i = 0; i < PIXELS; i++) whole[i] += changes[(first + k)*PIXELS + i]
      return Float64Array.from(whole, v => v*sizes[r])
    })
    const part = values => values.slice(at, at + looks)
    const run = {name, epoch, weights, biases: part(biases), steps: part(steps), losses: part(losses), validLosses: part(validLosses), accuracies: part(accuracies)}
    at += looks
    return run
  })
}

// The scores of images (784 bytes each) after look `k` of a run
export function scoresAt({weights, biases}, k, images) {
  return Array.from({length: images.length/PIXELS}, (_, n) => {
    let sum = 0
    for (let i = 0; i < PIXELS; i++) sum += weights[k][i]*images[n*PIXELS + i]
    return sum/255 + biases[k]
  })
}

// Run and look from a link; null if there is no such
export function fromText(text, runs) {
  const [, run, look] = /^(\d{1,2})\.(\d{1,4})$/.exec(text ?? '') ?? []
  return +look < runs[run]?.steps.length ? {run: +run, look: +look} : null
}

const signed = v => (v < 0 ? '−' : '+') + Math.abs(v).toFixed(1)

async function render({model, el}) {
  const data = await unpack(model.get('data')), links = model.get('links'), {images: packed, targets} = data, real = images(packed)
  const runs = restore(data), scores = runs.map(run => run.steps.length && Array.from(run.steps, (_, k) => scoresAt(run, k, packed)))
  let {run: which, look} = fromText(links ? fromLink('training') : '', runs) ?? {run: 0, look: 0}
  let colours = {}, touched = false, playing = 0
  const highest = (lists, least) => lists.flat().reduce((a, v) => Math.max(a, Math.abs(v) || 0), least)
  const sums = runs.map((run, r) => ({score: highest(scores[r], 1), weight: highest(run.weights.map(w => Array.from(w)), 1e-9),
    loss: highest([...run.losses, ...run.validLosses], .5)}))
  const side = i => targets[i] ? 'above' : 'below'

  const choices = options('Run', runs.map(({name}) => name), r => { which = r; look = Math.min(look, runs[r].steps.length - 1); changed(); drawRun() }, 'row')
  const weights = picture('Weights', 28, 28), count = h('p', {className: 'count'})
  const rows = Array.from(targets, (_, i) => {
    const thumb = picture(''), value = h('span')
    thumb.setAttribute('aria-hidden', true)
    thumb.className += ` ${side(i)}`
    return {thumb, value, all: [h('div', {className: 'lane'}, thumb), value]}
  })
  const ends = [h('span'), h('span', {}, '0'), h('span')]
  const losses = plot({label: 'Losses by epoch', height: 170, xs: [0, 1], ys: [0, 1], yLabel: 'loss'})
  const accuracy = plot({label: 'Validation accuracy by epoch', height: 150, xs: [0, 1], ys: [.4, 1], yLabel: 'validation accuracy', xLabel: 'epoch'})
  const key = h('p', {className: 'dim key'}, h('i', {className: 'seen'}), ' batches trained on ', h('i'), ' validation')
  const along = slider('', {min: 0, step: 1, ariaLabel: 'Look'}, v => { stop(); look = v; changed() }), input = along.querySelector('input')
  const play = button('Play', () => playing ? stop() : go())

  const say = frame(el, {label: 'A model that learns, step by step', css: PLOT_CSS + STYLE, help: HELP}, [
    choices.el,
    h('div', {className: 'film'}, play, along, ...(links ? [linkButton('training', () => `${which}.${look}`)] : [])),
    h('div', {className: 'parts'},
      h('div', {}, h('p', {className: 'title'}, 'Weights'), weights, count),
      h('div', {className: 'digits'}, h('p', {className: 'title'}, 'Scores'), ...rows.flatMap(r => r.all), h('div', {className: 'ends dim'}, ...ends)),
      h('div', {className: 'plots'}, losses.el, key, accuracy.el))], found => { colours = found; recolour() })

  function go() {
    const {steps} = runs[which], wait = matchMedia('(prefers-reduced-motion: reduce)').matches ? 400 : 90
    if (look >= steps.length - 1) look = 0
    const next = () => {
      if (look >= steps.length - 1 || !el.isConnected) return stop()
      look++
      changed()
      playing = setTimeout(next, wait)
    }
    playing = setTimeout(next, wait)
    play.textContent = 'Pause'
    changed()
  }

  function stop() {
    clearTimeout(playing)
    playing = 0
    play.textContent = 'Play'
  }

  function changed() {
    touched = true
    show()
  }

  function recolour() {
    rows.forEach(({thumb}, i) => paint(thumb, real[i], colours[side(i)]))
    drawRun()
    show()
  }

  // What changes with the run only

  function drawRun() {
    const {steps, epoch, losses: seen, validLosses, accuracies} = runs[which], {score, loss} = sums[which]
    const line = values => Array.from(values, (v, k) => [steps[k]/epoch, v]), xs = [0, steps.at(-1)/epoch]
    losses.set({xs, ys: [0, loss]})
    accuracy.set({xs})
    losses.line('train', line(seen), {className: 'dim'})
    losses.line('valid', line(validLosses))
    accuracy.line('valid', line(accuracies))
    ends[0].textContent = signed(-score)
    ends[2].textContent = signed(score)
    choices.mark(which)
    input.max = steps.length - 1
  }

  function show() {
    const {steps, epoch, losses: seen, validLosses, accuracies, weights: all} = runs[which], most = sums[which]
    const now = scores[which][look], at = steps[look]/epoch, wrong = now.filter((s, i) => s > 0 !== !!targets[i]).length
    paintSigned(weights, all[look], colours, most.weight)
    weights.ariaLabel = `Weights after step ${steps[look]}: orange speaks for a 3, blue for a 7`
    count.replaceChildren(`after step ${steps[look].toLocaleString('en')}`, h('br'), `validation loss ${validLosses[look].toFixed(3)}`, h('br'), `accuracy ${accuracies[look].toFixed(3)}`)
    rows.forEach(({thumb, value, all: [lane]}, i) => {
      thumb.style.setProperty('--at', clamp((now[i]/most.score + 1)/2, 0, 1))
      lane.classList.toggle('wrong', now[i] > 0 !== !!targets[i])
      value.textContent = `${signed(now[i])} ${now[i] > 0 === !!targets[i] ? '✓' : '✗'}`
    })
    const dots = (where, values) => {
      where.line('now', [[at, -1], [at, 2]], {className: 'faint', dashed: true})
      where.dots('now dots', values.map(v => [at, v]), {className: i => i ? 'dim' : '', radius: i => 5 - i})
    }
    dots(losses, [validLosses[look], seen[look]])
    dots(accuracy, [accuracies[look]])
    input.value = look
    input.setAttribute('aria-valuetext', `step ${steps[look]}, epoch ${at.toFixed(2)}`)
    along.querySelector('.value').textContent = input.getAttribute('aria-valuetext')
    if (touched && !playing) say(`${runs[which].name}, step ${steps[look]}: validation loss ${validLosses[look].toFixed(3)}, accuracy ${accuracies[look].toFixed(3)}; ${wrong} of ${now.length} digits on the wrong side.`)
  }
}

const STYLE = `
.parts { display: grid; gap: 1rem 1.6rem; margin: 1rem 0; grid-template-columns: minmax(0, 11rem) minmax(0, 1fr) minmax(0, 1.15fr) }
.count { margin-top: .35rem; color: var(--dim); font-variant-numeric: tabular-nums }
.digits { display: grid; grid-template-columns: minmax(0, 1fr) 3.9rem; gap: 0 .5rem; align-items: center; align-content: start; font-variant-numeric: tabular-nums; font-size: .92rem; text-align: right; white-space: nowrap }
.digits .title { grid-column: 1/3; text-align: left; font-size: 1rem }
.lane { position: relative; height: 34px; background: linear-gradient(var(--edge), var(--edge)) 50% 0/1px 100% no-repeat }
.lane .cells { position: absolute; top: 2px; left: calc(var(--at)*(100% - 30px)); width: 30px; height: 30px; border: 1.5px solid currentColor }
.wrong { background-color: var(--well) } .wrong .cells { outline: 1.5px dashed currentColor; outline-offset: 1px }
.ends { display: flex; justify-content: space-between }
.key i { display: inline-block; width: 1.1rem; height: 0; border-top: 2px solid var(--text); vertical-align: .28em } .key .seen { border-top: 1px solid var(--dim) } .key { margin: .1rem 0 .6rem }
.film .value { padding-bottom: .25rem } .film { margin-top: .8rem; display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: .9rem; align-items: center } .film button:first-child { min-width: 5.2rem }
@container (max-width: 40rem) { .parts { grid-template-columns: minmax(0, 8.5rem) minmax(0, 1fr) } .plots { grid-column: 1/3 } }
@container (max-width: 27rem) { .box { padding: .8rem } .parts { gap: 1rem; grid-template-columns: minmax(0, 6.5rem) minmax(0, 1fr) } .film { grid-template-columns: auto minmax(0, 1fr) } .film .slider { grid-column: 1/3; grid-row: 1 } }
`

export default {render}
