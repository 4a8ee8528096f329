//! A clock that continues while the system is suspended.

use std::ops::Sub;
use std::time::Duration;

/// A point in time, for ages that must include a suspend: of an idle connection, of a cached address.
/// `std::time::Instant` stops meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(Duration);

impl BootInstant {
    /// Now.
    pub fn now() -> BootInstant {
        // Kernels before 2.6.39 and some sandboxes do not have the first.
        let time = read(libc::CLOCK_BOOTTIME).or_else(|| read(libc::CLOCK_MONOTONIC));
        BootInstant(time.unwrap_or_default())
    }

    /// How long ago it was.
    pub fn elapsed(&self) -> Duration {
        BootInstant::now() - *self
    }
}

impl Sub for BootInstant {
    type Output = Duration;

    /// Zero if the other is later.
    fn sub(self, other: BootInstant) -> Duration {
        self.0.saturating_sub(other.0)
    }
}

fn read(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: one timespec is written where there is room for one.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut time) } != 0;
    let seconds = u64::try_from(time.tv_sec).ok().filter(|_| !failed)?;
    Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_and_never_goes_back() {
        let began = BootInstant::now();
        std::thread::sleep(Duration::from_millis(5));
        assert!(began.elapsed() >= Duration::from_millis(5));
        assert_eq!(began - BootInstant::now(), Duration::ZERO);
        assert!(read(9999).is_none());
    }
}
