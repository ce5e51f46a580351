// The sums are the flat gradients themselves: a third of the memory traffic, but float sums depend on the order in
// their last bits, so a run does not repeat to the bit.

@group(0) @binding(4) var<storage, read_write> grads: array<atomic<f32>>; // flat; the encoding's come first

fn add(at: u32, value: f32) {
    if value != 0.0 {
        atomicAdd(&grads[at], value);
    }
}
