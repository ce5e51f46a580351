//! The pictures of a folder, a list or a tar archive, in an order that does not depend on the machine.

use super::{CollectError, Result};
use crate::picture::{self, Format, Loaded, PictureError, Reading};
use crate::read_file::read_whole;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A picture of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path in the folder, the list or the archive.
    pub name: String,
    /// What the list says, or the name of the folder that it is in.
    pub label: Option<String>,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Archived { archive: Arc<Path>, start: u64, size_bytes: u64 },
}

impl Source {
    fn new(name: String, place: Place) -> Self {
        let folder = match &place {
            Place::File(path) => path.parent().and_then(Path::file_name),
            Place::Archived { .. } => Path::new(&name).parent().and_then(Path::file_name),
        };
        let label = folder.map(|folder| folder.to_string_lossy().into_owned());
        Self { name, label, place }
    }

    /// Reads the picture.
    ///
    /// # Errors
    /// As [`picture::read`].
    pub fn load(&self, reading: Reading) -> Result<Loaded, PictureError> {
        match &self.place {
            Place::File(path) => picture::read(path, reading),
            Place::Archived { archive, start, size_bytes } => {
                let bytes = read_part(archive, *start, *size_bytes)
                    .map_err(|source| PictureError::Read { path: PathBuf::from(&self.name), source })?;
                picture::load::parse(&bytes, Path::new(&self.name), reading)
            }
        }
    }
}

fn read_part(path: &Path, start: u64, size_bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let end = start.checked_add(size_bytes);
    if end.is_none_or(|end| end > file.metadata().map_or(0, |metadata| metadata.len())) {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends before it"));
    }
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; size_bytes as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Maximum size of a list.
const MAX_LIST_BYTES: u64 = 1 << 30;

/// The pictures of a folder and those below it, of a list (a path a line, and after a tab a label), or of a tar archive.
/// Of folders and archives, hidden files and those without a picture's extension are skipped.
///
/// # Errors
/// When it cannot be read, is none of these, or has no pictures.
pub fn sources(path: &Path) -> Result<Vec<Source>> {
    let failed = |e| CollectError::file(path, e);
    let is_folder = std::fs::metadata(path).map_err(failed)?.is_dir();
    let mut found = if is_folder {
        let mut found = Vec::new();
        let root = path.canonicalize().map_err(failed)?;
        walk(path, String::new(), &mut vec![root], &mut found)?;
        found
    } else if is_archive(path).map_err(failed)? {
        archived(path).map_err(failed)?
    } else {
        return listed(path);
    };
    found.sort_by(|a, b| a.name.cmp(&b.name));
    match found.is_empty() {
        true => {
            let what =
                format!("{} has no pictures; give a folder, a list or a tar archive of some", path.display());
            Err(CollectError::Unusable(what))
        }
        false => Ok(found),
    }
}

fn is_picture(name: &str) -> bool {
    let ending = Path::new(name).extension().map(|ending| ending.to_string_lossy().to_lowercase());
    !name.starts_with('.') && ending.is_some_and(|ending| Format::is_read(&ending))
}

/// Adds the pictures of `folder` and those below it; `above` are the real paths of it and the folders around it, since
/// links can lead in a circle.
fn walk(folder: &Path, prefix: String, above: &mut Vec<PathBuf>, found: &mut Vec<Source>) -> Result<()> {
    let failed = |e| CollectError::file(folder, e);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let own = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = format!("{prefix}{own}");
        if path.is_dir() && !own.starts_with('.') {
            let real = path.canonicalize().map_err(|e| CollectError::file(&path, e))?;
            if !above.contains(&real) {
                above.push(real);
                walk(&path, format!("{name}/"), above, found)?;
                above.pop();
            }
        } else if path.is_file() && is_picture(&own) {
            found.push(Source::new(name, Place::File(path)));
        }
    }
    Ok(())
}

/// Where a tar archive's first header has the format's name.
const MAGIC: (u64, &[u8]) = (257, b"ustar");

fn is_archive(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut start = [0; 262];
    let n = file.by_ref().take(start.len() as u64).read(&mut start)?;
    let is_tar = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tar"));
    if start[..n].starts_with(&[0x1f, 0x8b]) {
        let what = "it is compressed, so its pictures cannot be read one by one; unpack it, or gunzip it";
        return Err(io::Error::other(what));
    }
    Ok(is_tar || start[MAGIC.0 as usize..] == *MAGIC.1)
}

fn archived(path: &Path) -> io::Result<Vec<Source>> {
    let archive: Arc<Path> = path.into();
    let mut found = Vec::new();
    for entry in tar::Archive::new(File::open(path)?).entries_with_seek()? {
        let entry = entry?;
        let name = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
        let own = name.rsplit('/').next().unwrap_or_default();
        if entry.header().entry_type().is_file() && is_picture(own) {
            let (start, size_bytes) = (entry.raw_file_position(), entry.size());
            found.push(Source::new(
                name,
                Place::Archived { archive: Arc::clone(&archive), start, size_bytes },
            ));
        }
    }
    Ok(found)
}

/// The pictures that a text file names, in its order.
fn listed(path: &Path) -> Result<Vec<Source>> {
    let bytes = read_whole(path, MAX_LIST_BYTES).map_err(|e| CollectError::file(path, e))?;
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.filter(|text| !text.contains('\0')).ok_or_else(|| {
        let what = "is neither a folder nor a tar archive nor a list of pictures (a text with a path a line, and \
                    after a tab a label)";
        CollectError::Unusable(format!("{} {what}", path.display()))
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let source = |line: &str| {
        let (name, label) = line.split_once('\t').map_or((line, None), |(name, label)| (name, Some(label)));
        let source = Source::new(name.to_owned(), Place::File(folder.join(name)));
        Source { label: label.map(str::to_owned).or(source.label), ..source }
    };
    let found: Vec<Source> = text.lines().filter(|line| !line.trim().is_empty()).map(source).collect();
    match found.is_empty() {
        true => {
            Err(CollectError::Unusable(format!("the list {} is empty; write a path a line", path.display())))
        }
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `NAME of LABEL` of each.
    fn named(path: &Path) -> Vec<String> {
        let named = |s: Source| format!("{} of {}", s.name, s.label.as_deref().unwrap_or("none"));
        sources(path).expect("pictures").into_iter().map(named).collect()
    }

    #[test]
    fn folders_archives_and_lists_name_pictures_and_labels() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("root");
        let pixel = Picture { width: 1, height: 1, channels: 1, pixels: Pixels::U8(vec![7]) };
        std::fs::create_dir_all(root.join("cat/.hidden")).expect("folders");
        for name in ["cat/b.png", "cat/a.png", "top.png", "cat/.c.png", "cat/.hidden/d.png"] {
            picture::save_png(&pixel, &root.join(name)).expect("a picture");
        }
        std::fs::write(root.join("notes.txt"), "top.png\tbird of prey\n\ncat/a.png\n").expect("a list");
        let pictures = ["cat/a.png of cat", "cat/b.png of cat", "top.png of root"];
        assert_eq!(named(&root), pictures);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("..", root.join("cat/circle")).expect("a link");
            assert_eq!(named(&root), pictures, "a link to a folder above is not followed");
            std::fs::remove_file(root.join("cat/circle")).expect("removed");
        }
        assert_eq!(named(&root.join("notes.txt")), ["top.png of bird of prey", "cat/a.png of cat"]);

        let archive = folder.path().join("pictures.tar");
        let mut tar = tar::Builder::new(File::create(&archive).expect("a file"));
        tar.append_dir_all(".", &root).expect("archived");
        tar.finish().expect("written");
        let archived =
            ["cat/.hidden/d.png of .hidden", "cat/a.png of cat", "cat/b.png of cat", "top.png of none"];
        assert_eq!(named(&archive), archived);
        let found = sources(&archive).expect("pictures");
        assert_eq!(found[1].load(Reading::default()).expect("read").picture, pixel);
        // An archive that was cut short is noticed where it is read, or when.
        let bytes = std::fs::read(&archive).expect("read");
        let start = bytes.windows(8).position(|w| w == b"\x89PNG\r\n\x1a\n").expect("a picture");
        std::fs::write(&archive, &bytes[..start + 20]).expect("written");
        assert!(sources(&archive).is_err() || found.iter().any(|s| s.load(Reading::default()).is_err()));
    }

    #[test]
    fn what_has_no_pictures_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let why = |path: &Path| {
            let error = sources(path).expect_err("no pictures");
            format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string))
        };
        assert!(why(folder.path()).contains("has no pictures"));
        let file = folder.path().join("list");
        for (bytes, reason) in [
            (&b"\n \n"[..], "is empty"),
            (b"\x89PNG\r\n", "is neither a folder"),
            (b"\x1f\x8b\x08", "compressed"),
        ] {
            std::fs::write(&file, bytes).expect("written");
            assert!(why(&file).contains(reason), "{}", why(&file));
        }
        assert!(why(&folder.path().join("none")).contains("cannot use"));
    }

    use crate::picture::{Picture, Pixels};
}
