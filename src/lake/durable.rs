//! Delta's log through files that are still there after the power fails (`crate::durable`).
//!
//! `object_store`'s local store never syncs, and Delta's log goes through it; so the log gets
//! this store instead, and data files are written through the functions of `crate::durable`.

use std::fs;
use std::io::{self, Write};
use std::path::Path as FsPath;
use std::sync::Arc;

use async_trait::async_trait;
use deltalake::logstore::object_store;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, RenameOptions,
};

use super::seal::seal;
pub(crate) use crate::durable::{create_dirs, lock, replace_file, sync_dir};
use crate::durable::{parent_of, staging_path, write_synced};

/// The local file system as an object store whose `put` returns after fsync.
#[derive(Debug)]
pub(crate) struct DurableLocal {
    inner: Arc<LocalFileSystem>,
}

impl DurableLocal {
    pub(crate) fn new() -> Self {
        Self { inner: Arc::new(LocalFileSystem::new()) }
    }
}

impl std::fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "durable {}", self.inner)
    }
}

/// Writes aside, syncs, then gives the file its name in one step. With `create` the name must
/// be free: that is what makes a log entry a commit that only one writer can win.
fn put_file(path: &FsPath, payload: &PutPayload, create: bool) -> io::Result<()> {
    create_dirs(parent_of(path))?;
    let staged = staging_path(path);
    let named = write_synced(&staged, |file| payload.iter().try_for_each(|part| file.write_all(part)))
        .and_then(|()| if create { fs::hard_link(&staged, path) } else { fs::rename(&staged, path) });
    if create || named.is_err() {
        // A leftover here is a hidden file that nobody reads.
        let _ = fs::remove_file(&staged);
    }
    named?;
    let synced = sync_dir(parent_of(path));
    if create && synced.is_err() {
        // Unsynced, the entry might vanish later although a reader has seen it: take it back,
        // so that "refused" stays true.
        let _ = fs::remove_file(path);
    }
    synced
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        let create = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return self.inner.put_opts(location, payload, options).await,
        };
        let path = self.inner.path_to_filesystem(location)?;
        // Written on the calling thread: the lake's runtime serves nothing else meanwhile, and
        // one fixed order of system calls is one that fault injection can walk through.
        let payload = if create { seal(payload) } else { payload };
        match put_file(&path, &payload, create) {
            Ok(()) => Ok(PutResult { e_tag: None, version: None }),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                Err(object_store::Error::AlreadyExists { path: location.to_string(), source: source.into() })
            }
            Err(source) => Err(object_store::Error::Generic { store: "durable local", source: source.into() }),
        }
    }

    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, object_store::Result<Path>>) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> object_store::Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
