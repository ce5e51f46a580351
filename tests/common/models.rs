//! Small models made by hand.

use afterimage::model::{Activation, Coords, Encoding, EncodingSpec, Init, Mlp, Model};
use afterimage::model_file::ModelFile;
use afterimage::picture::{Depth, Transfer};
use std::collections::BTreeMap;

/// An untrained model of 30x20 pixels that gives different colours everywhere: values around the
/// middle of [0, 1], or up to about 5 for HDR.
pub(crate) fn model(channels: usize, depth: Depth) -> ModelFile {
    let encoding = Encoding::new(EncodingSpec::Gaussian { features: 12, sigma: 4.0 }, 5);
    let hdr = depth == Depth::F32;
    let network = Mlp {
        input_width: encoding.output_width(),
        hidden_width: 24,
        output_width: channels,
        n_layers: 3,
        activation: Activation::Relu,
        output_activation: if hdr { Activation::Identity } else { Activation::Sigmoid },
    };
    let model = Model { encoding, network };
    let mut params = Init::HeNormal.draw(&model, 7);
    if hdr {
        // Light is not negative: the last biases lift it.
        let bias = model.layout().layers[2].bias.clone();
        params[bias].fill(2.5);
    }
    ModelFile {
        model,
        params,
        coords: Coords::Center,
        width: 30,
        height: 20,
        depth,
        transfer: Transfer::IDENTITY,
        metadata: BTreeMap::new(),
    }
}
