//! JSON as rows: JSON Lines, a list of objects, or an object with such a list under `items`,
//! `value` or `Value`, beside which everything (a next link, a count) is passed over. Several of
//! them may stand in one file.
//!
//! A row's cells are its values as text: strings unescaped, numbers with the digits that the file
//! has, lists and objects as they stand there.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::ImportError;
use super::discover::InputFile;
use super::source::{Bytes, Cells, Place, Seen};

/// Longest row. Whatever opens and never closes takes the rest of the file for one value, and the
/// rest of a file can be larger than memory.
const ROW_MAX_BYTES: u64 = 2 << 20;

/// Keys under which a list of rows may stand.
const LISTS: [&str; 3] = ["items", "value", "Value"];

/// Rows that are looked at for the names of the columns.
const LOOKED_AT: usize = 1000;

/// Columns of a file. An object can have any number of keys, and each costs memory.
const COLUMNS_MAX: usize = 4096;

/// The cells of an object, by the place of their column.
struct ObjectRow {
    cells: Vec<Option<Box<RawValue>>>,
}

impl Cells for ObjectRow {
    fn len(&self) -> usize {
        self.cells.len()
    }

    fn cell(&self, column: usize) -> Option<Cow<'_, [u8]>> {
        let raw = self.cells.get(column)?.as_ref()?.get();
        match raw.as_bytes().first() {
            Some(b'"') => match &raw.as_bytes()[1..raw.len().saturating_sub(1)] {
                plain if memchr::memchr(b'\\', plain).is_none() => Some(Cow::Borrowed(plain)),
                // Half of a pair of surrogates is no character, and the value stays as it was written.
                plain => Some(serde_json::from_str::<String>(raw).map_or(Cow::Borrowed(plain), |text| Cow::Owned(text.into_bytes()))),
            },
            Some(b'n') => None,
            _ => Some(Cow::Borrowed(raw.as_bytes())),
        }
    }
}

/// The names of the columns: the keys of the first rows, in the order in which they appear.
pub(super) fn header(bytes: Bytes<'_>) -> Result<Vec<String>, Unread> {
    let (mut names, mut known) = (Vec::new(), HashSet::new());
    let mut seen = 0;
    let taken = objects(bytes, &mut |_, object| {
        let Object::Keys(pairs) = object else { return Ok(()) };
        for (key, _) in pairs {
            if names.len() < COLUMNS_MAX && known.insert(key.to_ascii_lowercase()) {
                names.push(key);
            }
        }
        seen += 1;
        if seen == LOOKED_AT { Err(Stop::Enough) } else { Ok(()) }
    });
    match taken {
        Err(Unread::Stopped(Stop::Enough)) | Ok(()) => Ok(names),
        Err(error) => Err(error),
    }
}

/// Gives each object to `visit`.
pub(super) fn rows(
    file: &InputFile,
    bytes: Bytes<'_>,
    mut visit: impl FnMut(Place, Seen<'_>) -> Result<(), ImportError>,
) -> Result<(), Unread> {
    let header = file.columns.header();
    let width = header.len();
    let places: HashMap<String, usize> = header.iter().enumerate().map(|(at, name)| (name.to_ascii_lowercase(), at)).collect();
    objects(bytes, &mut |line, object| {
        let place = Place::Line(line);
        let stop = |error: ImportError| Stop::Import(Box::new(error));
        let pairs = match object {
            Object::Keys(pairs) => pairs,
            Object::Wrong(reason) => return visit(place, Err(reason)).map_err(stop),
        };
        let mut cells: Vec<Option<Box<RawValue>>> = (0..width).map(|_| None).collect();
        for (key, value) in pairs {
            let Some(at) = places.get(&key.to_ascii_lowercase()) else { continue };
            if cells[*at].replace(value).is_some() {
                return visit(place, Err(format!("the key `{key}` stands twice in this object"))).map_err(stop);
            }
        }
        visit(place, Ok(&ObjectRow { cells })).map_err(stop)
    })
}

/// Why the rows of a file were not all read.
#[derive(Debug)]
pub(super) enum Unread {
    /// The bytes are no JSON, or none with rows in it; line, column and reason.
    Malformed {
        line: u64,
        column: u64,
        reason: String,
    },
    TooLong {
        line: u64,
    },
    Io(io::Error),
    Stopped(Stop),
}

/// Why whoever takes the rows wants no more of them.
#[derive(Debug)]
pub(super) enum Stop {
    Enough,
    Import(Box<ImportError>),
}

/// What stands in the place of a row.
enum Object {
    /// Keys and values in their order.
    Keys(Vec<(String, Box<RawValue>)>),
    /// Something else, and what.
    Wrong(String),
}

type Take<'t> = &'t mut dyn FnMut(u64, Object) -> Result<(), Stop>;

/// Reads byte by byte what `serde_json` asks for, so that the line of a row is known as it begins.
struct Source<'a> {
    bytes: BufReader<Bytes<'a>>,
    line: u64,
    column: u64,
    read: u64,
    /// Where the present row began.
    row_from: u64,
}

impl Source<'_> {
    fn byte(&mut self) -> io::Result<Option<u8>> {
        let mut one = [0];
        loop {
            match self.bytes.read(&mut one) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.read += 1;
        if one[0] == b'\n' {
            self.line += 1;
            self.column = 0;
        } else {
            self.column += 1;
        }
        Ok(Some(one[0]))
    }
}

/// A handle to the one source, with the byte that was looked at and not taken yet.
struct Handle<'a> {
    source: Rc<RefCell<Source<'a>>>,
    peeked: Rc<Cell<Option<u8>>>,
}

impl Read for Handle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        if let Some(byte) = self.peeked.take() {
            *first = byte;
            return Ok(1);
        }
        let mut source = self.source.borrow_mut();
        if source.read - source.row_from > ROW_MAX_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(source.byte()?.map_or(0, |byte| {
            *first = byte;
            1
        }))
    }
}

fn objects(bytes: Bytes<'_>, take: Take<'_>) -> Result<(), Unread> {
    let source =
        Rc::new(RefCell::new(Source { bytes: BufReader::with_capacity(1 << 17, bytes), line: 1, column: 0, read: 0, row_from: 0 }));
    let peeked = Rc::new(Cell::new(None));
    let stopped = RefCell::new(None);
    let mut is_first = true;
    loop {
        // Blanks, and a byte order mark before everything, are no value.
        let next = loop {
            match source.borrow_mut().byte().map_err(Unread::Io)? {
                None => return Ok(()),
                Some(b' ' | b'\t' | b'\r' | b'\n') => {}
                Some(0xef | 0xbb | 0xbf) if is_first => {}
                Some(byte) => break byte,
            }
        };
        is_first = false;
        peeked.set(Some(next));
        let from = source.borrow().read;
        source.borrow_mut().row_from = from;
        let reader = Handle { source: Rc::clone(&source), peeked: Rc::clone(&peeked) };
        let mut json = serde_json::Deserializer::from_reader(reader);
        let top = Top { source: &source, take: RefCell::new(&mut *take), stopped: &stopped };
        if let Err(error) = (&top).deserialize(&mut json) {
            if let Some(stop) = stopped.take() {
                return Err(Unread::Stopped(stop));
            }
            let source = source.borrow();
            if error.io_error_kind() == Some(io::ErrorKind::FileTooLarge) {
                return Err(Unread::TooLong { line: source.line });
            }
            if error.is_io() {
                return Err(Unread::Io(error.into()));
            }
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or(&text).to_owned();
            return Err(Unread::Malformed { line: source.line, column: source.column, reason });
        }
    }
}

/// A value at the top of a file.
struct Top<'s, 'a, 't, 'd> {
    source: &'s Rc<RefCell<Source<'a>>>,
    take: RefCell<&'t mut (dyn FnMut(u64, Object) -> Result<(), Stop> + 'd)>,
    stopped: &'s RefCell<Option<Stop>>,
}

impl Top<'_, '_, '_, '_> {
    /// The line on which the value that is about to be read begins, give or take blanks before it.
    fn begin(&self) -> u64 {
        let mut source = self.source.borrow_mut();
        source.row_from = source.read;
        source.line
    }

    fn give<E: serde::de::Error>(&self, line: u64, object: Object) -> Result<(), E> {
        let taken = (*self.take.borrow_mut())(line, object);
        taken.map_err(|stop| {
            self.stopped.replace(Some(stop));
            E::custom("stopped")
        })
    }
}

impl<'de> DeserializeSeed<'de> for &Top<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Top<'_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, or a list of objects, bare or under `items` or `value`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            self.begin();
            let element = Element { source: self.source };
            match list.next_element_seed(element)? {
                None => return Ok(()),
                Some((line, object)) => self.give(line, object)?,
            }
        }
    }

    /// A page with a list of rows, or else a row itself.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let line = self.source.borrow().line;
        let (mut pairs, mut is_page) = (Vec::new(), false);
        while let Some(key) = map.next_key::<String>()? {
            if LISTS.contains(&key.as_str()) {
                match map.next_value_seed(List(self))? {
                    None => is_page = true,
                    Some(scalar) => pairs.push((key, scalar)),
                }
            } else if is_page {
                map.next_value::<IgnoredAny>()?;
                self.begin();
            } else {
                pairs.push((key, map.next_value::<Box<RawValue>>()?));
            }
            if is_page {
                pairs.clear();
            }
        }
        if is_page { Ok(()) } else { self.give(line, Object::Keys(pairs)) }
    }
}

/// What stands under a key that may hold the list of rows; none where it is that list.
struct List<'p, 's, 'a, 't, 'd>(&'p Top<'s, 'a, 't, 'd>);

impl<'de> DeserializeSeed<'de> for List<'_, '_, '_, '_, '_> {
    type Value = Option<Box<RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn raw<E: serde::de::Error>(text: String) -> Result<Option<Box<RawValue>>, E> {
    RawValue::from_string(text).map(Some).map_err(E::custom)
}

impl<'de> Visitor<'de> for List<'_, '_, '_, '_, '_> {
    type Value = Option<Box<RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects or a plain value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        self.0.visit_seq(list).map(|()| None)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        raw(serde_json::to_string(text).map_err(E::custom)?)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
        raw(value.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
        raw(value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
        raw(value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        raw(serde_json::to_string(&value).map_err(E::custom)?)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        raw("null".to_owned())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        raw("null".to_owned())
    }
}

/// One element of a list of rows, with the line on which it begins.
struct Element<'s, 'a> {
    source: &'s Rc<RefCell<Source<'a>>>,
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = (u64, Object);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_, '_> {
    type Value = (u64, Object);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let line = self.source.borrow().line;
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry::<String, Box<RawValue>>()? {
            if pairs.len() == COLUMNS_MAX {
                return Err(A::Error::custom(format!("an object has more than {COLUMNS_MAX} keys")));
            }
            pairs.push(pair);
        }
        Ok((line, Object::Keys(pairs)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.wrong("a list"))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(self.wrong("a text"))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(self.wrong("true or false"))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(self.wrong("a number"))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(self.wrong("a number"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(self.wrong("a number"))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(self.wrong("null"))
    }
}

impl Element<'_, '_> {
    fn wrong(&self, what: &str) -> (u64, Object) {
        (self.source.borrow().line, Object::Wrong(format!("{what} stands where an object should")))
    }
}
