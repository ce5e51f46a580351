// Operands of products in tiles, moved four numbers at a time: one load.
alias Vector = vec4<Stored>;
alias Chunk = vec4<Stored>;
const VECTOR: u32 = 4u; // numbers of a vector
const CHUNK: u32 = 4u;  // and of a chunk, which is whole vectors

// A chunk that begins on a vector, from its first and its last.
fn chunk(first: Vector, last: Vector) -> Chunk {
    return first;
}

// A chunk that begins `shift` numbers behind the beginning of `first`; `last` holds its end if `next` does not.
fn shifted_chunk(first: Vector, next: Vector, last: Vector, shift: u32) -> Chunk {
    return stored_four_of(first, next, shift);
}

// What of the numbers from `first` on is below n, and 0 for the rest.
fn chunk_within(found: Chunk, first: u32, n: u32, is_aligned: bool) -> Chunk {
    return select(vec4<Stored>(), found, are_inside(first, n, is_aligned));
}

fn chunk_if(found: Chunk, is_wanted: bool) -> Chunk {
    return select(vec4<Stored>(), found, is_wanted);
}
