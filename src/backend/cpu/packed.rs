//! All weight matrices in the order in which products read them, packed once per step.

use super::product::{Multiply, pack, tile_height};
use super::simd::SimdReal;
use crate::model::ParamLayout;
use crate::model::network::LayerRange;
use rayon::prelude::*;

/// Minimum number of weights for packing on several threads.
const PARALLEL: usize = 1 << 16;

/// Full tiles that one thread packs at a time.
const TILES: usize = 4;

/// Which products the weights are packed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PackFor {
    /// Forward.
    Prediction,
    /// Forward, and backward to the inputs of every layer; for the first layer only if the encoding has weights.
    Training,
}

/// W and W^T of each linear layer, packed.
pub(super) struct Packed<T> {
    /// Concatenated, without biases: forward, then backward.
    weights: Vec<T>,
    uses: PackFor,
    /// Whether they match the current parameters.
    current: bool,
}

/// The packed weights of one layer.
#[derive(Clone, Copy)]
pub(super) struct PackedLayer<'a, T> {
    forward: &'a [T],
    /// Empty if not needed.
    back: &'a [T],
    bias: &'a [T],
    input_width: usize,
}

impl<'a, T> PackedLayer<'a, T> {
    /// x -> z
    pub(super) fn forward(&self) -> Multiply<'a, T> {
        let (rows, depth) = (self.bias.len(), self.input_width);
        Multiply { weights: self.forward, bias: Some(self.bias), rows, depth }
    }

    /// dl_dz -> dl_dx
    pub(super) fn back(&self) -> Multiply<'a, T> {
        let (rows, depth) = (self.input_width, self.bias.len());
        Multiply { weights: self.back, bias: None, rows, depth }
    }
}

/// Whether the weights of layer `l` are packed for the backward pass.
fn goes_back(uses: PackFor, layout: &ParamLayout, l: usize) -> bool {
    uses == PackFor::Training && (l > 0 || !layout.encoding.is_empty())
}

impl<T: SimdReal> Packed<T> {
    pub(super) fn new(layout: &ParamLayout, uses: PackFor) -> Self {
        Self { weights: vec![T::zero(); Self::size(layout, uses)], uses, current: false }
    }

    /// Values that [`Packed::new`] allocates.
    pub(super) fn size(layout: &ParamLayout, uses: PackFor) -> usize {
        let times = |l: usize| 1 + usize::from(goes_back(uses, layout, l));
        layout.layers.iter().enumerate().map(|(l, layer)| times(l) * layer.weight.len()).sum()
    }

    /// Must be called when the parameters have changed.
    pub(super) fn invalidate(&mut self) {
        self.current = false;
    }

    /// The matrices for `params`, one for each layer in order. Runs on this thread if `pool` is `None`.
    pub(super) fn of<'a>(
        &'a mut self,
        layout: &ParamLayout,
        params: &'a [T],
        pool: Option<&rayon::ThreadPool>,
    ) -> Vec<PackedLayer<'a, T>> {
        let parts = split(layout, self.uses, &mut self.weights);
        if !self.current {
            let total: usize = layout.layers.iter().map(|layer| layer.weight.len()).sum();
            let pool = pool.filter(|_| total >= PARALLEL);
            for (layer, [forward, back]) in layout.layers.iter().zip(parts) {
                let (i, o) = (layer.shape.input_width, layer.shape.output_width);
                let w = &params[layer.weight.clone()];
                pack_on(pool, (o, i), |row, k| w[row * i + k], forward);
                pack_on(pool, (i, o), |row, k| w[k * i + row], back);
            }
            self.current = true;
        }
        let parts = split(layout, self.uses, &mut self.weights);
        let layer = |(layer, [forward, back]): (&LayerRange, [&'a mut [T]; 2])| PackedLayer {
            forward,
            back,
            bias: &params[layer.bias.clone()],
            input_width: layer.shape.input_width,
        };
        layout.layers.iter().zip(parts).map(layer).collect()
    }
}

/// The ranges of `weights` for each layer, forward and backward.
fn split<'a, T>(layout: &ParamLayout, uses: PackFor, mut weights: &'a mut [T]) -> Vec<[&'a mut [T]; 2]> {
    let mut take = |n: usize| {
        let (part, rest) = std::mem::take(&mut weights).split_at_mut(n);
        weights = rest;
        part
    };
    let layers = layout.layers.iter().enumerate();
    let sizes = layers.map(|(l, layer)| {
        let n = layer.weight.len();
        (n, n * usize::from(goes_back(uses, layout, l)))
    });
    sizes.map(|(forward, back)| [take(forward), take(back)]).collect()
}

/// [`pack`] on several threads, some tiles each; does nothing if `packed` is empty.
fn pack_on<T: SimdReal>(
    pool: Option<&rayon::ThreadPool>,
    (rows, depth): (usize, usize),
    at: impl Fn(usize, usize) -> T + Sync,
    packed: &mut [T],
) {
    let height = tile_height::<T>();
    match pool {
        _ if packed.is_empty() => {}
        None => pack((rows, depth), height, at, packed),
        Some(pool) => {
            let rows_at_a_time = TILES * height;
            let pack_part = |(part, packed): (usize, &mut [T])| {
                let at = |row, k| at(part * rows_at_a_time + row, k);
                pack((packed.len() / depth, depth), height, at, packed);
            };
            pool.install(|| packed.par_chunks_mut(rows_at_a_time * depth).enumerate().for_each(pack_part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::dense;
    use crate::backend::cpu::panels::{PANEL, rows_from_samples, samples_from_rows};
    use crate::model::{Activation, Mlp};

    /// The product of packed weights with 16 samples, as rows.
    fn multiplied(layer: &Multiply<f64>, x: &[f64]) -> Vec<f64> {
        let (mut panels, mut out) = (vec![[0.0; PANEL]; layer.depth], vec![[0.0; PANEL]; layer.rows]);
        samples_from_rows(x, layer.depth, &mut panels);
        layer.run(&panels, &mut out, |_, _| {});
        let mut rows = vec![0.0; PANEL * layer.rows];
        rows_from_samples(&out, layer.rows, &mut rows);
        rows
    }

    /// Two orders of a sum of up to 301 terms of at most 1: each is off by at most n u n, u = 2^-53 (Higham 2002,
    /// 3.4).
    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let bound = 2.0 * 301.0_f64.powi(2) * f64::EPSILON / 2.0;
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= bound, "{f}, not {e}");
        }
    }

    #[test]
    fn every_weight_comes_to_its_place_and_changes_are_seen() {
        // Some layers are packed by several threads, some by one.
        for hidden_width in [29, 300] {
            let network = Mlp::new([37, hidden_width, 3], 3, [Activation::Relu, Activation::Sigmoid]);
            let layout = ParamLayout::new(5, &network);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
            let mut packed = Packed::<f64>::new(&layout, PackFor::Training);
            for shift in [0.0, 0.5] {
                let params: Vec<f64> = (0..layout.n_params()).map(|p| (p as f64 + shift).sin()).collect();
                packed.invalidate();
                for (layer, own) in layout.layers.iter().zip(packed.of(&layout, &params, Some(&pool))) {
                    let (i, o) = (layer.shape.input_width, layer.shape.output_width);
                    let (w, b) = (&params[layer.weight.clone()], &params[layer.bias.clone()]);
                    let rows =
                        |width: usize| (0..PANEL * width).map(|p| (p as f64).cos()).collect::<Vec<_>>();
                    let (x, dl_dz) = (rows(i), rows(o));
                    let (mut z, mut dl_dx) = (vec![0.0; PANEL * o], vec![0.0; PANEL * i]);
                    dense::forward(layer.shape, &x, w, b, &mut z);
                    dense::backward_input(layer.shape, &dl_dz, w, &mut dl_dx);
                    assert_close(&multiplied(&own.forward(), &x), &z);
                    assert_close(&multiplied(&own.back(), &dl_dz), &dl_dx);
                }
            }
        }
    }
}
