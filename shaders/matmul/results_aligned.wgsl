// Results in rows that begin on whole vectors.
alias Results = array<vec4<Result>>;

// Writes the first n of four results; nothing where n is 0.
fn put_four(at: u32, n: u32, values: vec4<Result>) {
    if n > 0u {
        results[at / 4u] = values;
    }
}

// What is where `put_four` writes; anything beyond the first n.
fn four_before(at: u32, n: u32) -> vec4<Result> {
    return results[select(0u, at / 4u, n > 0u)];
}
