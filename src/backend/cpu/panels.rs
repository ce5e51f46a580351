//! Matrices of samples in panels, the order in which products read them.
//!
//! A panel holds the values of 16 samples, or 16 features, side by side: a cache line of f32, and whole vectors in
//! any instruction set.
//!
//! - **sample panels**, (n / 16, width, 16): for each 16 samples all features, one after the other.
//! - **feature panels**, (width / 16, n, 16): for each 16 features all samples, one after the other.
//!
//! The last panel is padded: sample panels with copies of the last sample or with zeros, feature panels with zeros.

pub use super::simd::PANEL;
use super::simd::{SimdReal, vectorised};
use crate::model::Real;

/// Samples computed for `n` requested: padding included.
pub(crate) fn padded(n: usize) -> usize {
    n.next_multiple_of(PANEL)
}

/// rows: (n, width), row-major, n a multiple of 16 -> sample panels.
pub(crate) fn samples_from_rows<T: SimdReal>(rows: &[T], width: usize, panels: &mut [[T; PANEL]]) {
    columns_from_rows(rows, width, (panels, width, 0));
}

/// The same for features `column..column + width` of wider panels.
pub(super) fn columns_from_rows<T: SimdReal>(
    rows: &[T],
    width: usize,
    (panels, panel_width, column): (&mut [[T; PANEL]], usize, usize),
) {
    let zeros = [T::zero(); PANEL];
    vectorised!({
        for (rows, panel) in rows.chunks_exact(PANEL * width).zip(panels.chunks_exact_mut(panel_width)) {
            let (blocks, rest) = panel[column..column + width].as_chunks_mut::<PANEL>();
            let rest_begins = blocks.len() * PANEL;
            for (b, block) in blocks.iter_mut().enumerate() {
                let mut part = [&zeros; PANEL];
                for (s, row) in part.iter_mut().enumerate() {
                    *row = rows[s * width + b * PANEL..].first_chunk().expect("16 features");
                }
                T::transpose(part, block);
            }
            for (f, feature) in rest.iter_mut().enumerate() {
                for (s, value) in feature.iter_mut().enumerate() {
                    *value = rows[s * width + rest_begins + f];
                }
            }
        }
    });
}

/// Sample panels -> rows: (n, width), row-major, as many as `rows` holds.
pub(crate) fn rows_from_samples<T: Real>(panels: &[[T; PANEL]], width: usize, rows: &mut [T]) {
    for (rows, panel) in rows.chunks_mut(PANEL * width).zip(panels.chunks_exact(width)) {
        for (s, row) in rows.chunks_exact_mut(width).enumerate() {
            for (value, feature) in row.iter_mut().zip(panel) {
                *value = feature[s];
            }
        }
    }
}

/// Sample panels -> feature panels.
pub(crate) fn features_from_samples<T: SimdReal>(
    samples: &[[T; PANEL]],
    width: usize,
    features: &mut [[T; PANEL]],
) {
    let zeros = [T::zero(); PANEL];
    let n = PANEL * (samples.len() / width);
    let panels = features[..n * width.div_ceil(PANEL)].chunks_exact_mut(n).enumerate();
    vectorised!({
        for (p, panel) in panels {
            for (of_samples, block) in samples.chunks_exact(width).zip(panel.as_chunks_mut::<PANEL>().0) {
                let mut part = [&zeros; PANEL];
                for (row, values) in part.iter_mut().zip(&of_samples[p * PANEL..]) {
                    *row = values;
                }
                T::transpose(part, block);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_to_its_place() {
        for width in [1, 3, 16, 17, 35, 64] {
            let n = 48;
            let rows: Vec<f32> = (0..n * width).map(|i| i as f32 + 1.0).collect();
            let at = |sample: usize, feature: usize| rows[sample * width + feature];
            let mut samples = vec![[-1.0; PANEL]; n / PANEL * width];
            samples_from_rows(&rows, width, &mut samples);
            for (i, panel) in samples.iter().enumerate() {
                for (s, &value) in panel.iter().enumerate() {
                    assert_eq!(value, at(i / width * PANEL + s, i % width), "{width} features");
                }
            }
            let mut features = vec![[-1.0; PANEL]; width.div_ceil(PANEL) * n];
            features_from_samples(&samples, width, &mut features);
            for (i, panel) in features.iter().enumerate() {
                for (f, &value) in panel.iter().enumerate() {
                    let feature = i / n * PANEL + f;
                    let expected = if feature < width { at(i % n, feature) } else { 0.0 };
                    assert_eq!(value, expected, "{width} features");
                }
            }
            let mut back = vec![0.0; 41 * width];
            rows_from_samples(&samples, width, &mut back);
            assert_eq!(back, rows[..41 * width]);
        }
    }
}
