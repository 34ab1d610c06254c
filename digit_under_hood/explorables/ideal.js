// Which ideal is nearer? Digits to be changed pixel by pixel, what differs, two distances, their verdicts.
import {arrow, button, cellAt, clamp, frame, fromLink, h, images, linkButton, paint, paintSigned, picture, unpack} from './shared.js'

const SIDE = 28, PIXELS = SIDE*SIDE, MEASURES = ['L1', 'RMSE']
const HELP = 'Press on ink to erase it, on paper to add ink, and drag for more. On the keyboard: the arrow keys move over the digit, with Shift '
  + 'in larger steps; the space bar turns a pixel, Backspace takes the last change back, Delete all of them.'

// How far an image is from an ideal: mean absolute difference (L1), root of the mean squared difference (RMSE)
export function distances(image, ideal) {
  let sum = 0, squares = 0
  for (let i = 0; i < PIXELS; i++) {
    const off = image[i] - ideal[i]
    sum += Math.abs(off)
    squares += off*off
  }
  return [sum/PIXELS, Math.sqrt(squares/PIXELS)]
}

// By how much the ideal 3 is nearer than the ideal 7, to L1 and to RMSE: below 0 the answer is 7
export function margins(image, [ideal3, ideal7]) {
  const [near3, near7] = [distances(image, ideal3), distances(image, ideal7)]
  return MEASURES.map((_, i) => near7[i] - near3[i])
}

export const turn = value => value < .5 ? 1 : 0   // paper to ink, ink to paper

// By how much each pixel, if it alone were turned, would move that margin; `measure` is 0 for L1, 1 for RMSE
export function influence(image, ideals, measure) {
  const size = measure ? v => v*v : Math.abs, root = measure ? Math.sqrt : v => v
  const sums = ideals.map(ideal => image.reduce((sum, v, i) => sum + size(v - ideal[i]), 0))
  const before = root(sums[1]/PIXELS) - root(sums[0]/PIXELS)
  return Float64Array.from(image, (v, i) => {
    const [to3, to7] = ideals.map((ideal, n) => root(Math.max(sums[n] - size(v - ideal[i]) + size(turn(v) - ideal[i]), 0)/PIXELS))
    return to7 - to3 - before
  })
}

// The pixel that moves the margin most against its sign
export const strongest = (moves, margin) => moves.reduce((best, v, i) => Math.sign(margin)*(v - moves[best]) < 0 ? i : best, 0)

const toward = v => `${Math.abs(v).toFixed(4)} towards ${v > 0 ? 3 : 7}`

// A digit and its turned pixels (place -> 0 or 1) as text for a link, and back; null for what is no such text
export const toText = (digit, turned) => [digit, ...[0, 1].map(value => [...turned].filter(([, v]) => v === value)
  .map(([i]) => i.toString(36).padStart(2, '0')).join(''))].join('.')

export function fromText(text, count) {
  if (!/^\d{1,3}(\.([0-9a-z]{2})*){2}$/.test(text ?? '')) return null
  const [digit, ...parts] = text.split('.'), turned = new Map()
  parts.forEach((part, value) => (part.match(/../g) ?? []).forEach(place => turned.set(parseInt(place, 36), value)))
  return digit < count && [...turned.keys()].every(i => i < PIXELS) ? {digit: +digit, turned} : null
}

async function render({model, el}) {
  const data = await unpack(model.get('data')), links = model.get('links'), count = data.labels.length
  const ideals = images(data.ideals, 65535), real = images(data.images)
  const full = MEASURES.map((_, i) => 1.1*Math.max(...real.flatMap(image => ideals.map(ideal => distances(image, ideal)[i]))))
  const odd = real.map(image => margins(image, ideals)).map(([l1, rmse]) => l1*rmse < 0)
  let {digit, turned} = fromText(links ? fromLink('ideal') : '', count) ?? {digit: 0, turned: new Map()}
  let past = [], at = null, pen = null, last = 0, measure = 0, touched = false, queued = false, colours = {}
  const found = new Set()

  const canvas = picture('Digit', SIDE, SIDE, {tabIndex: 0})
  canvas.setAttribute('role', 'application')
  canvas.setAttribute('aria-roledescription', 'pixels to turn')
  const [pull, spot] = [h('i', {className: 'pull'}), h('i', {className: 'spot', hidden: true})]
  const title = h('p', {className: 'title'}), where = h('p', {className: 'where'}), would = h('p', {className: 'dim would'})
  const maps = ['minus ideal 3', 'minus ideal 7', 'what one pixel moves'].map(name => [name, picture(name), h('figcaption')])
  const rows = MEASURES.map((name, i) => {
    const bars = [3, 7].map(ideal => {
      const [bar, told] = [h('i', {className: ideal === 3 ? 'above' : 'below'}), h('span', {className: 'number'})]
      return {bar, told, line: h('div', {className: 'to'}, h('span', {}, `to the ideal ${ideal}`), h('span', {className: 'line'}, bar), told)}
    })
    const choose = button(name, () => { measure = i; touched = true; later() }, {ariaLabel: `Maps by ${name}`})
    const [answer, by] = [h('b', {className: 'digit'}), h('p', {className: 'dim'})]
    return {bars, choose, answer, by, row: h('div', {className: 'measure'}, choose, h('div', {}, ...bars.map(b => b.line), by), answer)}
  })
  const legend = h('p', {className: 'dim'}, h('b', {className: 'above'}, 'Orange'), ': more ink than the ideal, or a move towards 3. ',
    h('b', {className: 'below'}, 'Blue'), ': less ink, or towards 7.')
  const quest = h('p', {className: 'quest'})
  const undo = button('Undo', () => { if (past.length) { turned = past.pop(); touched = true; later() } })
  const restore = button('Restore', () => { if (turned.size) change(new Map()) })
  const most = button('Turn the ringed pixel', () => set(strongest(influence(image(), ideals, measure), margins(image(), ideals)[measure])))
  const choices = real.map((_, n) => {
    const small = picture(`a real ${data.labels[n]}`)
    return [button(small, () => choose(n), {className: 'choice', ariaLabel: `Digit ${n + 1}, a real ${data.labels[n]}`}), small]
  })

  const say = frame(el, {label: 'Which ideal is nearer?', css: STYLE, help: HELP}, [
    h('div', {className: 'parts'},
      h('div', {}, title, h('div', {className: 'sheet'}, canvas, pull, spot), where, would),
      h('div', {}, h('div', {className: 'maps'}, ...maps.map(([, map, caption]) => h('figure', {}, map, caption))), legend, ...rows.map(r => r.row))),
    h('div', {className: 'row tools'}, most, undo, restore, ...(links ? [linkButton('ideal', () => toText(digit, turned))] : [])),
    quest, h('div', {className: 'choices'}, ...choices.map(c => c[0]))], now => {
    colours = now
    choices.forEach(([, small], n) => paint(small, real[n], colours.ink))
    show()
  })

  function image() {
    const made = real[digit].slice()
    for (const [i, value] of turned) made[i] = value
    return made
  }

  function change(next) {
    past.push(turned)
    turned = next
    touched = true
    later()
  }

  function set(i, value = turn(image()[i])) { change(new Map(turned).set(i, value)) }

  function choose(n) {
    digit = n
    turned = new Map()
    past = []
    touched = true
    later()
  }

  function later() {
    if (!queued) requestAnimationFrame(show)
    queued = true
  }

  function over(e, i) {
    const share = n => `${n/SIDE*100}%`
    e.style.cssText = `top: ${share(Math.floor(i/SIDE))}; left: ${share(i % SIDE)}`
  }

  function show() {
    queued = false
    const now = image(), found3 = margins(now, ideals), moves = influence(now, ideals, measure)
    const name = MEASURES[measure], best = strongest(moves, found3[measure]), near = ideals.map(ideal => distances(now, ideal))
    title.textContent = `Digit ${digit + 1} of ${count}, a real ${data.labels[digit]}`
    canvas.ariaLabel = `Digit ${digit + 1}: pixels to turn`
    paint(canvas, now, colours.ink)
    ideals.forEach((ideal, n) => paintSigned(maps[n][1], now.map((v, i) => (v - ideal[i])*(measure ? Math.abs(v - ideal[i]) : 1)), colours, 1))
    paintSigned(maps[2][1], moves, colours)
    maps.forEach(([text, , caption], n) => caption.replaceChildren(`${text}${n < 2 && measure ? ', squared' : ''}`))
    rows.forEach(({bars, choose, answer, by, row}, i) => {
      bars.forEach(({bar, told}, n) => {
        bar.style.width = `${Math.min(near[n][i]/full[i], 1)*100}%`
        told.textContent = near[n][i].toFixed(4)
      })
      choose.setAttribute('aria-pressed', i === measure)
      row.classList.toggle('chosen', i === measure)
      answer.textContent = found3[i] > 0 ? 3 : 7
      answer.className = `digit ${found3[i] > 0 ? 'above' : 'below'}`
      by.textContent = `nearer to the ${found3[i] > 0 ? 3 : 7} by ${Math.abs(found3[i]).toFixed(4)}`
    })
    over(pull, best)
    pull.className = `pull ${moves[best] > 0 ? 'above' : 'below'}`
    spot.hidden = at === null
    const i = at ?? best, [row, column] = [Math.floor(i/SIDE), i % SIDE]
    over(spot, i)
    where.replaceChildren(h('span', {}, `row ${row}`), h('span', {}, `column ${column}`), h('b', {}, now[i].toFixed(2)))
    would.textContent = `Turned to ${turn(now[i]) ? 'ink' : 'paper'}, it would move ${name} by ${toward(moves[i])}.`
    most.disabled = moves[best]*found3[measure] >= 0
    undo.disabled = !past.length
    restore.disabled = !turned.size
    choices.forEach(([made], n) => made.setAttribute('aria-pressed', n === digit))
    const told = judge(found3)
    quest.textContent = `${told} ${turned.size ? `${turned.size} pixel${turned.size > 1 ? 's' : ''} changed: ${name} moved by ${toward(found3[measure] - margins(real[digit], ideals)[measure])}.` : ''}`
    if (touched) say(at === null ? `${title.textContent}. ${MEASURES.map((m, n) => `${m}: ${rows[n].answer.textContent}`).join(', ')}. ${quest.textContent}`
      : `Row ${row}, column ${column}: ${now[i].toFixed(2)}. ${would.textContent} ${quest.textContent}`)
  }

  // What to say of two margins: the challenge, or that it is met
  function judge([l1, rmse]) {
    const all = odd.filter(Boolean).length, differ = l1*rmse < 0
    if (differ && !turned.size) found.add(digit)
    const score = found.size ? ` Found: ${found.size} of ${all}.` : ''
    if (!differ) return `Find one on which L1 and RMSE disagree.${score}`
    return `They disagree: L1 says ${l1 > 0 ? 3 : 7}, RMSE ${rmse > 0 ? 3 : 7}.${score}`
  }

  // Mouse, finger, pen: the first pixel says whether ink comes or goes; no gaps between two events

  const pixel = e => {
    const [row, column] = cellAt(canvas, e)
    return row*SIDE + column
  }
  function draw(to) {
    const from = [Math.floor(last/SIDE), last % SIDE], way = [Math.floor(to/SIDE) - from[0], to % SIDE - from[1]]
    const steps = Math.max(...way.map(Math.abs), 1)
    for (let n = 1; n <= steps; n++) {
      const [row, column] = from.map((v, axis) => Math.round(v + way[axis]*n/steps))
      turned.set(row*SIDE + column, pen)
    }
    last = to
  }
  canvas.onpointerdown = e => {
    if (e.button || !e.isPrimary) return
    canvas.setPointerCapture(e.pointerId)
    at = last = pixel(e)
    pen = turn(image()[at])
    set(at, pen)
  }
  canvas.onpointermove = e => {
    at = pixel(e)
    if (pen !== null && at !== last) draw(at)
    touched = true
    later()
  }
  canvas.onpointerup = canvas.onpointercancel = () => { pen = null }
  canvas.onpointerleave = canvas.onblur = () => { at = null; later() }
  canvas.onkeydown = e => {
    if (e.ctrlKey || e.metaKey || e.altKey) return
    const way = arrow(e)
    if (way) {
      const step = e.shiftKey ? 4 : 1, from = at ?? Math.floor(PIXELS/2) + SIDE/2
      const [row, column] = [Math.floor(from/SIDE), from % SIDE].map((v, axis) => clamp(v + step*way[axis], 0, SIDE - 1))
      at = row*SIDE + column
      touched = true
      later()
    } else if (e.key === ' ') { if (at !== null) set(at) }
    else if (e.key === 'Backspace') undo.click()
    else if (e.key === 'Delete') restore.click()
    else return
    e.preventDefault()
    e.stopPropagation()
  }
}

const STYLE = `
.parts { display: grid; gap: 1rem 1.8rem; grid-template-columns: minmax(0, 17rem) minmax(0, 1fr) }
.sheet { position: relative } .sheet .cells { border-radius: 0; cursor: crosshair; touch-action: none }
.pull, .spot { position: absolute; width: calc(100%/28); aspect-ratio: 1; pointer-events: none }
.spot { outline: 2px solid #2b7fd4 } .spot[hidden] { display: none }
.pull { border-radius: 50%; outline: 2px solid currentColor; outline-offset: 2px }
.where { display: flex; gap: 1rem; align-items: baseline; margin-top: .4rem; color: var(--dim); font-variant-numeric: tabular-nums } .where span { min-width: 4rem }
.where b { font-size: 1.3rem; color: var(--text) }
.would { min-height: 2.6em }
.maps { display: grid; gap: .8rem; grid-template-columns: repeat(3, minmax(0, 1fr)) }
figure { margin: 0 } figcaption { margin-top: .25rem; font-size: .88rem; line-height: 1.25; color: var(--dim) }
.measure { display: grid; grid-template-columns: 4.6rem 1fr 2.4rem; gap: .3rem .9rem; align-items: center; margin-top: .7rem; padding-top: .7rem; border-top: 1px solid var(--edge); font-variant-numeric: tabular-nums }
.measure button { padding: 0 }
.to { display: grid; grid-template-columns: 6.4rem 1fr 3.4rem; gap: .6rem; align-items: center } .to .number { text-align: right }
.line { position: relative; display: block; height: 10px; border-radius: 5px; background: var(--well); border: 1px solid var(--edge); overflow: hidden }
.line i { display: block; height: 100%; background: currentColor }
.digit { font: 600 2.3rem/1 var(--serif, Georgia, serif); text-align: center }
.tools { margin-top: 1rem } .quest { margin: .8rem 0; font-weight: 600 }
.maps + .dim { margin-top: .4rem } .choices { display: grid; gap: .35rem; max-width: 600px; grid-template-columns: repeat(auto-fill, 44px) }
.choice { width: 44px; padding: 3px } .choice .cells { border: 0 } .choice[aria-pressed=true] { box-shadow: 0 0 0 2px var(--three) }
@container (max-width: 34rem) { .parts { grid-template-columns: minmax(0, 1fr) } .to { grid-template-columns: 1fr auto; gap: 0 } .to .line { grid-row: 2; grid-column: 1/3 } .measure { grid-template-columns: 3.6rem 1fr 1.8rem } }
`

export default {render}
