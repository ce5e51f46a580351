//! `afterimage inspect` of a compressed picture.

use super::InspectArgs;
use afterimage::compress::{CompressedPicture, MAGIC};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

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
        bits_per_pixel: picture.bits_per_pixel(),
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
