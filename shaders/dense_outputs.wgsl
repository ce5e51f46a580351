// Of dl_dz, (n, o), from number `at` of it on: common to the products that read it.
fn gradients_chunk(at: u32) -> Chunk {
    if OUTPUTS_ALIGNED {
        let first = at / CHUNK * CHUNK_VECTORS;
        return chunk(dl_dz[first], dl_dz[first + CHUNK_VECTORS - 1u]);
    }
    let v = at / VECTOR;
    let last = (params.n_samples * params.output_width - 1u) / VECTOR;
    return shifted_chunk(
        dl_dz[v], dl_dz[min(v + 1u, last)], dl_dz[min(v + CHUNK_VECTORS, last)], at % VECTOR,
    );
}
