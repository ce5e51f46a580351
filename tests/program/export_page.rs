//! An exported page in a browser: what it shows is what `render` makes.

use crate::exported::{Sample, expected, fourier, grid, model};
use crate::skip::{Missing, skip};

use afterimage::compress::CompressedPicture;
use afterimage::export::{Extras, Precision, Target, export, export_compressed};
use afterimage::model::{Activation, Interpolation};
use afterimage::model_file::ModelFile;
use afterimage::picture::{self, Converter, Curve, Depth, Format, Picture, Pixels, Transfer, load};
use afterimage::render::Size;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

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
    // Over white, as in a file of 8 bits that has no alpha.
    let kind = (sample.model.channels(), sample.model.depth);
    let file =
        picture::Target::new(Format::of(Path::new("a.jpg")).expect("known"), kind, None).expect("a target");
    let colors = Converter::new(kind.0, kind.1, file).floats(&colors);
    let page = export(&program, Target::Html, &Extras::default()).expect("a page");
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("page.html"), page.file).expect("written");
    let worst = worst(&screenshot(browser, dir.path(), flags, options), &colors, size);
    assert!(worst <= TOLERANCE, "{precision}{flags}: {worst} of 255");
}

const WEBGL2: (&str, &[&str]) = (",webgl2", &["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]);

/// `chromedriver`, which is asked in HTTP: unlike a screenshot of the browser's own, it can wait for a GPU.
struct Driver {
    process: Child,
    port: String,
    session: String,
}

impl Driver {
    /// With a browser that has a software WebGPU; none where there is no chromedriver.
    fn start(browser: &str, dir: &Path) -> Option<Self> {
        let process = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn().ok()?;
        let mut driver = Self { process, port: String::new(), session: String::new() };
        let mut lines = BufReader::new(driver.process.stdout.take()?).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("started successfully on port"))?;
        driver.port = line.rsplit(' ').next()?.trim_end_matches('.').to_owned();
        let options = [
            "--headless",
            "--no-sandbox",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
            "--enable-unsafe-webgpu",
            "--use-webgpu-adapter=swiftshader",
            "--enable-features=Vulkan",
            "--use-vulkan=swiftshader",
            "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader",
            "--window-size=640,640",
        ];
        let profile = format!("--user-data-dir={}", dir.join("profile").display());
        let options: Vec<String> = options.map(str::to_owned).into_iter().chain([profile]).collect();
        let binary = std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|folder| folder.join(browser))
            .find(|f| f.exists())?;
        let chrome = json!({ "args": options, "binary": binary });
        let begun = driver.ask(
            "POST",
            "session",
            &json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": chrome } } }),
        );
        driver.session =
            begun["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {begun}")).to_owned();
        Some(driver)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream =
            TcpStream::connect(format!("127.0.0.1:{}", self.port)).expect("chromedriver listens");
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let head =
            format!("{method} /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).expect("sent");
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("an answer");
            let lower = line.to_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).expect("all of it");
        serde_json::from_slice::<Value>(&answer).expect("JSON")["value"].take()
    }

    fn in_session(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(method, &format!("session/{}/{path}", self.session), body)
    }

    /// What the page has been drawn with, once it is.
    fn drawn(&self) -> String {
        let script = json!({ "script": "return document.documentElement.dataset.drawn", "args": [] });
        let end = Instant::now() + Duration::from_secs(120);
        while Instant::now() < end {
            if let Some(drawn) = self.in_session("POST", "execute/sync", &script).as_str() {
                return drawn.to_owned();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("nothing is drawn after two minutes");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.ask("DELETE", &format!("session/{}", self.session), &Value::Null);
        }
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

#[test]
fn a_page_with_webgpu_shows_what_render_does() {
    let Some(browser) = browser() else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let Some(driver) = Driver::start(browser, dir.path()) else {
        return skip(Missing::Other("chromedriver is not installed"));
    };
    let size = Size { width: 400, height: 300 };
    let model = ModelFile {
        width: size.width,
        height: size.height,
        ..model(grid(2, Interpolation::Linear), Activation::Silu, 3)
    };
    let (program, colors) = expected(&Sample { name: "page".to_owned(), model }, Precision::F16, size);
    let page = export(&program, Target::Html, &Extras::default()).expect("a page");
    std::fs::write(dir.path().join("page.html"), page.file).expect("written");
    let address = format!("file://{}#picture", dir.path().join("page.html").display());
    driver.in_session("POST", "url", &json!({ "url": address }));
    let drawn = driver.drawn();
    let shot = driver.in_session("GET", "screenshot", &Value::Null);
    let shot = BASE64_STANDARD.decode(shot.as_str().expect("a screenshot")).expect("base64");
    std::fs::write(dir.path().join("shot.png"), shot).expect("written");
    let worst = worst(&load(&dir.path().join("shot.png")).expect("a PNG"), &colors, size);
    assert!(worst <= TOLERANCE, "{drawn}: {worst} of 255");
    if drawn != "WebGPU" {
        skip(Missing::Other("this browser has no WebGPU and used WebGL2"));
    }
}

#[test]
fn a_page_with_webgl2_shows_what_render_does() {
    let Some(browser) = browser() else { return };
    let leaky = Activation::LeakyRelu { slope: 0.1 };
    check(browser, model(grid(2, Interpolation::Linear), leaky, 3), Precision::F16, WEBGL2);
    check(browser, model(grid(8, Interpolation::Smoothstep), leaky, 3), Precision::U8, WEBGL2);
    check(browser, model(fourier(), Activation::Gelu, 3), Precision::F32, WEBGL2);
    let transparent = model(fourier(), Activation::Silu, 4);
    check(browser, transparent.clone(), Precision::F16, WEBGL2);
    let mut hdr = transparent;
    (hdr.depth, hdr.transfer) = (Depth::F32, Transfer { scale: 4.0, curve: Curve::Log });
    hdr.model.network.output_activation = Activation::Identity;
    check(browser, hdr, Precision::F32, WEBGL2);
}

#[test]
fn a_page_decodes_a_compressed_picture_to_its_pixels() {
    let Some(browser) = browser() else { return };
    for name in ["astronaut", "far-grey", "far-colours"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/pictures/{name}.aim"));
        let file = std::fs::read(path).expect("a file");
        let page = export_compressed(name, &file, Target::Html, &Extras::default()).expect("a page").file;
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("page.html"), page).expect("written");
        let picture = CompressedPicture::parse(&file).expect("a file").decode().expect("a picture");
        let value = |i: usize, c: usize| picture.pixels.value(i * picture.channels + c % picture.channels);
        let colors: Vec<f32> = (0..3 * picture.n_pixels() as usize).map(|n| value(n / 3, n % 3)).collect();
        let size = Size { width: picture.width, height: picture.height };
        let worst = worst(&screenshot(browser, dir.path(), "", &[]), &colors, size);
        assert!(worst < 0.01, "{name}: {worst} of 255");
    }
}

/// Draws a shader of Shadertoy in the middle of the window.
const TOY: &str = r#"<!DOCTYPE html><body style="background: #000">
<canvas width="@WIDTH@" height="@HEIGHT@" style="position: fixed; left: 50%; top: 50%; transform: translate(-50%, -50%)"></canvas>
<script id="toy" type="text/plain">#version 300 es
precision highp float;
precision highp int;
uniform vec3 iResolution;
@SHADER@
out vec4 color;
void main() { mainImage(color, gl_FragCoord.xy); }</script>
<script>
const canvas = document.querySelector("canvas"), gl = canvas.getContext("webgl2"), program = gl.createProgram();
const corners = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }`;
for (const [kind, text] of [[gl.VERTEX_SHADER, corners], [gl.FRAGMENT_SHADER, document.getElementById("toy").textContent]]) {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, text);
  gl.compileShader(shader);
  gl.attachShader(program, shader);
}
gl.linkProgram(program);
gl.useProgram(program);
gl.uniform3f(gl.getUniformLocation(program, "iResolution"), canvas.width, canvas.height, 1);
gl.drawArrays(gl.TRIANGLES, 0, 3);
</script>"#;

#[test]
fn glsl_with_constants_shows_what_render_does() {
    let Some(browser) = browser() else { return };
    let of_grid = |features| model(grid(features, Interpolation::Linear), Activation::Gelu, 3);
    let all = [
        (of_grid(2), Precision::U8),
        (of_grid(1), Precision::F32),
        (model(fourier(), Activation::Silu, 3), Precision::U8),
        (model(fourier(), Activation::Gabor { w0: 2.0, scale: 1.0 }, 3), Precision::F32),
    ];
    let size = Size { width: 400, height: 300 };
    for (model, precision) in all {
        let model = ModelFile { width: size.width, height: size.height, ..model };
        let sample = Sample { name: "toy".to_owned(), model };
        let (program, colors) = expected(&sample, precision, size);
        let shader = export(&program, Target::Shadertoy, &Extras::default()).expect("a shader").file;
        let page = TOY.replace("@WIDTH@", "400").replace("@HEIGHT@", "300");
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(
            dir.path().join("page.html"),
            page.replace("@SHADER@", &String::from_utf8_lossy(&shader)),
        )
        .expect("written");
        let worst = worst(&screenshot(browser, dir.path(), "", WEBGL2.1), &colors, size);
        assert!(worst <= TOLERANCE, "{precision}: {worst} of 255");
    }
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
