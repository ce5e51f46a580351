// Operands of products by cooperative matrices, moved eight numbers at a time, in two loads.
alias Vector = vec4<Stored>;
const VECTOR: u32 = 4u; // numbers of a vector
const CHUNK: u32 = 8u;  // and of a chunk, which is whole vectors

struct Chunk { low: vec4<Stored>, high: vec4<Stored> }

// A chunk that begins on a vector, from its first and its last.
fn chunk(first: Vector, last: Vector) -> Chunk {
    return Chunk(first, last);
}

// A chunk that begins `shift` numbers behind the beginning of `first`; `last` holds its end if `next` does not.
fn shifted_chunk(first: Vector, next: Vector, last: Vector, shift: u32) -> Chunk {
    return Chunk(stored_four_of(first, next, shift), stored_four_of(next, last, shift));
}

// What of the numbers from `first` on is below n, and 0 for the rest.
fn chunk_within(found: Chunk, first: u32, n: u32, is_aligned: bool) -> Chunk {
    return Chunk(
        select(vec4<Stored>(), found.low, are_inside(first, n, is_aligned)),
        select(vec4<Stored>(), found.high, are_inside(first + 4u, n, is_aligned)),
    );
}

fn chunk_if(found: Chunk, is_wanted: bool) -> Chunk {
    return Chunk(select(vec4<Stored>(), found.low, is_wanted), select(vec4<Stored>(), found.high, is_wanted));
}

// Its first and last four numbers.
fn low_four(found: Chunk) -> vec4<Stored> {
    return found.low;
}

fn high_four(found: Chunk) -> vec4<Stored> {
    return found.high;
}
