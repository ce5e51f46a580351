// Storage for one number per thread of an element-wise workgroup.

var<workgroup> of_threads: array<f32, THREADS>;

fn partial_sum(i: u32) -> f32 {
    return of_threads[i];
}

fn keep_partial_sum(i: u32, sum: f32) {
    of_threads[i] = sum;
}
