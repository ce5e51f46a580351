// Sums one number per thread, in the same order on every driver. The file this is joined with stores the numbers in
// workgroup memory, through `partial_sum` and `keep_partial_sum`.

// Makes partial sums 0.. columns those of the threads of the same remainder. n and columns are powers of two.
fn add_threads(thread: u32, n: u32, columns: u32, value: f32) {
    if thread < n {
        keep_partial_sum(thread, value);
    }
    workgroupBarrier();
    for (var half = n / 2u; half >= columns; half /= 2u) {
        if thread < half {
            keep_partial_sum(thread, partial_sum(thread) + partial_sum(thread + half));
        }
        workgroupBarrier();
    }
}

// The sum over the first n threads, n a power of two, for all of them.
fn reduce(thread: u32, n: u32, value: f32) -> f32 {
    add_threads(thread, n, 1u, value);
    return partial_sum(0u);
}
