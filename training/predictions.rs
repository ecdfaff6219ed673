//! The plain columns of predictions and of the training matrix, for any file format.

use std::io::{self, Write};

use super::outcome::Trained;
use crate::features::FEATURES;
use crate::portfolio::Portfolio;

/// Writes `subscription_id,as_of,risk,label` for every test row.
///
/// # Errors
/// Where `out` does not take the bytes.
pub fn predictions_csv(portfolio: &Portfolio, trained: &Trained<'_>, mut out: impl Write) -> io::Result<()> {
    writeln!(out, "subscription_id,as_of,risk,label")?;
    for scored in &trained.scored {
        let id = portfolio.subscription(scored.row.subscription).id.as_str();
        writeln!(out, "{},{},{},{}", Quoted(id), scored.row.as_of, scored.risk, u8::from(scored.row.churned))?;
    }
    Ok(())
}

/// Writes `subscription_id,as_of,label` and the features as the fit saw them (scaled, clipped,
/// standardised), every digit of them, for every training row.
///
/// # Errors
/// Where `out` does not take the bytes.
pub fn matrix_csv(portfolio: &Portfolio, trained: &Trained<'_>, mut out: impl Write) -> io::Result<()> {
    write!(out, "subscription_id,as_of,label")?;
    for feature in FEATURES {
        write!(out, ",{}", feature.name)?;
    }
    writeln!(out)?;
    for (number, row) in trained.training.rows.iter().enumerate() {
        let id = portfolio.subscription(row.subscription).id.as_str();
        write!(out, "{},{},{}", Quoted(id), row.as_of, u8::from(row.churned))?;
        for value in trained.matrix.row(number) {
            write!(out, ",{value}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// A text as a CSV field: in quotes where it holds a comma or a quote. Ids hold no line ends.
struct Quoted<'a>(&'a str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.contains([',', '"']) { write!(f, "\"{}\"", self.0.replace('"', "\"\"")) } else { f.write_str(self.0) }
    }
}
