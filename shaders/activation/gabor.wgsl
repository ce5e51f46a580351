// cos(w0 z) exp(-(scale z)^2), Saragadam et al. 2023, equation 4, the real part.
const ACTIVATION_IS_MAX: bool = false;
override w0: f32;
override turns_per_unit: f32; // w0 / 2 pi, rounded once on the host
override scale: f32;

fn activation(z: f32) -> f32 {
    let u = scale * z;
    return cos_turns(z * turns_per_unit) * exp(-(u * u));
}

fn activation_derivative(z: f32) -> f32 {
    let turns = z * turns_per_unit;
    let u = scale * z;
    return -(w0 * sin_turns(turns) + 2.0 * scale * u * cos_turns(turns)) * exp(-(u * u));
}
