//! `afterimage export` of a compressed picture.

use super::{ExportArgs, Output, refused};
use crate::cli::eval::aim::original;
use afterimage::compress::CompressedPicture;
use afterimage::export::{Extras, check_compressed, export_compressed};
use afterimage::picture::SquaredError;
use anyhow::{Context, bail};
use std::process::ExitCode;

pub(super) fn export(
    args: &ExportArgs,
    picture: &CompressedPicture,
    file: &[u8],
) -> anyhow::Result<ExitCode> {
    if args.precision.is_some() {
        bail!(
            "{} is a compressed picture, whose numbers stay as they are; leave --precision out",
            args.model.display()
        );
    }
    check_compressed(args.to).map_err(refused(args))?;
    let name = args.model.file_stem().unwrap_or_default().to_string_lossy();
    let output = Output::new(args, &name, &args.model)?;
    let decoded = picture.decode().with_context(|| format!("cannot read {}", args.model.display()))?;
    let original = args
        .original
        .as_deref()
        .map(|image| original((image, Default::default()), (&args.model, &decoded), args.quiet));
    let original = original.transpose()?;
    let psnr = original.as_ref().map(|original| SquaredError::between(&decoded, original).psnr());
    let quality = psnr.filter(|db| db.is_finite()).map(|db| format!("{db:.1} dB"));
    let exported =
        export_compressed(&name, file, args.to, &Extras { quality, original }).map_err(refused(args))?;
    output.write(&exported, ", with a decoder to the same pixels as `afterimage render`")?;
    Ok(ExitCode::SUCCESS)
}
