//! The files that pages load, all of them part of the program: the style sheet, the script, the
//! drawing library, the icon. Each has a name that changes with its bytes, so that a browser
//! asks for it once.

use std::io;
use std::sync::{Arc, OnceLock};

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};

use crate::plotly;
use crate::service::aside::aside;
use crate::service::cache::{Answered, Tag};
use crate::service::parameters::Parameters;
use crate::service::problem::Problem;
use crate::service::state;

/// The path below which they are.
pub(super) const PATH: &str = "/assets/{file}";

/// A file.
#[derive(Debug)]
pub(super) struct Asset {
    name: &'static str,
    media_type: &'static str,
    /// A digest of what it is made from.
    mark: u64,
    bytes: fn() -> io::Result<Vec<u8>>,
}

const PAGE_STYLE: &str = include_str!("assets/page.css");
const PAGE_SCRIPT: &str = include_str!("assets/page.js");
const PAGE_ICON: &str = include_str!("assets/icon.svg");

pub(super) const STYLE: Asset =
    Asset { name: "page.css", media_type: "text/css; charset=utf-8", mark: digest(&[PAGE_STYLE]), bytes: || Ok(PAGE_STYLE.into()) };

pub(super) const SCRIPT: Asset = Asset {
    name: "page.js",
    media_type: "text/javascript; charset=utf-8",
    mark: digest(&[plotly::DRAWING, PAGE_SCRIPT]),
    bytes: || Ok([plotly::DRAWING, PAGE_SCRIPT].concat().into()),
};

pub(super) const LIBRARY: Asset =
    Asset { name: "plotly.js", media_type: "text/javascript; charset=utf-8", mark: digest(&[plotly::VERSION]), bytes: plotly::library };

pub(super) const ICON: Asset =
    Asset { name: "icon.svg", media_type: "image/svg+xml", mark: digest(&[PAGE_ICON]), bytes: || Ok(PAGE_ICON.into()) };

const ALL: [&Asset; 4] = [&STYLE, &SCRIPT, &LIBRARY, &ICON];

/// FNV-1a of 64 bits, which a compiler can work out: it tells releases apart, and keeps no secret.
const fn digest(texts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut text = 0;
    while text < texts.len() {
        let bytes = texts[text].as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        text += 1;
    }
    hash
}

impl Asset {
    /// Its name below the path.
    pub(super) fn file(&self) -> String {
        format!("{:016x}-{}", self.mark, self.name)
    }

    /// Where a page finds it.
    pub(super) fn path(&self) -> String {
        PATH.replace("{file}", &self.file())
    }
}

/// The names of all files.
pub(super) fn names() -> String {
    ALL.map(Asset::file).join(" ")
}

/// The files as they were given before, compressed once for all.
#[derive(Debug, Default)]
pub(in crate::service) struct Files([OnceLock<Arc<Answered>>; ALL.len()]);

/// How long a browser may keep what cannot change under its name.
const KEPT: &str = "public, max-age=31536000, immutable";

/// Gives a file.
pub(super) async fn file(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request).finish()?;
    let wanted = request.match_info().get("file").unwrap_or_default();
    let (asset, place) = ALL.into_iter().zip(0..).find(|(asset, _)| asset.file() == wanted).ok_or(Problem::NoSuchRoute)?;
    let files = state::of(&request)?.files();
    if let Some(answered) = files.0[place].get() {
        return answered.respond(&request).await;
    }
    let made = aside(&request, move || {
        let bytes = (asset.bytes)().map_err(Problem::Uncodable)?;
        let headers =
            vec![(header::CACHE_CONTROL.as_str(), KEPT.to_owned()), (header::X_CONTENT_TYPE_OPTIONS.as_str(), "nosniff".to_owned())];
        Ok(Answered::new(PATH, asset.media_type, Tag::weak(asset.mark), headers, bytes))
    });
    let answered = Arc::new(made.await?);
    Arc::clone(files.0[place].get_or_init(|| answered)).respond(&request).await
}
