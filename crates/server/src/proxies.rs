//! Whom a request really comes from: the other end of its connection, or, where that is a proxy that was named when
//! the server was started, whom the proxy says it speaks for (`Forwarded`, RFC 7239, or `X-Forwarded-For` and
//! `X-Forwarded-Proto`). From anybody else these headers are words of a stranger and count nothing.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

use crate::app::Peer;

/// Whoever sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address.
    pub(crate) ip: IpAddr,
    /// Whether its way to us, or to the first proxy, is encrypted.
    pub(crate) is_encrypted: bool,
}

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Vec<IpNet>);

impl Proxies {
    /// `texts` are addresses, or networks such as `10.0.0.0/8`; `Err` is the first that is neither.
    pub(crate) fn new(texts: &[String]) -> Result<Self, String> {
        let parse = |text: &String| {
            let network = text.parse().or_else(|_| text.parse().map(IpAddr::into));
            network.map_err(|_| text.clone())
        };
        Ok(Self(texts.iter().map(parse).collect::<Result<_, _>>()?))
    }

    /// Whether that is one of them.
    pub(crate) fn contain(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// Whom a request comes from that came in over a connection.
    pub(crate) fn client(&self, peer: Peer, headers: &HeaderMap) -> Client {
        let direct = Client {
            ip: peer.remote.ip().to_canonical(),
            is_encrypted: peer.is_encrypted,
        };
        if !self.contain(direct.ip) {
            return direct;
        }
        let standard = forwarded(headers);
        let common = x_forwarded(headers);
        let told = match (standard.is_empty(), common.is_empty()) {
            (true, true) => return direct,
            (false, true) => self.last_stranger(&standard),
            (true, false) => self.last_stranger(&common),
            // Proxies write one and pass on the other as it came. Where they disagree, one is made up.
            (false, false) => self
                .last_stranger(&standard)
                .filter(|client| self.last_stranger(&common) == Some(*client)),
        };
        told.unwrap_or(direct)
    }

    /// The last hop that is none of ours; a hop without an address hides all before it.
    fn last_stranger(&self, hops: &[Hop]) -> Option<Client> {
        let mut client = None;
        for hop in hops.iter().rev() {
            let ip = hop.ip?;
            client = Some(Client {
                ip,
                is_encrypted: hop.is_encrypted,
            });
            if !self.contain(ip) {
                break;
            }
        }
        client
    }
}

/// One station of a request's way, as the station after it saw it.
#[derive(Clone, Copy, Debug)]
struct Hop {
    /// `None` for `unknown`, and for what cannot be read.
    ip: Option<IpAddr>,
    is_encrypted: bool,
}

fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter();
    // A value that is not text stands for one that cannot be read.
    values.flat_map(|value| value.to_str().unwrap_or("?").split(','))
}

fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let hop = |element: &str| {
        let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
        let mut hop = Hop {
            ip: None,
            is_encrypted: false,
        };
        for (name, value) in pairs {
            let value = value.trim().trim_matches('"');
            match name.trim() {
                name if name.eq_ignore_ascii_case("for") => hop.ip = node(value),
                name if name.eq_ignore_ascii_case("proto") => {
                    hop.is_encrypted = value.eq_ignore_ascii_case("https");
                }
                _ => {}
            }
        }
        hop
    };
    values(headers, "forwarded").map(hop).collect()
}

fn x_forwarded(headers: &HeaderMap) -> Vec<Hop> {
    // One value for the whole way, and the nearest proxy's word where there are several.
    let scheme = values(headers, "x-forwarded-proto").last();
    let is_encrypted = scheme.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"));
    values(headers, "x-forwarded-for")
        .map(|value| Hop {
            ip: node(value.trim()),
            is_encrypted,
        })
        .collect()
}

/// An address, which may stand in brackets and be followed by a port.
fn node(text: &str) -> Option<IpAddr> {
    let address = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    address.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(remote: &str, headers: &[(&'static str, &str)]) -> (String, bool) {
        let proxies = Proxies::new(&["127.0.0.1".into(), "10.1.0.0/16".into()]).unwrap();
        let peer = Peer {
            remote: remote.parse().unwrap(),
            local: "127.0.0.1:8000".parse().unwrap(),
            is_encrypted: false,
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let client = proxies.client(peer, &map);
        (client.ip.to_string(), client.is_encrypted)
    }

    #[test]
    fn only_named_proxies_are_believed() {
        let forged = [
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(told("9.9.9.9:1", &forged), ("9.9.9.9".into(), false));
        assert_eq!(told("127.0.0.1:1", &forged), ("1.2.3.4".into(), true));
        assert_eq!(
            told("[::ffff:10.1.2.3]:1", &forged),
            ("1.2.3.4".into(), true)
        );
        assert_eq!(told("127.0.0.1:1", &[]), ("127.0.0.1".into(), false));
    }

    #[test]
    fn the_client_is_the_last_that_is_no_proxy() {
        let through = |value: &'static str| told("127.0.0.1:1", &[("x-forwarded-for", value)]).0;
        assert_eq!(through("6.6.6.6, 1.2.3.4, 10.1.9.9"), "1.2.3.4");
        assert_eq!(through("10.1.0.1, 10.1.0.2"), "10.1.0.1");
        // What was written before a hop that cannot be read may be made up.
        assert_eq!(through("6.6.6.6, nonsense, 10.1.9.9"), "127.0.0.1");
        assert_eq!(through("nonsense"), "127.0.0.1");
        assert_eq!(through("[2001:db8::7]:443"), "2001:db8::7");
        let two = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "1.2.3.4"),
        ];
        assert_eq!(told("127.0.0.1:1", &two).0, "1.2.3.4");
    }

    #[test]
    fn the_standard_header_is_read_and_may_not_disagree() {
        let through = |value: &'static str| told("127.0.0.1:1", &[("forwarded", value)]);
        assert_eq!(
            through("for=1.2.3.4;proto=https;by=203.0.113.43"),
            ("1.2.3.4".into(), true)
        );
        assert_eq!(
            through("For=6.6.6.6, for=\"[2001:db8:cafe::17]:4711\";proto=http"),
            ("2001:db8:cafe::17".into(), false)
        );
        assert_eq!(through("for=unknown").0, "127.0.0.1");
        assert_eq!(through("for=_hidden, for=10.1.1.1").0, "127.0.0.1");
        let both = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(told("127.0.0.1:1", &both).0, "127.0.0.1");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        assert_eq!(Proxies::new(&["nas".into()]).unwrap_err(), "nas");
        assert!(Proxies::new(&["::1".into(), "fd00::/8".into()]).is_ok());
    }
}
