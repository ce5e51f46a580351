//! `afterimage film`: every format, and what is refused.

use crate::skip::{Missing, skip};
use crate::small;

use assert_cmd::Command;
use image::AnimationDecoder;
use image::codecs::{gif::GifDecoder, png::PngDecoder};
use predicates::prelude::*;
use predicates::str::contains;
use small::{program, train};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn run_in(dir: &Path, epochs: &str) -> PathBuf {
    let run = dir.join("portrait");
    assert!(train(&run, epochs).status().expect("the program starts").success());
    run
}

fn film(dir: &Path, run: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.current_dir(dir).arg("film").arg(run).args(args);
    command
}

/// Milliseconds of each frame, and the last frame.
fn frames(path: &Path) -> (Vec<u32>, image::RgbaImage) {
    let reader = BufReader::new(File::open(path).expect("the film"));
    let frames = match path.extension().and_then(|e| e.to_str()) {
        Some("gif") => GifDecoder::new(reader).expect("a GIF").into_frames().collect_frames(),
        _ => PngDecoder::new(reader).expect("a PNG").apng().expect("animated").into_frames().collect_frames(),
    };
    let frames = frames.expect("frames");
    let delay = |frame: &image::Frame| {
        let (numerator, denominator) = frame.delay().numer_denom_ms();
        numerator / denominator
    };
    (frames.iter().map(delay).collect(), frames.last().expect("a frame").buffer().clone())
}

/// The final picture, seven times as large, as the film ends.
fn assert_ends_as(last: &image::RgbaImage, run: &Path, tolerance: f64) {
    let end = image::open(run.join("final.png")).expect("final.png").into_rgb8();
    assert_eq!(last.dimensions(), (280, 210));
    let difference = |(x, y): (u32, u32)| {
        let (found, expected) = (last.get_pixel(7 * x + 3, 7 * y + 3).0, end.get_pixel(x, y).0);
        (0..3).map(|c| f64::from(found[c].abs_diff(expected[c]))).sum::<f64>() / 3.0
    };
    let total: f64 = (0..30).flat_map(|y| (0..40).map(move |x| (x, y))).map(difference).sum();
    assert!(total / 1200.0 < tolerance, "{} levels of difference on average", total / 1200.0);
}

#[test]
fn gif_and_png_films_are_slow_at_first_and_hold_the_end() {
    let dir = folder();
    let run = run_in(dir.path(), "12");
    film(dir.path(), &run, &[]).assert().success().stdout(contains("13 frames"));
    film(dir.path(), &run, &["--out", "b.apng", "--hold", "1.5"]).assert().success();
    for (name, hold, tolerance) in [("portrait.gif", 2500, 12.0), ("b.apng", 1500, 1e-9)] {
        let (delays, last) = frames(&dir.path().join(name));
        assert_eq!((delays.len(), delays[12]), (13, hold), "{name}: {delays:?}");
        assert!(delays[..12].windows(2).all(|w| w[0] >= w[1]) && delays[0] > 2 * delays[11], "{delays:?}");
        assert_ends_as(&last, &run, tolerance);
    }
    film(dir.path(), &run, &["--out", "c.png", "--fps", "20"]).assert().success();
    let (delays, _) = frames(&dir.path().join("c.png"));
    assert_eq!(delays[..12], [50; 12]);
}

#[test]
fn a_video_is_made_by_ffmpeg_or_refused_without_it() {
    let dir = folder();
    let run = run_in(dir.path(), "3");
    // Without ffmpeg in any folder.
    let mut without = film(dir.path(), &run, &["--out", "film.mp4"]);
    without.env("PATH", dir.path()).assert().code(1).stderr(contains("needs the program ffmpeg"));
    assert!(!dir.path().join("film.mp4").exists());
    if std::process::Command::new("ffmpeg").arg("-version").output().is_err() {
        skip(Missing::Software("ffmpeg is not installed"));
        return;
    }
    for (name, start) in [("film.mp4", &b"ftyp"[..]), ("film.webp", &b"WEBP"[..])] {
        film(dir.path(), &run, &["--out", name]).assert().success();
        let bytes = std::fs::read(dir.path().join(name)).expect("the film");
        assert!(bytes[..16].windows(4).any(|w| w == start), "{name} starts otherwise");
    }
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("the folder").flatten().collect();
    assert_eq!(left.len(), 3, "the run and two films: {left:?}");
}

/// A program in the place of ffmpeg that fails as it does.
#[cfg(unix)]
#[test]
fn a_failing_ffmpeg_is_quoted() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    let run = run_in(dir.path(), "2");
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    std::fs::write(bin.join("ffmpeg"), "#!/bin/sh\necho 'Unknown encoder h264' >&2\nexit 1\n")
        .expect("written");
    std::fs::set_permissions(bin.join("ffmpeg"), std::fs::Permissions::from_mode(0o755)).expect("executable");
    let mut failing = film(dir.path(), &run, &["--out", "film.mp4"]);
    failing
        .env("PATH", &bin)
        .assert()
        .code(1)
        .stderr(contains("could not make film.mp4 (Unknown encoder h264)"));
    assert!(!dir.path().join("film.mp4").exists());
}

#[test]
fn bad_input_is_refused_in_a_sentence() {
    let dir = folder();
    let run = run_in(dir.path(), "1");
    std::fs::write(dir.path().join("taken.gif"), "mine").expect("written");
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).expect("made");
    let cases: [(&Path, &[&str], i32, &str); 8] = [
        (&run, &["--out", "a.avi"], 1, "does not have the extension of a film"),
        (&run, &["--out", "taken.gif"], 1, "give --force"),
        (&run, &["--fps", "0"], 1, "outside 0.1 to 50"),
        (&run, &["--fps", "nan"], 1, "outside 0.1 to 50"),
        (&run, &["--hold", "-1"], 1, "outside 0 to 60"),
        (&run, &["--width", "3"], 2, "3 is not in 16..=8192"),
        (&empty, &[], 1, "there is no run in it"),
        (&dir.path().join("none"), &[], 1, "there is no run in it"),
    ];
    for (run, args, code, message) in cases {
        let refused = film(dir.path(), run, args).assert().code(code);
        refused.stderr(contains(message)).stderr(contains("panicked").not());
    }
    assert_eq!(std::fs::read(dir.path().join("taken.gif")).expect("read"), b"mine");
    std::fs::write(run.join("epochs/00001.png"), "broken").expect("written");
    film(dir.path(), &run, &[]).assert().code(1).stderr(contains("00001.png"));
    assert!(!dir.path().join("portrait.gif").exists());
    std::fs::remove_dir_all(run.join("epochs")).expect("removed");
    film(dir.path(), &run, &[]).assert().code(1).stderr(contains("nothing to film"));
}
