//! Compressed pictures (.aim) where other commands take models.

use super::eval::{self, EvalArgs};
use super::inspect::InspectArgs;
use super::render::{Output, RenderArgs, Source};
use crate::output::written;
use afterimage::compress::{CompressedPicture, MAGIC};
use afterimage::picture::load::MAX_DECODED_BYTES;
use afterimage::picture::{Depth, Picture, RowsOf, SquaredError, save_png, ssim, write_rows};
use afterimage::render::{Crop, Samples, Size, View};
use afterimage::report::{Decibels, labelled_error_map};
use anyhow::{Context, bail};
use serde::Serialize;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// The compressed picture at `path`; none if the file is of another kind.
pub(super) fn open(path: &Path) -> anyhow::Result<Option<CompressedPicture>> {
    if !path.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut bytes = Vec::new();
    let mut read = |n: u64| file.by_ref().take(n).read_to_end(&mut bytes);
    let n = read(MAGIC.len() as u64).with_context(|| format!("cannot read {}", path.display()))?;
    if n < 3 || bytes[..3] != MAGIC[..3] {
        return Ok(None);
    }
    file.take(MAX_DECODED_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    CompressedPicture::parse(&bytes).map(Some).with_context(|| format!("cannot read {}", path.display()))
}

/// Refuses a compressed picture where only a model will do.
pub(super) fn refuse(path: &Path, what: &str) -> anyhow::Result<()> {
    if open(path)?.is_some() {
        bail!("{} is a compressed picture, of which there is no {what}; give a model", path.display());
    }
    Ok(())
}

fn size_of(picture: &CompressedPicture) -> Size {
    Size { width: picture.shape().width, height: picture.shape().height }
}

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
    let start = Instant::now();
    let whole = size_of(picture);
    let size = View::new(whole, args.crop, Samples::PerSide(1))?.size();
    let crop = args.crop.unwrap_or(Crop { x: 0, y: 0, size: whole });
    let name = args.model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let channels = picture.shape().channels;
    let source = Source { name: &name, file: &args.model, channels, depth: Depth::U8 };
    let Output { path, target, to_stdout, .. } = &Output::new(args, &source, size)?;
    let decoded = parts(picture, crop).with_context(|| format!("cannot read {}", args.model.display()))?;
    let rows = RowsOf { width: size.width, height: size.height, channels, depth: Depth::U8, profile: None };
    write_rows(path, *target, rows, std::iter::once(decoded))?;
    if *to_stdout {
        let mut file = File::open(path).context("cannot read the temporary file")?;
        written(std::io::copy(&mut file, &mut std::io::stdout().lock()).map(|_| ()));
    } else if !args.quiet {
        print_line!("{}  {size}  {:.1} s", path.display(), start.elapsed().as_secs_f64());
    }
    Ok(ExitCode::SUCCESS)
}

/// `afterimage eval`: the picture against the one it was made of.
pub(super) fn eval(args: &EvalArgs, compressed: &CompressedPicture) -> anyhow::Result<ExitCode> {
    if args.fit.is_some() {
        bail!("{} is a compressed picture, which has one size; leave --fit out", args.model.display());
    }
    let decoded = compressed.decode().with_context(|| format!("cannot read {}", args.model.display()))?;
    let original = eval::read_picture(args, decoded.channels)?;
    let shape = |picture: &Picture| (picture.width, picture.height, picture.channels);
    if shape(&decoded) != shape(&original) || original.is_hdr() {
        bail!(
            "{} has {} with {} channels and {} {}x{} with {}; give the picture it was made of",
            args.model.display(),
            size_of(compressed),
            decoded.channels,
            args.image.display(),
            original.width,
            original.height,
            original.channels
        );
    }
    if let Some(out) = &args.error_map {
        save_png(&labelled_error_map((&decoded, &original), Default::default(), None), out)?;
    }
    let psnr = Decibels::of(SquaredError::between(&decoded, &original).psnr());
    let worst = (0..original.pixels.len())
        .map(|i| ((decoded.pixels.value(i) - original.pixels.value(i)).abs(), i / original.channels))
        .fold((0.0, 0), |worst, found| if found.0 > worst.0 { found } else { worst });
    let (x, y) = (worst.1 as u32 % original.width, worst.1 as u32 / original.width);
    let report = eval::Report {
        model: args.model.clone(),
        image: args.image.clone(),
        width: original.width,
        height: original.height,
        is_hdr: false,
        resized: false,
        peak: 1.0,
        psnr,
        psnr_train: None,
        psnr_test: None,
        psnr_8bit: psnr,
        ssim: ssim(&decoded, &original),
        max_error: f64::from(worst.0),
        max_error_at: [x, y],
        n_params: compressed.n_weights(),
        file_bytes: compressed.file_bytes() as u64,
        bits_per_pixel: bits_per_pixel(compressed),
    };
    report.show(args.json)?;
    Ok(ExitCode::SUCCESS)
}

fn bits_per_pixel(picture: &CompressedPicture) -> f64 {
    let size = size_of(picture);
    8.0 * picture.file_bytes() as f64 / (f64::from(size.width) * f64::from(size.height))
}

#[derive(Serialize)]
struct Grid {
    width: usize,
    height: usize,
    bytes: usize,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    format: String,
    file_bytes: usize,
    bits_per_pixel: f64,
    width: u32,
    height: u32,
    channels: usize,
    n_params: usize,
    network_bytes: usize,
    grids: Vec<Grid>,
}

/// `afterimage inspect`: what a file holds, and where its bytes are.
pub(super) fn inspect(args: &InspectArgs, picture: &CompressedPicture) -> anyhow::Result<ExitCode> {
    let shape = picture.shape();
    let report = Report {
        file: args.model.clone(),
        format: format!("afterimage compressed picture, version {}", MAGIC[3]),
        file_bytes: picture.file_bytes(),
        bits_per_pixel: bits_per_pixel(picture),
        width: shape.width,
        height: shape.height,
        channels: shape.channels,
        n_params: picture.n_weights(),
        network_bytes: picture.network_bytes(),
        grids: picture
            .grids()
            .into_iter()
            .map(|(width, height, bytes)| Grid { width, height, bytes })
            .collect(),
    };
    if args.json {
        print_line!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(ExitCode::SUCCESS);
    }
    print_line!("{}", report.file.display());
    let channels = ["grey", "grey with alpha", "RGB", "RGBA"][report.channels - 1];
    print_line!("  picture   {}x{}, {channels}, 8 bits, sRGB", report.width, report.height);
    print_line!("  format    {}", report.format);
    print_line!("  size      {} bytes, {:.4} bits per pixel", report.file_bytes, report.bits_per_pixel);
    print_line!("  networks  {} weights, {} bytes", report.n_params, report.network_bytes);
    for grid in &report.grids {
        print_line!("  grid      {:>5} x {:<5} {:>9} bytes", grid.width, grid.height, grid.bytes);
    }
    Ok(ExitCode::SUCCESS)
}
