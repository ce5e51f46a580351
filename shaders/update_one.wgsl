// The update of one parameter. A rule of `optimizer/` supplies `update`, a file of `moments/` its moments, and the
// kernel `weights` and the penalties in `params`.

@group(1) @binding(0) var<uniform> step: StepParams;

struct Updated {
    weight: f32,
    moments: vec2<f32>, // those of the rule, first to last
}

// Moves parameter i along its gradient.
fn update_one(i: u32, gradient: f32) {
    let of_encoding = i < params.n_encoding;
    let factors = select(step.factors, step.encoding_factors, of_encoding);
    let w = weights[i];
    let g = gradient + select(params.l2, params.encoding_l2, of_encoding) * w;
    let updated = update(factors, w, g, moments(i));
    weights[i] = updated.weight;
    keep_moments(i, updated.moments);
}
