//! Where the cells of a delimited row begin and end (RFC 4180), and what is wrong with its quotes.
//!
//! Readers of CSV take a cell that is never closed, and text after a closing quote, without a
//! word: the rows between two such cells become a part of one cell, and are lost. This is the one
//! place that says no. A quote in the middle of a plain cell (`19" Rack`) is text.

use std::borrow::Cow;
use std::ops::Range;

/// What a look at the quotes of a row has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Every quoted cell is closed, and a delimiter or the end of the row follows it.
    Sound {
        /// Whether a plain cell holds a quote.
        in_plain_cell: bool,
    },
    /// The quote at this byte opens a cell that the row does not close.
    Open(usize),
    /// Text follows the closing quote of the cell that begins at this byte.
    TextAfter(usize),
}

/// Finds the cells of `row`, which has no line end behind it; ranges include a cell's quotes.
pub(super) fn split(row: &[u8], delimiter: u8, cells: &mut Vec<Range<usize>>) -> Quotes {
    cells.clear();
    split_on(row, delimiter, 0, cells)
}

/// Goes on with a row that had less of its bytes when `cells` were found, and in which the cell
/// at `start` was open.
pub(super) fn split_on(row: &[u8], delimiter: u8, mut start: usize, cells: &mut Vec<Range<usize>>) -> Quotes {
    let mut in_plain_cell = cells.iter().any(|cell| is_plain_with_quote(&row[cell.clone()]));
    loop {
        let end = if row.get(start) == Some(&b'"') {
            let Some(end) = closed(row, start) else { return Quotes::Open(start) };
            if row.get(end).is_some_and(|byte| *byte != delimiter) {
                return Quotes::TextAfter(start);
            }
            end
        } else {
            let end = memchr::memchr(delimiter, &row[start..]).map_or(row.len(), |length| start + length);
            in_plain_cell |= is_plain_with_quote(&row[start..end]);
            end
        };
        cells.push(start..end);
        if end == row.len() {
            return Quotes::Sound { in_plain_cell };
        }
        start = end + 1;
    }
}

/// Whether a cell holds a quote that is only text.
pub(super) fn is_plain_with_quote(cell: &[u8]) -> bool {
    !cell.starts_with(b"\"") && memchr::memchr(b'"', cell).is_some()
}

/// The end of the quoted cell that begins at `start`, behind its closing quote.
fn closed(row: &[u8], start: usize) -> Option<usize> {
    let mut from = start + 1;
    loop {
        let quote = from + memchr::memchr(b'"', &row[from..])?;
        // A quote within a cell is written twice.
        if row.get(quote + 1) != Some(&b'"') {
            return Some(quote + 1);
        }
        from = quote + 2;
    }
}

/// What a cell says, without the quotes around it.
pub(super) fn text(cell: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = cell.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return Cow::Borrowed(cell);
    };
    if memchr::memchr(b'"', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut said = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        said.extend_from_slice(&rest[..=quote]);
        // The second of the pair; a lone one cannot stand here.
        rest = rest.get(quote + 2..).unwrap_or_default();
    }
    said.extend_from_slice(rest);
    Cow::Owned(said)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(row: &str) -> Result<Vec<String>, Quotes> {
        let mut ranges = Vec::new();
        match split(row.as_bytes(), b',', &mut ranges) {
            Quotes::Sound { .. } => {
                Ok(ranges.into_iter().map(|range| String::from_utf8_lossy(&text(&row.as_bytes()[range])).into_owned()).collect())
            }
            wrong => Err(wrong),
        }
    }

    #[test]
    fn cells_are_what_the_standard_says() {
        for (row, wanted) in [
            ("", vec![""]),
            (",", vec!["", ""]),
            ("a,b", vec!["a", "b"]),
            ("\"a,\"\"b\"\"\",c", vec!["a,\"b\"", "c"]),
            ("\"\",\"\"\"\"", vec!["", "\""]),
            ("\"two\nlines\",x", vec!["two\nlines", "x"]),
            ("c1,19\" Rack GmbH", vec!["c1", "19\" Rack GmbH"]),
            ("c1, \"Beta\"", vec!["c1", " \"Beta\""]),
        ] {
            assert_eq!(cells(row), Ok(wanted.into_iter().map(str::to_owned).collect()), "{row}");
        }
    }

    #[test]
    fn quotes_that_swallow_rows_are_found() {
        assert_eq!(cells("c1,\"Beta"), Err(Quotes::Open(3)));
        assert_eq!(cells("c1,\"Beta\nc2,Two\nc3,\"Gamma"), Err(Quotes::TextAfter(3)));
        assert_eq!(cells("\"19\" Rack\",x"), Err(Quotes::TextAfter(0)));
        assert_eq!(cells("\"\"\""), Err(Quotes::Open(0)));
        assert_eq!(split(b"a,b\"c", b',', &mut Vec::new()), Quotes::Sound { in_plain_cell: true });
        assert_eq!(split(b"a,\"b\"\"c\"", b',', &mut Vec::new()), Quotes::Sound { in_plain_cell: false });
    }

    proptest! {
        /// What a writer of CSV has written is read back, cell by cell.
        #[test]
        fn written_cells_come_back(row in prop::collection::vec("[ab,\"\n\r]{0,6}", 1..5)) {
            let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
            writer.write_record(&row).expect("cells");
            let bytes = writer.into_inner().expect("bytes");
            let line = std::str::from_utf8(bytes.strip_suffix(b"\n").expect("a line end")).expect("text");
            prop_assert_eq!(cells(line), Ok(row));
        }
    }
}
