//! The drawing library of the pages, plotly.js, and what all of them draw alike: the report of a
//! model carries it, the service gives it to a browser.
//!
//! Absent on purpose: any chart, and any figure.

use std::io;

/// plotly.js, bars and lines alone (basic 4.1.1, MIT; its head names the authors). README.md
/// beside this file says where it comes from and how it is checked.
pub const VERSION: &str = "basic 4.1.1";
const BUNDLE: &[u8] = include_bytes!("plotly-basic.min.js.zst");

/// How a chart of ours becomes one of plotly's: colours by their names in the style sheet, axes,
/// margins. It declares `drawing`.
pub const DRAWING: &str = include_str!("drawing.js");

/// The library as a browser runs it: 1.2 MB of UTF-8.
///
/// # Errors
/// Where it does not unpack, which it does wherever this program was built whole.
pub fn library() -> io::Result<Vec<u8>> {
    zstd::decode_all(BUNDLE)
}

/// JSON that ends no script: inside strings, the only place where JSON has it, `<` is written as
/// its escape.
#[must_use]
pub fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}
