//! The retry budget of a client, as the AWS SDKs' standard mode has it: retries draw on it and
//! successes fill it again, so that an outage of the service does not become a storm.

use std::sync::atomic::{AtomicU32, Ordering};

const CAPACITY: u32 = 500;
/// What a retry costs.
pub const RETRY: u32 = 5;
/// What a retry after a time-out costs: those hurt a struggling service most.
pub const RETRY_AFTER_TIMEOUT: u32 = 10;
/// What a call that needed no retry gives back.
pub const PLAIN_SUCCESS: u32 = 1;

/// What is left for retries.
pub struct Budget(AtomicU32);

impl Budget {
    /// A full budget.
    pub fn new() -> Budget {
        Budget(AtomicU32::new(CAPACITY))
    }

    /// Takes so much, if it is there.
    pub fn draw(&self, cost: u32) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost))
            .is_ok()
    }

    /// Gives so much back.
    pub fn refill(&self, amount: u32) {
        // A full budget is the usual case, and is not written to.
        if self.0.load(Ordering::Relaxed) < CAPACITY {
            let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some((left + amount).min(CAPACITY))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_uses_it_up_and_successes_fill_it() {
        let budget = Budget::new();
        let retries = (0..1000).filter(|_| budget.draw(RETRY)).count();
        assert_eq!(retries, 100);
        (0..5).for_each(|_| budget.refill(PLAIN_SUCCESS));
        assert!(budget.draw(RETRY) && !budget.draw(RETRY));
        (0..10_000).for_each(|_| budget.refill(RETRY));
        assert_eq!((0..1000).filter(|_| budget.draw(RETRY)).count(), 100);
    }
}
