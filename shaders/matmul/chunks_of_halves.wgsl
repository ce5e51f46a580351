// Operands of products by cooperative matrices, moved eight numbers at a time: words of two halves, low half first, so that
// eight are one load.
alias Vector = vec4<u32>;
alias Chunk = vec4<u32>;
const VECTOR: u32 = 8u; // numbers of a vector
const CHUNK: u32 = 8u;  // and of a chunk, which is whole vectors

// A chunk that begins on a vector, from its first and its last.
fn chunk(first: Vector, last: Vector) -> Chunk {
    return first;
}

// A chunk that begins `shift` numbers behind the beginning of `first`; `last` holds its end if `next` does not.
fn shifted_chunk(first: Vector, next: Vector, last: Vector, shift: u32) -> Chunk {
    let by_four = (shift & 4u) != 0u;
    let near4 = select(first, vec4<u32>(first.zw, next.xy), by_four);
    let far4 = select(next.xy, next.zw, by_four);
    let by_two = (shift & 2u) != 0u;
    let near2 = select(near4, vec4<u32>(near4.yzw, far4.x), by_two);
    let far2 = select(far4.x, far4.y, by_two);
    let by_one = (near2 >> vec4<u32>(16u)) | (vec4<u32>(near2.yzw, far2) << vec4<u32>(16u));
    return select(near2, by_one, (shift & 1u) != 0u);
}

// What of the numbers from `first` on is below n, and 0 for the rest.
fn chunk_within(found: Chunk, first: u32, n: u32, is_aligned: bool) -> Chunk {
    if is_aligned {
        return chunk_if(found, first < n);
    }
    let low = vec4<u32>(first) + vec4<u32>(0u, 2u, 4u, 6u);
    let low_bits = select(vec4<u32>(), vec4<u32>(0xffffu), low < vec4<u32>(n));
    let high_bits = select(vec4<u32>(), vec4<u32>(0xffff0000u), low + 1u < vec4<u32>(n));
    return found & (low_bits | high_bits);
}

fn chunk_if(found: Chunk, is_wanted: bool) -> Chunk {
    return select(vec4<u32>(), found, is_wanted);
}

// Its first and last four numbers. Compilers see that nothing is converted; naga has no bitcast of words to halves.
fn low_four(found: Chunk) -> vec4<Stored> {
    return vec4<Stored>(vec4<f32>(unpack2x16float(found.x), unpack2x16float(found.y)));
}

fn high_four(found: Chunk) -> vec4<Stored> {
    return vec4<Stored>(vec4<f32>(unpack2x16float(found.z), unpack2x16float(found.w)));
}
