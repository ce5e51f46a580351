@group(0) @binding(4) var<storage, read_write> sums: array<FixedPoint>; // (entries, F)

fn add(at: u32, value: f32) {
    add_fixed_point(at, value);
}
