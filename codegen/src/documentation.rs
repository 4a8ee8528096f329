//! `operations.toml`, joined with the table of operations.

use std::collections::BTreeMap;

use bw_webrtc::api::{OPERATIONS, RequestBody, RetryClass};
use bw_webrtc::json::document::{Field, Rule};
use serde::Deserialize;

use crate::text::snake_case;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documentation {
    operations: BTreeMap<String, Entry>,
    parameters: BTreeMap<String, String>,
}

/// The documentation of an operation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub summary: String,
    #[serde(default)]
    pub details: String,
    pub result: Option<ResultType>,
    #[serde(default)]
    pub returns: String,
    #[serde(default)]
    pub document: String,
    #[serde(default)]
    pub raises: BTreeMap<String, String>,
}

/// The Python type of a result.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum ResultType {
    One(String),
    List([String; 1]),
}

/// A row of the table, with its documentation.
pub struct Operation {
    pub name: &'static str,
    /// Whether each call creates a new resource.
    pub creates: bool,
    /// The ids in the path.
    pub ids: Vec<Parameter>,
    /// Whether the operation takes a request document.
    pub has_body: bool,
    /// The parameters for the request document: one for each field, or one for the whole document.
    pub body: Vec<Parameter>,
    pub text: Entry,
}

impl Operation {
    /// All parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.ids.iter().chain(&self.body)
    }

    /// The parameter for the whole request document.
    pub fn whole_document(&self) -> Option<&Parameter> {
        self.body.first().filter(|parameter| parameter.r#type == Type::Subscriptions)
    }
}

/// A parameter of a method.
pub struct Parameter {
    /// The name in the path or in the request document, such as `participantId`.
    pub key: &'static str,
    /// The name of the argument, such as `participant_id`.
    pub name: String,
    pub r#type: Type,
    pub is_required: bool,
    pub doc: String,
}

/// The type of a parameter.
#[derive(Clone, Copy, PartialEq)]
pub enum Type {
    String,
    Strings,
    Subscriptions,
}

impl Type {
    fn of(field: &Field) -> Type {
        match field.rule {
            Rule::Text | Rule::ShortText(_) | Rule::Id | Rule::Url => Type::String,
            Rule::OneOf(_) | Rule::OneOfAnyCase(_) | Rule::IpAddress => Type::String,
            Rule::Set(_) => Type::Strings,
            Rule::Any | Rule::Integer(..) | Rule::Boolean | Rule::Objects(_) => {
                panic!("add the type of {} to codegen", field.name)
            }
        }
    }
}

impl Documentation {
    pub fn read(text: &str) -> Documentation {
        toml::from_str(text).unwrap_or_else(|error| panic!("operations.toml: {error}"))
    }

    /// All operations, in the order of the table. Panics if the file does not fit the table.
    pub fn operations(mut self) -> Vec<Operation> {
        let operations = OPERATIONS.map(|row| {
            let ids = row.path.split(['{', '}']).skip(1).step_by(2);
            let body = match row.request {
                RequestBody::None => Vec::new(),
                RequestBody::Json(fields) => fields
                    .iter()
                    .map(|field| self.parameter(field.name, Type::of(field), field.is_required))
                    .collect(),
                RequestBody::Subscriptions => {
                    vec![self.parameter(row.request.name(), Type::Subscriptions, false)]
                }
            };
            Operation {
                name: row.name,
                creates: row.retry == RetryClass::Create,
                ids: ids.map(|id| self.parameter(id, Type::String, true)).collect(),
                has_body: !matches!(row.request, RequestBody::None),
                body,
                text: self.operations.remove(row.name).unwrap_or_else(|| missing(row.name)),
            }
        });
        let unknown: Vec<_> = self.operations.keys().collect();
        assert!(unknown.is_empty(), "not in the table of operations: {unknown:?}");
        operations.into()
    }

    fn parameter(&self, key: &'static str, r#type: Type, is_required: bool) -> Parameter {
        let doc = self.parameters.get(key).cloned().unwrap_or_else(|| missing(key));
        Parameter { key, name: snake_case(key), r#type, is_required, doc }
    }
}

fn missing<T>(name: &str) -> T {
    panic!("operations.toml does not describe {name}")
}
