// Sums a strided sequence in order, eight terms a round: their loads do not wait for each other. The file this is
// joined with supplies
//   term(at)            the term at index `at`
//   plus(sum, value)    the sum with one more term

// The sum of `count` terms from `first` on, `stride` apart. What exceeds the count is read at the last index and counts
// as 0, which changes no sum.
fn strided_sum(first: u32, stride: u32, count: u32) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < count; i += 8u) {
        let last = count - 1u;
        let v0 = term(first + i * stride);
        let v1 = term(first + min(i + 1u, last) * stride);
        let v2 = term(first + min(i + 2u, last) * stride);
        let v3 = term(first + min(i + 3u, last) * stride);
        let v4 = term(first + min(i + 4u, last) * stride);
        let v5 = term(first + min(i + 5u, last) * stride);
        let v6 = term(first + min(i + 6u, last) * stride);
        let v7 = term(first + min(i + 7u, last) * stride);
        sum = plus(sum, v0);
        sum = plus(sum, select(0.0, v1, i + 1u <= last));
        sum = plus(sum, select(0.0, v2, i + 2u <= last));
        sum = plus(sum, select(0.0, v3, i + 3u <= last));
        sum = plus(sum, select(0.0, v4, i + 4u <= last));
        sum = plus(sum, select(0.0, v5, i + 5u <= last));
        sum = plus(sum, select(0.0, v6, i + 6u <= last));
        sum = plus(sum, select(0.0, v7, i + 7u <= last));
    }
    return sum;
}

// The number of terms of a workgroup's thread that takes every `stride`th of `n`.
fn n_terms(first: u32, stride: u32, n: u32) -> u32 {
    return select(0u, (n - first + stride - 1u) / stride, first < n);
}
