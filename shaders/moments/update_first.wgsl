@group(0) @binding(3) var<storage, read_write> moment_0: array<f32>; // (n)
