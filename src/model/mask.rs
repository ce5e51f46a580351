//! Masks: training on a part of a picture.

use super::SampleSet;

/// Which pixels of a picture are trained on and measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// For each pixel, row by row.
    inside: Vec<bool>,
    /// Indices of the training pixels inside, ascending.
    pixels: Vec<u32>,
}

impl Mask {
    /// A mask over the picture of `samples`, row by row; none if no training pixel is `inside`.
    pub fn new(inside: Vec<bool>, samples: SampleSet) -> Option<Self> {
        assert_eq!(inside.len(), samples.width as usize * samples.height as usize, "pixels of the mask");
        let unmasked = SampleSet { masked: None, ..samples };
        let number = |(x, y): (u32, u32)| y * samples.width + x;
        let all = (0..unmasked.len()).map(|index| number(unmasked.pixel(index)));
        let pixels: Vec<u32> = all.filter(|&pixel| inside[pixel as usize]).collect();
        (!pixels.is_empty()).then_some(Self { inside, pixels })
    }

    /// Indices y width + x of the training pixels, ascending.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// Whether the pixel with index `pixel` is inside.
    pub fn contains(&self, pixel: u64) -> bool {
        self.inside[pixel as usize]
    }
}
