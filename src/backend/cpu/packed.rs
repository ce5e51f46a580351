//! All weight matrices in the order that products read them in, packed once a step.

use super::product::{Multiply, pack, tile_height};
use super::simd::SimdReal;
use crate::model::ParamLayout;
use crate::model::network::LayerRange;
use rayon::prelude::*;

/// Weights from which other threads are woken for.
const PARALLEL: usize = 1 << 16;

/// Which products the weights are packed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uses {
    /// Forward.
    Prediction,
    /// Forward, and back to the inputs of every layer but the first, whose only an encoding with weights asks for.
    Training,
}

/// W and W^T of each linear layer, packed.
pub(super) struct Packed<T> {
    /// One after the other, without biases: forward, then back.
    weights: Vec<T>,
    uses: Uses,
    /// Whether they are those of the parameters as they are now.
    current: bool,
}

/// One layer's.
#[derive(Clone, Copy)]
pub(super) struct PackedLayer<'a, T> {
    forward: &'a [T],
    /// Empty where it has no use.
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

/// Whether the weights of layer `l` are packed for the way back.
fn goes_back(uses: Uses, layout: &ParamLayout, l: usize) -> bool {
    uses == Uses::Training && (l > 0 || !layout.encoding.is_empty())
}

impl<T: SimdReal> Packed<T> {
    pub(super) fn new(layout: &ParamLayout, uses: Uses) -> Self {
        Self { weights: vec![T::zero(); Self::size(layout, uses)], uses, current: false }
    }

    /// Values that [`Packed::new`] allocates.
    pub(super) fn size(layout: &ParamLayout, uses: Uses) -> usize {
        let times = |l: usize| 1 + usize::from(goes_back(uses, layout, l));
        layout.layers.iter().enumerate().map(|(l, layer)| times(l) * layer.weight.len()).sum()
    }

    /// The parameters have changed.
    pub(super) fn forget(&mut self) {
        self.current = false;
    }

    /// The matrices for `params`, one for each layer in order.
    pub(super) fn of<'a>(
        &'a mut self,
        layout: &ParamLayout,
        params: &'a [T],
        pool: &rayon::ThreadPool,
    ) -> Vec<PackedLayer<'a, T>> {
        let parts = split(layout, self.uses, &mut self.weights);
        if !self.current {
            let height = tile_height::<T>();
            let pack = |(layer, [forward, back]): (&LayerRange, [&mut [T]; 2])| {
                let (i, o) = (layer.shape.input_width, layer.shape.output_width);
                let w = &params[layer.weight.clone()];
                pack((o, i), height, |row, k| w[row * i + k], forward);
                if !back.is_empty() {
                    pack((i, o), height, |row, k| w[k * i + row], back);
                }
            };
            let layers = layout.layers.iter().zip(parts);
            if layout.layers.iter().map(|layer| layer.weight.len()).sum::<usize>() < PARALLEL {
                layers.for_each(pack);
            } else {
                let layers: Vec<_> = layers.collect();
                pool.install(|| layers.into_par_iter().for_each(pack));
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

/// What each layer has of `weights`, forward and back.
fn split<'a, T>(layout: &ParamLayout, uses: Uses, mut weights: &'a mut [T]) -> Vec<[&'a mut [T]; 2]> {
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
