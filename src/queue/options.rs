//! The options of a queue: one JSON object, every key checked.

use crate::error::Error;
use crate::json::{self, Kind, Problems};

/// How large a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many calls are carried out at once.
    pub workers: usize,
    /// How many calls may be waiting, under way or not fetched yet.
    pub backlog: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { workers: 8, backlog: 1024 }
    }
}

const KEYS: &[&str] = &["workers", "backlog"];

impl Options {
    /// Reads `{"workers": 8, "backlog": 1024}`; a key left out or null has its default.
    ///
    /// # Errors
    /// `InvalidArgument`, naming every problem.
    pub fn from_json(text: &str) -> Result<Options, Error> {
        let json::Object(members) = json::object("options", text).map_err(Error::invalid)?;
        let mut problems = Problems::default();
        let mut options = Options::default();
        for (key, value) in &members {
            let path = json::member("options", key);
            let (field, most) = match &**key {
                "workers" => (&mut options.workers, 1024),
                "backlog" => (&mut options.backlog, 1 << 20),
                _ => {
                    problems.add(path, json::unknown_key(key, KEYS));
                    continue;
                }
            };
            if Kind::of(value) == Kind::Null {
                continue;
            }
            match value.get().parse().ok().filter(|number| (1..=most).contains(number)) {
                Some(number) => *field = number,
                None => problems.add(path, format!(": must be a whole number from 1 to {most}")),
            }
        }
        problems.message().map_or(Ok(options), |message| Err(Error::invalid(message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_every_mistake_is_named() {
        let read = |text| Options::from_json(text);
        assert_eq!(read("{}").unwrap(), Options { workers: 8, backlog: 1024 });
        let both = r#"{"workers":64,"backlog":null}"#;
        assert_eq!(read(both).unwrap(), Options { workers: 64, backlog: 1024 });
        for (text, part) in [
            ("", "options: is empty"),
            ("[]", "options: must be a JSON object"),
            (r#"{"worker":1}"#, "options.worker"),
            (r#"{"worker":1}"#, "did you mean workers?"),
            (r#"{"workers":0}"#, "options.workers: must be a whole number from 1 to 1024"),
            (r#"{"backlog":"9"}"#, "options.backlog: must be a whole number"),
            (r#"{"backlog":1.5,"workers":-1}"#, "; options.workers"),
            (r#"{"workers":1,"workers":2}"#, "options.workers: is given twice"),
        ] {
            let message = read(text).unwrap_err().message;
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
    }
}
