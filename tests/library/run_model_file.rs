//! Model files: round trips, and files that are damaged or hostile.

use afterimage::model::{Activation, Coords, Encoding, EncodingSpec, Init, Interpolation, Mlp, Model};
use afterimage::model_file::{ModelFile, ModelFileError};
use afterimage::picture::{Depth, Transfer};
use std::collections::BTreeMap;

fn model_file(spec: EncodingSpec, activation: Activation, output: Activation) -> ModelFile {
    file_of(Encoding::new(spec, 5), activation, output)
}

fn file_of(encoding: Encoding, activation: Activation, output: Activation) -> ModelFile {
    let network = Mlp {
        input_width: encoding.output_width(),
        hidden_width: 7,
        output_width: 3,
        n_layers: 3,
        activation,
        output_activation: output,
    };
    let model = Model { encoding, network };
    let params = Init::GlorotNormal.draw(&model, 9);
    let metadata = BTreeMap::from([("config".to_owned(), "[train]\nepochs = 1\n\u{3bc} \"".to_owned())]);
    ModelFile {
        model,
        params,
        coords: Coords::Corner,
        width: 31,
        height: 17,
        depth: Depth::U16,
        transfer: Transfer::IDENTITY,
        metadata,
    }
}

fn gaussian() -> ModelFile {
    let spec = EncodingSpec::Gaussian { features: 5, sigma: 3.0 };
    model_file(spec, Activation::Relu, Activation::Sigmoid)
}

/// Three levels: 5 x 5 vertices stored each, then 32 entries shared.
fn grid(interpolation: Interpolation) -> ModelFile {
    let spec = EncodingSpec::HashGrid {
        levels: 3,
        features_per_level: 2,
        log2_table: 5,
        base_resolution: 3,
        growth: 1.6,
        interpolation,
    };
    model_file(spec, Activation::Relu, Activation::Sigmoid)
}

/// The grid beside all others.
fn composite() -> ModelFile {
    let grid = grid(Interpolation::Linear).model.encoding;
    let specs = [EncodingSpec::None, EncodingSpec::Basic, EncodingSpec::OneBlob { bins: 9 }];
    let others = specs.map(|spec| Encoding::new(spec, 5));
    let encoding = Encoding::side_by_side([grid].into_iter().chain(others).collect());
    file_of(encoding, Activation::Relu, Activation::Sigmoid)
}

fn bytes_of(file: &ModelFile) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    file.save(&path).unwrap();
    std::fs::read(&path).unwrap()
}

fn load_bytes(bytes: &[u8]) -> Result<ModelFile, ModelFileError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    ModelFile::load(file.path())
}

/// A file with `header`, changed, before the tensors of `bytes`.
fn with_header(bytes: &[u8], change: impl Fn(String) -> String) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = change(String::from_utf8(bytes[8..8 + length].to_vec()).unwrap());
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.extend(&bytes[8 + length..]);
    out
}

#[test]
fn every_kind_of_model_comes_back() {
    let sine = Activation::Sine { w0: 30.1 };
    for file in [
        gaussian(),
        grid(Interpolation::Linear),
        grid(Interpolation::Smoothstep),
        composite(),
        model_file(EncodingSpec::OneBlob { bins: 9 }, sine, Activation::Sigmoid),
        model_file(EncodingSpec::TriangleWave { octaves: 4 }, sine, Activation::Sigmoid),
        model_file(EncodingSpec::Octaves { octaves: 3 }, sine, Activation::Sigmoid),
        model_file(EncodingSpec::None, sine, Activation::Identity),
        model_file(EncodingSpec::Basic, sine, Activation::Sine { w0: 2.5 }),
    ] {
        let bytes = bytes_of(&file);
        assert_eq!(load_bytes(&bytes).unwrap(), file);
        assert_eq!(bytes_of(&file), bytes, "equal models give equal bytes");
        assert!(safetensors::SafeTensors::deserialize(&bytes).is_ok());
    }
}

#[test]
fn encodings_that_cannot_stand_side_by_side_are_refused() {
    let bytes = bytes_of(&composite());
    let words = "grid position frequencies axes";
    for (other, part) in [
        ("grid position grid axes", "each may be there once"),
        ("grid position sines axes", "words from position, frequencies, axes and grid are needed"),
        ("", "words from position, frequencies, axes and grid are needed"),
        ("grid position frequencies", "needed"),
    ] {
        let error = load_bytes(&with_header(&bytes, |h| h.replace(words, other))).unwrap_err().to_string();
        assert!(error.contains(part), "{other}: {error}");
    }
}

#[test]
fn trained_frequencies_are_written_as_frozen_ones() {
    let spec = EncodingSpec::Gaussian { features: 4, sigma: 2.0 };
    let trained = Encoding::new(spec, 5).with_trained_frequencies();
    let parts = vec![Encoding::IDENTITY, trained];
    let file = file_of(Encoding::side_by_side(parts), Activation::Relu, Activation::Sigmoid);
    let frozen = file.clone().frozen();
    let Encoding::Composite(parts) = &frozen.model.encoding else { panic!("{:?}", frozen.model.encoding) };
    let Encoding::Fourier { frequencies } = &parts[1] else { panic!("{parts:?}") };
    assert_eq!(frequencies.as_flattened(), &file.params[..8]);
    assert_eq!(frozen.params, file.params[8..]);
    assert_eq!(load_bytes(&bytes_of(&frozen)).unwrap(), frozen);
}

#[test]
fn tensors_have_the_documented_names_and_shapes() {
    let bytes = bytes_of(&gaussian());
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut found: Vec<(String, Vec<usize>)> =
        tensors.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec())).collect();
    found.sort();
    let expected = [
        ("encoding.frequencies", vec![5, 2]),
        ("layers.0.bias", vec![7]),
        ("layers.0.weight", vec![7, 10]),
        ("layers.1.bias", vec![7]),
        ("layers.1.weight", vec![7, 7]),
        ("layers.2.bias", vec![3]),
        ("layers.2.weight", vec![3, 7]),
    ];
    assert_eq!(found, expected.map(|(name, shape)| (name.to_owned(), shape)));
}

#[test]
fn a_grid_has_a_tensor_a_level() {
    let bytes = bytes_of(&grid(Interpolation::Linear));
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let shape = |name: &str| tensors.tensor(name).unwrap().shape().to_vec();
    let levels = [0, 1, 2].map(|n| shape(&format!("encoding.grid.{n}")));
    assert_eq!(levels, [[25, 2], [32, 2], [32, 2]]);
    assert_eq!(shape("layers.0.weight"), [7, 6]);
    for (from, to, says) in [
        ("[25,2]", "[5,10]", "1, 2, 4 or 8 are possible"),
        ("[25,2]", "[50,1]", "at resolution 3 it needs 25 entries"),
        ("\"3 5 8\"", "\"3 5\"", "tensors"),
        ("\"3 5 8\"", "\"3 5 8 9\"", "no tensor \"encoding.grid.3\""),
        ("\"3 5 8\"", "\"4 5 8\"", "at resolution 4 it needs 36 entries"),
        ("\"3 5 8\"", "\"3 5 0\"", "numbers from 1 to 1048576"),
        ("\"linear\"", "\"cubic\"", "one of linear, smoothstep"),
    ] {
        let changed = with_header(&bytes, |header| {
            assert!(header.contains(from), "{header}");
            header.replace(from, to)
        });
        let text = load_bytes(&changed).expect_err(&format!("{from} as {to}")).to_string();
        assert!(text.contains(says), "{from} as {to}: {text}");
    }
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let bytes = bytes_of(&gaussian());
    for length in 0..bytes.len() {
        let error = load_bytes(&bytes[..length]).expect_err("a file cut short");
        assert!(matches!(error, ModelFileError::Invalid { .. }), "cut to {length}: {error}");
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let bytes = bytes_of(&gaussian());
    let header_end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for at in 0..header_end {
        for flip in [0x01, 0x10, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if let Ok(file) = load_bytes(&damaged) {
                // Harmless: a letter of the configuration, a digit of the size.
                assert_eq!(file.params.len(), file.model.layout().n_params(), "flip at {at}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_together_is_named() {
    let bytes = bytes_of(&gaussian());
    let refusal = |from: &str, to: &str| {
        let changed = with_header(&bytes, |header| {
            assert!(header.contains(from), "{header}");
            header.replace(from, to)
        });
        load_bytes(&changed).expect_err(&format!("{from} as {to}")).to_string()
    };
    for (from, to, says) in [
        ("layers.1.bias", "layers.1.bios", "no tensor \"layers.1.bias\""),
        ("[7,10]", "[10,7]", "layers.0.weight has shape [10, 7]"),
        ("[7,10]", "[70]", "2 dimensions are needed"),
        ("[5,2]", "[2,5]", "encoding.frequencies has shape [2, 5]"),
        ("[7,7]", "[49,1]", "layers.1.weight has shape [49, 1]"),
        ("encoding.frequencies", "encoding.frequentist", "tensors"),
        ("model 1", "model 2", "this version reads"),
        ("\"relu\"", "\"selu\"", "one of relu, leaky-relu, gelu, silu"),
        ("\"relu\"", "\"sine\"", "no \"w0\""),
        ("\"corner\"", "\"centre\"", "one of center, corner"),
        ("\"corner\"", "\"corner\",\"icc_profile\":\"@\"", "icc_profile that is not base64"),
        ("\"corner\"", "\"corner\",\"hdr_scale\":\"-1\",\"hdr_curve\":\"log\"", "above 0"),
        ("\"17\"", "\"-1\"", "height = \"-1\""),
        ("\"31\"", "\"0\"", "at least 1"),
        ("\"31\"", "\"4000000000\"", "pixels are possible"),
        ("[5,2]", "[9223372036854775808,2]", "header"),
    ] {
        let text = refusal(from, to);
        assert!(text.contains(says), "{from} as {to}: {text}");
    }
    let text = refusal("\"F32\"", "\"I32\"");
    assert!(text.contains("F32, F16, BF16 or I8 is needed"), "{text}");
}

#[test]
fn weights_that_are_not_numbers_are_refused() {
    let mut file = gaussian();
    file.params[3] = f32::NAN;
    let text = load_bytes(&bytes_of(&file)).unwrap_err().to_string();
    assert!(text.contains("value 3 of layers.0.weight is NaN"), "{text}");
}

#[test]
fn huge_claims_are_refused() {
    let mut bytes = bytes_of(&gaussian());
    bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(load_bytes(&bytes).unwrap_err().to_string().contains("does not start as a safetensors file"));
    let entries: Vec<String> = (0..2000)
        .map(|i| format!("\"t{i}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"))
        .collect();
    let header = format!("{{{}}}", entries.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    assert!(load_bytes(&bytes).unwrap_err().to_string().contains("2000 tensors"));
    let sparse = tempfile::NamedTempFile::new().unwrap();
    sparse.as_file().set_len(3 << 30).unwrap();
    let text = ModelFile::load(sparse.path()).unwrap_err().to_string();
    assert!(text.contains("at most"), "{text}");
    assert!(
        ModelFile::load(std::path::Path::new("nowhere")).unwrap_err().to_string().contains("cannot read")
    );
}
