//! Pieces of the page that every section uses: a section, a table, a sentence on what is absent.

use maud::{Markup, html};

/// A section with its heading, which the list of sections leads to.
pub(super) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            (content)
        }
    }
}

/// Rows under a header; the first cell of each row names it. All other cells are aligned as numbers.
pub(super) fn table<const N: usize>(caption: &str, header: [&str; N], rows: Vec<[String; N]>) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for name in header { th scope="col" { (name) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (at, cell) in row.into_iter().enumerate() {
                                @if at == 0 { th scope="row" { (cell) } } @else { td { (figure(&cell)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A figure above its interval, so that a table of intervals is no wider than one of figures.
fn figure(cell: &str) -> Markup {
    let is_interval = |inner: &str| inner.ends_with(')') && inner.starts_with(['-', '+', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    let split = cell.split_once(" (").filter(|(_, inner)| is_interval(inner));
    html! { @if let Some((value, inner)) = split { (value) span.interval { " (" (inner) } } @else { (cell) } }
}

/// What stands in the place of a part that the card does not have.
pub(super) fn absent(sentence: &str) -> Markup {
    html! { p.absent { (sentence) } }
}
