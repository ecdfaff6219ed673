//! The manifest of a Graph billing export: a JSON object that names the gzip JSON Lines files
//! (blobs) beside it, in which the rows are.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ImportError, io_error};

/// Longest manifest: 100,000 blobs of 80 bytes each.
const BYTES_MAX: u64 = 8 << 20;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    blob_count: Option<u64>,
    blobs: Vec<Blob>,
}

#[derive(Debug, Deserialize)]
struct Blob {
    name: String,
}

/// Whether an object with these keys is a manifest.
pub(super) fn is_one(keys: &[String]) -> bool {
    let has = |name: &str| keys.iter().any(|key| key.eq_ignore_ascii_case(name));
    has("blobs") && (has("rootDirectory") || has("blobCount") || has("eTag"))
}

/// The files that a manifest names, beside it.
///
/// # Errors
/// Where it is not as it should be, or one of its files is not there.
pub(super) fn blobs(path: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let wrong = |reason: String| ImportError::Manifest { path: path.to_path_buf(), reason };
    let bytes = fs::metadata(path).map_err(|source| io_error(path, source))?.len();
    if bytes > BYTES_MAX {
        return Err(wrong(format!("it has {bytes} bytes, more than the {BYTES_MAX} of any manifest")));
    }
    let text = fs::read(path).map_err(|source| io_error(path, source))?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let manifest: Manifest = serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))?;
    if let Some(count) = manifest.blob_count.filter(|count| *count != manifest.blobs.len() as u64) {
        return Err(wrong(format!("it says that it has {count} blobs and names {}", manifest.blobs.len())));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut paths = Vec::with_capacity(manifest.blobs.len());
    for Blob { name } in manifest.blobs {
        // A name of the export is a name within its folder, and never a way out of it.
        let file = Path::new(&name).file_name().filter(|file| Path::new(file) == Path::new(&name));
        let file = file.ok_or_else(|| wrong(format!("`{name}` is no name of a file beside it")))?;
        let blob = folder.join(file);
        if !blob.is_file() {
            return Err(wrong(format!("it names the blob {name}, which is not beside it: the export is not all here")));
        }
        paths.push(blob);
    }
    Ok(paths)
}
