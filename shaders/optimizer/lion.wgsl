// Chen et al. 2023, algorithm 2. Factors: lr, 0, 1 - lr weight_decay.
override beta1: f32;
override beta2: f32;
override one_minus_beta1: f32;
override one_minus_beta2: f32;

fn update(factors: vec4<f32>, w: f32, g: f32, moments: vec2<f32>) -> Updated {
    let c = beta1 * moments.x + one_minus_beta1 * g;
    let m = beta2 * moments.x + one_minus_beta2 * g;
    return Updated(w * factors.z - factors.x * sign(c), vec2<f32>(m, 0.0));
}
