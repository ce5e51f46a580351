//! Blocks of numbers that share a scale.

/// The ending of a tensor of scales.
pub(super) const SCALE: &str = ".scale";

/// The length of `n_values` in `n_blocks` of the same length but for the last; none if there are not so many.
pub(super) fn block_length(n_values: usize, n_blocks: usize) -> Option<usize> {
    let length = n_values.div_ceil(n_blocks.max(1)).max(1);
    (n_values.div_ceil(length) == n_blocks).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_one_length() {
        assert_eq!(block_length(100, 2), Some(50));
        assert_eq!(block_length(101, 2), Some(51));
        assert_eq!(block_length(10, 7), None, "two a block make five");
        assert_eq!(block_length(3, 3), Some(1));
        assert_eq!(block_length(3, 4), None);
        assert_eq!(block_length(3, 0), None);
    }
}
