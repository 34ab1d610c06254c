// What is solved, chapter by chapter, and cards that come back before they are forgotten.
import {createEmptyCard, fsrs} from './fsrs.js'
import {button, frame, h, unpack} from './shared.js'
import {readProgress, sound, writeProgress} from './store.js'

const GRADES = ['again', 'hard', 'good', 'easy'], LEARNED = 2
const scheduler = fsrs({enable_fuzz: false})

// Join two records, so that nothing solved is lost and nothing counts twice
export function joinProgress(a, b) {
  const joined = {tasks: {...a.tasks}, cards: {...a.cards}}
  for (const [name, note] of Object.entries(b.tasks)) {
    const own = joined.tasks[name] ?? {}, solved = [own.solved, note.solved].filter(Boolean).sort()[0]
    const later = (note.at ?? '') > (own.at ?? '') ? note : own
    joined.tasks[name] = {...later, tries: Math.max(own.tries ?? 0, note.tries ?? 0), help: Math.max(own.help ?? 0, note.help ?? 0),
      ...(solved ? {solved} : {})}
  }
  for (const [name, card] of Object.entries(b.cards))
    if ((card.last_review ?? '') >= (joined.cards[name]?.last_review ?? '')) joined.cards[name] = card
  return joined
}

// A card as the notebooks keep it, after it was graded (1 to 4) at `now`
export function graded(kept, grade, now) {
  const card = !kept ? createEmptyCard(now) : {...kept, due: new Date(kept.due), last_review: new Date(kept.last_review),
    learning_steps: kept.step ?? 0, elapsed_days: 0, scheduled_days: 0, reps: 1, lapses: 0}
  const next = scheduler.next(card, now, grade).card
  return {card_id: 0, state: next.state, step: next.state === LEARNED ? null : next.learning_steps, stability: next.stability,
    difficulty: next.difficulty, due: next.due.toISOString().replace('Z', '+00:00'), last_review: now.toISOString().replace('Z', '+00:00')}
}

// Of each chapter: how many are solved, and which concepts to look at again
export function board(tasks, known) {
  const rows = new Map()
  for (const {id, chapter, page, concept} of tasks) {
    const row = rows.get(chapter) ?? {chapter, page, solved: 0, all: 0, again: new Set()}, note = known[id]
    rows.set(chapter, row)
    row.all++
    if (note?.solved) row.solved++
    if (note && (!note.solved || note.help || note.tries > 2)) row.again.add(concept)
  }
  return [...rows.values()].map(row => ({...row, again: [...row.again]}))
}

// The tasks that were met and are due, those that wait longest first
export const due = (tasks, {tasks: known, cards}, now) => tasks.filter(({id, card}) => card && known[id] && !(Date.parse(cards[id]?.due) > now))
  .sort((a, b) => (Date.parse(cards[a.id]?.due) || 0) - (Date.parse(cards[b.id]?.due) || 0))

const written = html => h('div', {innerHTML: html})

async function render({model, el}) {
  const {tasks} = JSON.parse(new TextDecoder().decode((await unpack(model.get('data'))).tasks))
  const table = h('tbody'), card = h('div', {className: 'card'}), told = h('p', {className: 'dim'})
  const file = h('input', {type: 'file', accept: '.json,application/json', hidden: true, onchange: async () => {
    let other = null
    try { other = JSON.parse(await file.files[0].text()) } catch { /* told below */ }
    if (sound(other)) writeProgress(joinProgress(readProgress(), other))
    tell(sound(other) ? 'Joined with what was here.' : 'That is no file of saved progress.')
    file.value = ''
    show()
  }})
  const save = (text, name) => {
    const href = URL.createObjectURL(new Blob([text], {type: 'application/json'}))
    h('a', {href, download: name}).click()
    setTimeout(() => URL.revokeObjectURL(href), 1000)
  }
  const forget = button('Forget all', () => {
    if (forget.textContent === 'Forget all') { forget.textContent = 'Really?'; setTimeout(() => { forget.textContent = 'Forget all' }, 4000); return }
    forget.textContent = 'Forget all'
    writeProgress({tasks: {}, cards: {}})
    tell('Begun anew.')
    show()
  })
  const tell = text => { told.textContent = text; say(text) }

  function ask() {
    const [task, ...others] = due(tasks, readProgress(), Date.now())
    if (!task) return card.replaceChildren(h('p', {className: 'dim'}, 'No card is due. Cards come from tasks that you have tried.'))
    const answer = h('div', {hidden: true}, written(task.answer), h('div', {className: 'row'}, ...GRADES.map((name, i) => button(name[0].toUpperCase() + name.slice(1), () => {
      const found = readProgress()
      found.cards[task.id] = graded(found.cards[task.id], i + 1, new Date())
      writeProgress(found)
      const days = Math.round((Date.parse(found.cards[task.id].due) - Date.now())/864e5)
      tell(`${task.concept}: comes back ${days < 1 ? 'in a few minutes' : days === 1 ? 'tomorrow' : `in ${days} days`}.`)
      show()
      card.querySelector('button')?.focus()
    }))))
    const look = button('Show the answer', () => { answer.hidden = false; look.hidden = true; answer.querySelector('button').focus(); say(answer.textContent) })
    card.replaceChildren(h('p', {className: 'title'}, `Card: ${task.concept}`, h('span', {className: 'dim'}, ` ${others.length ? `and ${others.length} more` : ''}`)),
      written(task.ask), look, answer)
  }

  function show() {
    table.replaceChildren(...board(tasks, readProgress().tasks).map(row => h('tr', {}, h('th', {scope: 'row'}, h('a', {href: row.page}, row.chapter)),
      h('td', {}, h('span', {className: 'dots', ariaHidden: 'true'}, '●'.repeat(row.solved) + '○'.repeat(row.all - row.solved)), ` ${row.solved} of ${row.all}`),
      h('td', {}, row.again.join(', ')))))
    ask()
  }
  const say = frame(el, {label: 'Your progress', css: STYLE}, [card,
    h('table', {}, h('thead', {}, h('tr', {}, ...['Chapter', 'Solved', 'Look at again'].map(text => h('th', {scope: 'col'}, text)))), table),
    h('div', {className: 'row'}, button('Save as a file', () => save(JSON.stringify(readProgress(), null, 1), 'progress.json')),
      button('Join a file', () => file.click()), forget), file, told], () => {})
  show()
  addEventListener('storage', show)
}

const STYLE = `
.card { margin-bottom: 1.2rem; padding: .9rem 1rem; border-radius: 8px; background: var(--well) } .card p { margin: 0 0 .6rem }
table { width: 100%; border-collapse: collapse; margin-bottom: 1rem } th, td { padding: .45rem .6rem .45rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--edge) }
th { font-weight: 600 } .dots { color: var(--three); letter-spacing: .08em; overflow-wrap: anywhere } .told { min-height: 1.4em }
.title .dim { font-weight: 400 } .row + .dim { margin-top: .6rem } [hidden] { display: none }
code { font: 400 .92em/1.3 var(--mono, ui-monospace, monospace); background: var(--well); padding: .05em .25em; border-radius: 4px; overflow-wrap: anywhere }
pre { margin: .5rem 0; padding: .6rem .8rem; border-radius: 6px; background: var(--paper); white-space: pre-wrap } pre code { padding: 0; background: none }
`

export default {render}
