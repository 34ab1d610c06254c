// A task with choices, or for a number: it answers each, helps in steps, and remembers.
import {button, frame, h, unpack} from './shared.js'
import {noteTry, readProgress} from './store.js'

const LETTERS = 'abcdefgh'

// A number as people type it; nan for what is none
export const number = text => /^[-+]?(\d+([.,]\d*)?|[.,]\d+)\s*%?$/.test(text.trim())
  ? parseFloat(text.trim().replace(',', '.'))/(text.includes('%') ? 100 : 1) : NaN

// What a task says to an answer: the place of a choice, or a number. Null if it is no answer
export function judge(task, said) {
  if (said === null || Number.isNaN(said)) return null
  if (task.choices.length) return {right: said === task.right, says: task.choices[said][1]}
  if (Math.abs(said - task.value) <= task.within) return {right: true, says: ''}
  const near = task.wrong.find(([value]) => Math.abs(said - value) <= task.within)
  return {right: false, says: near?.[1] ?? `It is ${said > task.value ? 'less' : 'more'}.`}
}

const written = (html, tag = 'div', props = {}) => h(tag, {innerHTML: html, ...props})

async function render({model, el}) {
  const task = JSON.parse(new TextDecoder().decode((await unpack(model.get('data'))).task))
  const onSite = model.get('links'), name = `choice-${task.id}`, known = readProgress().tasks[task.id]
  const ask = written(task.ask, 'div', {className: 'ask', id: 'ask'})
  const radios = task.choices.map((_, i) => h('input', {type: 'radio', name, value: i}))
  const field = h('input', {type: 'text', inputMode: 'decimal', autocomplete: 'off', id: 'number'})
  field.addEventListener('beforeinput', e => e.stopPropagation())   // JupyterLab would refuse Enter
  const answers = task.choices.length
    ? h('div', {className: 'choices', role: 'radiogroup', ariaLabel: task.concept}, ...task.choices.map(([choice], i) =>
      h('label', {className: 'check'}, radios[i], h('b', {}, LETTERS[i]), written(choice, 'span'))))
    : h('label', {className: 'number'}, h('span', {}, 'Your number'), field)
  const verdict = h('div', {className: 'verdict', hidden: true})
  const said = () => task.choices.length ? radios.find(radio => radio.checked)?.value ?? null : number(field.value)

  function tell(given) {
    const found = judge(task, given)
    const lead = found === null ? (task.choices.length ? 'Choose one first.' : 'Write a number first.') : found.right ? 'Right.' : 'Not yet.'
    verdict.className = `verdict ${found?.right ? 'right' : ''}`
    verdict.replaceChildren(h('b', {}, lead), ' ', written(found?.right && !found.says ? task.answer : found?.says ?? ''))
    if (found?.right && !onSite)
      verdict.append(h('p', {className: 'dim'}, `To keep it for progress(): .check(${task.choices.length ? `'${LETTERS[given]}'` : given})`))
    verdict.hidden = false
    return found
  }

  const help = [...task.hints.map((hint, i) => [`Hint ${i + 1}`, hint, i + 1]), ['The answer', task.answer, 9]]
  const parts = help.map(([title, html, step], i) => {
    const part = h('details', {hidden: i > 0}, h('summary', {}, title), written(html))
    part.ontoggle = () => {
      if (!part.open) return
      if (parts[i + 1]) parts[i + 1].hidden = false
      noteTry(task.id, null, step)
    }
    return part
  })
  const form = h('form', {onsubmit: e => {
    e.preventDefault()
    const value = said(), given = value === null ? null : Number(value), found = tell(given)
    if (found) noteTry(task.id, found.right, 0, given)
    say(verdict.textContent)
  }}, answers, h('div', {className: 'row'}, button('Check', null, {type: 'submit', className: 'go'})))
  const say = frame(el, {label: `Task: ${task.concept}`, css: STYLE},
    [h('p', {className: 'title'}, `Task: ${task.concept}`), ask, form, verdict, h('div', {className: 'help-steps'}, ...parts)], () => {})

  if (known?.said !== undefined) {   // as it was left
    if (task.choices.length) { if (radios[known.said]) radios[known.said].checked = true }
    else field.value = known.said
    if (judge(task, known.said)) tell(known.said)
  }
}

const STYLE = `
.ask p, .verdict p, .verdict div, .check p, details p { display: inline; margin: 0 }
.ask p + p, details p + p { display: block; margin-top: .5rem }
.ask, form { margin-bottom: .6rem }
.choices { display: grid; gap: .1rem; margin-bottom: .5rem }
.check { padding: .2rem .5rem; border-radius: 8px; line-height: 1.35 } .check:hover { background: var(--well) }
.check input { flex: none } .check b { color: var(--dim); font-weight: 600 } .check b::after { content: ')' }
.check:has(:checked) { background: var(--well) }
.number { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; margin-bottom: .6rem }
.number input { width: 9rem; min-height: 44px; padding: 0 .6rem; border: 1px solid var(--edge); border-radius: 8px; background: var(--paper); color: inherit; font: inherit }
.go { font-weight: 600 }
.verdict { padding: .6rem .8rem; border-left: 4px solid var(--three); border-radius: 4px; background: var(--well); margin-bottom: .6rem }
.verdict.right { border-color: var(--seven) } .verdict[hidden] { display: none } .verdict .dim { display: block; margin-top: .4rem }
details { margin: 0 } summary { min-height: 44px; display: flex; align-items: center; gap: .5rem; cursor: pointer; color: var(--dim) }
summary::before { content: '▸' } details[open] summary::before { content: '▾' } summary::-webkit-details-marker { display: none }
details > div { padding: 0 0 .5rem 1.2rem }
code { font: 400 .92em/1.3 var(--mono, ui-monospace, monospace); background: var(--well); padding: .05em .25em; border-radius: 4px; overflow-wrap: anywhere }
pre { margin: .5rem 0; padding: .6rem .8rem; border-radius: 6px; background: var(--well); overflow-x: auto } pre code { padding: 0; background: none }
`

export default {render}
