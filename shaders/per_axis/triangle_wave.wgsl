// n triangle waves from -1 to 1, the k-th with 2^k half periods. `model::encoding::per_axis`.

fn axis_feature(c: f32, k: u32, n: u32) -> f32 {
    let periods = c * 0.5 * f32(1u << k);
    return 1.0 - 4.0 * abs(periods - round(periods));
}
