//! Lines for the user. Unlike `println!`, these do not end the program when they cannot be written: a closed pipe or a
//! full disk behind stdout must not end a run. That stdout failed is said at the end ([`finish`]), except of a pipe
//! that its reader has closed. Errors of stderr are ignored.
//!
//! Control characters, which file names and files may hold, never reach the terminal: they are written as `\u001b`.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// The first error of stdout.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes a line to stdout.
macro_rules! print_line {
    ($($arg:tt)*) => { $crate::output::to_stdout(format_args!($($arg)*)) };
}

/// Writes a line to stderr.
macro_rules! eprint_line {
    ($($arg:tt)*) => { $crate::output::to_stderr(format_args!($($arg)*)) };
}

/// For `print_line!`.
pub(crate) fn to_stdout(line: fmt::Arguments<'_>) {
    written(writeln!(io::stdout(), "{}", harmless(&line.to_string())));
}

/// For `eprint_line!`.
pub(crate) fn to_stderr(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{}", harmless(&line.to_string()));
}

/// Remembers that stdout could not be written.
pub(crate) fn written(result: io::Result<()>) {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            FAILURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        _ => {}
    }
}

/// Flushes stdout. The exit code of the program: `code`, unless stdout could not be written.
pub(crate) fn finish(code: ExitCode) -> ExitCode {
    written(io::stdout().flush());
    match FAILURE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        None => code,
        Some(error) => {
            eprint_line!("error: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `text` with every character escaped that a terminal obeys, or that reorders what is read: control characters but
/// line feeds and tabs, and Unicode's marks of direction and line ends. The escapes are JSON's, so JSON stays the same.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        c.is_control() && c != '\n' && c != '\t'
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| match obeyed(c) {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        assert_eq!(harmless("a\tb\nä 😀"), "a\tb\nä 😀");
        assert_eq!(harmless("\u{1b}[2J\r\u{9b}\u{7f}"), "\\u001b[2J\\u000d\\u009b\\u007f");
        assert_eq!(harmless("photo\u{202e}gnp.exe\u{2066}"), "photo\\u202egnp.exe\\u2066");
        let name = "x\u{9b}\u{1b}\u{202e}";
        let json = serde_json::to_string(name).expect("a text");
        assert_eq!(serde_json::from_str::<String>(&harmless(&json)).expect("JSON"), name);
    }
}
