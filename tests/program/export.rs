//! `afterimage export`: what other programs make of the files.

use crate::exported::{SIZE, TOLERANCE, expected, fourier, grid, model, samples, uvs, worst};
use crate::models;
use crate::program::program;
use crate::rendering::{folder, saved};
use crate::skip::{Missing, skip};

use afterimage::compress::CompressedPicture;
use afterimage::export::{Extras, Precision, Target, export};
use afterimage::model::{Activation, Interpolation};
use afterimage::names::Named;
use afterimage::picture::{Depth, Pixels};
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;

/// Computes each exported file of a folder at the points in `uv`.
const RUN: &str = r#"
import glob, runpy, sys
import numpy as np
uv = np.fromfile("uv", "<f4").reshape(-1, 2)
for path in glob.glob("*.py"):
    if path != "run.py":
        runpy.run_path(path)["afterimage"](uv).astype("<f4").tofile(path + ".out")
if "onnx" in sys.argv:
    import onnxruntime
    for path in glob.glob("*.onnx"):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        colors, = session.run(["colors"], {"uv": uv})
        colors.astype("<f4").tofile(path + ".out")
"#;

fn export_of(dir: &Path, model: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.current_dir(dir).arg("export").arg(model).args(args);
    command
}

fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// The Python that tests use, if it has `package`.
fn python_with(package: &str) -> Option<String> {
    let python = std::env::var("AFTERIMAGE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = std::process::Command::new(&python).args(["-c", &format!("import {package}")]).output();
    import.is_ok_and(|output| output.status.success()).then_some(python)
}

#[test]
fn numpy_and_onnx_compute_what_render_does() {
    let Some(python) = python_with("numpy") else {
        skip(Missing::Software("no Python with NumPy (AFTERIMAGE_PYTHON names one)"));
        return;
    };
    let mut targets = vec![Target::Numpy];
    match python_with("onnxruntime") {
        Some(_) => targets.push(Target::Onnx),
        None => skip(Missing::Software("no Python with onnxruntime (AFTERIMAGE_PYTHON names one)")),
    }
    let dir = folder();
    let points: Vec<u8> = uvs(SIZE).as_flattened().iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(dir.path().join("uv"), points).expect("written");
    std::fs::write(dir.path().join("run.py"), RUN).expect("written");
    let mut wanted = Vec::new();
    for sample in samples() {
        for &precision in Precision::ALL {
            let (program, colors) = expected(&sample, precision, SIZE);
            for &target in &targets {
                let name = format!("{}-{precision}.{}", sample.name, target.extension());
                let exported = export(&program, target, &Extras::default()).expect("exported");
                std::fs::write(dir.path().join(&name), exported.file).expect("written");
                wanted.push((name, colors.clone()));
            }
        }
    }
    let with_onnx = targets.contains(&Target::Onnx).then_some("onnx");
    Command::new(python).current_dir(dir.path()).arg("run.py").args(with_onnx).assert().success();
    for (name, colors) in wanted {
        let worst = worst(&floats(&dir.path().join(format!("{name}.out"))), &colors);
        assert!(worst <= TOLERANCE, "{name}: {worst:e}");
    }
}

#[test]
fn a_numpy_file_is_a_program_that_writes_the_picture() {
    let Some(python) = python_with("numpy") else {
        skip(Missing::Software("no Python with NumPy (AFTERIMAGE_PYTHON names one)"));
        return;
    };
    let dir = folder();
    let path = saved(dir.path(), "m.safetensors", &models::model(3, Depth::U8));
    export_of(dir.path(), &path, &["--to", "numpy"]).assert().success().stdout(contains("m.py"));
    let text = std::fs::read_to_string(dir.path().join("m.py")).expect("the file");
    let code = text.split("def afterimage").nth(1).expect("the function");
    let n_lines = code.lines().take_while(|line| !line.starts_with("if ")).count();
    assert!(n_lines <= 10, "{n_lines} lines:\n{code}");
    let output = Command::new(python).current_dir(dir.path()).args(["m.py", "12", "7"]).assert().success();
    let picture = &output.get_output().stdout;
    assert!(
        picture.starts_with(b"P6 12 7 255\n") && picture.len() == 12 + 12 * 7 * 3,
        "{} bytes",
        picture.len()
    );
}

#[test]
fn python_decodes_a_compressed_picture_to_its_pixels() {
    let Some(python) = python_with("numpy") else {
        skip(Missing::Software("no Python with NumPy (AFTERIMAGE_PYTHON names one)"));
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    for name in ["astronaut", "far-grey", "far-colours"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/pictures/{name}.aim"));
        let file = std::fs::read(&path).expect("a file");
        let written = format!("{name}.py");
        export_of(dir.path(), &path, &["--to", "numpy"]).assert().success().stdout(contains(&written));
        let output = Command::new(&python).current_dir(dir.path()).arg(&written).assert().success();
        let picture = CompressedPicture::parse(&file).expect("a file").decode().expect("a picture");
        let Pixels::U8(values) = &picture.pixels else { panic!("8 bits") };
        let kind = if picture.channels == 1 { "P5" } else { "P6" };
        let head = format!("{kind} {} {} 255\n", picture.width, picture.height).into_bytes();
        assert!(output.get_output().stdout == [&head[..], values].concat(), "{name}");
    }
}

#[test]
fn of_a_compressed_picture_there_is_a_page_or_a_program() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let export = |args: &[&str]| export_of(dir.path(), &pictures.join("far-colours.aim"), args).assert();
    export(&["--to", "glsl"]).code(1).stderr(contains("has no colour at a point; give --to html or numpy"));
    export(&["--to", "html", "--precision", "f16"]).code(1).stderr(contains("leave --precision out"));
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png");
    export(&["--to", "html", "--original", &other.to_string_lossy()])
        .code(1)
        .stderr(contains("give the picture it was made of"));
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 0, "nothing is written");
    let mut render = Command::new(program());
    render.current_dir(dir.path()).arg("render").arg(pictures.join("far-colours.aim"));
    render.args(["--out", "same.png"]).assert().success();
    export(&["--to", "html", "--original", "same.png"]).success().stdout(contains("with a decoder"));
    let page = std::fs::read_to_string(dir.path().join("far-colours.html")).expect("a page");
    assert!(page.contains("id=\"divider\"") && !page.contains(" dB</p>"), "an exact copy has no decibels");
    export(&["--to", "html", "--out", "-"]).success().stdout(contains("<!DOCTYPE html>"));
}

/// Compiles the file with glslang, which must know the ending of its name.
fn compile(dir: &Path, name: &str, text: &str, args: &[&str]) {
    std::fs::write(dir.join(name), text).expect("written");
    let mut command = Command::new("glslangValidator");
    let output = command.current_dir(dir).args(args).arg(name).assert();
    let failed = |e| panic!("{name}: {e}");
    output.try_success().unwrap_or_else(failed);
}

#[test]
fn glsl_and_hlsl_compile() {
    if std::process::Command::new("glslangValidator").arg("--version").output().is_err() {
        let what = "glslangValidator is not installed";
        skip(if cfg!(target_os = "linux") { Missing::Software(what) } else { Missing::Other(what) });
        return;
    }
    let dir = folder();
    let head = "#version 300 es\nprecision highp float;\nprecision highp int;\nuniform vec3 iResolution;\n";
    for sample in samples() {
        for &precision in Precision::ALL {
            let (program, _) = expected(&sample, precision, SIZE);
            let [glsl, toy, hlsl] = [Target::Glsl, Target::Shadertoy, Target::Hlsl].map(|target| {
                let exported = export(&program, target, &Extras::default()).expect("exported");
                String::from_utf8(exported.file).expect("text")
            });
            let has_alpha = sample.model.channels().is_multiple_of(2);
            let color = |of: &str| if has_alpha { of.to_owned() } else { format!("vec4({of}, 1.0)") };
            let main =
                format!("out vec4 c;\nvoid main() {{ c = {}; }}\n", color("afterimage(gl_FragCoord.xy)"));
            compile(dir.path(), "a.frag", &format!("{head}{glsl}{main}"), &[]);
            let main = "out vec4 c;\nvoid main() { mainImage(c, gl_FragCoord.xy); }\n";
            compile(dir.path(), "b.frag", &format!("{head}{toy}{main}"), &[]);
            let value = color("afterimage(p.xy)").replace("vec4", "float4");
            let main = format!("float4 main(float4 p : SV_Position) : SV_Target {{ return {value}; }}\n");
            let args = ["-D", "-V", "-S", "frag", "-e", "main", "-o", "c.spv"];
            compile(dir.path(), "c.hlsl", &format!("{hlsl}{main}"), &args);
        }
    }
}

#[test]
fn what_is_asked_for_is_written_or_refused_in_a_sentence() {
    let dir = folder();
    let of_grid = model(grid(2, Interpolation::Linear), Activation::Relu, 3);
    let path = saved(dir.path(), "m.safetensors", &of_grid);
    let run = |args: &[&str]| export_of(dir.path(), &path, args).assert();
    run(&["--to", "wgsl", "--precision", "u8"]).success().stdout(contains("m.wgsl").and(contains("m.bin")));
    assert!(dir.path().join("m.wgsl").exists() && dir.path().join("m.bin").exists());
    run(&["--to", "wgsl"]).code(1).stderr(contains("m.wgsl exists; give --force"));
    run(&["--to", "glsl"]).code(1).stderr(contains("m.bin exists; give --force"));
    assert!(!dir.path().join("m.glsl").exists(), "half of it was written");
    run(&["--to", "glsl", "--force", "--quiet"]).success().stdout("");
    run(&["--to", "glsl", "--out", "-"]).code(1).stderr(contains("second file"));
    run(&["--to", "glsl", "--out", "x.bin"]).code(1).stderr(contains("another ending"));
    run(&["--to", "onnx", "--out", "-"])
        .success()
        .stdout(predicate::function(|bytes: &[u8]| bytes.starts_with(&[8])));
    run(&["--to", "numpy", "--out", "m.safetensors"]).code(1).stderr(contains("is an input"));
    run(&["--to", "numpy", "--original", "photo.png"]).code(1).stderr(contains("give --to html"));
    run(&["--to", "basic"]).code(2).stderr(contains("shadertoy"));
    run(&[]).code(2).stderr(contains("--to <TARGET>"));
}

#[test]
fn what_a_target_cannot_say_is_refused() {
    let dir = folder();
    let refused = |model, args: &[&str], why: &str| {
        let path = saved(dir.path(), "refused.safetensors", model);
        let output = export_of(dir.path(), &path, args).assert().code(1);
        output.stderr(contains("cannot be exported").and(contains(why)));
    };
    let flat = model(fourier(), Activation::Gaussian { scale: 0.0 }, 3);
    refused(&flat, &["--to", "glsl"], "scale 0");
    let mut large = model(fourier(), Activation::Relu, 3);
    large.params[3] = 1e5;
    refused(&large, &["--to", "glsl"], "--precision f32");
    let mut profiled = model(fourier(), Activation::Relu, 3);
    profiled.metadata.insert("icc_profile".to_owned(), "AAAA".to_owned());
    refused(&profiled, &["--to", "html"], "ICC profile");
    refused(&profiled, &["--to", "shadertoy"], "ICC profile");
    let of_grid = models_grid();
    refused(&of_grid, &["--to", "shadertoy"], "has room for 16384");
    // A model file with a weight that is none is not even read.
    let mut bytes = Vec::new();
    large.write(&mut bytes).expect("written");
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(dir.path().join("nan.safetensors"), bytes).expect("written");
    let output = export_of(dir.path(), Path::new("nan.safetensors"), &["--to", "onnx"]).assert().code(1);
    output.stderr(contains("must be finite"));
}

/// With a grid of more entries than Shadertoy takes.
fn models_grid() -> afterimage::model_file::ModelFile {
    use afterimage::model::{Encoding, EncodingSpec};
    let spec = EncodingSpec::DenseGrid {
        levels: 2,
        features_per_level: 2,
        base_resolution: 64,
        growth: 1.5,
        interpolation: Interpolation::Linear,
    };
    model(Encoding::new(spec, 1), Activation::Relu, 3)
}

/// The bar of 300 kB for the default Fourier model.
#[test]
fn a_fourier_model_of_usual_size_is_a_short_shader() {
    use afterimage::model::{Encoding, EncodingSpec};
    let mut usual =
        model(Encoding::new(EncodingSpec::Gaussian { features: 256, sigma: 10.0 }, 0), Activation::Relu, 3);
    usual.model.network.hidden_width = 128;
    usual.model.network.n_layers = 4;
    usual.params = afterimage::model::Init::HeNormal.draw(&usual.model, 7);
    let program = afterimage::export::Program::new(&usual, "usual", Precision::U8).expect("a program");
    let shader = export(&program, Target::Glsl, &Extras::default()).expect("a shader");
    assert!(shader.file.len() < 300_000 && shader.table.is_none(), "{} bytes", shader.file.len());
}
