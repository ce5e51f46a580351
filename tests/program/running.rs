//! The program while it runs. It does not outlive its test, which may fail.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output};
use std::time::{Duration, Instant};

pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        #[cfg(unix)]
        with_usual_signals(command);
        Self(Some(command.spawn().expect("it starts")))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("only what consumes it takes the child")
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().map(Child::id).expect("only what consumes it takes the child")
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child().try_wait().expect("it can be asked")
    }

    /// Waits until it has made `file`.
    pub(crate) fn wait_for(&mut self, file: &Path) {
        self.wait_until(&format!("{} is there", file.display()), || file.exists());
    }

    /// Waits until `condition` is true, which `description` says in words.
    pub(crate) fn wait_until(&mut self, description: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            let ended = self.ended();
            assert!(ended.is_none() || condition(), "it ended before {description}: {ended:?}");
            assert!(start.elapsed() < Duration::from_secs(60), "a minute passed before {description}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[cfg(unix)]
    pub(crate) fn send(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    pub(crate) fn kill(mut self) {
        self.child().kill().expect("it can be killed");
        self.child().wait().expect("it ends");
    }

    /// Waits for its end.
    pub(crate) fn output(mut self) -> Output {
        self.0.take().expect("only what consumes it takes the child").wait_with_output().expect("it ends")
    }
}

/// Signals as they usually are: tests may run in the background of a shell, where some are ignored, and then the program
/// ignores them too.
#[cfg(unix)]
fn with_usual_signals(command: &mut Command) {
    let set = || {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
            // SAFETY: `signal` may be called between fork and exec.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: it allocates nothing and takes no lock.
    unsafe { std::os::unix::process::CommandExt::pre_exec(command, set) };
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // A test that failed has said why; there is nobody to tell of another failure.
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

/// Puts another file at `path`. A run that was killed may have left one checkpoint with two names: what is written into
/// it would be under both.
pub(crate) fn put(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).expect("removed");
    std::fs::write(path, bytes).expect("written");
}
