//! A place in an object store: its client, and what its failures are in words.
//!
//! Absent on purpose: credentials. The clients read them from the environment, and nothing that is
//! told here holds one: what a failure says goes through [`redacted`].

use std::env;
use std::future::Future;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, GetOptions, ObjectStore, RetryConfig};
use tokio::runtime::Runtime;
use url::Url;

use super::RemoteError;
use crate::domain::chain;
use crate::lake::at::without_credentials;
use crate::lake::tables::LakeError;

/// How long a request is tried again that failed for the store's or the network's sake. A watch
/// and a service look again by themselves; a person waits for the sentence.
const RETRIES_MAX: usize = 5;
const RETRIES_FOR: Duration = Duration::from_secs(30);

/// Bytes of a failure's words: stores answer with whole pages.
const REASON_MAX_BYTES: usize = 300;

const REFUSED: &str = "it refuses the credentials in the environment, or they do not reach so far";

const NO_SUCH: &str = "there is no such bucket, container or object";

/// Letters of the shortest secret that is looked for in what is told: a shorter value, as `true` or
/// a region, would take words out of it.
const SECRET_MIN_BYTES: usize = 8;

/// A store and what lies below a URL in it.
pub(super) struct Place {
    url: String,
    prefix: Path,
    pub(super) store: Arc<dyn ObjectStore>,
    /// None once it is given up.
    runtime: Option<Runtime>,
}

impl Place {
    /// The place of a URL without credentials. Nothing is asked of the store yet.
    pub(super) fn connect(url: &str) -> Result<Self, LakeError> {
        let scheme = || RemoteError::Scheme { url: url.to_owned() };
        let parsed = Url::parse(url).map_err(|_| scheme())?;
        let prefix = Path::from_url_path(parsed.path()).map_err(|_| scheme())?;
        let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES_MAX, retry_timeout: RETRIES_FOR };
        let store: object_store::Result<Arc<dyn ObjectStore>> = match parsed.scheme() {
            "s3" | "s3a" => AmazonS3Builder::from_env().with_url(url).with_retry(retry).build().map(|store| Arc::new(store) as _),
            "az" | "azure" | "abfs" | "abfss" => {
                MicrosoftAzureBuilder::from_env().with_url(url).with_retry(retry).build().map(|store| Arc::new(store) as _)
            }
            "gs" => GoogleCloudStorageBuilder::from_env().with_url(url).with_retry(retry).build().map(|store| Arc::new(store) as _),
            _ => return Err(scheme().into()),
        };
        let store = store.map_err(|error| told(url, "reading the settings of its client", &error))?;
        Self::over(url, prefix, store)
    }

    pub(super) fn over(url: &str, prefix: Path, store: Arc<dyn ObjectStore>) -> Result<Self, LakeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("object-store")
            .enable_all()
            .build()
            .map_err(|source| LakeError::io(std::path::Path::new(url), source))?;
        Ok(Self { url: url.to_owned(), prefix, store, runtime: Some(runtime) })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The key of what is called `relative` below the place.
    pub(super) fn key(&self, relative: &str) -> Result<Path, RemoteError> {
        let below = Path::parse(relative).map_err(|error| RemoteError::Strange {
            url: self.url.clone(),
            key: relative.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(self.prefix.parts().chain(below.parts()).collect())
    }

    /// A key as a person would name it.
    pub(super) fn named(&self, key: &Path) -> String {
        let below: Option<Vec<_>> = key.prefix_match(&self.prefix).map(Iterator::collect);
        let below = below.unwrap_or_default();
        let text: Vec<&str> = below.iter().map(AsRef::as_ref).collect();
        if text.is_empty() { self.url.clone() } else { format!("{}/{}", self.url, text.join("/")) }
    }

    pub(super) fn error(&self, doing: &str, error: &object_store::Error) -> RemoteError {
        told(&self.url, doing, error)
    }

    /// The bytes of an object and what tells them from later ones; none where there is none.
    pub(super) async fn get(&self, key: &Path) -> object_store::Result<Option<(Bytes, object_store::UpdateVersion)>> {
        match self.store.get_opts(key, GetOptions::default()).await {
            Ok(found) => {
                let version = object_store::UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                Ok(Some((found.bytes().await?, version)))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Runs to its end on a thread of its own, wherever it is called: code that waits here may
    /// itself be run by an engine, and one runtime cannot wait inside another.
    pub(super) fn run<F>(&self, future: F) -> Result<F::Output, LakeError>
    where
        F: Future + Send,
        F::Output: Send,
    {
        let io_error = |reason: &str| LakeError::io(std::path::Path::new(&self.url), std::io::Error::other(reason.to_owned()));
        let runtime = self.runtime.as_ref().ok_or_else(|| io_error("its client was given up"))?;
        thread::scope(|scope| {
            let running = thread::Builder::new().name("object-store-wait".to_owned()).spawn_scoped(scope, || runtime.block_on(future));
            match running.map_err(|source| LakeError::io(std::path::Path::new(&self.url), source))?.join() {
                Ok(done) => Ok(done),
                Err(panicked) => std::panic::resume_unwind(panicked),
            }
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The last to hold it may be a thread that may not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn told(url: &str, doing: &str, error: &object_store::Error) -> RemoteError {
    RemoteError::Store { url: url.to_owned(), doing: doing.to_owned(), reason: words(error) }
}

/// What keeps a store from doing something, as a person may read it.
pub(super) fn words(error: &object_store::Error) -> String {
    match error {
        object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. } => REFUSED.to_owned(),
        object_store::Error::NotFound { .. } => NO_SUCH.to_owned(),
        other => match chain(other) {
            // Lists fail without a kind, and tell the store's own words.
            text if text.contains("403 Forbidden") || text.contains("401 Unauthorized") => REFUSED.to_owned(),
            text if text.contains("404 Not Found") => NO_SUCH.to_owned(),
            text => redacted(&text),
        },
    }
}

/// Words of a client without what they may hold of secrets: queries of URLs, which carry
/// signatures, and each value of the environment that is one.
fn redacted(text: &str) -> String {
    let is_secret = |name: &str| {
        let of_store = ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|start| name.starts_with(start));
        of_store && ["KEY", "SECRET", "TOKEN", "SAS", "PASSWORD"].iter().any(|part| name.contains(part))
    };
    let secrets = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let secrets = secrets.filter(|(name, value)| value.len() >= SECRET_MIN_BYTES && is_secret(name)).map(|(_, value)| value);
    without_secrets(text, secrets)
}

fn without_secrets(text: &str, secrets: impl Iterator<Item = String>) -> String {
    let text = secrets.fold(text.to_owned(), |text, secret| text.replace(&secret, "..."));
    let words = text.split_whitespace().map(|word| match word.split_once('?') {
        Some((before, after)) if after.contains('=') => format!("{before}?..."),
        _ => word.to_owned(),
    });
    let mut text = words.collect::<Vec<_>>().join(" ");
    if text.len() > REASON_MAX_BYTES {
        text.truncate(text.floor_char_boundary(REASON_MAX_BYTES));
        text.push_str("...");
    }
    text
}

/// A URL as it may be told; an error where it carries credentials.
pub(super) fn plain(url: Url) -> Result<String, RemoteError> {
    match without_credentials(url) {
        (url, true) => Err(RemoteError::Credentials { url }),
        (url, false) => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn what_is_told_of_a_failure_holds_no_secret_and_is_not_a_page() {
        let text =
            "error sending request for url (https://a.blob.core.windows.net/c/x?sv=2024&sig=canary): the key canary-of-the-key\nis wrong";
        let told = without_secrets(text, std::iter::once("canary-of-the-key".to_owned()));
        assert_eq!(told, "error sending request for url (https://a.blob.core.windows.net/c/x?... the key ... is wrong");
        assert!(without_secrets(&"page ".repeat(1_000), std::iter::empty()).len() <= REASON_MAX_BYTES + 3);
    }

    #[test]
    fn a_key_is_below_its_place_and_is_named_by_its_url() {
        let store = Arc::new(InMemory::new());
        let place = Place::over("az://tables/a/lake", Path::from("a/lake"), store).expect("a runtime");
        let key = place.key("usage_daily/month=2026-05/x.parquet").expect("a key");
        assert_eq!(key.as_ref(), "a/lake/usage_daily/month=2026-05/x.parquet");
        assert_eq!(place.named(&key), "az://tables/a/lake/usage_daily/month=2026-05/x.parquet");
    }

    #[test]
    fn a_scheme_of_no_store_is_refused_by_its_url() {
        let refused = Place::connect("ftp://host/lake").err().expect("no store").to_string();
        assert!(refused.contains("ftp://host/lake") && refused.contains("az://"), "{refused}");
    }
}
