//! The same weights to the bit on every system: 64-bit Linux, macOS and Windows, x86 and ARM, whatever the C library.

use crate::imports::{code, module, read};
use afterimage::backend::cpu::CpuTrainer;
use afterimage::config::Config;
use afterimage::model::Steps;
use afterimage::picture::{Picture, Pixels, resize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Rings and a slope, resized, since that computes with sines.
fn picture() -> Picture {
    let value = |i: u32| {
        let (x, y, c) = (i / 3 % 64, i / 192, i % 3);
        ((x * x + y * y) / (11 + 3 * c) % 2 * 120 + x + y) as u8
    };
    let pixels = Pixels::U8((0..64 * 64 * 3).map(value).collect());
    resize(&Picture { width: 64, height: 64, channels: 3, pixels }, 24, 20)
}

/// A checksum of the weights after thirty steps.
fn trained(settings: &str) -> u32 {
    let picture = Arc::new(picture());
    let of = |text: &str| Config::parse(text).expect("settings");
    let config = of(settings).or(of("training = { epochs = 5, batch = 80 }"));
    let run = config.resolve(&picture, None).expect("resolved");
    let job = run.job(Arc::clone(&picture));
    let mut trainer = CpuTrainer::<f32>::new(job, &run.initial_params(), 1).expect("threads start");
    let steps = Steps::new(run.samples.len(), run.batch_size, run.seed, run.lr).scheduled(run.schedule, 30);
    for step in steps.take(30) {
        trainer.step(&step);
    }
    let params = trainer.params();
    assert!(params.iter().all(|p| p.is_finite()));
    let bytes: Vec<u8> = params.iter().flat_map(|p| p.to_le_bytes()).collect();
    crc32fast::hash(&bytes)
}

#[test]
fn weights_have_known_checksums() {
    let found: Vec<(u32, &str)> = RUNS.iter().map(|(_, settings)| (trained(settings), *settings)).collect();
    let known: Vec<(u32, &str)> = RUNS.to_vec();
    assert_eq!(
        found,
        known,
        "\n{}",
        found.iter().map(|(sum, s)| format!("{sum:#010x} {s}\n")).collect::<String>()
    );
}

/// Settings with the checksum of their weights. A change of results changes it, on purpose: a difference between two
/// systems does not.
const RUNS: [(u32, &str); 7] = [
    (
        0xf9ae_66ce,
        "encoding = { kind = \"gaussian\", features = 16 }\nnetwork = { hidden = 16, layers = 3, activation = \"relu\" }\n\
         training.optimizer = \"adam\"",
    ),
    // With Muon.
    (
        0x88b8_4df3,
        "encoding = { kind = \"gaussian\", features = 16 }\nnetwork = { hidden = 16, layers = 3, activation = \"relu\" }",
    ),
    (0x0819_2a64, "encoding.kind = \"none\"\nnetwork = { hidden = 20, layers = 3, activation = \"sine\" }"),
    (
        0x3530_9bed,
        "encoding = { kind = \"hash-grid\", levels = 4, log2_table = 8 }\nnetwork = { hidden = 16, layers = 2 }",
    ),
    (
        0x16dc_0883,
        "encoding = { kind = \"positional\", features = 8, sigma = 3.5, frequencies = \"trained\" }\nnetwork.hidden = 12\n\
         network.activation = \"gabor\"\ntraining.schedule = \"exponential\"\ntraining.ema = 0.9",
    ),
    (
        0x5758_cba9,
        "encoding = { kind = \"octaves\", octaves = 4 }\nnetwork = { hidden = 12, activation = \"gelu\" }\n\
         training = { optimizer = \"lion\", schedule = \"step\", decay = 0.7, cycle = 7 }",
    ),
    (
        0x1b21_8421,
        "encoding = { kind = \"one-blob\", bins = 8 }\nnetwork = { hidden = 12, activation = \"softplus\" }\n\
         training = { loss = \"log-cosh\", optimizer = \"adabelief\", clip_norm = 0.1 }",
    ),
];

/// Folders and files whose results depend on these functions only in what people look at, or within tolerances.
const MAY_CALL: [&str; 7] = [
    "crate::backend::gpu",
    "crate::bench",
    "crate::cli",
    "crate::compare",
    "crate::report",
    "crate::main",
    "crate::output",
];

/// Functions of the standard library that are the C library's, and may differ in the last bit from system to system.
const FUNCTIONS: [&str; 25] = [
    "sin", "cos", "tan", "sin_cos", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh",
    "acosh", "atanh", "exp", "exp2", "exp_m1", "ln", "ln_1p", "log", "log2", "log10", "powf", "cbrt",
    "hypot",
];

/// Calls of these in `code`: as methods, or by path.
fn calls(code: &str) -> Vec<&'static str> {
    let called = |name: &&str| {
        let forms = [format!(".{name}("), format!("f32::{name}"), format!("f64::{name}")];
        forms.iter().any(|form| {
            code.match_indices(form.as_str()).any(|(at, _)| {
                !code[at + form.len()..].starts_with(|c: char| {
                    form.ends_with(|c: char| c != '(') && (c == '_' || c.is_alphanumeric())
                })
            })
        })
    };
    FUNCTIONS.into_iter().filter(called).collect()
}

#[test]
fn what_must_be_the_same_everywhere_calls_no_c_library() {
    let mut sources = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &module("crate"), &mut sources);
    let names = sources.iter().map(|(module, code)| (module.join("::"), code));
    let bound = names.filter(|(name, _)| {
        !MAY_CALL.iter().any(|free| name == free || name.starts_with(&format!("{free}::")))
    });
    let faults: Vec<_> = bound
        .filter_map(|(name, code)| {
            Some(calls(code)).filter(|c| !c.is_empty()).map(|calls| format!("{name}: {calls:?}"))
        })
        .collect();
    assert!(faults.is_empty(), "call the crate libm instead of the standard library:\n{}", faults.join("\n"));
}

#[test]
fn calls_are_found() {
    assert_eq!(calls(&code("let y = x.sin() + f64::exp_m1(x).sqrt(); // x.cos()")), ["sin", "exp_m1"]);
    assert_eq!(calls(&code("xs.iter().map(f32::ln)")), ["ln"]);
    assert!(calls(&code("libm::sin(x) + x.exp_fast() + x.sqrt() + log::warn!(\".exp()\")")).is_empty());
}
