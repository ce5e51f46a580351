//! The source of time.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Returns the time since some arbitrary moment.
///
/// The default is the system's clock. In a browser there is none and the default panics: pass the page's
/// `performance.now()` to [`Clock::new`].
#[derive(Clone, Copy, Debug)]
pub struct Clock(fn() -> Duration);

impl Clock {
    /// A clock that calls `now`, which must never go back.
    pub fn new(now: fn() -> Duration) -> Self {
        Self(now)
    }

    /// The current time.
    pub fn now(self) -> Duration {
        (self.0)()
    }

    /// The time elapsed since `earlier`.
    pub fn since(self, earlier: Duration) -> Duration {
        self.now().saturating_sub(earlier)
    }
}

impl Default for Clock {
    fn default() -> Self {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        Self(|| START.elapsed())
    }
}
