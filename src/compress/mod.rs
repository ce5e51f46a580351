//! Pictures as small files: a pyramid of integers, coded with probabilities that a small network computes from those
//! before them, and a small network that makes colours of them.

mod bands;
mod coder;
mod decode;
mod defaults;
mod encode;
#[expect(clippy::needless_range_loop, reason = "loops with plain bounds are vectorised")]
mod fixed;
mod format;
mod quantise;
mod shape;
mod tables;
#[cfg(test)]
mod tests;
mod train;

pub use decode::CompressedPicture;
pub(crate) use defaults::WEIGHTS as START_WEIGHTS;
pub use encode::{
    BYTES_PER_PIXEL, CompressError, Compressed, DEFAULT_STEPS, Effort, Stage, Wish, compress, eight_bits,
    loss,
};
pub use format::{FormatError, MAGIC};
pub use shape::Shape;
