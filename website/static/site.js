// The page without this script is complete to read and to walk through. This adds the theme button,
// copy buttons, the menu on a phone, and the mark in the table of contents.
const root = document.documentElement
const $ = (query, from = document) => from.querySelector(query)
const all = (query, from = document) => [...from.querySelectorAll(query)]

// Light and dark: the system's choice until the reader makes one

const dark = matchMedia('(prefers-color-scheme: dark)')
const theme = $('.theme')
const isDark = () => root.dataset.theme ? root.dataset.theme === 'dark' : dark.matches
const showTheme = () => theme.setAttribute('aria-pressed', isDark())
theme.addEventListener('click', () => {
  root.dataset.theme = isDark() ? 'light' : 'dark'
  try { localStorage.setItem('theme', root.dataset.theme) } catch { /* then it holds for this page */ }
  showTheme()
})
dark.addEventListener('change', showTheme)
addEventListener('storage', e => { if (e.key === 'theme') { root.dataset.theme = e.newValue || ''; showTheme() } })
showTheme()

// Menu on a narrow screen

const menu = $('.menu-open'), course = $('.course')
function toggleMenu(open) {
  root.classList.toggle('menu', open)
  menu.setAttribute('aria-expanded', open)
  if (open) $('a[aria-current]', course)?.focus()
}
menu.setAttribute('role', 'button')
toggleMenu(false)
menu.addEventListener('click', e => { e.preventDefault(); toggleMenu(!root.classList.contains('menu')) })
menu.addEventListener('keydown', e => { if (e.key === ' ') { e.preventDefault(); menu.click() } })
$('.menu-close').addEventListener('click', e => { e.preventDefault(); toggleMenu(false); menu.focus() })
addEventListener('keydown', e => { if (e.key === 'Escape' && root.classList.contains('menu')) { toggleMenu(false); menu.focus() } })

// Copy buttons

for (const [n, pre] of all('pre.code').entries()) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'copy'
  button.textContent = 'Copy'
  button.setAttribute('aria-label', `Copy code ${n + 1}: ${pre.textContent.trim().split('\n')[0]}`)
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent.trimEnd() + '\n')
      button.textContent = 'Copied'
    } catch {     // no leave, or a page that came without https
      getSelection().selectAllChildren(pre)
      button.textContent = 'Selected'
    }
    setTimeout(() => { button.textContent = 'Copy' }, 1600)
  })
  const shell = document.createElement('div')
  shell.className = 'shell'
  pre.replaceWith(shell)
  shell.append(pre, button)
}

// What scrolls sideways can be reached with the keyboard, and fades where it goes on

const wide = all('pre, .maths.display, .scroll')
function fade(box) {
  const beyond = box.scrollWidth - box.clientWidth
  const more = [box.scrollLeft > 1 && 'left', box.scrollLeft < beyond - 1 && 'right'].filter(Boolean).join(' ')
  if (more) box.dataset.more = more
  else delete box.dataset.more
  if (more) box.tabIndex = 0
  else box.removeAttribute('tabindex')
}
const fits = new ResizeObserver(seen => seen.forEach(({ target }) => fade(target)))
for (const box of wide) {
  fits.observe(box)
  box.addEventListener('scroll', () => fade(box), { passive: true })
}
document.fonts.ready.then(() => wide.forEach(fade))   // the typefaces change what fits

// Guesses: what the reader said stays beside what comes out, and is there after a reload

const stored = { get: key => { try { return JSON.parse(localStorage.getItem(key)) } catch { return null } },
  set: (key, value) => { try { localStorage.setItem(key, JSON.stringify(value)) } catch { /* then it holds for this page */ } } }
for (const card of all('.guess')) {
  const form = $('.asks', card), answer = $('.answer', card)
  const field = $('input', form), button = $('button', form), said = $('p', form)
  const key = `${location.pathname}#${card.id}`, ask = button.textContent
  const keep = () => stored.set(key, { guess: field.value, shown: answer.open })
  function show() {
    const within = form.contains(document.activeElement), guess = field.value.trim()
    form.classList.toggle('shown', answer.open)
    button.setAttribute('aria-expanded', answer.open)
    button.textContent = answer.open ? 'Fold it again' : ask
    said.replaceChildren(...!answer.open ? [] : guess ? ['You guessed ', Object.assign(document.createElement('strong'), { textContent: guess }), '. This comes out:'] : ['This comes out:'])
    if (within) (answer.open ? button : field).focus()
  }
  const before = stored.get(key)
  field.value = before?.guess ?? ''
  answer.open = !!before?.shown
  show()
  form.addEventListener('submit', e => { e.preventDefault(); answer.open = !answer.open })
  answer.addEventListener('toggle', () => { show(); keep() })   // a search in the page opens it too
  field.addEventListener('input', keep)
}

// The place in the table of contents

const links = new Map(all('.contents a').map(a => [a.hash.slice(1), a]))
const heads = all('.text :is(h2, h3)[id]').filter(h => links.has(h.id))
let queued = false
function mark() {
  queued = false
  const at = heads.findLast(h => h.getBoundingClientRect().top < 140)
  links.forEach((a, id) => at?.id === id ? a.setAttribute('aria-current', 'true') : a.removeAttribute('aria-current'))
}
if (heads.length) {
  addEventListener('scroll', () => { if (!queued) { queued = true; requestAnimationFrame(mark) } }, { passive: true })
  mark()
}

// A link into a folded part opens it

function place(hash) {
  try { return document.getElementById(decodeURIComponent(hash.slice(1))) } catch { return null }   // `#%` is no address
}
function unfold(target) {
  for (let d = target?.closest('details'); d; d = d.parentElement.closest('details')) d.open = true
}
addEventListener('hashchange', () => unfold(place(location.hash)))
unfold(place(location.hash))

// A link to what a reader made of an explorable (`#bend=…`) leads to it, or to a section that it names too
// (`#why-30&bend=…`). After a reload, or on the way back, the browser knows the reader's place better.

const state = [...new URLSearchParams(location.hash.slice(1))]
const wanted = state.map(([name, value]) => !value && place(`#${name}`)).find(Boolean)
  ?? state.map(([name]) => $(`[data-explorable="${CSS.escape(name)}"]`)).find(Boolean)
if (wanted && performance.getEntriesByType('navigation')[0]?.type === 'navigate') {
  let moved = false
  for (const kind of ['wheel', 'touchstart', 'pointerdown', 'keydown']) addEventListener(kind, () => { moved = true }, { once: true, passive: true })
  const show = () => { if (!moved) wanted.scrollIntoView({ behavior: 'instant' }) }
  unfold(wanted)
  show()
  addEventListener('load', () => document.fonts.ready.then(() => requestAnimationFrame(show)))   // what stands above has its height now
}
