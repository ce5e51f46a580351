// Training pixels by their number: all, or every other of every other row.

fn training_pixel(index: u32) -> vec2<u32> {
    return params.stride * vec2<u32>(index % params.columns, index / params.columns);
}
