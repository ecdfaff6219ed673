//! Lakes in a store in memory, whose puts fail where a test wants it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions,
    PutOptions, PutPayload, PutResult,
};
use tempfile::TempDir;

use super::down::arrive;
use super::lease::{NAME, Pace};
use super::place::Place;
use super::{Remote, RemoteError};
use crate::domain::{Day, Feedback, FeedbackId, SubscriptionId, Verdict};
use crate::lake::at::{LakeAt, RemoteAt};
use crate::lake::import::import_into;
use crate::lake::schema::Table;
use crate::lake::tables::{Lake, LakeError};
use crate::lake::{FeedbackReceipt, ImportError, ImportReport, ImportRequest, Outcome, Reading, VerifyScope};
use crate::progress::Progress;

const URL: &str = "memory://tables/lake";

/// What becomes of a put that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It never arrives, and those after it do.
    Lost,
    /// It arrives, and its answer does not.
    Unanswered,
    /// Neither it nor any put after it arrives: the writer died.
    Death,
    /// It arrives, and nothing is answered from then on.
    Dark,
}

/// A store in memory whose put of some number fails.
#[derive(Debug)]
struct Faulty {
    inner: InMemory,
    puts: AtomicU64,
    fails: Option<(u64, Fault)>,
}

impl Faulty {
    fn over(inner: InMemory, fails: Option<(u64, Fault)>) -> Arc<Self> {
        Arc::new(Self { inner, puts: AtomicU64::new(0), fails })
    }
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a store whose puts may fail")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, key: &Key, payload: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        // Renewals come when they come, and would make the others' numbers differ from run to run.
        let text = payload.iter().flat_map(|part| part.to_vec()).collect::<Vec<_>>();
        let text = String::from_utf8_lossy(&text);
        if key.filename() == Some(NAME) && text.contains(r#""is_held":true"#) && !text.contains(r#""renewed":0"#) {
            return self.inner.put_opts(key, payload, options).await;
        }
        let number = self.puts.fetch_add(1, Ordering::SeqCst);
        let failed = || object_store::Error::Generic { store: "memory", source: "the wire was cut".into() };
        match self.fails {
            Some((at, Fault::Lost)) if number == at => Err(failed()),
            Some((at, Fault::Death)) if number >= at => Err(failed()),
            Some((at, Fault::Dark)) if number > at => Err(failed()),
            Some((at, Fault::Unanswered | Fault::Dark)) if number == at => {
                let _ = self.inner.put_opts(key, payload, options).await;
                Err(failed())
            }
            _ => self.inner.put_opts(key, payload, options).await,
        }
    }

    async fn put_multipart_opts(&self, key: &Key, options: PutMultipartOptions) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(key, options).await
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> object_store::Result<GetResult> {
        if matches!(self.fails, Some((at, Fault::Dark)) if self.puts.load(Ordering::SeqCst) > at) {
            return Err(object_store::Error::Generic { store: "memory", source: "the wire was cut".into() });
        }
        self.inner.get_opts(key, options).await
    }

    fn delete_stream(&self, keys: BoxStream<'static, object_store::Result<Key>>) -> BoxStream<'static, object_store::Result<Key>> {
        self.inner.delete_stream(keys)
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A store, files to import, and copies of the lake.
struct World {
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder") }
    }

    fn copy(&self, store: &Arc<Faulty>, name: &str) -> Arc<Remote> {
        let at = RemoteAt::of_test(URL, &self.dir.path().join(name));
        let place = Place::over(URL, Key::from("lake"), Arc::clone(store) as Arc<dyn ObjectStore>).expect("a runtime");
        let timing = Pace { every: Duration::from_millis(1), looks: 30 };
        Arc::new(Remote::over(place, &at, timing).expect("a folder"))
    }

    /// A file with a usage row of each day of a month.
    fn month(&self, month: u32) -> PathBuf {
        let path = self.dir.path().join(format!("month-{month}.csv"));
        let rows: Vec<String> = (1..=28).map(|day| format!("s1,2026-{month:02}-{day:02},Compute,hours,{day}.5,3")).collect();
        fs::write(&path, format!("subscription_id,on,category,unit,quantity,cost\n{}\n", rows.join("\n"))).expect("a file");
        path
    }

    fn import(&self, remote: &Arc<Remote>, month: u32) -> Result<ImportReport, ImportError> {
        let request = request(self.month(month));
        remote.import(|| (), |lake| import_into(lake, &request))
    }
}

fn request(path: PathBuf) -> ImportRequest {
    ImportRequest {
        paths: vec![path],
        lake: LakeAt::from(PathBuf::from("nowhere")),
        today: Day::parse("2026-12-31").expect("a day"),
        max_rejects: 0.0,
        memory_bytes: 64 << 20,
        currency: None,
        rates: BTreeMap::new(),
        reading: Reading::default(),
        progress: Progress::Silent,
    }
}

#[track_caller]
fn version(report: &ImportReport) -> u64 {
    match &report.outcome {
        Outcome::Committed(record) => record.import_id,
        Outcome::Unchanged { version } => *version,
    }
}

/// The version and the usage rows of a lake, every byte of it read and found sound.
#[track_caller]
fn held(lake: &Lake) -> (u64, u64) {
    let read = lake.verify(VerifyScope::All, Progress::Silent).expect("a lake");
    assert!(read.faults.is_empty(), "{:?}", read.faults);
    let Some(snapshot) = lake.snapshot(None).expect("a lake") else { return (0, 0) };
    let census = snapshot.census(true).expect("tables");
    let rows = census.iter().find(|census| census.table == Table::UsageDaily.name()).map_or(0, |census| census.rows);
    (snapshot.version(), rows)
}

#[test]
fn what_one_copy_imports_another_reads() {
    let (world, store) = (World::new(), Faulty::over(InMemory::new(), None));
    let (one, other) = (world.copy(&store, "one"), world.copy(&store, "other"));
    assert!(matches!(other.open_existing(), Err(LakeError::Remote(RemoteError::NoLake { .. }))));
    assert_eq!(version(&world.import(&one, 1).expect("an import")), 1);
    let lake = other.open_existing().expect("a lake");
    assert_eq!(held(&lake), (1, 28));
    // Into the other copy, seen by a lake that is open on the first without opening it again.
    let open = one.open().expect("a lake");
    assert_eq!(version(&world.import(&other, 2).expect("an import")), 2);
    assert_eq!(open.newest_version().expect("a store"), Some(2));
    assert_eq!(held(&open), (2, 56));
    assert_eq!(version(&world.import(&one, 2).expect("nothing to do")), 2);
    assert_eq!(open.snapshot(Some(1)).expect("an older version").map(|snapshot| snapshot.version()), Some(1));
}

/// Whatever put of an import fails in this way: the store holds all of it or nothing, an import that
/// says it is there is there, and the same import completes, from the same copy or another.
#[track_caller]
fn check_every_put(fault: Fault) {
    let (world, base) = (World::new(), Faulty::over(InMemory::new(), None));
    world.import(&world.copy(&base, "base"), 1).expect("an import");
    let counted = Faulty::over(base.inner.fork(), None);
    world.import(&world.copy(&counted, "counted"), 2).expect("an import");
    let puts = counted.puts.load(Ordering::SeqCst);
    assert!(puts >= 5, "{puts} puts are too few to be an import");
    let mut refused = 0;
    for at in 0..puts {
        let what = format!("{fault:?} at put {at} of {puts}");
        let faulty = Faulty::over(base.inner.fork(), Some((at, fault)));
        let imported = world.import(&world.copy(&faulty, &format!("writer-{at}")), 2);
        refused += u64::from(imported.is_err());
        let sound = Faulty::over(faulty.inner.fork(), None);
        let reader = world.copy(&sound, &format!("reader-{at}"));
        let after = held(&reader.open_existing().expect("a lake"));
        let is_unknown = matches!(imported, Err(ImportError::Lake(LakeError::Remote(RemoteError::Unknown { .. }))));
        let wanted = if imported.is_ok() { (2, 56) } else { (1, 28) };
        assert!(after == wanted || is_unknown && after == (2, 56), "{what}: {after:?} after {imported:?}");
        let again = if at % 2 == 0 { format!("writer-{at}") } else { format!("other-{at}") };
        let copy = world.copy(&sound, &again);
        assert_eq!(version(&world.import(&copy, 2).expect("the same import")), 2, "{what}");
        assert_eq!(held(&copy.open_existing().expect("a lake")), (2, 56), "{what}");
        assert_eq!(held(&reader.open_existing().expect("a lake")), (2, 56), "{what}, by a copy of before");
    }
    // What an unanswered put has done is looked for, so hardly anything is refused for its sake.
    let wanted = if fault == Fault::Unanswered { 0..=puts / 2 } else { puts / 2..=puts - 1 };
    assert!(wanted.contains(&refused), "{refused} of {puts} were refused by {fault:?}");
}

#[test]
fn a_put_that_is_lost_leaves_all_or_nothing() {
    check_every_put(Fault::Lost);
}

#[test]
fn a_put_whose_answer_is_lost_leaves_all_or_nothing() {
    check_every_put(Fault::Unanswered);
}

#[test]
fn a_writer_that_dies_before_any_put_leaves_all_or_nothing() {
    check_every_put(Fault::Death);
}

#[test]
fn a_store_that_goes_dark_after_any_put_leaves_all_or_nothing() {
    check_every_put(Fault::Dark);
}

#[test]
fn a_writer_that_slept_through_anothers_import_gives_nothing_up() {
    let (world, store) = (World::new(), Faulty::over(InMemory::new(), None));
    let (slow, quick) = (world.copy(&store, "slow"), world.copy(&store, "quick"));
    let (slow_file, lease) = (request(world.month(1)), Key::from("lake").join(NAME));
    let done = slow.import(
        || (),
        |lake| {
            let report = import_into(lake, &slow_file)?;
            // As if it had been taken for dead: the lease is anybody's.
            quick.place.run(store.delete(&lease)).map_err(ImportError::from)?.expect("a store in memory");
            world.import(&quick, 2)?;
            Ok::<_, ImportError>(report)
        },
    );
    let error = done.expect_err("another import has the number").to_string();
    assert!(error.contains("taken over") && error.contains(URL), "{error}");
    assert_eq!(held(&slow.open().expect("a lake")), (1, 28));
    assert_eq!(version(&world.import(&slow, 1).expect("the same import")), 2);
    assert_eq!(held(&quick.open().expect("a lake")), (2, 56));
}

#[test]
fn a_writer_whose_lease_moved_on_does_not_reach_the_last_put() {
    let (world, store) = (World::new(), Faulty::over(InMemory::new(), None));
    let one = world.copy(&store, "one");
    let (file, lease) = (request(world.month(1)), Key::from("lake").join(NAME));
    let done = one.import(
        || (),
        |lake| {
            let report = import_into(lake, &file)?;
            let other = r#"{"holder":"other","fence":7,"is_held":true,"taking":"x","renewed":0}"#;
            one.place.run(store.put(&lease, other.into())).map_err(ImportError::from)?.expect("a store in memory");
            Ok::<_, ImportError>(report)
        },
    );
    assert!(matches!(done, Err(ImportError::Lake(LakeError::Remote(RemoteError::TakenOver { .. })))));
    assert_eq!(held(&one.open().expect("a lake")), (0, 0));
    // The other never renews it, and so it is dead.
    assert_eq!(version(&world.import(&one, 1).expect("the same import")), 1);
    let found = one.place.run(one.place.get(&lease)).expect("a thread").expect("a store").expect("a lease").0;
    assert!(String::from_utf8_lossy(&found).contains(r#""fence":8,"is_held":false"#));
}

fn answer(id: &str) -> Feedback {
    Feedback {
        feedback_id: FeedbackId::parse(id).expect("an id"),
        subscription_id: SubscriptionId::parse("s1").expect("an id"),
        given_on: Day::parse("2026-12-31").expect("a day"),
        as_of: Day::parse("2026-12-30").expect("a day"),
        model_version: None,
        risk: None,
        verdict: Some(Verdict::Right),
        outcome: None,
        note: None,
        given_by: None,
    }
}

#[test]
fn answers_of_two_copies_at_once_are_both_there_and_a_known_one_is_known() {
    let (world, store) = (World::new(), Faulty::over(InMemory::new(), None));
    let (one, other) = (world.copy(&store, "one"), world.copy(&store, "other"));
    world.import(&one, 1).expect("an import");
    let beaten = one.append(Table::Feedback, |lake| {
        let receipt = lake.give_feedback(&answer("first"));
        other.open()?.give_feedback(&answer("second")).map(drop).and(receipt)
    });
    assert!(matches!(beaten, Ok(None)), "{beaten:?}");
    let lake = one.open().expect("a lake");
    assert_eq!(lake.give_feedback(&answer("first")).expect("room"), FeedbackReceipt::Recorded);
    assert!(matches!(lake.give_feedback(&answer("second")).expect("room"), FeedbackReceipt::KnownAs(_)));
    assert_eq!(lake.feedback().expect("a table").len(), 2);
    let elsewhere = other.open().expect("a lake");
    assert_eq!(elsewhere.feedback().expect("a table").len(), 2);
    let compacted = elsewhere.compact().expect("a table");
    assert_eq!((compacted[0].files_before, compacted[0].files_after), (2, 1));
    assert_eq!(held(&one.open().expect("a lake")), (1, 28));
}

#[test]
fn a_damaged_copy_mends_itself_and_a_damaged_store_is_told() {
    let (world, store) = (World::new(), Faulty::over(InMemory::new(), None));
    let one = world.copy(&store, "one");
    world.import(&one, 1).expect("an import");
    let lake = one.open().expect("a lake");
    let file = lake.newest_files(Table::UsageDaily).expect("a table").remove(0);
    let flipped = |path: &Path| {
        let mut bytes = fs::read(path).expect("a file");
        bytes[40] ^= 1;
        bytes
    };
    fs::write(&file.path, flipped(&file.path)).expect("a file");
    assert_eq!(held(&one.open().expect("a lake")), (1, 28), "fetched again");
    let key = one.place.key(&format!("usage_daily/{}", file.relative)).expect("a key");
    one.place.run(store.put(&key, flipped(&file.path).into())).expect("a thread").expect("a store");
    let refused = world.copy(&store, "other").open().expect("a lake").verify(VerifyScope::Newest, Progress::Silent).expect("a lake");
    assert!(refused.faults.iter().any(|fault| fault.what.contains("arrived damaged")), "{:?}", refused.faults);
    let entry = one.entry_key(Table::UsageDaily, 1).expect("a key");
    one.place.run(store.put(&entry, b"{\"churnRiskSealed\":true}".to_vec().into())).expect("a thread").expect("a store");
    let refused = world.copy(&store, "third").open().expect_err("a damaged log").to_string();
    assert!(refused.contains("usage_daily/_delta_log/00000000000000000001.json"), "{refused}");
}

#[test]
fn a_vacuum_deletes_from_the_store_what_no_kept_version_names() {
    let (world, store) = (World::new(), Faulty::over(InMemory::new(), None));
    let (one, other) = (world.copy(&store, "one"), world.copy(&store, "other"));
    let january = world.month(1);
    let again = |cost: u32| {
        let rows = format!("subscription_id,on,category,unit,quantity,cost\ns1,2026-01-01,Compute,hours,1,{cost}\n");
        fs::write(&january, rows).expect("a file");
        one.import(|| (), |lake| import_into(lake, &request(january.clone()))).map(|report| version(&report))
    };
    world.import(&one, 1).expect("an import");
    assert_eq!((again(5).expect("an import"), again(6).expect("an import")), (2, 3));
    held(&other.open().expect("a lake"));
    // As a writer leaves it that died before it committed.
    let (dead, given) = ("usage_daily/month=2026-01/usage-00000009-dead.parquet", "feedback/part-dead.parquet");
    for name in [dead, given] {
        one.place.run(store.put(&one.place.key(name).expect("a key"), "rows".into())).expect("a thread").expect("a store");
    }
    let files = |table| one.objects(table).expect("a store").into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let usage = || files(Table::UsageDaily).into_iter().filter(|name| !name.contains("_delta_log")).count();
    let vacuum = |dry_run| {
        let request = crate::lake::VacuumRequest { keep_days: 0, today: Day::parse("2026-12-31").expect("a day"), dry_run };
        one.open().and_then(|lake| lake.vacuum(&request, Progress::Silent)).expect("a lake")
    };
    assert_eq!(usage(), 4);
    let dry = vacuum(true);
    assert_eq!((usage(), dry.gone, dry.oldest_kept), (4, 2, Some(3)));
    assert_eq!(vacuum(false), dry);
    assert_eq!((usage(), files(Table::Feedback).len()), (1, 1), "a feedback that is being given stays");
    for copy in [&one, &other, &world.copy(&store, "new")] {
        let lake = copy.open().expect("a lake");
        assert_eq!(held(&lake), (3, 28));
        assert!(matches!(lake.snapshot(Some(2)), Err(LakeError::Vacuumed { version: 2, oldest: 3, .. })));
    }
    let twice = vacuum(false);
    assert_eq!((twice.gone, twice.folders.iter().map(|folder| folder.deleted_files).sum::<u64>()), (0, 0));
    assert_eq!(version(&world.import(&other, 2).expect("an import")), 4);
    let (empty, nothing) = (Faulty::over(InMemory::new(), None), world.dir.path().join("none"));
    let request = crate::lake::VacuumRequest { keep_days: 0, today: Day::parse("2026-12-31").expect("a day"), dry_run: false };
    let report = world.copy(&empty, &nothing.to_string_lossy()).vacuum(&request, Progress::Silent, || ()).expect("a store");
    assert_eq!(report.newest, None);
}

#[test]
fn a_store_that_holds_another_lake_gives_another_copy() {
    let (world, store) = (World::new(), Faulty::over(InMemory::new(), None));
    world.import(&world.copy(&store, "one"), 1).expect("an import");
    world.import(&world.copy(&store, "one"), 2).expect("an import");
    let anew = Faulty::over(InMemory::new(), None);
    assert!(!world.copy(&anew, "one").take_down().expect("a store"), "the lake was removed");
    world.import(&world.copy(&anew, "other"), 3).expect("an import");
    assert_eq!(held(&world.copy(&anew, "one").open().expect("a lake")), (1, 28));
    assert_eq!(version(&world.import(&world.copy(&anew, "one"), 4).expect("an import")), 2);
}

#[test]
fn checkpoints_come_down_with_their_digests() {
    let (world, store) = (World::new(), Faulty::over(InMemory::new(), None));
    let one = world.copy(&store, "one");
    for month in 1..=11 {
        assert_eq!(version(&world.import(&one, month).expect("an import")), u64::from(month));
    }
    let other = world.copy(&store, "other");
    assert_eq!(held(&other.open().expect("a lake")), (11, 308));
    let log = other.log_dir(Table::Imports);
    for name in ["00000000000000000009.checkpoint.parquet", ".00000000000000000009.checkpoint.parquet.sha256", "_last_checkpoint"] {
        assert!(log.join(name).is_file(), "{name}");
    }
    let left = fs::read_dir(one.arrivals()).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing is left of what was on its way");
}

#[test]
fn a_file_of_several_parts_goes_up_and_comes_down() {
    let (world, store) = (World::new(), Faulty::over(InMemory::new(), None));
    let one = world.copy(&store, "one");
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (path, down) = (world.dir.path().join("large"), world.dir.path().join("down").join("large"));
    fs::write(&path, &bytes).expect("a file");
    let key = one.place.key("large").expect("a key");
    let file = fs::File::open(&path).expect("a file");
    one.place.run(one.put_parts(&key, file, &path)).expect("a thread").expect("a file").expect("a store");
    one.place.run(arrive(&one.place, &key, &one.arrivals(), &down)).expect("a thread").expect("a store");
    assert!(fs::read(&down).expect("a file") == bytes);
}
