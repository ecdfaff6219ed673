//! Daily-rated usage, billed and unbilled, through the billing export of Microsoft Graph: the
//! export is asked for, its operation is asked how it stands until it has ended, and the blobs of
//! its manifest are downloaded in the order in which the manifest lists them.
//!
//! The manifest's eTag is the version of the data. A version that is here whole is not downloaded
//! again. The signature by which blobs are read is kept nowhere: whoever goes on later asks the
//! operation for another.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::backoff::seconds;
use super::blob::{Fetched, fetch};
use super::client::{ANSWER_MAX_BYTES, Answer, Ask, Client};
use super::folder::{Folder, Kept, clean_name, named};
use super::manifest::{Manifest, Standing, standing};
use super::{PullError, PullSetup, Pulled};
use crate::progress::Unit;

/// Of an operation with its manifest: 100,000 blobs of 150 bytes.
const MANIFEST_MAX_BYTES: u64 = 16 << 20;

/// Between two looks at an operation, where the service names no span, and at least.
const LOOK_SECONDS: u64 = 10;
const LOOK_MIN_SECONDS: u64 = 1;

/// How long an operation that an earlier pull has begun is gone on with. Microsoft forgets one
/// within hours, and data of the day before is not what is asked for.
const OPERATION_MAX_SECONDS: u64 = 6 * 3_600;

/// Exports that one pull asks for: the first, and others where the service has forgotten one.
const EXPORTS_MAX: u32 = 3;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingRequest {
    pub question: BillingQuestion,
    pub attributes: AttributeSet,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BillingQuestion {
    /// Usage that is on no invoice yet, in the partner's billing currency (ISO 4217).
    Unbilled { currency: String, period: BillingPeriod },
    /// Usage of one invoice.
    Billed { invoice: String },
}

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BillingPeriod {
    Current,
    Last,
}

/// `Basic` has no meter category, so usage would be of the category `unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeSet {
    Full,
    Basic,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    operation: Option<Operation>,
    version: Option<Version>,
}

/// An export that was asked for and not seen to its end.
#[derive(Debug, Serialize, Deserialize)]
struct Operation {
    url: String,
    begun_epoch_seconds: u64,
}

/// A version of the data, and what is here of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Version {
    etag: String,
    folder: String,
    /// The blobs by the names that the manifest has for them, in its order.
    listed: Vec<String>,
    /// Those that are here.
    kept: BTreeMap<String, Kept>,
}

impl BillingRequest {
    fn path(&self) -> [&'static str; 6] {
        let of = match self.question {
            BillingQuestion::Unbilled { .. } => "unbilled",
            BillingQuestion::Billed { .. } => "billed",
        };
        ["reports", "partners", "billing", "usage", of, "export"]
    }

    fn body(&self) -> Value {
        let attributes = self.attributes.name();
        match &self.question {
            BillingQuestion::Unbilled { currency, period } => {
                json!({ "currencyCode": currency, "billingPeriod": period.name(), "attributeSet": attributes })
            }
            BillingQuestion::Billed { invoice } => json!({ "invoiceId": invoice, "attributeSet": attributes }),
        }
    }

    /// The name of its folder.
    fn key(&self) -> String {
        let attributes = self.attributes.name();
        match &self.question {
            BillingQuestion::Unbilled { currency, period } => {
                format!("billing-unbilled-{}-{}-{attributes}", period.name(), clean_name(currency))
            }
            BillingQuestion::Billed { invoice } => format!("billing-billed-{}-{attributes}", named(invoice)),
        }
    }
}

impl BillingPeriod {
    const fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Last => "last",
        }
    }
}

impl AttributeSet {
    const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Basic => "basic",
        }
    }
}

/// Fetches one billing export.
///
/// # Errors
/// Whatever keeps a file from being here whole. What is here stays, and the next pull goes on.
pub async fn pull_billing(request: &BillingRequest, setup: &PullSetup) -> Result<Pulled, PullError> {
    let folder = Folder::open(&setup.into, &request.key())?;
    let state: State = folder.load()?;
    let mut pull = Pull { request, client: Client::new(setup)?, folder, state, downloaded: 0, exports: 0 };
    let version = pull.run().await?;
    let kept = version.listed.iter().filter_map(|name| version.kept.get(name));
    Ok(Pulled {
        files: kept.map(|kept| pull.folder.pulled(kept)).collect(),
        version: Some(version.etag.clone()),
        downloaded: pull.downloaded,
    })
}

struct Pull<'a> {
    request: &'a BillingRequest,
    client: Client,
    folder: Folder,
    state: State,
    downloaded: usize,
    exports: u32,
}

/// How a round of downloads has ended.
enum Round {
    Whole,
    /// The signature is refused at the blob with this number: another has to be asked for.
    Expired(usize, PullError),
}

impl Pull<'_> {
    /// Downloads until every blob of one version is here.
    async fn run(&mut self) -> Result<Version, PullError> {
        let mut stuck = (0, 0);
        loop {
            let manifest = self.manifest().await?;
            self.client.hide_signature(&manifest.signature);
            let mut version = self.version_of(&manifest)?;
            let round = if self.is_whole(&version) { Round::Whole } else { self.download(&manifest, &mut version).await? };
            match round {
                Round::Whole => {
                    self.state.operation = None;
                    self.save(&version)?;
                    return Ok(version);
                }
                Round::Expired(at, error) => {
                    stuck = if stuck.0 == at { (at, stuck.1 + 1) } else { (at, 1) };
                    match stuck.1 {
                        1 => self.client.progress.line("the permission to download has expired; asking for another"),
                        // The operation may give the same for as long as it lives.
                        2 => self.forget_operation()?,
                        _ => return Err(error),
                    }
                }
            }
        }
    }

    /// The manifest of the operation under way, or of a new one.
    async fn manifest(&mut self) -> Result<Manifest, PullError> {
        loop {
            let url = match self.operation() {
                Some(url) => url,
                None => self.ask_for_export().await?,
            };
            match self.see_through(&url).await {
                Ok(Some(manifest)) => return Ok(manifest),
                // Forgotten by the service.
                Ok(None) if self.exports < EXPORTS_MAX => self.forget_operation()?,
                Ok(None) => {
                    self.forget_operation()?;
                    return Err(PullError::Refused { what: "the operation".to_owned(), status: 410, said: String::new() });
                }
                Err(error) => {
                    // What has ended so ends so again; what was merely not reached is gone on with.
                    if !matches!(error, PullError::Unanswered { .. } | PullError::Deadline { .. } | PullError::NoToken { .. }) {
                        self.forget_operation()?;
                    }
                    return Err(error);
                }
            }
        }
    }

    fn operation(&self) -> Option<String> {
        let now = self.client.now();
        let young = |operation: &&Operation| now.saturating_sub(operation.begun_epoch_seconds) < OPERATION_MAX_SECONDS;
        self.state.operation.as_ref().filter(young).map(|operation| operation.url.clone())
    }

    fn forget_operation(&mut self) -> Result<(), PullError> {
        self.state.operation = None;
        self.folder.save(&self.state)
    }

    async fn ask_for_export(&mut self) -> Result<String, PullError> {
        self.exports += 1;
        let ask = Ask::post(self.client.api.below(&self.request.path()), &self.request.body());
        let answer = self.client.answer(&ask, ANSWER_MAX_BYTES).await?;
        if answer.status != 202 {
            return Err(self.client.refusal(&ask, answer.status, &answer.body));
        }
        let Some(location) = answer.location else {
            return Err(PullError::Answer { what: ask.what(), reason: "it has no Location".to_owned() });
        };
        let url = String::from(self.client.api.follow("the Location of the export", &location)?);
        self.state.operation = Some(Operation { url: url.clone(), begun_epoch_seconds: self.client.now() });
        self.folder.save(&self.state)?;
        self.client.wait(&ask.what(), pause(answer.retry_after)).await?;
        Ok(url)
    }

    /// Asks how an operation stands until it has ended. None where the service knows it no more.
    async fn see_through(&mut self, url: &str) -> Result<Option<Manifest>, PullError> {
        let ask = Ask::get(self.client.api.follow("the operation", url)?);
        loop {
            let answer = self.client.answer(&ask, MANIFEST_MAX_BYTES).await?;
            let Some(answer) = self.known(&ask, answer)? else { return Ok(None) };
            match standing(&answer.body, &self.client.api)? {
                Standing::Running => {
                    let pause = pause(answer.retry_after);
                    self.client.progress.line(&format!("Microsoft prepares the export; asking again in {}", seconds(pause)));
                    self.client.wait(&ask.what(), pause).await?;
                }
                Standing::Done(manifest) => return Ok(Some(*manifest)),
                Standing::DoneAt(link) => {
                    let ask = Ask::get(self.client.api.follow("the link to the manifest", &link)?);
                    let answer = self.client.answer(&ask, MANIFEST_MAX_BYTES).await?;
                    let Some(answer) = self.known(&ask, answer)? else { return Ok(None) };
                    return Manifest::from_answer(&answer.body, &self.client.api).map(Some);
                }
                Standing::Failed(words) => return Err(PullError::Failed { said: self.client.quoted(&words) }),
            }
        }
    }

    /// A success, or none where the service has forgotten what is asked for.
    fn known(&self, ask: &Ask, answer: Answer) -> Result<Option<Answer>, PullError> {
        match answer.status {
            200..=299 => Ok(Some(answer)),
            404 | 410 => Ok(None),
            status => Err(self.client.refusal(ask, status, &answer.body)),
        }
    }

    /// What is here of the manifest's version. Under one eTag the data are the same, whatever the
    /// blobs are called: what is here whole stays what it is.
    fn version_of(&mut self, manifest: &Manifest) -> Result<Version, PullError> {
        let listed: Vec<String> = manifest.blobs.iter().map(|blob| blob.name.clone()).collect();
        let before = self.state.version.clone().filter(|version| version.etag == manifest.etag);
        if let Some(before) = before.filter(|before| before.listed == listed || self.is_whole(before)) {
            return Ok(before);
        }
        let folder = named(&manifest.etag);
        self.folder.make(&folder)?;
        // Of the signature nothing; under a name that an import of the folder passes over.
        let blobs: Vec<_> = manifest.blobs.iter().map(|blob| json!({ "name": blob.name, "partitionValue": blob.partition })).collect();
        let facts = json!({
            "eTag": manifest.etag,
            "schemaVersion": manifest.schema_version,
            "createdDateTime": manifest.created,
            "partnerTenantId": manifest.partner_tenant,
            "blobCount": blobs.len(),
            "blobs": blobs,
        });
        self.folder.write(&format!("{folder}/_manifest.json"), &facts)?;
        let version = Version { etag: manifest.etag.clone(), folder, listed, kept: BTreeMap::new() };
        self.save(&version)?;
        Ok(version)
    }

    fn is_whole(&self, version: &Version) -> bool {
        version.listed.iter().all(|name| version.kept.get(name).is_some_and(|kept| self.folder.has(kept)))
    }

    fn save(&mut self, version: &Version) -> Result<(), PullError> {
        self.state.version = Some(version.clone());
        self.folder.save(&self.state)
    }

    /// Downloads what is not here yet.
    async fn download(&mut self, manifest: &Manifest, version: &mut Version) -> Result<Round, PullError> {
        let stage = self.client.progress.stage("downloading", manifest.blobs.len() as u64, Unit::Items);
        for (at, blob) in manifest.blobs.iter().enumerate() {
            if !version.kept.get(&blob.name).is_some_and(|kept| self.folder.has(kept)) {
                let name = format!("{}/{}", version.folder, file_name(at, &blob.name));
                let ask = Ask::storage(manifest.url(blob));
                match fetch(&mut self.client, &self.folder, &ask, &name).await? {
                    Fetched::Whole(kept) => version.kept.insert(blob.name.clone(), kept),
                    // Azure Storage refuses an expired signature with 403; a gateway may say 401.
                    Fetched::Refused(status @ (401 | 403), body) => {
                        return Ok(Round::Expired(at, self.client.refusal(&ask, status, &body)));
                    }
                    Fetched::Refused(status, body) => return Err(self.client.refusal(&ask, status, &body)),
                };
                self.downloaded += 1;
                self.save(version)?;
            }
            stage.advance(1);
        }
        stage.finish();
        Ok(Round::Whole)
    }
}

/// The name of a blob's file: its place in the manifest, so that names are in order and no two are
/// the same, and what may be kept of its own name.
fn file_name(at: usize, blob: &str) -> String {
    let own = clean_name(blob);
    let ending = if own.to_ascii_lowercase().ends_with(".gz") { "" } else { ".json.gz" };
    format!("{:06}-{own}{ending}", at + 1)
}

fn pause(told: Option<Duration>) -> Duration {
    told.map_or(Duration::from_secs(LOOK_SECONDS), |told| told.max(Duration::from_secs(LOOK_MIN_SECONDS)))
}
