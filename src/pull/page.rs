//! One page of a paged answer: how many rows it has, and where the next one is. The rows
//! themselves are not looked at; the page is kept as it came.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// What a page says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) rows: usize,
    /// The link to the next page; none on the last one, and where the service pages by numbers.
    pub(super) next: Option<String>,
}

/// The names under which Partner Center's and other services of Microsoft list rows and link on.
#[derive(Deserialize)]
struct Enveloped {
    #[serde(alias = "value", alias = "Value", alias = "Items")]
    items: Option<Vec<IgnoredAny>>,
    #[serde(rename = "nextLink", alias = "NextLink", alias = "@nextLink", alias = "@odata.nextLink", alias = "odata.nextLink")]
    next_link: Option<String>,
    links: Option<Links>,
}

#[derive(Deserialize)]
struct Links {
    next: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    uri: Option<String>,
}

impl Page {
    /// Reads a page: a bare list, or one under `items`, `value` or `Value`. The error says what it
    /// is not, and quotes nothing of it.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let place = |error: serde_json::Error| format!("line {} column {}: it is no page of rows", error.line(), error.column());
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            let rows: Vec<IgnoredAny> = serde_json::from_slice(body).map_err(place)?;
            return Ok(Self { rows: rows.len(), next: None });
        }
        let page: Enveloped = serde_json::from_slice(body).map_err(place)?;
        let rows = page.items.ok_or_else(|| "it has no list of rows under `items` or `value`".to_owned())?;
        let next = page.next_link.or_else(|| page.links?.next?.uri).filter(|link| !link.is_empty());
        Ok(Self { rows: rows.len(), next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_page_is_read() {
        for (body, rows, next) in [
            ("[{},{\"a\":[1]}]", 2, None),
            ("\u{feff} []", 0, None),
            (r#"{"items":[{}],"totalCount":1}"#, 1, None),
            (r#"{"value":[{}],"nextLink":"/b?c"}"#, 1, Some("/b?c")),
            (r#"{"Value":[],"@odata.nextLink":"x"}"#, 0, Some("x")),
            (r#"{"items":[{},{}],"@nextLink":""}"#, 2, None),
            (r#"{"items":[],"nextLink":null}"#, 0, None),
            (r#"{"items":[],"links":{"self":{},"next":{"uri":"/n","method":"GET"}}}"#, 0, Some("/n")),
        ] {
            assert_eq!(Page::read(body.as_bytes()), Ok(Page { rows, next: next.map(str::to_owned) }), "{body}");
        }
        for body in ["", "{}", "null", "\"x\"", r#"{"items":{}}"#, r#"{"error":"x"}"#, "[1", "<html>"] {
            assert!(Page::read(body.as_bytes()).is_err(), "{body}");
        }
        let deep = "[".repeat(1_000_000);
        assert!(Page::read(deep.as_bytes()).is_err());
    }
}
