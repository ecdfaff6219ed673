//! Units as the sources write them, folded to one name: `10,000s`, `1 GB/Hr` and `100 Hours` are
//! blocks of 10,000 `Transactions`, 1 `GB/Hour` and 100 `Hours`.
//!
//! The names agree with the pricing units of the `FinOps` toolkit, whose table the test below reads.
//! They are rules here, since every service brings new blocks of old units. A new noun is one
//! line of [`NAMES`], a text that no rule fits one line of [`WHOLE`].
//!
//! Absent on purpose: conversions. A `GiB` is no `GB`, and the unit in which the vendor counts is
//! the one that is kept. Nor is anything refused: a unit that nobody knows is a unit by itself.

use std::borrow::Cow;

/// What a quantity counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit<'a> {
    pub(super) name: Cow<'a, str>,
    /// How many of them one of the quantity is; never 0.
    pub(super) block: u64,
}

/// The largest block. The largest that is sold is a tenth of it; what is above it is no block size
/// but something else, and stays text.
const BLOCK_MAX: u64 = 1_000_000_000_000;

/// The smallest block that may be written as `1,000s`: `10s` would as well be ten seconds.
const PLURAL_BLOCK_MIN: u64 = 1_000;

/// Texts that no rule fits, in lower case, with block and name. Where a rule fits, this table wins.
const WHOLE: [(&str, u64, &str); 2] = [("1 1 hour", 1, "Hours"), ("10000 1,000s", 10_000, "Transactions in Thousands")];

/// Names, each with its other spellings in lower case.
const NAMES: [(&str, &[&str]); 83] = [
    (
        "Units",
        &[
            "unit",
            "database unit",
            "database units",
            "database units (du)",
            "messaging unit",
            "operation units",
            "reserved unit",
            "reserved units",
            "unassigned",
        ],
    ),
    ("B", &[]),
    ("KB", &[]),
    ("MB", &[]),
    ("GB", &[]),
    ("TB", &[]),
    ("PB", &[]),
    ("KiB", &[]),
    ("MiB", &[]),
    ("GiB", &[]),
    ("TiB", &[]),
    ("PiB", &[]),
    ("IOPS", &[]),
    ("Mbps", &[]),
    ("Million", &[]),
    ("APIs", &["api"]),
    ("Actions", &["action"]),
    ("Activities", &["activity"]),
    ("Agents", &["agent"]),
    ("Apps", &["app"]),
    ("Authentications", &["authentication"]),
    ("Calls", &["call"]),
    ("Certificates", &["certificate"]),
    ("Characters", &["character"]),
    ("Checks", &["check"]),
    ("Configurations", &["configuration", "concurrent dvc"]),
    ("Connections", &["connection"]),
    ("Cores", &["core"]),
    ("Count", &[]),
    ("Cubic Meters", &["cubic meter"]),
    ("Data Points", &["data point"]),
    ("Devices", &["device"]),
    ("Documents", &["document"]),
    ("Domains", &["domain"]),
    ("Endpoints", &["endpoint", "service endpoint", "service endpoints"]),
    ("Events", &["event"]),
    ("Executions", &["execution"]),
    ("Faces", &["face"]),
    ("Files", &["file"]),
    ("Gateways", &["gateway"]),
    ("Images", &["image"]),
    ("Instances", &["instance"]),
    ("Keys", &["key", "key use"]),
    ("Licenses", &["license"]),
    ("Maps", &["map"]),
    ("Messages", &["message", "text"]),
    ("Models", &["model"]),
    ("Nodes", &["node"]),
    ("Operations", &["operation"]),
    ("Packs", &["pack"]),
    ("Pages", &["page"]),
    ("Pipelines", &["pipeline"]),
    ("Plans", &["plan"]),
    ("Policies", &["policy"]),
    ("Predictions", &["prediction"]),
    ("Pushes", &["push"]),
    ("Queries", &["query"]),
    ("Queues", &["queue"]),
    ("Records", &["record"]),
    ("Renders", &["render"]),
    ("Requests", &["request", "api call", "api calls", "print job", "privacy subject rights request"]),
    ("Resources", &["resource"]),
    ("Rotations", &["rotation"]),
    ("Routers", &["router", "border router", "border routers"]),
    ("Rules", &["rule"]),
    ("Runs", &["run", "activity run", "activity runs"]),
    ("Seats", &["seat"]),
    ("Servers", &["server"]),
    ("Sites", &["site"]),
    ("Subscriptions", &["subscription"]),
    ("Tables", &["table"]),
    ("Tests", &["test"]),
    ("Tokens", &["token"]),
    ("Transactions", &["transaction"]),
    ("Transactions in Thousands", &[]),
    ("Tunnels", &["tunnel"]),
    ("Users", &["user", "named user", "named users"]),
    ("Users/Month", &["mau", "maus"]),
    ("Virtual Machines", &["virtual machine", "vm", "vms"]),
    ("Volumes", &["volume"]),
    ("Watches", &["watch"]),
    ("Websites", &["website"]),
    ("Zones", &["zone", "hosted zone", "hosted zones"]),
];

/// Spans of time: in a rate, by themselves, and their other spellings in lower case. What stands
/// before the hours in some of them says what runs, not what is counted.
const PERIODS: [(&str, &str, &[&str]); 6] = [
    ("Second", "Seconds", &["sec", "secs"]),
    ("Minute", "Minutes", &["min", "mins", "callingminutes", "virtual user minutes"]),
    (
        "Hour",
        "Hours",
        &["hr", "hrs", "hora", "小时", "content hours", "core hours", "core hrs", "instance hours", "relay hours", "relay hrs"],
    ),
    ("Day", "Days", &[]),
    ("Month", "Months", &["mes", "por mes", "月"]),
    ("Year", "Years", &[]),
];

/// What is held or kept running for a time: `GB Hours`. `FOCUS` writes `GB-Hours`, which stays.
const HELD: [&str; 14] = ["B", "KB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "PiB", "DB", "DBU", "Unit"];

/// Words for a rate: `1 Daily Unit` is one of `Units/Day`.
const RATES: [(&str, &str); 4] = [("hourly", "Hour"), ("daily", "Day"), ("monthly", "Month"), ("annual", "Year")];

/// The distinct unit of a text, and how many of it the text is: a quantity times the block counts
/// distinct units. A text that fits no rule is a unit by itself, in blocks of 1.
///
/// Folding the name of any answer again gives that name, in blocks of 1.
pub(super) fn fold(text: &str) -> Unit<'_> {
    known(text).map_or(Unit { name: Cow::Borrowed(text.trim()), block: 1 }, |(name, block)| Unit { name: Cow::Owned(name), block })
}

fn known(text: &str) -> Option<(String, u64)> {
    // Some price sheets have no-break spaces.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    if let Some((_, block, name)) = WHOLE.iter().find(|(whole, ..)| *whole == text) {
        return Some(((*name).to_owned(), *block));
    }
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return name_of(&text).map(|name| (name, 1));
    }
    let (block, rest) = block_of(&text)?;
    let name = match rest {
        "" => "Units".to_owned(),
        // `10,000s` of whatever the service does: calls, messages, operations.
        "s" if block >= PLURAL_BLOCK_MIN && block.to_string().trim_end_matches('0') == "1" => "Transactions".to_owned(),
        rest => name_of(rest.trim_start())?,
    };
    Some((name, block))
}

/// The block size before a name, and the name: `10K/Hour` is 10,000 and `/Hour`.
fn block_of(text: &str) -> Option<(u64, &str)> {
    let (digits, rest) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit() && letter != ',').unwrap_or(text.len()));
    let mut groups = digits.split(',');
    let first = groups.next()?;
    if digits.contains(',') && (first.len() > 3 || groups.any(|group| group.len() != 3)) {
        return None;
    }
    let number: u64 = digits.replace(',', "").parse().ok()?;
    let (scale, after) = match rest.as_bytes() {
        [b'k', ..] => (1_000, &rest[1..]),
        [b'm', ..] => (1_000_000, &rest[1..]),
        [b'b', ..] => (1_000_000_000, &rest[1..]),
        _ => (1, rest),
    };
    // In `128mb` the letter is the unit's own.
    let (scale, rest) = if after.is_empty() || after.starts_with([' ', '/']) { (scale, after) } else { (1, rest) };
    let block = number.checked_mul(scale)?;
    (1..=BLOCK_MAX).contains(&block).then_some((block, rest))
}

/// The distinct name of a text in lower case without a block size.
fn name_of(text: &str) -> Option<String> {
    if let Some(name) = noun(text).or_else(|| period(text).map(|(_, plural)| plural)) {
        return Some(name.to_owned());
    }
    if let Some((what, time)) = text.split_once('/') {
        let what = if what.trim().is_empty() { "Units" } else { noun(what.trim())? };
        return Some(format!("{what}/{}", time_of(time.trim())?));
    }
    if let Some(one) = text.strip_suffix("(s)").or_else(|| text.strip_prefix("per ")) {
        return noun(one).or_else(|| period(one).map(|(_, plural)| plural)).map(str::to_owned);
    }
    let (first, rest) = text.split_once(' ')?;
    if let Some((_, time)) = RATES.iter().find(|(word, _)| *word == first) {
        return noun(rest).filter(|name| !name.contains('/')).map(|name| format!("{name}/{time}"));
    }
    let held = HELD.iter().find(|held| held.eq_ignore_ascii_case(first))?;
    period(rest).map(|(_, plural)| format!("{held} {plural}"))
}

fn noun(text: &str) -> Option<&'static str> {
    NAMES.iter().find(|(name, others)| name.eq_ignore_ascii_case(text) || others.contains(&text)).map(|(name, _)| *name)
}

/// A span of time, as in a rate and by itself.
fn period(text: &str) -> Option<(&'static str, &'static str)> {
    let is = |(one, many, others): &&(&str, &str, &[&str])| {
        one.eq_ignore_ascii_case(text) || many.eq_ignore_ascii_case(text) || others.contains(&text)
    };
    PERIODS.iter().find(is).map(|(one, many, _)| (*one, *many))
}

/// What stands below the line of a rate: `Month`, `10 Days`.
fn time_of(text: &str) -> Option<String> {
    let Some((count, rest)) = text.split_once(' ').filter(|(count, _)| count.bytes().all(|byte| byte.is_ascii_digit())) else {
        return period(text).map(|(one, _)| one.to_owned());
    };
    let count: u64 = count.parse().ok().filter(|count| (1..=BLOCK_MAX).contains(count))?;
    let (one, many) = period(rest)?;
    Some(if count == 1 { one.to_owned() } else { format!("{count} {many}") })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, block: u64, name: &str) {
        assert_eq!(fold(text), Unit { name: name.into(), block }, "{text:?}");
    }

    #[test]
    fn every_way_to_write_a_block_is_read() {
        for (text, block, name) in [
            ("10,000s", 10_000, "Transactions"),
            ("10000s", 10_000, "Transactions"),
            ("10K", 10_000, "Units"),
            ("1M", 1_000_000, "Units"),
            ("1B", 1_000_000_000, "Units"),
            ("1 B", 1, "B"),
            ("1 Hour", 1, "Hours"),
            ("100 Hours", 100, "Hours"),
            ("100\u{a0}Hours ", 100, "Hours"),
            ("1 GB/Hr", 1, "GB/Hour"),
            ("1/Month", 1, "Units/Month"),
            ("10 /Day", 10, "Units/Day"),
            ("10K/Hour", 10_000, "Units/Hour"),
            ("10K Transactions", 10_000, "Transactions"),
            ("1,000,000 Transactions", 1_000_000, "Transactions"),
            ("1/10 Days", 1, "Units/10 Days"),
            ("128MB", 128, "MB"),
            ("1M Tokens", 1_000_000, "Tokens"),
            ("GB", 1, "GB"),
            ("Gb / Month", 1, "GB/Month"),
            ("Hours", 1, "Hours"),
            ("Minute(s)", 1, "Minutes"),
            ("Per Call", 1, "Calls"),
        ] {
            check(text, block, name);
        }
    }

    #[test]
    fn a_text_that_nobody_knows_stays_as_it_is() {
        for text in [
            "",
            "GB-Months",
            "vCPU-Hours",
            "GB-Seconds",
            "Lambda-GB-Second",
            "99999999999999999999 Hours",
            "1000000000001 Hours",
            "0 Hours",
            "0",
            "1,00 GB",
            "1.5 GB",
            "1e3 Hours",
            "-1 Hour",
            "10s",
            "3 Year Term",
            "7 dwarfs",
            "1/fortnight",
            "Units/0 Days",
            "5 5 Hours",
            "İ",
            "\0",
            "per per Call",
        ] {
            check(text, 1, text);
        }
        check("  vCPU-Hours\t", 1, "vCPU-Hours");
    }

    /// Rows of the table that are folded otherwise, and why.
    const OTHERWISE: [(&str, u64, &str, &str); 3] = [
        ("10000s", 10_000, "Transactions", "the table has it in blocks of 1, and every other number before a unit for a block"),
        ("1 Rotation", 1, "Rotations", "`10 Rotations` are counted in the same unit"),
        ("MB/month", 1, "MB/Month", "`1 MB/Month` is counted in the same unit"),
    ];

    #[test]
    fn the_pricing_units_of_the_finops_toolkit_agree() {
        let shared =
            std::env::var_os("CHURN_RISK_SHARED").map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into(), PathBuf::from);
        let table = shared.join("data/azure_open_data/PricingUnits.csv");
        let Ok(mut rows) = csv::Reader::from_path(&table) else {
            eprintln!("PASSED OVER: there is no {}, so no pricing unit was compared", table.display());
            return;
        };
        let mut otherwise: BTreeMap<&str, (u64, &str)> = OTHERWISE.iter().map(|(text, block, name, _)| (*text, (*block, *name))).collect();
        let mut differing = Vec::new();
        let mut compared = 0;
        for row in rows.records() {
            let row = row.expect("a row");
            let told = (row[2].parse::<u64>().expect("a block size"), row[3].to_owned());
            let folded = fold(&row[0]);
            let ours = (folded.block, folded.name.into_owned());
            let expected = otherwise.remove(&row[0]).map_or_else(|| told.clone(), |(block, name)| (block, name.to_owned()));
            if ours != expected {
                differing.push(format!("{:?}: {expected:?}, folded to {ours:?}", &row[0]));
            }
            compared += 1;
        }
        assert!(differing.is_empty(), "{}", differing.join("\n"));
        assert!(compared > 300 && otherwise.is_empty(), "{compared} rows, not in the table: {otherwise:?}");
    }

    #[test]
    fn every_name_that_a_rule_can_give_is_folded_to_itself() {
        let nouns: Vec<String> = NAMES.iter().map(|(name, _)| (*name).to_owned()).collect();
        let periods = PERIODS.iter().map(|(_, many, _)| (*many).to_owned());
        let held = HELD.iter().flat_map(|held| PERIODS.iter().map(move |(_, many, _)| format!("{held} {many}")));
        let countable = nouns.iter().filter(|name| !name.contains('/'));
        let rates: Vec<String> = countable.flat_map(|name| PERIODS.iter().map(move |(one, ..)| format!("{name}/{one}"))).collect();
        for name in nouns.iter().cloned().chain(periods).chain(held).chain(rates) {
            check(&name, 1, &name);
            check(&format!("10K {name}"), 10_000, &name);
        }
    }

    #[test]
    fn no_spelling_has_two_meanings() {
        let mut seen = std::collections::BTreeSet::new();
        let nouns = NAMES.iter().flat_map(|(name, others)| others.iter().map(|other| (*other).to_owned()).chain([name.to_lowercase()]));
        let periods = PERIODS.iter().flat_map(|(one, many, others)| {
            others.iter().map(|other| (*other).to_owned()).chain([one.to_lowercase(), many.to_lowercase()])
        });
        for spelling in nouns.chain(periods) {
            assert_eq!(spelling, spelling.to_lowercase(), "spellings are in lower case");
            assert!(seen.insert(spelling.clone()), "{spelling} stands twice");
        }
    }

    /// Texts that are nearly units.
    fn nearly() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just(" ".to_owned()),
            Just("/".to_owned()),
            Just("Daily ".to_owned()),
            Just("per ".to_owned()),
            Just("(s)".to_owned()),
            Just("s".to_owned()),
            Just("K".to_owned()),
            "[0-9]{1,13}",
            "[0-9]{1,3}(,[0-9]{3}){1,4}",
            prop::sample::select(NAMES.to_vec()).prop_map(|(name, _)| name.to_owned()),
            prop::sample::select(PERIODS.to_vec()).prop_map(|(one, ..)| one.to_owned()),
            prop::sample::select(PERIODS.to_vec()).prop_map(|(_, many, _)| many.to_owned()),
            prop::sample::select(HELD.to_vec()).prop_map(str::to_owned),
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(part, 0..7).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn a_folded_name_is_folded_to_itself(text in prop_oneof![nearly(), any::<String>()]) {
            let once = fold(&text);
            prop_assert!(once.block >= 1 && once.block <= BLOCK_MAX);
            let name = once.name.into_owned();
            prop_assert_eq!(fold(&name), Unit { name: name.as_str().into(), block: 1 });
        }

        #[test]
        fn case_and_blanks_around_change_nothing_of_what_is_known(text in nearly()) {
            if let Some(known) = known(&text) {
                prop_assert_eq!(super::known(&format!(" {}\t", text.to_uppercase())), Some(known));
            }
        }
    }
}
