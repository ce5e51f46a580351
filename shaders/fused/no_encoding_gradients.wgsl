// For encodings without weights.
fn encoding_gradients(layer: Layer, slice: u32, n: u32, thread: u32) {}
