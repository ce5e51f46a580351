//! Animated PNG: all colours, larger files.

use super::{Frames, failed};
use crate::atomic_write::{Durability, atomic_write};
use crate::report::ReportError;
use std::io::{self, Write};
use std::path::Path;

pub(super) fn save(path: &Path, frames: &Frames) -> Result<(), ReportError> {
    atomic_write(path, Durability::Cached, |out| encode(out, frames)).map_err(|e| failed(path, e))
}

fn encode(out: &mut impl Write, frames: &Frames) -> io::Result<()> {
    let mut encoder = png::Encoder::new(out, frames.size.0, frames.size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_filter(png::Filter::Adaptive);
    encoder.set_animated(frames.len() as u32, 0)?;
    let milliseconds = |seconds: f64| (seconds * 1000.0).round().clamp(1.0, f64::from(u16::MAX)) as u16;
    encoder.set_frame_delay(milliseconds(frames.durations[0]), 1000)?;
    let mut writer = encoder.write_header()?;
    for (i, &seconds) in frames.durations.iter().enumerate() {
        writer.set_frame_delay(milliseconds(seconds), 1000)?;
        writer.write_image_data(&frames.load(i).map_err(io::Error::other)?)?;
    }
    Ok(writer.finish()?)
}
