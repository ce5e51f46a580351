// n triangle waves from -1 to 1 along x and then y, the k-th with 2^k half periods. `model::encoding::triangle_wave`.

fn feature(k: u32, n: u32, c: vec2<f32>) -> f32 {
    let periods = select(c.y, c.x, k < n) * 0.5 * f32(1u << (k % n));
    return 1.0 - 4.0 * abs(periods - round(periods));
}
