// Of x, (n, i), from number `at` of it on: common to the products that read it.
fn inputs_chunk(at: u32) -> Chunk {
    if INPUTS_ALIGNED {
        let first = at / CHUNK * CHUNK_VECTORS;
        return chunk(x[first], x[first + CHUNK_VECTORS - 1u]);
    }
    let v = at / VECTOR;
    let last = (params.n_samples * params.input_width - 1u) / VECTOR;
    return shifted_chunk(
        x[v], x[min(v + 1u, last)], x[min(v + CHUNK_VECTORS, last)], at % VECTOR,
    );
}
