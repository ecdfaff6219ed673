//! The cache beside the lake is used when it is whole and of the version, and costs nothing but
//! time when it is not.

use std::fs;
use std::path::PathBuf;

use churn_risk::domain::Day;
use churn_risk::portfolio::{LoadError, Portfolio, load};
use churn_risk::simulate::{Plan, write_csv};

use crate::support::lakes::{Desk, sentence};

const SETTLE_DAYS: u32 = 3;

/// Bytes before the first customer: magic, format, version, settle days, fingerprint, three
/// lengths, a flag.
const HEADER_BYTES: usize = 8 + 4 + 8 + 4 + 32 + 3 * 8 + 1;

/// A lake of a small made-up partner.
fn lake() -> Desk {
    let desk = Desk::new();
    let until = Day::parse("2026-06-20").expect("a day");
    let plan = Plan::new(25, 90, 11, until).expect("in bounds");
    write_csv(plan, &desk.path("in"), |_| ()).expect("a folder");
    desk.accept(&[desk.path("in")]);
    desk
}

fn cache(desk: &Desk) -> PathBuf {
    desk.lake().join("_cache").join("portfolio.bin")
}

#[track_caller]
fn loaded(desk: &Desk) -> Portfolio {
    load(&desk.lake(), SETTLE_DAYS).unwrap_or_else(|error| panic!("{}", sentence(&error)))
}

/// Takes the usage files away, so that only a cache can answer.
fn hide_usage(desk: &Desk) {
    for (name, _) in desk.usage_files() {
        fs::remove_file(desk.lake().join("usage_daily").join(name)).expect("a file");
    }
}

#[test]
fn the_portfolio_of_the_cache_is_the_portfolio_of_the_tables() {
    let desk = lake();
    let from_tables = loaded(&desk);
    assert!(from_tables.usage_rows() > 500, "{} rows", from_tables.usage_rows());
    hide_usage(&desk);
    assert_eq!(loaded(&desk), from_tables, "the cache of this version is used");
    assert_eq!((from_tables.version(), from_tables.settle_days()), (1, SETTLE_DAYS));
}

#[test]
fn an_empty_lake_is_an_empty_portfolio_and_leaves_no_cache() {
    let desk = Desk::new();
    let portfolio = loaded(&desk);
    assert_eq!((portfolio.version(), portfolio.subscriptions().len(), portfolio.as_of()), (0, 0, None));
    assert!(!desk.lake().exists(), "reading makes nothing");
}

#[test]
fn a_cache_of_other_settle_days_is_not_used() {
    let desk = lake();
    let three = loaded(&desk);
    let one = load(&desk.lake(), 1).expect("a portfolio");
    assert_eq!(one.settle_days(), 1);
    assert_ne!(one.as_of(), three.as_of());
    hide_usage(&desk);
    assert!(matches!(load(&desk.lake(), SETTLE_DAYS), Err(LoadError::Lake(_))), "the last to load left its own cache");
    assert_eq!(load(&desk.lake(), 1).expect("from the cache"), one);
}

#[test]
fn a_cache_of_another_version_is_not_used() {
    let desk = lake();
    let first = loaded(&desk);
    let old = fs::read(cache(&desk)).expect("a cache");
    desk.accept(&[desk.usage("more.csv", "someone-new,2026-06-01,Storage,1 GB,1,\n")]);
    let second = loaded(&desk);
    assert_eq!((second.version(), second.usage_rows()), (2, first.usage_rows() + 1));
    fs::write(cache(&desk), old).expect("a file");
    assert_eq!(loaded(&desk), second, "the old cache came back");
    hide_usage(&desk);
    assert_eq!(loaded(&desk), second, "and was replaced");
}

#[test]
fn a_cache_of_another_lake_at_the_same_version_is_not_used() {
    let (desk, other) = (lake(), lake());
    let portfolio = loaded(&desk);
    // The same files in a lake of its own: the same rows, and yet not the same tables.
    loaded(&other);
    fs::copy(cache(&other), cache(&desk)).expect("a file");
    hide_usage(&desk);
    assert!(matches!(load(&desk.lake(), SETTLE_DAYS), Err(LoadError::Lake(_))));
    // A lake that was made anew counts from version 1 again.
    let again = Desk::new();
    again.accept(&[again.usage("a.csv", "s1,2026-06-01,Storage,1 GB,1,\n")]);
    fs::create_dir_all(again.lake().join("_cache")).expect("a folder");
    fs::copy(cache(&other), cache(&again)).expect("a file");
    assert_eq!((loaded(&again).subscriptions().len(), portfolio.subscriptions().len()), (1, 25));
}

#[test]
fn a_copy_of_a_lake_may_use_the_cache_that_was_copied_with_it() {
    let desk = lake();
    let portfolio = loaded(&desk);
    let copy = Desk::new();
    crate::support::lakes::copy_folder(&desk.lake(), &copy.lake());
    hide_usage(&copy);
    assert_eq!(loaded(&copy), portfolio);
}

#[test]
fn several_that_load_and_write_the_cache_at_once_all_get_their_own_portfolio() {
    let desk = lake();
    let wanted: Vec<Portfolio> = (0..3).map(|settle_days| load(&desk.lake(), settle_days).expect("a portfolio")).collect();
    std::thread::scope(|scope| {
        for (settle_days, wanted) in (0..3).zip(&wanted) {
            let desk = &desk;
            scope.spawn(move || {
                for _ in 0..15 {
                    assert!(load(&desk.lake(), settle_days).expect("a portfolio") == *wanted);
                }
            });
        }
    });
    // Whoever wrote last has left a whole cache.
    hide_usage(&desk);
    let whole = (0..3).filter(|settle_days| load(&desk.lake(), *settle_days).is_ok()).count();
    assert_eq!(whole, 1);
    let left: Vec<_> =
        fs::read_dir(desk.lake().join("_cache")).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_cache_that_somebody_else_is_writing_is_left_alone() {
    let desk = lake();
    let portfolio = loaded(&desk);
    let whole = fs::read(cache(&desk)).expect("a cache");
    let lock = fs::OpenOptions::new().write(true).open(cache(&desk).with_extension("lock")).expect("the lock");
    lock.lock().expect("taken");
    fs::write(cache(&desk).with_extension("tmp"), "what the other has written so far").expect("a file");
    assert_eq!(load(&desk.lake(), 1).expect("a portfolio").settle_days(), 1);
    assert!(fs::read(cache(&desk)).expect("a cache") == whole);
    assert_eq!(loaded(&desk), portfolio);
}

/// Damages the cache with each of `damages`; the portfolio and the cache come back every time.
fn check(damages: impl Fn(usize) -> Vec<Vec<u8>>) {
    let desk = lake();
    let portfolio = loaded(&desk);
    let path = cache(&desk);
    let whole = fs::read(&path).expect("a cache");
    for (number, torn) in damages(whole.len()).into_iter().enumerate() {
        fs::write(&path, &torn).expect("a file");
        assert!(loaded(&desk) == portfolio, "damage {number}");
        assert!(fs::read(&path).expect("a cache") == whole, "damage {number}: the cache is whole again");
    }
}

#[test]
fn a_cache_that_was_cut_anywhere_is_built_anew() {
    let desk = lake();
    loaded(&desk);
    let whole = fs::read(cache(&desk)).expect("a cache");
    check(|bytes| {
        let cuts = [
            0,
            1,
            7,
            8,
            12,
            20,
            24,
            56,
            HEADER_BYTES - 1,
            HEADER_BYTES,
            HEADER_BYTES + 1,
            bytes / 3,
            bytes / 2,
            bytes - 33,
            bytes - 32,
            bytes - 1,
        ];
        cuts.into_iter().map(|cut| whole[..cut].to_vec()).chain([[&whole[..], b"x"].concat()]).collect()
    });
}

#[test]
fn a_cache_with_a_flipped_bit_is_built_anew() {
    let desk = lake();
    loaded(&desk);
    let whole = fs::read(cache(&desk)).expect("a cache");
    check(|bytes| {
        // Each byte of the header, then some 30 places on the way to the end.
        let places = (0..HEADER_BYTES).chain((HEADER_BYTES..bytes).step_by(bytes / 30)).chain([bytes - 1]);
        let flipped = |(number, place): (usize, usize)| {
            let mut torn = whole.clone();
            torn[place] ^= 1 << (number % 8);
            torn
        };
        places.enumerate().map(flipped).collect()
    });
}

#[test]
fn a_cache_that_cannot_be_written_only_costs_time() {
    let desk = lake();
    fs::write(desk.lake().join("_cache"), "a file where the folder should be").expect("a file");
    assert_eq!(loaded(&desk), loaded(&desk));
}
