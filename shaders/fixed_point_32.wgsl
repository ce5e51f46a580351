// Two atomics add the words of a fixed-point number one after the other, the second with the carry of the first.

alias FixedPoint = array<atomic<u32>, 2>; // low, high

fn add_words(at: u32, low: u32, high: u32) {
    var rest = high;
    if low != 0u {
        let old = atomicAdd(&sums[at][0], low);
        rest += select(0u, 1u, old + low < old);
    }
    if rest != 0u {
        atomicAdd(&sums[at][1], rest);
    }
}
