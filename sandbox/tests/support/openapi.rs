//! Compares responses with the endpoint part of Bandwidth's OpenAPI document.

use std::sync::LazyLock;

use serde_json::Value;

use super::Response;

/// The extract of the OpenAPI document; the file states its source.
pub static OPENAPI: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/brtc-endpoints.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

/// Fails unless an operation can have this response.
#[track_caller]
pub fn assert_conforms(operation: &str, response: &Response) {
    let status = response.status.to_string();
    let responses = OPENAPI["operations"][operation]["responses"].as_object().unwrap();
    let Some(name) = responses.get(&status) else {
        panic!("{operation} has no response with {status}: {response:?}")
    };
    match name.as_str() {
        None => assert_eq!(response.body, "", "{operation}"),
        Some(name) => {
            assert_eq!(response.header("content-type").as_deref(), Some("application/json"));
            assert_matches(&OPENAPI["responses"][name], &response.json, operation);
        }
    }
    if response.status >= 400 {
        assert_error(&OPENAPI["errors"][&status], response);
    }
}

fn assert_error(expected: &Value, response: &Response) {
    assert_eq!(
        (&response.json["data"], &response.json["links"]),
        (&Value::Null, &Value::from([0; 0]))
    );
    let errors = response.json["errors"].as_array().unwrap();
    assert!(!errors.is_empty(), "{response:?}");
    for error in errors {
        assert_eq!(error["type"], expected["type"], "{error}");
        assert_eq!(error["code"], expected["code"], "{error}");
        assert_eq!(error["id"].is_string(), expected["hasId"] == true, "{error}");
        // The example of 400 has the parameter of the path; a body has fields instead.
        if response.status != 400 {
            assert_eq!(error["description"], expected["description"], "{error}");
            let keys = error["source"].as_object().map(|source| source.keys().collect::<Vec<_>>());
            let keys = serde_json::to_value(keys).unwrap();
            assert_eq!(keys, expected["source"], "{error}");
        }
    }
    for (name, about) in expected["headers"].as_object().into_iter().flatten() {
        assert_eq!(response.header(name), Some(about["example"].to_string()), "{name}");
    }
}

/// Fails unless a value matches a schema; unknown properties are an error.
#[track_caller]
pub fn assert_matches(schema: &Value, value: &Value, name: &str) {
    if let Err(problem) = matches(schema, value) {
        panic!("{name}{problem} in {value}");
    }
}

/// The error is the path of a value, and its problem.
fn matches(schema: &Value, value: &Value) -> Result<(), String> {
    let fail = |problem: &str| Err(format!(" {problem}: {value}"));
    if value.is_null() && schema["nullable"] == true {
        return Ok(());
    }
    match schema["type"].as_str().unwrap() {
        "object" => {
            let Some(object) = value.as_object() else { return fail("is no object") };
            for name in schema["required"].as_array().into_iter().flatten() {
                if !object.contains_key(name.as_str().unwrap()) {
                    return fail(&format!("lacks {name}"));
                }
            }
            for (name, value) in object {
                let Some(property) = schema["properties"].get(name) else {
                    return fail(&format!("has the unknown property {name}"));
                };
                matches(property, value).map_err(|problem| format!(".{name}{problem}"))?;
            }
        }
        "array" => {
            let Some(items) = value.as_array() else { return fail("is no array") };
            for (index, item) in items.iter().enumerate() {
                matches(&schema["items"], item).map_err(|problem| format!("[{index}]{problem}"))?;
            }
        }
        "string" => {
            let Some(text) = value.as_str() else { return fail("is no string") };
            let is_valid = match schema["format"].as_str() {
                Some("date-time") => is_date_time(text),
                Some("uuid") => uuid::Uuid::try_parse(text).is_ok(),
                _ => true,
            };
            let maximum = schema["maximum"].as_u64().unwrap_or(u64::MAX);
            if !is_valid || text.chars().count() as u64 > maximum {
                return fail("is invalid");
            }
        }
        "integer" => match value.as_i64() {
            Some(number) if schema["minimum"].as_i64().is_none_or(|least| number >= least) => {}
            _ => return fail("is no integer in range"),
        },
        other => return fail(&format!("has the unknown type {other}")),
    }
    match schema["enum"].as_array() {
        Some(allowed) if !allowed.contains(value) => fail("is not in the enumeration"),
        _ => Ok(()),
    }
}

/// Whether a text is a time in UTC, such as `2021-01-01T00:00:00Z` or `2021-01-01T00:00:00.5Z`.
fn is_date_time(text: &str) -> bool {
    let pattern = "dddd-dd-ddTdd:dd:dd";
    let Some((whole, fraction)) = text.split_at_checked(pattern.len()) else { return false };
    let fraction = fraction.strip_suffix('Z').map(|fraction| fraction.trim_start_matches('.'));
    whole.bytes().zip(pattern.bytes()).all(|(byte, expected)| match expected {
        b'd' => byte.is_ascii_digit(),
        _ => byte == expected,
    }) && fraction.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}
