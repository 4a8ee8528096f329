//! A clock that continues while the system is suspended.

use std::ops::Sub;
use std::time::Duration;

use super::os::SUSPEND_CLOCK;

/// A point in time for ages that include a suspend, such as those of idle connections and cached
/// addresses. `std::time::Instant` stops during a suspend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(Duration);

impl BootInstant {
    /// The current time.
    pub fn now() -> BootInstant {
        let time = read(SUSPEND_CLOCK).or_else(|| read(libc::CLOCK_MONOTONIC));
        BootInstant(time.unwrap_or_default())
    }

    /// The time since this point.
    pub fn elapsed(&self) -> Duration {
        BootInstant::now() - *self
    }
}

impl Sub for BootInstant {
    type Output = Duration;

    /// The time between both points; zero if the other is later.
    fn sub(self, other: BootInstant) -> Duration {
        self.0.saturating_sub(other.0)
    }
}

fn read(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a writable timespec.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut time) } != 0;
    let seconds = u64::try_from(time.tv_sec).ok().filter(|_| !failed)?;
    Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_advances_and_differences_are_never_negative() {
        let began = BootInstant::now();
        std::thread::sleep(Duration::from_millis(5));
        assert!(began.elapsed() >= Duration::from_millis(5));
        assert_eq!(began - BootInstant::now(), Duration::ZERO);
        assert!(read(9999).is_none());
    }
}
