//! `operations.toml`, joined with the table of operations.

use std::collections::BTreeMap;

use bw_webrtc::api::{Method, OPERATIONS};
use serde::Deserialize;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documentation {
    operations: BTreeMap<String, Entry>,
    parameters: BTreeMap<String, ParameterEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    summary: String,
    #[serde(default)]
    details: String,
    #[serde(default)]
    body: Vec<String>,
    result: Option<ResultType>,
    #[serde(default)]
    returns: String,
    #[serde(default)]
    document: String,
    #[serde(default)]
    raises: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParameterEntry {
    r#type: Type,
    doc: String,
    #[serde(default)]
    document: String,
    #[serde(default)]
    required: bool,
}

/// The type of a parameter.
#[derive(Clone, Copy, Deserialize, PartialEq)]
pub enum Type {
    #[serde(rename = "string")]
    String,
    #[serde(rename = "strings")]
    Strings,
    Subscriptions,
}

/// The Python type of a result.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub enum ResultType {
    One(String),
    List([String; 1]),
}

/// A row of the table, with its documentation.
pub struct Operation {
    pub name: &'static str,
    pub summary: String,
    pub details: String,
    /// Whether each call creates a new resource.
    pub creates: bool,
    /// The ids in the path.
    pub ids: Vec<Parameter>,
    pub body: Body,
    pub result: Option<ResultType>,
    pub returns: String,
    pub document: String,
    pub raises: BTreeMap<String, String>,
}

/// The request document of an operation.
pub enum Body {
    None,
    /// A parameter for each field.
    Fields(Vec<Parameter>),
    /// One parameter for the document.
    Whole(Parameter),
}

impl Body {
    /// The parameters of the document.
    pub fn parameters(&self) -> &[Parameter] {
        match self {
            Body::None => &[],
            Body::Fields(fields) => fields,
            Body::Whole(parameter) => std::slice::from_ref(parameter),
        }
    }
}

/// A parameter of a method.
pub struct Parameter {
    /// The name in the path or in the request document, such as `participantId`.
    pub key: String,
    pub r#type: Type,
    pub required: bool,
    pub doc: String,
    pub document: String,
}

impl Documentation {
    pub fn read(text: &str) -> Documentation {
        toml::from_str(text).unwrap_or_else(|error| panic!("operations.toml: {error}"))
    }

    /// All operations, in the order of the table. Panics if the file does not fit the table.
    pub fn operations(mut self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for row in OPERATIONS {
            let entry = self.operations.remove(row.name);
            let entry = entry.unwrap_or_else(|| panic!("operations.toml lacks {}", row.name));
            let ids = row.path.split('{').skip(1).map(|part| part.split('}').next().unwrap());
            let ids = ids.map(|id| Parameter { required: true, ..self.parameter(id) }).collect();
            let mut fields: Vec<_> = entry.body.iter().map(|key| self.parameter(key)).collect();
            assert_eq!(row.body.is_some(), !fields.is_empty(), "the body of {}", row.name);
            let is_whole = fields.iter().any(|field| field.r#type == Type::Subscriptions);
            let body = match fields.len() {
                0 => Body::None,
                1 if is_whole => Body::Whole(fields.remove(0)),
                _ => Body::Fields(fields),
            };
            operations.push(Operation {
                name: row.name,
                summary: entry.summary,
                details: entry.details,
                creates: row.method == Method::Post,
                ids,
                body,
                result: entry.result,
                returns: entry.returns,
                document: entry.document,
                raises: entry.raises,
            });
        }
        let unknown: Vec<_> = self.operations.keys().collect();
        assert!(unknown.is_empty(), "not in the table of operations: {unknown:?}");
        operations
    }

    fn parameter(&self, key: &str) -> Parameter {
        let entry = self.parameters.get(key);
        let entry = entry.unwrap_or_else(|| panic!("operations.toml lacks the parameter {key}"));
        Parameter {
            key: key.to_owned(),
            r#type: entry.r#type,
            required: entry.required,
            doc: entry.doc.clone(),
            document: entry.document.clone(),
        }
    }
}
