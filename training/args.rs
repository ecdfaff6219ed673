//! The command line of `churn-train`, parsed once into a [`TrainRequest`].

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use thiserror::Error;

use super::outcome::TrainRequest;
use super::split::DayRange;
use crate::domain::{HorizonDays, RiskError};
use crate::model::{Label, Question};

/// Days of the window in which a subscription must have been used to be asked about silence.
const SILENCE_WINDOW_DAYS: u32 = 28;

/// Trains a churn model on a lake and writes it to the registry of models.
#[derive(Debug, Clone, Parser)]
#[command(name = "churn-train", version)]
pub struct Args {
    /// Folder of the lake that `churn-risk import` wrote
    #[arg(long, value_name = "DIR")]
    pub lake: PathBuf,
    /// Days that the as-of day stands back from the last usage day, where the feed restates them
    #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=365), hide = true)]
    pub settle_days: u32,
    /// What counts as leaving: a recorded deprovisioning, or falling silent
    #[arg(long, value_enum)]
    pub label: LabelArg,
    /// Reason of an end that counts as churn, may be given several times; without it every reason does
    #[arg(long = "churn-reason", value_name = "REASON")]
    pub churn_reasons: Vec<String>,
    /// Only subscriptions used in the last so many days [default for silence: 28]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub active_window: Option<u32>,
    /// Only subscriptions first used at least so many days ago
    #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub min_age: u32,
    /// Days ahead that the risk looks, 1 to 365
    #[arg(long, value_name = "DAYS")]
    pub horizon: u32,
    /// Days a partner needs to react: the window begins so much later
    #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=365))]
    pub lead: u32,
    /// Days within which a recovery undoes a deprovisioning
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(0..=365))]
    pub grace: u32,
    /// As-of days to train on, such as 2025-01-01..2025-06-30/14
    #[arg(long, value_name = "FROM..TO/STEP", requires = "test_days")]
    pub train_days: Option<DayRange>,
    /// As-of days to test on
    #[arg(long, value_name = "FROM..TO/STEP", requires = "train_days")]
    pub test_days: Option<DayRange>,
    /// Registry to write the model to
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models: PathBuf,
    /// Write subscription, as-of day, risk and label of every test row to a .csv or .parquet file
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
    /// Write the training matrix as the fit saw it to a .csv or .parquet file
    #[arg(long, value_name = "FILE", hide = true)]
    pub matrix: Option<PathBuf>,
}

/// What counts as leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LabelArg {
    /// A deprovisioning that is not recovered within the grace days
    Status,
    /// No usage day within the horizon
    Silence,
}

/// Why the arguments ask for nothing that can be trained.
#[derive(Debug, Error)]
pub enum ArgsError {
    #[error(transparent)]
    Horizon(#[from] RiskError),
    #[error(
        "--churn-reason {0} has no meaning with --label silence: only a recorded end has a reason; leave it out, or use --label status"
    )]
    ReasonOfSilence(String),
}

impl Args {
    /// What is asked for.
    ///
    /// # Errors
    /// Where the horizon is not 1 to 365 days, or a reason is given that silence has none of.
    pub fn request(&self) -> Result<TrainRequest, ArgsError> {
        if let (LabelArg::Silence, Some(reason)) = (self.label, self.churn_reasons.first()) {
            return Err(ArgsError::ReasonOfSilence(reason.clone()));
        }
        let (label, window) = match self.label {
            LabelArg::Status => (Label::Status, self.active_window),
            LabelArg::Silence => (Label::Silence, Some(self.active_window.unwrap_or(SILENCE_WINDOW_DAYS))),
        };
        let question = Question {
            label,
            churn_reasons: self.churn_reasons.iter().map(|reason| reason.trim().to_owned()).collect(),
            horizon_days: HorizonDays::new(self.horizon)?,
            lead_days: self.lead,
            grace_days: self.grace,
            active_window_days: window,
            min_age_days: self.min_age,
        };
        Ok(TrainRequest { question, days: self.train_days.zip(self.test_days), alpha: 1.0 })
    }
}
