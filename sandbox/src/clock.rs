//! The time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds since 1970.
pub fn unix_seconds() -> u64 {
    since_1970(SystemTime::now()).as_secs()
}

/// Milliseconds since 1970.
pub fn unix_millis() -> u64 {
    u64::try_from(since_1970(SystemTime::now()).as_millis()).unwrap_or(u64::MAX)
}

/// A time as seconds since 1970, rounded up.
pub fn unix_seconds_rounded_up(time: SystemTime) -> u64 {
    let duration = since_1970(time);
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// A time in UTC with at most three digits after the seconds, as ISO 8601.
pub fn iso_8601(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let time = time.replace_millisecond(time.millisecond()).unwrap_or(time);
    time.format(&Rfc3339).expect("the year has four digits")
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_iso_8601() {
        let time = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        assert_eq!(iso_8601(time(1_609_459_200_000)), "2021-01-01T00:00:00Z");
        let precise = time(1_709_164_799_007) + Duration::from_nanos(999_999);
        assert_eq!(iso_8601(precise), "2024-02-28T23:59:59.007Z");
        assert_eq!(unix_seconds_rounded_up(precise), 1_709_164_800);
        assert_eq!(unix_seconds_rounded_up(time(5000)), 5);
    }
}
