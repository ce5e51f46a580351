//! The metadata of an encoding of each axis in a model file.

use super::fields::Metadata;
use crate::model::{EncodingKind, Pointwise};
use crate::names::Named;

/// Metadata keys of such an encoding.
pub(super) const KEYS: [&str; 2] = ["axis_encoding", "axis_features"];

/// What is said of `encoding`; of the position itself nothing.
pub(super) fn metadata(encoding: Pointwise) -> Vec<(&'static str, String)> {
    let values = [encoding.kind().name().to_owned(), encoding.formula().n_units().to_string()];
    KEYS.into_iter().zip(values).filter(|_| is_written(encoding.kind())).collect()
}

fn is_written(kind: EncodingKind) -> bool {
    kind != EncodingKind::None
}

/// The encoding of a file that has one.
pub(super) fn read(metadata: &Metadata<'_>) -> Result<Option<Pointwise>, String> {
    let [key_encoding, key_features] = KEYS;
    if metadata.get(key_encoding).is_err() {
        return Ok(None);
    }
    let kinds = Pointwise::ALL.iter().map(|make| (*make, make(1).kind()));
    let axes = kinds.filter(|(_, kind)| is_written(*kind));
    let mut names: Vec<_> = axes.map(|(make, kind)| (make, kind.name())).collect();
    names.sort_by_key(|(_, name)| *name);
    let make = metadata.one_of(key_encoding, &names)?;
    let most = make(1).formula().max_units();
    let wanted = format!("a number from 1 to {most}");
    let n: usize = metadata.number(key_features, &wanted)?;
    match (1..=most).contains(&n) {
        true => Ok(Some(make(n))),
        false => Err(format!("its metadata has {key_features} = {n}; {wanted} is needed")),
    }
}
