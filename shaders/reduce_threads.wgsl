// Storage for one number per thread of an element-wise workgroup.

var<workgroup> sums: array<f32, THREADS>;

fn partial_sum(i: u32) -> f32 {
    return sums[i];
}

fn keep_partial_sum(i: u32, sum: f32) {
    sums[i] = sum;
}
