//! The log of a client. Lines consist of names, numbers and error messages, and never contain a
//! secret.

use std::fmt;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::sys::{ArcCell, PerProcess, generation};

/// The level of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// A call failed.
    Error = 1,
    /// An attempt failed and another follows.
    Warn = 2,
    /// A call succeeded.
    Info = 3,
    /// An attempt begins.
    Debug = 4,
}

impl Level {
    /// The level with this number. None for 0 and unknown numbers.
    pub fn from_code(code: i32) -> Option<Level> {
        [Level::Error, Level::Warn, Level::Info, Level::Debug]
            .into_iter()
            .find(|level| *level as i32 == code)
    }
}

/// Receives log lines, on the thread that does the work.
pub type Sink = Arc<dyn Fn(Level, &str) + Send + Sync>;

struct Target {
    level: Level,
    sink: Sink,
    /// The process that created it. A forked child replaces an inherited target by a copy, because
    /// the reference count of the inherited one may include threads that do not exist there.
    generation: u64,
}

/// The log of a client. It has no target at first.
pub struct Log {
    target: ArcCell<Option<Target>>,
    /// The level of the target, 0 if there is none. A line that is not logged costs only this load.
    level: AtomicI32,
    /// Keeps both fields consistent.
    lock: PerProcess<Mutex<()>>,
}

impl Default for Log {
    fn default() -> Log {
        let target = ArcCell::new(Arc::new(None));
        Log { target, level: AtomicI32::new(0), lock: PerProcess::new() }
    }
}

impl Log {
    /// Sends lines up to this level to the sink; None disables the log. When it returns, no call of
    /// the previous sink is running.
    pub fn set(&self, target: Option<(Level, Sink)>) {
        let generation = generation();
        let new = target.map(|(level, sink)| Target { level, sink, generation });
        let level = new.as_ref().map_or(0, |target| target.level as i32);
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.target.store(Arc::new(new));
        self.level.store(level, Ordering::Release);
        if old.as_ref().as_ref().is_some_and(|old| old.generation == generation) {
            // A line holds a reference only while it is being written.
            while Arc::strong_count(&old) > 1 {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        // Released last: no other setter may return while an older sink is running.
        drop(guard);
    }

    /// Writes a line. `text` is called only if the line is logged.
    pub fn line(&self, level: Level, text: impl FnOnce() -> String) {
        if level as i32 > self.level.load(Ordering::Acquire) {
            return;
        }
        let target = self.target();
        if let Some(target) = target.as_ref().as_ref().filter(|target| level <= target.level) {
            (target.sink)(level, &text());
        }
    }

    /// The target of this process.
    fn target(&self) -> Arc<Option<Target>> {
        loop {
            let known = self.target.load();
            let generation = generation();
            let copy = match known.as_ref() {
                Some(target) if target.generation != generation => {
                    Target { level: target.level, sink: target.sink.clone(), generation }
                }
                _ => return known,
            };
            self.target.replace_if(&known, Arc::new(Some(copy)));
        }
    }
}

/// Formats a duration in milliseconds.
pub struct Millis(pub Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn lines_above_the_level_are_not_formatted() {
        let log = Log::default();
        log.line(Level::Error, || unreachable!("nobody listens"));
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = lines.clone();
        log.set(Some((
            Level::Warn,
            Arc::new(move |level, line| sink.lock().unwrap().push(format!("{level:?} {line}"))),
        )));
        log.line(Level::Error, || "one".into());
        log.line(Level::Warn, || "two".into());
        log.line(Level::Info, || unreachable!("not wanted"));
        log.set(None);
        log.line(Level::Error, || unreachable!("nobody listens any more"));
        assert_eq!(*lines.lock().unwrap(), ["Error one", "Warn two"]);
    }

    #[test]
    fn concurrent_setters_wait_for_the_running_callback() {
        let log = Arc::new(Log::default());
        let (entered, leave) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let left = Arc::new(AtomicBool::new(false));
        let (enter, may_leave, has_left) = (entered.clone(), leave.clone(), left.clone());
        log.set(Some((
            Level::Error,
            Arc::new(move |_, _| {
                enter.store(true, Ordering::SeqCst);
                while !may_leave.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                has_left.store(true, Ordering::SeqCst);
            }),
        )));
        let line = log.clone();
        let mut threads =
            vec![std::thread::spawn(move || line.line(Level::Error, || "slow".into()))];
        while !entered.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        for _ in 0..2 {
            let (log, left) = (log.clone(), left.clone());
            threads.push(std::thread::spawn(move || {
                log.set(None);
                assert!(left.load(Ordering::SeqCst), "the callback was still running");
            }));
        }
        // Long enough for a setter that does not wait to return.
        std::thread::sleep(Duration::from_millis(100));
        leave.store(true, Ordering::SeqCst);
        for thread in threads {
            thread.join().unwrap();
        }
    }

    #[test]
    fn setter_waits_for_the_running_callback() {
        let log = Arc::new(Log::default());
        let (entered, left) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (enter, leave) = (entered.clone(), left.clone());
        log.set(Some((
            Level::Error,
            Arc::new(move |_, _| {
                enter.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(50));
                leave.store(true, Ordering::SeqCst);
            }),
        )));
        let writer = log.clone();
        let thread = std::thread::spawn(move || writer.line(Level::Error, || "slow".into()));
        while !entered.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        log.set(None);
        assert!(left.load(Ordering::SeqCst), "the callback was still running");
        thread.join().unwrap();
    }
}
