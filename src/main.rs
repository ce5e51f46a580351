//! The `afterimage` program: parse, run, print the error.

use std::process::ExitCode;

#[macro_use]
mod output;
mod cli;

fn main() -> ExitCode {
    silence_device_select();
    let code = cli::run().unwrap_or_else(|error| {
        eprint_line!("error: {error:#}");
        ExitCode::FAILURE
    });
    output::finish(code)
}

/// Mesa's device-select layer asks the desktop for its preferred GPU and complains on stderr if there is no desktop.
/// The program chooses for itself, so the layer is disabled there.
fn silence_device_select() {
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: this is the first statement of main; no other thread exists that could read the environment.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}
