"use strict";
// Decodes a compressed picture (.aim) as docs/FORMAT.md describes it. Sums are of 32 bits and wrap around, by Math.imul
// and | 0; probabilities and the range coder take BigInt.
const LEVELS = 7, HIDDEN = 16, FEATURES = 32, BAND = 128, WINDOW = 32, MARGIN = 4, POINT = 10, WEIGHT_POINT = 12;
// Integers on each side of the mean's nearest that have a symbol; the symbol of all others.
const REACH = 24, ESCAPE = 2 * REACH + 1;
const NEIGHBOURS = [[-1, 0], [0, -1], [-1, -1], [1, -1], [-2, 0], [0, -2], [-2, -1], [2, -1],
  [-1, -2], [1, -2], [-3, 0], [0, -3], [-2, -2], [2, -2], [-3, -1], [3, -1]];
const damaged = () => { throw new Error("its bits are of no picture"); };

// Square roots of 1/2, of that and so on, rounded down, in units of 2^-32.
const ROOTS = [];
for (let root = 1n << 31n; ROOTS.length < 16; ROOTS.push(root)) {
  const square = root << 32n;
  root = BigInt(Math.floor(Math.sqrt(Number(square))));
  while (root * root > square) root--;
  while ((root + 1n) * (root + 1n) <= square) root++;
}

// 2^-x for x in 65536ths, in units of 2^-32.
function power(x) {
  let product = 1n << 32n;
  for (let bit = 0; bit < 16; bit++) if ((x >> BigInt(15 - bit)) & 1n) product = (product * ROOTS[bit]) >> 32n;
  return product >> (x >> 16n);
}

// The part of a Laplace distribution below x, which is in 32nds, in units of 2^-32.
function below(scale, x) {
  const octaves = scale - 32, inverse = power(BigInt(octaves & 7) << 13n) >> 8n;
  const distance = (BigInt(Math.abs(x)) * 94548n * inverse) / 32n;
  const tail = power(distance >> BigInt(24 + (octaves >> 3))) / 2n;
  return x < 0 ? tail : (1n << 32n) - tail;
}

// Ends of the symbols' intervals, of 65536, for an index of a scale and a fraction of the mean.
const ends = [];
function endsOf(scale, fraction) {
  const share = (edge) => below(scale, 16 * (2 * edge - 1) - 2 * (fraction - 8)), first = share(-REACH);
  const end = (symbol) => (symbol === ESCAPE ? 1n << 32n : share(symbol + 1 - REACH) - first);
  return Int32Array.from({ length: ESCAPE + 1 }, (_, n) => Number((end(n) * BigInt(65535 - ESCAPE)) >> 32n) + n + 1);
}

// Reads integers off the bits of a range coder.
class Reader {
  constructor(bytes) {
    Object.assign(this, { bytes, at: 0, range: (1n << 64n) - 1n, offset: 0n });
    for (let n = 0; n < 4; n++) this.offset = (this.offset << 16n) | this.word();
  }

  word() {
    const at = this.at;
    this.at += 2;
    return at + 1 < this.bytes.length ? BigInt(this.bytes[at] | (this.bytes[at + 1] << 8)) : 0n;
  }

  symbol(ends, from) {
    const unit = this.range >> 16n, share = Number(this.offset / unit);
    if (share > 65535) damaged();
    let symbol = from;
    while (symbol > 0 && ends[symbol - 1] > share) symbol--;
    while (ends[symbol] <= share) symbol++;
    const begin = symbol ? ends[symbol - 1] : 0;
    this.offset -= unit * BigInt(begin);
    this.range = unit * BigInt(ends[symbol] - begin);
    if (this.range < 1n << 48n) {
      this.range <<= 16n;
      this.offset = (this.offset << 16n) | this.word();
    }
    return symbol;
  }

  // With a mean in 16ths and the logarithm of its scale in 8ths.
  integer(mean, scale) {
    const n = Math.min(48, Math.max(-32, scale)) + 32, centre = (mean + 8) >> 4, index = 16 * n + ((mean + 8) & 15);
    const symbol = this.symbol((ends[index] ??= endsOf(n, (mean + 8) & 15)), REACH);
    return symbol === ESCAPE ? this.far(centre, Math.max(0, (n - 32) >> 3)) : centre + symbol - REACH;
  }

  far(centre, spread) {
    const bit = () => this.symbol([32768, 65536], 0), above = bit();
    let length = spread, value = 1;
    while (bit()) if (++length > 16) damaged();
    for (let n = 0; n < length; n++) value = (value << 1) | bit();
    const distance = value - (1 << spread) + REACH + 1, integer = above ? centre + distance : centre - distance;
    return Math.abs(integer) > 2047 ? damaged() : integer;
  }
}

// Inputs, outputs and biases of each layer.
const layersOf = (channels) => [[16, HIDDEN, HIDDEN], [HIDDEN, HIDDEN, HIDDEN], [HIDDEN, 2, 2 * LEVELS],
  [LEVELS, FEATURES, FEATURES], [FEATURES, channels, channels], [9 * channels, channels, channels],
  [9 * channels, channels, channels], [4, LEVELS - 1, 0]];

// The weights and biases that every picture begins with. A grey picture takes what leads from green to green.
function startOf(channels, numbers) {
  let at = 0;
  return layersOf(3).map(([inputs, outputs, biases], n) => {
    const weights = numbers.subarray(at, (at += inputs * outputs)), rest = numbers.subarray(at, (at += biases));
    if (channels === 3 || n < 4 || n === 7) return [weights, rest];
    const green = (i) => i % 3 === 1 && (n === 4 || Math.floor(i / 3) % 3 === 1);
    return [weights.filter((_, i) => green(i)), rest.subarray(1, 2)];
  });
}

// What the file holds; `start` are the networks that come with the program.
function parse(file, start) {
  let at = 4;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      value += (file[at] & 127) * 2 ** shift;
      if (file[at++] < 128) return value;
    }
  };
  const width = number(), height = number(), channels = file[at++], sizes = layersOf(channels);
  const codes = sizes.map(([inputs, outputs, biases]) => [inputs * outputs, biases].map((count) => {
    const [point, scale] = count ? [file[at++], file[at++] - 32] : [0, 0];
    return { count, point, scale };
  }));
  const grids = [], lengths = [number()];
  for (let level = 0; level < LEVELS; level++) grids.push([width, height].map((side) => Math.ceil(side / 2 ** level)));
  const bands = [];
  for (let level = LEVELS - 1; level >= 0; level--)
    for (let begin = 0; begin < grids[level][1]; begin += BAND) {
      bands.push({ level, begin, end: Math.min(begin + BAND, grids[level][1]) });
      lengths.push(number());
    }
  const parts = lengths.map((length) => file.subarray(at, (at += length))), reader = new Reader(parts[0]);
  const begin = startOf(channels, start);
  const layers = codes.map((pair, n) => {
    const [weights, biases] = pair.map(({ count, point, scale }, kind) => Int32Array.from({ length: count }, (_, i) => {
      const shift = WEIGHT_POINT - point;
      return reader.integer(0, scale) + ((begin[n][kind][i] + ((1 << shift) >> 1)) >> shift);
    }));
    const point = pair[0].point, outputs = sizes[n][1];
    return { weights, biases: biases.map((bias) => bias << (POINT + point - pair[1].point)), point, half: (1 << point) >> 1, outputs };
  });
  bands.forEach((band, n) => { band.bytes = parts[n + 1]; });
  return { width, height, channels, layers, grids, bands };
}

// The integers of a band of a grid, each in 1024ths.
function integersOf({ layers, grids }, { level, begin, end, bytes }) {
  const width = grids[level][0], height = end - begin, stride = width + 2 * MARGIN, reader = new Reader(bytes);
  const padded = new Int32Array(stride * (height + MARGIN)), out = new Int32Array(width * height);
  const steps = NEIGHBOURS.map(([dx, dy]) => dy * stride + dx), values = new Int32Array(16), sums = new Int32Array(16);
  const last = layers[2], means = last.biases[2 * level], scales = last.biases[2 * level + 1];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const place = (y + MARGIN) * stride + MARGIN + x;
      for (let i = 0; i < 16; i++) values[i] = padded[place + steps[i]];
      for (let n = 0; n < 2; n++) {
        const { weights, biases, point, half } = layers[n];
        sums.set(biases);
        for (let i = 0; i < 16; i++) {
          const value = values[i];
          if (value) for (let o = 0; o < 16; o++) sums[o] += Math.imul(weights[16 * i + o], value);
        }
        for (let o = 0; o < 16; o++) values[o] = Math.max(0, ((sums[o] + half) | 0) >> point);
      }
      let mean = means + last.half, scale = scales + last.half;
      for (let i = 0; i < 16; i++) {
        mean = (mean + Math.imul(last.weights[2 * i], values[i])) | 0;
        scale = (scale + Math.imul(last.weights[2 * i + 1], values[i])) | 0;
      }
      mean = ((mean >> last.point) + 32 | 0) >> 6;
      scale = ((scale >> last.point) + 64 | 0) >> 7;
      padded[place] = out[y * width + x] = reader.integer(mean, scale) << POINT;
    }
  return out;
}

// Some rows of a picture or grid, with the planes of each row behind each other.
class Rows {
  constructor(width, begin, end, planes) {
    Object.assign(this, { width, begin, end, planes, data: new Int32Array((end - begin) * planes * width) });
  }

  row(plane, y) {
    const at = ((y - this.begin) * this.planes + plane) * this.width;
    return this.data.subarray(at, at + this.width);
  }
}

// The four coarse samples that a fine one is the sum of; their weights are turned around for odd ones.
function tapsOf(fine, count) {
  const first = (fine >> 1) - (fine & 1 ? 1 : 2), taps = [0, 1, 2, 3];
  return { from: taps.map((k) => Math.min(count - 1, Math.max(0, first + k))), tap: fine & 1 ? taps.reverse() : taps };
}

function enlarged({ layers, grids }, coarse, level, fine) {
  const layer = layers[7], taps = layer.weights.subarray(4 * level, 4 * level + 4), [width, count] = grids[level + 1];
  const wide = new Rows(fine.width, coarse.begin, coarse.end, coarse.planes);
  const sum = (out, i, { tap }, a, b, c, d) => {
    const left = Math.imul(taps[tap[0]], a) + Math.imul(taps[tap[1]], b);
    out[i] = ((left + Math.imul(taps[tap[2]], c) + Math.imul(taps[tap[3]], d) + layer.half) | 0) >> layer.point;
  };
  const columns = Array.from({ length: fine.width }, (_, x) => tapsOf(x, width));
  for (let y = wide.begin; y < wide.end; y++)
    for (let plane = 0; plane < wide.planes; plane++) {
      const row = coarse.row(plane, y), out = wide.row(plane, y);
      columns.forEach((at, x) => sum(out, x, at, ...at.from.map((i) => row[i])));
    }
  for (let y = fine.begin; y < fine.end; y++) {
    const at = tapsOf(y, count);
    for (let plane = 0; plane < wide.planes; plane++) {
      const [a, b, c, d] = at.from.map((row) => wide.row(plane, row)), out = fine.row(plane + 1, y);
      for (let x = 0; x < fine.width; x++) sum(out, x, at, a[x], b[x], c[x], d[x]);
    }
  }
}

// Rows of a grid, and of all coarser ones at its size.
function stacked(picture, integers, level, begin, end) {
  const [width] = picture.grids[level], fine = new Rows(width, begin, end, LEVELS - level);
  for (let y = begin; y < end; y++) fine.row(0, y).set(integers[level].subarray(y * width, (y + 1) * width));
  if (level + 1 < LEVELS) {
    const count = picture.grids[level + 1][1];
    const coarse = stacked(picture, integers, level + 1, tapsOf(begin, count).from[0], tapsOf(end - 1, count).from[3] + 1);
    enlarged(picture, coarse, level, fine);
  }
  return fine;
}

// The outputs of a layer.
function dense(layer, x, sums) {
  for (let o = 0; o < layer.outputs; o++) {
    let sum = layer.biases[o] + layer.half;
    for (let i = 0; i < x.length; i++) sum = (sum + Math.imul(layer.weights[i * layer.outputs + o], x[i])) | 0;
    sums[o] = sum >> layer.point;
  }
}

function mixed({ layers, channels }, inputs) {
  const out = new Rows(inputs.width, inputs.begin, inputs.end, channels);
  const x = new Int32Array(LEVELS), hidden = new Int32Array(FEATURES), sums = new Int32Array(channels);
  for (let y = out.begin; y < out.end; y++) {
    const row = inputs.row(0, y).byteOffset / 4, to = out.row(0, y).byteOffset / 4;
    for (let column = 0; column < out.width; column++) {
      for (let i = 0; i < LEVELS; i++) x[i] = inputs.data[row + i * out.width + column];
      dense(layers[3], x, hidden);
      for (let i = 0; i < FEATURES; i++) if (hidden[i] < 0) hidden[i] = 0;
      dense(layers[4], hidden, sums);
      for (let o = 0; o < channels; o++) out.data[to + o * out.width + column] = sums[o];
    }
  }
  return out;
}

// A 3x3 convolution added to its input; of what is added only what is positive, if it `opens`.
function refined({ height, channels }, layer, inputs, begin, end, opens) {
  const out = new Rows(inputs.width, begin, end, channels);
  const x = new Int32Array(9 * channels), sums = new Int32Array(channels);
  for (let y = begin; y < end; y++)
    for (let column = 0; column < out.width; column++) {
      for (let place = 0; place < 9; place++) {
        const [row, from] = [y + Math.floor(place / 3) - 1, column + (place % 3) - 1];
        const inside = row >= 0 && row < height && from >= 0 && from < out.width;
        const at = (row - inputs.begin) * channels * out.width + from;
        for (let plane = 0; plane < channels; plane++)
          x[place * channels + plane] = inside ? inputs.data[at + plane * out.width] : 0;
      }
      dense(layer, x, sums);
      const to = (y - begin) * channels * out.width + column;
      for (let o = 0; o < channels; o++)
        out.data[to + o * out.width] = x[4 * channels + o] + (opens ? Math.max(0, sums[o]) : sums[o]);
    }
  return out;
}

// Decodes a file to pixels (RGBA). `pause` is awaited now and then, with the part that is done.
async function decode(file, start, pause) {
  const picture = parse(file, start), { width, height, channels, layers, grids } = picture;
  const integers = grids.map(([columns, rows]) => new Int32Array(columns * rows));
  let done = 0;
  for (const band of picture.bands) {
    integers[band.level].set(integersOf(picture, band), band.begin * grids[band.level][0]);
    done += (band.end - band.begin) * grids[band.level][0];
    await pause(0.375 * done / (width * height));
  }
  const pixels = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let begin = 0; begin < height; begin += WINDOW) {
    const end = Math.min(begin + WINDOW, height), reach = (n) => [Math.max(0, begin - n), Math.min(height, end + n)];
    const inputs = stacked(picture, integers, 0, ...reach(2));
    const inner = refined(picture, layers[5], mixed(picture, inputs), ...reach(1), true);
    const colours = refined(picture, layers[6], inner, begin, end, false);
    for (let y = begin; y < end; y++)
      for (let x = 0; x < width; x++)
        for (let c = 0; c < 3; c++) {
          const value = colours.row(channels === 3 ? c : 0, y)[x];
          pixels[4 * (y * width + x) + c] = (Math.min(1024, Math.max(0, value)) * 255 + 512) >> 10;
        }
    await pause(0.5 + 0.5 * end / height);
  }
  return { width, height, pixels };
}
