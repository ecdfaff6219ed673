//! One file of an export: downloaded under a name that no reader takes, looked through, named.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use reqwest::Response;
use sha2::{Digest, Sha256};

use super::client::{ANSWER_MAX_BYTES, Ask, Client, Trouble, body, lost};
use super::folder::{Folder, Kept};
use super::{PullError, io_error};
use crate::domain::hex;
use crate::durable::{parent_of, staging_path, sync_dir};

/// Of one blob, packed. Microsoft splits exports at some hundred thousand rows, some 100 MB; a
/// stream that goes on beyond this would fill the disk.
const BLOB_MAX_BYTES: u64 = 16 << 30;

/// What became of a download.
#[derive(Debug)]
pub(super) enum Fetched {
    Whole(Kept),
    /// Refused with this status and body.
    Refused(u16, Vec<u8>),
}

/// Downloads a gzip file to `name` in the folder.
pub(super) async fn fetch(client: &mut Client, folder: &Folder, ask: &Ask, name: &str) -> Result<Fetched, PullError> {
    let path = folder.path(name);
    let staged = staging_path(&path);
    let (what, alarm) = (ask.what(), client.alarm(&ask.what()));
    let fetched = client
        .exchange(ask, async |response| {
            let status = response.status().as_u16();
            if status != 200 {
                return Ok(Err((status, body(response, &what, ANSWER_MAX_BYTES).await?)));
            }
            let (bytes, sha256) = store(response, &staged, &what, &alarm).await?;
            check_gzip(&staged).map_err(|error| Trouble::Again(format!("what came is no whole gzip file: {error}")))?;
            Ok(Ok(Kept { file: name.to_owned(), bytes, sha256 }))
        })
        .await;
    match fetched {
        Ok(Ok(kept)) => {
            let named = fs::rename(&staged, &path).and_then(|()| sync_dir(parent_of(&path)));
            named.map_err(|source| io_error(&path, source))?;
            Ok(Fetched::Whole(kept))
        }
        failed => {
            // Nothing begins where it stopped within a file.
            let _ = fs::remove_file(&staged);
            let (status, body) = match failed? {
                Err(refused) => refused,
                Ok(_) => (200, Vec::new()),
            };
            Ok(Fetched::Refused(status, body))
        }
    }
}

/// Writes a body to a file, which is on disk when this returns. Its length and SHA-256.
async fn store(
    mut response: Response,
    path: &Path,
    what: &str,
    alarm: &impl Fn() -> Result<(), PullError>,
) -> Result<(u64, String), Trouble> {
    let failed = |source| Trouble::End(io_error(path, source));
    let promised = response.content_length();
    let mut file = File::create(path).map_err(failed)?;
    let (mut hasher, mut bytes) = (Sha256::new(), 0_u64);
    while let Some(chunk) = response.chunk().await.map_err(|error| Trouble::Again(lost(error)))? {
        bytes += chunk.len() as u64;
        if bytes > BLOB_MAX_BYTES {
            return Err(Trouble::End(PullError::TooLong { what: what.to_owned(), max: BLOB_MAX_BYTES }));
        }
        alarm().map_err(Trouble::End)?;
        file.write_all(&chunk).map_err(failed)?;
        hasher.update(&chunk);
    }
    if let Some(promised) = promised.filter(|promised| *promised != bytes) {
        return Err(Trouble::Again(format!("{bytes} bytes came of {promised}")));
    }
    file.sync_all().map_err(failed)?;
    Ok((bytes, hex(&hasher.finalize())))
}

/// Unpacks a file to nowhere: its trailers hold the length and the CRC of what is packed.
fn check_gzip(path: &Path) -> io::Result<()> {
    let mut unpacked = MultiGzDecoder::new(BufReader::with_capacity(1 << 17, File::open(path)?));
    let mut buffer = vec![0; 1 << 17];
    while unpacked.read(&mut buffer)? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn every_cut_and_every_flipped_bit_of_a_gzip_file_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gz");
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        let rows = b"{\"a\":1}\n{\"a\":2}\n";
        packed.write_all(rows).unwrap();
        let packed = packed.finish().unwrap();
        fs::write(&path, &packed).unwrap();
        assert!(check_gzip(&path).is_ok());
        for cut in 0..packed.len() {
            fs::write(&path, &packed[..cut]).unwrap();
            assert!(check_gzip(&path).is_err(), "cut at {cut}");
        }
        // The header's time, flags of speed and system say nothing of what is packed, nor do the
        // bits that fill its last byte.
        let mut unseen = 0;
        for at in 10 * 8..packed.len() * 8 {
            let mut flipped = packed.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            fs::write(&path, &flipped).unwrap();
            let mut unpacked = Vec::new();
            let same = MultiGzDecoder::new(flipped.as_slice()).read_to_end(&mut unpacked).is_ok() && unpacked == rows;
            assert!(same || check_gzip(&path).is_err(), "bit {at}");
            unseen += usize::from(same);
        }
        assert!(unseen < 8, "{unseen}");
    }
}
