// Draw a digit: the models of the course answer at every stroke, and say why.
import {arrow, button, clamp, frame, fromLink, h, linkButton, paint, paintSigned, picture, slider, unpack} from './shared.js'
import {PIXELS, SHADES, boxed, broken, ranked, reasons, restore, right, scores, softmax, speaks, strangeness, units} from './models.js'

const PAD = 280, PEN = 22, STEP = 10
const one = digit => `${digit === 8 ? 'an' : 'a'} ${digit}`
const NAMES = ['Nearest ideal', 'Linear model', 'Network']
const HELP = 'Draw with mouse, finger or pen. On the keyboard: the arrow keys move the cursor, with Shift in larger steps; '
  + 'the space bar puts the pen down and lifts it; Backspace takes the last stroke back, Delete clears.'

// Strokes and the digit under them as text for a link, and back; null for what is no such text
export const toText = ({base, strokes}) => [base < 0 ? '' : `b${base}`, ...strokes.map(points =>
  points.map(v => Math.round(v).toString(36).padStart(2, '0')).join(''))].join('.')

export function fromText(text, bases) {
  if (!text || text.length > 20000 || !/^(b\d{1,4})?(\.([0-7][0-9a-z]){2,})*$/.test(text)) return null
  const [first, ...rest] = text.split('.')
  const strokes = rest.map(s => s.match(/../g).map(v => parseInt(v, 36)))
  const base = first ? +first.slice(1) : -1
  const fits = base < bases && strokes.every(s => s.length % 2 === 0 && s.every(v => v <= PAD))
  return fits && (first || rest.length) ? {base, strokes} : null
}

async function render({model, el}) {
  const data = await unpack(model.get('data')), links = model.get('links')
  const {digits} = data, two = digits.length === 2, intact = restore(data), breaks = {noise: 0, removed: 0, unbiased: false}
  let models = intact, colours = {}, queued = false, cursor = null, active = null
  let state = fromText(links ? fromLink('draw') : '', intact.valid.length)
  let sample = !state   // shown until the first stroke
  state ??= {base: data.samples[0], strokes: []}
  const past = []

  // Left: the pad
  const pad = h('canvas', {width: PAD, height: PAD, className: 'pad', tabIndex: 0, ariaLabel: 'Drawing pad'})
  pad.setAttribute('role', 'application')
  pad.setAttribute('aria-roledescription', 'drawing pad')
  const context = pad.getContext('2d', {willReadFrequently: true})
  const cross = h('i', {className: 'cross', hidden: true})
  const undo = button('Undo', () => { if (past.length) { [state, sample] = past.pop(); drawn() } })
  const clear = button('Clear', () => change({base: -1, strokes: []}))
  const starts = [...data.samples].sort((a, b) => intact.labels[a] - intact.labels[b]).map(n => {
    const canvas = picture(`a real ${intact.labels[n]}`)
    return [button(canvas, () => change({base: n, strokes: []}), {className: 'start', ariaLabel: `Start from a real ${intact.labels[n]}`}), canvas, n]
  })

  // Middle: what the models see
  const copy = picture('The same in 28 by 28 pixels')
  const seen = h('p', {className: 'dim'}), near = picture('The typical digit nearest to it', 14, 14)
  const nearness = h('p', {className: 'dim'})

  // Right: the ladder
  const rungs = NAMES.map((name, i) => {
    const [digit, told] = [h('b', {className: 'digit'}), h('span', {className: 'dim'})]
    const link = links && data.chapters[i] ? h('a', {href: data.chapters[i]}, name) : name
    const bars = two ? [h('i')] : digits.map(d => h('i', {}, h('b', {}, d)))
    const shown = two ? h('div', {className: 'track'}, h('span', {className: 'below'}, digits[1]),
      h('span', {className: 'line'}, ...bars), h('span', {className: 'above'}, digits[0])) : h('div', {className: 'bars', ariaHidden: true}, ...bars)
    return {digit, bars, told, row: h('div', {className: 'rung'}, h('span', {className: 'name'}, link), digit, shown, told)}
  })
  const strange = h('p', {className: 'strange', hidden: true})

  // Below: why, and break it
  const maps = NAMES.map(() => [picture('Pixels that spoke for one and for the other'), h('figcaption')])
  const lit = Array.from({length: 6}, () => [picture('A hidden unit'), h('figcaption')])
  const figure = (canvas, caption) => h('figure', {}, canvas, caption)
  const why = h('div', {className: 'why', hidden: true},
    h('p', {}, 'What is ', h('b', {className: 'above'}, 'orange'), ` spoke for ${two ? one(digits[0]) : 'the answer'}, what is `, h('b', {className: 'below'}, 'blue'),
      two ? ` for ${one(digits[1])}: the weight of a pixel times its ink.` : ' for the runner-up: the weight of a pixel for the one, minus its weight for the other, times its ink.',
      ' The nearest ideal has no weights: there it is by how much a pixel is closer to the one than to the other.'),
    h('div', {className: 'maps'}, ...maps.map(([c, caption]) => figure(c, caption))),
    h('p', {}, `The hidden units of the network that had most to say${two ? '' : ' between the two'}, with their stencils:`),
    h('div', {className: 'lit'}, ...lit.map(([c, caption]) => figure(c, caption))))
  const kept = NAMES.slice(1).map(name => {
    const [bar, told] = [h('i'), h('span', {className: 'count'})]
    return {bar, told, row: h('div', {className: 'kept'}, h('span', {}, name), h('span', {className: 'line'}, bar), told)}
  })
  const spoil = (name, value) => { breaks[name] = value; models = broken(intact, breaks); tally(); later() }
  const reset = button('Repair', () => {
    sliders.forEach(s => { const input = s.querySelector('input'); input.value = 0; input.oninput() })
    biases.checked = false
    spoil('unbiased', false)
  })
  const sliders = [
    slider('Noise on the weights', {min: 0, max: 3, step: .1, value: 0}, (v, input) => {
      input.setAttribute('aria-valuetext', `${v.toFixed(1)} times their size`)
      spoil('noise', v)
    }),
    slider('Hidden units removed', {min: 0, max: intact.hidden, step: 1, value: 0}, (v, input) => {
      input.setAttribute('aria-valuetext', `${v} of ${intact.hidden}`)
      spoil('removed', v)
    })]
  const biases = h('input', {type: 'checkbox', oninput: () => spoil('unbiased', biases.checked)})
  const breaker = h('div', {className: 'breaker', hidden: true},
    h('div', {}, ...sliders, h('label', {className: 'check'}, biases, 'All biases set to zero'), reset),
    h('div', {}, h('p', {}, `Right on ${intact.valid.length} images that no model was trained on:`), ...kept.map(k => k.row),
      h('p', {className: 'dim'}, 'The answers above come from the broken models too.')))
  const folds = [['Why?', why], ['Break it', breaker]].map(([text, part]) => {
    const made = button(text, () => {
      part.hidden = !part.hidden
      made.setAttribute('aria-expanded', !part.hidden)
      if (!part.hidden) { tally(); later() }
    })
    made.setAttribute('aria-expanded', false)
    return made
  })

  const title = `Draw ${digits.length === 10 ? 'a digit' : `${digits.slice(0, -1).map(one).join(', ')} or ${one(digits.at(-1))}`}`
  const say = frame(el, {label: title, css: STYLE, help: HELP}, [
    h('div', {className: `parts${two ? '' : ' many'}`},
      h('div', {className: 'left'}, h('p', {className: 'title'}, title), h('div', {className: 'sheet'}, pad, cross)),
      h('div', {className: 'middle'}, h('p', {className: 'title'}, 'What the models see'), copy, seen, h('div', {className: 'near'}, near, nearness)),
      h('div', {className: 'row tools'}, undo, clear, h('span', {className: 'dim'}, 'or start from a real one:'), h('div', {className: 'row starts'}, ...starts.map(s => s[0]))),
      h('div', {className: 'ladder'}, h('p', {className: 'title'}, 'What they answer'), ...rungs.map(r => r.row), strange),
      h('div', {className: 'row folds'}, ...folds, ...(links ? [linkButton('draw', () => toText(state))] : []))),
    why, breaker], found => { colours = found; recolour() })

  function recolour() {
    starts.forEach(([, canvas, n]) => paint(canvas, intact.valid[n], colours.ink))
    drawn()
  }

  // Changes

  function change(next) {
    past.push([state, sample])
    state = next
    sample = false
    drawn()
  }

  function begin(x, y) {
    past.push([state, sample])
    state = {base: sample ? -1 : state.base, strokes: [...state.strokes, active = [x, y]]}
    sample = false
    drawn()
  }

  function extend(x, y) {
    const [fromX, fromY] = active.slice(-2)
    if (Math.hypot(x - fromX, y - fromY) < 2) return
    active.push(x, y)
    line([fromX, fromY, x, y])
    later()
  }

  function line(points) {
    context.lineWidth = PEN
    context.lineCap = context.lineJoin = 'round'
    context.strokeStyle = colours.ink
    context.beginPath()
    context.moveTo(points[0], points[1])
    for (let i = 0; i < points.length; i += 2) context.lineTo(points[i], points[i + 1])
    context.stroke()
  }

  function drawn() {
    context.clearRect(0, 0, PAD, PAD)
    if (state.base >= 0) {
      const small = picture('')
      paint(small, intact.valid[state.base], colours.ink)
      context.imageSmoothingEnabled = false
      context.drawImage(small, 0, 0, PAD, PAD)
    }
    state.strokes.forEach(line)
    undo.disabled = !past.length
    later()
  }

  function later() {
    if (!queued) requestAnimationFrame(answer)
    queued = true
  }

  // Answers

  const write = (e, text) => { if (e.textContent !== String(text)) e.textContent = text }   // else it is laid out anew

  function answer() {
    queued = false
    const pixels = context.getImageData(0, 0, PAD, PAD).data, ink = new Uint8Array(PAD*PAD)
    for (let i = 0; i < ink.length; i++) ink[i] = pixels[4*i + 3]
    const image = boxed(ink, PAD, PAD) ?? new Float32Array(PIXELS), blank = !image.some(v => v)
    paint(copy, image, colours.ink)
    const known = strangeness(intact, image), odd = !blank && known.distance > data.limit
    const found = scores(models, image), order = found.map(ranked)
    write(seen, blank ? 'Blank paper: 784 zeros.' : 'Shrunk into 20 x 20, its balance point in the middle.')
    near.parentNode.hidden = blank
    once(near, known.which, () => paint(near, Float32Array.from(data.typical.subarray(known.which*196, known.which*196 + 196), v => v/SHADES), colours.ink))
    write(nearness, `The nearest of ${data.typical.length/196} typical digits: ${known.distance.toFixed(2)} away.`)
    strange.hidden = !odd
    write(strange, odd ? `This looks like nothing I was shown: ${known.distance.toFixed(2)} from the nearest typical digit. ${data.inside} % of unseen ${two ? digits.map(d => `${d}s`).join(' and ') : 'digits'} are within ${data.limit.toFixed(2)}.` : '')
    rungs.forEach(({digit, bars, told, row}, i) => {
      const [best, next] = order[i], way = two && best ? 'below' : 'above', prefix = odd ? `would say ${digits[best]}: ` : ''
      row.classList.toggle('odd', odd)
      write(digit, blank ? '–' : odd ? '?' : digits[best])
      digit.className = `digit ${way}`
      const [size, text] = two ? against(found[i], i) : among(found[i], best, next, i)
      bars.forEach((bar, k) => {
        bar.className = k === best || two ? way : k === next ? 'below' : ''
        if (!two) bar.style.setProperty('--size', blank ? 0 : size[k])
        else bar.style.cssText = blank ? 'width: 0' : `left: ${Math.min(size, .5)*100}%; width: ${Math.abs(size - .5)*100}%`
      })
      write(told, blank ? 'waits for ink' : i ? prefix + text : text)
    })
    if (!why.hidden) explain(image, order.map(o => two ? [0, 1] : o.slice(0, 2)))
    model.set('pixels', new DataView(Uint8Array.from(image, v => Math.round(255*v)).buffer))
    model.save_changes()
    if (past.length) say(blank ? 'Blank.' : odd ? strange.textContent : NAMES.map((n, i) => `${n}: ${digits[order[i][0]]}.`).join(' '))
  }

  // Two classes on one line: where between the second (0) and the first (1), and in words
  function against([first, second], i) {
    const score = first - second, p = 1/(1 + Math.exp(-score))
    return i ? [p, `score ${score.toFixed(1)}, after the sigmoid ${p.toFixed(3)}`]
      : [clamp(.5 + score/.1, 0, 1), `${(-first).toFixed(3)} from the ideal ${digits[0]}, ${(-second).toFixed(3)} from the ${digits[1]}`]
  }

  // Many classes, a bar each: a share, or how near an ideal is, from the farthest (0) to the nearest (1)
  function among(scores, best, next, i) {
    if (!i) {
      const far = Math.min(...scores)
      return [scores.map(s => (s - far)/(scores[best] - far)), `${(-scores[best]).toFixed(3)} from the ideal ${digits[best]}, ${(-scores[next]).toFixed(3)} from the ${digits[next]}`]
    }
    const shares = softmax(scores), percent = p => p > .999 ? 'over 99.9 %' : p < .001 ? 'under 0.1 %' : `${(100*p).toFixed(1)} %`
    return [shares, `${percent(shares[best])} sure, next: ${digits[next]}, ${percent(shares[next])}`]
  }

  // Paint a canvas unless it shows `what` already, by these models and in these colours
  const painted = new Map()
  function once(canvas, what, draw) {
    const now = [what, models, colours]
    if (!painted.get(canvas)?.every((v, i) => v === now[i])) draw()
    painted.set(canvas, now)
  }

  function explain(image, pairs) {
    const passed = units(models, image), turns = speaks(models, pairs[2]), added = passed.map((v, u) => v*turns[u])
    reasons(models, image, pairs, passed).forEach((map, i) => {
      const [canvas, caption] = maps[i], [a, b] = pairs[i].map(k => digits[k])
      paintSigned(canvas, map, colours)
      write(caption, two ? NAMES[i] : `${NAMES[i]}: ${a}, not ${b}`)
      canvas.ariaLabel = `${NAMES[i]}: pixels that spoke for ${one(a)} and for ${one(b)}`
    })
    const order = ranked(added.map(Math.abs))
    lit.forEach(([canvas, caption], i) => {
      const u = order[i], quiet = !added[u]
      canvas.parentNode.classList.toggle('quiet', quiet)
      const turn = Math.sign(turns[u]) || 1
      once(canvas, turn*(u + 1), () => paintSigned(canvas, models.first.subarray(u*PIXELS, (u + 1)*PIXELS).map(w => turn*w), colours))
      canvas.ariaLabel = `Stencil of unit ${u + 1}`
      write(caption, quiet ? 'silent' : `unit ${u + 1}: ${added[u] > 0 ? '+' : '\u2212'}${Math.abs(added[u]).toFixed(1)}`)
    })
  }

  function tally() {
    if (breaker.hidden) return
    const [, ...found] = right(models), all = intact.valid.length
    kept.forEach(({bar, told}, i) => {
      bar.style.width = `${found[i]/all*100}%`
      told.textContent = `${found[i]} of ${all}`
    })
    say(kept.map(({told}, i) => `${NAMES[i + 1]}: ${told.textContent} right.`).join(' '))
  }

  // Mouse, finger, pen

  const place = e => {
    const box = pad.getBoundingClientRect()
    return [(e.clientX - box.left)/box.width*PAD, (e.clientY - box.top)/box.height*PAD].map(v => clamp(Math.round(v), 0, PAD - 1))
  }
  pad.onpointerdown = e => {
    if (e.button || !e.isPrimary) return
    pad.setPointerCapture(e.pointerId)
    lift()
    cross.hidden = true
    begin(...place(e))
  }
  pad.onpointermove = e => {
    if (!pad.hasPointerCapture(e.pointerId) || !active) return
    for (const each of e.getCoalescedEvents?.() ?? [e]) extend(...place(each))
    extend(...place(e))
  }
  pad.onpointerup = pad.onpointercancel = lift

  // Keyboard

  function lift() {
    if (active) drawn()   // in one go, as a link brings it back
    active = null
    cross.classList.remove('down')
  }
  const show = () => {
    cross.hidden = false
    cross.style.cssText = `left: ${cursor[0]/PAD*100}%; top: ${cursor[1]/PAD*100}%`
  }
  pad.onkeydown = e => {
    if (e.ctrlKey || e.metaKey || e.altKey) return
    const way = arrow(e)
    if (way) {
      const step = e.shiftKey ? 4*STEP : STEP
      cursor = (cursor ?? [PAD/2, PAD/2]).map((v, i) => clamp(v + step*way[1 - i], 0, PAD - 1))   // across, down
      if (active) extend(...cursor)
      show()
      if (!active) say(`row ${Math.floor(cursor[1]/STEP)}, column ${Math.floor(cursor[0]/STEP)}`)
    } else if (e.key === ' ') {
      cursor ??= [PAD/2, PAD/2]
      if (active) lift()
      else { begin(...cursor); cross.classList.add('down') }
      show()
    } else if (e.key === 'Backspace') { lift(); undo.click() }
    else if (e.key === 'Delete') { lift(); clear.click() }
    else return
    e.preventDefault()
    e.stopPropagation()
  }
  pad.onblur = () => { lift(); cross.hidden = true }
}

const STYLE = `
.parts { display: grid; gap: 1rem 1.6rem; grid-template: 'left middle ladder' 'tools tools folds' / minmax(0, 17.5rem) minmax(0, 10.5rem) minmax(0, 1fr) }
.left { grid-area: left } .middle { grid-area: middle } .ladder { grid-area: ladder } .tools { grid-area: tools } .folds { grid-area: folds; justify-content: end }
.parts:not(.many) .starts { display: contents } .parts:not(.many) .tools .dim { display: none }
.many { grid-template: 'left middle ladder' 'tools tools ladder' auto 'tools tools folds' / minmax(0, 17.5rem) minmax(0, 10.5rem) minmax(0, 1fr) }
.many .tools { align-content: start } .many .starts { flex-basis: 100%; gap: 3px }
.sheet { position: relative }
.pad { width: 100%; height: auto; border: 1.5px solid var(--edge); border-radius: 10px; cursor: crosshair; background: var(--well); touch-action: none }
.cross { position: absolute; width: 22px; height: 22px; margin: -11px; border: 2px solid var(--three); border-radius: 50%; pointer-events: none }
.cross.down { background: color-mix(in srgb, var(--three) 40%, transparent) }
.cross[hidden] { display: none }
.start { width: 44px; padding: 3px } .start .cells { border: 0 }
.middle .dim { margin: .35rem 0 .6rem }
.near { display: grid; grid-template-columns: 3rem 1fr; gap: .6rem; align-items: start }
.near[hidden] { display: none } .near .dim { margin: 0; font-size: .85rem; line-height: 1.3 }
.rung { display: grid; grid-template-columns: 1fr auto; gap: .1rem .8rem; align-items: center; padding: .55rem 0; border-top: 1px solid var(--edge) }
.rung .name { font-weight: 600 } .rung .digit { grid-row: 1/3; grid-column: 2; font: 600 2.3rem/1 var(--serif, Georgia, serif); min-width: 1.6rem; text-align: center }
.rung .told, .rung > .dim { grid-column: 1/3; font-variant-numeric: tabular-nums }
.track { display: grid; grid-template-columns: auto 1fr auto; gap: .5rem; align-items: center; font-weight: 600 }
.bars { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 4px; height: 3.4rem; margin-top: .2rem }
.bars i { position: relative; border-bottom: 1.5px solid var(--edge); margin-bottom: 1.15rem; color: var(--dim) }
.bars i::before { content: ''; position: absolute; inset: 0; border-radius: 3px 3px 0 0; background: color-mix(in srgb, var(--text) 40%, var(--paper)); transform: scaleY(var(--size, 0)); transform-origin: bottom }
.bars b { position: absolute; top: 100%; width: 100%; text-align: center; font: 400 .85rem/1.3 var(--sans, system-ui, sans-serif) }
.bars .above { color: var(--three) } .bars .below { color: var(--seven) } .bars :is(.above, .below)::before { background: currentColor } .bars .above b { font-weight: 700 }
.odd .bars i::before { opacity: .3 }
.line { position: relative; display: block; height: 10px; border-radius: 5px; background: var(--well); border: 1px solid var(--edge); overflow: hidden }
.rung .line::after { content: ''; position: absolute; left: 50%; top: 0; bottom: 0; border-left: 1px solid var(--edge) }
.line i { display: block; position: absolute; top: 0; bottom: 0; background: currentColor }
.odd .line i { opacity: .3 } .odd .digit { color: var(--dim) }
.strange { padding: .6rem .8rem; border: 1px solid var(--three); border-radius: 8px; font-size: .95rem }
.why, .breaker { margin-top: 1rem; padding-top: 1rem; border-top: 1px solid var(--edge) }
.why[hidden], .breaker[hidden] { display: none }
.maps, .lit { display: grid; grid-template-columns: repeat(3, minmax(0, 11rem)); gap: .8rem; margin: .7rem 0 1rem }
.lit { grid-template-columns: repeat(6, minmax(0, 7rem)); margin-bottom: 0 }
figure { margin: 0 } figcaption { margin-top: .25rem; font-size: .9rem; color: var(--dim); font-variant-numeric: tabular-nums }
.quiet { opacity: .4 }
.breaker { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem 2.4rem } .breaker[hidden] { display: none }
.kept { display: grid; grid-template-columns: 7rem 1fr 6rem; gap: .8rem; align-items: center; margin: .7rem 0; font-variant-numeric: tabular-nums }
.kept .line i { left: 0; background: var(--three) }
@container (max-width: 46rem) {
  .parts, .many { grid-template: 'left middle' 'tools tools' 'ladder ladder' 'folds folds' / minmax(0, 1fr) minmax(0, 8.5rem) } .folds { justify-content: start }
  .many .starts { display: grid; grid-template-columns: repeat(5, minmax(44px, 4rem)); gap: .5rem } .many .start { width: auto } .many .start .cells { width: 38px; margin: auto }
  .breaker { grid-template-columns: 1fr } .lit { grid-template-columns: repeat(3, minmax(0, 7rem)) }
}
@container (max-width: 27rem) {
  .box { padding: .8rem } .middle > .dim { display: none } .middle .cells { margin-bottom: .5rem } .parts { gap: .8rem; grid-template-columns: minmax(0, 1fr) minmax(0, 5.6rem) } .tools { gap: .35rem } .tools button { padding: 0 .6rem } .tools .start { padding: 3px }
  .near { grid-template-columns: 1fr } .kept { grid-template-columns: 6rem 1fr 5.5rem }
}
`

export default {render}
