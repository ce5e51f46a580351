//! Reads one section: values with defaults, and one sentence for what is not supported.

use crate::names::nearest;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// A section's values, and which of them were read.
pub(super) struct Section<'a> {
    pub(super) name: &'static str,
    values: &'a Map<String, Value>,
    used: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
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

    pub(super) fn get(&self, key: &'static str) -> Option<&'a Value> {
        self.used.borrow_mut().insert(key);
        self.values.get(key)
    }

    pub(super) fn value<T>(
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

    pub(super) fn number(&self, key: &'static str, default: f64) -> Result<f64, String> {
        self.value(key, default, Value::as_f64, "a number")
    }

    pub(super) fn count(&self, key: &'static str, default: u32) -> Result<u32, String> {
        let read = |value: &Value| value.as_u64().and_then(|n| n.try_into().ok());
        self.value(key, default, read, "a whole number, 0 or more")
    }

    pub(super) fn text(&self, key: &'static str, default: &'a str) -> Result<&'a str, String> {
        self.value(key, default, Value::as_str, "a name in quotes")
    }

    /// Refuses a setting that changes the result and is not supported.
    pub(super) fn only<T: PartialEq + std::fmt::Display>(
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

    /// Like `only`, for a number that is 0 in every sample.
    pub(super) fn must_be(&self, key: &'static str, supported: f64) -> Result<(), String> {
        self.only(key, self.number(key, supported)?, supported)
    }

    pub(super) fn is_off(&self, key: &'static str) -> Result<(), String> {
        self.only(key, self.value(key, false, Value::as_bool, "true or false")?, false)
    }

    /// Its component's name in lower case, as tiny-cuda-nn compares them, and as written.
    pub(super) fn otype(&self, default: &'a str) -> Result<(String, &'a str), String> {
        let name = self.text("otype", default)?;
        Ok((name.to_lowercase(), name))
    }

    pub(super) fn unsupported(&self, name: &str, supported: &str) -> String {
        format!("this program does not have tiny-cuda-nn's {} `{name}`; it has {supported}", self.name)
    }

    /// Reports the values that were not read.
    pub(super) fn finish(&self) {
        let used: Vec<&str> = self.used.borrow().iter().copied().collect();
        for key in self.values.keys().filter(|key| !used.contains(&key.as_str())) {
            let hint = nearest(key, &used).map(|known| format!(": {}", did_you_mean(known)));
            log::warn!("{}.{key} is ignored{}", self.name, hint.unwrap_or_default());
        }
    }
}

pub(super) fn did_you_mean(known: &str) -> String {
    format!("did you mean {known}?")
}
