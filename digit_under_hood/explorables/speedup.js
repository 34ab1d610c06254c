// How far more processes help: the speed-up by their number, and the parts of a step, for two networks and any wire.
import {clamp, frame, fromLink, h, linkButton, slider, unpack} from './shared.js'
import {PLOT_CSS, options, plot} from './plot.js'

const MOST = 64, LIMITS = {bandwidth: [1e7, 1e12], latency: [1e-7, .1]}
const PARTS = ['fixed', 'work', 'messages']
const HELP = 'Choose a network, a batch and a wire. Arrow keys move a slider; a click in the plot chooses the processes too.'

// The three parts of a step in seconds; `grow`: each process keeps all rows of the batch
export function parts({fixed, work, size}, grow, n, {bandwidth, latency}) {
  return [fixed, (grow ? n*work : work)/n, 2*(n - 1)*(size/n/bandwidth + latency)]
}

export const stepSeconds = (net, grow, n, wire) => parts(net, grow, n, wire).reduce((a, b) => a + b)

// How many times as many images a second as one process
export const speedUp = (net, grow, n, wire) => (grow ? n : 1)*stepSeconds(net, grow, 1, wire)/stepSeconds(net, grow, n, wire)

// [n, speed-up] from 1 process to the most
export const curve = (net, grow, wire) => Array.from({length: MOST}, (_, i) => [i + 1, speedUp(net, grow, i + 1, wire)])

// Numbers as people say them
const times = v => v.toPrecision(2)
const count = v => v.toLocaleString('en', {maximumSignificantDigits: 3})
const ms = seconds => seconds >= .1 ? count(1000*seconds) : (1000*seconds).toFixed(seconds && seconds < 1e-4 ? 2 : 1)
const unit = (v, names) => {
  const step = clamp(Math.floor(Math.log10(v*1.0001)/3), 0, names.length - 1)
  return `${+(v/1000**step).toPrecision(3)} ${names[step]}`
}
const TELL = {bandwidth: v => unit(v/1e6, ['MB/s', 'GB/s', 'TB/s']), latency: v => v < 1e-6 ? `${+(1e6*v).toPrecision(3)} µs` : unit(1e6*v, ['µs', 'ms', 's'])}
const many = n => n === 1 ? '1 process' : `${n} processes`

// A state as text for a link, and back; null for what is none
export const toText = ({net, grow, n, bandwidth, latency}) => [net, +grow, n, bandwidth, latency].join('_')

export function fromText(text, nets) {
  if (!/^\d_[01]_\d{1,2}(_\d[\d.]*(e-?\d+)?){2}$/.test(text ?? '')) return null
  const [net, grow, n, bandwidth, latency] = text.split('_').map(Number)
  const within = (v, [low, high]) => v >= low && v <= high
  const fits = net < nets && within(n, [1, MOST]) && within(bandwidth, LIMITS.bandwidth) && within(latency, LIMITS.latency)
  return fits ? {net, grow: grow === 1, n, bandwidth, latency} : null
}

async function render({model, el}) {
  const {nets, wires, rows} = await unpack(model.get('data')), links = model.get('links'), names = Object.keys(nets)
  const made = names.map(name => { const [fixed, work, size] = nets[name]; return {fixed, work, size} })
  const lines = Object.values(wires).map(([bandwidth, latency]) => ({bandwidth, latency}))
  let state = fromText(links ? fromLink('speedup') : '', names.length) ?? {net: 0, grow: false, n: 8, ...lines[0]}
  let touched = false

  const capital = word => word[0].toUpperCase() + word.slice(1)
  const which = options('Network', names.map(capital), net => change({net}))
  const batch = options('Batch', [`${rows} rows for all`, `${rows} rows for each`], i => change({grow: i === 1}))
  const presets = options('Wire', Object.keys(wires).map(capital), i => change(lines[i]), 'choice wires')
  const levers = Object.keys(LIMITS).map(name => {
    const [min, max] = LIMITS[name].map(Math.log10)
    const lever = slider(capital(name), {min, max, step: .01}, exponent => change({[name]: clamp(+(10**exponent).toPrecision(3), ...LIMITS[name])}))
    const put = v => { lever.querySelector('input').value = Math.log10(v); mark(lever, TELL[name](v)) }
    return {name, el: lever, put}
  })
  const number = slider('Processes', {min: 1, max: MOST, step: 1}, n => change({n}))
  const told = h('p', {className: 'told'})
  const sight = plot({label: '', height: 310, xs: [1, MOST], ys: [1, MOST], logX: true, logY: true, xLabel: 'processes', yLabel: 'speed-up'})
  sight.el.addEventListener('click', e => change({n: clamp(Math.round(sight.at(e)[0]), 1, MOST)}))
  const bars = [0, 1].map(() => {
    const name = h('span', {}), pieces = PARTS.map(part => h('i', {className: part})), end = h('span', {className: 'dim'})
    return {name, pieces, end, el: h('div', {className: 'bar'}, name, h('div', {className: 'track'}, ...pieces, end))}
  })
  const chart = h('div', {className: 'chart', role: 'img'}, ...bars.map(bar => bar.el)), body = h('tbody')
  const heads = [['', 'processes'], ...PARTS.map(part => [part, part]), ['', 'a step'], ['', 'images a second']]
  const table = h('table', {}, h('caption', {className: 'dim'}, 'Milliseconds of a step, and what they bring'), h('thead', {}, h('tr', {}, ...heads.map(([key, words]) =>
    h('th', {scope: 'col'}, ...(key ? [h('i', {className: `key ${key}`})] : []), words)))), body)

  const say = frame(el, {label: 'How far more processes help', css: PLOT_CSS + STYLE, help: HELP}, [
    h('div', {className: 'row'}, which.el, batch.el), h('div', {className: 'row'}, presets.el),
    h('div', {className: 'levers'}, ...levers.map(lever => lever.el)), number,
    told, sight.el, chart, table, ...(links ? [h('div', {className: 'row end'}, linkButton('speedup', () => toText(state)))] : [])], () => {})

  function mark(lever, words) {
    lever.querySelector('input').setAttribute('aria-valuetext', words)
    lever.querySelector('.value').textContent = words
  }

  function change(to) {
    state = {...state, ...to}
    touched = true
    show()
  }

  function show() {
    const {net, grow, n} = state, all = made.map(each => curve(each, grow, state)), own = all[net]
    which.mark(net)
    batch.mark(+grow)
    presets.mark(lines.findIndex(({bandwidth, latency}) => bandwidth === state.bandwidth && latency === state.latency))
    levers.forEach(({name, put}) => put(state[name]))
    number.querySelector('input').value = n
    mark(number, `${n}`)

    const least = Math.min(...all.flat().map(([, y]) => y)), low = least > .99 ? 1 : 10**Math.floor(Math.log10(least))
    sight.set({ys: [low, MOST]})
    sight.line('ideal', [[1, 1], [MOST, MOST]], {className: 'dim', dashed: true})
    sight.text('ideal', [12, 12], 'n times as fast', {anchor: 'end', dx: -10, dy: -4})
    sight.line('one', [[1, 1], [MOST, 1]], {className: 'dim', dashed: true})
    sight.text('one', low < 1 ? [MOST, 1] : [1, low/2], 'as fast as one', {anchor: 'end', dx: -4, dy: -7})
    all.forEach((points, i) => sight.line(`net ${i}`, points, {className: i === net ? 'main' : 'other'}))
    const place = 29, upper = all.map(points => points[place][1]).reduce((a, v, i, ys) => v > ys[a] ? i : a, 0)
    all.forEach((points, i) => {
      const under = i !== upper && Math.log(points[place][1]/low) > .13*Math.log(MOST/low)
      sight.text(`net ${i}`, points[place], names[i], {className: i === net ? 'main' : '', anchor: 'middle', dy: under ? 21 : -10})
    })
    sight.dots('now', [own[n - 1]], {className: 'main', radius: 6})
    const seconds = [1, n].map(each => parts(made[net], grow, each, state)), totals = seconds.map(part => part.reduce((a, b) => a + b))
    sight.name(`Speed-up of both networks for 1 to ${MOST} processes; ${names[net]} with ${n}: ${times(own[n - 1][1])}`)

    const longest = Math.max(...totals)
    bars.forEach(({name, pieces, end, el: bar}, i) => {
      name.textContent = many([1, n][i])
      pieces.forEach((piece, k) => { piece.style.width = `${100*seconds[i][k]/longest}%` })
      end.textContent = `${ms(totals[i])} ms`
      bar.style.visibility = i && n === 1 ? 'hidden' : ''
    })
    const listed = i => PARTS.map((part, k) => `${part} ${ms(seconds[i][k])}`).join(', ')
    chart.setAttribute('aria-label', (n > 1 ? [0, 1] : [0]).map(i => `${many([1, n][i])}: ${ms(totals[i])} ms a step, ${listed(i)}`).join('. '))
    body.replaceChildren(...[1, n].map((each, i) => {
      const row = h('tr', {}, h('th', {scope: 'row'}, `${each}`), ...[...seconds[i], totals[i]].map(v => h('td', {}, ms(v))), h('td', {}, count((grow ? each : 1)*rows/totals[i])))
      row.style.visibility = i && n === 1 ? 'hidden' : ''
      return row
    }))

    const best = own.reduce((a, b) => b[1] > a[1] ? b : a), share = grow ? rows : rows/n
    const words = `${many(n)}, ${n === 1 ? `with all ${rows} rows` : `each with ${Number.isInteger(share) ? '' : 'about '}${Math.round(share)} rows`}`
    const gain = own[n - 1][1], fast = n === 1 ? '' : `: ${gain < .995 ? 'slower than one, ' : ''}${times(gain)} times as ${grow ? 'many images a second' : 'fast'}${gain < .995 ? '' : ' as one'}`
    const more = best[0] === MOST ? `Up to ${MOST}, every further one helps.` : best[0] === 1 ? 'No number of them is faster than one.' : `The most is ${times(best[1])} times, with ${best[0]}.`
    told.replaceChildren(h('b', {}, `${words}${fast}.`), ` ${more}`)
    if (touched) say(`${told.textContent} A step: ${ms(totals[1])} milliseconds; ${listed(1)}.`)
  }

  show()
}

const STYLE = `
.box > .row { gap: .5rem 1.2rem; margin-bottom: .6rem } .box > .row.end { margin: .9rem 0 0 } .choice button { padding: 0 .75rem }
.levers { display: grid; gap: 0 1.6rem; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr) }
.slider .value { font-size: 1.15rem; font-weight: 600; color: var(--text) }
.told { margin: .5rem 0 .3rem; min-height: 2.8em }
.plot > svg { cursor: pointer } .plot text.main { fill: var(--text); font-weight: 600 } .main { color: var(--text) } .plot path.main { stroke-width: 2.6 }
.plot path.other { stroke: var(--dim); stroke-width: 1.6 }
.fixed { background: color-mix(in srgb, var(--text) 45%, var(--paper)) } .work { background: var(--seven) } .messages { background: var(--three) }
.chart { display: grid; gap: .45rem; margin: .5rem 0 .7rem } .bar { display: grid; grid-template-columns: 6.6rem minmax(0, 1fr); align-items: center; font-size: .92rem }
.track { display: flex; align-items: center; height: 28px; padding-right: 5rem } .track i { height: 100%; flex: none } .track i:first-child { border-radius: 3px 0 0 3px } .track span { padding-left: .5rem; white-space: nowrap; width: 0; overflow: visible }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } caption { text-align: left; margin-bottom: .2rem }
th, td { padding: .22rem 0 .22rem 1.2rem; text-align: right; font-weight: 400; vertical-align: bottom } th:first-child { padding-left: 0; text-align: left } thead th { color: var(--dim) } tbody tr { border-top: 1px solid var(--edge) }
.key { display: inline-block; width: .7em; height: .7em; margin-right: .4em; border-radius: 2px }
@container (max-width: 38rem) { .levers { grid-template-columns: minmax(0, 1fr) } .wires { display: grid; grid-template-columns: 1fr 1fr; width: 100%; gap: .3rem } .wires button, .wires button:first-child, .wires button:last-child { border-radius: 8px; margin: 0 } }
@container (max-width: 27rem) { .box { padding: .8rem } .choice { width: 100% } .choice button { flex: 1; padding: 0 .4rem } .bar { grid-template-columns: 5.6rem minmax(0, 1fr) } th, td { padding-left: .45rem; font-size: .84rem; line-height: 1.25 } .key { display: block; margin: 0 0 .2em auto } }
`

export default {render}
