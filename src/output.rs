//! Lines for the user. Unlike `println!`, these ignore write errors: a closed pipe or a full disk behind stdout must
//! not end a run.

/// Writes a line to stdout.
macro_rules! print_line {
    ($($arg:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($arg)*);
    }};
}

/// Writes a line to stderr.
macro_rules! eprint_line {
    ($($arg:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($arg)*);
    }};
}
