//! Small models with every encoding, activation and kind of picture, and what their exports must compute.

use afterimage::backend::Predict;
use afterimage::backend::cpu::CpuPredictor;
use afterimage::block_on;
use afterimage::export::{Precision, Program};
use afterimage::model::{
    Activation, Coords, Encoding, EncodingSpec, GridSpec, HashGrid, Init, Interpolation, Mlp, Model,
};
use afterimage::model_file::ModelFile;
use afterimage::names::Named;
use afterimage::picture::{Curve, Depth, Transfer};
use afterimage::render::{Samples, Size, View};
use std::collections::BTreeMap;

/// A model with a name that says what is in it.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) model: ModelFile,
}

/// Pixels computed: neither the trained ones nor multiples of them.
pub(crate) const SIZE: Size = Size { width: 47, height: 31 };

/// What a colour may be off. A product of depth K is at most K eps sum|a||b| off: 6e-8 x 40 x at most 4 = 1e-5 for a
/// layer, and 3 layers of gain 1 to 3 add up to 5e-5 on either side.
pub(crate) const TOLERANCE: f32 = 1e-4;

/// Whose gain is about 1, where their usual parameters are made for other weights.
fn mild(activation: Activation) -> Activation {
    match activation {
        Activation::Sine { .. } => Activation::Sine { w0: 1.5 },
        Activation::Finer { .. } => Activation::Finer { w0: 1.0 },
        other => other,
    }
}

pub(crate) fn model(encoding: Encoding, activation: Activation, channels: usize) -> ModelFile {
    let network = Mlp {
        input_width: encoding.output_width(),
        hidden_width: 10,
        output_width: channels,
        n_layers: 3,
        activation: mild(activation),
        output_activation: Activation::Sigmoid,
    };
    let model = Model { encoding, network };
    let mut params = Init::HeNormal.draw(&model, 7);
    let layout = model.layout();
    // Entries of grids are drawn so small that they would not show.
    params[layout.encoding.clone()]
        .iter_mut()
        .enumerate()
        .for_each(|(i, v)| *v = ((i * 377 % 211) as f32 / 105.0 - 1.0) * 0.8);
    for (n, layer) in layout.layers.iter().enumerate() {
        params[layer.bias.clone()].iter_mut().enumerate().for_each(|(i, v)| *v = 0.1 * (i + n) as f32 - 0.2);
    }
    ModelFile {
        model,
        params,
        coords: Coords::Center,
        width: 30,
        height: 20,
        depth: Depth::U8,
        transfer: Transfer::IDENTITY,
        metadata: BTreeMap::new(),
    }
}

pub(crate) fn fourier() -> Encoding {
    Encoding::new(EncodingSpec::Gaussian { features: 6, sigma: 3.0 }, 5)
}

/// Of three levels, the last of them hashed.
pub(crate) fn grid(features_per_level: usize, interpolation: Interpolation) -> Encoding {
    let (log2_table, base_resolution, growth) = (Some(7), 5, 1.7);
    let spec =
        GridSpec { n_levels: 3, features_per_level, log2_table, base_resolution, growth, interpolation };
    Encoding::Grid(HashGrid::new(spec))
}

fn encodings() -> Vec<(String, Encoding)> {
    let of = |name: &str, spec| (name.to_owned(), Encoding::new(spec, 3));
    let mut all = vec![
        of("none", EncodingSpec::None),
        of("basic", EncodingSpec::Basic),
        of("positional", EncodingSpec::Positional { features: 7, sigma: 4.0 }),
        of("octaves", EncodingSpec::Octaves { octaves: 3 }),
        of("triangle-wave", EncodingSpec::TriangleWave { octaves: 5 }),
        of("one-blob", EncodingSpec::OneBlob { bins: 6 }),
    ];
    for (features, interpolation) in [
        (1, Interpolation::Linear),
        (2, Interpolation::Smoothstep),
        (4, Interpolation::Linear),
        (8, Interpolation::Smoothstep),
    ] {
        all.push((format!("grid-{features}"), grid(features, interpolation)));
    }
    let parts = vec![all[0].1.clone(), all[5].1.clone(), grid(2, Interpolation::Linear), fourier()];
    all.push(("side-by-side".to_owned(), Encoding::side_by_side(parts)));
    all
}

/// All of them.
pub(crate) fn samples() -> Vec<Sample> {
    let sample = |name: String, model| Sample { name, model };
    let mut all: Vec<Sample> = Vec::new();
    for &activation in Activation::ALL {
        all.push(sample(format!("activation-{}", activation.name()), model(fourier(), activation, 3)));
    }
    for (name, encoding) in encodings() {
        all.push(sample(
            format!("encoding-{name}"),
            model(encoding, Activation::LeakyRelu { slope: 0.1 }, 3),
        ));
    }
    for channels in [1, 2, 4] {
        let corner = ModelFile { coords: Coords::Corner, ..model(fourier(), Activation::Relu, channels) };
        all.push(sample(format!("channels-{channels}"), corner));
    }
    for (curve, channels) in [(Curve::Linear, 3), (Curve::Log, 4), (Curve::Log, 1)] {
        let mut hdr = model(fourier(), Activation::Silu, channels);
        (hdr.depth, hdr.transfer) = (Depth::F32, Transfer { scale: 4.0, curve });
        hdr.model.network.output_activation = Activation::Identity;
        all.push(sample(format!("hdr-{}-{channels}", curve.name()), hdr));
    }
    all
}

/// The program of a sample, and its colours in f64 after the same rounding: (pixels, channels).
pub(crate) fn expected(sample: &Sample, precision: Precision, size: Size) -> (Program, Vec<f32>) {
    let model = sample.model.clone().frozen();
    let program = Program::new(&model, &sample.name, precision).expect("a program");
    let points = model.grid(&View::new(size, None, Samples::PerSide(1)).expect("a view")).points;
    let params = program.rounded_params();
    let mut predictor = CpuPredictor::<f64>::new(model.model.clone(), &params, 1).expect("a predictor");
    let mut colors = vec![0.0; points.n_pixels() as usize * model.channels()];
    block_on(predictor.predict(&points, 0, &mut colors)).expect("predicted");
    model.transfer.decode_pixels(&mut colors, model.channels());
    if model.depth != Depth::F32 {
        colors.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
    }
    (program, colors)
}

/// Points of `size` from (0, 0) to (1, 1).
pub(crate) fn uvs(size: Size) -> Vec<[f32; 2]> {
    let at = |i: u32, n: u32| ((f64::from(i) + 0.5) / f64::from(n)) as f32;
    (0..size.height)
        .flat_map(|y| (0..size.width).map(move |x| [at(x, size.width), at(y, size.height)]))
        .collect()
}

/// The largest difference, relative to the largest colour above 1.
pub(crate) fn worst(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let peak = expected.iter().fold(1.0_f32, |peak, v| peak.max(v.abs()));
    let difference = |(a, b): (&f32, &f32)| if a.is_finite() { (a - b).abs() } else { f32::INFINITY };
    found.iter().zip(expected).map(difference).fold(0.0, f32::max) / peak
}
