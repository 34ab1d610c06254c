// Search: opened with the button, with / or with Ctrl-K. The index and the library that reads it are fetched at
// the first use. Any word may occur; places that have all of them, and those named so, come first.
'use strict'   // else the block's functions are the window's too
{
  const script = document.currentScript.src
  const dialog = document.querySelector('dialog.search'), query = document.querySelector('#query')
  const found = document.querySelector('#found'), count = dialog.querySelector('.count')

  // Words: small letters, one spelling, singular; a compound such as Learner.fit also counts by its parts

  const STOP = new Set(`a about an and are as at be but by can do does for from get give had has have how i if in into is it its me
    my of on one or so some such than that the their them then there these they this to use used using was we what when where which
    who why will with would you your`.split(/\s+/))
  const SAME = [['backprop', 'backpropagation', 'backward', 'autograd'], ['install', 'installation', 'setup', 'pip', 'clone'],
    ['mse', 'squared'], ['mae', 'l1'], ['network', 'mlp', 'net', 'neural', 'perceptron'], ['cuda', 'gpu', 'graphics'],
    ['speed', 'fast', 'faster', 'slow', 'benchmark', 'performance'], ['picture', 'image', 'photo'], ['exercise', 'task', 'turn'],
    ['quiz', 'question', 'questionnaire'], ['ragged', 'jagged', 'unequal'], ['dataset', 'data'], ['neuron', 'unit'],
    ['wrote', 'written'], ['writer', 'handwriting'], ['optimiser', 'optim'], ['nonlinearity', 'nonlinear', 'bend', 'relu'], ['teach', 'teacher', 'classroom'],
    ['licence', 'copyright'], ['plot', 'draw', 'figure'], ['lr', 'rate'], ['uncertainty', 'interval'], ['cast', 'dtype'],
    ['convolution', 'convolutional', 'cnn', 'convnet'], ['ece', 'expected_calibration_error'], ['grade', 'grading', 'homework', 'assignment'],
    ['project', 'capstone'], ['terminal', 'cli'], ['shift', 'shifted', 'translation'], ['autocast', 'amp', 'bf16', 'fp16']]
  const WEAK = new Set(['digit', 'image', 'model', 'function'])     // they stand nearly everywhere: to lack them costs little
  // What readers call by words that the course has for other things, or has not: what to look for instead
  const CALLED = [[/\bspaced repetition|\bflash ?cards?\b|\banki\b|\bforgetting curve/g, 'review cards'], [/\bloss function/g, 'loss'],
    [/^windows\b|\bon windows\b/g, 'windows install'], [/\bcommand line\b/g, 'terminal command'], [/\b(resume|continue) (the |a )?(training|fit)\b/g, 'fit goes'],
    [/\bpre-?trained\b/g, 'ready trained'], [/\bwarm-?up\b/g, 'one cycle'], [/\bunit tests?\b/g, 'test'],
    [/\b(half|mixed) precision\b/g, 'another number format'], [/\b(larger|bigger) than (the )?memory\b/g, 'more data memory']]
  const SPELLED = { axes: 'axis', matrices: 'matrix', indices: 'index', color: 'colour', gray: 'grey', license: 'licence' }
  const WORD = /[\p{L}\p{N}_]+(?:[.'’-][\p{L}\p{N}_]+)*/gu
  const parts = word => [...new Set([word, ...word.split(/[.'’-]/), ...word.split(/[.'’_-]/)])].filter(Boolean)
  const tokens = text => (text.toLowerCase().match(WORD) ?? []).flatMap(parts)
  function stem(word) {
    const one = SPELLED[word] ?? word.slice(0, 40).replace(/(ss|x|ch|sh)es$|([^aisu])s$/, (m, a, b) => word.length > 3 ? a ?? b : m)
    return one.replace(/iz(e|ed|er|ing|ation)$/, 'is$1')
  }
  const same = new Map(SAME.flatMap(group => group.map(word => [stem(word), group.map(stem)])))
  const asked = word => STOP.has(word) ? null : stem(word)
  const indexed = word => STOP.has(word) ? null : same.get(stem(word)) ?? stem(word)

  // The index: read once; what failed is tried again at the next key

  const KIND = { term: 1.6, page: 1.3, definition: 1.2, api: 1.1, row: .8, end: .5 }
  let reading = null, tries = 0
  function read() {
    const again = tries++ ? `?${tries}` : ''      // a browser remembers a module that did not come
    reading ??= Promise.all([import(new URL(`vendor/minisearch.js${again}`, script)),
      fetch(new URL('../search.json', script)).then(r => r.ok ? r.json() : Promise.reject(r.status))]).then(([{ default: MiniSearch }, pages]) => {
      const places = pages.flatMap(([page, within, rows]) => rows.map(([id, kind, title, text, code]) =>
        ({ href: new URL(`../${page}${id && '#' + id}`, script).href, kind, title, text, code, within })))
      const index = new MiniSearch({ idField: 'n', fields: ['title', 'text', 'code', 'within'], tokenize: tokens, processTerm: indexed })
      for (const place of places) place.name = [...new Set(tokens(place.title).map(asked).filter(Boolean))]
      return index.addAllAsync(places.map((place, n) => ({ ...place, n })), { chunkSize: 40 }).then(() => ({ index, places }))
    }).catch(error => { reading = null; throw error })
    return reading
  }
  function search({ index, places }, typed) {
    const text = CALLED.reduce((text, [said, meant]) => text.replace(said, meant), typed.slice(0, 200).toLowerCase())
    const words = (text.match(WORD) ?? []).slice(0, 12)
      .map(word => parts(word).map(asked).filter(Boolean)).filter(terms => terms.length)
    if (!words.length) return []
    const options = { processTerm: asked, boost: { title: 5, code: .3, within: .8 }, boostDocument: n => KIND[places[n].kind] ?? 1, bm25: { k: 1.2, b: .4, d: .5 },
      boostTerm: term => words.some(([whole, ...parts]) => term !== whole && parts.includes(term)) ? .4 : 1,
      prefix: (term, i, all) => term.length > (i === all.length - 1 ? 1 : 3) }
    let hits = index.search(text, options)
    const known = new Set(hits.flatMap(hit => hit.queryTerms))
    const typo = term => known.has(term) ? false : term.length > 6 ? 2 : term.length > 3 ? 1 : false
    if (words.flat().some(typo)) hits = index.search(text, { ...options, fuzzy: typo })
    const whole = words.map(terms => terms[0])
    const weight = words => words.reduce((sum, word) => sum + (WEAK.has(word) ? .3 : 1), 0), all = weight(whole)
    // how much of what is asked the whole name of a place is
    const named = name => name.length && name.every(word => whole.includes(word)) ? 2 * weight(name) / all : 0
    const ranked = hits.map(hit => {
      const place = places[hit.id]
      const share = words.map(terms => hit.queryTerms.includes(terms[0]) ? 1 : terms.filter(t => hit.queryTerms.includes(t)).length / terms.length)
      const part = share.reduce((sum, s, i) => sum + s * weight([whole[i]]), 0) / all
      return { ...place, words: new Set(hit.terms), score: hit.score * part ** 2 * (1 + named(place.name) * part ** 2) }
    }).sort((a, b) => b.score - a.score).filter((hit, n, all) => hit.score > all[0].score / 20)
    const seen = new Set()
    return ranked.filter(hit => !seen.has(hit.href) && seen.add(hit.href))
  }

  // What is shown: the heading, the page, and the prose around the hits

  const hits = (text, words) => [...text.matchAll(WORD)].filter(m => parts(m[0].toLowerCase()).some(part => [indexed(part)].flat().some(w => words.has(w))))
  function marked(text, words) {
    const out = document.createElement('span')
    let at = 0
    for (const m of hits(text, words)) {
      out.append(text.slice(at, m.index), Object.assign(document.createElement('mark'), { textContent: m[0] }))
      at = m.index + m[0].length
    }
    out.append(text.slice(at))
    return out
  }
  function snippet(text, words, length = 160) {
    const at = hits(text, words)                    // where most of the different words stand together
    const most = at.map(m => new Set(at.filter(o => o.index >= m.index && o.index < m.index + length - 40).map(o => stem(o[0].toLowerCase()))).size)
    const first = Math.max(0, (at[most.indexOf(Math.max(...most))]?.index ?? 0) - 40)
    const from = first && text.indexOf(' ', first) + 1, to = from + length < text.length ? text.lastIndexOf(' ', from + length) : text.length
    return (from ? '… ' : '') + text.slice(from, to).replace(/^[\s·]+/, '') + (to < text.length ? ' …' : '')
  }
  function option(hit, i) {
    const item = document.createElement('li'), link = document.createElement('a')
    item.role = 'presentation'
    Object.assign(link, { href: hit.href, id: 'found-' + i, role: 'option', tabIndex: -1 })
    link.setAttribute('aria-selected', 'false')
    const title = document.createElement('strong'), where = document.createElement('small')
    title.append(marked(hit.title, hit.words))
    where.textContent = hit.kind === 'page' ? '' : hit.within
    link.append(title, where, marked(snippet(hit.text, hit.words), hit.words))
    link.addEventListener('click', () => {
      try { sessionStorage.setItem('found', JSON.stringify([...hit.words])) } catch { /* then folded stays folded */ }
      if (link.pathname === location.pathname) setTimeout(arrive)
      dialog.close()
    })
    item.append(link)
    return item
  }
  let chosen = -1
  function choose(i) {
    const options = [...found.querySelectorAll('a')]
    chosen = options.length ? (i + options.length) % options.length : -1
    options.forEach((o, n) => o.setAttribute('aria-selected', n === chosen))
    query.setAttribute('aria-expanded', options.length > 0)
    if (chosen < 0) query.removeAttribute('aria-activedescendant')
    else { query.setAttribute('aria-activedescendant', options[chosen].id); options[chosen].scrollIntoView({ block: 'nearest' }) }
  }
  async function look() {
    let list
    try { list = search(await read(), query.value).slice(0, 12) } catch {
      count.textContent = 'The search index could not be read. The next key tries again.'
      return
    }
    found.replaceChildren(...list.map(option))
    count.textContent = !query.value.trim() ? '' : list.length > 1 ? `${list.length} places, the best first`
      : list.length ? '1 place' : 'Nothing found. Try another word.'
    choose(list.length ? 0 : -1)
  }

  // Where the reader arrives, what is folded opens if a word that was found stands only there

  function arrive() {
    let words, part
    try {
      words = JSON.parse(sessionStorage.getItem('found')) ?? []
      sessionStorage.removeItem('found')
      part = words.length && document.getElementById(decodeURIComponent(location.hash.slice(1))).closest('.part')
    } catch { /* no storage, or no such place */ }
    if (!part) return
    const said = node => new Set(tokens(node.textContent).flatMap(indexed)), open = part.cloneNode(true)
    open.querySelectorAll('details:not([open])').forEach(d => d.remove())
    const seen = said(open), missing = words.filter(word => !seen.has(word))
    for (const d of part.querySelectorAll('details:not(.checked)')) if (missing.some(word => said(d).has(word))) d.open = true
  }
  arrive()

  // Keys and buttons

  function open() {
    if (dialog.open) return
    dialog.showModal()
    query.select()
    look()
  }
  query.addEventListener('input', look)
  query.addEventListener('keydown', e => {
    if (e.key === 'ArrowDown') choose(chosen + 1)
    else if (e.key === 'ArrowUp') choose(chosen - 1)
    else if (e.key === 'Escape') dialog.close()
    else if (e.key === 'Enter') found.querySelectorAll('a')[chosen]?.click()
    else return
    e.preventDefault()
  })
  dialog.addEventListener('click', e => { if (e.target === dialog) dialog.close() })
  document.querySelector('.search-open').addEventListener('click', open)
  addEventListener('keydown', e => {
    const typing = e.target.closest?.('input, textarea, select, [contenteditable]')
    if ((e.key === '/' && !typing && !e.ctrlKey && !e.metaKey && !e.altKey) || (e.key === 'k' && (e.ctrlKey || e.metaKey))) {
      e.preventDefault()
      open()
    }
  })
}
