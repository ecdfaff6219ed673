//! The folder of models: `<version>/{model.bin,card.json,features.json,report.html}`, `current`, a
//! file that names the version in service, and the record of what came into service.
//!
//! Absent on purpose: deletion. A version is written once and never changed; going back is
//! naming an older one. The report alone is written after it, because it follows from the card
//! that the registry holds, and can be made again from it.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::file::{self, MODEL_MAX_BYTES, RefusedModel};
use super::promotion::{self, Promoted, Promotion};
use super::sums;
use super::{Card, ChurnModel, Grade, Method};
use crate::domain::{Day, hex};
use crate::features::FEATURES;

/// The file that names the version in service.
pub const CURRENT: &str = "current";

/// The page of a version that a person reads. A version does without one.
pub const REPORT: &str = "report.html";

/// Largest report that is read, in bytes. Ours have some 1.4 MB, most of it the drawing library.
const REPORT_MAX_BYTES: u64 = 16 << 20;

/// Longest version name, in bytes. Ours have 19; a longer line in `current` is no name.
const VERSION_MAX_BYTES: u64 = 64;

/// Largest card that is read, in bytes. Ours have some 5 KiB.
const CARD_MAX_BYTES: u64 = 4 << 20;

/// Why there is no model to serve.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("`{}` names no model: train one, or promote a version", .0.display())]
    NoCurrent(PathBuf),
    #[error("`{name}` in `{}` is no version name", path.display())]
    BadName { path: PathBuf, name: String },
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("model {version} is refused")]
    Refused { version: String, source: RefusedModel },
    #[error("the folder {version} holds model {found}")]
    OtherVersion { version: String, found: String },
    #[error("the card of model {version} does not read")]
    Card { version: String, source: serde_json::Error },
    #[error("the card of model {version} is that of another model")]
    OtherCard { version: String },
    #[error("model {version} was altered: {wrong}")]
    Altered { version: String, wrong: String },
    #[error("the report of model {version} has more than {REPORT_MAX_BYTES} bytes")]
    LongReport { version: String },
}

/// Why a model was not written or put in service.
#[derive(Debug, Error)]
pub enum PublishError {
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the card does not serialise")]
    Card(#[source] serde_json::Error),
    #[error("model {version} exists with other content")]
    Exists { version: String },
    #[error("model {version} has grade D: it {}; put it in service by force if you must", Grade::D.sentence())]
    Grade { version: String },
    #[error("model {version} is the rule of recency, and {current}, in service, is a trained model")]
    Baseline { version: String, current: String },
    #[error(
        "model {version} is worse than {current}, in service, on the same rows and beyond chance: \
         PR AUC {pr_auc:+.4}, log loss {log_loss:+.4}"
    )]
    Worse { version: String, current: String, pr_auc: f64, log_loss: f64 },
    #[error(
        "model {version} was never held beside {current}, in service, on the same rows; \
         `churn-train promote {version} --lake DIR` does that first"
    )]
    NeverBeside { version: String, current: String },
    #[error(
        "model {version} answers another question than {current}, in service (label, first horizon, lead, grace, or whom it is about), \
         so that nobody can say which is better; put it in service by force if you mean it"
    )]
    OtherQuestion { version: String, current: String },
    #[error("nothing was in service before {current}, as far as the record goes")]
    NothingBefore { current: String },
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl PublishError {
    /// Whether the version stays out of service for what it is, and not because something failed.
    #[must_use]
    pub const fn is_of_standing(&self) -> bool {
        matches!(
            self,
            Self::Grade { .. } | Self::Baseline { .. } | Self::Worse { .. } | Self::NeverBeside { .. } | Self::OtherQuestion { .. }
        )
    }
}

/// A model that passed every check, with its card.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedModel {
    pub model: ChurnModel,
    pub card: Card,
}

/// A folder of models.
#[derive(Debug, Clone)]
pub struct Registry {
    folder: PathBuf,
}

impl Registry {
    /// The registry in `folder`, which may not exist yet.
    #[must_use]
    pub fn open(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The version that `current` names.
    ///
    /// # Errors
    /// Where there is no such file, or what it holds is no version name.
    pub fn current_version(&self) -> Result<String, LoadError> {
        let path = self.folder.join(CURRENT);
        let bytes = match read_bounded(&path, VERSION_MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(LoadError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Err(LoadError::NoCurrent(path)),
            Err(error) => return Err(error),
        };
        let name = String::from_utf8_lossy(&bytes).trim().to_owned();
        if is_version_name(&name) { Ok(name) } else { Err(LoadError::BadName { path, name }) }
    }

    /// Reads and checks the model that `current` names, and its card.
    ///
    /// # Errors
    /// Where none is named, a file does not read, or the model or its card is refused.
    pub fn load_current(&self) -> Result<LoadedModel, LoadError> {
        self.load(&self.current_version()?)
    }

    /// Reads and checks one version.
    ///
    /// # Errors
    /// Where a file does not read, or the model or its card is refused.
    pub fn load(&self, version: &str) -> Result<LoadedModel, LoadError> {
        let folder = self.folder.join(version);
        if !is_version_name(version) {
            return Err(LoadError::BadName { path: folder, name: version.to_owned() });
        }
        let bytes = read_bounded(&folder.join("model.bin"), MODEL_MAX_BYTES as u64)?;
        let model = file::decode(&bytes).map_err(|source| LoadError::Refused { version: version.to_owned(), source })?;
        if model.version() != version {
            return Err(LoadError::OtherVersion { version: version.to_owned(), found: model.version().to_owned() });
        }
        let card = read_bounded(&folder.join("card.json"), CARD_MAX_BYTES)?;
        let card: Card = serde_json::from_slice(&card).map_err(|source| LoadError::Card { version: version.to_owned(), source })?;
        if card.version != version || card.model_sha256 != hex(&Sha256::digest(&bytes)) {
            return Err(LoadError::OtherCard { version: version.to_owned() });
        }
        Ok(LoadedModel { model, card })
    }

    /// Writes a model under its version: aside first, flushed to disk, then renamed into place.
    /// A version that exists with the same bytes is left as it is; one that is damaged is set
    /// aside under the name `.damaged-...` and written anew. One process at a time writes.
    ///
    /// # Errors
    /// Where writing fails, or the version exists with other bytes.
    pub fn publish(&self, model: &ChurnModel, bytes: &[u8], card: &Card) -> Result<PathBuf, PublishError> {
        let _lease = self.lease()?;
        let version = model.version();
        let folder = self.folder.join(version);
        let aside = self.folder.join(format!(".{version}"));
        let written = |path: &Path| {
            let path = path.to_path_buf();
            move |source| PublishError::Write { path, source }
        };
        if aside.exists() {
            // Whoever wrote it has died: we hold the lease.
            fs::remove_dir_all(&aside).map_err(written(&aside))?;
        }
        if folder.exists() {
            let same = fs::read(folder.join("model.bin")).is_ok_and(|present| present == bytes);
            match self.load(version) {
                Ok(_) if same => return Ok(folder),
                Ok(_) => return Err(PublishError::Exists { version: version.to_owned() }),
                Err(error) => {
                    tracing::warn!(%error, version, "the folder of this version is damaged and was set aside");
                    fs::rename(&folder, self.damaged(version)).map_err(written(&folder))?;
                }
            }
        }
        let card = serde_json::to_vec_pretty(card).map_err(PublishError::Card)?;
        let features = serde_json::to_vec_pretty(FEATURES).map_err(PublishError::Card)?;
        make_folder(&aside).map_err(written(&aside))?;
        let files = [("model.bin", bytes), ("card.json", card.as_slice()), ("features.json", features.as_slice())];
        let sums = sums::of(&files);
        for (name, content) in files.into_iter().chain([(sums::SUMS, sums.as_bytes())]) {
            write_synced(&aside.join(name), content).map_err(written(&aside.join(name)))?;
        }
        sync_folder(&aside).map_err(written(&aside))?;
        fs::rename(&aside, &folder).map_err(written(&folder))?;
        sync_folder(&self.folder).map_err(written(&self.folder))?;
        Ok(folder)
    }

    /// Writes the report of a version that is there, in the place of one that it has: aside first,
    /// flushed to disk, then renamed into place.
    ///
    /// # Errors
    /// Where the version is refused, or writing fails.
    pub fn put_report(&self, version: &str, page: &str) -> Result<PathBuf, PublishError> {
        let _lease = self.lease()?;
        self.load(version)?;
        let folder = self.folder.join(version);
        let (path, aside) = (folder.join(REPORT), folder.join(format!(".{REPORT}")));
        let written = |source| PublishError::Write { path: path.clone(), source };
        write_synced(&aside, page.as_bytes()).map_err(written)?;
        fs::rename(&aside, &path).map_err(written)?;
        sync_folder(&folder).map_err(written)?;
        Ok(path)
    }

    /// The report of a version; none where it has none.
    ///
    /// # Errors
    /// Where the version is no name of one, or the report does not read or is too long.
    pub fn report(&self, version: &str) -> Result<Option<Vec<u8>>, LoadError> {
        if !is_version_name(version) {
            return Err(LoadError::BadName { path: self.folder.clone(), name: version.to_owned() });
        }
        match read_bounded(&self.folder.join(version).join(REPORT), REPORT_MAX_BYTES) {
            Ok(page) if page.len() as u64 > REPORT_MAX_BYTES => Err(LoadError::LongReport { version: version.to_owned() }),
            Ok(page) => Ok(Some(page)),
            Err(LoadError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The right to write to the registry. The system gives the lock of a dead process back.
    fn lease(&self) -> Result<File, PublishError> {
        let path = self.folder.join(".lock");
        let written = |source| PublishError::Write { path: path.clone(), source };
        make_folder(&self.folder).map_err(written)?;
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(written)?;
        lock.lock().map_err(written)?;
        Ok(lock)
    }

    /// The first free name for a damaged version.
    fn damaged(&self, version: &str) -> PathBuf {
        let names = (1_u32..).map(|number| self.folder.join(format!(".damaged-{version}-{number}")));
        names.into_iter().find(|path| !path.exists()).unwrap_or_default()
    }

    /// Puts a version in service: it is read and checked, the record says so, then `current` names
    /// it by one atomic rename. A version that is in service already stays, without a line.
    ///
    /// # Errors
    /// Where the version is refused, a file cannot be written, or, where it is not forced, has grade D,
    /// is a baseline beside a model, answers another question, is below the version in service or was
    /// never held beside it; `current` then stays as it is.
    pub fn promote(&self, version: &str, how: &Promotion, on: Day) -> Result<LoadedModel, PublishError> {
        let _lease = self.lease()?;
        let loaded = self.load(version)?;
        let grade = loaded.card.grade;
        let previous = self.current_version().ok();
        if previous.as_deref() == Some(version) {
            return Ok(loaded);
        }
        self.check_earned(&loaded, how)?;
        let (forced_by, why) = match how {
            Promotion::Forced { by, why } => (Some(by.clone()), Some(why.clone())),
            Promotion::Earned | Promotion::Beside(_) | Promotion::Back => (None, None),
        };
        let line = Promoted { version: version.to_owned(), previous, on, grade, forced_by, why, back: *how == Promotion::Back };
        let path = self.folder.join(promotion::RECORD);
        promotion::record(&self.folder, &line).map_err(|source| PublishError::Write { path, source })?;
        let (path, aside) = (self.folder.join(CURRENT), self.folder.join(format!(".{CURRENT}")));
        let written = |source| PublishError::Write { path: path.clone(), source };
        write_synced(&aside, format!("{version}\n").as_bytes()).map_err(written)?;
        fs::rename(&aside, &path).map_err(written)?;
        sync_folder(&self.folder).map_err(written)?;
        Ok(loaded)
    }

    /// Whether a version may come into service by what is known of it. A way back and force ask
    /// nothing; a version in service that is refused when read is nothing to be held beside.
    fn check_earned(&self, loaded: &LoadedModel, how: &Promotion) -> Result<(), PublishError> {
        let beside = match how {
            Promotion::Earned => loaded.card.against.as_ref(),
            Promotion::Beside(against) => Some(&**against),
            Promotion::Forced { .. } | Promotion::Back => return Ok(()),
        };
        let version = loaded.model.version().to_owned();
        if loaded.card.grade == Some(Grade::D) {
            return Err(PublishError::Grade { version });
        }
        let Ok(current) = self.load_current() else { return Ok(()) };
        if current.card.method == Method::Baseline {
            return Ok(());
        }
        let current_version = current.model.version().to_owned();
        if loaded.card.method == Method::Baseline {
            return Err(PublishError::Baseline { version, current: current_version });
        }
        if current.model.question() != loaded.model.question() {
            return Err(PublishError::OtherQuestion { version, current: current_version });
        }
        match beside.filter(|against| against.version == current_version) {
            None => Err(PublishError::NeverBeside { version, current: current_version }),
            Some(against) if against.is_worse() => Err(PublishError::Worse {
                version,
                current: current_version,
                pr_auc: against.gain.pr_auc.value,
                log_loss: against.gain.log_loss.value,
            }),
            Some(_) => Ok(()),
        }
    }

    /// Puts the version back that was in service before the current one.
    ///
    /// # Errors
    /// Where the record names none, and as [`Registry::promote`].
    pub fn roll_back(&self, on: Day) -> Result<LoadedModel, PublishError> {
        let current = self.current_version()?;
        let before = promotion::before(&self.promotions()?, &current).ok_or(PublishError::NothingBefore { current })?;
        self.promote(&before, &Promotion::Back, on)
    }

    /// What came into service, oldest first.
    ///
    /// # Errors
    /// Where the record does not read.
    pub fn promotions(&self) -> Result<Vec<Promoted>, LoadError> {
        let path = self.folder.join(promotion::RECORD);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(promotion::read(&text)),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(LoadError::Read { path, source }),
        }
    }

    /// Reads and checks a version as [`Registry::load`] does, and compares every file of it with
    /// what was written.
    ///
    /// # Errors
    /// As [`Registry::load`], and where a file is missing or altered.
    pub fn verify(&self, version: &str) -> Result<LoadedModel, LoadError> {
        let loaded = self.load(version)?;
        let folder = self.folder.join(version);
        match sums::wrong(&folder) {
            Ok(None) => Ok(loaded),
            Ok(Some(wrong)) => Err(LoadError::Altered { version: version.to_owned(), wrong }),
            Err(source) => Err(LoadError::Read { path: folder, source }),
        }
    }

    /// The names of all versions, oldest first by their last day of training.
    ///
    /// # Errors
    /// Where the folder does not read; one that is not there holds none.
    pub fn versions(&self) -> Result<Vec<String>, LoadError> {
        let read = |source| LoadError::Read { path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(read(error)),
        };
        let mut versions = Vec::new();
        for entry in entries {
            let entry = entry.map_err(read)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_version_name(&name) && entry.path().is_dir() {
                versions.push(name);
            }
        }
        versions.sort_unstable();
        Ok(versions)
    }
}

/// Letters, digits, `-`, `_` and `.`, not beginning with a point: one step of a path, whoever wrote it.
fn is_version_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() as u64 <= VERSION_MAX_BYTES && !name.starts_with('.') && name.bytes().all(allowed)
}

/// Reads a file of at most `most` bytes; of a larger one, `most` and one more.
fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    read.map_err(|source| LoadError::Read { path: path.to_path_buf(), source })?;
    Ok(bytes)
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A rename is durable once its folder is flushed.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
/// A folder for its owner alone: a card tells figures of customers.
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
