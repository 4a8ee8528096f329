//! The queue's state machine (`src/queue/state.rs` of the library, the very file) over loom's locks:
//! each test is run in every interleaving of its threads, up to a number of preemptions.
//!
//! Not here: descriptors, threads and calls, which the library's own tests have.

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
        Completion, CompletionReason, Core, Done, Notifier, RecvError, Stage, SubmitError, Wait,
    };

    /// Remembers whether it was notified, as the descriptor remembers whether it is readable, and
    /// counts the calls in each stage.
    #[derive(Default)]
    struct Light {
        on: AtomicBool,
        closed: AtomicBool,
        stages: [AtomicIsize; 3],
        completed: AtomicIsize,
    }

    impl Notifier<u64, ()> for Light {
        fn notify(&self) {
            assert!(!self.on.swap(true, Ordering::SeqCst), "it was notified already");
        }

        fn clear(&self) {
            assert!(self.on.swap(false, Ordering::SeqCst), "it was clear already");
        }

        fn close(&self) {
            self.on.store(false, Ordering::SeqCst);
            self.closed.store(true, Ordering::SeqCst);
        }

        fn moved(&self, from: Option<Stage>, to: Option<Stage>) {
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

    type Queue = Core<u64, (), (), Light>;

    fn queue(capacity: usize) -> Arc<Queue> {
        Arc::new(Core::new(capacity, Light::default()))
    }

    fn submit(queue: &Queue, id: u64) -> Result<(), SubmitError> {
        queue.submit(id, id, (), Instant::now() + Duration::from_secs(3600))
    }

    /// Answers so many calls, or as many as there are.
    fn worker(queue: &Arc<Queue>, most: usize) -> thread::JoinHandle<usize> {
        let queue = queue.clone();
        thread::spawn(move || {
            let mut late = 0;
            for _ in 0..most {
                let Some(started) = queue.take() else { break };
                assert_eq!(started.id, started.handle);
                let is_late = queue.finish(started.id, ()).is_err();
                assert_eq!(is_late, started.cancelled.load(std::sync::atomic::Ordering::SeqCst));
                late += usize::from(is_late);
            }
            late
        })
    }

    /// Fetches until the queue says that there is no more.
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
        queue.with_notifier(|light, has_completions| {
            assert_eq!(light.on.load(Ordering::SeqCst), has_completions);
            let done = light.stages[Stage::Done as usize].load(Ordering::SeqCst);
            assert_eq!(done > 0, has_completions);
        });
    }

    #[test]
    fn every_call_is_fetched_once_while_others_submit_and_answer() {
        explore(3, || {
            let queue = queue(8);
            let answering = worker(&queue, 2);
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
            assert_eq!(answering.join().unwrap(), 0);
            assert_eq!(queue.next(Wait::None), Err(RecvError::Empty));
            is_consistent(&queue);
        });
    }

    #[test]
    fn a_cancelled_call_ends_once_however_far_it_had_come() {
        explore(4, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            let answering = worker(&queue, 1);
            let cancelled = queue.cancel(1);
            if cancelled == Some(CompletionReason::CancelledWaiting) {
                // The worker would wait for ever.
                submit(&queue, 2).unwrap();
            }
            let late = answering.join().unwrap();
            let done = queue.next(Wait::None).unwrap();
            let expected = cancelled.map_or(Completion::Executed(()), Completion::Ended);
            let under_way = cancelled == Some(CompletionReason::CancelledRunning);
            assert_eq!((done.id, done.completion), (1, expected));
            // Late is what was answered after it was cancelled under way, and nothing else.
            assert_eq!(late, usize::from(under_way));
            assert!(queue.cancel(1).is_none());
            drain(&queue, Wait::None);
            is_consistent(&queue);
        });
    }

    #[test]
    fn closing_gives_everything_back_and_then_says_so() {
        explore(3, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            let answering = worker(&queue, 8);
            let submitting = {
                let queue = queue.clone();
                thread::spawn(move || submit(&queue, 2))
            };
            queue.close();
            let mut ids: Vec<u64> =
                drain(&queue, Wait::Forever).iter().map(|done| done.id).collect();
            let accepted = submitting.join().unwrap();
            // Accepted before the close, or refused because of it: nothing between.
            ids.sort_unstable();
            match accepted {
                Ok(()) => assert_eq!(ids, [1, 2]),
                Err(refusal) => {
                    assert_eq!((ids.as_slice(), refusal), (&[1][..], SubmitError::Closed))
                }
            }
            answering.join().unwrap();
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
                    let started = queue.take().is_some();
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
            queue.with_notifier(|light, has_completions| {
                assert!(!has_completions && !light.on.load(Ordering::SeqCst));
            });
        });
    }

    #[test]
    fn every_completion_is_fetched_or_given_by_free() {
        explore(4, || {
            let queue = queue(8);
            let answering = worker(&queue, 8);
            let waiting = {
                let queue = queue.clone();
                thread::spawn(move || drain(&queue, Wait::Forever).len())
            };
            submit(&queue, 1).unwrap();
            submit(&queue, 2).unwrap();
            let unfetched = queue.free().len();
            assert_eq!(waiting.join().unwrap() + unfetched, 2);
            answering.join().unwrap();
            assert_eq!(submit(&queue, 3), Err(SubmitError::Closed));
            queue.with_notifier(|light, has_completions| {
                assert!(!has_completions && light.closed.load(Ordering::SeqCst));
                assert!(light.stages.iter().all(|count| count.load(Ordering::SeqCst) == 0));
                assert_eq!(light.completed.load(Ordering::SeqCst), 2);
            });
        });
    }

    #[test]
    fn two_who_fetch_get_one_each() {
        explore(3, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            submit(&queue, 2).unwrap();
            let answering = worker(&queue, 2);
            let other = {
                let queue = queue.clone();
                thread::spawn(move || queue.next(Wait::Forever).unwrap().id)
            };
            let mine = queue.next(Wait::Forever).unwrap().id;
            assert_eq!(mine + other.join().unwrap(), 3);
            answering.join().unwrap();
            is_consistent(&queue);
        });
    }

    #[test]
    fn the_backlog_never_grows() {
        explore(3, || {
            let queue = queue(1);
            let other = {
                let queue = queue.clone();
                thread::spawn(move || submit(&queue, 1).is_ok())
            };
            let mine = submit(&queue, 2).is_ok();
            assert!(mine != other.join().unwrap(), "one of two has room");
            assert_eq!(submit(&queue, 3), Err(SubmitError::Full));
            let answering = worker(&queue, 1);
            answering.join().unwrap();
            // Not fetched yet, so there is still no room.
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
                thread::spawn(move || usize::from(queue.give_back(done).is_err()))
            };
            let unfetched = queue.free().len();
            // Either the queue has it when it is freed, or it is refused.
            assert_eq!(returning.join().unwrap() + unfetched, 1);
            assert_eq!(queue.next(Wait::None), Err(RecvError::Closed));
        });
    }

    #[test]
    fn what_is_given_back_is_fetched_again() {
        explore(3, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            submit(&queue, 2).unwrap();
            let answering = worker(&queue, 2);
            let done = queue.next(Wait::Forever).unwrap();
            queue.give_back(done).unwrap();
            let mut ids =
                [queue.next(Wait::Forever).unwrap().id, queue.next(Wait::Forever).unwrap().id];
            ids.sort_unstable();
            assert_eq!(ids, [1, 2]);
            answering.join().unwrap();
            is_consistent(&queue);
        });
    }
}
