//! The configuration in environment variables.

use std::ffi::OsString;

use zeroize::Zeroizing;

use super::Config;
use crate::error::{Error, Status};
use crate::json::document::Problems;
use crate::sys;

/// Where a configuration comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A JSON object.
    Document,
    /// Environment variables.
    Environment,
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

impl Source {
    /// The name of a key at the start of a message.
    pub fn name(self, key: &str) -> String {
        let variable = VARIABLES.iter().find(|(_, named, _)| *named == key);
        match (self, variable) {
            (Source::Environment, Some((variable, ..))) => (*variable).to_owned(),
            _ => format!("config.{key}"),
        }
    }

    /// The name of a key within a message.
    pub fn short_name(self, key: &str) -> String {
        self.name(key).trim_start_matches("config.").to_owned()
    }
}

impl Config {
    /// Reads the environment variables `BW_ACCOUNT_ID`, `BW_CLIENT_ID` and `BW_CLIENT_SECRET` (or
    /// `BW_USERNAME` and `BW_PASSWORD`), `BW_BASE_URL`, `BW_ENDPOINTS_URL` and `BW_TOKEN_URL`. An
    /// empty variable counts as unset.
    ///
    /// # Errors
    /// `Status::Config`, with all variables that are missing or not UTF-8; also in a set-uid process.
    pub fn from_environment() -> Result<Config, Error> {
        if sys::is_privileged() {
            return Err(Error::new(
                Status::Config,
                "a set-uid process does not read its configuration from the environment; pass a \
                 JSON object",
            ));
        }
        Config::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Result<Config, Error> {
        let mut config = Config { source: Source::Environment, ..Config::default() };
        let mut problems = Problems::default();
        for (variable, _, set) in VARIABLES {
            let Some(value) = get(variable).filter(|value| !value.is_empty()) else { continue };
            match value.into_string() {
                Ok(value) => set(&mut config, value),
                Err(_) => problems.add(variable, "is not UTF-8"),
            }
        }
        let missing = config.missing();
        // Two pairs of credentials are reported later.
        if !config.has_two_pairs() {
            let names: Vec<String> = missing.iter().map(|key| config.source.name(key)).collect();
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
        problems.message().map_or(Ok(config), |message| Err(Error::new(Status::Config, message)))
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
            Config::from_variables(get)
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
