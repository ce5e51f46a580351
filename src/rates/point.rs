//! What is measured.

use super::codec::Codec;

/// A file of one codec at one rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The picture's name.
    pub picture: String,
    /// What made the file.
    pub codec: Codec,
    /// Bits a pixel that there may be at most.
    pub rate: f64,
    /// Bytes of the file; none if there is none so small.
    pub bytes: Option<usize>,
    /// Bits a pixel of the file.
    pub bits_per_pixel: f64,
    /// PSNR in dB of what it decodes to.
    pub psnr: f64,
}
