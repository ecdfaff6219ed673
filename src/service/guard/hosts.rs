//! From which address a request comes, through proxies that are believed, and under which name it
//! asks for us.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderMap};
use ipnet::IpNet;
use url::Url;

use crate::access::AccessConfig;

/// The names under which a service answers, and the proxies that it believes.
#[derive(Debug)]
pub(super) struct Hosts {
    /// Lower-case.
    names: Vec<String>,
    proxies: Vec<IpNet>,
    /// Scheme, name and port of the service as browsers see it.
    origin: Option<String>,
}

/// Where a request comes from and goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) struct Addressed {
    /// Of whoever sent it, as far as that is known.
    pub(in crate::service) from: IpAddr,
    /// Whether the name that it asks for is one of ours.
    pub(in crate::service) is_ours: bool,
    /// Why it is not answered in the way that it came.
    pub(in crate::service) by_us_alone: Option<&'static str>,
}

impl Hosts {
    pub(super) fn of(config: &AccessConfig) -> Self {
        let public = config.public();
        let own = public.as_ref().and_then(Url::host_str).map(str::to_lowercase);
        let names = config.hosts.iter().map(|host| host.to_lowercase()).chain(own).chain(["localhost".to_owned()]).collect();
        let origin = public.map(|public| public.origin().ascii_serialization());
        Self { names, proxies: config.trusted_proxies.clone(), origin }
    }

    /// A page of another site can have its own name lead to a loopback address, and would then read
    /// what the service answers (DNS rebinding); the name in the request gives it away. An address
    /// in digits cannot be made to lead elsewhere.
    pub(super) fn look(&self, head: &RequestHead, signs_in: bool, plain_to_others: bool) -> Addressed {
        let peer = head.peer_addr.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
        let is_forwarded = ["x-forwarded-for", "forwarded"].into_iter().any(|name| head.headers.contains_key(name));
        let by_us_alone = if !signs_in && is_forwarded {
            Some("nobody signs in here, so nobody is answered through a proxy; give the service an access file or a key file")
        } else if plain_to_others && !peer.is_loopback() && !self.trusts(peer) {
            Some("without TLS only the proxies of the access file are answered")
        } else {
            None
        };
        Addressed { from: self.client(peer, &head.headers), is_ours: self.is_ours(head), by_us_alone }
    }

    fn is_ours(&self, head: &RequestHead) -> bool {
        let Some(host) = head.headers.get(header::HOST) else { return true };
        let Ok(host) = host.to_str() else { return false };
        let name = without_port(host);
        let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        literal.parse::<IpAddr>().is_ok() || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The nearest address that is not a proxy of ours: what stands before it anyone may have written.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let told = headers.get_all("x-forwarded-for").filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let mut nearest = peer;
        for one in told.collect::<Vec<_>>().into_iter().rev() {
            let Some(address) = address(one.trim()) else { break };
            nearest = address;
            if !self.trusts(address) {
                break;
            }
        }
        nearest
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }

    /// Whether a request was sent by a page of ours, as far as the browser says: one that says
    /// nothing is no browser of these years, or was not sent by a page.
    pub(super) fn sent_by_us(&self, headers: &HeaderMap) -> Option<bool> {
        let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST);
        if let Some(origin) = text(header::ORIGIN) {
            let same = origin.split_once("://").is_some_and(|(_, of)| Some(of) == host);
            return Some(same || self.origin.as_deref() == Some(origin));
        }
        text(header::HeaderName::from_static("sec-fetch-site")).map(|site| matches!(site, "same-origin" | "none"))
    }
}

/// The name in a Host header.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => host,
    }
}

/// An address as proxies write it: alone, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.split_once(']')).map(|(address, _)| address);
    let address = bare.map_or_else(|| text.parse().or_else(|_| without_port(text).parse()), str::parse);
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use actix_web::test::TestRequest;

    use super::*;

    fn hosts() -> Hosts {
        let text = "public_url = \"https://churn.example.com\"\nhosts = [\"churn.internal\"]\ntrusted_proxies = [\"10.0.0.0/8\"]";
        Hosts::of(&AccessConfig::parse(text, Path::new("access.toml")).expect("it reads"))
    }

    #[test]
    fn a_request_for_another_name_is_not_ours() {
        for (host, ours) in [
            ("churn.example.com", true),
            ("Churn.Example.com:443", true),
            ("churn.internal:8080", true),
            ("localhost:8080", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("evil.example", false),
            ("churn.example.com.evil.example", false),
            ("localhost.evil.example:8080", false),
            ("", false),
        ] {
            let request = TestRequest::default().insert_header(("host", host)).to_http_request();
            assert_eq!(hosts().look(request.head(), true, false).is_ours, ours, "{host}");
        }
    }

    #[test]
    fn only_proxies_that_are_believed_say_whom_they_speak_for() {
        for (peer, told, from) in [
            ("192.0.2.9", "203.0.113.5", "192.0.2.9"),
            ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
            ("10.0.0.1", "1.1.1.1, 203.0.113.5, 10.2.2.2", "203.0.113.5"),
            ("10.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
            ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
            ("10.0.0.1", "nonsense", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            let peer = format!("{peer}:1").parse().expect("an address");
            let request = TestRequest::default().peer_addr(peer).insert_header(("x-forwarded-for", told)).to_http_request();
            assert_eq!(hosts().look(request.head(), true, false).from.to_string(), from, "{told}");
        }
    }

    #[test]
    fn whoever_comes_round_the_proxy_or_through_one_nobody_knows_is_not_answered() {
        let look = |peer: &str, signs_in, plain| {
            let request = TestRequest::default().peer_addr(format!("{peer}:1").parse().expect("an address"));
            let request = request.insert_header(("x-forwarded-for", "203.0.113.5")).to_http_request();
            hosts().look(request.head(), signs_in, plain).by_us_alone.is_none()
        };
        assert!(look("10.0.0.1", true, true) && look("127.0.0.1", true, true) && look("192.0.2.9", true, false));
        assert!(!look("192.0.2.9", true, true) && !look("127.0.0.1", false, false));
    }

    #[test]
    fn a_page_of_another_site_is_told_by_the_browser() {
        for (headers, by_us) in [
            (vec![], None),
            (vec![("sec-fetch-site", "same-origin")], Some(true)),
            (vec![("sec-fetch-site", "cross-site")], Some(false)),
            (vec![("sec-fetch-site", "same-site")], Some(false)),
            (vec![("host", "localhost:1"), ("origin", "http://localhost:1")], Some(true)),
            (vec![("host", "localhost:1"), ("origin", "http://localhost:2"), ("sec-fetch-site", "same-origin")], Some(false)),
            (vec![("host", "inner"), ("origin", "https://churn.example.com")], Some(true)),
            (vec![("host", "localhost:1"), ("origin", "null")], Some(false)),
        ] {
            let request = headers.iter().fold(TestRequest::default(), |request, header| request.insert_header(*header)).to_http_request();
            assert_eq!(hosts().sent_by_us(request.headers()), by_us, "{headers:?}");
        }
    }
}
