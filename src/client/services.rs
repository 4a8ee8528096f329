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
        let first = match services.urls {
            [ConfiguredUrl::Missing(_), _] | [ConfiguredUrl::Default, ConfiguredUrl::Given(_)] => {
                Service::Endpoints
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{BASE_URL, Config, ENDPOINTS_URL};

    #[test]
    fn only_the_service_that_is_used_has_a_transport() {
        for (urls, has_transport) in [
            (vec![], [true, false]),
            (vec![("baseUrl", BASE_URL)], [true, false]),
            (vec![("endpointsUrl", ENDPOINTS_URL)], [false, true]),
            (vec![("endpointsUrl", "https://other.example/v2")], [false, true]),
            (vec![("baseUrl", BASE_URL), ("endpointsUrl", ENDPOINTS_URL)], [true, false]),
        ] {
            let mut config =
                serde_json::json!({"accountId": "1", "username": "u", "password": "a password"});
            for (key, url) in &urls {
                config[key] = (*url).into();
            }
            let parts = Config::from_json(&config.to_string()).unwrap().into_parts().ok().unwrap();
            let services = Services::new(parts.services, parts.urls).ok().unwrap();
            let found = services.transports.each_ref().map(|transport| transport.get().is_some());
            assert_eq!(found, has_transport, "{urls:?}");
        }
    }
}
