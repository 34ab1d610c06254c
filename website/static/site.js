// The page without this script is complete to read and to walk through. This adds search, the theme button,
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

for (const pre of all('pre.code')) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'copy'
  button.textContent = 'Copy'
  button.setAttribute('aria-label', 'Copy this code')
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(pre.innerText.trimEnd() + '\n')
    button.textContent = 'Copied'
    setTimeout(() => { button.textContent = 'Copy' }, 1600)
  })
  const shell = document.createElement('div')
  shell.className = 'shell'
  pre.replaceWith(shell)
  shell.append(pre, button)
}

// What scrolls sideways can be reached with the keyboard

function reach() {
  for (const box of all('pre, .maths.display')) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0
    else box.removeAttribute('tabindex')
  }
}
reach()
document.fonts.ready.then(reach)   // the typefaces change what fits
addEventListener('load', reach)
addEventListener('resize', reach)
all('details').forEach(d => d.addEventListener('toggle', reach))

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

// A link into a folded part opens it; print shows every part

function unfold() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)))
  for (let d = target && target.closest('details'); d; d = d.parentElement.closest('details')) d.open = true
}
addEventListener('hashchange', unfold)
unfold()
addEventListener('beforeprint', () => all('.text details:not([open])').forEach(d => { d.open = true; d.dataset.shut = '' }))
addEventListener('afterprint', () => all('details[data-shut]').forEach(d => { d.open = false; delete d.dataset.shut }))

// Search: every word must occur; titles count more than text, whole words more than beginnings

const dialog = $('dialog.search'), query = $('#query'), found = $('#found'), count = $('.count', dialog)
let entries = null, chosen = -1
async function openSearch() {
  if (dialog.open) return
  dialog.showModal()
  query.select()
  entries ??= fetch('search.json').then(r => r.json()).then(rows => {
    const titles = new Map(rows.filter(row => !row[1]).map(row => [row[0], row[2]]))
    return rows.map(([page, id, title, text]) => ({ href: page + (id && '#' + id), within: titles.get(page), title, text,
      low: [title, text, id ? titles.get(page) : ''].map(words => words.toLowerCase()) }))
  })
  entries.catch(() => { count.textContent = 'The search index could not be read: is the site being served?' })
  look()
}
const plain = word => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
function score(entry, words) {
  let total = 0
  for (const word of words) {
    const whole = new RegExp(`(^|[^\\w])${plain(word)}($|[^\\w])`), start = new RegExp(`(^|[^a-z0-9])${plain(word)}`)
    const [title, text, page] = entry.low
    const about = page.includes(word) ? 6 : 0
    const here = about + (whole.test(title) ? 30 : start.test(title) ? 20 : title.includes(word) ? 8
      : whole.test(text) ? 4 : start.test(text) ? 3 : text.includes(word) ? 1 : 0)
    if (!here) return 0
    total += here + Math.min(3, text.split(word).length - 1)
  }
  return total + (entry.low[0] === words.join(' ') ? 40 : 0)
}
function part(text, words) {
  const near = Math.max(0, text.toLowerCase().indexOf(words[0]) - 50)
  const at = near && text.indexOf(' ', near) + 1
  return (at ? '… ' : '') + text.slice(at, at + 150) + (at + 150 < text.length ? ' …' : '')
}
function marked(text, words) {
  const out = document.createElement('span')
  text.split(new RegExp(`(${words.map(plain).join('|')})`, 'gi')).forEach((piece, i) => {
    if (i % 2) out.append(Object.assign(document.createElement('mark'), { textContent: piece }))
    else out.append(piece)
  })
  return out
}
async function look() {
  const list = await entries.catch(() => null)
  if (!list) return
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean)
  const best = words.length ? list.map(e => [score(e, words), e]).filter(o => o[0]).sort((a, b) => b[0] - a[0]).slice(0, 12) : []
  found.replaceChildren(...best.map(([, e], i) => {
    const item = document.createElement('li'), link = document.createElement('a')
    item.role = 'presentation'
    Object.assign(link, { href: e.href, id: 'found-' + i, role: 'option', tabIndex: -1 })
    link.setAttribute('aria-selected', 'false')
    const where = Object.assign(document.createElement('small'), { textContent: e.within })
    const title = document.createElement('strong')
    title.append(marked(e.title, words))
    link.append(title, where, marked(part(e.text, words), words))
    link.addEventListener('click', () => dialog.close())
    item.append(link)
    return item
  }))
  count.textContent = words.length ? best.length ? `${best.length} places` : 'Nothing found. Try a shorter word.' : ''
  choose(best.length ? 0 : -1)
}
function choose(i) {
  const options = all('a', found)
  chosen = options.length ? (i + options.length) % options.length : -1
  options.forEach((o, n) => o.setAttribute('aria-selected', n === chosen))
  query.setAttribute('aria-expanded', options.length > 0)
  if (chosen < 0) query.removeAttribute('aria-activedescendant')
  else { query.setAttribute('aria-activedescendant', options[chosen].id); options[chosen].scrollIntoView({ block: 'nearest' }) }
}
query.addEventListener('input', look)
query.addEventListener('keydown', e => {
  if (e.key === 'ArrowDown') choose(chosen + 1)
  else if (e.key === 'ArrowUp') choose(chosen - 1)
  else if (e.key === 'Escape') dialog.close()
  else if (e.key === 'Enter') all('a', found)[chosen]?.click()
  else return
  e.preventDefault()
})
dialog.addEventListener('click', e => { if (e.target === dialog) dialog.close() })
$('.search-open').addEventListener('click', openSearch)
addEventListener('keydown', e => {
  const typing = e.target.closest?.('input, textarea, select, [contenteditable]')
  if ((e.key === '/' && !typing && !e.ctrlKey && !e.metaKey && !e.altKey) || (e.key === 'k' && (e.ctrlKey || e.metaKey))) {
    e.preventDefault()
    openSearch()
  }
})
