// Of W, (o, i), from number `at` of the flat parameters on: common to the products that read it.
fn weights_chunk(at: u32) -> Chunk {
    if WEIGHTS_ALIGNED {
        let first = at / CHUNK * CHUNK_VECTORS;
        return chunk(weights[first], weights[first + CHUNK_VECTORS - 1u]);
    }
    let v = at / VECTOR;
    let last = (params.bias_offset - 1u) / VECTOR;
    return shifted_chunk(
        weights[v], weights[min(v + 1u, last)], weights[min(v + CHUNK_VECTORS, last)], at % VECTOR,
    );
}
