//! Input encodings: positions to features.

use super::grid;
use super::panels::{PANEL, columns_from_rows, rows_from_samples};
use super::simd::{SimdReal, vectorised};
use crate::model::encoding::parts::copy_columns;
use crate::model::{Encoding, Real};

fn fourier<B: Copy, T: Real>(b: &[B], read: impl Fn(B) -> [T; 2], coords: &[T], features: &mut [T]) {
    let m = b.len();
    // Separate slices of equal length, or the loop is not vectorised.
    let (bx, by): (Vec<T>, Vec<T>) = b.iter().map(|&b| read(b).into()).unzip();
    vectorised!({
        for (c, row) in coords.as_chunks().0.iter().zip(features.chunks_exact_mut(2 * m)) {
            let (sines, cosines) = row.split_at_mut(m);
            fourier_row(*c, [&bx, &by], sines, cosines);
        }
    });
}

#[inline(always)]
fn fourier_row<T: Real>(c: [T; 2], [bx, by]: [&[T]; 2], sines: &mut [T], cosines: &mut [T]) {
    let m = sines.len();
    let (bx, by, cosines) = (&bx[..m], &by[..m], &mut cosines[..m]);
    for k in 0..m {
        (sines[k], cosines[k]) = (c[0] * bx[k] + c[1] * by[k]).sin_cos_turns();
    }
}

/// Features per sample in the rows of [`encode_panels`].
pub(super) fn row_width(encoding: &Encoding) -> usize {
    let width = |part: &Encoding| match part {
        Encoding::Fourier { .. } | Encoding::TrainedFourier { .. } | Encoding::Grid(_) => 0,
        through_rows => through_rows.output_width(),
    };
    encoding.parts().iter().map(width).max().unwrap_or(0)
}

/// coords: (n, 2), n a multiple of 16 -> sample panels of `encoding.output_width()` features. Encodings without a
/// loop over panels go through `rows`, (n, [`row_width`]).
pub(super) fn encode_panels<T: SimdReal>(
    encoding: &Encoding,
    params: &[T],
    coords: &[T],
    rows: &mut [T],
    panels: &mut [[T; PANEL]],
) {
    let width = encoding.output_width();
    // Only one part has weights.
    for (part, columns) in encoding.placed() {
        let panels = (&mut *panels, width, columns.start);
        match part {
            Encoding::Fourier { frequencies } => {
                fourier_panels(frequencies, |b| b.map(T::from_f32), coords, panels)
            }
            Encoding::TrainedFourier { .. } => fourier_panels(params.as_chunks().0, |b| b, coords, panels),
            Encoding::Grid(grid) => grid::encode_panels(grid, params, coords, panels),
            _ => {
                let rows = &mut rows[..coords.len() / 2 * columns.len()];
                encode(part, params, coords, rows);
                columns_from_rows(rows, columns.len(), panels);
            }
        }
    }
}

fn fourier_panels<B: Copy, T: SimdReal>(
    b: &[B],
    read: impl Fn(B) -> [T; 2],
    coords: &[T],
    (panels, panel_width, column): (&mut [[T; PANEL]], usize, usize),
) {
    vectorised!({
        let coords = coords.as_chunks::<2>().0.as_chunks::<PANEL>().0;
        for (coords, panel) in coords.iter().zip(panels.chunks_exact_mut(panel_width)) {
            let (mut x, mut y) = ([T::zero(); PANEL], [T::zero(); PANEL]);
            for (s, c) in coords.iter().enumerate() {
                [x[s], y[s]] = *c;
            }
            let (sines, cosines) = panel[column..column + 2 * b.len()].split_at_mut(b.len());
            for ((&b, sines), cosines) in b.iter().zip(sines).zip(cosines) {
                let [bx, by] = read(b);
                for s in 0..PANEL {
                    (sines[s], cosines[s]) = (x[s] * bx + y[s] * by).sin_cos_turns();
                }
            }
        }
    });
}

/// Adds to `grads` the gradient of the frequencies from `first` on. params: B (m, 2), coords: (n, 2), dl_dfeatures:
/// features `column..column + 2m` of sample panels of `panel_width` features, grads: (frequencies, 2).
pub(super) fn fourier_backward_panels<T: Real>(
    (params, first): (&[T], usize),
    coords: &[T],
    (dl_dfeatures, panel_width, column): (&[[T; PANEL]], usize, usize),
    grads: &mut [[T; 2]],
) {
    let (m, k) = (params.len() / 2, grads.len());
    let own = &params[2 * first..2 * (first + k)];
    let (mut features, mut rows) = (vec![[T::zero(); PANEL]; 2 * k], vec![T::zero(); PANEL * 2 * k]);
    for (coords, panel) in coords.chunks(2 * PANEL).zip(dl_dfeatures.chunks_exact(panel_width)) {
        let sines = column + first;
        features[..k].copy_from_slice(&panel[sines..sines + k]);
        features[k..].copy_from_slice(&panel[sines + m..sines + m + k]);
        let rows = &mut rows[..coords.len() * k];
        rows_from_samples(&features, 2 * k, rows);
        fourier_backward(own, coords, rows, grads);
    }
}

/// Adds to `grads` the gradient of the frequencies B: with t = B c, dl_dB is 2 pi (cos(2 pi t) dl_dsine - sin(2 pi t)
/// dl_dcosine) c. params: B (m, 2), coords: (n, 2), dl_dfeatures: (n, 2m), grads: (m, 2).
pub(crate) fn fourier_backward<T: Real>(
    params: &[T],
    coords: &[T],
    dl_dfeatures: &[T],
    grads: &mut [[T; 2]],
) {
    let m = grads.len();
    let b = &params.as_chunks::<2>().0[..m];
    let two_pi = T::of(2.0 * std::f64::consts::PI);
    vectorised!({
        for (c, row) in coords.as_chunks::<2>().0.iter().zip(dl_dfeatures.chunks_exact(2 * m)) {
            let (dl_dsines, dl_dcosines) = row.split_at(m);
            let rows = b.iter().zip(dl_dsines).zip(dl_dcosines).zip(&mut *grads);
            for (((b, &dl_dsine), &dl_dcosine), grad) in rows {
                let (sine, cosine) = (c[0] * b[0] + c[1] * b[1]).sin_cos_turns();
                let dl_dturns = two_pi * (cosine * dl_dsine - sine * dl_dcosine);
                grad[0] += dl_dturns * c[0];
                grad[1] += dl_dturns * c[1];
            }
        }
    });
}

/// coords: (n, 2) -> features: (n, encoding.output_width()), both row-major. `params` are the encoding's own weights.
pub fn encode<T: Real>(encoding: &Encoding, params: &[T], coords: &[T], features: &mut [T]) {
    match encoding {
        Encoding::Grid(grid) => grid::encode(grid, params, coords, features),
        Encoding::Pointwise(pointwise) => vectorised!({
            let rows = features.chunks_exact_mut(pointwise.formula().output_width());
            for (&c, features) in coords.as_chunks().0.iter().zip(rows) {
                pointwise.encode(c, features);
            }
        }),
        Encoding::Fourier { frequencies } => fourier(frequencies, |b| b.map(T::from_f32), coords, features),
        Encoding::TrainedFourier { .. } => fourier(params.as_chunks().0, |b| b, coords, features),
        Encoding::Composite(_) => {
            let (n_rows, width) = (coords.len() / 2, encoding.output_width());
            for (part, columns) in encoding.placed() {
                let mut own = vec![T::zero(); n_rows * columns.len()];
                // Only one part has weights.
                encode(part, params, coords, &mut own);
                let from = (own.as_slice(), columns.len(), 0..columns.len());
                copy_columns(from, (features, width, columns.start));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::panels::samples_from_rows;
    use crate::model::{EncodingSpec, Interpolation};

    #[test]
    fn panels_have_the_same_bits_as_rows() {
        let coords: Vec<f32> = (0..2 * 3 * PANEL).map(|i| (i as f32 * 0.618).fract()).collect();
        let grid = EncodingSpec::HashGrid {
            levels: 3,
            features_per_level: 2,
            log2_table: 7,
            base_resolution: 8,
            growth: 2.0,
            interpolation: Interpolation::Linear,
        };
        let specs = [
            grid,
            EncodingSpec::None,
            EncodingSpec::Gaussian { features: 37, sigma: 10.0 },
            EncodingSpec::OneBlob { bins: 9 },
        ];
        let trained = Encoding::TrainedFourier { initial: vec![[0.0, 0.0]; 5] };
        let mut encodings: Vec<_> =
            specs.map(|spec| Encoding::new(spec, 3)).into_iter().chain([trained]).collect();
        encodings.push(Encoding::side_by_side(encodings[..4].iter().rev().cloned().collect()));
        for encoding in encodings {
            let params: Vec<f32> = (0..encoding.n_params()).map(|i| (i as f32 * 0.37).sin()).collect();
            let width = encoding.output_width();
            let mut rows = vec![0.0; 3 * PANEL * width];
            encode(&encoding, &params, &coords, &mut rows);
            let mut expected = vec![[0.0; PANEL]; 3 * width];
            samples_from_rows(&rows, width, &mut expected);
            // Larger than needed, as in the last chunk of a step.
            let mut panels = vec![[f32::NAN; PANEL]; 20 * width];
            encode_panels(&encoding, &params, &coords, &mut rows, &mut panels);
            assert_eq!(panels[..3 * width], expected, "{encoding:?}");
            assert!(panels[3 * width..].as_flattened().iter().all(|v| v.is_nan()), "{encoding:?}");
        }
    }
}
