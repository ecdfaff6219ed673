//! Predictions and the training matrix as files of plain columns: CSV or Parquet by the name.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::matrix::Matrix;
use super::outcome::Trained;
use super::snapshots::{self, Snapshots};
use crate::domain::Day;
use crate::features::{FEATURES, Kernel, VolumeScale};
use crate::lake::{PlainColumn, TableFileError, write_parquet};
use crate::model::{Labeller, Question};
use crate::portfolio::Portfolio;
use crate::progress::{Progress, Unit};

/// Why a file was not written.
#[derive(Debug, Error)]
pub enum ExportError {
    #[error("`{}` ends neither in .csv nor in .parquet", .0.display())]
    Format(PathBuf),
    #[error("cannot write `{}`", path.display())]
    Csv { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`", path.display())]
    Parquet { path: PathBuf, source: TableFileError },
}

/// The two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Parquet,
}

fn format_of(path: &Path) -> Result<Format, ExportError> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Ok(Format::Csv),
        Some("parquet") => Ok(Format::Parquet),
        _ => Err(ExportError::Format(path.to_path_buf())),
    }
}

/// Checks that a file of this name can be written, before hours of training.
///
/// # Errors
/// Where the name ends neither in `.csv` nor in `.parquet`.
pub fn check_name(path: &Path) -> Result<(), ExportError> {
    format_of(path).map(|_| ())
}

/// Writes `subscription_id, as_of, risk, label` for every test row.
///
/// # Errors
/// Where the name is of no known format, or the file cannot be written.
pub fn write_predictions(path: &Path, portfolio: &Portfolio, trained: &Trained<'_>) -> Result<(), ExportError> {
    let rows = || trained.scored.iter().map(|scored| scored.row);
    let risks: Vec<f64> = trained.scored.iter().map(|scored| scored.risk).collect();
    let columns = [
        ("subscription_id", PlainColumn::Text(rows().map(|row| portfolio.subscription(row.subscription).id.as_str()).collect())),
        ("as_of", PlainColumn::Days(rows().map(|row| row.as_of).collect())),
        ("risk", PlainColumn::Numbers(&risks)),
        ("label", PlainColumn::Flags(rows().map(|row| row.churned).collect())),
    ];
    write(path, &columns)
}

/// Writes `subscription_id, as_of, label` and the features as the fit saw them (scaled, clipped,
/// standardised) for every training row.
///
/// # Errors
/// As [`write_predictions`].
pub fn write_matrix(path: &Path, portfolio: &Portfolio, trained: &Trained<'_>) -> Result<(), ExportError> {
    write(path, &labelled(portfolio, &trained.training, &trained.matrix))
}

/// `subscription_id, as_of, label` and the features of every row.
fn labelled<'a>(portfolio: &'a Portfolio, taken: &Snapshots<'_>, matrix: &'a Matrix) -> Vec<(&'static str, PlainColumn<'a>)> {
    let rows = || taken.rows.iter();
    let mut columns = vec![
        ("subscription_id", PlainColumn::Text(rows().map(|row| portfolio.subscription(row.subscription).id.as_str()).collect())),
        ("as_of", PlainColumn::Days(rows().map(|row| row.as_of).collect())),
        ("label", PlainColumn::Flags(rows().map(|row| row.churned).collect())),
    ];
    columns.extend(FEATURES.iter().enumerate().map(|(at, feature)| (feature.name, PlainColumn::Numbers(matrix.column(at)))));
    columns
}

/// Writes `subscription_id, customer_id, as_of, label` and the features as the kernel gives them
/// for every row of some as-of days. Rows without a label are left out. Volume is scaled as
/// training on these days would scale it, or by the usage until `scale_until`. Returns the rows.
///
/// # Errors
/// As [`write_predictions`].
pub fn write_features(
    path: &Path,
    portfolio: &Portfolio,
    question: &Question,
    days: &[Day],
    scale_until: Option<Day>,
    progress: Progress,
) -> Result<usize, ExportError> {
    let until = scale_until.or_else(|| days.last().copied()).unwrap_or(Day::from_epoch_days(0));
    let volume = VolumeScale::fit(portfolio, until);
    let kernel = Kernel::new(portfolio, &volume);
    let labeller = Labeller::new(portfolio, &kernel, question);
    let taken = snapshots::take(&labeller, days, &progress.stage("rows", days.len() as u64, Unit::Items));
    let matrix = taken.matrix(&kernel, 0);
    let mut columns = labelled(portfolio, &taken, &matrix);
    let customers = taken.rows.iter().map(|row| portfolio.customer(portfolio.subscription(row.subscription).customer).id.as_str());
    columns.insert(1, ("customer_id", PlainColumn::Text(customers.collect())));
    write(path, &columns)?;
    Ok(taken.rows.len())
}

fn write(path: &Path, columns: &[(&str, PlainColumn<'_>)]) -> Result<(), ExportError> {
    match format_of(path)? {
        Format::Csv => write_csv(path, columns).map_err(|source| ExportError::Csv { path: path.to_path_buf(), source }),
        Format::Parquet => write_parquet(path, columns).map_err(|source| ExportError::Parquet { path: path.to_path_buf(), source }),
    }
}

/// Numbers in the shortest form that reads back to the same bits.
fn write_csv(path: &Path, columns: &[(&str, PlainColumn<'_>)]) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    writeln!(out, "{}", names.join(","))?;
    let rows = columns.iter().map(|(_, column)| column.len()).min().unwrap_or(0);
    for row in 0..rows {
        for (at, (_, column)) in columns.iter().enumerate() {
            if at > 0 {
                out.write_all(b",")?;
            }
            match column {
                PlainColumn::Text(values) => write_text(&mut out, values[row])?,
                PlainColumn::Days(values) => write!(out, "{}", values[row])?,
                PlainColumn::Numbers(values) => write!(out, "{}", values[row])?,
                PlainColumn::Flags(values) => write!(out, "{}", u8::from(values[row]))?,
            }
        }
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// A text in quotes where it holds a comma or a quote. Ids hold no line ends.
fn write_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    if text.contains([',', '"']) { write!(out, "\"{}\"", text.replace('"', "\"\"")) } else { out.write_all(text.as_bytes()) }
}
