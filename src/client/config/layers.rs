//! The layers of a configuration: the settings file, the environment variables and the options in code.
//! A higher layer overrides a lower one.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

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

/// The longest unknown key of a file that a message may contain, in bytes.
const LONGEST_KEY: usize = 32;
/// A shorter secret occurs in keys by chance.
const SHORTEST_SECRET: usize = 4;

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
        let layer = given.map(|given| given.layer).next_back().unwrap_or(Layer::Options);
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

fn is_secret(key: &str) -> bool {
    matches!(key, "clientSecret" | "password")
}

/// Replaces the unknown keys of a file that do not look like keys or contain a secret: the file may
/// be another one, or a value may be in the place of a key.
fn without_doubtful_keys(message: &str, secrets: &[String]) -> String {
    let is_shown = |key: &str| {
        let is_letter = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
        let contains =
            |secret: &&String| secret.len() >= SHORTEST_SECRET && key.contains(&***secret);
        Config::keys().any(|known| known == key)
            || key.len() <= LONGEST_KEY
                && key.bytes().all(is_letter)
                && !secrets.iter().any(|secret| contains(&secret))
    };
    let mut parts = message.split("\u{1}.");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (key, problem) = part.split_once(':').unwrap_or((part, ""));
        let key = if is_shown(key) { key } else { "[\"..\"]" };
        shown.extend([FILE_MARK, ": ", key, ":", problem]);
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
        Config::read_again(text, env::current_dir().ok())
    }

    /// As [`Config::from_json`], with the folder at which the relative paths of files start.
    pub(super) fn read_again(text: &str, folder: Option<PathBuf>) -> Result<Config, Error> {
        Config::from_layers(text, folder, |name| env::var_os(name))
    }

    fn from_layers(
        text: &str,
        folder: Option<PathBuf>,
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
        config.tls_files.folder = folder;
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
            let text = file::read(&path, config.tls_files.folder.as_deref()).map_err(fail)?;
            config.origins.file = Some(redact::path(&path));
            let mut secrets = Vec::new();
            for (name, key, _) in VARIABLES.iter().filter(|(_, key, _)| is_secret(key)) {
                let in_environment = if has_environment { variable(name) } else { None };
                secrets.extend(in_environment.and_then(|value| value.into_string().ok()));
                secrets.extend(given(key).map(|(_, value)| value.to_text().to_owned()));
            }
            config.read_file(&path, &text, Zeroizing::new(secrets), &mut problems);
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

    /// Reads the settings file. `secrets` are those of the other layers.
    fn read_file(
        &mut self,
        path: &str,
        text: &str,
        mut secrets: Zeroizing<Vec<String>>,
        problems: &mut Problems,
    ) {
        let mut found = Problems::default();
        let fields = read_into(&FILE_MARK, text, FIELDS, &mut found);
        for (field, _) in &fields.0 {
            if matches!(field.name, "environment" | "configFile") {
                let problem = "is an option in code, and not allowed in a file";
                found.add(&format_args!("{FILE_MARK}.{}", field.name), problem);
            }
        }
        if let Some(message) = found.message() {
            let in_file = fields.0.iter().filter(|(field, _)| is_secret(field.name));
            secrets.extend(in_file.map(|(_, value)| value.to_text().to_owned()));
            let message = without_doubtful_keys(&without_quoted(&message), &secrets);
            let message = message.replace("\u{1}[", "\u{1}: [");
            problems.add_message(message.replace(FILE_MARK, &redact::path(path)));
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
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn environment_is_read_and_problems_name_variables() {
        let read = |variables: &[(&str, &str)]| {
            let get = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            };
            Config::from_layers(r#"{"environment":true}"#, None, get)
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

    /// A file in the temporary folder, removed when dropped.
    struct TestFile(String);

    impl TestFile {
        fn new(content: &str) -> TestFile {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("bw-settings-{}-{number}.json", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::write(&path, content).unwrap();
            let file = TestFile(path.to_str().unwrap().to_owned());
            file.set_mode(0o644);
            file
        }

        fn set_mode(&self, mode: u32) {
            fs::set_permissions(&self.0, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    impl Drop for TestFile {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    /// Reads the layers: the options, the content of the file, and variables.
    fn layers(
        options: &str,
        file: &TestFile,
        variables: &[(&str, &str)],
    ) -> Result<Config, String> {
        let get = |name: &str| {
            let named = (name == FILE_VARIABLE).then(|| file.0.clone().into());
            let given = variables.iter().find(|(known, _)| *known == name);
            given.map(|(_, value)| value.into()).or(named)
        };
        Config::from_layers(options, None, get)
            .and_then(|config| config.clone().into_parts().map(|_| config))
            .map_err(|error| error.message)
    }

    const ENVIRONMENT: &str = r#"{"environment":true}"#;
    const WHOLE: &str = r#"{"accountId":"1","clientId":"c","clientSecret":"s3cret","timeoutMs":7,
        "baseUrl":"http://127.0.0.1:1/v1","tokenUrl":"http://127.0.0.1:1/t"}"#;

    #[test]
    fn higher_layers_override_lower_ones() {
        let file = TestFile::new(WHOLE);
        let config = layers(ENVIRONMENT, &file, &[]).unwrap();
        assert_eq!((config.timeout_ms, config.max_retries), (7, 2));
        let variables = [("BW_CLIENT_SECRET", "new"), ("BW_BASE_URL", "http://127.0.0.1:2/v1")];
        let options = r#"{"environment":true,"timeoutMs":9,"tokenUrl":"http://127.0.0.1:3/t"}"#;
        let config = layers(options, &file, &variables).unwrap();
        assert_eq!(config.timeout_ms, 9);
        assert_eq!(config.client_id.as_deref(), Some("c"));
        assert_eq!(config.client_secret.as_ref().unwrap().as_str(), "new");
        assert_eq!(config.base_url.as_deref(), Some("http://127.0.0.1:2/v1"));
        assert_eq!(config.token_url.as_deref(), Some("http://127.0.0.1:3/t"));
        // Without `environment`, neither the variables nor BW_CONFIG_FILE are read.
        let options = format!(r#"{{"configFile":"{}"}}"#, file.0);
        let config = layers(&options, &TestFile::new("{"), &variables).unwrap();
        assert_eq!(config.client_secret.as_ref().unwrap().as_str(), "s3cret");
        let message = layers("{}", &file, &variables).err().unwrap();
        assert!(message.contains("config.accountId: is missing"), "{message}");
    }

    #[test]
    fn pair_in_a_higher_layer_replaces_both_pairs_of_lower_ones() {
        let user = [("BW_USERNAME", "u"), ("BW_PASSWORD", "p")];
        let both =
            WHOLE.replace("\"timeoutMs\"", "\"username\":\"x\",\"password\":\"y\",\"maxRetries\"");
        for content in [WHOLE, &both] {
            let file = TestFile::new(content);
            let config = layers(ENVIRONMENT, &file, &user).unwrap();
            assert_eq!((config.username.as_deref(), config.client_id), (Some("u"), None));
            let options = r#"{"environment":true,"clientId":"d","clientSecret":"e"}"#;
            let config = layers(options, &file, &user).unwrap();
            assert_eq!((config.client_id.as_deref(), config.username), (Some("d"), None));
        }
        // Half a pair: the other half is not one of the other kind.
        let file = TestFile::new(WHOLE);
        let message = layers(ENVIRONMENT, &file, &user[..1]).err().unwrap();
        assert_eq!(message, format!("{}: password: is missing", file.0));
        let file = TestFile::new(&both);
        let message = layers(ENVIRONMENT, &file, &[]).err().unwrap();
        let expected =
            format!("{}: there are two pairs of credentials; set either clientId", file.0);
        assert!(message.starts_with(&expected), "{message}");
    }

    #[test]
    fn omitted_url_of_merged_layers_is_not_the_services_own() {
        let file = TestFile::new(r#"{"accountId":"1","clientId":"c","clientSecret":"s3cret"}"#);
        let local = ("BW_BASE_URL", "http://127.0.0.1:1/v1");
        let message = layers(ENVIRONMENT, &file, &[local]).err().unwrap();
        let start = format!("{}: tokenUrl: is missing; BW_BASE_URL is not the", file.0);
        assert!(message.starts_with(&start), "{message}");
        let options = r#"{"environment":true,"tokenUrl":"http://127.0.0.1:1/t"}"#;
        let message = layers(options, &file, &[]).err().unwrap();
        let start = format!("{}: baseUrl: is missing; tokenUrl is not the", file.0);
        assert!(message.starts_with(&start), "{message}");
        assert!(layers(options, &file, &[local]).is_ok());
    }

    #[test]
    fn problems_name_the_layer_and_never_quote_the_file() {
        for (content, part) in [
            ("", ": is empty"),
            ("s3cret", ": is not valid JSON (line 1, column 1)"),
            (r#"{"accountId":"1" "s3cret"}"#, ": is not valid JSON"),
            (r#"["s3cret"]"#, ": must be a JSON object, not an array"),
            ("\u{feff}{}", ": begins with a byte order mark"),
            (r#"{"timoutMs":1}"#, ": timoutMs: is not known; did you mean timeoutMs?"),
            (r#"{"my s3cret":1}"#, ": [\"..\"]: is not known"),
            (r#"{"s3cret":1,"S3cret-s3cret":1}"#, ": [\"..\"]: is not known"),
            (r#"{"client_secret":1}"#, ": client_secret: is not known; did you mean clientSecret?"),
            (r#"{"clientSecret":"Hide","toHide":1}"#, ": [\"..\"]: is not known"),
            (r#"{"username":"toShow","toShow":1}"#, ": toShow: is not known"),
            (r#"{"password":"a","password":"s3cret"}"#, ": password: is given twice"),
            (r#"{"timeoutMs":"s3cret"}"#, ": timeoutMs: must be a whole number from 1 to"),
            (r#"{"roots":"s3cret"}"#, ": roots: \"..\" is not one of bundled, system"),
            (r#"{"bindAddress":"s3\"cret"}"#, ": bindAddress: \"..\" is not an IP address"),
            (r#"{"baseUrl":"s3cret://h/"}"#, ": baseUrl: has the scheme \"..\"; use https"),
            (r#"{"baseUrl":"s3cret of mine"}"#, ": baseUrl: \"..\" is not a URL"),
            (r#"{"clientId":"s3cret:x"}"#, ": clientSecret: is missing"),
            (
                r#"{"clientId":"s3cret:x","clientSecret":"y"}"#,
                ": clientId: must not contain a colon",
            ),
            (r#"{"userAgent":"s3cret\n"}"#, ": userAgent: must be printable"),
            (r#"{"proxy":"s3cret"}"#, ": proxy: must have the form"),
            (r#"{"environment":true}"#, ": environment: is an option in code"),
            (r#"{"configFile":"s3cret"}"#, ": configFile: is an option in code"),
        ] {
            let file = TestFile::new(content);
            let message = layers(ENVIRONMENT, &file, &[]).err().unwrap();
            assert!(message.contains(&format!("{}{part}", file.0)), "{content}: {message}");
            for secret in ["s3cret", "s3\\", "cret\"", "of mine", "Hide"] {
                assert!(!message.contains(secret), "{content}: {message}");
            }
        }
        // Secrets of the other layers.
        let file = TestFile::new(r#"{"hiddenWord":1,"thePassword":1,"toShow":1}"#);
        let options = r#"{"environment":true,"password":"Password"}"#;
        let message = layers(options, &file, &[("BW_CLIENT_SECRET", "hiddenWord")]).err().unwrap();
        assert_eq!(message.matches(": [\"..\"]: is").count(), 2, "{message}");
        assert!(message.contains(": toShow: is not known"), "{message}");
        assert!(!message.contains("hidden") && !message.contains("Password:"), "{message}");
        let file = TestFile::new(WHOLE);
        let message = layers(ENVIRONMENT, &file, &[("BW_TOKEN_URL", "ftp://h")]).err().unwrap();
        assert!(message.starts_with("BW_TOKEN_URL: has the scheme"), "{message}");
        let message = layers(r#"{"environment":true,"roots":"x"}"#, &file, &[]).err().unwrap();
        assert_eq!(message, "config.roots: \"x\" is not one of bundled, system");
    }

    #[test]
    fn unsafe_and_unreadable_files_are_rejected() {
        let file = TestFile::new(WHOLE);
        for (mode, change) in [(0o666, Some("go-w")), (0o646, Some("o-w")), (0o640, None)] {
            file.set_mode(mode);
            let message = layers(ENVIRONMENT, &file, &[]).err();
            let expected = change.map(|change| {
                format!("{0}: every user can write the file; run: chmod {change} '{0}'", file.0)
            });
            assert_eq!(message, expected, "{mode:o}");
        }
        let folder = TestFile::new("");
        fs::remove_file(&folder.0).unwrap();
        fs::create_dir(&folder.0).unwrap();
        let inside = TestFile(format!("{}/x.json", folder.0));
        fs::copy(&file.0, &inside.0).unwrap();
        let link = TestFile::new("");
        fs::remove_file(&link.0).unwrap();
        std::os::unix::fs::symlink(&inside.0, &link.0).unwrap();
        for (mode, is_accepted) in [(0o755, true), (0o757, false), (0o1757, true)] {
            folder.set_mode(mode);
            for path in [&inside, &link] {
                let message = layers(ENVIRONMENT, path, &[]).err();
                let expected = format!(
                    "{}: every user can replace the file in its folder; run: chmod o-w '{}'",
                    path.0, folder.0
                );
                assert_eq!(message, (!is_accepted).then_some(expected), "{mode:o}");
            }
        }
        drop(inside);
        fs::remove_dir(&folder.0).unwrap();
        fs::remove_file(&link.0).unwrap();
        std::os::unix::fs::symlink(&file.0, &link.0).unwrap();
        assert!(layers(ENVIRONMENT, &link, &[]).is_ok());
        file.set_mode(0o646);
        assert!(layers(ENVIRONMENT, &link, &[]).err().unwrap().contains("chmod o-w"));
        for (path, part) in [
            ("/nowhere/x.json", "/nowhere/x.json: the settings file cannot be read: No such file"),
            ("/", "/: is not a file"),
            ("/dev/zero", "/dev/zero: is not a file"),
        ] {
            let options = format!(r#"{{"configFile":"{path}"}}"#);
            let message = layers(&options, &file, &[]).err().unwrap();
            assert!(message.starts_with(part), "{message}");
        }
        let message = layers(ENVIRONMENT, &TestFile::new(&" ".repeat(65_537)), &[]).err().unwrap();
        assert!(message.ends_with(".json: has more than 65536 bytes"), "{message}");
        let file = TestFile::new("");
        fs::write(&file.0, [b'{', 0xff]).unwrap();
        let message = layers(ENVIRONMENT, &file, &[]).err().unwrap();
        assert!(message.ends_with(".json: is not UTF-8 text"), "{message}");
    }

    #[test]
    fn reload_replaces_only_the_credentials() {
        let file = TestFile::new(WHOLE);
        let options = format!(r#"{{"configFile":"{}"}}"#, file.0);
        let client = crate::client::Client::new(Config::from_json(&options).unwrap()).unwrap();
        let reload = |content: &str| {
            fs::write(&file.0, content).unwrap();
            client.reload().map_err(|error| error.message)
        };
        let unchanged = r#"{"credentialsReplaced":false,"needsNewClient":[]}"#;
        assert_eq!(reload(WHOLE).as_deref(), Ok(unchanged));
        let new = WHOLE.replace("s3cret", "n3w");
        let replaced = r#"{"credentialsReplaced":true,"needsNewClient":[]}"#;
        assert_eq!(reload(&new).as_deref(), Ok(replaced));
        assert_eq!(reload(&new).as_deref(), Ok(unchanged));
        let more = WHOLE.replace("\"timeoutMs\":7", "\"timeoutMs\":8,\"maxRetries\":1");
        let expected =
            r#"{"credentialsReplaced":true,"needsNewClient":["timeoutMs","maxRetries"]}"#;
        assert_eq!(reload(&more).as_deref(), Ok(expected));
        let name = &file.0;
        for (content, message) in [
            (String::new(), format!("{name}: is empty; pass a JSON object, for example {{}}")),
            (
                WHOLE.replace(":7", ":0"),
                format!("{name}: timeoutMs: must be a whole number from 1"),
            ),
            (
                WHOLE.replace("\"1\"", "\"2\"").replace("127.0.0.1:1/v1", "127.0.0.1:2/v1"),
                format!("{name}: accountId, {name}: baseUrl: changed; the credentials could be"),
            ),
            (
                WHOLE.replace("clientId", "username").replace("clientSecret", "password"),
                "the configuration contains username and password, but the client has clientId"
                    .to_owned(),
            ),
        ] {
            let found = reload(&content).err().unwrap();
            assert!(found.starts_with(&message), "{found}");
        }
        // The failures have not replaced the credentials.
        assert_eq!(reload(&more).as_deref(), Ok(&*expected.replace("true", "false")));
        let fixed = Config::from_json(WHOLE).unwrap();
        let error = crate::client::Client::new(fixed).unwrap().reload().err().unwrap();
        assert_eq!(error.status, Status::Config);
        assert!(error.message.contains("nothing to reload"), "{}", error.message);
    }
}
