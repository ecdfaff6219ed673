//! The command line of `churn-train`, parsed once.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Parser, Subcommand, ValueEnum};
use thiserror::Error;

use super::outcome::TrainRequest;
use super::split::DayRange;
use crate::domain::{Day, HorizonDays, RiskError};
use crate::features::Family;
use crate::lake::LakeAt;
use crate::model::{HEADS_MAX, Label, Question};

/// Days of the window in which a subscription must have been used to be asked about silence.
const SILENCE_WINDOW_DAYS: u32 = 28;

/// Horizons that a model gets where none are asked for, in days.
const HORIZONS: [u32; 3] = [30, 60, 90];

/// Churn models of a lake. Flags without a command train one.
#[derive(Debug, Clone, Parser)]
#[command(name = "churn-train", version)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Train a churn model on a lake and write it to the registry of models
    Train(Box<TrainArgs>),
    /// Write the features and labels of every subscription on some days to a file for notebooks
    Features(FeaturesArgs),
    /// All models of the registry, with their grades and figures
    List(ModelsArgs),
    /// One model: rows, figures, grade, and when it was in service
    Show {
        /// Version; the one in service if none is given
        version: Option<String>,
        #[command(flatten)]
        models: ModelsArgs,
    },
    /// Write the report of a model anew from its card
    Report {
        /// Version; the one in service if none is given
        version: Option<String>,
        /// File to write; beside the model if none is given
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        models: ModelsArgs,
    },
    /// Two models side by side
    Compare {
        one: String,
        other: String,
        #[command(flatten)]
        models: ModelsArgs,
        /// Lake on whose rows that neither had seen they are held side by side
        #[arg(long, value_name = "DIR")]
        lake: Option<LakeAt>,
        /// The version of its tables to read; the newest where it is not given
        #[arg(long, value_name = "VERSION", requires = "lake")]
        as_of_version: Option<u64>,
    },
    /// Put a model in service; one of grade D, or worse than the one in service, only by force
    Promote {
        version: String,
        #[command(flatten)]
        models: ModelsArgs,
        /// Lake on whose later rows it is first held beside the version in service
        #[arg(long, value_name = "DIR", conflicts_with = "force")]
        lake: Option<LakeAt>,
        /// The version of its tables to read; the newest where it is not given
        #[arg(long, value_name = "VERSION", requires = "lake")]
        as_of_version: Option<u64>,
        /// In spite of its grade; needs --by and --why, which are recorded
        #[arg(long, requires_all = ["by", "why"])]
        force: bool,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        audit: AuditArgs,
    },
    /// Put the model back that was in service before
    Rollback {
        #[command(flatten)]
        models: ModelsArgs,
        #[command(flatten)]
        audit: AuditArgs,
    },
    /// Read and check every model
    Verify(ModelsArgs),
}

/// Where it is recorded which model comes into service.
#[derive(Debug, Clone, clap::Args)]
pub struct AuditArgs {
    /// Folder of the audit log: who did what, and when
    #[arg(long, env = "CHURN_RISK_AUDIT", value_name = "FOLDER")]
    pub audit: Option<PathBuf>,
}

/// A registry of models.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelsArgs {
    /// Registry of models
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models: PathBuf,
}

impl Args {
    /// Reads the arguments of this process. Flags without a command are those of `train`.
    #[must_use]
    pub fn read() -> Self {
        Self::parse_from(with_command(std::env::args_os().collect()))
    }
}

fn with_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let of_the_program = ["-h", "--help", "-V", "--version"];
    let first = arguments.get(1).and_then(|first| first.to_str());
    if first.is_some_and(|first| first.starts_with('-') && !of_the_program.contains(&first)) {
        arguments.insert(1, "train".into());
    }
    arguments
}

/// A lake, and what to read of it.
#[derive(Debug, Clone, clap::Args)]
pub struct LakeArgs {
    /// Folder of the lake that `churn-risk import` wrote, or its URL in an object store
    #[arg(long, value_name = "DIR")]
    pub lake: LakeAt,
    /// Days that the as-of day stands back from the last usage day, where the feed restates them
    #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=365), hide = true)]
    pub settle_days: u32,
    /// The version of the tables to read; the newest where it is not given
    #[arg(long, value_name = "VERSION")]
    pub as_of_version: Option<u64>,
}

/// The question that a model answers.
#[derive(Debug, Clone, clap::Args)]
pub struct QuestionArgs {
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
    /// Days a partner needs to react: the window begins so much later
    #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=365))]
    pub lead: u32,
    /// Days within which a recovery undoes a deprovisioning
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(0..=365))]
    pub grace: u32,
}

/// `churn-train train`.
#[derive(Debug, Clone, clap::Args)]
pub struct TrainArgs {
    #[command(flatten)]
    pub from: LakeArgs,
    #[command(flatten)]
    pub question: QuestionArgs,
    /// Days ahead that the risk looks, 1 to 365, several of them with commas between; the shortest is graded
    #[arg(long = "horizon", value_name = "DAYS", value_delimiter = ',', default_values_t = HORIZONS)]
    pub horizons: Vec<u32>,
    /// As-of days to train on, such as 2025-01-01..2025-06-30/14
    #[arg(long, value_name = "FROM..TO/STEP", requires = "test_days")]
    pub train_days: Option<DayRange>,
    /// As-of days to test on
    #[arg(long, value_name = "FROM..TO/STEP", requires = "train_days")]
    pub test_days: Option<DayRange>,
    /// L2 penalty of the coefficients [default: chosen on training rows left out]
    #[arg(long, value_name = "NUMBER")]
    pub alpha: Option<f64>,
    /// Family of features to leave out, may be given several times: what does it add?
    #[arg(long, value_name = "FAMILY", value_enum)]
    pub without: Vec<Family>,
    /// Registry to write the model to
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models: PathBuf,
    #[command(flatten)]
    pub audit: AuditArgs,
    /// Write subscription, as-of day, risk and label of every test row to a .csv or .parquet file
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
    /// Write the training matrix as the fit saw it to a .csv or .parquet file
    #[arg(long, value_name = "FILE", hide = true)]
    pub matrix: Option<PathBuf>,
}

/// `churn-train features`.
#[derive(Debug, Clone, clap::Args)]
pub struct FeaturesArgs {
    #[command(flatten)]
    pub from: LakeArgs,
    #[command(flatten)]
    pub question: QuestionArgs,
    /// Days ahead that the label looks, 1 to 365
    #[arg(long, value_name = "DAYS", default_value_t = HORIZONS[0])]
    pub horizon: u32,
    /// As-of days, such as 2025-01-01..2025-06-30/14
    #[arg(long, value_name = "FROM..TO/STEP")]
    pub as_of: DayRange,
    /// Last day whose usage sets the scale of volume [default: the last as-of day]
    #[arg(long, value_name = "DAY", value_parser = Day::parse)]
    pub scale_until: Option<Day>,
    /// File to write, .csv or .parquet
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// What counts as leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LabelArg {
    /// A deprovisioning that is not recovered within the grace days
    Status,
    /// No usage day within the horizon
    Silence,
}

impl ValueEnum for Family {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Level, Self::Recency, Self::Trend, Self::Variability, Self::Breadth, Self::Life, Self::Customer]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Level => "level",
            Self::Recency => "recency",
            Self::Trend => "trend",
            Self::Variability => "variability",
            Self::Breadth => "breadth",
            Self::Life => "life",
            Self::Customer => "customer",
        }))
    }
}

/// Why the arguments ask for nothing that can be trained.
#[derive(Debug, Error)]
pub enum ArgsError {
    #[error(transparent)]
    Horizon(#[from] RiskError),
    #[error("--alpha is {0}, not a number above 0")]
    Alpha(f64),
    #[error("--horizon names {0} horizons; a model has 1 to {HEADS_MAX}")]
    Horizons(usize),
    #[error(
        "--churn-reason {0} has no meaning with --label silence: only a recorded end has a reason; leave it out, or use --label status"
    )]
    ReasonOfSilence(String),
}

impl TrainArgs {
    /// What is asked for.
    ///
    /// # Errors
    /// Where a horizon is not 1 to 365 days, or there are too many, and as [`QuestionArgs::question`].
    pub fn request(&self) -> Result<TrainRequest, ArgsError> {
        let mut horizons = self.horizons.iter().map(|days| HorizonDays::new(*days)).collect::<Result<Vec<_>, _>>()?;
        horizons.sort_unstable();
        horizons.dedup();
        let (Some((first, further)), 1..=HEADS_MAX) = (horizons.split_first(), horizons.len()) else {
            return Err(ArgsError::Horizons(horizons.len()));
        };
        if let Some(alpha) = self.alpha.filter(|alpha| !(alpha.is_finite() && *alpha > 0.0)) {
            return Err(ArgsError::Alpha(alpha));
        }
        Ok(TrainRequest {
            question: self.question.question(*first)?,
            further: further.to_vec(),
            days: self.train_days.zip(self.test_days),
            alpha: self.alpha,
            without: self.without.clone(),
        })
    }
}

impl QuestionArgs {
    /// The question that is asked at a horizon.
    ///
    /// # Errors
    /// Where a reason is given that silence has none of.
    pub fn question(&self, horizon_days: HorizonDays) -> Result<Question, ArgsError> {
        if let (LabelArg::Silence, Some(reason)) = (self.label, self.churn_reasons.first()) {
            return Err(ArgsError::ReasonOfSilence(reason.clone()));
        }
        let (label, window) = match self.label {
            LabelArg::Status => (Label::Status, self.active_window),
            LabelArg::Silence => (Label::Silence, Some(self.active_window.unwrap_or(SILENCE_WINDOW_DAYS))),
        };
        Ok(Question {
            label,
            churn_reasons: self.churn_reasons.iter().map(|reason| reason.trim().to_owned()).collect(),
            horizon_days,
            lead_days: self.lead,
            grace_days: self.grace,
            active_window_days: window,
            min_age_days: self.min_age,
        })
    }
}
