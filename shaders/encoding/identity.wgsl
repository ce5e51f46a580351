// The position itself. `model::encoding::identity`.

fn feature(k: u32, n: u32, c: vec2<f32>) -> f32 {
    return select(c.y, c.x, k == 0u);
}
