//! MP4, QuickTime and animated WebP through the ffmpeg program.

use super::Frames;
use crate::atomic_write::{Durability, atomic_write};
use crate::report::ReportError;
use image::RgbImage;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Frames a second of the file; a frame that stays longer is repeated.
const FPS: f64 = 25.0;

pub(super) fn save(path: &Path, frames: &Frames) -> Result<(), ReportError> {
    let error = |source| ReportError::Write { path: path.to_owned(), source };
    let folder = tempfile::tempdir().map_err(error)?;
    let name = Path::new("film").with_extension(path.extension().unwrap_or_default());
    let film = folder.path().join(name.to_string_lossy().to_lowercase());
    let mut child = start(&film, even(frames.size)).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => ReportError::Film(format!(
            "{} needs the program ffmpeg, which was not found; install it, or make a .gif or .apng",
            path.display()
        )),
        _ => error(e),
    })?;
    let mut pipe = child.stdin.take().expect("its input is a pipe");
    let sent = send(&mut pipe, frames);
    drop(pipe);
    let reason = finish(child).map_err(error)?;
    // ffmpeg closes its input when it gives up, and says why.
    if let Some(broken) = sent.err().and_then(|e| e.downcast::<ReportError>().ok()) {
        return Err(broken);
    }
    if let Some(reason) = reason {
        return Err(ReportError::Film(format!(
            "ffmpeg could not make {} ({reason}); make a .gif or .apng, or install ffmpeg with more codecs",
            path.display()
        )));
    }
    let copy = |out: &mut io::BufWriter<&File>| io::copy(&mut File::open(&film)?, out).map(|_| ());
    atomic_write(path, Durability::Cached, copy).map_err(error)
}

/// H.264 in the form that every player shows has half as many colours as pixels along each side.
fn even((width, height): (u32, u32)) -> (u32, u32) {
    (width.next_multiple_of(2), height.next_multiple_of(2))
}

fn start(film: &Path, (width, height): (u32, u32)) -> io::Result<Child> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]);
    command.args(["-s", &format!("{width}x{height}"), "-r", &FPS.to_string(), "-i", "-"]);
    match film.extension().and_then(|e| e.to_str()) {
        Some("webp") => command.args(["-loop", "0", "-quality", "85"]),
        // Said in the file, or players guess the colours by its size.
        _ => command.args([
            "-vf",
            "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
            "-colorspace",
            "bt709",
            "-color_primaries",
            "bt709",
            "-color_trc",
            "iec61966-2-1",
            "-crf",
            "18",
            "-movflags",
            "+faststart",
        ]),
    };
    command.arg(film).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
}

fn send(pipe: &mut ChildStdin, frames: &Frames) -> io::Result<()> {
    let (mut due, mut sent) = (0.0, 0u64);
    for (i, seconds) in frames.durations.iter().enumerate() {
        let frame = frames.load(i).map_err(io::Error::other)?;
        let frame = padded(&frame);
        due += seconds * FPS;
        // Counted from the start, so that the rounding does not add up; every frame is seen.
        let copies = (due.round() as u64).saturating_sub(sent).max(1);
        for _ in 0..copies {
            pipe.write_all(&frame)?;
        }
        sent += copies;
    }
    Ok(())
}

/// The frame with its last row or column repeated where a side is odd.
fn padded(frame: &RgbImage) -> RgbImage {
    let (width, height) = even(frame.dimensions());
    RgbImage::from_fn(width, height, |x, y| {
        *frame.get_pixel(x.min(frame.width() - 1), y.min(frame.height() - 1))
    })
}

/// Waits for its end; the reason, if it failed.
fn finish(child: Child) -> io::Result<Option<String>> {
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let reason = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
    Ok(Some(reason.trim().to_owned()))
}
