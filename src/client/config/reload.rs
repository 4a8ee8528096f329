//! Reads the configuration of a client again.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use super::Config;
use super::layers::Origins;
use crate::auth::Authenticator;
use crate::error::{Error, Status};
use crate::sys::PerProcess;

/// Keys that decide to whom the credentials are sent.
const DESTINATION: [&str; 4] = ["accountId", "baseUrl", "endpointsUrl", "tokenUrl"];

/// What is needed to read the configuration again.
pub struct Reloader {
    options: Zeroizing<String>,
    /// Where relative paths start, also if the process has changed its folder.
    folder: Option<PathBuf>,
    /// The values with which the client was created.
    origins: Origins,
    /// Held while the file is read and applied, so that an older version cannot replace a newer one.
    lock: PerProcess<Mutex<()>>,
}

impl Reloader {
    /// None if the configuration is read from neither a file nor the environment.
    pub fn new(config: &Config) -> Option<Reloader> {
        let options = config.options.clone()?;
        let (folder, origins) = (config.tls_files.folder.clone(), config.origins.clone());
        Some(Reloader { options, folder, origins, lock: PerProcess::new() })
    }

    /// Reads the configuration, and replaces the credentials if they differ. Returns whether they do,
    /// and the other keys whose values have changed.
    ///
    /// # Errors
    /// `Status::Config`. The credentials are not replaced.
    pub fn reload(
        &self,
        authenticator: &Authenticator,
    ) -> Result<(bool, Vec<&'static str>), Error> {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let config = Config::read_again(&self.options, self.folder.clone())?;
        let changed = self.origins.changed_keys(&config.origins);
        let names = |keys: &[&str]| {
            keys.iter().map(|key| config.origins.name(key)).collect::<Vec<_>>().join(", ")
        };
        let destination: Vec<_> =
            changed.iter().copied().filter(|key| DESTINATION.contains(key)).collect();
        let destination = (!destination.is_empty()).then(|| names(&destination));
        let kind = authenticator.kind();
        let [identifier, secret] = kind.keys();
        let credentials = config.into_parts()?.credentials;
        let fail = |message| Err(Error::rejected(Status::Config, message));
        if let Some(names) = destination {
            return fail(format!(
                "{names}: changed; the credentials could be sent to the wrong service, so create a \
                 new client"
            ));
        }
        if credentials.kind() != kind {
            let [new_identifier, new_secret] = credentials.kind().keys();
            return fail(format!(
                "the configuration contains {new_identifier} and {new_secret}, but the client has \
                 {identifier} and {secret}; create a new client"
            ));
        }
        let is_new = !authenticator.has_credentials(&credentials);
        if is_new {
            authenticator.set_credentials(credentials);
        }
        Ok((is_new, changed))
    }
}
