//! Which names this server answers to, and which pages may post to it.
//!
//! The `Host` allow-list is what stops DNS rebinding: a page of `evil.example` whose name was pointed at this machine
//! is same-origin with us, sends no `Origin` on a GET, and is betrayed only by the name it asks for. The check of
//! `Sec-Fetch-Site` and `Origin` then stops pages that post here from elsewhere.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

use crate::app::Peer;

/// The names and ports that are ours.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    /// Extra names with a port if only that one is meant, as a proxy in front of us is called.
    extra: Vec<(String, Option<u16>)>,
}

/// What may follow the name in a `Host` header: our port if it is not 80.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HostPort {
    name: String,
    port: Option<u16>,
}

impl Hosts {
    /// `extra` are names or `name:port` that are allowed besides loopback and the bound address; `None` names the
    /// first that cannot be one.
    pub(crate) fn new(extra: &[String]) -> Result<Self, String> {
        let parse = |text: &String| {
            let host = HostPort::parse(text).ok_or_else(|| text.clone())?;
            Ok((host.name, host.port))
        };
        Ok(Self {
            extra: extra.iter().map(parse).collect::<Result<_, String>>()?,
        })
    }

    /// The names and addresses that were given, without ports and brackets.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.extra.iter().map(|(name, _)| name.as_str());
        names.map(|name| name.trim_start_matches('[').trim_end_matches(']'))
    }

    /// Whether a request that came in on `local` may name this server as its headers and target do.
    pub(crate) fn allow(&self, headers: &HeaderMap, uri: &Uri, peer: Peer) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let header = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok(),
            _ => None,
        };
        let Some(host) = header.and_then(HostPort::parse) else {
            return false;
        };
        // A target in absolute form overrides `Host`; it has to name us as well.
        let target = uri
            .authority()
            .map(|authority| HostPort::parse(authority.as_str()));
        self.is_ours(&host, peer)
            && target.is_none_or(|target| target.is_some_and(|host| self.is_ours(&host, peer)))
    }

    fn is_ours(&self, host: &HostPort, peer: Peer) -> bool {
        let named = self
            .extra
            .iter()
            .any(|(name, port)| *name == host.name && (port.is_none() || *port == host.port));
        if named {
            return true;
        }
        let default_port = if peer.is_encrypted { 443 } else { 80 };
        if host.port.unwrap_or(default_port) != peer.local.port() {
            return false;
        }
        let ip = peer.local.ip().to_canonical();
        let literal = host
            .name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>();
        match literal.map(|ip| ip.to_canonical()) {
            // The address that the connection really came in on; a wildcard address names nobody.
            Ok(literal) => literal == ip || (literal.is_loopback() && ip.is_loopback()),
            Err(_) => host.name == "localhost" && ip.is_loopback(),
        }
    }
}

impl HostPort {
    fn parse(text: &str) -> Option<Self> {
        let authority: Authority = text.parse().ok()?;
        if text.contains('@') || authority.host().is_empty() {
            return None;
        }
        // `host:` with no port after the colon is legal and means the default.
        let rest = &text[authority.host().len()..];
        let port = match rest.strip_prefix(':') {
            None | Some("") => None,
            Some(port) => Some(port.parse().ok()?),
        };
        let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
        (!name.is_empty()).then_some(Self { name, port })
    }
}

/// Whether a POST with these headers comes from another site's page. Scripts send neither header and pass.
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    // Browsers leave `Sec-Fetch-Site` out on plain HTTP to anything but loopback.
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    match (origin, host) {
        (Some(("http" | "https", origin)), Some(host)) => !origin.eq_ignore_ascii_case(host),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(local: &str) -> Peer {
        Peer {
            remote: "127.0.0.1:50000".parse().unwrap(),
            local: local.parse().unwrap(),
            is_encrypted: local.ends_with("443"),
        }
    }

    fn allowed(local: &str, host: &str) -> bool {
        let hosts = Hosts::new(&["Archive.Example".into(), "nas:8443".into()]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        hosts.allow(&headers, &Uri::from_static("/"), peer(local))
    }

    #[test]
    fn loopback_answers_to_its_names() {
        for host in [
            "127.0.0.1:8000",
            "localhost:8000",
            "LOCALHOST:8000",
            "[::1]:8000",
            "127.0.0.2:8000",
        ] {
            assert!(allowed("127.0.0.1:8000", host), "{host}");
            assert!(allowed("[::1]:8000", host), "{host}");
        }
        assert!(allowed("127.0.0.1:80", "localhost"));
        assert!(allowed("127.0.0.1:80", "localhost:"));
        assert!(allowed("127.0.0.1:443", "localhost"));
        assert!(!allowed("127.0.0.1:443", "localhost:80"));
        for host in [
            "localhost",
            "localhost:8001",
            "evil.example:8000",
            "127.0.0.1.evil.example:8000",
            "localhost.evil.example:8000",
            "0.0.0.0:8000",
            "[::]:8000",
            "",
            "localhost:8000@evil.example",
            "evil@localhost:8000",
            "2130706433:8000",
            "192.168.1.2:8000",
        ] {
            assert!(!allowed("127.0.0.1:8000", host), "{host}");
        }
    }

    #[test]
    fn other_addresses_answer_to_themselves_and_what_is_configured() {
        let lan = "192.168.1.2:8000";
        for host in [
            "192.168.1.2:8000",
            "archive.example",
            "archive.example:8000",
            "ARCHIVE.example.:443",
            "nas:8443",
        ] {
            assert!(allowed(lan, host), "{host}");
        }
        for host in [
            "192.168.1.3:8000",
            "localhost:8000",
            "127.0.0.1:8000",
            "nas",
            "nas:8000",
            "x.archive.example",
        ] {
            assert!(!allowed(lan, host), "{host}");
        }
        assert!(allowed("[::ffff:192.168.1.2]:8000", "192.168.1.2:8000"));
        assert!(Hosts::new(&["a b".into()]).is_err());
    }

    #[test]
    fn a_host_must_be_named_once() {
        let hosts = Hosts::new(&[]).unwrap();
        let local = peer("127.0.0.1:8000");
        let mut headers = HeaderMap::new();
        assert!(!hosts.allow(&headers, &Uri::from_static("/"), local));
        headers.append(header::HOST, "localhost:8000".parse().unwrap());
        assert!(hosts.allow(&headers, &Uri::from_static("http://localhost:8000/"), local));
        assert!(!hosts.allow(&headers, &Uri::from_static("http://evil.example/"), local));
        headers.append(header::HOST, "localhost:8000".parse().unwrap());
        assert!(!hosts.allow(&headers, &Uri::from_static("/"), local));
    }

    #[test]
    fn posts_of_other_sites() {
        let cross = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            is_cross_site(&headers)
        };
        let host = ("host", "nas:8000");
        assert!(!cross(&[host]));
        assert!(!cross(&[
            host,
            ("sec-fetch-site", "same-origin"),
            ("origin", "http://x")
        ]));
        assert!(!cross(&[host, ("sec-fetch-site", "none")]));
        assert!(!cross(&[host, ("origin", "http://NAS:8000")]));
        assert!(!cross(&[host, ("origin", "https://nas:8000")]));
        for site in ["cross-site", "same-site", ""] {
            assert!(
                cross(&[
                    host,
                    ("sec-fetch-site", site),
                    ("origin", "http://nas:8000")
                ]),
                "{site}"
            );
        }
        for origin in [
            "null",
            "http://nas",
            "http://nas:8001",
            "ftp://nas:8000",
            "nas:8000",
        ] {
            assert!(cross(&[host, ("origin", origin)]), "{origin}");
        }
    }
}
