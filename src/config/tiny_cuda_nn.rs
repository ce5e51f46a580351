//! tiny-cuda-nn's JSON: its four sections with their `otype` names and defaults, as its DOCUMENTATION.md
//! and sources have them (version 2.0).

use super::{
    ActivationKind, Config, EncodingConfig, EncodingKind, EncodingList, LossKind, NetworkConfig,
    OptimizerKind, OutputKind, TrainingConfig,
};
use crate::model::{Init, Interpolation, ScheduleKind};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

impl Config {
    /// The configuration in tiny-cuda-nn's JSON, comments allowed. What is not said there (epochs,
    /// batch) stays open; the learning rate is constant unless the optimiser is wrapped in a decay.
    ///
    /// # Errors
    /// One sentence that names what is wrong, or what this program does not have.
    pub fn parse_tiny_cuda_nn(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(&without_comments(text)).map_err(|e| format!("{e}"))?;
        let Value::Object(sections) = value else {
            return Err("tiny-cuda-nn's JSON is an object with the sections loss, optimizer, encoding and \
                        network"
                .to_owned());
        };
        let known = ["loss", "optimizer", "encoding", "network"];
        if !sections.keys().any(|name| known.contains(&name.as_str())) {
            return Err("there is none of tiny-cuda-nn's sections loss, optimizer, encoding and network; \
                        for other settings give a TOML file"
                .to_owned());
        }
        for name in sections.keys().filter(|name| !known.contains(&name.as_str())) {
            log::warn!(
                "the section `{name}` is left aside: only loss, optimizer, encoding and network are read"
            );
        }
        let empty = Map::new();
        let section = |name: &'static str| Section::new(name, sections.get(name), &empty);
        let mut config = Self::default();
        loss(&section("loss")?, &mut config.training)?;
        optimizer(&section("optimizer")?, &mut config.training)?;
        encoding(&section("encoding")?, &mut config.encoding)?;
        network(&section("network")?, &mut config.network)?;
        Ok(config)
    }
}

/// Replaces `//` and `/* */` comments outside strings by spaces, so that places in errors stay true.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut in_string = false;
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some(_)) if in_string => {
                out.push(c);
                out.extend(rest.next());
            }
            ('"', _) => {
                in_string = !in_string;
                out.push(c);
            }
            ('/', Some('/')) if !in_string => {
                while rest.peek().is_some_and(|&c| c != '\n') {
                    rest.next();
                }
            }
            ('/', Some('*')) if !in_string => {
                let mut before = ' ';
                rest.next();
                for c in rest.by_ref() {
                    out.push(if c == '\n' { '\n' } else { ' ' });
                    if (before, c) == ('*', '/') {
                        break;
                    }
                    before = c;
                }
            }
            _ => out.push(c),
        }
    }
    out
}

/// A section's values, and which of them were asked for.
struct Section<'a> {
    name: &'static str,
    values: &'a Map<String, Value>,
    used: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Section<'a> {
    fn new(
        name: &'static str,
        value: Option<&'a Value>,
        empty: &'a Map<String, Value>,
    ) -> Result<Self, String> {
        let values = match value {
            None => empty,
            Some(Value::Object(values)) => values,
            Some(other) => return Err(format!("`{name}` is {other}: give an object with an `otype`")),
        };
        Ok(Self { name, values, used: RefCell::default() })
    }

    fn get(&self, key: &'static str) -> Option<&'a Value> {
        self.used.borrow_mut().insert(key);
        self.values.get(key)
    }

    fn value<T>(
        &self,
        key: &'static str,
        default: T,
        read: fn(&'a Value) -> Option<T>,
        what: &str,
    ) -> Result<T, String> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => read(value).ok_or_else(|| format!("{}.{key} is {value}: give {what}", self.name)),
        }
    }

    fn number(&self, key: &'static str, default: f64) -> Result<f64, String> {
        self.value(key, default, Value::as_f64, "a number")
    }

    fn count(&self, key: &'static str, default: u32) -> Result<u32, String> {
        let read = |value: &Value| value.as_u64().and_then(|n| n.try_into().ok());
        self.value(key, default, read, "a whole number, 0 or more")
    }

    fn text(&self, key: &'static str, default: &'a str) -> Result<&'a str, String> {
        self.value(key, default, Value::as_str, "a name in quotes")
    }

    /// Refuses a setting that changes the result and cannot be followed.
    fn only<T: PartialEq + std::fmt::Display>(
        &self,
        key: &str,
        value: T,
        supported: T,
    ) -> Result<(), String> {
        if value == supported {
            return Ok(());
        }
        Err(format!("{}.{key} is {value}, and this program has only {supported}", self.name))
    }

    /// As `only`, of a number that is 0 in every sample.
    fn must_be(&self, key: &'static str, supported: f64) -> Result<(), String> {
        self.only(key, self.number(key, supported)?, supported)
    }

    fn is_off(&self, key: &'static str) -> Result<(), String> {
        self.only(key, self.value(key, false, Value::as_bool, "true or false")?, false)
    }

    /// Its component's name in lower case, as tiny-cuda-nn compares them, and as it is written.
    fn otype(&self, default: &'a str) -> Result<(String, &'a str), String> {
        let name = self.text("otype", default)?;
        Ok((name.to_lowercase(), name))
    }

    fn unsupported(&self, name: &str, supported: &str) -> String {
        format!("this program does not have tiny-cuda-nn's {} `{name}`; it has {supported}", self.name)
    }

    /// Says which values were not asked for.
    fn finish(&self) {
        let used = self.used.borrow();
        for key in self.values.keys().filter(|key| !used.contains(key.as_str())) {
            log::warn!("{}.{key} is left aside", self.name);
        }
    }
}

fn loss(section: &Section, training: &mut TrainingConfig) -> Result<(), String> {
    let (name, written) = section.otype("RelativeL2")?;
    training.loss = Some(match name.as_str() {
        "l2" => LossKind::Mse,
        "relativel2" => LossKind::RelativeL2,
        "l1" => LossKind::L1,
        "smape" => LossKind::Smape,
        _ => return Err(section.unsupported(written, "L2, RelativeL2, L1 and SMAPE")),
    });
    section.finish();
    Ok(())
}

/// The rule and the wrappers around it.
fn optimizer(section: &Section, training: &mut TrainingConfig) -> Result<(), String> {
    training.schedule.get_or_insert(ScheduleKind::Constant);
    let (name, written) = section.otype("Adam")?;
    match name.as_str() {
        "adam" => adam(section, training)?,
        "sgd" => {
            training.optimizer = Some(OptimizerKind::Sgd);
            training.lr = Some(section.number("learning_rate", 1e-3)?);
            training.l2 = Some(section.number("l2_reg", 1e-8)?);
        }
        "ema" => {
            training.ema = Some(section.number("decay", 0.99)?);
            section.get("full_precision");
            return nested(section, training);
        }
        "exponentialdecay" => {
            exponential_decay(section, training)?;
            return nested(section, training);
        }
        "batched" => {
            section.get("batch_size_multiplier");
            log::warn!("the optimizer `Batched` is left aside: give --batch, which needs no more memory");
            return nested(section, training);
        }
        _ => {
            return Err(
                section.unsupported(written, "Adam and SGD, within EMA, ExponentialDecay and Batched")
            );
        }
    }
    section.finish();
    Ok(())
}

fn nested(section: &Section, training: &mut TrainingConfig) -> Result<(), String> {
    let empty = Map::new();
    let inner = Section::new("optimizer", section.get("nested"), &empty)?;
    section.finish();
    optimizer(&inner, training)
}

fn adam(section: &Section, training: &mut TrainingConfig) -> Result<(), String> {
    let lr = section.number("learning_rate", 1e-3)?;
    training.optimizer = Some(OptimizerKind::Adam);
    training.lr = Some(lr);
    training.beta1 = Some(section.number("beta1", 0.9)?);
    training.beta2 = Some(section.number("beta2", 0.999)?);
    training.epsilon = Some(section.number("epsilon", 1e-8)?);
    training.l2 = Some(section.number("l2_reg", 1e-8)?);
    training.weight_decay = Some(section.number("relative_decay", 0.0)?);
    // Its "matrix" parameters are the network's, the others the encoding's.
    training.encoding_l2 = Some(section.number("non_matrix_l2_reg", 0.0)?).filter(|&l2| l2 != 0.0);
    let factor = section.number("non_matrix_learning_rate_factor", 1.0)?;
    training.encoding_lr = (factor != 1.0).then_some(factor * lr);
    for key in ["absolute_decay", "gradient_clipping_magnitude", "weight_clipping_magnitude"] {
        section.must_be(key, 0.0)?;
    }
    section.is_off("adabound")?;
    section.is_off("skip_zero_grad_non_matrix_params")
}

/// lr decay_base^k, where k counts the steps decay_start, decay_start + decay_interval and on.
fn exponential_decay(section: &Section, training: &mut TrainingConfig) -> Result<(), String> {
    let start = section.count("decay_start", 10_000)?;
    let interval = section.count("decay_interval", 10_000)?;
    section.get("decay_end");
    if interval == 0 || start < interval {
        return Err(format!(
            "optimizer.decay_start is {start} and decay_interval {interval}: this program's first decay comes \
             after at least one interval of one step or more"
        ));
    }
    training.schedule = Some(ScheduleKind::Step);
    training.decay = Some(section.number("decay_base", 0.1)?);
    training.cycle = Some(interval.into());
    training.hold = Some(u64::from(start - interval)).filter(|&hold| hold > 0);
    Ok(())
}

fn encoding(section: &Section, config: &mut EncodingConfig) -> Result<(), String> {
    let (name, written) = section.otype("OneBlob")?;
    // A part's own count of dimensions: the position has two.
    if section.count("n_dims_to_encode", 2)? != 2 {
        return Err("encoding.n_dims_to_encode: this program encodes x and y together".to_owned());
    }
    section.get("dims_to_encode_begin");
    let frequencies = || Ok::<_, String>(Some(section.count("n_frequencies", 12)? as usize));
    match name.as_str() {
        "hashgrid" => grid(section, config, "Hash")?,
        "densegrid" => grid(section, config, "Dense")?,
        "tiledgrid" => grid(section, config, "Tiled")?,
        "grid" => grid(section, config, section.text("type", "Hash")?)?,
        "frequency" => (config.kind, config.octaves) = (Some(EncodingKind::Octaves), frequencies()?),
        "trianglewave" => (config.kind, config.octaves) = (Some(EncodingKind::TriangleWave), frequencies()?),
        "oneblob" => {
            config.kind = Some(EncodingKind::OneBlob);
            config.bins = Some(section.count("n_bins", 16)? as usize);
        }
        "identity" => {
            config.kind = Some(EncodingKind::None);
            section.must_be("scale", 1.0)?;
            section.must_be("offset", 0.0)?;
        }
        "composite" => {
            section.get("nested");
            section.finish();
            return composite(section, config);
        }
        _ => {
            let supported = "Grid, HashGrid, DenseGrid, Frequency, TriangleWave, OneBlob and Identity";
            return Err(section.unsupported(written, supported));
        }
    }
    section.finish();
    Ok(())
}

/// Encodings of the same two dimensions, side by side.
fn composite(section: &Section, config: &mut EncodingConfig) -> Result<(), String> {
    let parts = section.value("nested", &[] as &[Value], as_slice, "a list of encodings")?;
    if parts.is_empty() {
        return Err("encoding.nested has no encodings: give at least one".to_owned());
    }
    let empty = Map::new();
    let mut also = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let inner = Section::new("encoding", Some(part), &empty)?;
        // Without it, a part has the dimensions after those of the part before.
        if i > 0 && inner.count("dims_to_encode_begin", u32::MAX)? != 0 {
            return Err(
                "encoding.nested: a position has two dimensions, so each encoding but the first needs \
                        \"dims_to_encode_begin\": 0"
                    .to_owned(),
            );
        }
        let mut own = EncodingConfig::default();
        encoding(&inner, &mut own)?;
        also.extend(own.kind);
        *config = std::mem::take(config).or(own);
    }
    also.remove(0);
    config.also = (!also.is_empty()).then_some(EncodingList(also));
    Ok(())
}

fn as_slice(value: &Value) -> Option<&[Value]> {
    value.as_array().map(Vec::as_slice)
}

fn grid<'a>(section: &Section<'a>, config: &mut EncodingConfig, storage: &'a str) -> Result<(), String> {
    let dense = match storage.to_lowercase().as_str() {
        "hash" => false,
        "dense" => true,
        _ => return Err(section.unsupported(storage, "grids of the types Hash and Dense")),
    };
    let n_levels = section.count("n_levels", 16)?;
    let base = section.count("base_resolution", 16)?;
    // Its dense grids end at 256 unless told otherwise.
    let growth = if dense { (256.0 / f64::from(base)).powf(1.0 / (f64::from(n_levels) - 1.0)) } else { 2.0 };
    config.kind = Some(if dense { EncodingKind::DenseGrid } else { EncodingKind::HashGrid });
    config.levels = Some(n_levels as usize);
    config.features_per_level = Some(section.count("n_features_per_level", 2)? as usize);
    let log2_table = section.count("log2_hashmap_size", 19)?;
    config.log2_table = (!dense).then_some(log2_table);
    config.base_resolution = Some(base);
    config.growth = Some(section.number("per_level_scale", growth)?);
    let interpolation = section.text("interpolation", "Linear")?;
    config.interpolation = Some(match interpolation.to_lowercase().as_str() {
        "linear" => Interpolation::Linear,
        "smoothstep" => Interpolation::Smoothstep,
        _ => return Err(section.unsupported(interpolation, "the interpolations Linear and Smoothstep")),
    });
    section.only("hash", section.text("hash", "CoherentPrime")?, "CoherentPrime")?;
    section.is_off("stochastic_interpolation")?;
    // How its positions are stored; here they are always f32.
    section.get("fixed_point_pos");
    section.get("type");
    Ok(())
}

fn network(section: &Section, config: &mut NetworkConfig) -> Result<(), String> {
    let (name, written) = section.otype("MLP")?;
    if !["mlp", "fullyfusedmlp", "cutlassmlp", "megakernelmlp"].contains(&name.as_str()) {
        return Err(section.unsupported(written, "FullyFusedMLP and CutlassMLP"));
    }
    let activation = section.text("activation", "ReLU")?;
    let supported = "the activations ReLU, LeakyReLU, SiLU, Sine, Sigmoid, Tanh and None";
    config.activation = Some(match activation.to_lowercase().as_str() {
        "relu" => ActivationKind::Relu,
        "leakyrelu" => ActivationKind::LeakyRelu,
        "silu" => ActivationKind::Silu,
        "sine" => ActivationKind::Sine,
        "sigmoid" => ActivationKind::Sigmoid,
        "tanh" => ActivationKind::Tanh,
        "none" => ActivationKind::Identity,
        _ => return Err(section.unsupported(activation, supported)),
    });
    // Its sine has no factor, and its other networks begin as Glorot and Bengio 2010 say.
    match config.activation {
        Some(ActivationKind::Sine) => config.w0 = Some(1.0),
        _ => config.init = Some(Init::GlorotNormal),
    }
    let output = section.text("output_activation", "None")?;
    config.output = Some(match output.to_lowercase().as_str() {
        "none" => OutputKind::Identity,
        "sigmoid" => OutputKind::Sigmoid,
        _ => return Err(section.unsupported(output, "the output activations None and Sigmoid")),
    });
    config.hidden = Some(section.count("n_neurons", 128)? as usize);
    let n_hidden = section.count("n_hidden_layers", 5)? as usize;
    // Hidden layers, and the one after them.
    config.layers = Some(n_hidden + 1);
    section.finish();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The components and values of its sample with a hash grid, written as it allows.
    const HASH: &str = r#"{
        "loss": {"otype": "RelativeL2"}, // as in Noise2Noise
        "optimizer": {"otype": "adam", "learning_rate": 1e-2, "beta2": 0.99, "epsilon": 1e-15, "l2_reg": 1e-6},
        /* 16 levels
           of 2 features */
        "encoding": {"otype": "HashGrid", "n_levels": 16, "n_features_per_level": 2, "log2_hashmap_size": 15,
            "base_resolution": 16, "per_level_scale": 1.5, "fixed_point_pos": false},
        "network": {"otype": "FullyFusedMLP", "activation": "ReLU", "output_activation": "None",
            "n_neurons": 64, "n_hidden_layers": 2}
    }"#;

    #[test]
    fn a_sample_means_what_it_says() {
        let config = Config::parse_tiny_cuda_nn(HASH).unwrap();
        let toml = r#"
            [encoding]
            kind = "hash-grid"
            levels = 16
            features_per_level = 2
            log2_table = 15
            base_resolution = 16
            growth = 1.5
            interpolation = "linear"
            [network]
            hidden = 64
            layers = 3
            activation = "relu"
            output = "identity"
            init = "glorot-normal"
            [training]
            loss = "relative-l2"
            optimizer = "adam"
            lr = 1e-2
            beta1 = 0.9
            beta2 = 0.99
            epsilon = 1e-15
            weight_decay = 0.0
            l2 = 1e-6
            schedule = "constant"
        "#;
        assert_eq!(config, Config::parse(toml).unwrap());
        config.check().unwrap();
    }

    #[test]
    fn what_is_left_out_has_its_defaults() {
        let config = Config::parse_tiny_cuda_nn(r#"{"network": {}}"#).unwrap();
        assert_eq!((config.encoding.kind, config.encoding.bins), (Some(EncodingKind::OneBlob), Some(16)));
        assert_eq!((config.network.hidden, config.network.layers), (Some(128), Some(6)));
        assert_eq!(config.training.loss, Some(LossKind::RelativeL2));
        assert_eq!((config.training.lr, config.training.l2), (Some(1e-3), Some(1e-8)));
        let dense = Config::parse_tiny_cuda_nn(r#"{"encoding": {"otype": "DenseGrid"}}"#).unwrap();
        // 16 growth^15 = 256
        assert!((dense.encoding.growth.unwrap().powi(15) - 16.0).abs() < 1e-9);
    }

    #[test]
    fn composites_encode_the_position_several_times() {
        let text = r#"{"encoding": {"otype": "Composite", "nested": [
            {"otype": "HashGrid", "n_levels": 8, "n_dims_to_encode": 2},
            {"otype": "Identity", "dims_to_encode_begin": 0}]}}"#;
        let encoding = Config::parse_tiny_cuda_nn(text).unwrap().encoding;
        assert_eq!((encoding.kind, encoding.levels), (Some(EncodingKind::HashGrid), Some(8)));
        assert_eq!(encoding.also, Some(EncodingList(vec![EncodingKind::None])));
        let error = Config::parse_tiny_cuda_nn(&text.replace("dims_to_encode_begin", "x")).unwrap_err();
        assert!(error.contains("needs \"dims_to_encode_begin\": 0"), "{error}");
    }

    #[test]
    fn wrappers_are_settings_of_the_run() {
        let text = r#"{"optimizer": {"otype": "Ema", "decay": 0.95, "nested": {
            "otype": "ExponentialDecay", "decay_start": 20000, "decay_interval": 10000, "decay_base": 0.33,
            "nested": {"otype": "Adam", "learning_rate": 1e-2, "non_matrix_learning_rate_factor": 10.0}}}}"#;
        let training = Config::parse_tiny_cuda_nn(text).unwrap().training;
        assert_eq!((training.ema, training.lr, training.encoding_lr), (Some(0.95), Some(1e-2), Some(0.1)));
        assert_eq!((training.schedule, training.decay), (Some(ScheduleKind::Step), Some(0.33)));
        assert_eq!((training.cycle, training.hold), (Some(10_000), Some(10_000)));
    }

    #[test]
    fn what_is_not_here_is_named() {
        for (text, part) in [
            ("{", "EOF"),
            ("[1]", "an object with the sections"),
            (r#"{"lr": 1}"#, "there is none of tiny-cuda-nn's sections"),
            (r#"{"loss": "L2"}"#, "`loss` is \"L2\": give an object"),
            (r#"{"loss": {"otype": "CrossEntropy"}}"#, "does not have tiny-cuda-nn's loss `CrossEntropy`"),
            (r#"{"optimizer": {"otype": "Shampoo"}}"#, "optimizer `Shampoo`; it has Adam and SGD"),
            (r#"{"optimizer": {"adabound": true}}"#, "optimizer.adabound is true"),
            (
                r#"{"optimizer": {"learning_rate": "fast"}}"#,
                "optimizer.learning_rate is \"fast\": give a number",
            ),
            (r#"{"optimizer": {"otype": "ExponentialDecay", "decay_start": 5}}"#, "decay_start is 5"),
            (r#"{"encoding": {"otype": "SphericalHarmonics"}}"#, "encoding `SphericalHarmonics`"),
            (r#"{"encoding": {"otype": "TiledGrid"}}"#, "encoding `Tiled`"),
            (r#"{"encoding": {"otype": "Grid", "interpolation": "Nearest"}}"#, "encoding `Nearest`"),
            (r#"{"encoding": {"otype": "Grid", "n_levels": -1}}"#, "encoding.n_levels is -1"),
            (r#"{"encoding": {"otype": "Identity", "scale": 2.0}}"#, "encoding.scale is 2"),
            (r#"{"encoding": {"otype": "Composite", "nested": []}}"#, "encoding.nested has no encodings"),
            (r#"{"network": {"otype": "CutlassResNet"}}"#, "network `CutlassResNet`"),
            (r#"{"network": {"activation": "Squareplus"}}"#, "network `Squareplus`"),
        ] {
            let error = Config::parse_tiny_cuda_nn(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn comments_are_left_out_and_strings_are_not() {
        let text = "{\"a\": \"// b \\\" /* c */\", // d\n/* e\n */ \"f\": 1}";
        let value: Value = serde_json::from_str(&without_comments(text)).unwrap();
        assert_eq!(value["a"], "// b \" /* c */");
        assert_eq!(value["f"], 1);
    }
}
