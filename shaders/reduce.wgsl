// Sums one number per thread, in the same order on every driver. The file this is joined with stores the numbers in
// workgroup memory, through `partial_sum` and `keep_partial_sum`.

// The sum over the first n threads, n a power of two, for all of them.
fn reduce(thread: u32, n: u32, value: f32) -> f32 {
    if thread < n {
        keep_partial_sum(thread, value);
    }
    workgroupBarrier();
    for (var half = n / 2u; half > 0u; half /= 2u) {
        if thread < half {
            keep_partial_sum(thread, partial_sum(thread) + partial_sum(thread + half));
        }
        workgroupBarrier();
    }
    return partial_sum(0u);
}
