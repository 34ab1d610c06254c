// The models of the drawing pad, in plain arithmetic on an image of 784 numbers from 0 to 1.

export const PIXELS = 784, SIDE = 28, BOX = 20, SMALL = 14, GREYS = 3, SHADES = 7, TONES = 63   // steps of grey of images, of shapes, of ideals

// Box and centre `ink` (width x height numbers, 0 for paper) as MNIST's makers did: the ink shrinks or
// grows until it fits 20 x 20, then its balance point comes to the middle of 28 x 28. Null if blank.
export function boxed(ink, width, height, full = 255) {
  let top = height, bottom = 0, left = width, right = 0
  for (let y = 0, i = 0; y < height; y++) for (let x = 0; x < width; x++, i++) if (ink[i]) {
    if (y < top) top = y
    if (y >= bottom) bottom = y + 1
    if (x < left) left = x
    if (x >= right) right = x + 1
  }
  if (bottom <= top) return null
  const scale = Math.max(bottom - top, right - left)/BOX
  const across = shares(left, right, scale), down = shares(top, bottom, scale)
  const rows = new Float64Array(height*BOX), small = new Float64Array(BOX*BOX)
  const pixels = across.map(a => a[0]), cells = across.map(a => a[1]), parts = across.map(a => a[2])
  for (let y = top; y < bottom; y++) {
    for (let k = 0; k < pixels.length; k++) rows[y*BOX + cells[k]] += parts[k]*ink[y*width + pixels[k]]
  }
  for (const [y, i, share] of down) for (let j = 0; j < BOX; j++) small[i*BOX + j] += share*rows[y*BOX + j]
  let mass = 0, atRow = 0, atColumn = 0
  small.forEach((v, i) => { mass += v; atRow += v*Math.floor(i/BOX); atColumn += v*(i % BOX) })
  const offset = (place, used) => {   // of the last cell that is used there is to be room
    return Math.min(Math.max(Math.floor(14 - place/mass + .5), 0), SIDE - 1 - used.at(-1)[1])
  }
  const row = offset(atRow, down), column = offset(atColumn, across)
  const image = new Float32Array(PIXELS)
  small.forEach((v, i) => { if (v) image[(row + Math.floor(i/BOX))*SIDE + column + i % BOX] = v/full })
  return image
}

// Which of the pixels from `start` to `end` lie in which of the 20 cells of `scale` pixels: [pixel, cell, share]
function shares(start, end, scale) {
  const found = []
  for (let i = 0; i < BOX; i++) {
    const from = start + i*scale, to = Math.min(from + scale, end)
    for (let x = Math.floor(from); x < to; x++) {
      const share = (Math.min(to, x + 1) - Math.max(from, x))/scale
      if (share > 1e-12) found.push([x, i, share])
    }
  }
  return found
}

// The models from unpacked data: numbers that were packed as whole ones get their size back. Every model
// has a score for each class; one score for two classes stands against a score of 0.
export function restore(data) {
  const {digits, typical, images, places} = data
  const hidden = data.firstBias.length, count = typical.length/SMALL**2
  const whole = (rounded, steps) => Float32Array.from(rounded, (v, i) => v*steps[Math.floor(i/PIXELS)])
  const each = (values, size) => Object.assign(new Float32Array(digits.length*size), values)
  const shapes = Float32Array.from(typical)
  for (let i = 0; i < count; i++) unit(shapes.subarray(i*SMALL**2, (i + 1)*SMALL**2))
  const valid = Array.from({length: places.length/2}, (_, n) => {
    const image = new Float32Array(PIXELS)   // a window of 20 x 20, in few steps of grey
    for (let i = 0; i < BOX*BOX; i++) {
      image[(places[2*n] + Math.floor(i/BOX))*SIDE + places[2*n + 1] + i % BOX] = images[n*BOX*BOX + i]/GREYS
    }
    return image
  })
  return {...data, hidden, shapes, valid, ideals: Float32Array.from(data.ideals, v => v/TONES),
    weights: each(whole(data.weights, data.steps), PIXELS), bias: each(data.bias, 1),
    first: whole(data.first, data.firstSteps),
    second: each(data.second, hidden), secondBias: each(data.secondBias, 1)}
}

function unit(v) {
  const size = Math.hypot(...v) || 1
  for (let i = 0; i < v.length; i++) v[i] /= size
}

function dot(a, at, image) {
  let sum = 0
  for (let i = 0; i < PIXELS; i++) sum += a[at + i]*image[i]
  return sum
}

// Distance to each ideal: for two classes L1, as in chapter 03, for more RMSE, as in chapter 08
const away = m => m.digits.length === 2 ? Math.abs : v => v*v

export function distances(m, image) {
  const part = away(m)
  return m.digits.map((_, k) => {
    let sum = 0
    for (let i = 0; i < PIXELS; i++) sum += part(image[i] - m.ideals[k*PIXELS + i])
    return part === Math.abs ? sum/PIXELS : Math.sqrt(sum/PIXELS)
  })
}

export const linear = (m, image) => m.digits.map((_, k) => dot(m.weights, k*PIXELS, image) + m.bias[k])

// What each hidden unit passes on, behind the bend
export function units(m, image) {
  const found = new Float64Array(m.hidden)
  for (let u = 0; u < m.hidden; u++) found[u] = Math.max(0, dot(m.first, u*PIXELS, image) + m.firstBias[u])
  return found
}

export const network = (m, image, lit = units(m, image)) => m.digits.map((_, k) =>
  lit.reduce((a, v, u) => a + v*m.second[k*m.hidden + u], m.secondBias[k]))

// The scores of each model, one for each class; the highest is its answer
export const scores = (m, image) => [distances(m, image).map(d => -d), linear(m, image), network(m, image)]

// Places of scores, the highest first
export const ranked = scores => [...scores.keys()].sort((a, b) => scores[b] - scores[a])

export function softmax(scores) {
  const e = scores.map(s => Math.exp(s - Math.max(...scores))), sum = e.reduce((a, b) => a + b)
  return e.map(v => v/sum)
}

// By how much each hidden unit speaks for class `a` (above 0) rather than `b`, if it passes on 1
export const speaks = (m, [a, b]) => Float64Array.from({length: m.hidden},
  (_, u) => m.second[a*m.hidden + u] - m.second[b*m.hidden + u])

// By how much each pixel spoke, to each model, for the first (above 0) of its pair of classes or the second
export function reasons(m, image, pairs, lit = units(m, image)) {
  const part = away(m), turn = speaks(m, pairs[2]), net = new Float64Array(PIXELS)
  lit.forEach((v, u) => { if (v) for (let i = 0; i < PIXELS; i++) net[i] += turn[u]*m.first[u*PIXELS + i]*image[i] })
  const per = ([a, b], f) => Float64Array.from(image, (ink, i) => f(ink, a*PIXELS + i, b*PIXELS + i))
  return [per(pairs[0], (ink, i, j) => part(ink - m.ideals[j]) - part(ink - m.ideals[i])),
    per(pairs[1], (ink, i, j) => (m.weights[i] - m.weights[j])*ink), net]
}

// The shape of an image: every second pixel of it blurred, scaled to length 1
export function shape(image) {
  const small = new Float32Array(SMALL**2)
  for (let r = 0; r < SMALL; r++) for (let c = 0; c < SMALL; c++) {
    for (let y = Math.max(2*r - 1, 0); y < 2*r + 2; y++) {
      for (let x = Math.max(2*c - 1, 0); x < 2*c + 2; x++) small[r*SMALL + c] += image[y*SIDE + x]
    }
  }
  unit(small)
  return small
}

// How far an image is from the nearest typical shape, and which one that is
export function strangeness(m, image) {
  const seen = shape(image)
  let best = Infinity, which = 0
  for (let n = 0; n < m.shapes.length/SMALL**2; n++) {
    let sum = 0
    for (let i = 0; i < SMALL**2; i++) sum += (seen[i] - m.shapes[n*SMALL**2 + i])**2
    if (sum < best) [best, which] = [sum, n]
  }
  return {distance: Math.sqrt(best), which}
}

// A stream of numbers from the normal distribution, the same every time
function normal() {
  let state = 7
  const even = () => {
    state = state + 0x6d2b79f5 | 0
    let t = Math.imul(state ^ state >>> 15, 1 | state)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return ((t ^ t >>> 14) >>> 0)/2**32
  }
  return () => Math.sqrt(-2*Math.log(1 - even()))*Math.cos(2*Math.PI*even())
}

function noisy(weights, noise, next) {
  const spread = Math.sqrt(weights.reduce((a, w) => a + w*w, 0)/weights.length)
  return weights.map(w => w + noise*spread*next())
}

// The models with noise on their weights, with hidden units removed (those that add most go first) or without biases
export function broken(m, {noise = 0, removed = 0, unbiased = false}) {
  const next = normal(), zero = values => unbiased ? values.map(() => 0) : values
  const column = u => m.digits.map((_, k) => m.second[k*m.hidden + u])
  const says = Array.from({length: m.hidden}, (_, u) => Math.max(...column(u)) - Math.min(...column(u)))
  const telling = new Float64Array(m.hidden)
  if (removed) for (const image of m.valid) units(m, image).forEach((v, u) => { telling[u] += v*says[u] })
  const gone = new Set(ranked(telling).slice(0, removed))
  const [weights, first, second] = [m.weights, m.first, m.second].map(w => noise ? noisy(w, noise, next) : w)
  return {...m, weights, first, second: second.map((w, i) => gone.has(i % m.hidden) ? 0 : w),
    bias: zero(m.bias), firstBias: zero(m.firstBias), secondBias: zero(m.secondBias)}
}

// How many of the stored validation images each model gets right
export function right(m) {
  const found = [0, 0, 0]
  m.valid.forEach((image, n) => scores(m, image).forEach((s, i) => { found[i] += +(m.digits[ranked(s)[0]] === m.labels[n]) }))
  return found
}
