// How values between layers are stored: features, pre-activations and their gradients, in half the memory.
enable f16;

alias Stored = f16;

// Saturates, so that a gradient beyond f16's range is clipped instead of becoming infinite.
fn stored(value: f32) -> Stored {
    return f16(clamp(value, -65504.0, 65504.0));
}

fn stored_four(values: vec4<f32>) -> vec4<Stored> {
    return vec4<f16>(clamp(values, vec4<f32>(-65504.0), vec4<f32>(65504.0)));
}
