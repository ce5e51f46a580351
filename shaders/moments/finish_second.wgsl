@group(0) @binding(8) var<storage, read_write> moment_1: array<f32>; // (n)
