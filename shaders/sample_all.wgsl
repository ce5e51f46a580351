// Training pixels by number: all, or every other of every other row.

fn draw(index: u32) -> Sample {
    return Sample(params.stride * vec2<u32>(index % params.columns, index / params.columns), 1.0);
}
