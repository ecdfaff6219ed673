//! Which files an import reads: paths, folders and globs expanded, each file hashed and its
//! source recognised by its header.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::form::{self, ColumnMap, Form};
use super::generic::SOURCE;
use super::source::{self, Container};
use super::sources::{self, Source};
use super::untrusted::ParquetReader;
use super::{ImportError, Reading, io_error, manifest};
use crate::durable::hash_of;
use crate::lake::at::url_of;
use crate::lake::remote;
use crate::progress::{Progress, Stage};

/// A file that an import is going to read.
#[derive(Debug, Clone)]
pub(super) struct InputFile {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) container: Container,
    /// Who reads it, where it is Parquet.
    pub(super) parquet: Option<ParquetReader>,
    pub(super) form: &'static Form,
    pub(super) reader: &'static dyn Source,
    pub(super) columns: ColumnMap,
    /// Columns that no table has.
    pub(super) unread: Vec<String>,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// Endings that are tables, longest first.
const ENDINGS: [&str; 16] = [
    ".csv.gz",
    ".csv.zst",
    ".tsv.gz",
    ".tsv.zst",
    ".json.gz",
    ".json.zst",
    ".jsonl.gz",
    ".jsonl.zst",
    ".ndjson.gz",
    ".ndjson.zst",
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".ndjson",
    ".parquet",
];

/// Columns that are named when they are not read.
const UNREAD_SHOWN: usize = 6;

/// The files that some paths name.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    /// In a fixed order.
    pub(super) files: VecDeque<PathBuf>,
    /// Files of named folders that are no tables.
    pub(super) passed_over: Vec<PathBuf>,
    /// Files that only their folder was named of: among them JSON of any kind may lie.
    pub(super) of_folders: HashSet<PathBuf>,
    /// The URLs of those that were fetched.
    pub(super) urls: HashMap<PathBuf, String>,
}

/// The files that `paths` name, of which some are URLs of an object store: what those name is
/// fetched into `into`.
pub(super) fn expand_urls(paths: &[PathBuf], into: &Path, progress: Progress) -> Result<Expanded, ImportError> {
    let mut all = Expanded::default();
    for path in paths {
        if !remote::is_url(path) {
            let Expanded { files, passed_over, of_folders, .. } = expand(std::slice::from_ref(path))?;
            all.files.extend(files);
            all.passed_over.extend(passed_over);
            all.of_folders.extend(of_folders);
            continue;
        }
        let fetched = remote::fetch(&path.to_string_lossy(), into, progress, is_table)?;
        all.passed_over.extend(fetched.passed_over.into_iter().map(PathBuf::from));
        for (file, url) in fetched.files {
            if fetched.is_folder {
                all.of_folders.insert(file.clone());
            }
            all.files.push_back(file.clone());
            all.urls.insert(file, url);
        }
    }
    let mut seen = HashSet::new();
    all.files.retain(|path| seen.insert(path.clone()));
    refuse_twins(all.files.make_contiguous()).map_err(|error| error.renamed(|path| all.urls.get(path).map(PathBuf::from)))?;
    Ok(all)
}

/// Whether a file of a folder is read, by its name.
fn is_table(name: &str) -> bool {
    !name.starts_with(['.', '_']) && ENDINGS.iter().any(|ending| name.to_lowercase().ends_with(ending))
}

/// The files that `paths` name.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Expanded, ImportError> {
    let (mut files, mut passed_over, mut of_folders) = (Vec::new(), Vec::new(), HashSet::new());
    for path in paths {
        // A `file` URL is the path that it names.
        let of_url = path.to_str().and_then(url_of).and_then(|url| url.to_file_path().ok());
        let path = of_url.as_ref().unwrap_or(path);
        if path.is_dir() {
            let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
                .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>())
                .map_err(|source| io_error(path, source))?;
            entries.sort();
            for entry in entries {
                let name = file_name(&entry);
                if !entry.exists() {
                    return Err(ImportError::NoSuchFile { path: entry });
                }
                if !entry.is_file() {
                    passed_over.push(entry);
                    continue;
                }
                if is_table(&name) {
                    of_folders.insert(entry.clone());
                    files.push(entry);
                } else {
                    passed_over.push(entry);
                }
            }
        } else if path.exists() {
            files.push(path.clone());
        } else {
            let pattern = path.to_string_lossy();
            let found = glob::glob(&pattern).map_err(|error| ImportError::Pattern { pattern: pattern.to_string(), reason: error.msg })?;
            let before = files.len();
            for entry in found {
                match entry {
                    Ok(path) => files.push(path),
                    Err(error) => return Err(ImportError::Io { path: error.path().to_path_buf(), source: error.into() }),
                }
            }
            files[before..].sort();
            if files.len() == before {
                return Err(ImportError::NoSuchFile { path: path.clone() });
            }
        }
    }
    let mut seen = HashSet::new();
    files.retain(|path| seen.insert(path.clone()));
    refuse_twins(&files)?;
    Ok(Expanded { files: files.into(), passed_over, of_folders, urls: HashMap::new() })
}

/// What is told of an entry of a folder that is not read.
pub(super) fn passed_over(path: &Path) -> String {
    if path.is_dir() {
        return format!("the folder {} was passed over; name it to read it", path.display());
    }
    format!("{} is no table and was passed over", file_name(path))
}

/// `usage_daily.csv` beside `usage_daily.parquet` is one table twice, and would be added up.
fn refuse_twins(files: &[PathBuf]) -> Result<(), ImportError> {
    let mut stems: HashMap<(PathBuf, String), &PathBuf> = HashMap::new();
    for path in files {
        let name = file_name(path).to_lowercase();
        let ending = ENDINGS.iter().find(|ending| name.ends_with(*ending)).copied().unwrap_or("");
        let stem = name.strip_suffix(ending).unwrap_or(&name).to_owned();
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        if let Some(other) = stems.insert((folder, stem), path) {
            return Err(ImportError::Twins { one: other.clone(), other: path.clone() });
        }
    }
    Ok(())
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What a file is.
pub(super) enum Found {
    Table(Box<InputFile>),
    /// The manifest of an export, which names the files with its rows, all of them there.
    Manifest {
        name: String,
        blobs: Vec<PathBuf>,
    },
    /// JSON of no source, and why.
    OtherJson(ImportError),
}

/// Hashes a file and recognises its source, among all or as the operator names it.
pub(super) fn recognise(path: &Path, reading: &Reading, stage: &Stage) -> Result<Found, ImportError> {
    if !path.metadata().map_err(|source| io_error(path, source))?.is_file() {
        return Err(ImportError::NoPlainFile { path: path.to_path_buf() });
    }
    let (sha256, bytes) = hash(path, stage).map_err(|source| io_error(path, source))?;
    let (container, mut header) = source::look(path, reading.parquet_reader.as_ref())?;
    if matches!(container, Container::Json { .. }) && manifest::is_one(&header) {
        return Ok(Found::Manifest { name: file_name(path), blobs: manifest::blobs(path)? });
    }
    let fault = |reason| ImportError::Header { path: path.to_path_buf(), reason };
    let form = match (form::recognise(&sources::forms(reading.format.as_deref()), &header).map_err(fault), container) {
        (Ok(form), _) => form,
        (Err(error), Container::Json { .. }) => return Ok(Found::OtherJson(error)),
        (Err(error), _) => return Err(error),
    };
    let seen = header.len();
    if let Container::Json { .. } = container {
        form.add_aliases(&mut header);
    }
    let columns = ColumnMap::new(form, header);
    let unread =
        columns.header().iter().take(seen).enumerate().filter(|(at, _)| !columns.reads(*at)).map(|(_, name)| name.clone()).collect();
    let file = InputFile {
        path: path.to_path_buf(),
        name: file_name(path),
        container,
        parquet: reading.parquet_reader.clone(),
        form,
        reader: sources::reader(form),
        columns,
        unread,
        bytes,
        sha256,
    };
    Ok(Found::Table(Box::new(file)))
}

/// Calls files of one name by their paths, so that a message says which of them it means.
pub(super) fn tell_apart(files: &mut [InputFile], urls: &HashMap<PathBuf, String>) {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for file in files.iter() {
        *uses.entry(file.name.clone()).or_default() += 1;
    }
    for file in files.iter_mut().filter(|file| uses.get(&file.name).is_some_and(|count| *count > 1)) {
        file.name = urls.get(&file.path).cloned().unwrap_or_else(|| file.path.display().to_string());
    }
}

/// What is told of the columns of a file of ours that are not read; none where all are. Exports of
/// others have many that say nothing to us.
pub(super) fn unread(file: &InputFile) -> Option<String> {
    if file.form.source != SOURCE {
        return None;
    }
    let shown = file.unread.iter().take(UNREAD_SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let more = file.unread.len().saturating_sub(UNREAD_SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!file.unread.is_empty()).then(|| format!("{}: the table {} has no column {shown}{rest}; not read", file.name, file.form.table.name()))
}

fn hash(path: &Path, stage: &Stage) -> io::Result<(String, u64)> {
    let mut bytes = 0;
    let sha256 = hash_of(File::open(path)?, |read| {
        bytes += read;
        stage.advance(read);
    })?;
    Ok((sha256, bytes))
}
