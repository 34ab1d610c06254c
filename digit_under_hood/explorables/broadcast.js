// Change two shapes: the rule axis by axis, what is read again, the result or what torch says.
import {button, clamp, frame, fromLink, h, linkButton, unpack} from './shared.js'

const AXES = 4, MOST = 9999
const HELP = 'Write a shape such as (2, 3) or () and press Enter, or change one size with its buttons: − on a first '
  + 'axis of size 1 takes the axis away, + on a missing one (–) adds it. Tab and Enter reach all of it.'

// As Python writes a shape, and back; null for what is no shape of at most four axes
export const toTuple = shape => shape.length === 1 ? `(${shape},)` : `(${shape.join(', ')})`

export function fromTuple(text) {
  const inner = text.trim().replace(/^torch\.Size\((.*)\)$/, '$1').trim().replace(/^\((.*)\)$|^\[(.*)\]$/, '$1$2').trim()
  if (inner === '') return []
  if (!/^\d+([\s,]+\d+)*\s*,?$/.test(inner)) return null
  const shape = inner.match(/\d+/g).map(Number)
  return shape.length <= AXES && shape.every(n => n <= MOST) ? shape : null
}

// Two shapes as text for a link, and back; null for what is no such text
export const toText = (a, b) => `${a.join('.')}_${b.join('.')}`

export function fromText(text) {
  if (!/^(\d{1,4}(\.\d{1,4}){0,3})?_(\d{1,4}(\.\d{1,4}){0,3})?$/.test(text ?? '')) return null
  return text.split('_').map(part => part ? part.split('.').map(Number) : [])
}

// What broadcasting makes of two shapes: sizes and reason by axis, from the last; the result or torch's message
export function broadcast(a, b) {
  const rank = Math.max(a.length, b.length), axes = [], shape = []
  let error = null
  for (let i = 1; i <= rank; i++) {
    const [m, n] = [a.at(-i) ?? null, b.at(-i) ?? null], [left, right] = [m ?? 1, n ?? 1]
    if (left !== right && left !== 1 && right !== 1) {
      error ??= `The size of tensor a (${left}) must match the size of tensor b (${right}) at non-singleton dimension ${rank - i}`
      axes.push({size: null, why: `${left} ≠ ${right}`})
      continue
    }
    const size = left === 1 ? right : left
    const why = m === n ? 'equal' : m === null || m === 1 && n !== null ? `a: ${m ?? '–'} → ${size}` : `b: ${n ?? '–'} → ${size}`
    axes.push({size, why})
    shape.unshift(size)
  }
  return {axes, shape: error ? null : shape, error}
}

// A pair of shapes to think about; `random` gives numbers from 0 to 1
export function challenge(random) {
  const pick = n => Math.floor(random()*n), rank = 1 + pick(3)
  const full = Array.from({length: rank}, () => 2 + pick(4))
  const cut = () => full.slice(pick(rank)).map(size => random() < .3 ? 1 : size)
  const pair = [cut(), random() < .3 ? [1 + pick(4), ...full].slice(-AXES) : cut()]
  const flawed = pair[pick(2)], at = pick(flawed.length)
  if (random() < .45) flawed[at] = 2 + pick(4)
  return toTuple(pair[0]) === toTuple(pair[1]) ? challenge(random) : pair
}

// The cells of a tensor of `shape` read as if it had the shape `whole`: rows and columns for a drawing,
// the place in memory that each reads (counted from 0), and whether it is read again. Long axes are cut.
export function cells(shape, whole) {
  const sizes = [...Array(AXES - whole.length).fill(1), ...whole]
  const own = [...Array(AXES - shape.length).fill(1), ...shape]
  const drawn = sizes.map((size, axis) => Math.min(size, whole.length > 2 ? 4 : 6))
  const found = [], [d, c, r, k] = drawn
  for (let n = 0; n < d*c*r*k; n++) {
    const at = [Math.floor(n/(c*r*k)), Math.floor(n/(r*k)) % c, Math.floor(n/k) % r, n % k]
    const memory = at.reduce((place, i, axis) => place*own[axis] + (own[axis] === 1 ? 0 : i), 0)
    found.push({row: at[0]*(r + .5) + at[2], column: at[1]*(k + .5) + at[3], memory, again: at.some((i, axis) => i > 0 && own[axis] === 1)})
  }
  return {found, height: d*(r + .5) - .5, width: c*(k + .5) - .5, cut: drawn.some((n, axis) => n < sizes[axis])}
}

const product = shape => shape.reduce((x, y) => x*y, 1)
const count = n => `${n.toLocaleString('en')} number${n === 1 ? '' : 's'}`

async function render({model, el}) {
  const {pairs} = await unpack(model.get('data')), links = model.get('links')
  let pair = fromText(links ? fromLink('broadcast') : '') ?? pairs[0], asked = false, told = ''
  let [right, tried, touched] = [0, 0, false]

  const field = (label, props) => {
    const input = h('input', {type: 'text', autocomplete: 'off', spellcheck: false, ...props})
    return [input, h('label', {className: 'field'}, h('span', {}, label), input)]
  }
  const inputs = ['a', 'b'].map((name, i) => field(`${name}.shape`, {onchange: () => {
    const shape = fromTuple(inputs[i][0].value)
    inputs[i][0].ariaInvalid = shape === null
    if (shape) return change(i, shape)
    told = `Write up to ${AXES} sizes of at most ${MOST}, such as (2, 3).`
    touched = true
    show()
  }}))

  // One column an axis, -4 to -1
  const places = Array.from({length: AXES}, (_, i) => AXES - i)
  const steppers = ['a', 'b'].map((name, i) => places.map(place => {
    const step = (sign, text, word) => button(h('span', {}, text), () => {
      const shape = moved(pair[i], place, sign)
      if (shape) change(i, shape)
    }, {ariaLabel: `${name}, axis -${place}: ${word}`})
    const size = h('b')
    const [less, more] = [step(-1, '−', 'less'), step(1, '+', 'more')]
    return {place, size, less, more, cell: h('td', {}, h('div', {className: 'step'}, less, size, more))}
  }))
  const results = places.map(() => h('td')), whys = places.map(() => h('td'))
  const line = (name, cells, className = '') => h('tr', {className}, h('th', {scope: 'row'}, name), ...cells)
  const board = h('table', {}, h('thead', {}, line('axis', places.map(place => h('th', {scope: 'col'}, `−${place}`)))),
    h('tbody', {}, ...steppers.map((row, i) => line('ab'[i], row.map(s => s.cell))), line('a + b', results, 'sum'), line('why', whys, 'why')))

  // A shape with one size changed; null where that cannot be
  function moved(shape, place, sign) {
    const missing = place - shape.length
    if (missing > 0) return sign > 0 ? [...Array(missing).fill(1), ...shape] : null
    if (sign < 0 && shape.at(-place) <= 1) return missing === 0 ? shape.slice(1) : null
    return shape.with(-place, clamp(shape.at(-place) + sign, 0, MOST))
  }

  const verdict = h('p', {className: 'verdict'}), note = h('p', {className: 'dim'})
  const figures = ['a', 'b', 'a + b'].map((name, i) => {
    const [svg, caption] = [h('div', {className: `cells-of ${['above', 'below', ''][i]}`}), h('figcaption')]
    return {name, svg, caption, all: h('figure', {}, svg, caption)}
  })
  const [answer, answerField] = field('What comes out?', {placeholder: '(2, 3)', onkeydown: e => { if (e.key === 'Enter') judge(fromTuple(answer.value)) }})
  const exam = h('div', {className: 'row exam', hidden: true}, answerField,
    button('Answer', () => judge(fromTuple(answer.value))), button('It is refused', () => judge('refused')))
  const score = h('p', {className: 'score'})
  const ask = button('Challenge me', () => {
    pair = challenge(Math.random)
    asked = touched = true
    answer.value = told = ''
    show()
    answer.focus()
  })
  const starts = pairs.map(([a, b]) => button(`${toTuple(a)} + ${toTuple(b)}`, () => { pair = [a, b]; quit(); show() }))

  const say = frame(el, {label: 'Two shapes and what comes out', css: STYLE, help: HELP}, [
    h('div', {className: 'row'}, ...inputs.map(([, label]) => label)),
    h('div', {className: 'row starts'}, h('span', {className: 'dim'}, 'Start from'), ...starts),
    board, verdict, exam, score, h('div', {className: 'figures'}, ...figures.map(f => f.all)), note,
    h('div', {className: 'row'}, ask, ...(links ? [linkButton('broadcast', () => toText(...pair))] : []))], show)

  function quit() {
    touched = true
    asked = false
    told = ''
  }

  function change(i, shape) {
    quit()
    pair = pair.with(i, shape)
    show()
  }

  function judge(shape) {
    if (shape === null || shape !== 'refused' && !answer.value.trim()) {
      told = 'Write a shape such as (2, 3), or () for a single number.'
      return show()
    }
    const outcome = broadcast(...pair).shape ?? 'refused', good = String(shape) === String(outcome) && (shape === 'refused') === (outcome === 'refused')
    tried++
    right += good
    asked = false
    told = `${good ? 'Right' : 'Not so: see why'}. Score: ${right} of ${tried}.`
    ask.focus()
    show()
  }

  function show() {
    const {axes, shape, error} = broadcast(...pair)
    steppers.forEach((row, i) => row.forEach(({place, size, less, more}) => {
      size.textContent = pair[i].at(-place) ?? '–'
      for (const [made, sign] of [[less, -1], [more, 1]]) made.ariaDisabled = moved(pair[i], place, sign) === null
    }))
    if (!told.startsWith('Write up')) inputs.forEach(([input], i) => { input.value = toTuple(pair[i]); input.ariaInvalid = false })
    places.forEach((place, i) => {
      const axis = axes[place - 1]
      results[i].textContent = !axis ? '' : asked ? '?' : axis.size ?? '✗'
      whys[i].textContent = !axis || asked ? '' : axis.why
      for (const e of [results[i], whys[i]]) e.classList.toggle('wrong', !asked && axis?.size === null)
    })
    const outcome = error ? `RuntimeError: ${error}` : `torch.Size([${shape?.join(', ')}])`
    verdict.textContent = outcome
    score.textContent = told
    ask.textContent = tried || asked ? 'Another one' : 'Challenge me'
    exam.hidden = !asked
    verdict.hidden = note.hidden = asked
    figures.forEach(f => { f.all.hidden = asked })
    if (!asked) draw(shape)
    if (touched) say(`${told} ${pair.map(toTuple).join(' plus ')}: ${asked ? 'what comes out?' : outcome}`)
  }

  function draw(shape) {
    let [cut, hatched] = [false, false]
    const drawings = pair.map(own => cells(own, shape ?? own))
    if (shape) drawings.push(cells(shape, shape))
    const worth = [i => drawings[0].found[i].memory + 1, i => 10*(drawings[1].found[i].memory + 1), i => worth[0](i) + worth[1](i)]
    figures.forEach(({name, svg, caption, all}, i) => {
      all.hidden = !drawings[i]
      if (!drawings[i]) return
      const {found, width, height, cut: short} = drawings[i], own = pair[i] ?? shape, again = found.some(cell => cell.again)
      cut ||= short
      hatched ||= again
      caption.replaceChildren(h('b', {}, `${name} `), i === 2 ? `${count(product(shape))}, all new`
        : count(product(own)) + (shape && again ? ` in memory, read as ${product(shape).toLocaleString('en')}` : ' in memory'))
      const numbers = width <= 5 && found.length <= 30
      svg.innerHTML = found.length === 0 ? '' : `<svg viewBox="-1 -1 ${10*width + 2} ${10*height + 2}" style="width: ${Math.min(width*2.3, 14)}rem" role="img">
        <defs><pattern id="hatch${i}" width="2.5" height="2.5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0v2.5" class="line"/></pattern></defs>${
        found.map((cell, n) => `<rect x="${10*cell.column}" y="${10*cell.row}" width="10" height="10" ${cell.again ? `class="again" fill="url(#hatch${i})"` : 'class="own"'}/>${
          numbers ? `<text x="${10*cell.column + 5}" y="${10*cell.row + 6.5}"${cell.again ? ' class="again"' : ''}>${worth[i](n)}</text>` : ''}`).join('')}</svg>`
      svg.firstChild?.setAttribute('aria-label', `${name} drawn as cells${again ? ', some of them hatched' : ''}`)
    })
    note.textContent = [hatched && 'Hatched cells are not in memory: they are read again.', cut && 'Long axes are drawn cut short.'].filter(Boolean).join(' ')
  }
}

const STYLE = `
.field { display: grid; gap: .15rem; font-size: .92rem; color: var(--dim) }
.field { flex: 0 1 13rem } .field input { width: 100%; min-height: 44px; padding: 0 .7rem; border: 1px solid var(--edge); border-radius: 8px; background: var(--well); color: var(--text); font: 400 1rem/1.4 var(--mono, ui-monospace, monospace) }
.field input[aria-invalid=true] { border-color: var(--three) }
.row { align-items: end } .starts { margin-top: .6rem; align-items: center } .starts .dim { margin: 0 } .starts button { padding: 0 .6rem; font-size: .88rem } .exam { margin: .8rem 0 }
table { width: 100%; max-width: 40rem; margin: 1rem 0 .4rem; border-collapse: collapse; table-layout: fixed; text-align: center; font-variant-numeric: tabular-nums }
th { padding: .2rem 0; font-weight: 400; color: var(--dim) } tr > th:first-child { width: 3.2rem; text-align: left }
td { padding: .2rem 0; border: 0 } tbody tr { border-top: 1px solid var(--edge) } tbody tr.why { border: 0 }
.step { display: flex; justify-content: center; align-items: center }
.step b { min-width: 1.7rem; font-weight: 600 } .step button { padding: 0; border-color: transparent; background: none }
.step span { display: block; width: 1.6rem; margin: auto; border: 1px solid var(--edge); border-radius: 50%; line-height: 1.45rem; background: var(--paper) } .step button:hover span { border-color: var(--three) }
button[aria-disabled=true] span { opacity: .25 } button[aria-disabled=true] { cursor: default }
.sum td { font-weight: 600; font-size: 1.15rem } .why td { height: 2.1em; color: var(--dim); font-size: .85rem; white-space: nowrap }
td.wrong { color: var(--three) }
.verdict { margin: .3rem 0 .8rem; padding: .5rem .7rem; border-radius: 6px; background: var(--well); font: 400 .95rem/1.4 var(--mono, ui-monospace, monospace); overflow-wrap: anywhere }
.score { font-weight: 600 } .score:empty { display: none }
.figures { display: grid; gap: 1rem 1.4rem; grid-template-columns: repeat(3, minmax(0, 1fr)); margin: .8rem 0 }
figure { margin: 0 } figure[hidden], .exam[hidden], [hidden] { display: none } figcaption { margin-top: .4rem; font-size: .88rem; color: var(--dim) }
svg { display: block; max-width: 100%; height: auto }
rect { stroke: currentColor; stroke-width: .4 } rect.own { fill: color-mix(in srgb, currentColor 16%, transparent) }
.line { stroke: currentColor; stroke-width: .7; opacity: .55 }
text { font: 400 4px var(--sans, system-ui, sans-serif); text-anchor: middle; fill: var(--text); paint-order: stroke; stroke: var(--paper); stroke-width: 1.2px }
text:not(.again) { stroke: none }
.dim { margin-bottom: .8rem }
@container (max-width: 34rem) { .step { flex-direction: column-reverse } .figures { grid-template-columns: repeat(2, minmax(0, 1fr)) } .field { flex: 1 1 12rem } .why td { font-size: .75rem } }
`

export default {render}
