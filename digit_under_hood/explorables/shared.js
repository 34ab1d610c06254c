// What every explorable shares: its data, its frame and colours, pictures, controls, what is said aloud.

export const TYPES = {uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, float32: Float32Array}

// The values of `data`, each packed array as a typed one
export async function unpack({arrays, blob, ...values}) {
  const packed = Uint8Array.from(atob(blob), c => c.charCodeAt(0))
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'))
  const bytes = await new Response(stream).arrayBuffer()
  let at = 0
  for (const [name, [type, shape]] of Object.entries(arrays)) {
    const size = shape.reduce((a, b) => a*b, 1)*TYPES[type].BYTES_PER_ELEMENT
    values[name] = new TYPES[type](bytes.slice(at, at += size))
  }
  return values
}

// Stands in for anywidget's model where no kernel listens
class Still {
  constructor(state) { this.state = state }
  get(name) { return this.state[name] }
  set(name, value) { this.state[name] = value }
  save_changes() {}
}

// Bring to life what the page holds of explorable `name`, each element once
export function start(name, {render}, links = false) {
  for (const el of document.querySelectorAll(`[data-explorable="${name}"]:not([data-alive])`)) {
    el.dataset.alive = ''
    const data = JSON.parse(el.querySelector('script').textContent)
    render({model: new Still({data, links}), el})
  }
}

export function h(tag, props = {}, ...children) {
  const e = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (name in e) e[name] = value
    else e.setAttribute(name, value)
  }
  e.append(...children)
  return e
}

export const button = (text, onclick, props = {}) => h('button', {type: 'button', onclick, ...props}, text)

export function slider(label, props, oninput) {
  const shown = h('span', {className: 'value'})
  const input = h('input', {type: 'range', ...props})
  const told = () => { shown.textContent = input.getAttribute('aria-valuetext') ?? input.value }
  input.oninput = () => { oninput(+input.value, input); told() }
  told()
  return h('label', {className: 'slider'}, h('span', {}, label), shown, input)
}

// A canvas of `width` x `height` cells, that the style enlarges
export const picture = (label, width = 28, height = 28, props = {}) =>
  h('canvas', {width, height, className: 'cells', role: 'img', ariaLabel: label, ...props})

export const clamp = (x, low, high) => Math.min(Math.max(x, low), high)

// Images of 784 pixels, packed one after another as whole numbers up to `full`: each as numbers from 0 to 1
export const images = (packed, full = 255) => Array.from({length: packed.length/784},
  (_, n) => Float32Array.from(packed.subarray(784*n, 784*n + 784), v => v/full))

// The cell of a canvas under the pointer, and the way of an arrow key, both [row, column]; no way for other keys
export function cellAt(canvas, {clientX, clientY}) {
  const {left, top, width, height} = canvas.getBoundingClientRect()
  return [(clientY - top)/height*canvas.height, (clientX - left)/width*canvas.width].map((v, i) => clamp(Math.floor(v), 0, [canvas.height, canvas.width][i] - 1))
}

export const arrow = e => e.ctrlKey || e.metaKey || e.altKey ? undefined
  : {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[e.key]

const rgb = css => (css?.match(/[\d.]+/g) ?? [128, 128, 128]).slice(0, 3).map(Number)

// Draw numbers from -1 to 1 on a canvas of cells: those above 0 in one colour, those below in another
export function paint(canvas, values, above, below = above) {
  const context = canvas.getContext('2d')
  const image = context.createImageData(canvas.width, canvas.height), {data} = image
  const colours = [rgb(below), rgb(above)]
  for (let i = 0; i < values.length; i++) {
    const colour = colours[+(values[i] > 0)]
    for (let c = 0; c < 3; c++) data[4*i + c] = colour[c]
    data[4*i + 3] = 255*Math.min(Math.abs(values[i]), 1)
  }
  context.putImageData(image, 0, 0)
}

// Draw numbers of any size with their sign, the largest in full colour (or `most`)
export function paintSigned(canvas, values, {above, below}, most = 0) {
  most = most || values.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-9)
  paint(canvas, values.map(v => v/most), above, below)
}

// A frame around `content` in a shadow root of `el`, in the colours of the page around it. `redraw`
// is called now and whenever those change, with the colours. Gives `say`, for screen readers.
export function frame(el, {label, css = '', help}, content, redraw) {
  const live = h('p', {className: 'live', role: 'status'})
  const about = help ? [h('p', {className: 'help'}, h('b', {}, '?'), ` ${help}`)] : []
  const probes = ['above', 'below'].map(name => h('i', {className: `probe ${name}`}))
  const box = h('section', {className: 'box', ariaLabel: label}, ...content, ...about, live, ...probes)
  const root = el.attachShadow({mode: 'open'})
  root.append(h('style', {}, CSS + css), box, h('slot'))
  el.setAttribute('data-lm-suppress-shortcuts', 'true')   // else JupyterLab takes the arrow keys
  const recolour = () => {
    const paper = rgb(getComputedStyle(box).backgroundColor)
    box.classList.toggle('dark', paper[0] + paper[1] + paper[2] < 384)
    const [ink, above, below] = [box, ...probes].map(e => getComputedStyle(e).color)
    redraw({ink, above, below})
  }
  box.addEventListener('transitionend', e => { if (e.target === box) recolour() })
  new ResizeObserver(recolour).observe(box)   // also when it comes to stand in a page
  recolour()
  let waiting
  return text => {
    clearTimeout(waiting)
    waiting = setTimeout(() => { live.textContent = text }, 500)
  }
}

// The part of the address after # that belongs to explorable `name`
export const fromLink = name => new URLSearchParams(location.hash.slice(1)).get(name)

// A button that copies a link to the state that `state()` gives
export function linkButton(name, state) {
  const made = button('Copy link', async () => {
    history.replaceState(null, '', `#${name}=${state()}`)
    try {
      await navigator.clipboard.writeText(location.href)
      made.textContent = 'Copied'
    } catch { made.textContent = 'It is in the address bar' }
    setTimeout(() => { made.textContent = 'Copy link' }, 1600)
  })
  return made
}

const CSS = `
:host { display: block; container-type: inline-size }
:host([hidden]) { display: none }
* { box-sizing: border-box }
.box {
  --paper: var(--sheet, var(--jp-layout-color0, var(--vscode-editor-background, var(--colab-primary-surface-color, light-dark(#fff, #1b1e23)))));
  --text: var(--ink, var(--jp-ui-font-color0, var(--vscode-editor-foreground, var(--colab-primary-text-color, light-dark(#1c2026, #dfe2e6)))));
  --three: #b4500f; --seven: #1f5f9e;
  --dim: color-mix(in srgb, var(--text) 72%, var(--paper));
  --edge: color-mix(in srgb, var(--text) 22%, var(--paper));
  --well: color-mix(in srgb, var(--text) 5%, var(--paper));
  position: relative; padding: 1.1rem; border: 1px solid var(--edge); border-radius: 14px; background: var(--paper); color: var(--text);
  font: 400 1rem/1.4 var(--sans, system-ui, sans-serif); transition: background-color 1ms; text-align: left }
.box.dark { --three: #ff9d5c; --seven: #7db7ea }
.above { color: var(--three) } .below { color: var(--seven) }
.probe { display: none }
canvas { display: block }
.cells { width: 100%; height: auto; image-rendering: pixelated; border: 1px solid var(--edge); border-radius: 4px; background: var(--paper) }
:focus-visible { outline: 3px solid var(--three); outline-offset: 2px }
button { min-width: 44px; min-height: 44px; padding: 0 .9rem; border: 1px solid var(--edge); border-radius: 8px; background: var(--paper); color: inherit; font: inherit; cursor: pointer; touch-action: manipulation }
button:hover, button[aria-expanded=true], button[aria-pressed=true] { border-color: var(--three); color: var(--three) }
button:disabled { opacity: .45; cursor: default; color: inherit; border-color: var(--edge) }
a { color: var(--three) }
p { margin: 0 }
.title { margin-bottom: .45rem; font-weight: 600 }
.row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center }
.slider { display: grid; grid-template-columns: 1fr auto; gap: 0 .8rem; align-items: center }
.slider input { grid-column: 1/3; width: 100%; height: 44px; margin: 0; accent-color: var(--three); cursor: pointer }
.slider .value { font-variant-numeric: tabular-nums; color: var(--dim) }
.check { display: flex; gap: .6rem; align-items: center; min-height: 44px; cursor: pointer }
.check input { width: 1.25rem; height: 1.25rem; accent-color: var(--three) }
.dim, .help { color: var(--dim); font-size: .92rem }
.help { margin-top: .9rem }
.help b { display: inline-block; width: 1.35em; border: 1px solid var(--edge); border-radius: 50%; text-align: center; font-weight: 600; margin-right: .2em }
.live { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
slot { display: none }
@media print { .box { display: none } slot { display: block } }
`
