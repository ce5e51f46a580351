//! `afterimage film`: a film of a run's progress, or of a compressed picture from coarse to fine.

use super::model::check_output;
use super::{compressed, signals};
use afterimage::compress::CompressedPicture;
use afterimage::picture::save_png;
use afterimage::report::{Film, Pacing, ReportError, check_film_name, save_film_unless};
use afterimage::run::RunFolder;
use anyhow::bail;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  afterimage film runs/photo                          # photo.gif: slow at first, last frame held
  afterimage film runs/photo --out photo.mp4          # needs ffmpeg
  afterimage film runs/photo --out photo.apng --width 800
  afterimage film runs/photo --fps 20 --out all.gif   # every snapshot, 20 a second
  afterimage film photo.aim                           # a compressed picture, grid by grid";

/// Make a film of a run's progress, or of a compressed picture from coarse to fine
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct FilmArgs {
    /// The folder of a run, or a compressed picture (.aim)
    run: PathBuf,
    /// The film: .gif, .apng or .png; with the program ffmpeg also .mp4, .mov or .webp
    /// [default: NAME.gif here]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// Every snapshot, this many per second [default: up to 60 in 5 seconds, the early ones longer; 2 a second of a
    /// compressed picture]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    fps: Option<f64>,
    /// Maximum width in pixels; larger pictures are scaled down, tiny ones enlarged by a whole factor [default: 400,
    /// for .mp4 and .mov 1080]
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(u32).range(16..=8192))]
    width: Option<u32>,
    /// Seconds for which the last frame is shown
    #[arg(long, value_name = "S", default_value_t = Film::default().hold, allow_negative_numbers = true)]
    hold: f64,
    /// Print only errors
    #[arg(short, long)]
    quiet: bool,
}

/// Grids of a compressed picture that are added in a second.
const GRIDS_A_SECOND: f64 = 2.0;

/// The pictures of ever more grids, as files in `folder`, numbered.
fn refinements(picture: &CompressedPicture, folder: &Path) -> anyhow::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for (n, refined) in (1..).zip(picture.refinements()) {
        let file = folder.join(format!("{n}.png"));
        save_png(&refined?, &file)?;
        files.push((n, file));
    }
    Ok(files)
}

pub(super) fn run(args: &FilmArgs) -> anyhow::Result<ExitCode> {
    signals::handle(None)?;
    if args.fps.is_some_and(|fps| !(0.1..=50.0).contains(&fps)) {
        bail!("--fps {} is outside 0.1 to 50", args.fps.unwrap_or_default());
    }
    if !(0.0..=60.0).contains(&args.hold) {
        bail!("--hold {} is outside 0 to 60 seconds", args.hold);
    }
    let picture = compressed::open(&args.run)?;
    let folder = if picture.is_none() { Some(RunFolder::look(&args.run)?) } else { None };
    let run = std::path::absolute(&args.run)?;
    let name = if folder.is_some() { run.file_name() } else { run.file_stem() };
    let name = name.unwrap_or_default().to_string_lossy();
    let out = args.out.clone().unwrap_or_else(|| format!("{name}.gif").into());
    check_film_name(&out)?;
    check_output(&out, args.force, &[&args.run])?;
    let temporary = tempfile::tempdir()?;
    let snapshots = match (&picture, &folder) {
        (Some(picture), _) => refinements(picture, temporary.path())?,
        (None, Some(folder)) => {
            folder.snapshots().into_iter().map(|epoch| (epoch, folder.snapshot(epoch))).collect()
        }
        (None, None) => Vec::new(),
    };
    if snapshots.is_empty() {
        bail!("{} has no pictures in epochs/, so there is nothing to film", args.run.display());
    }
    let default = Film::default();
    let is_video =
        out.extension().is_some_and(|e| e.eq_ignore_ascii_case("mp4") || e.eq_ignore_ascii_case("mov"));
    let max_size = match args.width {
        // A height that never limits.
        Some(width) => [width, 8 * width],
        None if is_video => [1080, 1080],
        None => default.max_size,
    };
    let film = match args.fps.or(picture.is_some().then_some(GRIDS_A_SECOND)) {
        Some(fps) => {
            Film { pacing: Pacing::Constant(fps), max_frames: usize::MAX, max_size, hold: args.hold }
        }
        None => Film { max_size, hold: args.hold, ..default },
    };
    match save_film_unless(&signals::stop_requested, &out, &snapshots, &film) {
        // A signal from the terminal also ends ffmpeg, which then fails.
        Err(ReportError::Stopped | ReportError::Film(_)) if signals::stop_requested() => {
            bail!(signals::NOTHING_WRITTEN)
        }
        saved => saved?,
    }
    if !args.quiet {
        let n_frames = snapshots.len().min(film.max_frames);
        let size_bytes = std::fs::metadata(&out)?.len();
        print_line!("{}  {n_frames} frames, {:.1} MB", out.display(), size_bytes as f64 / 1e6);
    }
    Ok(ExitCode::SUCCESS)
}
