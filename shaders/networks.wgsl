// For several networks of one shape at once: the third dimension of a dispatch counts them, and every storage binding
// consists of as many equal parts, one for each.

var<private> network: u32;    // of this workgroup
var<private> n_networks: u32;

// First element of the network's part of a binding of n elements.
fn part_of(n: u32) -> u32 {
    return network * (n / n_networks);
}
