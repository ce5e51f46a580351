// For encodings without weights.
const HAS_ENCODING_GRADIENTS: bool = false;

fn encoding_gradients(slice: u32, n: u32, thread: u32) {}
