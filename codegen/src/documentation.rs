//! `operations.toml`, joined with the table of operations.

use std::collections::BTreeMap;

use bw_webrtc::api::{OPERATIONS, RequestDocument, RetryClass};
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
    /// The name of the request document in a call document, if the operation takes one.
    pub document: Option<&'static str>,
    /// The parameters for the request document: one for each field, or one for the whole document.
    pub fields: Vec<Parameter>,
    pub text: Entry,
}

impl Operation {
    /// All parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.ids.iter().chain(&self.fields)
    }

    /// The parameter for the whole request document.
    pub fn whole_document(&self) -> Option<&Parameter> {
        self.fields.first().filter(|field| matches!(field.r#type, Type::Subscriptions | Type::Xml))
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
    /// The only value that a required field accepts.
    pub default: Option<&'static str>,
    pub doc: String,
}

/// The type of a parameter.
#[derive(Clone, Copy, PartialEq)]
pub enum Type {
    String,
    Strings,
    Integer,
    Object,
    Subscriptions,
    Xml,
}

impl Type {
    fn of(field: &Field) -> Type {
        match field.rule {
            Rule::Text | Rule::ShortText(_) | Rule::Name(_) | Rule::Id | Rule::Url => Type::String,
            Rule::OneOf(_) | Rule::OneOfAnyCase(_) | Rule::IpAddress => Type::String,
            Rule::Set(_) => Type::Strings,
            Rule::Integer(..) => Type::Integer,
            Rule::Object => Type::Object,
            Rule::Any | Rule::Boolean | Rule::Objects(_) | Rule::UrlReference => {
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
            let whole = |r#type, is_required| {
                vec![self.parameter(row.name, row.request.name(), r#type, is_required)]
            };
            let fields = match row.request {
                RequestDocument::None => Vec::new(),
                RequestDocument::Json(fields) | RequestDocument::Query(fields) => {
                    fields.iter().map(|field| self.field(row.name, field)).collect()
                }
                RequestDocument::Subscriptions => whole(Type::Subscriptions, false),
                RequestDocument::Bxml => whole(Type::Xml, true),
            };
            Operation {
                name: row.name,
                creates: row.retry == RetryClass::Create,
                ids: ids.map(|id| self.parameter(row.name, id, Type::String, true)).collect(),
                document: row.request.key(),
                fields,
                text: self.operations.remove(row.name).unwrap_or_else(|| missing(row.name)),
            }
        });
        let unknown: Vec<_> = self.operations.keys().collect();
        assert!(unknown.is_empty(), "not in the table of operations: {unknown:?}");
        operations.into()
    }

    fn field(&self, operation: &str, field: &'static Field) -> Parameter {
        let default = match field.rule {
            Rule::OneOf([value]) if field.is_required => Some(*value),
            _ => None,
        };
        let r#type = Type::of(field);
        Parameter { default, ..self.parameter(operation, field.name, r#type, field.is_required) }
    }

    /// A parameter, described under its own name or under `operation.name`.
    fn parameter(
        &self,
        operation: &str,
        key: &'static str,
        r#type: Type,
        is_required: bool,
    ) -> Parameter {
        let doc = self.parameters.get(&format!("{operation}.{key}"));
        let doc = doc.or_else(|| self.parameters.get(key)).cloned();
        Parameter {
            key,
            name: snake_case(key),
            r#type,
            is_required,
            default: None,
            doc: doc.unwrap_or_else(|| missing(key)),
        }
    }
}

fn missing<T>(name: &str) -> T {
    panic!("operations.toml does not describe {name}")
}
