//! Addresses: of services, which an operator gives, and of what their answers lead to, which
//! nobody has checked.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use super::PullError;

/// Where a service answers. It is https, or http to this very machine, for tests and for a
/// gateway beside the program; nothing else may be sent a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut url = Url::parse(text).map_err(|error| format!("{error}: write https://host"))?;
        if let Err(reason) = check(&url) {
            return Err(reason.to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("an address ends with its path".to_owned());
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Address {
    /// The address of a path below this one, each part of it one segment, whatever is in it.
    pub(super) fn below(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        // An address with a host has segments.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// What an answer of this service leads to, where it leads to this service again.
    pub(super) fn follow(&self, what: &'static str, told: &str) -> Result<Url, PullError> {
        let url = self.0.join(told).map_err(|_| PullError::Address { what, told: shortened(told), reason: "it is no address" })?;
        check(&url).map_err(|reason| PullError::Address { what, told: shown(&url), reason })?;
        if url.origin() != self.0.origin() {
            return Err(PullError::OtherOrigin { what, told: url.origin().ascii_serialization(), wanted: self.origin() });
        }
        Ok(url)
    }

    /// Where blobs lie. That is another service by design, so any https will do; this machine is
    /// one only to a service that is on it too.
    pub(super) fn storage(&self, told: &str) -> Result<Url, PullError> {
        const WHAT: &str = "the manifest's rootDirectory";
        let refuse = |told: String, reason| PullError::Address { what: WHAT, told, reason };
        let url = Url::parse(told).map_err(|_| refuse(shortened(told), "it is no address"))?;
        check(&url).map_err(|reason| refuse(shown(&url), reason))?;
        if url.scheme() != "https" && self.is_encrypted() {
            return Err(refuse(shown(&url), "it is not https"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse(shown(&url), "it has a query of its own"));
        }
        Ok(url)
    }

    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub(super) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

fn check(url: &Url) -> Result<(), &'static str> {
    if url.host().is_none() {
        return Err("it names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it carries a user");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        _ => Err("it is not https"),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// An address as it may stand in a message: its query can be a signature.
pub(super) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// What is quoted of something that is no address, query left out.
fn shortened(told: &str) -> String {
    let path = told.split(['?', '#']).next().unwrap_or("");
    path.chars().filter(|letter| !letter.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_this_machine() {
        for (text, wanted) in [
            ("https://graph.microsoft.com/v1.0", Some("https://graph.microsoft.com/v1.0/")),
            ("https://graph.microsoft.com", Some("https://graph.microsoft.com/")),
            ("http://127.0.0.1:9", Some("http://127.0.0.1:9/")),
            ("http://[::1]:9/x/", Some("http://[::1]:9/x/")),
            ("http://localhost:9", Some("http://localhost:9/")),
            ("http://graph.microsoft.com", None),
            ("http://127.0.0.1.example.com", None),
            ("https://user:word@graph.microsoft.com", None),
            ("https://graph.microsoft.com/?a=b", None),
            ("file:///etc/passwd", None),
            ("graph.microsoft.com", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Address>().ok().map(|address| address.to_string()).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_link_is_followed_within_its_service_alone() {
        let api: Address = "https://graph.microsoft.com/v1.0".parse().unwrap();
        for (told, wanted) in [
            ("https://graph.microsoft.com/v1.0/operations/1", Some("https://graph.microsoft.com/v1.0/operations/1")),
            ("/v1.0/operations/1?a=b", Some("https://graph.microsoft.com/v1.0/operations/1?a=b")),
            ("operations/1", Some("https://graph.microsoft.com/v1.0/operations/1")),
            ("https://graph.microsoft.com:444/v1.0/operations/1", None),
            ("http://graph.microsoft.com/v1.0/operations/1", None),
            ("https://graph.microsoft.com.example.com/", None),
            ("//example.com/", None),
            ("https://graph.microsoft.com@example.com/", None),
            ("https://who@graph.microsoft.com/", None),
            ("\\\\example.com\\x", None),
            ("https://", None),
            ("javascript:alert(1)", None),
        ] {
            assert_eq!(api.follow("a link", told).ok().map(String::from).as_deref(), wanted, "{told}");
        }
        let error = api.follow("a link", "https://example.com/x?sig=s3cret").unwrap_err().to_string();
        assert_eq!(error, "a link leads to https://example.com, which is not https://graph.microsoft.com; it is not followed");
    }

    #[test]
    fn blobs_lie_behind_https() {
        let api: Address = "https://graph.microsoft.com/v1.0".parse().unwrap();
        assert!(api.storage("https://x.blob.core.windows.net/a/b").is_ok());
        for told in ["http://x.blob.core.windows.net/a", "http://127.0.0.1/a", "https://x/?sig=1", "ftp://x/", "/a/b", "https://a:b@x/"] {
            assert!(api.storage(told).is_err(), "{told}");
        }
        let here: Address = "http://127.0.0.1:9".parse().unwrap();
        assert!(here.storage("http://127.0.0.1:10/a").is_ok());
    }

    #[test]
    fn segments_stay_segments() {
        let api: Address = "https://graph.microsoft.com/v1.0".parse().unwrap();
        assert_eq!(api.below(&["a b", "x/y?z#w", "ü"]).as_str(), "https://graph.microsoft.com/v1.0/a%20b/x%2Fy%3Fz%23w/%C3%BC");
    }
}
