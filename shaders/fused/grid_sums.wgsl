@group(0) @binding(8) var<storage, read_write> sums: array<atomic<u32>>; // (entries, F, 2): low, high
