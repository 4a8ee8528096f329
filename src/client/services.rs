//! The services of a client, each with its own URL and connections.

use once_cell::race::OnceBox;

use super::config::{ConfiguredUrl, ServiceSettings, ServiceUrl};
use crate::api::Service;
use crate::error::{Error, Status};
use crate::transport::{Settings, Transport};

/// The transport to a service, and the start of its paths.
pub struct ServiceTransport {
    pub transport: Transport,
    /// The path of the service's URL, and the account.
    pub prefix: String,
}

/// The services of a client. The transport of a service that is not used is not created.
pub struct Services {
    settings: ServiceSettings,
    urls: [ConfiguredUrl; 2],
    transports: [OnceBox<ServiceTransport>; 2],
}

impl Services {
    /// The services at these URLs, which are in the order of `Service`.
    ///
    /// # Errors
    /// `Status::Config`, if a transport cannot be created.
    pub fn new(settings: ServiceSettings, urls: [ConfiguredUrl; 2]) -> Result<Services, Error> {
        let services = Services { settings, urls, transports: Default::default() };
        // The library and ureq are initialized here, and not in a later call.
        let first = match services.urls[Service::WebRtc as usize] {
            ConfiguredUrl::Missing(_) => Service::Endpoints,
            _ => Service::WebRtc,
        };
        services.get(first).map(drop)?;
        Ok(services)
    }

    /// The transport to a service.
    ///
    /// # Errors
    /// `Status::Config`, if the configuration has no URL for the service.
    pub fn get(&self, service: Service) -> Result<&ServiceTransport, Error> {
        match self.transports[service as usize].get() {
            Some(transport) => Ok(transport),
            None => self.create(service),
        }
    }

    #[cold]
    fn create(&self, service: Service) -> Result<&ServiceTransport, Error> {
        self.transports[service as usize].get_or_try_init(|| {
            let transport = match &self.urls[service as usize] {
                ConfiguredUrl::Missing(missing) => {
                    return Err(Error::new(Status::Config, missing.to_string()));
                }
                ConfiguredUrl::Default => self.connect_to(service, &ServiceUrl::of(service)),
                ConfiguredUrl::Given(url) => self.connect_to(service, url),
            };
            transport.map(Box::new)
        })
    }

    fn connect_to(&self, service: Service, url: &ServiceUrl) -> Result<ServiceTransport, Error> {
        let settings = self.settings.for_url(service.url_key(), url, self.settings.max_idle);
        let account = &self.settings.account;
        Ok(ServiceTransport {
            transport: transport(settings)?,
            prefix: format!("{}/accounts/{account}", url.path.trim_end_matches('/')),
        })
    }
}

/// Creates a transport.
///
/// # Errors
/// `Status::Config`.
pub fn transport(settings: Settings) -> Result<Transport, Error> {
    Transport::new(settings)
        .map_err(|(key, why)| Error::new(Status::Config, format!("config.{key}: {why}")))
}
