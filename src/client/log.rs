//! The log of a client. A line states one event as fields, which consist of names, numbers, ids and
//! error messages, and never contain a secret.

use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicI32, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::redact;
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

    /// The value of the field `level`.
    fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `key=value key="quoted value"`, as logfmt.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

/// A log line while its fields are added. The caller uses each key once.
pub struct Line {
    format: Format,
    text: String,
}

impl Line {
    fn new(format: Format, level: Level, event: &str) -> Line {
        let mut line = Line { format, text: String::with_capacity(256) };
        line.text("level", level.name()).text("event", event);
        line
    }

    fn key(&mut self, key: &str) {
        let (separator, quote, end) = match self.format {
            Format::Text => (' ', "", '='),
            Format::Json => (if self.text.is_empty() { '{' } else { ',' }, "\"", ':'),
        };
        if self.format == Format::Json || !self.text.is_empty() {
            self.text.push(separator);
        }
        self.text.extend([quote, key, quote]);
        self.text.push(end);
    }

    /// Adds a text, which is quoted if it could be read as something else.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Line {
        self.key(key);
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'=' | b'\\');
        if self.format == Format::Text && !value.is_empty() && value.bytes().all(is_plain) {
            self.text.push_str(value);
            return self;
        }
        for c in serde_json::to_string(value).unwrap_or_default().chars() {
            if redact::is_control(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(self.text, "\\u{unit:04x}");
                }
            } else {
                self.text.push(c);
            }
        }
        self
    }

    /// Adds a number or a boolean.
    pub fn value(&mut self, key: &str, value: impl Display) -> &mut Line {
        self.key(key);
        let _ = write!(self.text, "{value}");
        self
    }

    /// Adds a time in milliseconds.
    pub fn millis(&mut self, key: &str, time: Duration) -> &mut Line {
        self.value(key, format_args!("{:.1}", time.as_secs_f64() * 1000.0))
    }

    fn finish(mut self) -> String {
        if self.format == Format::Json {
            self.text.push('}');
        }
        self.text
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
    format: Format,
    target: ArcCell<Option<Target>>,
    /// The level of the target, 0 if there is none. A line that is not logged costs only this load.
    level: AtomicI32,
    /// Keeps both fields consistent.
    lock: PerProcess<Mutex<()>>,
}

impl Log {
    /// A log whose lines have this form.
    pub fn new(format: Format) -> Log {
        let target = ArcCell::new(Arc::new(None));
        Log { format, target, level: AtomicI32::new(0), lock: PerProcess::new() }
    }

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
            // The count was read without it: what the callback did happens before the return.
            fence(Ordering::Acquire);
        }
        // Released last: no other setter may return while an older sink is running.
        drop(guard);
    }

    /// Writes a line. `add_fields` is called only if the line is logged.
    pub fn line(&self, level: Level, event: &str, add_fields: impl FnOnce(&mut Line)) {
        if level as i32 > self.level.load(Ordering::Acquire) {
            return;
        }
        let target = self.target();
        if let Some(target) = target.as_ref().as_ref().filter(|target| level <= target.level) {
            let mut line = Line::new(self.format, level, event);
            add_fields(&mut line);
            (target.sink)(level, &line.finish());
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn lines_above_the_level_are_not_formatted() {
        let log = Log::new(Format::Text);
        log.line(Level::Error, "e", |_| unreachable!("nobody listens"));
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = lines.clone();
        log.set(Some((
            Level::Warn,
            Arc::new(move |level, line| sink.lock().unwrap().push(format!("{level:?} {line}"))),
        )));
        log.line(Level::Error, "one", |line| {
            line.value("n", 1);
        });
        log.line(Level::Warn, "two", |_| {});
        log.line(Level::Info, "three", |_| unreachable!("not wanted"));
        log.set(None);
        log.line(Level::Error, "four", |_| unreachable!("nobody listens any more"));
        let expected = ["Error level=error event=one n=1", "Warn level=warn event=two"];
        assert_eq!(*lines.lock().unwrap(), expected);
    }

    #[test]
    fn hostile_value_stays_inside_its_field() {
        for (value, text) in [
            ("plain-1/x", "plain-1/x"),
            ("", "\"\""),
            ("a b=c", r#""a b=c""#),
            ("a=b", r#""a=b""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("1\r\nevent=call\t", r#""1\r\nevent=call\t""#),
            ("\0\u{1b}\u{7f}\u{85}", r#""\u0000\u001b\u007f\u0085""#),
            ("\u{2028}\u{202e}\u{e9}", "\"\\u2028\\u202e\u{e9}\""),
            ("\u{61c}\u{200b}\u{e0041}", r#""\u061c\u200b\udb40\udc41""#),
        ] {
            let write = |format| {
                let mut line = Line::new(format, Level::Info, "e");
                line.text("v", value).value("n", true).millis("t", Duration::from_micros(1250));
                line.finish()
            };
            assert_eq!(write(Format::Text), format!("level=info event=e v={text} n=true t=1.2"));
            let quoted = if text.starts_with('"') { text } else { "\"plain-1/x\"" };
            let line = write(Format::Json);
            let fields = format!(r#""level":"info","event":"e","v":{quoted},"n":true,"t":1.2"#);
            assert_eq!(line, format!("{{{fields}}}"));
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["v"], value);
        }
    }

    #[test]
    fn concurrent_setters_wait_for_the_running_callback() {
        let log = Arc::new(Log::new(Format::Text));
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
        let mut threads = vec![std::thread::spawn(move || line.line(Level::Error, "slow", |_| {}))];
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
        let log = Arc::new(Log::new(Format::Text));
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
        let thread = std::thread::spawn(move || writer.line(Level::Error, "slow", |_| {}));
        while !entered.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        log.set(None);
        assert!(left.load(Ordering::SeqCst), "the callback was still running");
        thread.join().unwrap();
    }
}
