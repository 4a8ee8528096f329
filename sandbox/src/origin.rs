//! The check that prevents web pages from using `/_sandbox`, which has no password: any page that a
//! developer visits can make the browser send requests to loopback addresses.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

/// Rejects a request that a browser sends for a page of another site. The error states the reason.
pub fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
    let host = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => value(headers, "host")?,
    };
    if host.is_some_and(|host| !is_local(host)) {
        return Err("the Host header must be localhost or an IP address");
    }
    if let Some(origin) = value(headers, "origin")? {
        let of_origin = origin.split_once("://").map(|(_, authority)| authority);
        if of_origin.is_none() || of_origin != host {
            return Err("the Origin header is another site's");
        }
    }
    // Browsers do not send Origin with every request.
    match value(headers, "sec-fetch-site")? {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err("the Sec-Fetch-Site header states that this is another site's request"),
    }
}

/// The value of a header that must not be repeated.
fn value<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, &'static str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| "a header is not ASCII"),
        _ => Err("a header is repeated"),
    }
}

/// Whether no other site can use this host: an attacker can make a name resolve to 127.0.0.1, but
/// not an address, and browsers do not look up localhost in the DNS.
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.ends_with(".localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_and_addresses_are_local() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "app.localhost:1",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:8080",
            "[::1]",
            "10.0.0.7:8080",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "example.com",
            "localhost.example.com:8080",
            "127.0.0.1.example.com",
            "notlocalhost",
            "",
            "localhost:8080, example.com",
            "sandbox:8080",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
