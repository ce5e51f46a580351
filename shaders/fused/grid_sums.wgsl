@group(0) @binding(8) var<storage, read_write> sums: array<FixedPoint>; // (entries, F)
