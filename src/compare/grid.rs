//! What is compared: sizes and optimisers as given, and the pictures of folders.

use super::method::Method;
use super::{CompareError, Result};
use crate::config::OptimizerKind;
use crate::picture::Format;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The size pictures are trained at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Their own size.
    Native,
    /// Pixels of the longer side, or of both sides of a square.
    Pixels(u32),
}

/// Maximum length of the longer side.
pub const MAX_SIZE: u32 = 16_384;

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "native" {
            return Ok(Self::Native);
        }
        let side = text.parse().ok().filter(|side| (1..=MAX_SIZE).contains(side));
        side.map(Self::Pixels).ok_or_else(|| {
            format!("`{text}` is not a size; give pixels of the longer side, 1 to {MAX_SIZE}, or `native`")
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.write_str("native"),
            Self::Pixels(side) => side.fmt(f),
        }
    }
}

/// The grid that every picture is trained with.
#[derive(Clone, Debug, PartialEq)]
pub struct Axes {
    /// Sizes.
    pub sizes: Vec<Size>,
    /// Encodings and presets, the columns of the tables.
    pub methods: Vec<Method>,
    /// Optimisers; presets have their own.
    pub optimizers: Vec<OptimizerKind>,
    /// Seeds 0..seeds.
    pub seeds: u64,
}

/// Maximum number of seeds.
pub const MAX_SEEDS: u64 = 1000;

impl Axes {
    /// Checks that nothing is empty or named twice.
    ///
    /// # Errors
    /// One sentence about what is wrong.
    pub fn check(&self) -> Result<()> {
        fn once<T: PartialEq + fmt::Display>(what: &str, items: &[T]) -> Result<()> {
            if items.is_empty() {
                return Err(CompareError::Grid(format!("there are no {what} to compare; give at least one")));
            }
            match items.iter().enumerate().find(|(i, item)| items[..*i].contains(item)) {
                Some((_, twice)) => {
                    Err(CompareError::Grid(format!("{twice} is named twice among the {what}; name it once")))
                }
                None => Ok(()),
            }
        }
        once("sizes", &self.sizes)?;
        once("encodings and presets", &self.methods)?;
        once("optimizers", &self.optimizers.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let has_preset = self.methods.iter().any(|m| matches!(m, Method::Preset(_)));
        if has_preset && self.optimizers.len() > 1 {
            return Err(CompareError::Grid(
                "presets have their own update rules; leave --optimizers out, or --presets".to_owned(),
            ));
        }
        match self.seeds {
            1..=MAX_SEEDS => Ok(()),
            n => Err(CompareError::Grid(format!("seeds is {n}: give 1 to {MAX_SEEDS}"))),
        }
    }
}

/// A picture to compare on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its file's name without the extension.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
}

/// The pictures among `given` files and folders. Folders are not searched recursively; hidden files and those without
/// a picture's extension are skipped; their pictures are sorted by name. A file named explicitly may have any
/// extension.
///
/// # Errors
/// When a folder has no picture, or two pictures would share a name.
pub fn sources(given: &[PathBuf]) -> Result<Vec<Source>> {
    let mut paths = Vec::new();
    for path in given {
        if path.is_dir() {
            paths.extend(pictures_in(path)?);
        } else {
            paths.push(path.clone());
        }
    }
    let mut sources: Vec<Source> = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        // Names become folders, and some file systems are case-insensitive.
        if let Some(other) = sources.iter().find(|s| s.name.to_lowercase() == name.to_lowercase()) {
            return Err(CompareError::Grid(format!(
                "{} and {} would share the name `{name}`; rename one, or leave one out",
                other.path.display(),
                path.display()
            )));
        }
        sources.push(Source { name, path });
    }
    match sources.is_empty() {
        true => Err(CompareError::Grid("there is no picture to compare on; give at least one".to_owned())),
        false => Ok(sources),
    }
}

fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .map_err(|e| CompareError::Grid(format!("the folder {} cannot be read ({e})", folder.display())))?;
    let is_picture = |path: &PathBuf| {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        path.is_file() && !hidden && ending.is_some_and(|e| Format::is_read(&e))
    };
    let mut pictures: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_picture).collect();
    pictures.sort();
    match pictures.is_empty() {
        true => Err(CompareError::Grid(format!(
            "the folder {} has no pictures; give a picture or a folder with some",
            folder.display()
        ))),
        false => Ok(pictures),
    }
}

#[cfg(test)]
mod tests {
    use super::super::EncodingChoice;
    use super::*;

    #[test]
    fn sizes_have_limits() {
        assert_eq!("32".parse(), Ok(Size::Pixels(32)));
        assert_eq!("native".parse(), Ok(Size::Native));
        for text in ["0", "-1", "16385", "32x32", ""] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_is_compared_with_itself() {
        let axes = Axes {
            sizes: vec![Size::Pixels(32)],
            methods: vec![Method::Encoding(EncodingChoice::gaussian(1.0))],
            optimizers: vec![OptimizerKind::Adam],
            seeds: 1,
        };
        assert!(axes.check().is_ok());
        let text = |axes: Axes| axes.check().unwrap_err().to_string();
        let twice =
            ["gaussian:1", "gaussian:1.0"].map(|text| Method::Encoding(text.parse().unwrap())).to_vec();
        assert!(text(Axes { methods: twice, ..axes.clone() }).contains("gaussian:1 is named twice"));
        assert!(text(Axes { sizes: vec![], ..axes.clone() }).contains("no sizes"));
        assert!(text(Axes { seeds: 0, ..axes }).contains("seeds is 0"));
    }

    #[test]
    fn folders_give_their_pictures_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.PNG", "a.jpg", "notes.txt", ".hidden.png"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names =
            |given: &[PathBuf]| sources(given).map(|s| s.into_iter().map(|s| s.name).collect::<Vec<_>>());
        assert_eq!(names(&[folder.path().to_owned()]).unwrap(), ["a", "b"]);
        let twice = [folder.path().to_owned(), folder.path().join("A.png")];
        assert!(names(&twice).unwrap_err().to_string().contains("share the name `A`"));
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        assert!(names(&[folder.path().join("empty")]).unwrap_err().to_string().contains("no pictures"));
    }
}
