//! SIGINT, SIGTERM and SIGHUP.

use super::note;
use libc::c_int;
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use std::io;

pub(super) fn handle(notice: Option<&'static str>) -> io::Result<()> {
    let all = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
    let ours: Vec<c_int> = all.into_iter().filter(|&signal| is_default(signal)).collect();
    for &signal in &ours {
        let code = 128 + signal as u8;
        let act = move || {
            if !note(code) {
                low_level::exit(c_int::from(code));
            }
        };
        // SAFETY: it changes an atomic number and may call `_exit`, both of which a signal handler may do.
        unsafe { low_level::register(signal, act) }?;
    }
    if let Some(notice) = notice {
        // Printing is for a thread, not for a signal handler.
        let mut signals = Signals::new(ours)?;
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            if signals.forever().next().is_some() {
                eprint_line!("{notice}");
            }
        })?;
    }
    Ok(())
}

/// Whether nothing was said of `signal` when the program started. `nohup` and shells' background jobs ignore some.
fn is_default(signal: c_int) -> bool {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: nothing is set, and `now` is written only within its size.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut now) };
    asked == 0 && now.sa_sigaction == libc::SIG_DFL
}
