//! The `afterimage` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    silence_device_select();
    afterimage::cli::main(std::env::args_os())
}

/// Mesa's device-select layer asks the desktop for its preferred GPU and complains on stderr if there is no desktop.
/// The program chooses for itself, so the layer is disabled there.
fn silence_device_select() {
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: this is the first statement of main; no other thread exists that could read the environment.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}
