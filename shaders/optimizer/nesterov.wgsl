// g' = g + weight_decay w; v = momentum v + g'; w -= lr (g' + momentum v). Factors: lr.
override momentum: f32;
override weight_decay: f32;

fn update(factors: vec4<f32>, w: f32, g: f32, m: vec2<f32>) -> Updated {
    let decayed = g + weight_decay * w;
    let v = momentum * m.x + decayed;
    return Updated(w - factors.x * (decayed + momentum * v), vec2<f32>(v, 0.0));
}
