// v = momentum v + g + weight_decay w; w -= lr v, as torch.optim.SGD. Factors: lr.
override momentum: f32;
override weight_decay: f32;

fn update(factors: vec4<f32>, w: f32, g: f32, m: vec2<f32>) -> Updated {
    let v = momentum * m.x + (g + weight_decay * w);
    return Updated(w - factors.x * v, vec2<f32>(v, 0.0));
}
