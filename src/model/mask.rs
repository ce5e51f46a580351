//! A part of a picture: the pixels that are trained on, whatever their shape.

use super::SampleSet;

/// Which pixels of a picture are trained on and measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// For each pixel, row by row.
    inside: Vec<bool>,
    /// Numbers of the training pixels among them, in order.
    pixels: Vec<u32>,
}

impl Mask {
    /// Those of `samples`' picture that are `inside`, row by row; none where that leaves no training pixel.
    pub fn new(inside: Vec<bool>, samples: SampleSet) -> Option<Self> {
        assert_eq!(inside.len(), samples.width as usize * samples.height as usize, "pixels of the mask");
        let unmasked = SampleSet { masked: None, ..samples };
        let number = |(x, y): (u32, u32)| y * samples.width + x;
        let all = (0..unmasked.len()).map(|index| number(unmasked.pixel(index)));
        let pixels: Vec<u32> = all.filter(|&pixel| inside[pixel as usize]).collect();
        (!pixels.is_empty()).then_some(Self { inside, pixels })
    }

    /// Numbers of the training pixels, y width + x each, in order.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// Whether pixel number `pixel` is inside.
    pub fn contains(&self, pixel: u64) -> bool {
        self.inside[pixel as usize]
    }
}
