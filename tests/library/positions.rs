//! Colours at any positions, and their derivatives by position against central differences, in f64.
//!
//! The three-point rule with h = 1e-6: its truncation error is about h^2 f''' / 6, which for waves of a few cycles stays
//! below 1e-8, and rounding adds 1e-16 / h. A step across a kink of a ReLU or a cell of a grid would spoil a difference by
//! far more than the bound; with the fixed positions here none does.

use afterimage::backend::Predict;
use afterimage::backend::cpu::{CpuDerivative, CpuPredictor};
use afterimage::block_on;
use afterimage::model::{
    Activation, Coords, Encoding, EncodingSpec, Init, Interpolation, Mlp, Model, Raster,
};

const H: f64 = 1e-6;
const BOUND: f64 = 1e-6;

fn encodings() -> Vec<Encoding> {
    let grid = |log2_table, interpolation| EncodingSpec::HashGrid {
        levels: 3,
        features_per_level: 2,
        log2_table,
        base_resolution: 3,
        growth: 1.6,
        interpolation,
    };
    let specs = [
        EncodingSpec::None,
        EncodingSpec::Gaussian { features: 5, sigma: 1.5 },
        EncodingSpec::Octaves { octaves: 2 },
        EncodingSpec::TriangleWave { octaves: 3 },
        EncodingSpec::OneBlob { bins: 4 },
        grid(5, Interpolation::Linear),
        grid(20, Interpolation::Smoothstep),
    ];
    let mut all: Vec<_> = specs.map(|spec| Encoding::new(spec, 3)).into();
    all.push(all[1].clone().with_trained_frequencies());
    all.push(Encoding::side_by_side(vec![all[0].clone(), all[1].clone(), all[4].clone(), all[6].clone()]));
    all
}

/// A network of 3 channels with weights that make every part of it matter.
fn network(encoding: Encoding, activations: [Activation; 2]) -> (Model, Vec<f32>) {
    let network = Mlp::new([encoding.output_width(), 11, 3], 3, activations);
    let model = Model { encoding, network };
    let mut params = Init::Torch.draw(&model, 5);
    // Those of a grid are drawn too small to show.
    for (i, param) in params[..model.encoding.n_params()].iter_mut().enumerate() {
        *param += 0.1 * ((i * 37 % 19) as f32 - 9.0);
    }
    (model, params)
}

fn coords() -> Vec<[f64; 2]> {
    (0..300)
        .map(|i| [(0.137 + 0.618_034 * f64::from(i)) % 1.0, (0.291 + 0.414_214 * f64::from(i)) % 1.0])
        .collect()
}

fn check((model, params): (Model, Vec<f32>)) {
    let name = format!("{:?} {:?}", model.encoding, model.network);
    let network = CpuDerivative::new(model, &params, 2).expect("a network");
    let of = |coords: &[[f64; 2]]| {
        let n = 3 * coords.len();
        let (mut values, mut by) = (vec![0.0; n], vec![[0.0; 2]; n]);
        network.at(coords, &mut values, &mut by);
        (values, by)
    };
    let coords = coords();
    let (_, by) = of(&coords);
    let mut largest = 0.0_f64;
    for axis in 0..2 {
        let moved = |by: f64| {
            let moved =
                coords.iter().map(|c| std::array::from_fn(|a| c[a] + if a == axis { by } else { 0.0 }));
            of(&moved.collect::<Vec<_>>()).0
        };
        let (after, before) = (moved(H), moved(-H));
        for (i, by) in by.iter().enumerate() {
            let expected = (after[i] - before[i]) / (2.0 * H);
            let allowed = BOUND * (1.0 + expected.abs());
            assert!(
                (by[axis] - expected).abs() < allowed,
                "{name}, value {i}, axis {axis}: {by:?}, not {expected}"
            );
            largest = largest.max(expected.abs());
        }
    }
    assert!(largest > 0.01, "{name} is flat");
}

#[test]
fn derivatives_by_position_are_those_of_finite_differences() {
    for encoding in encodings() {
        check(network(encoding, [Activation::Silu, Activation::Sigmoid]));
    }
    for &activation in Activation::ALL {
        let encoding = Encoding::new(EncodingSpec::Gaussian { features: 5, sigma: 1.0 }, 1);
        // Their usual factor of 30 is for other weights.
        let activation = activation.kind().with(|name| (name == "w0").then_some(2.0));
        check(network(encoding, [activation, Activation::Identity]));
    }
}

/// Each value is one of the network's in f64, so it differs from that in f32 by rounding alone: a few hundred products
/// of numbers near 1, 1e-7 each.
#[test]
fn positions_have_the_colours_of_pixels_there() {
    let raster = Raster::new(37, 23, Coords::Center);
    for encoding in encodings() {
        let (model, params) = network(encoding, [Activation::Relu, Activation::Sigmoid]);
        let n = raster.n_pixels();
        let coords: Vec<_> = (0..n).map(|pixel| raster.position_of(pixel)).collect();
        let mut pixels = vec![0.0_f32; 3 * n as usize];
        let mut predictor = CpuPredictor::<f32>::new(model.clone(), &params, 2).expect("a network");
        block_on(predictor.predict(&raster, 0, &mut pixels)).expect("predicted");
        let mut points = vec![0.0; pixels.len()];
        predictor.predict_at(&coords, &mut points);
        assert!(pixels.iter().zip(&points).all(|(a, b)| a.to_bits() == b.to_bits()), "{:?}", model.encoding);
        let (mut exact, mut by) = (vec![0.0; pixels.len()], vec![[0.0; 2]; pixels.len()]);
        let wide: Vec<_> = coords.iter().map(|c| c.map(f64::from)).collect();
        CpuDerivative::new(model.clone(), &params, 1).expect("a network").at(&wide, &mut exact, &mut by);
        let far = pixels.iter().zip(&exact).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(far < 1e-4, "{:?}: {far}", model.encoding);
    }
}
