//! Time, from whoever has it.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Tells how much time has gone by since some moment; which one does not matter.
///
/// The default is the system's. A browser has none of that kind: there the default panics, and whoever calls passes
/// what the page has, `performance.now()`, to [`Clock::new`].
#[derive(Clone, Copy, Debug)]
pub struct Clock(fn() -> Duration);

impl Clock {
    /// One that asks `now`, which never goes back.
    pub fn new(now: fn() -> Duration) -> Self {
        Self(now)
    }

    /// The time by this clock.
    pub fn now(self) -> Duration {
        (self.0)()
    }

    /// How long ago it was `earlier`.
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
