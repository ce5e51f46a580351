//! A checkpoint from a stranger. It is read as the checkpoint of a network of the size it claims,
//! and once more with its checksum made right, to reach what lies behind that.
#![no_main]

use afterimage::run::checkpoint::{Fingerprint, parse};
use libfuzzer_sys::fuzz_target;
use safetensors::SafeTensors;
use std::collections::HashMap;

fuzz_target!(|bytes: &[u8]| {
    let fixed = Fingerprint { picture: 7, n_params: 15, n_moments: 2 };
    _ = parse(bytes, fixed);
    let Ok((_, header)) = SafeTensors::read_metadata(bytes) else { return };
    let Ok(tensors) = SafeTensors::deserialize(bytes) else { return };
    let Some(metadata) = header.metadata() else { return };
    let Some(params) = header.info("params").filter(|info| info.shape.len() == 1) else { return };
    let fingerprint = Fingerprint {
        picture: metadata.get("picture").and_then(|text| text.parse().ok()).unwrap_or(0),
        n_params: params.shape[0],
        n_moments: tensors.len() - 1,
    };
    check(bytes, fingerprint);
    if let Some(repaired) = with_checksum(&tensors, metadata, fingerprint) {
        check(&repaired, fingerprint);
    }
});

fn check(bytes: &[u8], fingerprint: Fingerprint) {
    if let Ok(checkpoint) = parse(bytes, fingerprint) {
        assert_eq!(checkpoint.state.params.len(), fingerprint.n_params);
        assert_eq!(checkpoint.state.moments.len(), fingerprint.n_moments);
        assert!(checkpoint.state.moments.iter().all(|m| m.len() == fingerprint.n_params));
        assert!(checkpoint.state.params.iter().all(|w| w.is_finite()));
        let position = checkpoint.position;
        assert!(position.lr_scale > 0.0 && position.lr_scale <= 1.0);
        assert!(position.seconds >= 0.0 && position.loss_sum.is_finite());
    }
}

fn with_checksum(
    tensors: &SafeTensors<'_>,
    metadata: &HashMap<String, String>,
    fingerprint: Fingerprint,
) -> Option<Vec<u8>> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(metadata.get("position")?.as_bytes());
    hasher.update(&metadata.get("step")?.parse::<u64>().ok()?.to_le_bytes());
    hasher.update(tensors.tensor("params").ok()?.data());
    for n in 0..fingerprint.n_moments {
        hasher.update(tensors.tensor(&format!("moments.{n}")).ok()?.data());
    }
    let mut metadata = metadata.clone();
    metadata.insert("crc32".to_owned(), hasher.finalize().to_string());
    safetensors::serialize(tensors.tensors(), Some(metadata)).ok()
}
