//! Compressed pictures with a decoder: the file as it is, in a page or a Python program.

use super::page::{self, Drawn};
use super::program::plain_name;
use super::{Exported, Extras, Target};
use crate::compress::{CompressedPicture, FormatError, START_WEIGHTS, Shape};
use base64::prelude::{BASE64_STANDARD, Engine};
use std::borrow::Cow;

const DECODER_JS: &str = include_str!("page/decode.js");
const PIXELS_JS: &str = include_str!("page/pixels.js");
const DECODER_PY: &str = include_str!("decode.py");

/// Refuses targets that compressed pictures are not exported to.
///
/// # Errors
/// In a sentence that says to which they are.
pub fn check_compressed(target: Target) -> Result<(), String> {
    match target {
        Target::Html | Target::Numpy => Ok(()),
        _ => Err("it is a compressed picture, which is decoded as a whole and has no colour at a point; \
                  give --to html or numpy, or export a model"
            .to_owned()),
    }
}

/// A compressed picture, the bytes of `file`, as a page or a Python file that decodes it to the same pixels as
/// [`CompressedPicture::decode`]. A page also has the `extras`.
///
/// # Errors
/// When the file is none, or for another target, in a sentence.
pub fn export_compressed(
    name: &str,
    file: &[u8],
    target: Target,
    extras: &Extras,
) -> Result<Exported, String> {
    let picture = CompressedPicture::parse(file).map_err(|error: FormatError| error.to_string())?;
    check_compressed(target)?;
    let text = match target {
        Target::Html => page(name, &picture, file, extras),
        _ => source(name, &picture, file),
    };
    Ok(Exported { file: text.into_bytes(), table: None })
}

fn page(name: &str, picture: &CompressedPicture, file: &[u8], extras: &Extras) -> String {
    let Shape { width, height, .. } = *picture.shape();
    let encoded = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    page::document(&Drawn {
        name,
        size: [width, height],
        about: format!("{} bytes, {:.3} bits per pixel", file.len(), picture.bits_per_pixel()),
        wait: "Decoding …",
        side: "compressed",
        original: extras.original.as_ref().map(Cow::Borrowed),
        quality: extras.quality.as_deref(),
        table: None,
        data: vec![("file", encoded(file)), ("start", encoded(START_WEIGHTS))],
        script: format!("{DECODER_JS}{PIXELS_JS}"),
    })
}

fn source(name: &str, picture: &CompressedPicture, file: &[u8]) -> String {
    let Shape { width, height, channels, .. } = *picture.shape();
    let kind = if channels == 1 { "P5" } else { "P6" };
    let constant = |bytes: &[u8]| format!("base64.b64decode(\"{}\")", BASE64_STANDARD.encode(bytes));
    format!(
        "\"\"\"{name}: a picture compressed by afterimage, {width}x{height}, {bytes} bytes.\n\n\
         picture() decodes it to ({height}, {width}, {channels}) numbers of 8 bits, in about 20 s and 400 MB a megapixel.\n\
         As a program: python FILE > picture.ppm\"\"\"\n\
         import base64, bisect, functools, math, struct, sys, numpy as np\n\
         FILE = {file}\n\
         START = np.frombuffer({start}, \"<i2\").astype(\"i4\")\n\
         {DECODER_PY}\n\n\
         if __name__ == \"__main__\":\n    \
         sys.stdout.buffer.write(b\"{kind} {width} {height} 255\\n\" + picture().tobytes())\n",
        name = plain_name(name),
        bytes = file.len(),
        file = constant(file),
        start = constant(START_WEIGHTS),
    )
}
