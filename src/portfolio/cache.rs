//! A portfolio on disk, beside the lake: read in a fraction of the time that the tables take.
//!
//! The file is used only when it is whole, of this format, made from exactly the wanted tables
//! and of the same settle days. Anything else is not repaired: it is thrown away and built anew.
//! Several processes may read and write it at once: a writer works aside, under a lock of its
//! own, and gives the file its name in one step; a reader checks every byte of what it opened.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::bytes::{Decoder, Encoder, Malformed};
use super::index::UsageIndex;
use super::{Commitment, Customer, CustomerIx, MonthlyUsage, Portfolio, Series, Subscription, SubscriptionIx, Usage};
use crate::domain::{
    Change, CommitmentId, CommitmentKind, DataError, DataErrorKind, Day, Event, EventKind, Micros, State, SubscriptionId, Timeline,
};

const MAGIC: [u8; 8] = *b"CRPORTF\n";

/// Raised whenever the bytes below change their meaning. 2: the fingerprint of the tables, the
/// currency, and commitments. 3: usage by the month.
const FORMAT: u32 = 3;

/// What a cache must have been made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) version: u64,
    pub(super) settle_days: u32,
    /// Of the tables: a lake that was made anew counts its versions from 1 again.
    pub(super) fingerprint: [u8; 32],
}

/// Why a cache file is not used.
#[derive(Debug, Error)]
pub enum CacheError {
    #[error("{path} cannot be read or written")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} is torn or not a portfolio of format {FORMAT}")]
    Torn { path: PathBuf },
    #[error("{path} is of another table version, of other tables or of other settle days")]
    Other { path: PathBuf },
    #[error("{path} is being written by somebody else")]
    Busy { path: PathBuf },
}

/// Where the cache of a lake lies.
pub(super) fn path(lake: &Path) -> PathBuf {
    lake.join("_cache").join("portfolio.bin")
}

/// Writes the portfolio: magic, format, version, settle days, fingerprint, lengths of the small
/// part and the usage, the small part, the columns, SHA-256 of all of that.
pub(super) fn write(path: &Path, portfolio: &Portfolio, fingerprint: &[u8; 32]) -> Result<(), CacheError> {
    let io_error = |source| CacheError::Io { path: path.to_path_buf(), source };
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(io_error)?;
    }
    // One writer at a time has the name aside; the system gives the lock of a dead one back.
    // Nobody waits: two writers at once have nearly the same to write.
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.with_extension("lock")).map_err(io_error)?;
    if lock.try_lock().is_err() {
        return Err(CacheError::Busy { path: path.to_path_buf() });
    }
    let staged = path.with_extension("tmp");
    let written = File::create(&staged).and_then(|file| {
        let mut out = Hashed { inner: BufWriter::with_capacity(1 << 20, file), hasher: Sha256::new() };
        encode(portfolio, fingerprint, &mut out)?;
        let digest = out.hasher.finalize();
        out.inner.write_all(&digest)?;
        out.inner.flush()
    });
    // No fsync: a file that the power failing has torn is found out by its checksum.
    written.and_then(|()| fs::rename(&staged, path)).map_err(|source| {
        let _ = fs::remove_file(&staged);
        io_error(source)
    })
}

/// Hashes what passes through.
struct Hashed<S> {
    inner: S,
    hasher: Sha256,
}

impl<S: Write> Write for Hashed<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.inner.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn encode(portfolio: &Portfolio, fingerprint: &[u8; 32], out: &mut impl Write) -> io::Result<()> {
    let mut small = Encoder::default();
    encode_small(portfolio, &mut small);
    let usage = &portfolio.usage;
    let mut header = Encoder::default();
    header.bytes.extend_from_slice(&MAGIC);
    header.u32(FORMAT);
    header.u64(portfolio.version);
    header.u32(portfolio.settle_days);
    header.bytes.extend_from_slice(fingerprint);
    header.u64(small.bytes.len() as u64);
    header.u64(usage.start.len() as u64);
    header.u64(usage.day.len() as u64);
    header.u8(u8::from(usage.has_cost));
    out.write_all(&header.bytes)?;
    out.write_all(&small.bytes)?;
    // The columns are written as they lie in memory; a machine of the other byte order reads
    // other numbers, finds the start column out of order, and builds anew.
    out.write_all(bytemuck::cast_slice(&usage.start))?;
    out.write_all(bytemuck::cast_slice(&usage.day))?;
    out.write_all(bytemuck::cast_slice(&usage.series))?;
    out.write_all(bytemuck::cast_slice(&usage.quantity))?;
    out.write_all(bytemuck::cast_slice(&usage.cost))
}

const HEADER_BYTES: usize = 8 + 4 + 8 + 4 + 32 + 8 + 8 + 8 + 1;

/// Reads the portfolio of an origin.
pub(super) fn read(path: &Path, wanted: &Origin) -> Result<Portfolio, CacheError> {
    let io_error = |source| CacheError::Io { path: path.to_path_buf(), source };
    let torn = || CacheError::Torn { path: path.to_path_buf() };
    let mut file = File::open(path).map_err(io_error)?;
    let file_bytes = file.metadata().map_err(io_error)?.len();
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header).map_err(|_| torn())?;
    let mut fields = Decoder::new(header.get(8..).unwrap_or_default());
    let format_fits = header.starts_with(&MAGIC) && fields.u32() == Ok(FORMAT);
    if !format_fits {
        return Err(torn());
    }
    let parse = |fields: &mut Decoder<'_>| -> Result<_, Malformed> {
        let origin = Origin { version: fields.u64()?, settle_days: fields.u32()?, fingerprint: fields.array()? };
        Ok((origin, fields.u64()?, fields.u64()?, fields.u64()?, fields.flag()?))
    };
    let (origin, small_bytes, starts, rows, has_cost) = parse(&mut fields).map_err(|_| torn())?;
    if origin != *wanted {
        return Err(CacheError::Other { path: path.to_path_buf() });
    }
    // Lengths are compared with the file before memory is asked for.
    let parts = [small_bytes, starts.saturating_mul(8), rows.saturating_mul(20), HEADER_BYTES as u64 + 32];
    if parts.into_iter().fold(0_u64, u64::saturating_add) != file_bytes {
        return Err(torn());
    }
    let count = |number: u64| usize::try_from(number).map_err(|_| torn());
    let (small_bytes, starts, rows) = (count(small_bytes)?, count(starts)?, count(rows)?);
    let mut input = Hashing { inner: file, hasher: Sha256::new_with_prefix(header) };
    let mut small = vec![0; small_bytes];
    let mut usage =
        Usage { start: vec![0; starts], day: vec![0; rows], series: vec![0; rows], quantity: vec![0; rows], cost: vec![0; rows], has_cost };
    input.fill(&mut small).map_err(io_error)?;
    input.fill(bytemuck::cast_slice_mut(&mut usage.start)).map_err(io_error)?;
    input.fill(bytemuck::cast_slice_mut(&mut usage.day)).map_err(io_error)?;
    input.fill(bytemuck::cast_slice_mut(&mut usage.series)).map_err(io_error)?;
    input.fill(bytemuck::cast_slice_mut(&mut usage.quantity)).map_err(io_error)?;
    input.fill(bytemuck::cast_slice_mut(&mut usage.cost)).map_err(io_error)?;
    let mut digest = [0; 32];
    input.inner.read_exact(&mut digest).map_err(io_error)?;
    if input.hasher.finalize().as_slice() != digest {
        return Err(torn());
    }
    let portfolio = decode_small(&small, &origin, usage).map_err(|_| torn())?;
    if is_sound(&portfolio) { Ok(portfolio.with_index()) } else { Err(torn()) }
}

/// Reads in pieces that stay in the cache between reading and hashing.
struct Hashing {
    inner: File,
    hasher: Sha256,
}

impl Hashing {
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        for piece in bytes.chunks_mut(1 << 18) {
            self.inner.read_exact(piece)?;
            self.hasher.update(&*piece);
        }
        Ok(())
    }
}

/// What the accessors of a portfolio rely on.
fn is_sound(portfolio: &Portfolio) -> bool {
    let usage = &portfolio.usage;
    let ends = |start: &[u64]| start.first() == Some(&0) && start.last() == Some(&(usage.day.len() as u64));
    usage.start.len() == portfolio.subscriptions.len() + 1
        && ends(&usage.start)
        && usage.start.is_sorted()
        && usage.series.iter().all(|series| usize::from(*series) < portfolio.series.len())
        && portfolio.customer_start.len() == portfolio.customers.len() + 1
        && portfolio.customer_start.is_sorted()
        && portfolio.customer_start.last().copied() == u32::try_from(portfolio.by_customer.len()).ok()
        && portfolio.by_customer.iter().all(|subscription| subscription.at() < portfolio.subscriptions.len())
        && portfolio.subscriptions.iter().all(|subscription| subscription.customer.at() < portfolio.customers.len())
        && portfolio.data_errors.iter().all(|(subscription, _)| subscription.at() < portfolio.subscriptions.len())
        && portfolio.months.is_sound(portfolio.subscriptions.len())
        && portfolio.commitments.iter().all(|commitment| {
            commitment.customer.is_none_or(|customer| customer.at() < portfolio.customers.len())
                && commitment.subscription.is_none_or(|subscription| subscription.at() < portfolio.subscriptions.len())
        })
}

fn encode_small(portfolio: &Portfolio, out: &mut Encoder) {
    let text = |out: &mut Encoder, value: &String| out.text(value);
    let day = |out: &mut Encoder, value: Day| out.i32(value.epoch_days());
    out.option(portfolio.currency.as_ref(), text);
    out.option(portfolio.days, |out, (first, last)| {
        day(out, first);
        day(out, last);
    });
    out.list(portfolio.customers.iter(), |out, customer| {
        out.text(&customer.id);
        for field in [&customer.name, &customer.country, &customer.segment, &customer.reseller_id, &customer.reseller_name] {
            out.option(field.as_ref(), text);
        }
        out.u8(u8::from(customer.has_row));
    });
    out.list(portfolio.subscriptions.iter(), |out, subscription| {
        out.text(subscription.id.as_str());
        out.u32(subscription.customer.0);
        out.option(subscription.name.as_ref(), text);
        out.option(subscription.product.as_ref(), text);
        out.option(subscription.auto_renew, |out, flag| out.u8(u8::from(flag)));
        out.option(subscription.term_end_on, day);
        out.u8(u8::from(subscription.is_trial));
        out.u8(u8::from(subscription.creation_is_derived));
        out.list(subscription.life.changes().iter(), |out, change| {
            day(out, change.on);
            out.u8(change.state as u8);
            out.option(change.reason.as_ref(), text);
        });
        out.list(subscription.life.renewals().iter(), |out, on| day(out, *on));
    });
    out.list(portfolio.customer_start.iter(), |out, start| out.u32(*start));
    out.list(portfolio.by_customer.iter(), |out, subscription| out.u32(subscription.0));
    out.list(portfolio.series.iter(), |out, series| {
        out.text(&series.category);
        out.text(&series.unit);
    });
    out.list(portfolio.gaps.iter(), |out, gap| day(out, *gap));
    out.list(portfolio.data_errors.iter(), |out, (subscription, error)| {
        out.u32(subscription.0);
        day(out, error.event.on);
        out.u8(error.event.kind as u8);
        out.option(error.event.reason.as_ref(), text);
        out.u8(error.kind as u8);
    });
    out.list(portfolio.commitments.iter(), |out, commitment| {
        out.text(commitment.id.as_str());
        out.u8(commitment.kind as u8);
        out.option(commitment.customer, |out, customer| out.u32(customer.0));
        out.option(commitment.subscription, |out, subscription| out.u32(subscription.0));
        out.option(commitment.product.as_ref(), text);
        out.option(commitment.quantity, |out, quantity| out.u64(quantity.0.cast_unsigned()));
        out.option(commitment.ends_on, day);
    });
    portfolio.months.encode(out);
}

/// The variant whose place in `all` the byte names.
fn variant<T: Copy>(all: &[T], decoder: &mut Decoder<'_>) -> Result<T, Malformed> {
    all.get(usize::from(decoder.u8()?)).copied().ok_or(Malformed)
}

fn decode_small(bytes: &[u8], origin: &Origin, usage: Usage) -> Result<Portfolio, Malformed> {
    let mut input = Decoder::new(bytes);
    let portfolio = Portfolio {
        version: origin.version,
        settle_days: origin.settle_days,
        currency: input.option(Decoder::text)?,
        days: input.option(|input| Ok((decode_day(input)?, decode_day(input)?)))?,
        customers: input.list(decode_customer)?,
        subscriptions: input.list(decode_subscription)?,
        customer_start: input.list(Decoder::u32)?,
        by_customer: input.list(|input| input.u32().map(SubscriptionIx))?,
        series: input.list(|input| Ok(Series { category: input.text()?, unit: input.text()? }))?,
        usage,
        index: UsageIndex::default(),
        gaps: input.list(decode_day)?,
        data_errors: input.list(|input| Ok((SubscriptionIx(input.u32()?), decode_error(input)?)))?,
        commitments: input.list(decode_commitment)?,
        months: MonthlyUsage::decode(&mut input)?,
        cost_hidden: false,
    };
    if input.is_empty() { Ok(portfolio) } else { Err(Malformed) }
}

fn decode_day(input: &mut Decoder<'_>) -> Result<Day, Malformed> {
    input.i32().map(Day::from_epoch_days)
}

fn decode_customer(input: &mut Decoder<'_>) -> Result<Customer, Malformed> {
    Ok(Customer {
        id: input.text()?,
        name: input.option(Decoder::text)?,
        country: input.option(Decoder::text)?,
        segment: input.option(Decoder::text)?,
        reseller_id: input.option(Decoder::text)?,
        reseller_name: input.option(Decoder::text)?,
        has_row: input.flag()?,
    })
}

fn decode_subscription(input: &mut Decoder<'_>) -> Result<Subscription, Malformed> {
    let id = SubscriptionId::parse(&input.text()?).map_err(|_| Malformed)?;
    let (customer, name, product) = (CustomerIx(input.u32()?), input.option(Decoder::text)?, input.option(Decoder::text)?);
    let (auto_renew, term_end_on) = (input.option(Decoder::flag)?, input.option(decode_day)?);
    let (is_trial, creation_is_derived) = (input.flag()?, input.flag()?);
    let states = [State::None, State::Active, State::Suspended, State::Ended];
    let changes =
        input.list(|input| Ok(Change { on: decode_day(input)?, state: variant(&states, input)?, reason: input.option(Decoder::text)? }))?;
    let renewals = input.list(decode_day)?;
    let life = Timeline::from_parts(changes, renewals);
    Ok(Subscription { id, customer, name, product, auto_renew, term_end_on, is_trial, life, creation_is_derived })
}

fn decode_error(input: &mut Decoder<'_>) -> Result<DataError, Malformed> {
    let event = Event { on: decode_day(input)?, kind: variant(&EventKind::ALL, input)?, reason: input.option(Decoder::text)? };
    let kinds = [DataErrorKind::BeforeCreation, DataErrorKind::SecondCreation, DataErrorKind::AfterEnd];
    Ok(DataError { event, kind: variant(&kinds, input)? })
}

fn decode_commitment(input: &mut Decoder<'_>) -> Result<Commitment, Malformed> {
    Ok(Commitment {
        id: CommitmentId::parse(&input.text()?).map_err(|_| Malformed)?,
        kind: variant(&CommitmentKind::ALL, input)?,
        customer: input.option(|input| input.u32().map(CustomerIx))?,
        subscription: input.option(|input| input.u32().map(SubscriptionIx))?,
        product: input.option(Decoder::text)?,
        quantity: input.option(|input| input.u64().map(|bits| Micros(bits.cast_signed())))?,
        ends_on: input.option(decode_day)?,
    })
}
