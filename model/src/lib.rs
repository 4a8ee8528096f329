//! The queue's state machine (`src/queue/state.rs` of the library, the very file) over loom's locks:
//! each test is run in every interleaving of its threads, up to a number of preemptions.
//!
//! Not here: descriptors, threads and calls, which the library's own tests have.

#[cfg(test)]
#[path = "../../src/queue/state.rs"]
#[allow(dead_code)]
mod state;

#[cfg(test)]
mod sync {
    pub use loom::sync::{Condvar, Mutex, MutexGuard};
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, Ordering};
    use loom::thread;

    use crate::state::{Bell, Core, Done, End, Nothing, Patience, Refusal};

    /// Remembers whether it rings, as the descriptor remembers whether it is readable.
    #[derive(Default)]
    struct Light(AtomicBool);

    impl Bell for Light {
        fn ring(&self) {
            assert!(!self.0.swap(true, Ordering::SeqCst), "it rang already");
        }

        fn silence(&self) {
            assert!(self.0.swap(false, Ordering::SeqCst), "it was silent already");
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum How {
        Answered,
        Ended(End),
    }

    type Queue = Core<u64, (), How, Light>;

    fn queue(capacity: usize) -> Arc<Queue> {
        Arc::new(Core::new(capacity, Light::default(), |_, end| How::Ended(end)))
    }

    fn submit(queue: &Queue, id: u64) -> Result<(), Refusal> {
        queue.submit(id, id, (), Instant::now() + Duration::from_secs(3600))
    }

    /// Answers so many calls, or as many as there are.
    fn worker(queue: &Arc<Queue>, most: usize) -> thread::JoinHandle<usize> {
        let queue = queue.clone();
        thread::spawn(move || {
            let mut late = 0;
            for _ in 0..most {
                let Some((id, ticket, ())) = queue.take() else { break };
                assert_eq!(id, ticket);
                late += usize::from(!queue.finish(id, How::Answered));
            }
            late
        })
    }

    /// Fetches until the queue says that there is no more.
    fn drain(queue: &Queue, patience: Patience) -> Vec<Done<u64, How>> {
        std::iter::from_fn(|| queue.next(patience).ok()).collect()
    }

    fn explore(preemptions: usize, test: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(preemptions);
        model.check(test);
    }

    fn light_tells_the_truth(queue: &Queue) {
        queue.with_bell(|light, waits| assert_eq!(light.0.load(Ordering::SeqCst), waits));
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
            let first = queue.next(Patience::Endless).unwrap();
            let second = queue.next(Patience::Endless).unwrap();
            let mut ids = [first.id, second.id];
            ids.sort_unstable();
            assert_eq!(ids, [1, 2]);
            assert_eq!((first.completion, second.completion), (How::Answered, How::Answered));
            submitting.join().unwrap();
            assert_eq!(answering.join().unwrap(), 0);
            assert_eq!(queue.next(Patience::None), Err(Nothing::Empty));
            light_tells_the_truth(&queue);
        });
    }

    #[test]
    fn a_cancelled_call_ends_once_however_far_it_had_come() {
        explore(4, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            let answering = worker(&queue, 1);
            let cancelled = queue.cancel(1);
            if cancelled.is_some_and(|(_, end)| end == End::CancelledWaiting) {
                // The worker would wait for ever.
                submit(&queue, 2).unwrap();
            }
            let late = answering.join().unwrap();
            let done = queue.next(Patience::None).unwrap();
            let expected = match cancelled {
                Some((1, end)) => How::Ended(end),
                Some(_) => unreachable!(),
                None => How::Answered,
            };
            assert_eq!((done.id, done.completion), (1, expected));
            // Late is what was answered after it was cancelled under way, and nothing else.
            let under_way = expected == How::Ended(End::CancelledRunning);
            assert_eq!(late, usize::from(under_way));
            assert!(queue.cancel(1).is_none());
            drain(&queue, Patience::None);
            light_tells_the_truth(&queue);
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
                drain(&queue, Patience::Endless).iter().map(|done| done.id).collect();
            let accepted = submitting.join().unwrap();
            // Accepted before the close, or refused because of it: nothing between.
            ids.sort_unstable();
            match accepted {
                Ok(()) => assert_eq!(ids, [1, 2]),
                Err(refusal) => assert_eq!((ids.as_slice(), refusal), (&[1][..], Refusal::Closed)),
            }
            answering.join().unwrap();
            assert_eq!(queue.next(Patience::Endless), Err(Nothing::Closed));
            light_tells_the_truth(&queue);
        });
    }

    #[test]
    fn freeing_wakes_whoever_waits() {
        explore(4, || {
            let queue = queue(8);
            let answering = worker(&queue, 8);
            let waiting = {
                let queue = queue.clone();
                thread::spawn(move || drain(&queue, Patience::Endless).len())
            };
            submit(&queue, 1).unwrap();
            queue.free();
            assert!(waiting.join().unwrap() <= 1);
            answering.join().unwrap();
            assert_eq!(submit(&queue, 2), Err(Refusal::Closed));
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
                thread::spawn(move || queue.next(Patience::Endless).unwrap().id)
            };
            let mine = queue.next(Patience::Endless).unwrap().id;
            assert_eq!(mine + other.join().unwrap(), 3);
            answering.join().unwrap();
            light_tells_the_truth(&queue);
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
            assert_eq!(submit(&queue, 3), Err(Refusal::Full));
            let answering = worker(&queue, 1);
            answering.join().unwrap();
            // Not fetched yet, so there is still no room.
            assert_eq!(submit(&queue, 3), Err(Refusal::Full));
            queue.next(Patience::None).unwrap();
            submit(&queue, 3).unwrap();
        });
    }

    #[test]
    fn what_is_given_back_to_a_freed_queue_is_gone() {
        explore(3, || {
            let queue = queue(1);
            submit(&queue, 1).unwrap();
            queue.cancel(1);
            let done = queue.next(Patience::None).unwrap();
            let giving = {
                let queue = queue.clone();
                thread::spawn(move || queue.give_back(done))
            };
            queue.free();
            giving.join().unwrap();
            assert_eq!(queue.next(Patience::None), Err(Nothing::Closed));
        });
    }

    #[test]
    fn what_is_given_back_is_fetched_again() {
        explore(3, || {
            let queue = queue(8);
            submit(&queue, 1).unwrap();
            submit(&queue, 2).unwrap();
            let answering = worker(&queue, 2);
            let done = queue.next(Patience::Endless).unwrap();
            queue.give_back(done);
            let mut ids = [
                queue.next(Patience::Endless).unwrap().id,
                queue.next(Patience::Endless).unwrap().id,
            ];
            ids.sort_unstable();
            assert_eq!(ids, [1, 2]);
            answering.join().unwrap();
            light_tells_the_truth(&queue);
        });
    }
}
