fn moments(i: u32) -> vec2<f32> {
    return vec2<f32>(moment_0[i], moment_1[i]);
}

fn keep_moments(i: u32, m: vec2<f32>) {
    moment_0[i] = m.x;
    moment_1[i] = m.y;
}
