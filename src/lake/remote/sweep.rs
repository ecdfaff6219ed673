//! The objects of a lake that a vacuum looks at and deletes, and its record.
//!
//! Absent on purpose: what is to go (`vacuum.rs` tells, for every lake).

use std::fs;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectMeta, ObjectStoreExt};

use super::Remote;
use super::down::AT_ONCE;
use crate::lake::retention;
use crate::lake::schema::Table;
use crate::lake::tables::{Lake, LakeError};
use crate::lake::vacuum::LakeFile;

impl Remote {
    /// What the store holds of a table, its log too, in the order of their names.
    pub(super) fn objects(&self, table: Table) -> Result<Vec<LakeFile>, LakeError> {
        let prefix = self.place.key(table.name())?;
        let listed = self.place.run(self.place.store.list(Some(&prefix)).try_collect::<Vec<ObjectMeta>>())?;
        let listed = listed.map_err(|error| self.place.error(&format!("listing {}", table.name()), &error))?;
        let below = |object: ObjectMeta| {
            let parts: Vec<_> = object.location.prefix_match(&prefix)?.map(|part| part.as_ref().to_owned()).collect();
            Some((format!("{}/{}", table.name(), parts.join("/")), object.size))
        };
        let mut files: Vec<LakeFile> = listed.into_iter().filter_map(below).collect();
        files.sort();
        Ok(files)
    }

    /// Gives the store the record of the versions that are gone, where `lake` has one.
    pub(super) fn put_record(&self, lake: &Lake) -> Result<(), LakeError> {
        let path = lake.dir().join(retention::RECORD);
        if !path.is_file() {
            return Ok(());
        }
        let key = self.place.key(retention::RECORD)?;
        self.place.run(self.put_file(&path, &key))?
    }

    /// Deletes objects, and what the copy has of them; calls `gone` for each. One that is not there is
    /// gone.
    pub(super) fn delete(&self, files: &[LakeFile], gone: &dyn Fn()) -> Result<(), LakeError> {
        for some in files.chunks(AT_ONCE) {
            let keys = some.iter().map(|(name, _)| self.place.key(name)).collect::<Result<Vec<_>, _>>()?;
            let deleted =
                self.place.run(stream::iter(&keys).map(|key| self.place.store.delete(key)).buffered(AT_ONCE).collect::<Vec<_>>())?;
            for ((name, _), (key, deleted)) in some.iter().zip(keys.iter().zip(deleted)) {
                match deleted {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(self.place.error(&format!("deleting {}", self.place.named(key)), &error).into()),
                }
                // A copy of it that stays costs room, and nobody asks for it.
                let _ = fs::remove_file(self.tables_dir().join(name));
                gone();
            }
        }
        Ok(())
    }
}
