//! Reads tiny-cuda-nn's JSON: its four sections with their `otype` names and defaults, as in its DOCUMENTATION.md and
//! sources (version 2.0).

mod encoding;
mod optimizer;
mod parent;
mod section;

use super::{ActivationKind, Config, LossKind, NetworkConfig, OutputKind, TrainingConfig};
use crate::model::Init;
use crate::names::{join, nearest};
use encoding::encoding;
use jsonc_parser::{ParseOptions, parse_to_serde_value};
use optimizer::optimizer;
use parent::PARENT;
pub(super) use parent::with_parents;
use section::{Section, did_you_mean};
use serde_json::{Map, Value};

const JSON_WITH_COMMENTS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

const SECTIONS: [&str; 4] = ["loss", "optimizer", "encoding", "network"];

impl Config {
    /// Parses tiny-cuda-nn's JSON, comments allowed. What it does not specify (epochs, batch) stays unset; the
    /// learning rate is constant unless the optimiser is wrapped in a decay.
    ///
    /// # Errors
    /// One sentence that names the error, or what this program does not support; also when the text names a
    /// `parent`, which only [`Config::read`] can open.
    pub fn parse_tiny_cuda_nn(text: &str) -> Result<Self, String> {
        let values = object(text)?;
        match values.get(PARENT) {
            Some(parent) => Err(format!("its {PARENT} is {parent}: only a file can name another")),
            None => sections(&values),
        }
    }
}

/// The object that `text` holds.
fn object(text: &str) -> Result<Map<String, Value>, String> {
    // Windows editors put it there; TOML's reader passes over it too.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match parse_to_serde_value(text, &JSON_WITH_COMMENTS).map_err(|e| e.to_string())? {
        Value::Object(values) => Ok(values),
        _ => Err(format!("tiny-cuda-nn's JSON is an object with the sections {}", join(&SECTIONS, "and"))),
    }
}

/// The configuration that the sections describe.
pub(super) fn sections(sections: &Map<String, Value>) -> Result<Config, String> {
    if !sections.keys().any(|name| SECTIONS.contains(&name.as_str())) {
        return Err(format!(
            "there is none of tiny-cuda-nn's sections {}; for other settings give a TOML file",
            join(&SECTIONS, "and")
        ));
    }
    for name in sections.keys().filter(|name| !SECTIONS.contains(&name.as_str())) {
        let hint = nearest(name, &SECTIONS)
            .map_or_else(|| format!("only {} are read", join(&SECTIONS, "and")), did_you_mean);
        log::warn!("the section `{name}` is ignored: {hint}");
    }
    let empty = Map::new();
    let section = |name: &'static str| Section::new(name, sections.get(name), &empty);
    let mut config = Config::default();
    loss(&section("loss")?, &mut config.training)?;
    optimizer(&section("optimizer")?, &mut config.training)?;
    encoding(&section("encoding")?, &mut config.encoding)?;
    network(&section("network")?, &mut config.network)?;
    Ok(config)
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
    // Its sine has no factor, and its other networks are initialised as in Glorot and Bengio 2010.
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
    // The hidden layers, and the last one.
    config.layers = Some(n_hidden + 1);
    section.finish();
    Ok(())
}

#[cfg(test)]
mod tests;
