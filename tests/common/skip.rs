//! Tests that cannot run where they are. None passes in silence: each says what it lacks, and
//! `tests/run.sh` lists them all at its end.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// The file that skipped tests are written to, a line each.
const LIST: &str = "AFTERIMAGE_SKIPS";

#[derive(Clone, Copy)]
pub(crate) enum Missing<'a> {
    /// What `tests/install.sh` installs. CI has it, so there the test fails.
    Software(&'a str),
    /// What this device cannot do, or what takes too long unless asked for.
    Other(&'a str),
}

/// Says that the test, or a part of it, is skipped. The caller returns.
pub(crate) fn skip(missing: Missing<'_>) {
    let is_ci = std::env::var("CI").is_ok_and(|value| !["", "0", "false"].contains(&value.as_str()));
    let thread = std::thread::current();
    let line = line(thread.name().unwrap_or("a test"), missing, is_ci);
    // Straight to the terminal: the test harness keeps what passing tests print to itself.
    _ = writeln!(std::io::stderr(), "\nSKIPPED {line}");
    if let Some(list) = std::env::var_os(LIST) {
        append(list.as_ref(), &line);
    }
}

fn line(test: &str, missing: Missing<'_>, is_ci: bool) -> String {
    let (Missing::Software(what) | Missing::Other(what)) = missing;
    let can_install = matches!(missing, Missing::Software(_));
    assert!(!(is_ci && can_install), "skipped in CI, which can install what is missing: {what}");
    format!("{test}: {}\n", what.replace('\n', " "))
}

/// In one write, since several processes append at once.
fn append(list: &Path, line: &str) {
    let file = OpenOptions::new().append(true).create(true).open(list);
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    written.unwrap_or_else(|e| panic!("{LIST}={}: {e}", list.display()));
}

#[test]
fn what_is_skipped_is_listed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("skips");
    append(&list, &line("one", Missing::Software("no\nffmpeg"), false));
    append(&list, &line("two", Missing::Other("no f16"), true));
    let text = std::fs::read_to_string(&list).expect("the list");
    assert_eq!(text, "one: no ffmpeg\ntwo: no f16\n");
}

#[test]
#[should_panic(expected = "skipped in CI")]
fn what_ci_can_install_is_not_skipped_there() {
    line("one", Missing::Software("no ffmpeg"), true);
}
