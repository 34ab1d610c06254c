// The models of the drawing pad, in plain arithmetic on an image of 784 numbers from 0 to 1.

export const PIXELS = 784, SIDE = 28, BOX = 20, SMALL = 14

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

// The models from unpacked data: numbers that were packed as whole ones get their size back
export function restore(data) {
  const {rounded, steps, typical, images, places} = data
  const hidden = steps.length, count = typical.length/SMALL**2
  const shapes = Float32Array.from(typical)
  for (let i = 0; i < count; i++) unit(shapes.subarray(i*SMALL**2, (i + 1)*SMALL**2))
  const valid = Array.from({length: places.length/2}, (_, n) => {
    const image = new Float32Array(PIXELS)   // a window of 20 x 20, in 8 steps of grey
    for (let i = 0; i < BOX*BOX; i++) {
      image[(places[2*n] + Math.floor(i/BOX))*SIDE + places[2*n + 1] + i % BOX] = images[n*BOX*BOX + i]/7
    }
    return image
  })
  return {...data, hidden, shapes, valid, ideals: Float32Array.from(data.ideals, v => v/65535),
    first: Float32Array.from(rounded, (v, i) => v*steps[Math.floor(i/PIXELS)])}
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

// Mean distance (L1) to the ideal 3 and the ideal 7
export const distances = (m, image) => [0, PIXELS].map(at => {
  let sum = 0
  for (let i = 0; i < PIXELS; i++) sum += Math.abs(image[i] - m.ideals[at + i])
  return sum/PIXELS
})

export const linear = (m, image) => dot(m.weights, 0, image) + m.bias[0]

// What each hidden unit adds to the network's score: its output, behind the bend, times its weight
export function units(m, image) {
  const found = new Float64Array(m.hidden)
  for (let u = 0; u < m.hidden; u++) found[u] = Math.max(0, dot(m.first, u*PIXELS, image) + m.firstBias[u])*m.second[u]
  return found
}

export const network = (m, image) => units(m, image).reduce((a, b) => a + b, m.secondBias[0])

// The score of each model: above 0 for a 3
export function scores(m, image) {
  const [three, seven] = distances(m, image)
  return [seven - three, linear(m, image), network(m, image)]
}

// By how much each pixel spoke for a 3 (above 0) or a 7, to each model
export function reasons(m, image, lit = units(m, image)) {
  const net = new Float64Array(PIXELS)
  lit.forEach((v, u) => { if (v) for (let i = 0; i < PIXELS; i++) net[i] += m.second[u]*m.first[u*PIXELS + i]*image[i] })
  const per = f => Float64Array.from({length: PIXELS}, (_, i) => f(i))
  return [per(i => Math.abs(image[i] - m.ideals[PIXELS + i]) - Math.abs(image[i] - m.ideals[i])),
    per(i => m.weights[i]*image[i]), net]
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
  const telling = new Float64Array(m.hidden)
  if (removed) for (const image of m.valid) units(m, image).forEach((v, u) => { telling[u] += Math.abs(v) })
  const gone = new Set(Array.from(telling.keys()).sort((a, b) => telling[b] - telling[a]).slice(0, removed))
  const [weights, first, second] = [m.weights, m.first, m.second].map(w => noise ? noisy(w, noise, next) : w)
  return {...m, weights, first, second: second.map((w, u) => gone.has(u) ? 0 : w),
    bias: zero(m.bias), firstBias: zero(m.firstBias), secondBias: zero(m.secondBias)}
}

// How many of the stored validation images each model gets right
export function right(m) {
  const found = [0, 0, 0]
  m.valid.forEach((image, n) => scores(m, image).forEach((s, i) => { found[i] += +((s > 0) === (m.labels[n] === 3)) }))
  return found
}
