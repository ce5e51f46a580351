//! The CPU's operations by themselves: `cargo bench`. One thread, a chunk of 256 samples, the shapes of the
//! network that `afterimage bench` calls "seed".

use afterimage::backend::cpu::panels::PANEL;
use afterimage::backend::cpu::product::{Multiply, WeightGradient, tile_and_sum};
use afterimage::backend::cpu::{CHUNK_SIZE, activate, encode, optimizer};
use afterimage::model::{Activation, Encoding, EncodingSpec, Interpolation, LayerShape, Optimizer};
use divan::{Bencher, black_box, counter::ItemsCount};

fn main() {
    divan::main();
}

fn values(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.37).sin()).collect()
}

/// Positions in the unit square.
fn coords() -> Vec<f32> {
    (0..2 * CHUNK_SIZE).map(|i| (i as f32 * 0.618).fract()).collect()
}

const ENCODINGS: [&str; 4] = ["gaussian", "hash-grid", "one-blob", "octaves"];

fn encoding(name: &str) -> Encoding {
    let spec = match name {
        "gaussian" => EncodingSpec::Gaussian { features: 256, sigma: 10.0 },
        "one-blob" => EncodingSpec::OneBlob { bins: 64 },
        "octaves" => EncodingSpec::Octaves { octaves: 10 },
        _ => EncodingSpec::HashGrid {
            levels: 16,
            features_per_level: 2,
            log2_table: 15,
            base_resolution: 16,
            growth: 1.26,
            interpolation: Interpolation::Linear,
        },
    };
    Encoding::new(spec, 0)
}

#[divan::bench(args = ENCODINGS)]
fn encoding_forward(bencher: Bencher, name: &str) {
    let encoding = encoding(name);
    let (params, coords) = (values(encoding.n_params()), coords());
    let mut features = vec![0.0; CHUNK_SIZE * encoding.output_width()];
    bencher
        .counter(ItemsCount::new(CHUNK_SIZE))
        .bench_local(|| encode::encode(&encoding, &params, black_box(&coords), &mut features));
}

const SHAPES: [LayerShape; 3] = [
    LayerShape { input_width: 512, output_width: 256 },
    LayerShape { input_width: 256, output_width: 256 },
    LayerShape { input_width: 32, output_width: 64 },
];

/// Sample panels of `width` features, or feature panels of as many.
fn panels(width: usize) -> Vec<[f32; PANEL]> {
    values(CHUNK_SIZE * width).as_chunks().0.to_vec()
}

#[divan::bench(args = SHAPES)]
fn layer_forward(bencher: Bencher, shape: LayerShape) {
    let (i, o) = (shape.input_width, shape.output_width);
    let (x, weights, bias, mut z) = (panels(i), values(i * o), values(o), panels(o));
    let layer = Multiply { weights: &weights, bias: Some(&bias), rows: o, depth: i };
    bencher.counter(ItemsCount::new(CHUNK_SIZE)).bench_local(|| layer.run(black_box(&x), &mut z, |_, _| {}));
}

#[divan::bench(args = SHAPES)]
fn layer_back_to_inputs(bencher: Bencher, shape: LayerShape) {
    let (i, o) = (shape.input_width, shape.output_width);
    let (dl_dz, weights, mut dl_dx) = (panels(o), values(i * o), panels(i));
    let layer = Multiply { weights: &weights, bias: None, rows: i, depth: o };
    bencher
        .counter(ItemsCount::new(CHUNK_SIZE))
        .bench_local(|| layer.run(black_box(&dl_dz), &mut dl_dx, |_, _| {}));
}

#[divan::bench(args = SHAPES)]
fn layer_back_to_weights(bencher: Bencher, shape: LayerShape) {
    let (i, o) = (shape.input_width, shape.output_width);
    let (x, dl_dz, mut tiles) = (panels(i), panels(o), panels(o));
    let (mut dl_dw, mut dl_db) = (vec![0.0; i * o], vec![0.0; o]);
    bencher.counter(ItemsCount::new(CHUNK_SIZE)).bench_local(|| {
        tile_and_sum(black_box(&dl_dz), &mut tiles, &mut dl_db);
        WeightGradient { dl_dz: &tiles, x: &x, input_width: i, output_width: o, out: &mut dl_dw }.add();
    });
}

const ACTIVATIONS: [Activation; 4] = [
    Activation::Relu,
    Activation::Gelu,
    Activation::Sine { w0: 30.0 },
    Activation::Gabor { w0: 2.0, scale: 1.0 },
];

#[divan::bench(args = ACTIVATIONS)]
fn activation(bencher: Bencher, activation: Activation) {
    let n = CHUNK_SIZE * 256;
    let (mut z, mut a) = (values(n), vec![0.0; n]);
    bencher
        .counter(ItemsCount::new(n))
        .bench_local(|| activate::activate_keeping_derivative(activation, black_box(&mut z), &mut a));
}

#[divan::bench]
fn adam(bencher: Bencher) {
    let n = 1 << 16;
    let adam = Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 };
    let (grads, mut params) = (values(n), values(n));
    let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
    bencher.counter(ItemsCount::new(n)).bench_local(|| {
        let moments = &mut [m.as_mut_slice(), v.as_mut_slice()];
        optimizer::update(adam, 10, 1e-3, black_box(&grads), &mut params, moments);
    });
}
