//! `afterimage render` of a compressed picture.

use super::{Output, RenderArgs, Source};
use crate::cli::compressed::size_of;
use afterimage::compress::CompressedPicture;
use afterimage::picture::{Depth, RowsOf, write_rows};
use afterimage::render::{Crop, Samples, View};
use anyhow::{Context, bail};
use std::process::ExitCode;
use std::time::Instant;

/// Some rows, and of each only the columns of the crop, as parts of a file.
fn parts(picture: &CompressedPicture, crop: Crop) -> anyhow::Result<Vec<f32>> {
    let rows = picture.rows(crop.y..crop.y + crop.size.height)?;
    let (channels, width) = (picture.shape().channels, picture.shape().width as usize);
    let columns = crop.x as usize * channels..(crop.x + crop.size.width) as usize * channels;
    let values = rows.chunks_exact(width * channels).flat_map(|row| &row[columns.clone()]);
    Ok(values.map(|&value| f32::from(value) / 255.0).collect())
}

/// `afterimage render`: the picture, or a part of it.
pub(super) fn render(args: &RenderArgs, picture: &CompressedPicture) -> anyhow::Result<ExitCode> {
    if args.size.is_some() || args.scale.is_some() {
        bail!(
            "{} is a compressed picture of {}, which has only that size; leave --size and --scale out",
            args.model.display(),
            size_of(picture)
        );
    }
    if !args.mean.is_empty() {
        bail!("{} is a compressed picture, and --mean averages models; leave it out", args.model.display());
    }
    let start = Instant::now();
    let whole = size_of(picture);
    let size = View::new(whole, args.crop, Samples::PerSide(1))?.size();
    let crop = args.crop.unwrap_or(Crop { x: 0, y: 0, size: whole });
    let name = args.model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let channels = picture.shape().channels;
    let source = Source { name: &name, channels, depth: Depth::U8 };
    let output = Output::new(args, &source, &[&args.model], size)?;
    let decoded = parts(picture, crop).with_context(|| format!("cannot read {}", args.model.display()))?;
    let rows = RowsOf { width: size.width, height: size.height, channels, depth: Depth::U8, profile: None };
    write_rows(&output.path, output.target, rows, std::iter::once(decoded))?;
    output.finish(args, size, start.elapsed().as_secs_f64())
}
