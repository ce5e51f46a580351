//! A picture that is in no file, kept in the run's folder so that the run can be resumed and repeated.

use crate::picture::Format;
use std::path::Path;

const STEM: &str = "input";

/// A picture's file as it came through standard input.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Input {
    /// The picture in `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The name of its file: `input.png` and so on.
    pub(super) fn name(&self) -> String {
        let format = image::guess_format(&self.bytes).ok();
        let extension = format.and_then(|format| format.extensions_str().first()).unwrap_or(&"img");
        format!("{STEM}.{extension}")
    }
}

/// Whether a file in a run folder is such a picture.
pub(super) fn is_input(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    path.file_stem().is_some_and(|stem| stem == STEM) && (extension == "img" || Format::is_read(extension))
}
