# The decoder: docs/FORMAT.md of afterimage describes the file. Sums are of 32 bits and wrap around.
LEVELS, BAND, POINT, REACH, ESCAPE = 7, 128, 10, 24, 49
NEIGHBOURS = [(-1, 0), (0, -1), (-1, -1), (1, -1), (-2, 0), (0, -2), (-2, -1), (2, -1),
              (-1, -2), (1, -2), (-3, 0), (0, -3), (-2, -2), (2, -2), (-3, -1), (3, -1)]
ROOTS = [math.isqrt(1 << 63)]
while len(ROOTS) < 16:
    ROOTS.append(math.isqrt(ROOTS[-1] << 32))


def power(x):
    """2^-x for x in 65536ths, in units of 2^-32."""
    product = 1 << 32
    for bit, root in enumerate(ROOTS):
        if x >> (15 - bit) & 1:
            product = product * root >> 32
    return product >> (x >> 16)


def below(scale, x):
    """The part of a Laplace distribution below x, which is in 32nds, in units of 2^-32."""
    inverse = power((scale % 8) << 13) >> 8
    tail = power((abs(x) * 94548 * inverse // 32) >> (24 + scale // 8)) // 2
    return tail if x < 0 else (1 << 32) - tail


@functools.cache
def ends(scale, fraction):
    """Ends of the symbols' intervals, of 65536."""
    edges = [below(scale, 16 * (2 * edge - 1) - 2 * (fraction - 8)) for edge in range(-REACH, REACH + 2)]
    shares = [edge - edges[0] for edge in edges[1:]] + [1 << 32]
    return [(share * (65535 - ESCAPE) >> 32) + n + 1 for n, share in enumerate(shares)]


class Reader:
    """Reads integers off the bits of a range coder."""

    def __init__(self, data):
        self.words = iter(struct.unpack(f"<{len(data) // 2}H", data[:len(data) // 2 * 2]))
        self.range, self.offset = (1 << 64) - 1, 0
        for _ in range(4):
            self.offset = self.offset << 16 | next(self.words, 0)

    def symbol(self, ends):
        unit = self.range >> 16
        symbol = bisect.bisect_right(ends, self.offset // unit)
        begin = ends[symbol - 1] if symbol else 0
        self.offset -= unit * begin
        self.range = unit * (ends[symbol] - begin)
        if self.range < 1 << 48:
            self.range, self.offset = self.range << 16, self.offset << 16 | next(self.words, 0)
        return symbol

    def integer(self, mean, scale):
        """With a mean in 16ths and the logarithm of its scale in 8ths."""
        scale = min(48, max(-32, scale))
        centre = (mean + 8) >> 4
        symbol = self.symbol(ends(scale, (mean + 8) & 15))
        if symbol < ESCAPE:
            return centre + symbol - REACH
        above, length, value = self.bit(), max(0, scale >> 3), 1
        spread = length
        while self.bit():
            length += 1
        for _ in range(length):
            value = value << 1 | self.bit()
        distance = value - (1 << spread) + REACH + 1
        return centre + distance if above else centre - distance

    def bit(self):
        return self.symbol([1 << 15, 1 << 16])


class Layer:
    """Integer weights (inputs, outputs), biases, and the bits behind the point of a sum."""

    def __init__(self, weights, biases, point):
        self.weights, self.biases, self.point = weights, biases, point
        self.start = biases + np.int32((1 << point) >> 1)

    def __call__(self, x):
        return (x @ self.weights + self.start) >> self.point


def start(channels):
    """The weights and biases that every picture begins with; a grey one takes what leads from green to green."""
    numbers = iter(np.split(START, np.cumsum([n for i, o, b in layers(3) for n in (i * o, b)])[:-1]))
    for n, (inputs, outputs, count) in enumerate(layers(3)):
        weights, biases = next(numbers).reshape(inputs, outputs), next(numbers)
        if channels == 1 and 4 <= n < 7:
            weights, biases = weights[(1 if n > 4 else 0)::(3 if n > 4 else 1), 1:2], biases[1:2]
        yield weights, biases


def layers(channels):
    """Inputs, outputs and biases of each layer."""
    convolution = (9 * channels, channels, channels)
    return [(16, 16, 16), (16, 16, 16), (16, 2, 2 * LEVELS), (LEVELS, 32, 32), (32, channels, channels),
            convolution, convolution, (4, LEVELS - 1, 0)]


def grid(layers, level, width, height, bands):
    """The integers of a grid, with POINT bits behind the point."""
    out = np.empty((height, width), np.int32)
    first, second, last = layers[:3]
    start = (last.biases.reshape(-1, 2)[level] + np.int32((1 << last.point) >> 1))
    for row in range(0, height, BAND):
        rows, reader = min(BAND, height - row), Reader(next(bands))
        padded = np.zeros((rows + 4, width + 8), np.int32)
        flat, stride = padded.ravel(), width + 8
        steps = np.array([dy * stride + dx for dx, dy in NEIGHBOURS])
        for y in range(rows):
            for place in range((y + 4) * stride + 4, (y + 4) * stride + 4 + width):
                hidden = np.maximum(second(np.maximum(first(flat[steps + place]), 0)), 0)
                mean, scale = ((hidden @ last.weights + start) >> last.point).tolist()
                flat[place] = reader.integer((mean + 32) >> 6, (scale + 64) >> 7) << POINT
        out[row:row + rows] = padded[4:, 4:-4]
    return out


def doubled(x, taps, point, length):
    """Twice as many rows, and of those the first."""
    padded = np.pad(x, ((2, 2), (0, 0), (0, 0)), "edge")
    views = [padded[k:k + len(x)] for k in range(5)]
    pairs = [sum(tap * view for tap, view in zip(taps, chosen)) for chosen in (views[:4], views[:0:-1])]
    out = np.stack(pairs, 1).reshape(-1, *x.shape[1:])[:length]
    return (out + np.int32((1 << point) >> 1)) >> point


def refined(x, layer):
    """What a 3x3 convolution adds."""
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    h, w, _ = x.shape
    return layer(np.concatenate([padded[y:y + h, c:c + w] for y in range(3) for c in range(3)], 2))


def picture():
    """The picture, (height, width, channels) of 8 bits."""
    at = 4

    def number():
        nonlocal at
        value, shift = 0, 0
        while True:
            at += 1
            value |= (FILE[at - 1] & 127) << shift
            if FILE[at - 1] < 128:
                return value
            shift += 7

    width, height, channels = number(), number(), number()
    sizes, codes = layers(channels), []
    for inputs, outputs, count in sizes:
        pair = [(n, FILE[at + 2 * k], FILE[at + 2 * k + 1]) for k, n in enumerate((inputs * outputs, count)) if n]
        at += 2 * len(pair)
        codes.append((pair + [(0, 0, 0)])[:2])
    shapes = [(-(-width // 2**level), -(-height // 2**level)) for level in range(LEVELS)]
    lengths = [number() for _ in range(1 + sum(-(-h // BAND) for _, h in shapes))]
    parts = []
    for length in lengths:
        parts.append(FILE[at:at + length])
        at += length
    reader, network = Reader(parts[0]), []
    for code, begin, (inputs, outputs, _) in zip(codes, start(channels), sizes):
        own = []
        for (count, point, scale), numbers in zip(code, begin):
            differences = np.array([reader.integer(0, scale - 32) for _ in range(count)], np.int32)
            shift = 12 - point
            own.append(differences + ((numbers.ravel() + ((1 << shift) >> 1)) >> shift))
        (_, point, _), (_, behind, _) = code
        network.append(Layer(own[0].reshape(inputs, outputs), own[1] << (POINT + point - behind), point))
    bands, stack = iter(parts[1:]), None
    for level, (w, h) in reversed(list(enumerate(shapes))):
        own = grid(network, level, w, h, bands)[:, :, None]
        if stack is not None:
            taps = network[7].weights.ravel()[4 * level:4 * level + 4]
            wide = doubled(stack.swapaxes(0, 1), taps, network[7].point, w).swapaxes(0, 1)
            own = np.concatenate([own, doubled(wide, taps, network[7].point, h)], 2)
        stack = own
    z = network[4](np.maximum(network[3](stack), 0))
    r = z + np.maximum(refined(z, network[5]), 0)
    return ((np.clip(r + refined(r, network[6]), 0, 1024) * 255 + 512) >> POINT).astype("u1")
