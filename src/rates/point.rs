//! What is measured.

use super::codec::Codec;

/// A codec at one rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The picture's name.
    pub picture: String,
    /// What makes the file.
    pub codec: Codec,
    /// Bits a pixel that there may be at most.
    pub rate: f64,
    /// The file; none if there is none so small.
    pub file: Option<Measured>,
}

/// A file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Its size.
    pub bytes: usize,
    /// Bits a pixel.
    pub bits_per_pixel: f64,
    /// PSNR in dB of what it decodes to.
    pub psnr: f64,
}
