//! instant-ngp's key `parent`: a file, named relative to the one that has the key, which this one is merged over.

use super::object;
use crate::config::{ConfigError, read_text};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The key.
pub(super) const PARENT: &str = "parent";

/// More is taken for a mistake.
const MAX_FILES: usize = 16;

/// The values in the file at `path`, merged over those of its parent, and so on.
pub(in crate::config) fn with_parents(path: &Path) -> Result<Map<String, Value>, ConfigError> {
    let mut files: Vec<(PathBuf, Map<String, Value>)> = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let failed = |reason: String| ConfigError::of_file(&path, &reason);
        let named_by =
            files.last().map(|(child, _)| format!("; it is the {PARENT} that {} names", child.display()));
        let text =
            read_text(&path).map_err(|reason| failed(reason + named_by.as_deref().unwrap_or_default()))?;
        let mut values = object(&text).map_err(failed)?;
        next = match values.remove(PARENT) {
            None => None,
            Some(Value::String(name)) => Some(path.parent().unwrap_or(Path::new("")).join(name)),
            Some(other) => {
                return Err(failed(format!("`{PARENT}` is {other}: give the name of a file in quotes")));
            }
        };
        files.push((path, values));
        if let Some(next) = &next {
            check_line(&files, next)?;
        }
    }
    let merge = |mut parent: Map<String, Value>, child| {
        patch(&mut parent, child);
        parent
    };
    Ok(files.into_iter().rev().map(|(_, values)| values).fold(Map::new(), merge))
}

/// Refuses a file that is its own ancestor, and a line that is too long.
fn check_line(files: &[(PathBuf, Map<String, Value>)], next: &Path) -> Result<(), ConfigError> {
    let is_next = |path: &Path| match (path.canonicalize(), next.canonicalize()) {
        (Ok(path), Ok(next)) => path == next,
        _ => false,
    };
    let (last, _) = files.last().expect("a file names the next");
    let failed = |reason: String| Err(ConfigError::of_file(last, &reason));
    if files.iter().any(|(path, _)| is_next(path)) {
        return failed(format!("its {PARENT} {} is itself or has it as a {PARENT}", next.display()));
    }
    if files.len() == MAX_FILES {
        return failed(format!("it is the last of {MAX_FILES} files that name a {PARENT}; give fewer"));
    }
    Ok(())
}

/// RFC 7386: objects are merged, null removes, everything else is replaced.
fn patch(base: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                base.remove(&key);
            }
            Value::Object(inner) => {
                let slot = base.entry(key).or_insert(Value::Null);
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                let slot = slot.as_object_mut().expect("made one above");
                self::patch(slot, inner);
            }
            other => {
                base.insert(key, other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, EncodingKind, LossKind};

    fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn a_child_is_merged_over_its_parents() {
        let dir = written(&[
            (
                "a/child.json",
                r#"{"parent": "../b/parent.json", "encoding": {"n_levels": 5, "n_features": null},
                "optimizer": {"beta1": 0.5}}"#,
            ),
            (
                "b/parent.json",
                r#"{"parent": "base.json", "loss": {"otype": "L1"}, "network": {"n_neurons": 32},
                "encoding": {"n_features": 8}}"#,
            ),
            (
                "b/base.json",
                "\u{feff}{\"loss\": {\"otype\": \"L2\"}, // of all\n\"encoding\": {\"otype\": \"HashGrid\", \
                \"log2_hashmap_size\": 12}, \"network\": {\"n_neurons\": 16, \"n_hidden_layers\": 3}}",
            ),
        ]);
        let config = Config::read(&dir.path().join("a/child.json")).unwrap();
        assert_eq!((config.training.loss, config.training.beta1), (Some(LossKind::L1), Some(0.5)));
        assert_eq!((config.network.hidden, config.network.layers), (Some(32), Some(4)));
        let encoding = config.encoding;
        let found = (encoding.kind, encoding.levels, encoding.log2_table);
        assert_eq!(found, (Some(EncodingKind::HashGrid), Some(5), Some(12)));
    }

    #[test]
    fn what_is_no_parent_is_named() {
        let long: Vec<(String, String)> =
            (0..20).map(|i| (format!("{i}.json"), format!(r#"{{"parent": "{}.json"}}"#, i + 1))).collect();
        let long: Vec<(&str, &str)> = long.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        for (files, part) in [
            (&[("0.json", r#"{"parent": "none.json"}"#)][..], "it is the parent that"),
            (&[("0.json", r#"{"parent": 3}"#)], "`parent` is 3: give the name of a file"),
            (&[("0.json", r#"{"parent": "./0.json"}"#)], "is itself or has it as a parent"),
            (
                &[("0.json", r#"{"parent": "1.json"}"#), ("1.json", r#"{"parent": "0.json"}"#)],
                "is itself or has it as a parent",
            ),
            (
                &[("0.json", r#"{"parent": "1.json"}"#), ("1.json", "[]")],
                "1.json: tiny-cuda-nn's JSON is an object",
            ),
            (&[("0.json", r#"{"parent": "1.json"}"#), ("1.json", "{}")], "none of tiny-cuda-nn's sections"),
            (&[("0.json", r#"{"parent": "."}"#)], "it is not a file; it is the parent that"),
            (&long, "the last of 16 files"),
        ] {
            let dir = written(files);
            let error = Config::read(&dir.path().join("0.json")).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let error = Config::parse_tiny_cuda_nn(r#"{"parent": "a.json", "loss": {}}"#).unwrap_err();
        assert!(error.contains("only a file can name another"), "{error}");
    }

    #[test]
    fn an_object_takes_the_place_of_another_value() {
        let of = |text| object(text).unwrap();
        let mut base = of(r#"{"a": 1, "b": {"c": [1, 2], "d": 2}, "e": {"f": 3}}"#);
        patch(&mut base, of(r#"{"a": {"x": 1, "y": null}, "b": {"c": [3], "d": null}, "e": 4}"#));
        assert_eq!(base, of(r#"{"a": {"x": 1}, "b": {"c": [3]}, "e": 4}"#));
    }
}
