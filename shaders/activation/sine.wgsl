// sin(w0 z), Sitzmann et al. 2020, equation 5.
const ACTIVATION_IS_MAX: bool = false;
override w0: f32;
override turns_per_unit: f32; // w0 / 2 pi, rounded once on the host

fn activation(z: f32) -> f32 {
    return sin_turns(z * turns_per_unit);
}

fn activation_derivative(z: f32) -> f32 {
    return w0 * cos_turns(z * turns_per_unit);
}
