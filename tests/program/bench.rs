//! `afterimage bench` through the program: what it reports, not how fast.

use crate::program;

use assert_cmd::Command;
use predicates::str::contains;
use program::program;
use serde_json::Value;

fn bench(options: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("bench").args(options);
    command
}

#[test]
fn figures_follow_from_one_another() {
    let options = ["--backend", "cpu", "--threads", "1", "--size", "64", "--seconds", "0.05", "--json"];
    let output = bench(&options).assert().success().get_output().stdout.clone();
    let report: Value = serde_json::from_slice(&output).expect("JSON");
    assert_eq!(report["threads"], 1);
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap_or_else(|| panic!("{key} in {value}"));
    let ceiling = number(&report["ceilings"], "gflop_per_second");
    let jobs = report["jobs"].as_array().expect("jobs");
    assert_eq!(jobs.len(), 1, "only one job has a picture as small as that");
    let job = &jobs[0];
    assert_eq!(job["job"], "seed 64x64 full batch");
    assert_eq!((number(job, "samples"), number(job, "weights")), (4096.0, 263_683.0));
    let (ms, samples) = (number(job, "ms"), number(job, "samples_per_second"));
    let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
    assert!(number(job, "ms_fastest") <= ms && ms <= number(job, "ms_slowest"));
    assert!(close(samples, 4096e3 / ms));
    // 2 (3 W - W_0) for W = 262,912 and W_0 = 131,072.
    assert!(close(number(job, "gflop_per_second"), samples * 1_315_328e-9));
    assert!(close(number(job, "share_of_ceiling"), number(job, "gflop_per_second") / ceiling));
    // Weights, two moments, the packed weights and the gradients are 4 bytes each.
    assert!(number(job, "bytes") > 5.0 * 4.0 * 263_683.0);
}

#[test]
fn what_means_nothing_is_refused() {
    for (options, sentence) in [
        (
            ["--jobs", "unknown"].as_slice(),
            "no job's name contains `unknown`; there are: seed 64x64 full batch",
        ),
        (&["--seconds", "0"], "seconds is 0: give a number above 0"),
        (&["--seconds", "-1"], "seconds is -1: give a number above 0"),
        (&["--backend", "cpu", "--adapter", "x"], "--adapter names a GPU and --backend cpu uses none"),
    ] {
        bench(options).assert().code(1).stderr(contains(sentence));
    }
}
