//! `afterimage eval` of a compressed picture.

use super::{EvalArgs, Report, load};
use crate::cli::display;
use afterimage::compress::CompressedPicture;
use afterimage::picture::load::{Loaded, Reading};
use afterimage::picture::{Picture, SquaredError, save_png, ssim};
use afterimage::report::{Decibels, labelled_error_map};
use anyhow::{Context, bail};
use std::path::Path;
use std::process::ExitCode;

/// The picture at `image`, if a `decoded` one, from the file `model`, can have been made of it.
pub(in crate::cli) fn original(
    (image, reading): (&Path, Reading),
    (model, decoded): (&Path, &Picture),
    quiet: bool,
) -> anyhow::Result<Picture> {
    let Loaded { picture, notes, .. } = load(image, reading)?;
    if !quiet {
        notes.iter().for_each(|note| eprint_line!("{note}"));
    }
    let original = if decoded.channels < 3 { picture.grey_if_equal() } else { picture };
    let shape = |picture: &Picture| (picture.width, picture.height, picture.channels);
    if shape(decoded) != shape(&original) || original.is_hdr() {
        let text = |(width, height, channels)| format!("{width}x{height} with {channels}");
        let [made, given] = [decoded, &original].map(|picture| text(shape(picture)));
        let (model, image) = (model.display(), image.display());
        bail!("{model} has {made} channels and {image} {given}; give the picture it was made of");
    }
    Ok(original)
}

/// `afterimage eval`: the picture against the one it was made of.
pub(super) fn eval(args: &EvalArgs, compressed: &CompressedPicture) -> anyhow::Result<ExitCode> {
    if args.fit.is_some() {
        bail!("{} is a compressed picture, which has one size; leave --fit out", args.model.display());
    }
    let decoded = compressed.decode().with_context(|| format!("cannot read {}", args.model.display()))?;
    let reading = Reading { page: args.page, color: args.color.unwrap_or_default() };
    let original = original((&args.image, reading), (&args.model, &decoded), false)?;
    if let Some(out) = &args.error_map {
        save_png(&labelled_error_map((&decoded, &original), Default::default(), None), out)?;
    }
    let psnr = Decibels::of(SquaredError::between(&decoded, &original).psnr());
    let worst = (0..original.pixels.len())
        .map(|i| ((decoded.pixels.value(i) - original.pixels.value(i)).abs(), i / original.channels))
        .fold((0.0, 0), |worst, found| if found.0 > worst.0 { found } else { worst });
    let (x, y) = (worst.1 as u32 % original.width, worst.1 as u32 / original.width);
    let report = Report {
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
        bits_per_pixel: compressed.bits_per_pixel(),
    };
    display::report(args.json, &report, Report::print)?;
    Ok(ExitCode::SUCCESS)
}
