// The norm of numbers, of which `gradient_norm.wgsl` has left partial sums of squares. Every workgroup sums them again, in
// the same order.

@group(0) @binding(1) var<storage, read> squares: array<f32>; // (shares)

fn term(at: u32) -> f32 {
    return squares[at];
}

fn plus(sum: f32, value: f32) -> f32 {
    return sum + value;
}

// For all threads of the workgroup.
fn norm_of_shares(thread: u32, n_shares: u32) -> f32 {
    let sum = strided_sum(thread, THREADS, n_terms(thread, THREADS, n_shares));
    return sqrt(reduce(thread, THREADS, sum));
}
