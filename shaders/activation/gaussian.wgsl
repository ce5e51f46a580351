// exp(-z^2 / (2 scale^2)), Ramasinghe and Lucey 2022.
const ACTIVATION_IS_MAX: bool = false;
override scale: f32;

fn activation(z: f32) -> f32 {
    let u = z / scale;
    return exp(-0.5 * u * u);
}

fn activation_derivative(z: f32) -> f32 {
    let u = z / scale;
    return -(u / scale) * exp(-0.5 * u * u);
}
