//! Weights as integers: for each layer the precision at which squared error and bits together cost least.

use super::coder::MAX_INTEGER;
use super::defaults::{self, at_point};
use super::fixed::{FixedLayer, POINT};
use super::format::bits_of;
use super::shape::{CONTEXT_LAYERS, N_LAYERS};
use super::train::Trainer;

/// Fewest bits behind the point that are tried.
const MIN_POINT: u32 = 3;

/// Rounds all weights of the trainer, layer after layer, and returns them as integers.
pub(super) fn quantise(trainer: &mut Trainer<f32>, lambda: f64, max_point: u32) -> Vec<FixedLayer> {
    let (places, sizes) = (trainer.shape.places(), trainer.shape.layers());
    let mut layers = vec![FixedLayer::default(); N_LAYERS];
    for n in 0..N_LAYERS {
        let (begin, middle) = (places[n].start, places[n].start + sizes[n].n_weights());
        let layer = &mut layers[n];
        let weights = best(trainer, lambda, n, begin..middle, max_point);
        (layer.weight_point, layer.weights) = weights;
        let biases = best(trainer, lambda, n, middle..places[n].end, POINT.min(max_point));
        (layer.bias_point, layer.biases) = biases;
    }
    layers
}

/// Rounds some weights of a layer at the best precision, which is returned with the integers.
fn best(
    trainer: &mut Trainer<f32>,
    lambda: f64,
    layer: usize,
    place: std::ops::Range<usize>,
    max_point: u32,
) -> (u32, Vec<i32>) {
    let exact = trainer.weights[place.clone()].to_vec();
    let usual = defaults::weights(&trainer.shape)[place.clone()].to_vec();
    let difference = |integers: &[i32], point: u32| -> Vec<i32> {
        integers.iter().zip(&usual).map(|(integer, &usual)| integer - at_point(usual, point)).collect()
    };
    let mut found: Option<(f64, u32, Vec<i32>)> = None;
    if exact.is_empty() {
        return (0, Vec::new());
    }
    // As they were before training, which takes no bytes; then from fine to coarse: once it costs more twice, it goes on so.
    let (mut worse, mut last) = (0, f64::INFINITY);
    for (point, unchanged) in
        std::iter::once((max_point, true)).chain((MIN_POINT..=max_point).rev().map(|point| (point, false)))
    {
        let unit = f64::from(1_u32 << point);
        let integers: Vec<i32> = match unchanged {
            true => usual.iter().map(|&weight| at_point(weight, point)).collect(),
            false => exact.iter().map(|&w| (f64::from(w) * unit).round() as i32).collect(),
        };
        let differences = difference(&integers, point);
        if differences.iter().any(|n| n.abs() > MAX_INTEGER) {
            continue;
        }
        for (weight, &integer) in trainer.weights[place.clone()].iter_mut().zip(&integers) {
            *weight = (f64::from(integer) / unit) as f32;
        }
        let effect =
            if CONTEXT_LAYERS.contains(&layer) { lambda * trainer.bits(0.0) } else { trainer.error() };
        let cost = effect + lambda * bits_of(&differences);
        if found.as_ref().is_none_or(|(least, ..)| cost < *least) {
            found = Some((cost, point, integers));
            worse = 0;
        } else if cost > last {
            worse += 1;
        }
        if worse == 2 {
            break;
        }
        last = cost;
    }
    let (_, point, integers) = found.expect("weights as they were take no bytes");
    for (weight, &integer) in trainer.weights[place].iter_mut().zip(&integers) {
        *weight = integer as f32 / (1_u32 << point) as f32;
    }
    (point, integers)
}
