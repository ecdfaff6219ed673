//! Tables as the commands print them.

use comfy_table::{CellAlignment, Table, presets};

/// An empty table with its header; the columns at `numbers` are set to the right.
pub(crate) fn table<const N: usize>(header: [&str; N], numbers: impl IntoIterator<Item = usize>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(header);
    for number in numbers {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
