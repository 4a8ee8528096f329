//! The retry budget of a client, as in the AWS SDKs' standard mode: retries withdraw from it and
//! successes refill it, which prevents retry storms during an outage.

use std::sync::atomic::{AtomicU32, Ordering};

const CAPACITY: u32 = 500;
/// The cost of a retry.
pub const RETRY_COST: u32 = 5;
/// The cost of a retry after a timeout, which loads an overloaded service most.
pub const TIMEOUT_RETRY_COST: u32 = 10;
/// What a call that succeeds without a retry refills.
pub const SUCCESS_REFILL: u32 = 1;

/// The remaining budget.
pub struct RetryBudget(AtomicU32);

impl RetryBudget {
    /// Creates a full budget.
    pub fn new() -> RetryBudget {
        RetryBudget(AtomicU32::new(CAPACITY))
    }

    /// Withdraws the cost if enough is left, and returns whether it did.
    pub fn try_withdraw(&self, cost: u32) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost))
            .is_ok()
    }

    /// Returns an amount to the budget.
    pub fn refill(&self, amount: u32) {
        // Usually the budget is full; then nothing is written.
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
    fn outage_uses_up_the_budget_and_successes_refill_it() {
        let retry_budget = RetryBudget::new();
        let retries = (0..1000).filter(|_| retry_budget.try_withdraw(RETRY_COST)).count();
        assert_eq!(retries, 100);
        (0..5).for_each(|_| retry_budget.refill(SUCCESS_REFILL));
        assert!(retry_budget.try_withdraw(RETRY_COST) && !retry_budget.try_withdraw(RETRY_COST));
        (0..10_000).for_each(|_| retry_budget.refill(RETRY_COST));
        assert_eq!((0..1000).filter(|_| retry_budget.try_withdraw(RETRY_COST)).count(), 100);
    }
}
