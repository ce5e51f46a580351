// Training pixels by number: all, or every other of every other row.

fn draw(index: u32) -> Sample {
    return Sample(params.picture.stride * vec2<u32>(index % params.picture.columns, index / params.picture.columns), 1.0);
}
