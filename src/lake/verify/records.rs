//! What must be true of the rows of `imports` among each other.

use std::collections::BTreeMap;

use crate::lake::imports::ImportRecord;

/// Every breach, a sentence each. The rows ascend by number.
pub(super) fn breaches(records: &[ImportRecord]) -> Vec<String> {
    let mut found = Vec::new();
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    let mut currency = None;
    for (number, record) in (1_u64..).zip(records) {
        let id = record.import_id;
        if id != number {
            found.push(format!("the {number}. import has the number {id}"));
        }
        let (read, kept, refused, aside) = (record.rows_read, record.rows_kept, record.rows_refused, record.rows_set_aside);
        if kept.checked_add(refused).and_then(|sum| sum.checked_add(aside)) != Some(read) {
            found.push(format!("import {id} has read {read} rows, and kept {kept}, refused {refused} and set aside {aside} of them"));
        }
        if record.first_day > record.last_day {
            found.push(format!("the first day of import {id} comes after its last"));
        }
        for (table, before) in &versions {
            match record.table_versions.get(*table) {
                None => found.push(format!("import {id} names no version of {table}, and the one before it does")),
                Some(now) if now < before => found.push(format!("import {id} names version {now} of {table}, after version {before}")),
                Some(_) => {}
            }
        }
        versions.extend(record.table_versions.iter().map(|(table, version)| (table.as_str(), *version)));
        if currency.is_some() && record.currency != currency {
            found.push(format!("import {id} tells another currency than the one before it"));
        }
        currency = record.currency.clone().or(currency);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Currency, Day};

    fn record(import_id: u64, usage: u64) -> ImportRecord {
        let table_versions = BTreeMap::from([("usage_daily".to_owned(), usage)]);
        ImportRecord {
            rows_read: 3,
            rows_kept: 2,
            rows_refused: 1,
            table_versions,
            ..ImportRecord::of_test(import_id, Day::from_epoch_days(20_000))
        }
    }

    #[test]
    fn sound_rows_have_no_breach_and_each_breach_is_told() {
        let sound = [record(1, 1), record(2, 1), ImportRecord { currency: Currency::parse("EUR").ok(), ..record(3, 4) }];
        assert_eq!(breaches(&sound), Vec::<String>::new());
        let told = |records: &[ImportRecord]| breaches(records).join("; ");
        assert_eq!(told(&[record(1, 1), record(3, 1)]), "the 2. import has the number 3");
        assert_eq!(told(&[record(1, 3), record(2, 2)]), "import 2 names version 2 of usage_daily, after version 3");
        let without = ImportRecord { table_versions: BTreeMap::new(), ..record(2, 1) };
        assert_eq!(told(&[record(1, 1), without]), "import 2 names no version of usage_daily, and the one before it does");
        assert_eq!(
            told(&[ImportRecord { rows_read: 4, ..record(1, 1) }]),
            "import 1 has read 4 rows, and kept 2, refused 1 and set aside 0 of them"
        );
        let (first, last) = (Some(Day::from_epoch_days(2)), Some(Day::from_epoch_days(1)));
        assert_eq!(
            told(&[ImportRecord { first_day: first, last_day: last, ..record(1, 1) }]),
            "the first day of import 1 comes after its last"
        );
        assert_eq!(breaches(&[ImportRecord { rows_read: 4, rows_set_aside: 1, ..record(1, 1) }]), Vec::<String>::new());
        let [_, _, euros] = sound;
        assert_eq!(told(&[ImportRecord { import_id: 1, ..euros }, record(2, 4)]), "import 2 tells another currency than the one before it");
    }
}
