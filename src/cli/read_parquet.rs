//! `churn-risk read-parquet`: the child in which an import reads Parquet files of others. Nobody
//! else calls it.

use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

use churn_risk::lake::serve_parquet;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ReadParquetArguments {
    path: PathBuf,
    /// Columns by their place, with commas between them; without any, the names alone are told
    #[arg(long, default_value = "")]
    columns: String,
    /// Address space that reading may take
    #[arg(long)]
    memory_bytes: u64,
}

pub(crate) fn run(arguments: &ReadParquetArguments) -> anyhow::Result<ExitCode> {
    let places: Vec<usize> = arguments.columns.split(',').filter(|place| !place.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
    let mut output = BufWriter::with_capacity(1 << 18, io::stdout().lock());
    serve_parquet(&arguments.path, &places, arguments.memory_bytes, &mut output)?;
    Ok(ExitCode::SUCCESS)
}
