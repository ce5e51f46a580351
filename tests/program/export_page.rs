//! An exported page in a browser: what it shows is what `render` makes.

use crate::exported::{Sample, expected, fourier, grid, model};
use crate::skip::{Missing, skip};

use afterimage::export::{Extras, Precision, Target, export};
use afterimage::model::{Activation, Interpolation};
use afterimage::model_file::ModelFile;
use afterimage::picture::{Depth, Picture, Pixels, load};
use afterimage::render::Size;
use std::path::Path;
use std::process::{Command, Stdio};

/// Larger than the smallest window of any browser.
const WINDOW: Size = Size { width: 640, height: 480 };

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

fn browser() -> Option<&'static str> {
    let runs = |name: &&str| {
        Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    let found = BROWSERS.into_iter().find(runs);
    if found.is_none() {
        let what = "Chromium is not installed";
        skip(if cfg!(target_os = "linux") { Missing::Software(what) } else { Missing::Other(what) });
    }
    found
}

/// What the browser shows of the page, with `flags` after its address and `options` of its own.
fn screenshot(browser: &str, dir: &Path, flags: &str, options: &[&str]) -> Picture {
    let shot = dir.join("shot.png");
    let mut command = Command::new(browser);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--hide-scrollbars",
    ]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    command.args([
        "--force-color-profile=srgb",
        "--force-device-scale-factor=1",
        "--virtual-time-budget=20000",
    ]);
    command.arg(format!("--user-data-dir={}", dir.join("profile").display()));
    command.arg(format!("--window-size={},{}", WINDOW.width, WINDOW.height));
    command.arg(format!("--screenshot={}", shot.display())).args(options);
    command.arg(format!("file://{}#picture{flags}", dir.join("page.html").display()));
    assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts").success());
    load(&shot).expect("a screenshot")
}

/// The largest difference between the middle of the screen and `colors`, in parts of 255.
fn worst(screen: &Picture, colors: &[f32], size: Size) -> f32 {
    let Pixels::U8(values) = &screen.pixels else { panic!("8 bits") };
    let (left, top) = ((screen.width - size.width) / 2, (screen.height - size.height) / 2);
    let pixels = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
    let differences = pixels.zip(colors.as_chunks::<3>().0).flat_map(|((x, y), color)| {
        let place = ((top + y) * screen.width + left + x) as usize * screen.channels;
        [0, 1, 2].map(|c| (f32::from(values[place + c]) - 255.0 * color[c]).abs())
    });
    differences.fold(0.0, f32::max)
}

/// Half a step of rounding to 8 bits, and what floats differ by.
const TOLERANCE: f32 = 0.5 + 255.0 * crate::exported::TOLERANCE;

fn check(browser: &str, model: ModelFile, precision: Precision, (flags, options): (&str, &[&str])) {
    let size = Size { width: 400, height: 300 };
    let model = ModelFile { width: size.width, height: size.height, ..model };
    let sample = Sample { name: "<page> & \"such\"".to_owned(), model };
    let (program, colors) = expected(&sample, precision, size);
    let page = export(&program, Target::Html, &Extras::default()).expect("a page");
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("page.html"), page.file).expect("written");
    let worst = worst(&screenshot(browser, dir.path(), flags, options), &colors, size);
    assert!(worst <= TOLERANCE, "{precision}{flags}: {worst} of 255");
}

const WEBGL2: (&str, &[&str]) = (",webgl2", &["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]);

#[test]
fn a_page_with_webgl2_shows_what_render_does() {
    let Some(browser) = browser() else { return };
    let leaky = Activation::LeakyRelu { slope: 0.1 };
    check(browser, model(grid(2, Interpolation::Linear), leaky, 3), Precision::F16, WEBGL2);
    check(browser, model(grid(8, Interpolation::Smoothstep), leaky, 3), Precision::U8, WEBGL2);
    check(browser, model(fourier(), Activation::Gelu, 3), Precision::F32, WEBGL2);
}

#[test]
fn a_page_is_one_file_without_addresses() {
    let sample = Sample { name: "photo".to_owned(), model: model(fourier(), Activation::Relu, 3) };
    let (program, _) = expected(&sample, Precision::F16, Size { width: 4, height: 4 });
    let original = Picture { width: 30, height: 20, channels: 3, pixels: Pixels::U8(vec![99; 1800]) };
    let extras = Extras { quality: Some("46.0 dB".to_owned()), original: Some(original) };
    let page = export(&program, Target::Html, &extras).expect("a page").file;
    let page = String::from_utf8(page).expect("text");
    assert!(
        page.contains("46.0 dB")
            && page.contains("data:image/png;base64,")
            && page.contains("id=\"divider\"")
    );
    for address in ["http:", "https:", "src=\"/", "@import", "url("] {
        assert!(!page.contains(address), "{address} in the page");
    }
    assert_eq!(sample.model.depth, Depth::U8);
}
