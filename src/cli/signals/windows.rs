//! Ctrl-C, Ctrl-Break and the end of the console.

use super::note;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

/// As if by SIGINT and SIGTERM elsewhere.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

static NOTICE: OnceLock<Option<&'static str>> = OnceLock::new();

pub(super) fn handle(notice: Option<&'static str>) -> io::Result<()> {
    NOTICE.get_or_init(|| notice);
    // SAFETY: the handler is a function of the type that the system expects, and lives as long as the program.
    let set = unsafe { SetConsoleCtrlHandler(Some(on_event), 1) };
    if set == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Called on a thread of its own.
unsafe extern "system" fn on_event(event: u32) -> BOOL {
    let typed = matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT);
    let code = if typed { INTERRUPTED } else { TERMINATED };
    if !note(code) {
        std::process::exit(i32::from(code));
    }
    if let Some(notice) = NOTICE.get().copied().flatten() {
        eprint_line!("{notice}");
    }
    // The console is closed: the system ends the program when this returns, or after about five seconds. Until then
    // the results are written, and the program ends by itself.
    while !typed {
        std::thread::sleep(Duration::from_secs(1));
    }
    1
}
