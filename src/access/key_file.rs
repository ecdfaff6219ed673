//! API keys for jobs: a file of hashes, each with what its key may do and until when.
//!
//! A key is 256 random bits, so its SHA-256 cannot be turned back and needs no salt. The file is
//! replaced whole, never written into, and read anew when another has taken its place: a revoked
//! key is refused at the next request.
//!
//! Absent on purpose: any key. It is shown to whoever makes it, once.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, SubsecRound, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::caller::{Caller, Credential};
use super::config::AccessConfig;
use super::role::{Role, RoleSet};
use super::scope::{Scope, ScopeError};
use crate::domain::hex;
use crate::durable::{create_dirs, lock, parent_of, replace_file};

/// How every key begins, so that one that leaked is found by a search.
const MARK: &str = "crk_";

const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;

/// Longest life of a key, in days: two years.
const LIFE_MAX_DAYS: u32 = 730;

/// Longest name of a key, in characters.
const NAME_MAX_CHARS: usize = 64;

/// Why there is no such key.
#[derive(Debug, Error)]
pub enum KeyError {
    #[error("the key file {} does not read", path.display())]
    Unread { path: PathBuf, source: io::Error },
    #[error("the key file {} is damaged: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("the key file {} cannot be written", path.display())]
    Unwritten { path: PathBuf, source: io::Error },
    #[error("a key holds for 1 to {LIFE_MAX_DAYS} days, not {0}")]
    Life(u32),
    #[error("a key needs a name of 1 to {NAME_MAX_CHARS} letters, digits, `-`, `_` and `.`, not `{}`", .0.escape_debug())]
    Name(String),
    #[error("there is a key `{0}` that holds; revoke it first, or choose another name")]
    NameTaken(String),
    #[error("a key needs a role")]
    NoRole,
    #[error(transparent)]
    Scope(#[from] ScopeError),
    #[error("there is no key `{0}` in the key file")]
    Unknown(String),
    #[error("the system gives no random bytes: {0}")]
    NoRandomness(getrandom::Error),
}

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    pub id: String,
    /// What whoever made it calls it.
    pub name: String,
    /// SHA-256 of the secret part, in hexadecimal.
    sha256: String,
    pub roles: Vec<Role>,
    /// As [`Scope::parse`] reads it; none for everybody.
    pub scope: Option<Vec<String>>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What a new key is to be.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    pub name: String,
    pub roles: Vec<Role>,
    pub scope: Option<Vec<String>>,
    pub days: u32,
}

/// A new key, with what is shown once.
#[derive(Debug)]
pub struct NewKey {
    pub key: ApiKey,
    /// What a job sends.
    pub shown_once: SecretString,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    keys: Vec<ApiKey>,
}

impl ApiKey {
    /// Whether it holds at a moment.
    #[must_use]
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }

    /// Whose figures it may see.
    fn scope(&self) -> Result<Scope, ScopeError> {
        self.scope.as_ref().map_or(Ok(Scope::Everybody), |texts| Scope::parse(texts.iter().map(String::as_str)))
    }
}

/// The file of the keys.
pub struct KeyFile {
    path: PathBuf,
    read: ArcSwapOption<Read>,
}

/// What was read of the file, and what told it from others.
struct Read {
    seen: Seen,
    keys: Vec<ApiKey>,
}

/// A file that takes the place of another has another number.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    device: u64,
    number: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        let changed = (metadata.mtime(), metadata.mtime_nsec());
        Self { device: metadata.dev(), number: metadata.ino(), bytes: metadata.len(), changed }
    }
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl KeyFile {
    /// The file at `path`, which may not be there yet: it then holds no key.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), read: ArcSwapOption::empty() }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a text has the form of a key, whatever key.
    #[must_use]
    pub fn is_key(text: &str) -> bool {
        text.starts_with(MARK)
    }

    /// Every key, revoked and expired ones too, in the order in which they were made.
    ///
    /// # Errors
    /// Where the file does not read.
    pub fn keys(&self) -> Result<Vec<ApiKey>, KeyError> {
        Ok(self.read_now()?.map_or_else(Vec::new, |read| read.keys.clone()))
    }

    /// Whoever sends this key; none where it is no key that holds.
    ///
    /// # Errors
    /// Where the file does not read.
    pub fn caller(&self, text: &str, config: &AccessConfig, now: DateTime<Utc>) -> Result<Option<Caller>, KeyError> {
        let parts = text.strip_prefix(MARK).and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = parts else { return Ok(None) };
        let hash = hash(secret);
        let read = self.read_now()?;
        let Some(key) = read.as_ref().and_then(|read| read.keys.iter().find(|key| key.id == id)) else { return Ok(None) };
        // Both are hashes: how far they agree tells nothing of the key.
        if key.sha256 != hash || !key.holds(now) {
            return Ok(None);
        }
        let roles: RoleSet = key.roles.iter().copied().collect();
        let view = config.view(roles, key.scope()?);
        let name = Some(key.name.clone());
        let until = Some(key.expires_at.timestamp());
        Ok(Some(Caller { who: format!("key:{}", key.id), name, by: Credential::Key, roles, view, until }))
    }

    fn read_now(&self) -> Result<Option<Arc<Read>>, KeyError> {
        let unread = |source| KeyError::Unread { path: self.path.clone(), source };
        let seen = match fs::metadata(&self.path) {
            Ok(metadata) => Seen::of(&metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unread(error)),
        };
        if let Some(read) = self.read.load_full().filter(|read| read.seen == seen) {
            return Ok(Some(read));
        }
        // Told from the open file: what is read is what was seen.
        let mut file = File::open(&self.path).map_err(unread)?;
        let seen = Seen::of(&file.metadata().map_err(unread)?);
        let text = io::read_to_string(&mut file).map_err(unread)?;
        let damaged = |what: String| KeyError::Damaged { path: self.path.clone(), what };
        let content: Content = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        for key in &content.keys {
            key.scope().map_err(|error| damaged(format!("key {}: {error}", key.id)))?;
        }
        let read = Arc::new(Read { seen, keys: content.keys });
        self.read.store(Some(Arc::clone(&read)));
        Ok(Some(read))
    }

    /// Makes a key. `record` is told of it before it holds; where it fails, there is no key.
    ///
    /// # Errors
    /// What was asked for wrongly, and where the file cannot be written.
    pub fn create<E: From<KeyError>>(
        &self,
        wanted: KeyRequest,
        now: DateTime<Utc>,
        record: impl FnOnce(&ApiKey) -> Result<(), E>,
    ) -> Result<NewKey, E> {
        check(&wanted)?;
        let random = |bytes: &mut [u8]| getrandom::fill(bytes).map_err(KeyError::NoRandomness);
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        random(&mut id)?;
        random(&mut secret)?;
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let now = now.trunc_subsecs(0);
        let key = ApiKey {
            id: hex(&id),
            name: wanted.name,
            sha256: hash(&secret),
            roles: wanted.roles,
            scope: wanted.scope,
            created_at: now,
            expires_at: now + Duration::days(i64::from(wanted.days)),
            revoked_at: None,
        };
        let shown_once = SecretString::from(format!("{MARK}{}_{secret}", key.id));
        let key = self.change::<_, E>(|keys| {
            if keys.iter().any(|other| other.name == key.name && other.holds(now)) {
                return Err(KeyError::NameTaken(key.name.clone()).into());
            }
            record(&key)?;
            keys.push(key.clone());
            Ok(key)
        })?;
        Ok(NewKey { key, shown_once })
    }

    /// Ends a key at once, by its id or by its name.
    ///
    /// # Errors
    /// Where there is none that holds, and where the file cannot be written.
    pub fn revoke<E: From<KeyError>>(
        &self,
        id: &str,
        now: DateTime<Utc>,
        record: impl FnOnce(&ApiKey) -> Result<(), E>,
    ) -> Result<ApiKey, E> {
        self.change(|keys| {
            let named = |key: &&mut ApiKey| (key.id == id || key.name == id) && key.revoked_at.is_none();
            let key = keys.iter_mut().rev().find(named).ok_or_else(|| KeyError::Unknown(id.to_owned()))?;
            record(key)?;
            key.revoked_at = Some(now.trunc_subsecs(0));
            Ok(key.clone())
        })
    }

    /// Changes the keys and puts a new file in the old one's place, alone under a lock.
    fn change<T, E: From<KeyError>>(&self, change: impl FnOnce(&mut Vec<ApiKey>) -> Result<T, E>) -> Result<T, E> {
        let unwritten = |source| KeyError::Unwritten { path: self.path.clone(), source };
        create_dirs(parent_of(&self.path)).map_err(unwritten)?;
        let mut beside = self.path.clone().into_os_string();
        beside.push(".lock");
        let _lock = lock(Path::new(&beside), || ()).map_err(unwritten)?;
        let mut keys = self.keys()?;
        let changed = change(&mut keys)?;
        let mut text = serde_json::to_vec_pretty(&Content { keys }).map_err(|error| unwritten(error.into()))?;
        text.push(b'\n');
        replace_file(&self.path, &text).map_err(unwritten)?;
        Ok(changed)
    }
}

fn check(wanted: &KeyRequest) -> Result<(), KeyError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if wanted.name.is_empty() || wanted.name.len() > NAME_MAX_CHARS || !wanted.name.chars().all(plain) {
        return Err(KeyError::Name(wanted.name.chars().take(NAME_MAX_CHARS).collect()));
    }
    if wanted.roles.is_empty() {
        return Err(KeyError::NoRole);
    }
    if !(1..=LIFE_MAX_DAYS).contains(&wanted.days) {
        return Err(KeyError::Life(wanted.days));
    }
    if let Some(texts) = &wanted.scope {
        Scope::parse(texts.iter().map(String::as_str))?;
    }
    Ok(())
}

fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).expect("a moment")
    }

    fn wanted(name: &str) -> KeyRequest {
        KeyRequest { name: name.to_owned(), roles: vec![Role::AdminAgent], scope: Some(vec!["reseller:r1".to_owned()]), days: 30 }
    }

    fn created(file: &KeyFile, name: &str) -> NewKey {
        file.create(wanted(name), now(), |_| Ok::<_, KeyError>(())).expect("made")
    }

    #[test]
    fn a_key_holds_until_it_expires_or_is_revoked() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = KeyFile::at(dir.path().join("keys.json"));
        let made = created(&file, "crm");
        let shown = made.shown_once.expose_secret().to_owned();
        let caller = |at| file.caller(&shown, &AccessConfig::default(), at).expect("it reads");
        let known = caller(now()).expect("it holds");
        assert_eq!((known.who.as_str(), known.view.scope.to_string().as_str()), (format!("key:{}", made.key.id).as_str(), "reseller:r1"));
        assert!(caller(now() + Duration::days(30)).is_none(), "it has expired");
        // The service has the file in memory, and another process revokes.
        KeyFile::at(file.path()).revoke("crm", now(), |_| Ok::<_, KeyError>(())).expect("it was there");
        assert!(caller(now()).is_none(), "it is revoked");
        assert!(matches!(file.revoke("crm", now(), |_| Ok::<_, KeyError>(())), Err(KeyError::Unknown(_))));
    }

    #[test]
    fn the_file_and_debug_output_hold_no_key() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = KeyFile::at(dir.path().join("keys.json"));
        let made = created(&file, "crm");
        let secret = made.shown_once.expose_secret().splitn(3, '_').nth(2).expect("a part").to_owned();
        let text = fs::read_to_string(file.path()).expect("it is there") + &format!("{made:?} {file:?}");
        assert!(secret.len() > 20 && !text.contains(&secret));
    }

    #[test]
    fn no_other_text_is_a_key() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = KeyFile::at(dir.path().join("keys.json"));
        let id = created(&file, "crm").key.id;
        for text in ["", "crk_", &format!("crk_{id}"), &format!("crk_{id}_"), &format!("crk_{id}_AAAA"), "crk__", "Bearer"] {
            assert!(file.caller(text, &AccessConfig::default(), now()).expect("it reads").is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_wrongly_makes_none_and_so_does_a_record_that_fails() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = KeyFile::at(dir.path().join("keys.json"));
        let refuse = |request: KeyRequest| file.create(request, now(), |_| Ok::<_, KeyError>(())).expect_err("refused").to_string();
        assert!(refuse(wanted("")).contains("needs a name") && refuse(wanted("a b")).contains("needs a name"));
        assert!(refuse(KeyRequest { days: 0, ..wanted("a") }).contains("1 to 730 days"));
        assert!(refuse(KeyRequest { roles: Vec::new(), ..wanted("a") }).contains("needs a role"));
        assert!(refuse(KeyRequest { scope: Some(vec!["r1".to_owned()]), ..wanted("a") }).contains("no scope"));
        let failed = file.create(wanted("a"), now(), |_| Err(KeyError::NoRole));
        assert!(failed.is_err() && file.keys().expect("it reads").is_empty());
        created(&file, "a");
        assert!(refuse(wanted("a")).contains("that holds"));
    }
}
