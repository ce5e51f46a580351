// Zhuang et al. 2020, algorithm 2, with decoupled decay. Factors: lr / (1 - beta1^t),
// 1 / sqrt(1 - beta2^t), 1 - lr weight_decay.
override beta1: f32;
override beta2: f32;
override one_minus_beta1: f32;
override one_minus_beta2: f32;
override epsilon: f32;

fn update(factors: vec4<f32>, w: f32, g: f32, moments: vec2<f32>) -> Updated {
    let m = beta1 * moments.x + one_minus_beta1 * g;
    let surprise = g - m;
    let s = beta2 * moments.y + one_minus_beta2 * surprise * surprise + epsilon;
    let change = factors.x * m / (sqrt(s) * factors.y + epsilon);
    return Updated(w * factors.z - change, vec2<f32>(m, s));
}
