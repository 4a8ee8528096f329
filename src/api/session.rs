//! The document of a new session.

use super::fields;
use crate::json::Problems;

const FIELDS: &[&str] = &["tag"];

/// Checks a request document and gives the body to send. None is as good as `{}`.
///
/// # Errors
/// Every problem, by path.
pub fn check(root: &str, request: Option<&str>) -> Result<Option<String>, String> {
    let mut problems = Problems::default();
    let fields = fields::read(root, request.unwrap_or("{}"), FIELDS, &mut problems)?;
    for (_, value) in &fields {
        if let Err(what) = fields::tag(value) {
            problems.add(format_args!("{root}.tag"), what);
        }
    }
    fields::body(problems, &fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tag_is_taken() {
        assert_eq!(check("request", None).unwrap().unwrap(), "{}");
        assert_eq!(check("request", Some("{\"tag\":null}")).unwrap().unwrap(), "{}");
        let body = check("request", Some("{\"tag\":\"room 1\"}")).unwrap().unwrap();
        assert_eq!(body, "{\"tag\":\"room 1\"}");
        let message = check("request", Some("{\"tag\":[],\"tagg\":1}")).unwrap_err();
        assert!(message.contains("request.tag: must be a string, not an array"), "{message}");
        assert!(message.contains("request.tagg: is not known; did you mean tag?"), "{message}");
    }
}
