// `fixed_point.wgsl` for devices with 64-bit atomics: one addition of both words, of which nothing is read back.

alias FixedPoint = atomic<u64>;

fn add_words(at: u32, low: u32, high: u32) {
    if (low | high) != 0u {
        atomicAdd(&sums[at], (u64(high) << 32u) | u64(low));
    }
}
