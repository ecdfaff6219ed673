//! Files of an import that lie in an object store: listed by URL, and fetched one after the other
//! into a folder, since an import reads its files more than once.
//!
//! Absent on purpose: which of them are tables; whoever asks says that of a name.

use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use glob::{MatchOptions, Pattern};
use object_store::ObjectStoreExt;
use object_store::path::Path as Key;
use url::Url;

use super::RemoteError;
use super::down::arrive;
use super::place::{Place, plain};
use crate::lake::at::url_of;
use crate::lake::checksum;
use crate::lake::tables::LakeError;
use crate::progress::{Progress, Unit};

/// Digits of the SHA-256 of a URL that name the folder of what lies below it.
const FOLDER_DIGITS: usize = 16;

/// What a URL named.
#[derive(Debug, Default)]
pub(in crate::lake) struct Fetched {
    /// Where each object lies by now, and its URL.
    pub(in crate::lake) files: Vec<(PathBuf, String)>,
    /// URLs of objects and folders that are no tables.
    pub(in crate::lake) passed_over: Vec<String>,
    /// Whether the URL named what lies below it, and no object.
    pub(in crate::lake) is_folder: bool,
}

/// Whether a path is the URL of a place in an object store.
pub(in crate::lake) fn is_url(path: &Path) -> bool {
    path.to_str().and_then(url_of).is_some_and(|url| url.scheme() != "file")
}

/// An object to fetch.
#[derive(Debug)]
struct Wanted {
    key: Key,
    bytes: u64,
}

/// Fetches what a URL names into `into`: an object, what lies directly below a folder as far as
/// `is_table` says so of its name, or what matches a pattern. In the order of their keys.
pub(in crate::lake) fn fetch(url: &str, into: &Path, progress: Progress, is_table: fn(&str) -> bool) -> Result<Fetched, LakeError> {
    let url = url_of(url).map(plain).transpose()?.ok_or_else(|| RemoteError::Scheme { url: url.to_owned() })?;
    let mut bucket = Url::parse(&url).map_err(|_| RemoteError::Scheme { url: url.clone() })?;
    let path = Key::from_url_path(bucket.path()).map_err(|_| RemoteError::Scheme { url: url.clone() })?;
    bucket.set_path("");
    let place = Place::connect(bucket.as_str().trim_end_matches('/'))?;
    let mut fetched = Fetched::default();
    let wanted = place.run(list(&place, &path, &url, &mut fetched, is_table))??;
    let stage = progress.stage("fetching files", wanted.iter().map(|wanted| wanted.bytes).sum(), Unit::Bytes);
    for Wanted { key, bytes } in wanted {
        let name = key.filename().unwrap_or_default();
        let url = place.named(&key);
        let folder = url.strip_suffix(name).unwrap_or(&url);
        // Files of one folder stay together: a manifest names those beside it.
        let file = into.join(&checksum::of_bytes(folder.as_bytes())[..FOLDER_DIGITS]).join(name);
        place.run(arrive(&place, &key, into, &file))??;
        stage.advance(bytes);
        fetched.files.push((file, url));
    }
    stage.finish();
    Ok(fetched)
}

async fn list(place: &Place, path: &Key, url: &str, fetched: &mut Fetched, is_table: fn(&str) -> bool) -> Result<Vec<Wanted>, LakeError> {
    let doing = || format!("listing {url}");
    if !path.as_ref().is_empty() {
        match place.store.head(path).await {
            Ok(found) => return Ok(vec![Wanted { key: found.location, bytes: found.size }]),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(place.error(&doing(), &error).into()),
        }
    }
    let is_pattern = path.as_ref().contains(['*', '?', '[']);
    let below: Key = path.parts().take_while(|part| !is_pattern || !part.as_ref().contains(['*', '?', '['])).collect();
    let listed = if is_pattern { matching(place, &below, path).await? } else { place.store.list_with_delimiter(Some(&below)).await };
    let listed = listed.map_err(|error| place.error(&doing(), &error))?;
    if listed.objects.is_empty() && listed.common_prefixes.is_empty() {
        return Err(RemoteError::NoObject { url: url.to_owned() }.into());
    }
    fetched.is_folder = !is_pattern;
    fetched.passed_over.extend(listed.common_prefixes.iter().map(|folder| format!("{}/", place.named(folder))));
    let mut wanted = Vec::new();
    for object in listed.objects {
        let name = object.location.filename().unwrap_or_default();
        if is_pattern || is_table(name) {
            wanted.push(Wanted { key: object.location, bytes: object.size });
        } else {
            fetched.passed_over.push(place.named(&object.location));
        }
    }
    wanted.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(wanted)
}

/// The objects below `below` whose keys match a pattern; a star ends at a slash.
async fn matching(place: &Place, below: &Key, pattern: &Key) -> Result<object_store::Result<object_store::ListResult>, LakeError> {
    let strange = |error: glob::PatternError| RemoteError::Strange {
        url: place.url().to_owned(),
        key: pattern.to_string(),
        reason: format!("it is no pattern: {}", error.msg),
    };
    let pattern = Pattern::new(pattern.as_ref()).map_err(strange)?;
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    let listed: object_store::Result<Vec<_>> = place.store.list(Some(below)).try_collect().await;
    Ok(listed.map(|objects| object_store::ListResult {
        common_prefixes: Vec::new(),
        objects: objects.into_iter().filter(|object| pattern.matches_with(object.location.as_ref(), options)).collect(),
    }))
}
