// The number that a fixed-point sum, low and high word, represents.
fn fixed_point_value(words: vec2<u32>) -> f32 {
    var low = words.x;
    var high = words.y;
    let negative = (high >> 31u) != 0u;
    // The magnitude first, so that the two words do not cancel.
    if negative {
        low = ~low + 1u;
        high = ~high + select(0u, 1u, low == 0u);
    }
    let magnitude = f32(high) * (1.0 / 1048576.0) + f32(low) * (1.0 / 4503599627370496.0); // 2^-20, 2^-52
    return select(magnitude, -magnitude, negative);
}
