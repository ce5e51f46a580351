//! Environment variables about devices. Nothing else reads them; programs, tests and examples call this.

use crate::job::{DeviceOptions, Override};
use std::ffi::OsString;
use std::path::PathBuf;

/// An environment variable has an invalid value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EnvironmentError(String);

/// The variable for fault injection, in builds with the feature `faults`; see `job::faults`.
pub const FAULT: &str = "AFTERIMAGE_FAULT";

impl DeviceOptions {
    /// The variables:
    ///
    /// | variable | |
    /// |---|---|
    /// | `AFTERIMAGE_CACHE` | [`DeviceOptions::cache`]; by default the user's cache folder; no cache if empty |
    /// | `AFTERIMAGE_FUSED`, `AFTERIMAGE_TUNE` | `auto`, `always` or `never` |
    /// | `AFTERIMAGE_FAULT` | faults to inject, in builds with the feature `faults` |
    /// | `WGPU_ADAPTER_NAME`, `WGPU_POWER_PREF` | the adapter, if none is named |
    /// | `WGPU_BACKEND` and others | as in wgpu |
    ///
    /// # Errors
    /// When a variable cannot be understood.
    pub fn from_env() -> Result<Self, EnvironmentError> {
        read(&|name| std::env::var_os(name))
    }
}

fn read(var: &dyn Fn(&str) -> Option<OsString>) -> Result<DeviceOptions, EnvironmentError> {
    let text = |name: &str| var(name).map(|text| text.to_string_lossy().into_owned());
    let choice = |name: &str| match text(name).as_deref().unwrap_or("auto") {
        "auto" | "" => Ok(Override::Auto),
        "always" => Ok(Override::Always),
        "never" => Ok(Override::Never),
        text => Err(EnvironmentError(format!("{name} is '{text}'; give auto, always or never"))),
    };
    let faults = text(FAULT).filter(|faults| !faults.is_empty());
    #[cfg(not(feature = "faults"))]
    if faults.is_some() {
        log::warn!("{FAULT} is set and has no effect: this build has no feature `faults`");
    }
    Ok(DeviceOptions {
        cache: cache_folder(var),
        fused: choice("AFTERIMAGE_FUSED")?,
        tune: choice("AFTERIMAGE_TUNE")?,
        adapter: text("WGPU_ADAPTER_NAME").filter(|name| !name.is_empty()),
        low_power: text("WGPU_POWER_PREF").is_some_and(|preference| preference.eq_ignore_ascii_case("low")),
        wgpu_variables: true,
        #[cfg(feature = "faults")]
        faults: crate::job::Faults::parse(&faults.unwrap_or_default(), crate::backend::gpu::ops::is_kernel)
            .map_err(|reason| EnvironmentError(format!("{FAULT} has {reason}")))?,
        ..DeviceOptions::default()
    })
}

/// The folder that caches what is known about this machine: `AFTERIMAGE_CACHE`, or the user's cache folder. `None` if
/// that is empty or unknown.
fn cache_folder(var: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(chosen) = var("AFTERIMAGE_CACHE") {
        return (!chosen.is_empty()).then(|| chosen.into());
    }
    // The base directory specification wants relative paths ignored.
    let folder = |name: &str| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let of_user = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
    };
    of_user.map(|folder| folder.join("afterimage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Result<DeviceOptions, EnvironmentError> {
        read(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn the_folder_is_the_users_unless_another_is_given() {
        let folder = |vars: &[(&str, &str)]| with(vars).expect("understood").cache;
        assert_eq!(folder(&[("AFTERIMAGE_CACHE", "here"), ("HOME", "/h")]), Some("here".into()));
        assert_eq!(folder(&[("AFTERIMAGE_CACHE", ""), ("HOME", "/h")]), None);
        assert_eq!(folder(&[]), None);
        if cfg!(all(unix, not(target_os = "macos"))) {
            assert_eq!(folder(&[("HOME", "/h")]), Some("/h/.cache/afterimage".into()));
            assert_eq!(folder(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")]), Some("/c/afterimage".into()));
            let relative = [("XDG_CACHE_HOME", "c"), ("HOME", "/h")];
            assert_eq!(folder(&relative), Some("/h/.cache/afterimage".into()));
        }
    }

    #[test]
    fn choices_are_read_and_others_refused() {
        let options = with(&[("AFTERIMAGE_FUSED", "never"), ("WGPU_ADAPTER_NAME", "1")]).expect("understood");
        assert_eq!((options.fused, options.tune), (Override::Never, Override::Auto));
        assert_eq!(options.adapter.as_deref(), Some("1"));
        let refused = with(&[("AFTERIMAGE_TUNE", "often")]).expect_err("no such choice").to_string();
        assert_eq!(refused, "AFTERIMAGE_TUNE is 'often'; give auto, always or never");
        let fault = with(&[(FAULT, "fire")]);
        assert_eq!(fault.is_err(), cfg!(feature = "faults"), "{fault:?}");
    }
}
