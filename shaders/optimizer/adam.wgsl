// Kingma and Ba 2015, algorithm 1, with the decoupled decay of Loshchilov and Hutter 2019,
// algorithm 2. Factors: lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t), 1 - lr weight_decay.
override beta1: f32;
override beta2: f32;
override one_minus_beta1: f32;
override one_minus_beta2: f32;
override epsilon: f32;

fn update(factors: vec4<f32>, w: f32, g: f32, moments: vec2<f32>) -> Updated {
    let m = beta1 * moments.x + one_minus_beta1 * g;
    let v = beta2 * moments.y + one_minus_beta2 * g * g;
    let change = factors.x * m / (sqrt(v) * factors.y + epsilon);
    return Updated(w * factors.z - change, vec2<f32>(m, v));
}
