//! `afterimage render` on a GPU.

use crate::device;
use crate::models;

use afterimage::picture::{Depth, Picture, Pixels, load};
use assert_cmd::Command;
use models::model;
use predicates::str::contains;
use std::path::Path;

fn render(dir: &Path, backend: &str, args: &[&str]) -> Picture {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("afterimage"));
    command.current_dir(dir).arg("render").arg("m.safetensors").args(["--backend", backend, "--force"]);
    let assert = command.args(["--out", "out.png"]).args(args).assert().success();
    if backend == "gpu" {
        assert.stderr(contains("rendering on"));
    }
    load(&dir.join("out.png")).expect("rendered")
}

fn values(picture: &Picture) -> &[u16] {
    let Pixels::U16(values) = &picture.pixels else { panic!("{:?}", picture.depth()) };
    values
}

#[test]
fn gpu_and_cpu_render_the_same_picture() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    model(3, Depth::U16).save(&dir.path().join("m.safetensors")).expect("written");
    for args in
        [&["--size", "301x203"][..], &["--size", "11x7"][..], &["--size", "11x7", "--samples", "1"][..]]
    {
        let (gpu, cpu) = (render(dir.path(), "gpu", args), render(dir.path(), "cpu", args));
        assert_eq!((gpu.width, gpu.height), (cpu.width, cpu.height));
        let worst = values(&gpu).iter().zip(values(&cpu)).map(|(a, b)| a.abs_diff(*b)).max();
        // 2e-5 of the range: f32 through three layers.
        assert!(worst <= Some(2), "{args:?}: {worst:?} of 65535");
    }
}

#[test]
fn a_crop_on_a_gpu_is_a_part_of_the_whole() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    model(3, Depth::U16).save(&dir.path().join("m.safetensors")).expect("written");
    let whole = render(dir.path(), "gpu", &["--size", "200x100"]);
    let part = render(dir.path(), "gpu", &["--size", "200x100", "--crop", "37,21,90,50"]);
    for y in 0..50 {
        let row = ((y + 21) * 200 + 37) * 3;
        assert!(values(&whole)[row..row + 270] == values(&part)[y * 270..][..270], "row {y} differs");
    }
}
