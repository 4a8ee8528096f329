//! The layers of a configuration: the settings file, the environment variables and the options in code.
//! A higher layer overrides a lower one.

use std::ffi::OsString;

use zeroize::Zeroizing;

use super::fields::{FIELDS, Set};
use super::{Config, file};
use crate::api;
use crate::error::{Error, Status};
use crate::json::document::{Fields, Problems, read_into};
use crate::redact;
use crate::sys;

/// Names the settings file.
const FILE_VARIABLE: &str = "BW_CONFIG_FILE";

/// The path of the file's document, which cannot occur in a message. It is replaced by the file's name.
const FILE_MARK: &str = "\u{1}";

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// The settings file.
    File,
    /// An environment variable.
    Environment,
    /// The JSON object in code.
    Options,
}

/// A variable, the configuration key of the same meaning, and the field that it sets.
type Variable = (&'static str, &'static str, fn(&mut Config, String));

const VARIABLES: &[Variable] = &[
    ("BW_ACCOUNT_ID", "accountId", |c, v| c.account_id = v),
    ("BW_CLIENT_ID", "clientId", |c, v| c.client_id = Some(v)),
    ("BW_CLIENT_SECRET", "clientSecret", |c, v| c.client_secret = Some(Zeroizing::new(v))),
    ("BW_USERNAME", "username", |c, v| c.username = Some(v)),
    ("BW_PASSWORD", "password", |c, v| c.password = Some(Zeroizing::new(v))),
    ("BW_BASE_URL", "baseUrl", |c, v| c.base_url = Some(v)),
    ("BW_ENDPOINTS_URL", "endpointsUrl", |c, v| c.endpoints_url = Some(v)),
    ("BW_TOKEN_URL", "tokenUrl", |c, v| c.token_url = Some(v)),
];

const CLIENT_KEYS: [&str; 2] = ["clientId", "clientSecret"];
const USER_KEYS: [&str; 2] = ["username", "password"];

/// A value of the settings file, a variable or the options.
#[derive(Clone)]
struct Given {
    key: &'static str,
    layer: Layer,
    text: Zeroizing<String>,
}

/// Where the values of a configuration come from.
#[derive(Clone, Default)]
pub struct Origins {
    /// The path of the settings file, as messages show it. None if there is no file.
    file: Option<String>,
    /// Whether the environment is a layer.
    has_environment: bool,
    /// The values that are in effect.
    given: Vec<Given>,
}

impl Origins {
    fn layer(&self, key: &str) -> Layer {
        let given = self.given.iter().find(|given| given.key == key).map(|given| given.layer);
        given.unwrap_or(match (&self.file, self.has_environment) {
            (Some(_), _) => Layer::File,
            (None, true) => Layer::Environment,
            (None, false) => Layer::Options,
        })
    }

    /// The name of a key at the start of a message. A key that is missing gets its name in the lowest
    /// layer.
    pub fn name(&self, key: &str) -> String {
        self.name_in(self.layer(key), key)
    }

    /// The name of a key within a message.
    pub fn short_name(&self, key: &str) -> String {
        match self.layer(key) {
            Layer::Environment => self.name(key),
            Layer::File | Layer::Options => key.to_owned(),
        }
    }

    /// The beginning of a message about two pairs of credentials, and the names of their keys.
    pub fn names_of_pairs(&self) -> (String, [String; 4]) {
        let keys = [CLIENT_KEYS, USER_KEYS].concat();
        let given = self.given.iter().filter(|given| keys.contains(&given.key));
        // Both pairs are from one layer, the highest.
        let layer = given.map(|given| given.layer).last().unwrap_or(Layer::Options);
        let names = [keys[0], keys[1], keys[2], keys[3]].map(|key| match layer {
            Layer::Environment => self.name_in(layer, key),
            Layer::File | Layer::Options => key.to_owned(),
        });
        let start = match (layer, &self.file) {
            (Layer::Options, _) => "config: ".to_owned(),
            (Layer::File, Some(file)) => format!("{file}: "),
            _ => String::new(),
        };
        (start, names)
    }

    /// A problem of a key's value. The values in a file are not quoted: it may be another file.
    pub fn problem(&self, key: &str, problem: &str) -> String {
        match self.layer(key) {
            Layer::File => without_quoted(problem),
            Layer::Environment | Layer::Options => problem.to_owned(),
        }
    }

    /// The keys, apart from those of the credentials, whose values differ.
    pub fn changed_keys(&self, other: &Origins) -> Vec<&'static str> {
        let text = |origins: &Origins, key: &str| {
            origins.given.iter().find(|given| given.key == key).map(|given| given.text.clone())
        };
        Config::keys()
            .filter(|key| ![CLIENT_KEYS, USER_KEYS].concat().contains(key))
            .filter(|key| text(self, key) != text(other, key))
            .collect()
    }

    fn name_in(&self, layer: Layer, key: &str) -> String {
        let variable = VARIABLES.iter().find(|(_, named, _)| *named == key);
        match (layer, variable, &self.file) {
            (Layer::Environment, Some((variable, ..)), _) => (*variable).to_owned(),
            (Layer::File, _, Some(file)) => format!("{file}: {key}"),
            _ => format!("config.{key}"),
        }
    }
}

/// Replaces the text in each pair of quotation marks.
fn without_quoted(message: &str) -> String {
    let mut shown = String::with_capacity(message.len());
    let mut is_quoted = false;
    let mut is_escaped = false;
    for c in message.chars() {
        if is_quoted {
            is_quoted = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            shown.push_str(if is_quoted { "" } else { "\"" });
        } else {
            is_quoted = c == '"';
            shown.push(c);
            shown.push_str(if is_quoted { ".." } else { "" });
        }
    }
    shown
}

impl Config {
    /// Reads the settings file named by `BW_CONFIG_FILE`, and the environment variables
    /// `BW_ACCOUNT_ID`, `BW_CLIENT_ID` and `BW_CLIENT_SECRET` (or `BW_USERNAME` and `BW_PASSWORD`),
    /// `BW_BASE_URL`, `BW_ENDPOINTS_URL` and `BW_TOKEN_URL`, which override it. An empty variable
    /// counts as unset.
    ///
    /// # Errors
    /// `Status::Config`, with all problems; also in a set-uid process.
    pub fn from_environment() -> Result<Config, Error> {
        Config::from_json(r#"{"environment":true}"#)
    }

    /// Reads the JSON object of `bw_client_new`, and the layers that it selects. A key that is null
    /// counts as omitted.
    ///
    /// # Errors
    /// `Status::Config`, with all problems. Credentials are never quoted.
    pub fn from_json(text: &str) -> Result<Config, Error> {
        Config::from_layers(text, |name| std::env::var_os(name))
    }

    fn from_layers(
        text: &str,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Config, Error> {
        let fail = |message: String| Error::rejected(Status::Config, message);
        if text.len() > api::MAX_REQUEST {
            let most = api::MAX_REQUEST;
            return Err(fail(format!("config: has more than {most} bytes")));
        }
        let mut problems = Problems::default();
        let options = read_into(&"config", text, FIELDS, &mut problems);
        let given = |name: &str| options.0.iter().find(|(field, _)| field.name == name);
        let has_environment = given("environment").is_some_and(|(_, value)| value.boolean());
        let mut file = given("configFile").map(|(_, value)| value.to_text().to_owned());
        let mut config = Config::default();
        if has_environment {
            if sys::is_privileged() {
                return Err(Error::new(
                    Status::Config,
                    "a set-uid process does not read its configuration from the environment; pass a \
                     JSON object",
                ));
            }
            config.origins.has_environment = true;
            if file.is_none() {
                file = match variable(FILE_VARIABLE).map(OsString::into_string) {
                    Some(Err(_)) => return Err(fail(format!("{FILE_VARIABLE}: is not UTF-8"))),
                    Some(Ok(path)) if !path.is_empty() => Some(path),
                    _ => None,
                };
            }
        }
        if let Some(path) = file {
            let text = file::read(&path).map_err(fail)?;
            config.origins.file = Some(redact::path(&path));
            config.read_file(&path, &text, &mut problems);
        }
        if has_environment {
            config.read_variables(variable, &mut problems);
        }
        config.set_fields(Layer::Options, options);
        // With a file, or two pairs of credentials, the problem is reported later.
        if has_environment && config.origins.file.is_none() && !config.has_two_pairs() {
            config.add_unset_variables(&mut problems);
        }
        if config.environment || config.config_file.is_some() {
            config.options = Some(Zeroizing::new(text.to_owned()));
        }
        problems.message().map_or(Ok(config), |message| Err(fail(message)))
    }

    fn read_file(&mut self, path: &str, text: &str, problems: &mut Problems) {
        let mut found = Problems::default();
        let fields = read_into(&FILE_MARK, text, FIELDS, &mut found);
        for (field, _) in &fields.0 {
            if matches!(field.name, "environment" | "configFile") {
                let problem = "is an option in code, and not allowed in a file";
                found.add(&format_args!("{FILE_MARK}.{}", field.name), problem);
            }
        }
        if let Some(message) = found.message() {
            let file = redact::path(path);
            let message = without_quoted(&message);
            let message = message.replace("\u{1}.", "\u{1}: ").replace("\u{1}[", "\u{1}: [");
            problems.add_message(message.replace(FILE_MARK, &file));
        }
        self.set_fields(Layer::File, fields);
    }

    fn read_variables(
        &mut self,
        variable: impl Fn(&str) -> Option<OsString>,
        problems: &mut Problems,
    ) {
        let mut values = Vec::new();
        for (name, key, set) in VARIABLES {
            let Some(value) = variable(name).filter(|value| !value.is_empty()) else { continue };
            match value.into_string() {
                Ok(value) => values.push((*key, *set, Zeroizing::new(value))),
                Err(_) => problems.add(name, "is not UTF-8"),
            }
        }
        self.remove_other_pair(values.iter().map(|(key, ..)| *key));
        for (key, set, value) in values {
            set(self, (*value).clone());
            self.record(key, Layer::Environment, &value);
        }
    }

    /// Sets the fields that a document contains. All others keep their values.
    fn set_fields(&mut self, layer: Layer, fields: Fields<'_, Set>) {
        self.remove_other_pair(fields.0.iter().map(|(field, _)| field.name));
        for (field, value) in fields.0 {
            self.record(field.name, layer, value.to_text());
            (field.data)(self, value);
        }
    }

    fn record(&mut self, key: &'static str, layer: Layer, text: &str) {
        let text = Zeroizing::new(if [CLIENT_KEYS, USER_KEYS].concat().contains(&key) {
            String::new()
        } else {
            text.to_owned()
        });
        self.origins.given.retain(|given| given.key != key);
        self.origins.given.push(Given { key, layer, text });
    }

    /// Removes the pair of credentials of lower layers that a layer with these keys replaces by the
    /// other pair.
    fn remove_other_pair(&mut self, keys: impl Iterator<Item = &'static str> + Clone) {
        let has = |pair: [&str; 2]| keys.clone().any(|key| pair.contains(&key));
        let removed = match (has(CLIENT_KEYS), has(USER_KEYS)) {
            (true, false) => {
                (self.username, self.password) = (None, None);
                USER_KEYS
            }
            (false, true) => {
                (self.client_id, self.client_secret) = (None, None);
                CLIENT_KEYS
            }
            _ => return,
        };
        self.origins.given.retain(|given| !removed.contains(&given.key));
    }

    /// Reports the required values that no variable contains.
    fn add_unset_variables(&self, problems: &mut Problems) {
        let names: Vec<String> = self
            .missing()
            .iter()
            .map(|key| self.origins.name_in(Layer::Environment, key))
            .collect();
        match names.as_slice() {
            [] => {}
            [one] => {
                problems.add_message(format_args!("the environment variable {one} is not set"));
            }
            [most @ .., last] => {
                let most = most.join(", ");
                problems.add_message(format_args!(
                    "the environment variables {most} and {last} are not set"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_is_read_and_problems_name_variables() {
        let read = |variables: &[(&str, &str)]| {
            let get = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            };
            Config::from_layers(r#"{"environment":true}"#, get)
                .and_then(|config| config.clone().into_parts().map(|_| config))
                .map_err(|error| error.message)
        };
        let account = ("BW_ACCOUNT_ID", "1");
        let client = [account, ("BW_CLIENT_ID", "c"), ("BW_CLIENT_SECRET", "s3cret")];
        let config = read(&client).unwrap();
        assert_eq!(config.client_id.as_deref(), Some("c"));
        let empty = [&client[..], &[("BW_BASE_URL", ""), ("BW_USERNAME", "")]].concat();
        assert_eq!(read(&empty).unwrap().base_url, None);
        let endpoints = [&client[..], &[("BW_ENDPOINTS_URL", "https://api.bandwidth.com/v2")]];
        assert!(read(&endpoints.concat()).unwrap().endpoints_url.is_some());
        assert!(read(&[account, ("BW_USERNAME", "u"), ("BW_PASSWORD", "p")]).is_ok());
        for (variables, message) in [
            (
                vec![],
                "the environment variables BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET are \
                 not set",
            ),
            (
                vec![("BW_ACCOUNT_ID", ""), client[1], client[2]],
                "the environment variable BW_ACCOUNT_ID is not set",
            ),
            (
                vec![account, ("BW_USERNAME", "u")],
                "the environment variable BW_PASSWORD is not set",
            ),
        ] {
            assert_eq!(read(&variables).err().as_deref(), Some(message));
        }
        let message = read(&[&client[..], &[("BW_BASE_URL", "http://[::1]:1/v1")]].concat());
        let message = message.err().unwrap();
        assert!(message.starts_with("BW_TOKEN_URL: is missing; BW_BASE_URL is"), "{message}");
        let user = [("BW_USERNAME", "u"), ("BW_PASSWORD", "p")];
        for more in [&user[..], &user[..1], &user[1..]] {
            for started in [&client[..], &client[..2]] {
                let message = read(&[started, more].concat()).err().unwrap();
                let part = "either BW_CLIENT_ID and BW_CLIENT_SECRET, or BW_USERNAME and";
                assert!(message.contains(part), "{message}");
            }
        }
    }
}
