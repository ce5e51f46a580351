//! The metadata of an encoding of each axis in a model file.

use super::fields::Metadata;
use super::name_of;
use crate::model::PerAxis;

/// Metadata keys of such an encoding.
pub(super) const KEYS: [&str; 2] = ["axis_encoding", "axis_features"];

/// Makes an encoding with n features of each axis.
type Make = fn(usize) -> PerAxis;

const NAMES: [(Make, &str); 2] = [
    (|n_bins| PerAxis::OneBlob { n_bins }, "one-blob"),
    (|n_octaves| PerAxis::TriangleWave { n_octaves }, "triangle-wave"),
];

pub(super) fn metadata(encoding: PerAxis) -> [(&'static str, String); 2] {
    let n = encoding.n_features();
    let names = NAMES.map(|(make, name)| (make(n), name));
    let [key_encoding, key_features] = KEYS;
    [(key_encoding, name_of(&names, &encoding).to_owned()), (key_features, n.to_string())]
}

/// The encoding of a file that has one.
pub(super) fn read(metadata: &Metadata<'_>) -> Result<Option<PerAxis>, String> {
    let [key_encoding, key_features] = KEYS;
    if metadata.get(key_encoding).is_err() {
        return Ok(None);
    }
    let make = metadata.one_of(key_encoding, &NAMES)?;
    let most = make(1).max_features();
    let wanted = format!("a number from 1 to {most}");
    let n: usize = metadata.number(key_features, &wanted)?;
    match (1..=most).contains(&n) {
        true => Ok(Some(make(n))),
        false => Err(format!("its metadata has {key_features} = {n}; {wanted} is needed")),
    }
}
