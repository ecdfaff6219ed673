//! Files that are still there after the power fails: every write is followed by fsync of the
//! file and of each directory that gained a name. And the hash by which their bytes are known,
//! and the locks of those who write them.
//!
//! Absent on purpose: what is in the files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::domain::hex;

/// Folders and files are their owner's alone: they hold what customers cost, and hashes of keys.
const FOLDER_MODE: u32 = 0o700;
pub(crate) const FILE_MODE: u32 = 0o600;

/// Makes the names in a directory durable.
///
/// # Errors
/// Where the directory cannot be opened or synced.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Creates `dir` and what it needs above it, for its owner alone, each new name durable in its parent.
///
/// # Errors
/// Where a directory cannot be created or synced.
pub(crate) fn create_dirs(dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_dirs(parent)?;
    match DirBuilder::new().mode(FOLDER_MODE).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_dir(parent)
}

/// Replaces `path` by `bytes`: readers see the old file or the new one, never a part.
///
/// # Errors
/// Where a step fails; the old file is then still in place.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let staged = staging_path(path);
    let written = write_synced(&staged, |file| file.write_all(bytes)).and_then(|()| fs::rename(&staged, path));
    if written.is_err() {
        let _ = fs::remove_file(&staged);
    }
    written?;
    sync_dir(parent_of(path))
}

pub(crate) fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name beside `path` that no reader takes for a file of its own. One writer at a time
/// holds the lease, so two never meet under it.
pub(crate) fn staging_path(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.tmp"))
}

pub(crate) fn write_synced(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    write(&mut file)?;
    file.sync_all()
}

/// Bytes that are read and hashed at once: they stay in the second-level cache in between.
const PIECE_BYTES: usize = 1 << 18;

/// SHA-256 of a file's bytes, in hexadecimal.
///
/// # Errors
/// Where the file cannot be read.
pub(crate) fn content_hash(path: &Path) -> io::Result<String> {
    hash_of(File::open(path)?, |_| ())
}

/// SHA-256 of all that is left to read, in hexadecimal; `told` hears how much has come each time.
/// Memory is one piece.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn hash_of(mut from: impl Read, mut told: impl FnMut(u64)) -> io::Result<String> {
    let (mut hasher, mut piece) = (Sha256::new(), vec![0; PIECE_BYTES]);
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(read) => {
                hasher.update(piece.get(..read).unwrap_or_default());
                told(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes the lock that a file is, made where it is absent; calls `waiting` once if another process
/// holds it. The system gives the lock of a dead process back by itself.
///
/// # Errors
/// Where the file cannot be opened or locked.
pub(crate) fn lock(path: &Path, waiting: impl FnOnce()) -> io::Result<File> {
    let lock = lock_file(path)?;
    if lock.try_lock().is_err() {
        waiting();
        lock.lock()?;
    }
    Ok(lock)
}

/// The same without waiting; none where another holds it.
///
/// # Errors
/// Where the file cannot be opened.
pub(crate) fn lock_at_once(path: &Path) -> io::Result<Option<File>> {
    let lock = lock_file(path)?;
    Ok(lock.try_lock().is_ok().then_some(lock))
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(FILE_MODE).open(path)
}
