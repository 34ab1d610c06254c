// The glossary's filter: only the terms that have all the words typed stay, in their name or in what is said of them.
'use strict'   // else the block's functions are the window's too
{
  const text = document.querySelector('.text'), parts = [...text.querySelectorAll('section')]
  const terms = [...text.querySelectorAll('h3')].map(head => {
    const nodes = [head]
    for (let next = head.nextElementSibling; next && !/^H[23]$/.test(next.tagName); next = next.nextElementSibling) nodes.push(next)
    return { nodes, said: nodes.map(node => node.textContent).join(' ').toLowerCase() }
  })
  const form = document.createElement('form')
  form.className = 'filter'
  form.role = 'search'
  form.setAttribute('aria-label', 'Terms of the glossary')
  form.innerHTML = `<label for="filter">Show only terms with</label>
    <input id="filter" type="search" maxlength="60" autocomplete="off" spellcheck="false"><p role="status"></p>`
  const input = form.querySelector('input'), status = form.querySelector('p')
  function show() {
    const words = input.value.slice(0, 60).toLowerCase().split(/\s+/).filter(Boolean)
    let left = 0
    for (const { nodes, said } of terms) {
      const fits = words.every(word => said.includes(word))
      left += fits
      nodes.forEach(node => { node.hidden = !fits })
    }
    for (const part of parts) part.hidden = !part.querySelector('h3:not([hidden])')
    status.textContent = left ? `${words.length ? `${left} of ` : ''}${terms.length} terms` : 'No term has that. Try fewer letters.'
  }
  function reveal(hash) {                    // a link to a term that is filtered out shows all again
    const target = document.getElementById(hash.slice(1))
    if (!target?.closest('[hidden]')) return
    input.value = ''
    show()
    target.scrollIntoView()
  }
  input.addEventListener('input', show)
  form.addEventListener('submit', e => e.preventDefault())
  addEventListener('click', e => { const link = e.target.closest?.('a[href^="#"]'); if (link) reveal(link.hash) })
  addEventListener('hashchange', () => reveal(location.hash))
  text.prepend(form)
  show()
}
