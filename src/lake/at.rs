//! Where a lake is: in a folder, or at a URL of an object store.
//!
//! Absent on purpose: credentials. They are in the environment, where the store's client reads
//! them; a URL that carries some is refused when it is opened, without a word of them.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::checksum;
use super::remote::Remote;
use super::tables::{Lake, LakeError};

/// Digits of the SHA-256 of a URL that name the folder of its copy.
const HOME_DIGITS: usize = 16;

/// Where a lake is. Every text is one or the other: what has a scheme and `://` is a URL, and
/// anything else is a path. A `file` URL is the folder that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LakeAt {
    Folder(PathBuf),
    Remote(RemoteAt),
}

/// A lake in an object store, and the folder of what is kept of it on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteAt {
    /// Without a password and a query, and without a `/` at its end.
    url: String,
    carries_credentials: bool,
    home: PathBuf,
}

impl fmt::Debug for RemoteAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteAt").field("url", &self.url).field("home", &self.home).finish_non_exhaustive()
    }
}

impl fmt::Display for LakeAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(dir) => write!(f, "{}", dir.display()),
            Self::Remote(at) => write!(f, "{}", at.url),
        }
    }
}

impl RemoteAt {
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) const fn carries_credentials(&self) -> bool {
        self.carries_credentials
    }

    /// Where copies of this lake lie.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// The same in another folder.
    #[cfg(test)]
    pub(super) fn of_test(url: &str, home: &Path) -> Self {
        Self { url: url.to_owned(), carries_credentials: false, home: home.to_path_buf() }
    }
}

impl LakeAt {
    /// Opens it for whoever writes or waits: there may be no lake yet.
    ///
    /// # Errors
    /// As [`Lake::open`]; and where the store cannot be reached.
    pub fn open(&self) -> Result<Lake, LakeError> {
        match self {
            Self::Folder(dir) => Lake::open(dir),
            Self::Remote(at) => Arc::new(Remote::connect(at)?).open(),
        }
    }

    /// Opens it for whoever only reads, to whom a lake that is not there is a name that was spelt
    /// wrong.
    ///
    /// # Errors
    /// As [`LakeAt::open`], and where there is no such lake.
    pub fn open_existing(&self) -> Result<Lake, LakeError> {
        match self {
            Self::Folder(dir) => Lake::open_existing(dir),
            Self::Remote(at) => Arc::new(Remote::connect(at)?).open_existing(),
        }
    }

    /// The object store that a write has to go through; none of a folder.
    pub(super) fn remote(&self) -> Result<Option<Arc<Remote>>, LakeError> {
        match self {
            Self::Folder(_) => Ok(None),
            Self::Remote(at) => Ok(Some(Arc::new(Remote::connect(at)?))),
        }
    }

    /// The folder for what this machine keeps beside the tables: the lake's own, or that of the
    /// copy of a lake in an object store.
    #[must_use]
    pub fn home(&self) -> &Path {
        match self {
            Self::Folder(dir) => dir,
            Self::Remote(at) => &at.home,
        }
    }

    /// The folder that an import has to make first; none where it is there, and of object stores.
    #[must_use]
    pub fn absent_folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(dir) if !dir.is_dir() => Some(dir),
            Self::Folder(_) | Self::Remote(_) => None,
        }
    }
}

impl Lake {
    /// What a person calls the lake: its folder, or its URL.
    pub(super) fn named(&self) -> PathBuf {
        self.remote().map_or_else(|| self.dir().to_path_buf(), |remote| PathBuf::from(remote.url()))
    }

    /// An error as it is told of this lake.
    pub(super) fn told(&self, error: LakeError) -> LakeError {
        match self.remote() {
            Some(remote) => remote.of_copy(error),
            None => error,
        }
    }
}

impl From<OsString> for LakeAt {
    fn from(text: OsString) -> Self {
        Self::from(PathBuf::from(text))
    }
}

impl From<&Path> for LakeAt {
    fn from(path: &Path) -> Self {
        Self::from(path.to_path_buf())
    }
}

impl From<PathBuf> for LakeAt {
    fn from(path: PathBuf) -> Self {
        let Some(url) = path.to_str().and_then(url_of) else { return Self::Folder(path) };
        if url.scheme() == "file" {
            return Self::Folder(url.to_file_path().unwrap_or(path));
        }
        let (url, carries_credentials) = without_credentials(url);
        let home = cache_dir().join("lakes").join(&checksum::of_bytes(url.as_bytes())[..HOME_DIGITS]);
        Self::Remote(RemoteAt { url, carries_credentials, home })
    }
}

/// The URL that a text is; none where it is a path.
pub(super) fn url_of(text: &str) -> Option<Url> {
    text.contains("://").then(|| Url::parse(text).ok()).flatten()
}

/// A URL as it may be told, and whether it had more than that.
pub(super) fn without_credentials(mut url: Url) -> (String, bool) {
    let carries = url.password().is_some() || url.query().is_some();
    // A URL that cannot have a password has none to take away.
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    (url.as_str().trim_end_matches('/').to_owned(), carries)
}

/// Where copies are kept: `CHURN_RISK_CACHE`, else the user's cache folder, else the system's for
/// temporary files, as a container without a home has it.
fn cache_dir() -> PathBuf {
    let told = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let of_user = || told("XDG_CACHE_HOME").or_else(|| told("HOME").map(|home| home.join(".cache")));
    told("CHURN_RISK_CACHE").unwrap_or_else(|| of_user().unwrap_or_else(env::temp_dir).join("churn-risk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> LakeAt {
        LakeAt::from(OsString::from(text))
    }

    #[test]
    fn what_has_a_scheme_is_a_url_and_anything_else_a_folder() {
        for folder in ["lake", "./lake", "/srv/lake", "a:b", "C:\\lake", ""] {
            assert_eq!(at(folder), LakeAt::Folder(PathBuf::from(folder)));
        }
        assert_eq!(at("file:///srv/the%20lake"), LakeAt::Folder(PathBuf::from("/srv/the lake")));
        for url in ["az://tables/lake", "s3://bucket/a/lake", "abfss://tables@account.dfs.core.windows.net/lake"] {
            assert_eq!(at(url).to_string(), url);
            assert_eq!(at(&format!("{url}/")), at(url), "a slash at the end changes nothing");
        }
    }

    #[test]
    fn what_a_url_carries_of_credentials_is_never_told() {
        for url in ["az://tables/lake?sv=1&sig=canary", "s3://key:canary@bucket/lake"] {
            let at = at(url);
            assert!(!format!("{at} {at:?}").contains("canary"));
            let refused = at.open().expect_err("credentials in a URL").to_string();
            assert!(refused.contains("environment") && !refused.contains("canary"), "{refused}");
        }
    }

    #[test]
    fn two_urls_have_two_folders() {
        assert_ne!(at("az://tables/one").home(), at("az://tables/other").home());
        assert_eq!(at("az://tables/one").home(), at("az://tables/one/").home());
    }
}
