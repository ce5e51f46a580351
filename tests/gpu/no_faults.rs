//! In the place of `faults.rs` where the feature `faults` is off: nothing goes wrong on purpose.

use crate::device;
use crate::program::train_on;
use crate::runs;
use crate::skip::{Missing, skip};

use afterimage::environment::FAULT;

#[test]
fn devices_fail_on_purpose() {
    skip(Missing::Other("built without --features faults"));
}

#[test]
fn no_device_can_be_made_to_fail_on_purpose() {
    if device::open(false).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [undisturbed, asked] = ["undisturbed", "asked"].map(|name| dir.path().join(name));
    let mut command = train_on("gpu", &undisturbed, "4");
    assert!(command.status().expect("the program starts").success());
    let mut command = train_on("gpu", &asked, "4");
    command.env(FAULT, "lose-device@0,break-kernel=reduce_loss").stderr(std::process::Stdio::piped());
    let output = command.output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("no effect"), "{text}");
    assert!(!text.contains("reopening it"), "{text}");
    runs::assert_same_run(&asked, &undisturbed);
}
