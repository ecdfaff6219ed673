//! What Microsoft Graph says of an export: how its operation stands, and the manifest of its files.
//!
//! Two forms of success are read: the manifest within the operation, as the service gives it today,
//! and a link to it, as its pages show.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::secret::Secret;
use super::{Address, PullError};

/// Blobs of one manifest. A blob holds hundreds of thousands of rows, so this bounds nothing that
/// is real and keeps a mistaken manifest from filling a disk with names.
const BLOBS_MAX: usize = 100_000;

/// Bytes of a blob's name, as Azure Storage bounds them.
const BLOB_NAME_MAX_BYTES: usize = 1_024;

/// How an operation stands.
#[derive(Debug)]
pub(super) enum Standing {
    Running,
    /// With the manifest, where the answer holds it.
    Done(Box<Manifest>),
    /// With a link to the manifest.
    DoneAt(String),
    /// With the service's words.
    Failed(String),
}

/// The files of one version of the data.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) etag: String,
    pub(super) created: Option<String>,
    pub(super) schema_version: Option<String>,
    pub(super) partner_tenant: Option<String>,
    pub(super) root: Url,
    pub(super) signature: Secret,
    pub(super) blobs: Vec<Blob>,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) name: String,
    pub(super) partition: Option<String>,
}

#[derive(Deserialize)]
struct RawOperation {
    status: String,
    #[serde(rename = "resourceLocation")]
    resource: Option<Value>,
    #[serde(rename = "resourceLocation@odata.navigationLink")]
    link: Option<String>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawManifest {
    e_tag: String,
    data_format: Option<String>,
    created_date_time: Option<String>,
    schema_version: Option<Value>,
    partner_tenant_id: Option<String>,
    root_directory: String,
    #[serde(alias = "SASToken")]
    sas_token: String,
    blob_count: Option<u64>,
    #[serde(default)]
    blobs: Vec<RawBlob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBlob {
    name: String,
    partition_value: Option<String>,
}

/// Reads the answer to "Get operation".
pub(super) fn standing(body: &[u8], api: &Address) -> Result<Standing, PullError> {
    let malformed = |reason: String| PullError::Answer { what: "the operation".to_owned(), reason };
    // serde's own words quote values, and a signature is one of them.
    let raw: RawOperation = serde_json::from_slice(body).map_err(|error| malformed(place(&error)))?;
    match raw.status.to_ascii_lowercase().as_str() {
        "notstarted" | "running" => Ok(Standing::Running),
        // The pages say `completed`, their examples and the service `succeeded`.
        "succeeded" | "completed" => match (raw.resource, raw.link) {
            (Some(Value::String(link)), _) | (None | Some(Value::Null), Some(link)) => Ok(Standing::DoneAt(link)),
            (Some(value @ Value::Object(_)), _) => Ok(Standing::Done(Box::new(Manifest::read(value, api)?))),
            _ => Err(malformed("it has succeeded and names no manifest".to_owned())),
        },
        "failed" => Ok(Standing::Failed(raw.error.map_or_else(String::new, |error| error.to_string()))),
        other => Err(malformed(format!("its status is `{}`", other.chars().take(40).collect::<String>()))),
    }
}

impl Manifest {
    /// Reads the answer to "Get manifest".
    pub(super) fn from_answer(body: &[u8], api: &Address) -> Result<Self, PullError> {
        Self::read(serde_json::from_slice(body).map_err(|error| malformed(place(&error)))?, api)
    }

    /// # Errors
    /// Where something is missing, more or fewer blobs are listed than counted, or a name leads
    /// out of the folder.
    fn read(value: Value, api: &Address) -> Result<Self, PullError> {
        let raw: RawManifest = serde_json::from_value(value).map_err(|error| malformed(missing(&error)))?;
        // compressedJSON in the service's answers, compressedJSONLines on its pages: the same.
        if let Some(told) = raw.data_format.filter(|format| !format.to_ascii_lowercase().starts_with("compressedjson")) {
            return Err(PullError::DataFormat { told: told.chars().take(40).collect() });
        }
        if raw.e_tag.is_empty() {
            return Err(malformed("its eTag is empty".to_owned()));
        }
        let listed = raw.blobs.len() as u64;
        if let Some(told) = raw.blob_count.filter(|told| *told != listed) {
            return Err(PullError::BlobCount { told, listed });
        }
        if raw.blobs.len() > BLOBS_MAX {
            return Err(malformed(format!("{listed} blobs are more than {BLOBS_MAX}")));
        }
        let mut seen = BTreeSet::new();
        for blob in &raw.blobs {
            let reason = faulty(&blob.name).or_else(|| (!seen.insert(&blob.name)).then_some("it is named twice"));
            if let Some(reason) = reason {
                let name = blob.name.chars().filter(|letter| !letter.is_control()).take(120).collect();
                return Err(PullError::BlobName { name, reason });
            }
        }
        Ok(Self {
            etag: raw.e_tag,
            created: raw.created_date_time,
            schema_version: raw.schema_version.map(|version| version.as_str().map_or_else(|| version.to_string(), str::to_owned)),
            partner_tenant: raw.partner_tenant_id,
            root: api.storage(&raw.root_directory)?,
            signature: Secret::new(raw.sas_token.trim_start_matches('?')),
            blobs: raw.blobs.into_iter().map(|blob| Blob { name: blob.name, partition: blob.partition_value }).collect(),
        })
    }

    /// Where a blob is downloaded from: `rootDirectory/name?sasToken`.
    pub(super) fn url(&self, blob: &Blob) -> Url {
        let mut url = self.root.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(blob.name.split('/'));
        }
        url.set_query(Some(self.signature.reveal()));
        url
    }
}

fn malformed(reason: String) -> PullError {
    PullError::Answer { what: "the manifest".to_owned(), reason }
}

/// Why a blob's name is not taken; none where it is.
fn faulty(name: &str) -> Option<&'static str> {
    if name.len() > BLOB_NAME_MAX_BYTES {
        return Some("it is longer than a name can be");
    }
    if name.chars().any(|letter| letter.is_control() || letter == '\\') {
        return Some("it holds a character that no name has");
    }
    name.split('/').any(|segment| matches!(segment, "" | "." | "..")).then_some("it leads out of its folder")
}

/// Where an answer is not JSON, without quoting it.
fn place(error: &serde_json::Error) -> String {
    format!("line {} column {} is not as JSON has it, or not of the type that stands there", error.line(), error.column())
}

/// Which field of a manifest is missing, without quoting another.
fn missing(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let names = words.strip_prefix("missing field ").map(|field| format!("it has no {field}"));
    names.unwrap_or_else(|| "a field is of another type".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn api() -> Address {
        "https://graph.microsoft.com/v1.0".parse().unwrap()
    }

    fn manifest() -> Value {
        json!({
            "id": "m", "schemaVersion": "2", "dataFormat": "compressedJSON", "createdDateTime": "2025-06-30T01:02:03Z",
            "eTag": "RwDrn7fbiTXy6UULE", "partnerTenantId": "p", "rootDirectory": "https://x.blob.core.windows.net/a/b",
            "sasToken": "?sv=1&sig=s3cret%3D", "partitionType": "default", "blobCount": 1,
            "blobs": [{"name": "part 1/é.json.gz", "partitionValue": "default"}],
        })
    }

    #[test]
    fn each_form_of_success_is_read() {
        for (body, wanted) in [
            (json!({"status": "notStarted"}), "Running"),
            (json!({"status": "running", "resourceLocation": null}), "Running"),
            (json!({"status": "succeeded", "resourceLocation": "https://x"}), "DoneAt(\"https://x\")"),
            (json!({"status": "completed", "resourceLocation@odata.navigationLink": "/m"}), "DoneAt(\"/m\")"),
            (json!({"status": "failed", "error": {"code": "5000"}}), "Failed(\"{\\\"code\\\":\\\"5000\\\"}\")"),
        ] {
            assert_eq!(format!("{:?}", standing(body.to_string().as_bytes(), &api()).unwrap()), wanted);
        }
        let done = json!({"status": "succeeded", "resourceLocation": manifest()}).to_string();
        let Standing::Done(read) = standing(done.as_bytes(), &api()).unwrap() else { panic!("not done") };
        assert_eq!(read.url(&read.blobs[0]).as_str(), "https://x.blob.core.windows.net/a/b/part%201/%C3%A9.json.gz?sv=1&sig=s3cret%3D");
        assert!(!format!("{read:?}").contains("s3cret"), "{read:?}");
        for body in ["", "[]", r#"{"status":"succeeded"}"#, r#"{"status":"unknownFutureValue"}"#, r#"{"status":5}"#] {
            assert!(standing(body.as_bytes(), &api()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_manifest_that_is_wrong_is_refused_and_not_quoted() {
        for (field, value, wanted) in [
            ("blobCount", json!(2), "the manifest counts 2 blobs and lists 1"),
            ("blobs", json!([]), "the manifest counts 1 blobs and lists 0"),
            ("blobs", json!([{"name": "../x"}]), "a blob `../x`: it leads out of its folder"),
            ("blobs", json!([{"name": "/x"}]), "it leads out of its folder"),
            ("blobs", json!([{"name": ""}]), "it leads out of its folder"),
            ("blobs", json!([{"name": "a\\..\\x"}]), "a character that no name has"),
            ("blobs", json!([{"name": "a\u{0}"}]), "a character that no name has"),
            ("blobs", json!([{"name": "x".repeat(1_025)}]), "longer than a name can be"),
            ("blobs", json!("s3cret"), "a field is of another type"),
            ("rootDirectory", json!("http://x/y"), "it is not https"),
            ("rootDirectory", Value::Null, "a field is of another type"),
            ("dataFormat", json!("csv"), "of format `csv`"),
            ("eTag", json!(""), "its eTag is empty"),
        ] {
            let mut value_of = manifest();
            value_of[field] = value;
            let error = Manifest::from_answer(value_of.to_string().as_bytes(), &api()).unwrap_err().to_string();
            assert!(error.contains(wanted) && !error.contains("s3cret"), "{error}");
        }
        let mut twice = manifest();
        twice["blobCount"] = json!(2);
        twice["blobs"] = json!([{"name": "x"}, {"name": "x"}]);
        assert!(Manifest::from_answer(twice.to_string().as_bytes(), &api()).unwrap_err().to_string().contains("it is named twice"));
        let mut without = manifest();
        without.as_object_mut().unwrap().remove("sasToken");
        let error = Manifest::from_answer(without.to_string().as_bytes(), &api()).unwrap_err().to_string();
        assert!(error.ends_with("it has no `sasToken`"), "{error}");
    }
}
