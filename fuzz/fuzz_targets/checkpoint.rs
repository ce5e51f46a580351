//! A checkpoint from a stranger. It is read as the checkpoint of a network of the size it claims,
//! and once more with its checksum made right, to reach what lies behind that.
#![no_main]

use afterimage::config::Config;
use afterimage::model::{Holdout, SampleSet};
use afterimage::run::checkpoint::{Fingerprint, parse};
use libfuzzer_sys::fuzz_target;
use safetensors::SafeTensors;
use std::collections::{BTreeMap, HashMap};

fuzz_target!(|bytes: &[u8]| {
    let settings = Config::default();
    let fixed = Fingerprint { picture: 7, n_params: 15, n_moments: 2, by_error: None, settings: settings.clone() };
    _ = parse(bytes, &fixed);
    let Ok((_, header)) = SafeTensors::read_metadata(bytes) else { return };
    let Ok(tensors) = SafeTensors::deserialize(bytes) else { return };
    let Some(metadata) = header.metadata() else { return };
    let Some(params) = header.info("params").filter(|info| info.shape.len() == 1) else { return };
    let fingerprint = Fingerprint {
        picture: metadata.get("picture").and_then(|text| text.parse().ok()).unwrap_or(0),
        n_params: params.shape[0],
        n_moments: (tensors.len() / n_states(metadata)).saturating_sub(1),
        by_error: tensors.tensor("starts").ok().map(|starts| strip(starts.shape().iter().product())),
        settings: metadata.get("settings").and_then(|text| Config::parse(text).ok()).unwrap_or(settings),
    };
    check(bytes, &fingerprint);
    if let Some(repaired) = with_checksum(&tensors, metadata, &fingerprint) {
        check(&repaired, &fingerprint);
    }
});

/// A picture of one row with so many starts of blocks.
fn strip(n_starts: usize) -> SampleSet {
    let n_blocks = n_starts.clamp(2, 1000) as u32 - 1;
    SampleSet { width: 8 * n_blocks, height: 1, holdout: Holdout::None, masked: None }
}

/// The current state, and the best where there is one.
fn n_states(metadata: &HashMap<String, String>) -> usize {
    1 + usize::from(metadata.contains_key("best.epoch"))
}

fn check(bytes: &[u8], fingerprint: &Fingerprint) {
    if let Ok(checkpoint) = parse(bytes, fingerprint) {
        for state in std::iter::once(&checkpoint.state).chain(checkpoint.best.as_ref().map(|best| &best.state)) {
            assert_eq!(state.params.len(), fingerprint.n_params);
            assert_eq!(state.moments.len(), fingerprint.n_moments);
            assert!(state.moments.iter().all(|m| m.len() == fingerprint.n_params));
            assert!(state.params.iter().all(|w| w.is_finite()));
        }
        let position = checkpoint.position;
        assert!(position.lr_scale > 0.0 && position.lr_scale <= 1.0);
        assert!(position.seconds >= 0.0 && position.loss_sum.is_finite());
    }
}

fn with_checksum(
    tensors: &SafeTensors<'_>,
    metadata: &HashMap<String, String>,
    fingerprint: &Fingerprint,
) -> Option<Vec<u8>> {
    let mut hasher = crc32fast::Hasher::new();
    let fields: BTreeMap<_, _> = metadata.iter().filter(|(name, _)| *name != "crc32").collect();
    for (name, value) in fields {
        hasher.update(name.as_bytes());
        hasher.update(value.as_bytes());
    }
    for prefix in ["", "best."].iter().take(n_states(metadata)) {
        hasher.update(tensors.tensor(&format!("{prefix}params")).ok()?.data());
        for n in 0..fingerprint.n_moments {
            hasher.update(tensors.tensor(&format!("{prefix}moments.{n}")).ok()?.data());
        }
    }
    let mut metadata = metadata.clone();
    metadata.insert("crc32".to_owned(), hasher.finalize().to_string());
    safetensors::serialize(tensors.tensors(), Some(metadata)).ok()
}
