//! The canonical tables (FORMATS.md): their names and columns, once, for Parquet and for Delta.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltalake::kernel::{DataType as DeltaType, StructField};

use crate::domain::Day;

/// One of the tables of a lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Table {
    Customers,
    Subscriptions,
    Lifecycle,
    UsageDaily,
    /// Usage that a source tells by the month alone.
    UsageMonthly,
    Commitments,
    Imports,
    /// Not of any version: it only grows, beside the imports.
    Feedback,
    /// Not of any version either.
    Scores,
}

/// What a column holds, as far as Parquet and Delta are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// Text with few different values, kept as a dictionary.
    Name,
    Day,
    Flag,
    /// A whole number; amounts are micro-units.
    Long,
    /// A floating-point number, for what is no amount.
    Real,
}

/// Name, kind, and whether it may be null.
type Column = (&'static str, Kind, bool);

const CUSTOMERS: &[Column] = &[
    ("customer_id", Kind::Text, false),
    ("name", Kind::Text, true),
    ("country", Kind::Text, true),
    ("segment", Kind::Text, true),
    ("reseller_id", Kind::Text, true),
    ("reseller_name", Kind::Text, true),
    ("told_on", Kind::Day, true),
];

const SUBSCRIPTIONS: &[Column] = &[
    ("subscription_id", Kind::Text, false),
    ("customer_id", Kind::Text, false),
    ("name", Kind::Text, true),
    ("product", Kind::Text, true),
    ("created_on", Kind::Day, true),
    ("auto_renew", Kind::Flag, true),
    ("term_end_on", Kind::Day, true),
    ("is_trial", Kind::Flag, true),
    ("status", Kind::Text, true),
    ("status_on", Kind::Day, true),
    ("vendor_level", Kind::Text, true),
    ("vendor_level_on", Kind::Day, true),
    ("told_on", Kind::Day, true),
];

const LIFECYCLE: &[Column] = &[
    ("subscription_id", Kind::Text, false),
    ("on", Kind::Day, false),
    ("event", Kind::Text, false),
    ("reason", Kind::Text, true),
    // True where an export showed the state and not the day, which is that of the export then.
    ("observed", Kind::Flag, true),
];

/// Of `usage_daily`, and of `usage_monthly`, whose `on` is the first day of the month.
const USAGE: &[Column] = &[
    ("subscription_id", Kind::Name, false),
    ("on", Kind::Day, false),
    ("category", Kind::Name, false),
    ("unit", Kind::Name, false),
    ("quantity_micros", Kind::Long, false),
    ("cost_micros", Kind::Long, true),
];

const COMMITMENTS: &[Column] = &[
    ("commitment_id", Kind::Text, false),
    ("subscription_id", Kind::Text, true),
    ("customer_id", Kind::Text, true),
    ("product", Kind::Text, true),
    ("kind", Kind::Text, false),
    ("quantity_micros", Kind::Long, true),
    ("ends_on", Kind::Day, true),
];

const IMPORTS: &[Column] = &[
    ("import_id", Kind::Long, false),
    ("source", Kind::Text, false),
    ("imported_on", Kind::Day, false),
    ("files", Kind::Text, false),
    ("rows_read", Kind::Long, false),
    ("rows_kept", Kind::Long, false),
    ("rows_refused", Kind::Long, false),
    ("first_day", Kind::Day, true),
    ("last_day", Kind::Day, true),
    ("warnings", Kind::Text, false),
    ("table_versions", Kind::Text, false),
    ("as_of", Kind::Day, true),
    ("currency", Kind::Text, true),
    ("rows_set_aside", Kind::Long, true),
    ("source_days", Kind::Text, true),
];

const FEEDBACK: &[Column] = &[
    ("number", Kind::Long, false),
    ("feedback_id", Kind::Text, false),
    ("subscription_id", Kind::Text, false),
    ("given_on", Kind::Day, false),
    ("as_of", Kind::Day, false),
    ("model_version", Kind::Text, true),
    ("risk", Kind::Real, true),
    ("verdict", Kind::Text, true),
    ("outcome", Kind::Text, true),
    ("note", Kind::Text, true),
    ("given_by", Kind::Text, true),
];

/// One file is the rows of one subscription after the other; what all of them share are the
/// partition columns, [`SCORING`].
const SCORES: &[Column] = &[
    ("subscription_id", Kind::Text, false),
    ("horizon_days", Kind::Long, false),
    ("risk", Kind::Real, true),
    ("level", Kind::Text, true),
    ("reason", Kind::Text, true),
];

/// The partition columns of `scores`. A partition value is in the log, so what scorings there are
/// is told without opening a file. `horizons` are the values of `horizon_days`, ascending, with
/// commas between them; null where there is no row.
const SCORING: &[Column] = &[
    ("as_of", Kind::Day, false),
    ("model_version", Kind::Text, false),
    ("table_version", Kind::Long, false),
    ("scored_on", Kind::Day, false),
    ("horizons", Kind::Text, true),
];

/// The partition column of `usage_daily`: the month as `2026-01`.
pub(crate) const MONTH: &str = "month";

/// What the rows of a file share, by partition column, as the log writes it. A column that is not
/// here is null.
pub(crate) type Partition = BTreeMap<&'static str, String>;

/// The value of [`MONTH`] for the rows of a day.
pub(crate) fn month_of(day: Day) -> String {
    day.date().format("%Y-%m").to_string()
}

impl Table {
    /// The tables whose versions an import names.
    pub(crate) const VERSIONED: [Self; 6] =
        [Self::Customers, Self::Subscriptions, Self::Lifecycle, Self::UsageDaily, Self::UsageMonthly, Self::Commitments];

    /// The tables that are added to by themselves.
    pub(crate) const BESIDE: [Self; 2] = [Self::Feedback, Self::Scores];

    /// Every table that an import writes, the commit point last.
    pub(crate) fn imported() -> impl Iterator<Item = Self> {
        Self::VERSIONED.into_iter().chain([Self::Imports])
    }

    /// Its name, which is also its folder's.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Subscriptions => "subscriptions",
            Self::Lifecycle => "lifecycle",
            Self::UsageDaily => "usage_daily",
            Self::UsageMonthly => "usage_monthly",
            Self::Commitments => "commitments",
            Self::Imports => "imports",
            Self::Feedback => "feedback",
            Self::Scores => "scores",
        }
    }

    const fn columns(self) -> &'static [Column] {
        match self {
            Self::Customers => CUSTOMERS,
            Self::Subscriptions => SUBSCRIPTIONS,
            Self::Lifecycle => LIFECYCLE,
            Self::UsageDaily | Self::UsageMonthly => USAGE,
            Self::Commitments => COMMITMENTS,
            Self::Imports => IMPORTS,
            Self::Feedback => FEEDBACK,
            Self::Scores => SCORES,
        }
    }

    /// The columns of its Parquet files.
    pub(crate) fn arrow_schema(self) -> SchemaRef {
        let field = |(name, kind, nullable): &Column| {
            let data_type = match kind {
                Kind::Text => DataType::Utf8,
                Kind::Name => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
                Kind::Day => DataType::Date32,
                Kind::Flag => DataType::Boolean,
                Kind::Long => DataType::Int64,
                Kind::Real => DataType::Float64,
            };
            Field::new(*name, data_type, *nullable)
        };
        Arc::new(Schema::new(self.columns().iter().map(field).collect::<Vec<_>>()))
    }

    /// The columns of the Delta table: those of its files, then the partition.
    pub(crate) fn delta_columns(self) -> Vec<StructField> {
        let field = |(name, kind, nullable): &Column| {
            let data_type = match kind {
                Kind::Text | Kind::Name => DeltaType::STRING,
                Kind::Day => DeltaType::DATE,
                Kind::Flag => DeltaType::BOOLEAN,
                Kind::Long => DeltaType::LONG,
                Kind::Real => DeltaType::DOUBLE,
            };
            StructField::new(*name, data_type, *nullable)
        };
        self.columns().iter().chain(self.partition_columns()).map(field).collect()
    }

    const fn partition_columns(self) -> &'static [Column] {
        match self {
            Self::UsageDaily | Self::UsageMonthly => &[(MONTH, Kind::Text, true)],
            Self::Scores => SCORING,
            _ => &[],
        }
    }

    /// The names of the partition columns.
    pub(crate) fn partitions(self) -> impl Iterator<Item = &'static str> {
        self.partition_columns().iter().map(|(name, ..)| *name)
    }

    /// The partition values of a file as one text: the value itself where there is one column,
    /// empty where there is none.
    pub(crate) fn partition_text<'a>(self, value: impl Fn(&str) -> Option<&'a str>) -> String {
        self.partitions().map(|name| value(name).unwrap_or_default()).collect::<Vec<_>>().join("/")
    }
}
