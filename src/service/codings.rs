//! Content codings of kept answers: compressed once, for the first client that takes a coding,
//! instead of for each. What is not kept, as failures and streams, is compressed by actix-web.
//!
//! Absent on purpose: the refusal where a client takes nothing that there is.

use std::io::{self, Write};

use actix_web::http::header::{AcceptEncoding, ContentEncoding, Encoding};
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest};
use flate2::write::GzEncoder;
use tokio::sync::OnceCell;

/// Windows of brotli, in bits: larger than any page.
const BROTLI_WINDOW: u32 = 22;

/// From here on brotli costs much more than it saves.
const BROTLI_QUALITY: u32 = 5;

const ZSTD_LEVEL: i32 = 3;

/// A coding that answers are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Gzip,
    Zstd,
}

impl Coding {
    /// The one that the client likes best; none where it likes the bytes as they are.
    pub(super) fn liked(request: &HttpRequest) -> Option<Self> {
        let accepted = request.get_header::<AcceptEncoding>()?;
        let known = [Encoding::brotli(), Encoding::gzip(), Encoding::zstd(), Encoding::identity()];
        match accepted.negotiate(known.iter())? {
            Encoding::Known(ContentEncoding::Brotli) => Some(Self::Brotli),
            Encoding::Known(ContentEncoding::Gzip) => Some(Self::Gzip),
            Encoding::Known(ContentEncoding::Zstd) => Some(Self::Zstd),
            _ => None,
        }
    }

    pub(super) const fn header(self) -> ContentEncoding {
        match self {
            Self::Brotli => ContentEncoding::Brotli,
            Self::Gzip => ContentEncoding::Gzip,
            Self::Zstd => ContentEncoding::Zstd,
        }
    }

    /// A body in this coding.
    ///
    /// # Errors
    /// Where the coder fails, which over memory it does not.
    pub(super) fn code(self, body: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Brotli => {
                let mut coder = brotli::CompressorWriter::new(Vec::new(), body.len().max(1), BROTLI_QUALITY, BROTLI_WINDOW);
                coder.write_all(body)?;
                Ok(coder.into_inner())
            }
            Self::Gzip => {
                let mut coder = GzEncoder::new(Vec::new(), flate2::Compression::default());
                coder.write_all(body)?;
                coder.finish()
            }
            Self::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL),
        }
    }
}

/// The codings of one body that somebody asked for so far.
#[derive(Debug, Default)]
pub(super) struct Coded {
    brotli: OnceCell<Bytes>,
    gzip: OnceCell<Bytes>,
    zstd: OnceCell<Bytes>,
}

impl Coded {
    /// The body in a coding, where it was made before.
    pub(super) fn made(&self, coding: Coding) -> Option<Bytes> {
        self.place(coding).get().cloned()
    }

    /// The body in a coding, as `work` makes it. Others who ask meanwhile wait for it.
    ///
    /// # Errors
    /// What `work` fails with.
    pub(super) async fn make<E>(&self, coding: Coding, work: impl Future<Output = Result<Vec<u8>, E>>) -> Result<Bytes, E> {
        let made = self.place(coding).get_or_try_init(|| async { work.await.map(Bytes::from) }).await?;
        Ok(made.clone())
    }

    const fn place(&self, coding: Coding) -> &OnceCell<Bytes> {
        match coding {
            Coding::Brotli => &self.brotli,
            Coding::Gzip => &self.gzip,
            Coding::Zstd => &self.zstd,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use actix_web::test::TestRequest;
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn every_coding_gives_the_body_back() {
        let body: Vec<u8> = (0..20_000_u32).flat_map(|number| format!("row {},", number * number % 977).into_bytes()).collect();
        for whole in [body.as_slice(), b"{}", b""] {
            let coded = Coded::default();
            for coding in [Coding::Brotli, Coding::Gzip, Coding::Zstd] {
                assert_eq!(coded.made(coding), None);
                let bytes = block_on(coded.make(coding, async { coding.code(whole) })).expect("memory");
                assert_eq!(coded.made(coding), Some(bytes.clone()));
                let mut back = Vec::new();
                match coding {
                    Coding::Brotli => brotli::Decompressor::new(bytes.as_ref(), 4096).read_to_end(&mut back).expect("brotli"),
                    Coding::Gzip => flate2::read::GzDecoder::new(bytes.as_ref()).read_to_end(&mut back).expect("gzip"),
                    Coding::Zstd => {
                        zstd::Decoder::new(bytes.as_ref()).and_then(|mut decoder| decoder.read_to_end(&mut back)).expect("zstd")
                    }
                };
                assert_eq!(back, whole, "{coding:?}");
            }
        }
    }

    #[test]
    fn the_client_chooses_its_coding() {
        for (accepted, expected) in [
            (None, None),
            (Some("gzip, deflate, br"), Some(Coding::Brotli)),
            (Some("br;q=0.9, zstd;q=0.5, gzip;q=0.1"), Some(Coding::Brotli)),
            (Some("zstd"), Some(Coding::Zstd)),
            (Some("identity"), None),
            (Some("gzip;q=0"), None),
            (Some("deflate"), None),
            (Some("*;q=0"), None),
        ] {
            let request =
                accepted.into_iter().fold(TestRequest::get(), |request, accepted| request.insert_header(("accept-encoding", accepted)));
            assert_eq!(Coding::liked(&request.to_http_request()), expected, "{accepted:?}");
        }
    }
}
