// What was solved, in the browser's own storage, written as the file of the notebooks is.

const PLACE = 'digit-under-hood', EMPTY = {tasks: {}, cards: {}}
let memory = EMPTY   // where storage is refused, as long as the page is open

const isDict = value => typeof value === 'object' && value !== null && !Array.isArray(value)

// Is this what `export_progress` writes?
export const sound = found => isDict(found) && ['tasks', 'cards'].every(
  name => isDict(found[name]) && Object.values(found[name]).every(isDict))

export function readProgress() {
  try {
    const found = JSON.parse(localStorage.getItem(PLACE))
    return sound(found) ? found : structuredClone(EMPTY)
  } catch { return structuredClone(memory) }
}

export function writeProgress(found) {
  memory = found
  try { localStorage.setItem(PLACE, JSON.stringify(found)) } catch { /* then for this page only */ }
}

// Note a try at a task (right or not; null: only help), and what was said
export function noteTry(task, right, help, said) {
  const found = readProgress(), now = new Date().toISOString().replace(/\.\d+Z$/, '+00:00')
  const known = found.tasks[task] ?? {tries: 0, help: 0}
  Object.assign(known, {tries: known.tries + (right !== null), help: Math.max(known.help, help), at: now})
  if (right) known.solved ??= now
  if (said !== undefined) known.said = said
  found.tasks[task] = known
  writeProgress(found)
}
