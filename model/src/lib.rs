//! Model checks of the queue's state machine: the library's file `src/queue/state.rs` with loom's
//! locks. Each test runs in every interleaving of its threads, up to a number of preemptions.
//!
//! Descriptors, threads and calls are tested in the library.

#[cfg(test)]
#[path = "../../src/queue/backlog.rs"]
#[allow(dead_code)]
mod backlog;

#[cfg(test)]
#[path = "../../src/queue/state.rs"]
#[allow(dead_code)]
mod state;

#[cfg(test)]
mod sync {
    pub use loom::sync::{Condvar, Mutex, MutexGuard};

    /// The smallest batch: the lock is released between any two calls.
    pub const BATCH: usize = 1;
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, Ordering};
    use loom::thread;

    use std::sync::atomic::AtomicIsize;

    use crate::state::{
        Completion, CompletionReason, Done, Notifier, RecvError, Stage, StateMachine, SubmitError,
        Wait,
    };

    /// Records whether it was notified, like the descriptor that is readable or not, and counts the
    /// calls in each stage.
    #[derive(Default)]
    struct TestNotifier {
        is_notified: AtomicBool,
        closed: AtomicBool,
        stages: [AtomicIsize; 3],
        completed: AtomicIsize,
    }

    impl Notifier<u64, ()> for TestNotifier {
        fn notify(&self) {
            assert!(!self.is_notified.swap(true, Ordering::SeqCst), "notified twice");
        }

        fn clear(&self) {
            assert!(self.is_notified.swap(false, Ordering::SeqCst), "cleared twice");
        }

        fn close(&self) {
            self.is_notified.store(false, Ordering::SeqCst);
            self.closed.store(true, Ordering::SeqCst);
        }

        fn stage_changed(&self, from: Option<Stage>, to: Option<Stage>) {
            for (stage, change) in [(from, -1), (to, 1)] {
                if let Some(stage) = stage {
                    let count = &self.stages[stage as usize];
                    assert!(count.fetch_add(change, Ordering::SeqCst) + change >= 0);
                }
            }
        }

        fn completed(&self, _: &u64, _: &Completion<()>) {
            self.completed.fetch_add(1, Ordering::SeqCst);
        }
    }

    type Queue = StateMachine<u64, (), (), TestNotifier>;

    fn queue(capacity: usize) -> Arc<Queue> {
        Arc::new(StateMachine::new(capacity, TestNotifier::default()))
    }

    fn submit(queue: &Queue, id: u64) -> Result<(), SubmitError> {
        queue.submit(id, id, (), Instant::now() + Duration::from_secs(3600))
    }

    /// Starts a worker that completes at most `limit` calls.
    fn worker(queue: &Arc<Queue>, limit: usize) -> thread::JoinHandle<usize> {
        let queue = queue.clone();
        thread::spawn(move || {
            let mut late = 0;
            for _ in 0..limit {
                let Some(started) = queue.start_next() else { break };
                assert_eq!(started.id, started.handle);
                let is_late = queue.finish(started.id, ()).is_err();
                assert_eq!(is_late, started.cancelled.load(std::sync::atomic::Ordering::SeqCst));
                late += usize::from(is_late);
            }
            late
        })
    }

    /// Fetches until no completion is available.
    fn drain(queue: &Queue, wait: Wait) -> Vec<Done<u64, ()>> {
        std::iter::from_fn(|| queue.next(wait).ok()).collect()
    }

    fn explore(preemptions: usize, test: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(preemptions);
        model.check(test);
    }

    /// The notifier agrees with the state.
    fn is_consistent(queue: &Queue) {
        queue.with_notifier(|notifier, has_completions| {
            assert_eq!(notifier.is_notified.load(Ordering::SeqCst), has_completions);
            let done = notifier.stages[Stage::Done as usize].load(Ordering::SeqCst);
            assert_eq!(done > 0, has_completions);
        });
    }

    #[test]
    fn every_call_is_fetched_once_while_others_submit_and_complete() {
        explore(3, || {
            let queue = queue(8);
            let working = worker(&queue, 2);
            let submitting = {
                let queue = queue.clone();
                thread::spawn(move || submit(&queue, 1).unwrap())
            };
            submit(&queue, 2).unwrap();
            let first = queue.next(Wait::Forever).unwrap();
            let second = queue.next(Wait::Forever).unwrap();
            let mut ids = [first.id, second.id];
            ids.sort_unstable();
            assert_eq!(ids, [1, 2]);
            assert_eq!(
                (first.completion, second.completion),
                (Completion::Executed(()), Completion::Executed(()))
            );
            submitting.join().unwrap();
            assert_eq!(working.join().unwrap(), 0);
            assert_eq!(queue.next(Wait::None), Err(RecvError::Empty));
            is_consistent(&queue);
        });
    }

    #[test]
    fn cancelled_call_completes_once_in_every_stage() {
        explore(4, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            let working = worker(&queue, 1);
            let cancelled = queue.cancel(1);
            if cancelled == Some(CompletionReason::CancelledWaiting) {
                // Otherwise the worker would wait forever.
                submit(&queue, 2).unwrap();
            }
            let late = working.join().unwrap();
            let done = queue.next(Wait::None).unwrap();
            let expected = cancelled.map_or(Completion::Executed(()), Completion::NotExecuted);
            let was_running = cancelled == Some(CompletionReason::CancelledRunning);
            assert_eq!((done.id, done.completion), (1, expected));
            // A result is late exactly if its call was cancelled while it was running.
            assert_eq!(late, usize::from(was_running));
            assert!(queue.cancel(1).is_none());
            drain(&queue, Wait::None);
            is_consistent(&queue);
        });
    }

    #[test]
    fn closed_queue_returns_every_call_and_then_reports_the_close() {
        explore(3, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            let working = worker(&queue, 8);
            let submitting = {
                let queue = queue.clone();
                thread::spawn(move || submit(&queue, 2))
            };
            queue.close();
            let mut ids: Vec<u64> =
                drain(&queue, Wait::Forever).iter().map(|done| done.id).collect();
            let accepted = submitting.join().unwrap();
            // The call is either accepted and completed, or rejected.
            ids.sort_unstable();
            match accepted {
                Ok(()) => assert_eq!(ids, [1, 2]),
                Err(error) => {
                    assert_eq!((ids.as_slice(), error), (&[1][..], SubmitError::Closed))
                }
            }
            working.join().unwrap();
            assert_eq!(queue.next(Wait::Forever), Err(RecvError::Closed));
            is_consistent(&queue);
        });
    }

    #[test]
    fn close_is_reported_after_the_last_completion() {
        explore(4, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            submit(&queue, 2).unwrap();
            let fetching = {
                let queue = queue.clone();
                thread::spawn(move || drain(&queue, Wait::Forever).len())
            };
            queue.close();
            assert_eq!(submit(&queue, 3), Err(SubmitError::Closed));
            assert_eq!(fetching.join().unwrap(), 2);
            is_consistent(&queue);
        });
    }

    #[test]
    fn closed_queue_starts_no_call() {
        explore(4, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            submit(&queue, 2).unwrap();
            let taking = {
                let queue = queue.clone();
                thread::spawn(move || {
                    let is_closed = submit(&queue, 3) == Err(SubmitError::Closed);
                    let started = queue.start_next().is_some();
                    assert!(!(is_closed && started), "a call was started after the close");
                })
            };
            let unfetched = queue.free();
            let mut ids: Vec<u64> = unfetched.iter().map(|done| done.id).collect();
            ids.sort_unstable();
            ids.retain(|id| *id != 3);
            assert_eq!(ids, [1, 2]);
            assert_eq!(queue.next(Wait::Forever), Err(RecvError::Closed));
            taking.join().unwrap();
            queue.with_notifier(|notifier, has_completions| {
                assert!(!has_completions && !notifier.is_notified.load(Ordering::SeqCst));
            });
        });
    }

    #[test]
    fn every_completion_is_fetched_or_returned_by_free() {
        explore(4, || {
            let queue = queue(8);
            let working = worker(&queue, 8);
            let waiting = {
                let queue = queue.clone();
                thread::spawn(move || drain(&queue, Wait::Forever).len())
            };
            submit(&queue, 1).unwrap();
            submit(&queue, 2).unwrap();
            let unfetched = queue.free().len();
            assert_eq!(waiting.join().unwrap() + unfetched, 2);
            working.join().unwrap();
            assert_eq!(submit(&queue, 3), Err(SubmitError::Closed));
            queue.with_notifier(|notifier, has_completions| {
                assert!(!has_completions && notifier.closed.load(Ordering::SeqCst));
                assert!(notifier.stages.iter().all(|count| count.load(Ordering::SeqCst) == 0));
                assert_eq!(notifier.completed.load(Ordering::SeqCst), 2);
            });
        });
    }

    #[test]
    fn two_fetching_threads_get_one_completion_each() {
        explore(3, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            submit(&queue, 2).unwrap();
            let working = worker(&queue, 2);
            let other = {
                let queue = queue.clone();
                thread::spawn(move || queue.next(Wait::Forever).unwrap().id)
            };
            let mine = queue.next(Wait::Forever).unwrap().id;
            assert_eq!(mine + other.join().unwrap(), 3);
            working.join().unwrap();
            is_consistent(&queue);
        });
    }

    #[test]
    fn capacity_is_never_exceeded() {
        explore(3, || {
            let queue = queue(1);
            let other = {
                let queue = queue.clone();
                thread::spawn(move || submit(&queue, 1).is_ok())
            };
            let mine = submit(&queue, 2).is_ok();
            assert!(mine != other.join().unwrap(), "one of two has room");
            assert_eq!(submit(&queue, 3), Err(SubmitError::Full));
            let working = worker(&queue, 1);
            working.join().unwrap();
            // The completion is not fetched yet, so the queue is still full.
            assert_eq!(submit(&queue, 3), Err(SubmitError::Full));
            queue.next(Wait::None).unwrap();
            submit(&queue, 3).unwrap();
        });
    }

    #[test]
    fn completion_returned_to_a_freed_queue_is_not_lost() {
        explore(3, || {
            let queue = queue(1);
            submit(&queue, 1).unwrap();
            queue.cancel(1);
            let done = queue.next(Wait::None).unwrap();
            let returning = {
                let queue = queue.clone();
                thread::spawn(move || usize::from(queue.put_back(done).is_err()))
            };
            let unfetched = queue.free().len();
            // Either the queue has it when it is freed, or it is returned to the caller.
            assert_eq!(returning.join().unwrap() + unfetched, 1);
            assert_eq!(queue.next(Wait::None), Err(RecvError::Closed));
        });
    }

    #[test]
    fn completion_that_is_put_back_is_fetched_again() {
        explore(3, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            submit(&queue, 2).unwrap();
            let working = worker(&queue, 2);
            let done = queue.next(Wait::Forever).unwrap();
            queue.put_back(done).unwrap();
            let mut ids =
                [queue.next(Wait::Forever).unwrap().id, queue.next(Wait::Forever).unwrap().id];
            ids.sort_unstable();
            assert_eq!(ids, [1, 2]);
            working.join().unwrap();
            is_consistent(&queue);
        });
    }
}
