//! The typed document reader: checks a JSON object against a table of its fields. It is used for the
//! configuration, queue options, requests, call documents and webhooks.
//!
//! All problems of a document are reported at once, each with the path of its field; for an unknown
//! field the message contains the nearest known name. A field that is null counts as omitted.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::net::IpAddr;

use serde_json::value::RawValue;

use super::{Array, DuplicateFinder, Kind, Object, array, member, object, quote, string};
use crate::error::NO_MEMORY;

/// The longest URL in a request, in bytes. Proxies and servers do not accept longer ones.
const MAX_URL: usize = 8 * 1024;

/// A row in the table of a document: a field and what its value must be.
pub struct Field<S = ()> {
    /// The key.
    pub name: &'static str,
    /// The check of the value.
    pub rule: Rule,
    /// Whether the field must be present.
    pub is_required: bool,
    /// What the reader of the document needs in addition, such as a function that stores the value.
    pub data: S,
}

impl Field {
    /// A field that may be omitted.
    pub const fn optional(name: &'static str, rule: Rule) -> Field {
        Field { name, rule, is_required: false, data: () }
    }

    /// A field that must be present.
    pub const fn required(name: &'static str, rule: Rule) -> Field {
        Field { name, rule, is_required: true, data: () }
    }
}

/// What the value of a field must be.
#[derive(Clone, Copy)]
pub enum Rule {
    /// Any value.
    Any,
    /// A string.
    Text,
    /// A string of at most this many characters.
    ShortText(usize),
    /// A string that is not empty.
    Id,
    /// A string of at least one and at most this many characters.
    Name(usize),
    /// An absolute http or https URL.
    Url,
    /// An absolute http or https URL, or a relative one.
    UrlReference,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// One of these strings, in upper or lower case.
    OneOfAnyCase(&'static [&'static str]),
    /// An IP address.
    IpAddress,
    /// A whole number from the first to the second of these.
    Integer(u64, u64),
    /// `true` or `false`.
    Boolean,
    /// An array of different strings, each of which satisfies the rule.
    Set(&'static Rule),
    /// An object with any members.
    Object,
    /// An array of objects with these fields.
    Objects(&'static [Field]),
}

/// A value that satisfies its rule.
pub struct Value<'a> {
    json: &'a RawValue,
    content: Content<'a>,
}

enum Content<'a> {
    Other,
    Text(Cow<'a, str>),
    Integer(u64),
    Boolean(bool),
    Objects(Vec<Fields<'a>>),
}

impl<'a> Value<'a> {
    /// The value as JSON text.
    pub fn json(&self) -> &'a str {
        self.json.get()
    }

    /// The value as text: a string without quotes, any other value as JSON text.
    pub fn to_text(&self) -> &str {
        match &self.content {
            Content::Text(text) => text,
            _ => self.json(),
        }
    }

    /// The string; empty if the rule does not require one.
    pub fn into_text(self) -> Cow<'a, str> {
        match self.content {
            Content::Text(text) => text,
            _ => Cow::Borrowed(""),
        }
    }

    /// The string; empty if the rule does not require one.
    pub fn into_string(self) -> String {
        self.into_text().into_owned()
    }

    /// The number; 0 if the rule does not require one.
    pub fn integer(&self) -> u64 {
        match self.content {
            Content::Integer(number) => number,
            _ => 0,
        }
    }

    /// Whether the value is `true`.
    pub fn boolean(&self) -> bool {
        matches!(self.content, Content::Boolean(true))
    }

    fn length(&self) -> usize {
        match &self.content {
            Content::Objects(items) => {
                2 + items.iter().map(|fields| 1 + fields.length()).sum::<usize>()
            }
            _ => self.json().len(),
        }
    }

    fn write(&self, json: &mut String) {
        let Content::Objects(items) = &self.content else {
            json.push_str(self.json());
            return;
        };
        json.push('[');
        for (at, fields) in items.iter().enumerate() {
            json.push_str(if at == 0 { "" } else { "," });
            fields.write(json);
        }
        json.push(']');
    }
}

/// The fields that a document contains, in its order and without those that are null.
pub struct Fields<'a, S: 'static = ()>(pub Vec<(&'static Field<S>, Value<'a>)>);

impl<'a> Fields<'a> {
    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(field, _)| field.name == name).map(|(_, value)| value)
    }

    /// The string in a field.
    pub fn text(&self, name: &str) -> Option<&str> {
        match &self.get(name)?.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an array of objects is missing or empty.
    pub fn is_empty_array(&self, name: &str) -> bool {
        let content = self.get(name).map(|value| &value.content);
        !matches!(content, Some(Content::Objects(items)) if !items.is_empty())
    }

    /// The document again, without the fields that are null.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn to_json(&self) -> Result<String, String> {
        let mut json = String::new();
        json.try_reserve_exact(self.length()).map_err(|_| NO_MEMORY)?;
        self.write(&mut json);
        Ok(json)
    }

    fn length(&self) -> usize {
        2 + self.0.iter().map(|(field, value)| field.name.len() + value.length() + 4).sum::<usize>()
    }

    fn write(&self, json: &mut String) {
        json.push('{');
        for (at, (field, value)) in self.0.iter().enumerate() {
            // The names in the tables need no escapes.
            for part in [if at == 0 { "\"" } else { ",\"" }, field.name, "\":"] {
                json.push_str(part);
            }
            value.write(json);
        }
        json.push('}');
    }
}

/// Reads a document that must be an object with the fields of a table. `path` is the name of the
/// document in messages.
///
/// # Errors
/// All problems in one message.
pub fn read<'a, S>(
    path: &dyn Display,
    text: &'a str,
    table: &'static [Field<S>],
) -> Result<Fields<'a, S>, String> {
    let mut problems = Problems::default();
    let fields = read_into(path, text, table, &mut problems);
    problems.message().map_or(Ok(fields), Err)
}

/// Reads a document as [`read`] does, and adds its problems to others. Only fields without a problem
/// are returned.
pub fn read_into<'a, S>(
    path: &dyn Display,
    text: &'a str,
    table: &'static [Field<S>],
    problems: &mut Problems,
) -> Fields<'a, S> {
    let Object(members) = match object(path, text) {
        Ok(object) => object,
        Err(message) => {
            problems.add_message(message);
            return Fields(Vec::new());
        }
    };
    let mut fields = Vec::with_capacity(members.len().min(table.len()));
    for (key, value) in &members {
        let Some(field) = table.iter().find(|field| field.name == key) else {
            // A path is only formatted for a problem: most documents have none.
            problems.add(&member(path, key), UnknownField { key, table });
            continue;
        };
        if Kind::of(value) == Kind::Null {
            continue;
        }
        let value = field.rule.read(&format_args!("{path}.{}", field.name), value, problems);
        fields.extend(value.map(|value| (field, value)));
    }
    for field in table.iter().filter(|field| field.is_required) {
        let is_present =
            members.iter().any(|(key, value)| field.name == key && Kind::of(value) != Kind::Null);
        if !is_present {
            problems.add(&format_args!("{path}.{}", field.name), "is missing");
        }
    }
    Fields(fields)
}

impl Rule {
    /// Checks a value. Its problems are added to others.
    fn read<'a>(
        self,
        path: &dyn Display,
        json: &'a RawValue,
        problems: &mut Problems,
    ) -> Option<Value<'a>> {
        let content = match self {
            Rule::Any => Ok(Content::Other),
            Rule::Object => any_object(json).map(|()| Content::Other),
            Rule::Boolean => boolean(json).map(Content::Boolean),
            Rule::Integer(least, most) => integer(json, least, most).map(Content::Integer),
            Rule::Set(rule) => set(rule, path, json, problems).map(|()| Content::Other),
            Rule::Objects(table) => objects(table, path, json, problems).map(Content::Objects),
            _ => self.text(json).map(Content::Text),
        };
        match content {
            Ok(content) => Some(Value { json, content }),
            Err(problem) => {
                problems.add(path, problem);
                None
            }
        }
    }

    fn text(self, json: &RawValue) -> Result<Cow<'_, str>, String> {
        let text = string(json)?;
        let expect = |words: &[&str], is_word: bool| {
            let problem = || format!("{} is not one of {}", quote(&text), words.join(", "));
            if is_word { Ok(()) } else { Err(problem()) }
        };
        match self {
            Rule::Id | Rule::Name(_) | Rule::UrlReference if text.is_empty() => {
                Err("is empty".to_owned())
            }
            Rule::ShortText(most) | Rule::Name(most) => match text.chars().count() {
                count if count > most => {
                    Err(format!("has {count} characters; at most {most} are allowed"))
                }
                _ => Ok(()),
            },
            Rule::Url => check_url(&text),
            Rule::UrlReference => check_url_reference(&text),
            Rule::IpAddress if text.parse::<IpAddr>().is_err() => {
                Err(format!("{} is not an IP address", quote(&text)))
            }
            Rule::OneOf(words) => expect(words, words.contains(&text.as_ref())),
            Rule::OneOfAnyCase(words) => {
                expect(words, words.iter().any(|word| word.eq_ignore_ascii_case(&text)))
            }
            _ => Ok(()),
        }?;
        Ok(text)
    }
}

fn boolean(json: &RawValue) -> Result<bool, String> {
    match Kind::of(json) {
        Kind::Boolean => Ok(json.get() == "true"),
        other => Err(format!("must be a boolean, not {}", other.article())),
    }
}

fn any_object(json: &RawValue) -> Result<(), String> {
    match Kind::of(json) {
        Kind::Object => Ok(()),
        other => Err(format!("must be an object, not {}", other.article())),
    }
}

fn integer(json: &RawValue, least: u64, most: u64) -> Result<u64, String> {
    let number = json.get().parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        let expected = format!("must be a whole number from {least} to {most}");
        match Kind::of(json) {
            Kind::Number => expected,
            other => format!("{expected}, not {}", other.article()),
        }
    })
}

fn set(
    rule: &Rule,
    path: &dyn Display,
    json: &RawValue,
    problems: &mut Problems,
) -> Result<(), String> {
    let Array(items) = array(json)?;
    let mut duplicates = DuplicateFinder::new(items.len());
    for (at, item) in items.iter().enumerate() {
        let earlier = items[..at].iter().filter_map(|item| string(item).ok());
        let problem = match rule.text(item) {
            Ok(text) if duplicates.is_repeated(text.clone(), earlier) => {
                format!("{} is given twice", quote(&text))
            }
            Ok(_) => continue,
            Err(problem) => problem,
        };
        problems.add(&format_args!("{path}[{at}]"), problem);
    }
    Ok(())
}

fn objects<'a>(
    table: &'static [Field],
    path: &dyn Display,
    json: &'a RawValue,
    problems: &mut Problems,
) -> Result<Vec<Fields<'a>>, String> {
    let Array(items) = array(json)?;
    let read = |(at, item): (usize, &&'a RawValue)| {
        read_into(&format_args!("{path}[{at}]"), item.get(), table, problems)
    };
    Ok(items.iter().enumerate().map(read).collect())
}

/// Checks what all URLs have in common.
fn check_url_characters(url: &str) -> Result<(), String> {
    if url.len() > MAX_URL {
        return Err(format!("is longer than {MAX_URL} bytes"));
    }
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("must not contain spaces or control characters".to_owned());
    }
    Ok(())
}

/// Checks for an absolute URL with a host. This is not `http::Uri`, which allocates twice for each
/// URL and rejects international host names.
fn check_url(url: &str) -> Result<(), String> {
    check_url_characters(url)?;
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let is_http = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    if is_http && !host.is_empty() && !host.starts_with(':') {
        return Ok(());
    }
    Err(format!(
        "{} is not an absolute URL; it must begin with http:// or https:// and name a host",
        quote(url)
    ))
}

/// Checks for an absolute URL, or a relative one on the same host.
fn check_url_reference(url: &str) -> Result<(), String> {
    let may_be_scheme = url.split(['/', '?', '#']).next().unwrap_or_default();
    if may_be_scheme.contains(':') {
        return check_url(url);
    }
    check_url_characters(url)?;
    // Many programs read a backslash in a URL as a slash.
    if url.bytes().take(2).filter(|b| matches!(b, b'/' | b'\\')).count() == 2 {
        return Err(format!(
            "{} names a host without a scheme; begin with https://, or with the path",
            quote(url)
        ));
    }
    Ok(())
}

/// The problems of a document, each with the path of its field.
#[derive(Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Adds a problem of the value at a path.
    pub fn add(&mut self, path: &dyn Display, problem: impl Display) {
        self.add_message(format_args!("{path}: {problem}"));
    }

    /// Adds a problem with its own text. After a dozen problems, further ones are ignored.
    pub fn add_message(&mut self, message: impl Display) {
        // A hostile document may have thousands of problems: the message must remain small.
        if self.0.len() < 12 {
            self.0.push(message.to_string());
        } else if self.0.len() == 12 {
            self.0.push("and more".to_owned());
        }
    }

    /// Adds a problem with its own text, if there is one.
    pub fn extend(&mut self, message: Option<impl Display>) {
        message.into_iter().for_each(|message| self.add_message(message));
    }

    /// All problems in one message; None if there are none.
    pub fn message(self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join("; "))
    }
}

/// The problem of an unknown field. The nearest name is searched only if the message is formatted.
struct UnknownField<'a, S: 'static> {
    key: &'a str,
    table: &'static [Field<S>],
}

impl<S> Display for UnknownField<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.table.iter().map(|field| field.name).collect();
        write!(f, "is not known; {}", suggestion(self.key, &names))
    }
}

/// Suggests the nearest known word, or all of them if none is similar.
pub fn suggestion(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the known names are {}", known.join(", ")),
    }
}

/// The known word that differs from this one only by a few typing errors.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase().replace(['_', '-'], "");
    known
        .iter()
        .map(|k| (edit_distance(&lower, &k.to_lowercase()), *k))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, k)| *distance <= 1 + k.len().min(lower.len()) / 4)
        .map(|(_, k)| k)
}

/// The Levenshtein distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Field] = &[
        Field::required("id", Rule::Id),
        Field::optional("count", Rule::Integer(1, 9)),
        Field::optional("isOn", Rule::Boolean),
        Field::optional("words", Rule::Set(&Rule::Text)),
        Field::optional("items", Rule::Objects(&[Field::required("url", Rule::Url)])),
        Field::optional("any", Rule::Any),
    ];

    #[test]
    fn valid_documents_are_written_again_without_null() {
        for (text, json) in [
            (r#"{ "id" : "x" }"#, r#"{"id":"x"}"#),
            (
                r#"{"any":[null, {}],"id":"\u0078","isOn":true,"count":null,"items":[{"url": "http://x"}, {"url":"http://y"}]}"#,
                r#"{"any":[null, {}],"id":"\u0078","isOn":true,"items":[{"url":"http://x"},{"url":"http://y"}]}"#,
            ),
            (
                r#"{"id":"x","items":[],"words":["a", "b"]}"#,
                r#"{"id":"x","items":[],"words":["a", "b"]}"#,
            ),
        ] {
            let fields = read(&"doc", text, TABLE).ok().unwrap();
            let written = fields.to_json().unwrap();
            assert_eq!(written, json);
            assert!(written.len() <= fields.length(), "{} < {}", fields.length(), written.len());
            assert_eq!(fields.text("id"), Some("x"));
        }
    }

    #[test]
    fn every_problem_has_the_path_of_its_field() {
        for (text, problem) in [
            ("[]", "doc: must be a JSON object, not an array"),
            ("{}", "doc.id: is missing"),
            (r#"{"id":null}"#, "doc.id: is missing"),
            (r#"{"id":""}"#, "doc.id: is empty"),
            (r#"{"id":"x","ids":1}"#, "doc.ids: is not known; did you mean id?"),
            (
                r#"{"id":"x","colour":1}"#,
                "doc.colour: is not known; the known names are id, count, isOn, words, items, any",
            ),
            (r#"{"id":"x","count":10}"#, "doc.count: must be a whole number from 1 to 9"),
            (
                r#"{"id":"x","count":"9"}"#,
                "doc.count: must be a whole number from 1 to 9, not a string",
            ),
            (r#"{"id":"x","isOn":"true"}"#, "doc.isOn: must be a boolean, not a string"),
            (r#"{"id":"x","words":["a","b","\u0061"]}"#, r#"doc.words[2]: "a" is given twice"#),
            (r#"{"id":"x","words":[1]}"#, "doc.words[0]: must be a string, not a number"),
            (r#"{"id":"x","items":{}}"#, "doc.items: must be an array, not an object"),
            (
                r#"{"id":"x","items":[{}, 1]}"#,
                "doc.items[0].url: is missing; doc.items[1]: must be",
            ),
        ] {
            let message = read(&"doc", text, TABLE).err().unwrap();
            assert!(message.starts_with(problem), "{problem}\nis not in\n{message}");
        }
        let many = format!(r#"{{"id":"x","words":[{}1]}}"#, "1,".repeat(50_000));
        let message = read(&"doc", &many, TABLE).err().unwrap();
        assert!(message.ends_with("; and more") && message.len() < 1000, "{message}");
    }

    #[test]
    fn nearest_name_is_suggested_despite_typing_errors() {
        let known = ["callbackUrl", "publishPermissions", "tag", "timeoutMs"];
        for (word, expected) in [
            ("callbackURL", Some("callbackUrl")),
            ("callback_url", Some("callbackUrl")),
            ("publishPermission", Some("publishPermissions")),
            ("tags", Some("tag")),
            ("timoutMs", Some("timeoutMs")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
    }

    /// In quadratic time this would take minutes.
    #[test]
    fn many_problems_are_reported_in_linear_time() {
        let began = std::time::Instant::now();
        let keys: String = (0..50_000).map(|n| format!("\"callbackUrk{n}\":1,")).collect();
        let words: String = (0..50_000).map(|n| format!("\"{n}\",")).collect();
        let text = format!(r#"{{{keys}"id":"x","words":[{words}"x"]}}"#);
        assert!(read(&"doc", &text, TABLE).is_err());
        let time = began.elapsed();
        assert!(time < std::time::Duration::from_secs(60), "{time:?}");
    }
}
