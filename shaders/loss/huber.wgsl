// Huber 1964, as torch.nn.HuberLoss.
override delta: f32;

fn loss(p: f32, t: f32) -> f32 {
    let distance = abs(p - t);
    return select(0.5 * distance * distance, delta * (distance - 0.5 * delta), distance > delta);
}

fn loss_derivative(p: f32, t: f32) -> f32 {
    let difference = p - t;
    return select(difference, delta * sign(difference), abs(difference) > delta);
}
