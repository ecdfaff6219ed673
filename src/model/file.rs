//! `model.bin`, and the only home of bincode.
//!
//! Layout of format 2, integers little-endian: magic (8 bytes), format version (u32), length of
//! the payload (u64), SHA-256 of the payload (32 bytes), payload (bincode, legacy configuration:
//! fixed-width integers). The payload is plain data: no type of another crate, no time of
//! writing, so the same model gives the same bytes.
//!
//! A reader refuses, each with its own sentence: what is no model file, another format, a file
//! too large, torn or damaged, another catalogue, a number that is not finite, a deviation that
//! is not above 0, a probe that scores otherwise than it did when it was stored.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{ChurnModel, Column, Cutoffs, HEADS_MAX, Head, Label, MODEL_WIDTH, ModelParts, Question};
use crate::domain::{ChurnRisk, Day, HorizonDays, hex};
use crate::features::{FEATURES, FeatureVector, Scale, ScaleError, SeriesScale, VolumeScale, catalogue};

/// The format that this program writes and the only one that it reads.
pub const FORMAT_VERSION: u32 = 2;

/// Largest model file that is read, in bytes. A model of 40 features with 32 probes has about
/// 15 KiB, and 65,536 series of volume scale some 6 MiB; beyond 16 MiB it is something else.
pub const MODEL_MAX_BYTES: usize = 16 << 20;

/// Most probes that a file holds. Enough to notice a changed kernel or transform in any
/// feature, few enough to score in microseconds at load.
pub const PROBES_MAX: usize = 32;

/// Largest difference of a probe's risk to the stored one. The exponential may differ in the last bits
/// between platforms; a changed number in the model moves some probe by far more.
const PROBE_TOLERANCE: f64 = 1e-9;

const MAGIC: [u8; 8] = *b"CHURNMDL";
const HEADER_BYTES: usize = 8 + 4 + 8 + 32;

/// Why a model file is not used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RefusedModel {
    #[error("the file does not begin like a model file")]
    NoModel,
    #[error("the file has format {found}, and this program reads format {FORMAT_VERSION}")]
    OtherFormat { found: u32 },
    #[error("the file has {bytes} bytes, more than {MODEL_MAX_BYTES}")]
    TooLarge { bytes: usize },
    #[error("the file is torn: its head announces {announced} bytes of payload, and {present} follow")]
    Torn { announced: u64, present: u64 },
    #[error("the file is damaged: the SHA-256 of its payload is not the one in its head")]
    Damaged,
    #[error("the payload does not decode: {0}")]
    Undecodable(String),
    #[error("{0} bytes follow the payload's last field")]
    TrailingBytes(usize),
    #[error("the model was made for another feature catalogue ({found}, and this program has {own})")]
    OtherCatalogue { found: String, own: String },
    #[error("the model has {found} columns, and the catalogue has {MODEL_WIDTH}")]
    OtherWidth { found: usize },
    #[error("{what} is not a finite number")]
    NotFinite { what: String },
    #[error("the deviation of feature `{feature}` is {deviation}, not above 0")]
    NonPositiveDeviation { feature: String, deviation: f64 },
    #[error("the clip bounds of feature `{feature}` are {low} to {high}")]
    Bounds { feature: String, low: f64, high: f64 },
    #[error("the cut-offs of the levels are medium {medium}, high {high}")]
    Cutoffs { medium: f64, high: f64 },
    #[error("{0} days are no horizon")]
    Horizon(u32),
    #[error("the model has {0} horizons, and needs 1 to {HEADS_MAX}, the shortest first")]
    Horizons(usize),
    #[error("the volume scale is unusable")]
    Volume(#[from] ScaleError),
    #[error("the model has {0} probes, and needs 1 to {PROBES_MAX}")]
    Probes(usize),
    #[error("probe {probe} scores {scored}, and scored {stored} when it was stored")]
    ProbeDiffers { probe: usize, stored: f64, scored: f64 },
}

/// One row and the risks it got when the model was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredProbe {
    values: Vec<f64>,
    /// At every horizon.
    risks: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredColumn {
    /// 0 for a straight scale.
    log_times: u32,
    low: f64,
    high: f64,
    mean: f64,
    deviation: f64,
    typical: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredHead {
    horizon_days: u32,
    intercept: f64,
    coefficients: Vec<f64>,
    medium_from: f64,
    high_from: f64,
}

/// Format 2. The order of the fields is the order of the bytes: a change is another format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredModel {
    catalogue_sha256: [u8; 32],
    silence: bool,
    churn_reasons: Vec<String>,
    lead_days: u32,
    grace_days: u32,
    active_window_days: Option<u32>,
    min_age_days: u32,
    trained_through: i32,
    /// None where volume is cost.
    volume: Option<Vec<SeriesScale>>,
    columns: Vec<StoredColumn>,
    heads: Vec<StoredHead>,
    probes: Vec<StoredProbe>,
}

/// Makes the model of `parts` and the bytes of its file. Up to 32 of `probes`, evenly spaced,
/// are stored with the risks that they get.
///
/// # Errors
/// Where the parts would be refused when read.
pub fn encode(parts: ModelParts, probes: &[FeatureVector]) -> Result<(ChurnModel, Vec<u8>), RefusedModel> {
    let model = ChurnModel::assemble(String::new(), parts);
    let kept = probes.len().min(PROBES_MAX);
    let probes = (0..kept).map(|at| probes[at * probes.len() / kept].values());
    let risks = |values: &[f64]| model.risks_of(values).into_iter().map(ChurnRisk::get).collect();
    let probes = probes.map(|values| StoredProbe { values: values.to_vec(), risks: risks(values) }).collect();
    let payload = to_payload(&StoredModel::of(model.parts, probes))?;
    let bytes = seal(&payload);
    decode(&bytes).map(|model| (model, bytes))
}

/// Reads a model file.
///
/// # Errors
/// Everything that is listed at the head of this module.
pub fn decode(bytes: &[u8]) -> Result<ChurnModel, RefusedModel> {
    let payload = open(bytes)?;
    let stored = from_payload(payload)?;
    let version = version_of(Day::from_epoch_days(stored.trained_through), payload);
    let own = catalogue::hash();
    if stored.catalogue_sha256 != own {
        return Err(RefusedModel::OtherCatalogue { found: hex(&stored.catalogue_sha256[..4]), own: hex(&own[..4]) });
    }
    let (parts, probes) = stored.checked()?;
    let model = ChurnModel::assemble(version, parts);
    check_probes(&model, &probes)?;
    Ok(model)
}

/// The name of the version whose payload this is: the last training day and 8 hexadecimal
/// digits of the SHA-256.
#[must_use]
pub fn version_of(trained_through: Day, payload: &[u8]) -> String {
    format!("{trained_through}-{}", hex(&Sha256::digest(payload)[..4]))
}

/// Puts the envelope around a payload.
fn seal(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend(MAGIC);
    bytes.extend(FORMAT_VERSION.to_le_bytes());
    bytes.extend((payload.len() as u64).to_le_bytes());
    bytes.extend(Sha256::digest(payload));
    bytes.extend(payload);
    bytes
}

/// Checks the envelope and takes it off.
fn open(bytes: &[u8]) -> Result<&[u8], RefusedModel> {
    if bytes.len() > MODEL_MAX_BYTES {
        return Err(RefusedModel::TooLarge { bytes: bytes.len() });
    }
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or(RefusedModel::NoModel)?;
    if *magic != MAGIC {
        return Err(RefusedModel::NoModel);
    }
    let torn = RefusedModel::Torn { announced: 0, present: 0 };
    let (format, rest) = rest.split_first_chunk::<4>().ok_or(torn.clone())?;
    let found = u32::from_le_bytes(*format);
    if found != FORMAT_VERSION {
        return Err(RefusedModel::OtherFormat { found });
    }
    let (length, rest) = rest.split_first_chunk::<8>().ok_or(torn.clone())?;
    let (digest, payload) = rest.split_first_chunk::<32>().ok_or(torn)?;
    let (announced, present) = (u64::from_le_bytes(*length), payload.len() as u64);
    if announced != present {
        return Err(RefusedModel::Torn { announced, present });
    }
    if Sha256::digest(payload)[..] != digest[..] {
        return Err(RefusedModel::Damaged);
    }
    Ok(payload)
}

fn to_payload(stored: &StoredModel) -> Result<Vec<u8>, RefusedModel> {
    let config = bincode::config::legacy().with_limit::<MODEL_MAX_BYTES>();
    bincode::serde::encode_to_vec(stored, config).map_err(|error| RefusedModel::Undecodable(error.to_string()))
}

fn from_payload(payload: &[u8]) -> Result<StoredModel, RefusedModel> {
    let config = bincode::config::legacy().with_limit::<MODEL_MAX_BYTES>();
    let (stored, read) =
        bincode::serde::decode_from_slice(payload, config).map_err(|error| RefusedModel::Undecodable(error.to_string()))?;
    if read == payload.len() { Ok(stored) } else { Err(RefusedModel::TrailingBytes(payload.len() - read)) }
}

impl StoredModel {
    fn of(parts: ModelParts, probes: Vec<StoredProbe>) -> Self {
        let question = parts.question;
        Self {
            catalogue_sha256: catalogue::hash(),
            silence: question.label == Label::Silence,
            churn_reasons: question.churn_reasons,
            lead_days: question.lead_days,
            grace_days: question.grace_days,
            active_window_days: question.active_window_days,
            min_age_days: question.min_age_days,
            trained_through: parts.trained_through.epoch_days(),
            volume: match parts.volume {
                VolumeScale::Cost => None,
                VolumeScale::Quantity(scales) => Some(scales),
            },
            columns: parts.columns.iter().map(StoredColumn::of).collect(),
            heads: parts.heads.into_iter().map(StoredHead::of).collect(),
            probes,
        }
    }

    /// The parts and probes, every number of them checked.
    fn checked(self) -> Result<(ModelParts, Vec<StoredProbe>), RefusedModel> {
        if self.columns.len() != MODEL_WIDTH {
            return Err(RefusedModel::OtherWidth { found: self.columns.len() });
        }
        if !(1..=HEADS_MAX).contains(&self.heads.len()) || !self.heads.is_sorted_by(|a, b| a.horizon_days < b.horizon_days) {
            return Err(RefusedModel::Horizons(self.heads.len()));
        }
        let heads = self.heads.into_iter().map(StoredHead::checked).collect::<Result<Vec<Head>, RefusedModel>>()?;
        let horizon_days = heads.first().map(|head| head.horizon_days).ok_or(RefusedModel::Horizons(0))?;
        let columns: Result<Vec<Column>, RefusedModel> =
            self.columns.iter().zip(FEATURES).map(|(column, feature)| column.checked(feature.name)).collect();
        let volume = self.volume.map_or(VolumeScale::Cost, VolumeScale::Quantity);
        volume.check()?;
        let question = Question {
            label: if self.silence { Label::Silence } else { Label::Status },
            churn_reasons: self.churn_reasons,
            horizon_days,
            lead_days: self.lead_days,
            grace_days: self.grace_days,
            active_window_days: self.active_window_days,
            min_age_days: self.min_age_days,
        };
        let trained_through = Day::from_epoch_days(self.trained_through);
        let parts = ModelParts { question, trained_through, volume, columns: columns?, heads };
        Ok((parts, self.probes))
    }
}

impl StoredColumn {
    fn of(column: &Column) -> Self {
        Self {
            log_times: match column.scale {
                Scale::Straight => 0,
                Scale::SignedLog { times } => times,
            },
            low: column.low,
            high: column.high,
            mean: column.mean,
            deviation: column.deviation,
            typical: column.typical,
        }
    }

    fn checked(&self, feature: &str) -> Result<Column, RefusedModel> {
        let numbers = [self.low, self.high, self.mean, self.deviation, self.typical];
        let names = ["lower clip bound", "upper clip bound", "mean", "deviation", "typical value"];
        for (number, name) in numbers.into_iter().zip(names) {
            finite(number, || format!("the {name} of feature `{feature}`"))?;
        }
        if self.deviation <= 0.0 {
            return Err(RefusedModel::NonPositiveDeviation { feature: feature.to_owned(), deviation: self.deviation });
        }
        if self.low > self.high {
            return Err(RefusedModel::Bounds { feature: feature.to_owned(), low: self.low, high: self.high });
        }
        Ok(Column {
            scale: if self.log_times == 0 { Scale::Straight } else { Scale::SignedLog { times: self.log_times } },
            low: self.low,
            high: self.high,
            mean: self.mean,
            deviation: self.deviation,
            typical: self.typical,
        })
    }
}

impl StoredHead {
    fn of(head: Head) -> Self {
        Self {
            horizon_days: head.horizon_days.get(),
            intercept: head.intercept,
            coefficients: head.coefficients,
            medium_from: head.cutoffs.medium,
            high_from: head.cutoffs.high,
        }
    }

    fn checked(self) -> Result<Head, RefusedModel> {
        let days = self.horizon_days;
        let horizon_days = HorizonDays::new(days).map_err(|_| RefusedModel::Horizon(days))?;
        finite(self.intercept, || format!("the intercept of {days} days"))?;
        if self.coefficients.len() != MODEL_WIDTH {
            return Err(RefusedModel::OtherWidth { found: self.coefficients.len() });
        }
        for (coefficient, feature) in self.coefficients.iter().zip(FEATURES) {
            finite(*coefficient, || format!("the coefficient of feature `{}` at {days} days", feature.name))?;
        }
        let cutoffs = Cutoffs { medium: self.medium_from, high: self.high_from };
        if !(0.0 <= cutoffs.medium && cutoffs.medium <= cutoffs.high && cutoffs.high.is_finite()) {
            return Err(RefusedModel::Cutoffs { medium: cutoffs.medium, high: cutoffs.high });
        }
        Ok(Head { horizon_days, intercept: self.intercept, coefficients: self.coefficients, cutoffs })
    }
}

fn finite(number: f64, what: impl FnOnce() -> String) -> Result<(), RefusedModel> {
    if number.is_finite() { Ok(()) } else { Err(RefusedModel::NotFinite { what: what() }) }
}

/// Scores every probe again.
fn check_probes(model: &ChurnModel, probes: &[StoredProbe]) -> Result<(), RefusedModel> {
    if probes.is_empty() || probes.len() > PROBES_MAX {
        return Err(RefusedModel::Probes(probes.len()));
    }
    for (at, probe) in probes.iter().enumerate() {
        if probe.values.len() != MODEL_WIDTH || probe.risks.len() != model.heads().len() {
            return Err(RefusedModel::OtherWidth { found: probe.values.len() });
        }
        for number in probe.values.iter().chain(&probe.risks) {
            finite(*number, || format!("a number of probe {at}"))?;
        }
        for (risk, stored) in model.risks_of(&probe.values).into_iter().zip(&probe.risks) {
            if (risk.get() - stored).abs() > PROBE_TOLERANCE {
                return Err(RefusedModel::ProbeDiffers { probe: at, stored: *stored, scored: risk.get() });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `tests/golden/model-format-2.bin` holds. Both were written once; a program that
    /// reads format 2 reads these numbers from those bytes.
    fn golden() -> StoredModel {
        let column = |log_times: u32| StoredColumn { log_times, low: -0.5, high: 4.25, mean: 1.125, deviation: 0.75, typical: 2.0 };
        let head = |horizon_days: u32, intercept: f64| StoredHead {
            horizon_days,
            intercept,
            coefficients: vec![1.5, -0.25],
            medium_from: 0.125,
            high_from: 0.5,
        };
        StoredModel {
            catalogue_sha256: [7; 32],
            silence: true,
            churn_reasons: vec!["cancelled".to_owned(), "nonpayment".to_owned()],
            lead_days: 3,
            grace_days: 7,
            active_window_days: Some(28),
            min_age_days: 14,
            trained_through: 20_000,
            volume: Some(vec![SeriesScale { category: "Storage".to_owned(), unit: "GB".to_owned(), median: 12.5 }]),
            columns: vec![column(28), column(0)],
            heads: vec![head(30, -2.0), head(60, -1.5)],
            probes: vec![StoredProbe { values: vec![19.0, 0.25], risks: vec![0.625, 0.75] }],
        }
    }

    #[test]
    fn a_file_of_format_2_still_gives_the_numbers_that_were_put_into_it() {
        let bytes = include_bytes!("../../tests/golden/model-format-2.bin");
        let payload = open(bytes).expect("the envelope of format 2");
        assert_eq!(from_payload(payload).expect("the payload of format 2"), golden());
        assert_eq!(seal(&to_payload(&golden()).expect("plain data")), bytes);
        assert!(matches!(decode(bytes), Err(RefusedModel::OtherCatalogue { .. })));
    }

    #[test]
    fn a_file_of_format_1_is_refused_by_its_number() {
        let bytes = include_bytes!("../../tests/golden/model-format-1.bin");
        assert_eq!(decode(bytes), Err(RefusedModel::OtherFormat { found: 1 }));
    }
}
