//! The options of a queue.

use crate::error::Error;
use crate::json::document::{Field, Rule, read};

/// The size of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The number of calls that are executed at the same time.
    pub workers: usize,
    /// The number of calls that are waiting, running, or completed and not fetched yet.
    pub backlog: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { workers: 8, backlog: 1024 }
    }
}

const FIELDS: &[Field] = &[
    Field::optional("workers", Rule::Integer(1, 1024)),
    Field::optional("backlog", Rule::Integer(1, 1 << 20)),
];

impl Options {
    /// Reads `{"workers": 8, "backlog": 1024}`. A key that is omitted or null has its default.
    ///
    /// # Errors
    /// `InvalidArgument`, with all problems.
    pub fn from_json(text: &str) -> Result<Options, Error> {
        let fields = read(&"options", text, FIELDS).map_err(Error::invalid)?;
        let Options { workers, backlog } = Options::default();
        let number =
            |name, default| fields.get(name).map_or(default, |value| value.integer() as usize);
        Ok(Options { workers: number("workers", workers), backlog: number("backlog", backlog) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_problems_reported() {
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
