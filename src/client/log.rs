//! Lines about what a client does, for whoever wants them. Never a secret in one: they are made of
//! names, numbers and the messages of errors, which hold none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::sys::generation;

/// How much a line matters.
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
    /// The level of this number; none for 0 and others.
    pub fn from_code(code: i32) -> Option<Level> {
        [Level::Error, Level::Warn, Level::Info, Level::Debug]
            .into_iter()
            .find(|level| *level as i32 == code)
    }
}

/// Takes lines, on whatever thread does the work.
pub type Sink = Arc<dyn Fn(Level, &str) + Send + Sync>;

struct Target {
    level: Level,
    sink: Sink,
    /// The process that it was made in. A child makes its own of what it inherits, since threads
    /// that it has not got may still be counted as users of the inherited one.
    generation: u64,
}

/// Where a client's lines go; nowhere at first.
#[derive(Default)]
pub struct Log(ArcSwapOption<Target>);

impl Log {
    /// Sends lines of this level and those that matter more to the sink, or none anywhere. When it
    /// returns, no line is on its way to the old sink.
    pub fn set(&self, target: Option<(Level, Sink)>) {
        let generation = generation();
        let new = target.map(|(level, sink)| Arc::new(Target { level, sink, generation }));
        if let Some(old) = self.0.swap(new).filter(|old| old.generation == generation) {
            // Lines hold the target only while they are being written.
            while Arc::strong_count(&old) > 1 {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }

    /// Writes a line, which is made only if somebody wants it.
    pub fn line(&self, level: Level, text: impl FnOnce() -> String) {
        if let Some(target) = self.target().filter(|target| level <= target.level) {
            (target.sink)(level, &text());
        }
    }

    /// The target, as one of this process.
    fn target(&self) -> Option<Arc<Target>> {
        loop {
            // A full load, not a guard: `set` sees it in the count.
            let known = self.0.load_full()?;
            let generation = generation();
            if known.generation == generation {
                return Some(known);
            }
            let own = Target { level: known.level, sink: known.sink.clone(), generation };
            self.0.compare_and_swap(&known, Some(Arc::new(own)));
        }
    }
}

/// A time as lines have it.
pub struct Millis(pub Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn lines_of_the_level_arrive_and_others_are_not_even_made() {
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
    fn set_waits_for_the_line_under_way() {
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
