//! The networks that every picture begins with. Files hold how theirs differ, which takes a fraction of the bytes.

use super::fixed::{FixedLayer, MAX_WEIGHT_POINT};
use super::shape::{N_LAYERS, Shape, TAPS_LAYER};

/// Weights in units of 2^-12, as little-endian i16, of [`Shape::of`] three channels in the order of [`Shape::layers`].
/// Part of the format: they were trained on nine crops of photographs, none of which is in a benchmark.
pub(crate) static WEIGHTS: &[u8] = include_bytes!("../../assets/compress/weights.bin");

/// The channel that stands for the only one of grey pictures.
const GREEN: usize = 1;

/// All weights in units of 2^-12, layer after layer, biases behind each.
pub(super) fn weights(shape: &Shape) -> Vec<i32> {
    let all: Vec<i32> = WEIGHTS.as_chunks().0.iter().map(|&w| i32::from(i16::from_le_bytes(w))).collect();
    let colour = Shape { channels: 3, ..*shape };
    assert_eq!(all.len(), colour.places()[N_LAYERS - 1].end, "weights of a network");
    if shape.channels == 3 {
        return all;
    }
    let mut weights = Vec::new();
    for (n, (layer, place)) in colour.layers().into_iter().zip(colour.places()).enumerate() {
        // Of the layers behind the colours, only what leads from green to green.
        let per_channel = |behind: usize, i: usize| {
            let (input, output) = (i / layer.outputs, i % layer.outputs);
            output == GREEN && (behind == 0 || input % 3 == GREEN)
        };
        let (own, biases) = all[place].split_at(layer.n_weights());
        match n {
            4..TAPS_LAYER => {
                let kept = own.iter().enumerate().filter(|&(i, _)| per_channel(n - 4, i));
                weights.extend(kept.map(|(_, &weight)| weight));
                weights.push(biases[GREEN]);
            }
            _ => weights.extend(own.iter().chain(biases)),
        }
    }
    weights
}

/// A weight in units of 2^-12 in those of 2^-point.
pub(super) fn at_point(weight: i32, point: u32) -> i32 {
    let shift = MAX_WEIGHT_POINT - point;
    (weight + ((1 << shift) >> 1)) >> shift
}

/// Adds the networks that every picture begins with to what is different in a picture's.
pub(super) fn add(shape: &Shape, layers: &mut [FixedLayer]) {
    combine(shape, layers, i32::wrapping_add);
}

/// Takes them away.
pub(super) fn subtract(shape: &Shape, layers: &mut [FixedLayer]) {
    combine(shape, layers, i32::wrapping_sub);
}

fn combine(shape: &Shape, layers: &mut [FixedLayer], operation: fn(i32, i32) -> i32) {
    let mut rest = weights(shape).into_iter();
    for layer in layers {
        let FixedLayer { weight_point, bias_point, weights, biases } = layer;
        let parts = [(*weight_point, weights), (*bias_point, biases)];
        for (point, numbers) in parts {
            for number in numbers {
                let weight = rest.next().expect("a weight for each of a layer's");
                *number = operation(*number, at_point(weight, point));
            }
        }
    }
}
