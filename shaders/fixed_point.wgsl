// Order-independent sums: 64-bit fixed-point numbers in units of 2^-52, as two words, low and high, in `sums`.
// Integer sums are the same in any order, so a run repeats to the bit. `fixed_point_64.wgsl` or `fixed_point_32.wgsl`
// has their type and how to add the two words of one.

// Larger terms are clamped to this; only a diverging run has them.
const LARGEST: f32 = 1024.0;

fn add_fixed_point(at: u32, value: f32) {
    let magnitude = min(abs(value), LARGEST) * 1048576.0;        // 2^20
    let whole = floor(magnitude);
    var high = u32(whole);
    var low = u32((magnitude - whole) * 4294967296.0);           // 2^32; the product is exact
    if value < 0.0 {
        low = ~low + 1u;
        high = ~high + select(0u, 1u, low == 0u);
    }
    add_words(at, low, high);
}
