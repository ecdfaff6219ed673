//! Files that are broken, or made to do harm, are refused in a sentence, and nothing of them is
//! committed.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use churn_risk::lake::{ImportReport, ParquetReader, PlainColumn, import, write_parquet};

use crate::support::lakes::{Desk, gzip, rejects, sentence, version};

const HEADER: &str =
    "SubAccountId,ChargePeriodStart,ChargeCategory,ServiceName,ConsumedQuantity,ConsumedUnit,EffectiveCost,BillingCurrency\n";
const ROW: &str = "s1,2026-05-01T00:00:00Z,Usage,VM,1,Hours,2,USD\n";

/// A file that is refused, and what the sentence says.
#[track_caller]
fn refused(name: &str, bytes: &[u8], words: &[&str]) {
    let desk = Desk::new();
    let path = desk.file(name, bytes);
    let said = desk.refuse(&[path]);
    for word in words.iter().chain(&[name]) {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
    assert!(said.len() < 4000, "{} bytes of sentence", said.len());
    assert_eq!(version(&desk.lake()), 0, "something was committed");
    assert!(!desk.lake().join("_staging").exists());
}

#[track_caller]
fn accepted(name: &str, bytes: &[u8]) -> (Desk, ImportReport) {
    let desk = Desk::new();
    let path = desk.file(name, bytes);
    let report = desk.accept(&[path]);
    (desk, report)
}

#[test]
fn delimited_text_that_is_torn_or_odd_is_refused_or_read_and_told() {
    refused("open.csv", format!("{HEADER}{ROW}\"s2,2026-05-01\n{ROW}").as_bytes(), &["line 3", "quote"]);
    refused("nul.csv", b"a,b\0,c\n1,2,3\n", &["no text"]);
    refused("empty.csv", b"", &["empty"]);
    let columns: String = (0..1_000_000).fold(String::new(), |mut text, column| {
        let _ = write!(text, "column{column},");
        text
    });
    refused("wide.csv", format!("{columns}\n").as_bytes(), &["line 1", "2 MiB"]);
    refused("many.csv", format!("{}\n", &columns[..1 << 20]).as_bytes(), &["fits no source", "more)"]);
    // A BOM and line ends of both kinds are normal.
    let (desk, _) = accepted("mixed.csv", format!("\u{feff}{}{ROW}", HEADER.replace('\n', "\r\n")).as_bytes());
    assert_eq!(desk.rows().usage.len(), 1);
}

#[test]
fn rows_with_bytes_that_are_no_text_are_refused_one_by_one() {
    let row = |id: &[u8], service: &[u8]| [id, b",2026-05-01,Usage,", service, b",1,Hours,2,USD\n"].concat();
    let bytes = [HEADER.as_bytes(), ROW.as_bytes(), &row(b"s\xff2", b"VM"), &row(b"s3", b"V\xc3("), &row(b"s\x004", b"VM")].concat();
    let (_desk, report) = accepted("bytes.csv", &bytes);
    let refused: Vec<(u64, String)> = rejects(&report).into_iter().map(|reject| (reject.line, reject.column)).collect();
    let column = |name: &str| name.to_owned();
    assert_eq!(refused, [(3, column("SubAccountId")), (4, column("ServiceName")), (5, column("SubAccountId"))]);
}

#[test]
fn amounts_beyond_bounds_are_refused_row_by_row() {
    let row = |quantity: &str, cost: &str| format!("s1,2026-05-01,Usage,VM,{quantity},Hours,{cost},USD\n");
    let rows = [row("1e999", "1"), row("1", "-1e999"), row("NaN", "1"), row("1", "9000000000001")].concat();
    let (_desk, report) = accepted("bounds.csv", format!("{HEADER}{ROW}{rows}").as_bytes());
    assert_eq!(rejects(&report).len(), 4);
    // A block of ten thousand takes the largest amount past it.
    let blocks = "s1,2026-05-01,Usage,VM,9000000000000,10K,1,USD\n";
    let (_desk, report) = accepted("blocks.csv", format!("{HEADER}{ROW}{blocks}").as_bytes());
    assert!(rejects(&report)[0].reason.contains("9,000,000,000,000"), "{:?}", rejects(&report));
}

#[test]
fn json_that_is_torn_deep_or_repeats_itself_is_refused() {
    let row =
        r#"{"customerTenantId":"c","subscriptionId":"s","usageDate":"2026-05-01","meterCategory":"VM","meterUnit":"Hours","quantity":1}"#;
    refused("torn.json", format!("[{row},\n{}", &row[..40]).as_bytes(), &["line 2", "EOF"]);
    refused("comma.json", format!("[{row},]").as_bytes(), &["line 1"]);
    refused("deep.json", "[".repeat(1_000_000).as_bytes(), &["deep.json"]);
    refused("nested.json", format!("[{row},{{\"a\":{}", "[".repeat(1_000_000)).as_bytes(), &["nested.json"]);
    refused(
        "wide.json",
        format!("[{{{}}}]", (0..9000).map(|key| format!("\"k{key}\":1")).collect::<Vec<_>>().join(",")).as_bytes(),
        &["keys"],
    );
    refused("long.json", format!("[{row},{{\"a\":\"{}\"}}]", "x".repeat(3 << 20)).as_bytes(), &["2 MiB"]);
    refused("other.json", br#"{"a":1}"#, &["fits no source"]);
    // A key twice, and what is no object, are refused as rows.
    let twice = row.replace("\"quantity\":1", "\"quantity\":1,\"Quantity\":2");
    let (desk, report) = accepted("twice.json", format!("[{row},\n{twice},\n7,\n[{row}]\n]").as_bytes());
    let lines: Vec<u64> = rejects(&report).iter().map(|reject| reject.line).collect();
    assert_eq!((lines, desk.rows().usage.len()), (vec![2, 3, 4], 1));
    assert!(rejects(&report)[0].reason.contains("`Quantity` stands twice"), "{:?}", rejects(&report));
}

#[test]
fn a_packed_file_that_was_cut_is_refused() {
    let whole = gzip(format!("{HEADER}{}", ROW.repeat(50_000)).as_bytes());
    refused("cut.csv.gz", &whole[..whole.len() - 9], &["cut.csv.gz"]);
    refused("cut-early.csv.gz", &whole[..whole.len() / 2], &["cut-early.csv.gz"]);
    let mut zstd = zstd::encode_all(format!("{HEADER}{}", ROW.repeat(50_000)).as_bytes(), 1).expect("zstd");
    zstd.truncate(zstd.len() / 2);
    refused("cut.csv.zst", &zstd, &["cut.csv.zst"]);
}

/// A Parquet file whose footer is the given bytes of Thrift.
fn parquet(footer: &[u8]) -> Vec<u8> {
    let mut bytes = b"PAR1".to_vec();
    bytes.extend_from_slice(footer);
    bytes.extend_from_slice(&u32::try_from(footer.len()).expect("a length").to_le_bytes());
    bytes.extend_from_slice(b"PAR1");
    bytes
}

fn through_the_child(desk: &Desk, path: PathBuf) -> Result<ImportReport, String> {
    let mut request = desk.request(&[path]);
    let program = PathBuf::from(env!("CARGO_BIN_EXE_churn-risk"));
    request.reading.parquet_reader = Some(ParquetReader { program, memory_bytes: 256 << 20 });
    import(&request).map_err(|error| sentence(&error))
}

#[test]
fn a_parquet_footer_that_asks_for_gigabytes_or_is_none_is_a_sentence() {
    // Compact Thrift: field 1 (i32) version, field 2 a list of structs whose length claims two
    // thousand million elements.
    let greedy = [0x15, 0x02, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07];
    // Field 5, key-value metadata, with a string that claims two gigabytes.
    let long = [0x15, 0x02, 0x19, 0x0c, 0x16, 0x00, 0x19, 0x0c, 0x19, 0x1c, 0x18, 0xff, 0xff, 0xff, 0xff, 0x07, b'x'];
    for footer in [&greedy[..], &long[..], b"nonsense", &[]] {
        let desk = Desk::new();
        let path = desk.file("usage.parquet", parquet(footer));
        let said = through_the_child(&desk, path).expect_err("a footer that is none");
        let reason = said.split_once("cannot be read: ").map_or("", |(_, reason)| reason);
        assert!(said.matches("usage.parquet").count() == 1 && reason.len() > 10, "{said}");
        assert_eq!(version(&desk.lake()), 0);
    }
}

#[test]
fn a_sound_parquet_file_reads_the_same_in_the_child() {
    let (here, there) = (Desk::new(), Desk::new());
    for desk in [&here, &there] {
        let text = |values: &[&'static str]| PlainColumn::Text(values.to_vec());
        let columns = [
            ("subscription_id", text(&["s1", "s2"])),
            ("on", text(&["2026-05-01", "2026-05-02"])),
            ("category", text(&["VM", "Ünit"])),
            ("unit", text(&["Hours", "Hours"])),
            ("quantity", text(&["1.5", "0.000001"])),
        ];
        write_parquet(&desk.path("usage.parquet"), &columns).expect("a file");
    }
    here.accept(&[here.path("usage.parquet")]);
    through_the_child(&there, there.path("usage.parquet")).expect("an import");
    assert_eq!(here.rows(), there.rows());
    assert_eq!(there.rows().usage.len(), 2);
}

#[test]
fn a_parquet_file_that_is_cut_anywhere_is_refused_by_the_child() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("usage.csv", &"s1,2026-05-01,C,h,1,2\n".repeat(500))]);
    let (_, bytes) = desk.usage_files().remove(0);
    for cut in [4, 8, bytes.len() / 2, bytes.len() - 4, bytes.len() - 1] {
        let other = Desk::new();
        let mut file = std::fs::File::create(other.path("cut.parquet")).expect("a file");
        file.write_all(&bytes[..cut]).expect("bytes");
        let said = through_the_child(&other, other.path("cut.parquet")).expect_err("a cut file");
        assert!(said.contains("cut.parquet"), "{said}");
    }
}
