// Results in rows of any width.
alias Results = array<Result>;

// Writes the first n of four results; nothing where n is 0.
fn put_four(at: u32, n: u32, values: vec4<Result>) {
    if n > 0u { results[at] = values.x; }
    if n > 1u { results[at + 1u] = values.y; }
    if n > 2u { results[at + 2u] = values.z; }
    if n > 3u { results[at + 3u] = values.w; }
}

// What is where `put_four` writes; anything beyond the first n.
fn four_before(at: u32, n: u32) -> vec4<Result> {
    let first = select(0u, at, n > 0u);
    let last = first + select(0u, n - 1u, n > 0u);
    return vec4<Result>(
        results[first], results[min(first + 1u, last)], results[min(first + 2u, last)], results[min(first + 3u, last)],
    );
}
