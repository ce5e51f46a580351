//! Early stopping, and measuring less often than every epoch.

use crate::program;
use crate::runs;

use assert_cmd::Command;
use predicates::str::contains;
use program::{program, resume};
use runs::{assert_same_run, manifest, metrics};
use std::path::{Path, PathBuf};

/// A run that learns its training pixels by heart: held-out PSNR rises and falls again.
fn overfit(out: &Path, epochs: &str) -> Command {
    let mut command = Command::new(program());
    command.arg("train").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    command.args([
        "--backend",
        "cpu",
        "--size",
        "32x32",
        "--hidden",
        "32",
        "--features",
        "64",
        "--sigma",
        "12",
    ]);
    command.args(["--holdout", "every-other", "--batch", "full", "--schedule", "constant"]);
    command.args(["--checkpoint-every", "7", "--epochs", epochs]).arg("--out").arg(out);
    command
}

/// Held-out PSNR of each measured epoch.
fn tests(run: &Path) -> Vec<(usize, f64)> {
    let rows = metrics(run).into_iter().skip(1).enumerate();
    rows.filter_map(|(epoch, row)| Some((epoch, row.rsplit(',').next()?.parse().ok()?))).collect()
}

#[test]
fn the_best_weights_are_kept() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (last, best) = (dir.path().join("last"), dir.path().join("best"));
    overfit(&last, "60").assert().success();
    overfit(&best, "60").args(["--keep", "best"]).assert().success().stdout(contains("kept from epoch"));
    assert_eq!(metrics(&last), metrics(&best), "what is kept does not change how it is trained");
    let (epoch, psnr) = tests(&best).into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("measured");
    assert!(epoch > 0 && epoch < 60, "the best epoch is {epoch}: this run does not overfit");
    assert_eq!(manifest(&best)["kept_epoch"], epoch);
    assert_eq!(manifest(&best)["psnr_test"], psnr);
    let picture = |run: PathBuf, name: &str| image::open(run.join(name)).expect("a picture").to_rgb8();
    assert!(
        picture(best.clone(), "final.png") == picture(best.join("epochs"), &format!("{epoch:05}.png")),
        "the final picture is the best epoch's"
    );
    assert!(picture(best, "final.png") != picture(last, "final.png"), "both runs end with one picture");
}

#[test]
fn the_best_weights_survive_a_stop() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    overfit(&whole, "60").args(["--keep", "best"]).assert().success();
    overfit(&parts, "45").args(["--keep", "best"]).assert().success();
    resume(&parts).args(["--epochs", "60"]).assert().success();
    assert_same_run(&parts, &whole);
}

#[test]
fn keeping_the_best_needs_held_out_pixels() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("run");
    let config = dir.path().join("run.toml");
    std::fs::write(&config, "[output]\nkeep = \"best\"\n").expect("written");
    let mut command = Command::new(program());
    command.args(["train", "assets/astronaut.png", "--config"]).arg(&config).arg("--out").arg(&out);
    command.assert().code(1).stderr(contains("add --holdout every-other"));
    assert!(!out.exists(), "a refused run created its folder");
}

#[test]
fn measuring_less_often_changes_only_what_is_written() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (every, some) = (dir.path().join("every"), dir.path().join("some"));
    overfit(&every, "13").assert().success();
    overfit(&some, "13").args(["--measure-every", "4", "--snapshot-every", "6"]).assert().success();
    let measured: Vec<usize> = tests(&some).into_iter().map(|(epoch, _)| epoch).collect();
    assert_eq!(measured, [0, 4, 6, 8, 12, 13]);
    let all = tests(&every);
    assert!(tests(&some).into_iter().all(|row| all.contains(&row)), "a measurement differs");
    assert_eq!(metrics(&some).len(), 15, "a header and epochs 0 to 13");
    let model = |run: &Path| std::fs::read(run.join("epochs/00012.png")).expect("a picture");
    assert_eq!(model(&every), model(&some));
    assert!(!some.join("epochs/00004.png").exists());
}
