//! One job on a lake, told in CPU seconds: what `benches/peers/run` sets beside `DuckDB`, Polars
//! and scikit-learn. The process does nothing else, so its whole time can be taken from outside.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use churn_risk::domain::{Day, State};
use churn_risk::features::{FEATURES, History, Kernel, Usual, VolumeScale};
use churn_risk::lake::ParquetColumns;
use churn_risk::portfolio::{self, Portfolio};
use churn_risk::training::{Matrix, fit};

fn main() -> anyhow::Result<()> {
    // `cargo bench` and `cargo test --benches` pass flags of their own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["features", lake] => features(Path::new(lake), 1),
        ["snapshots", lake] => features(Path::new(lake), 12),
        ["load", lake] => load(Path::new(lake)).map(|_| ()),
        ["fit", matrix] => fit_matrix(&PathBuf::from(matrix)),
        [] => Ok(()),
        _ => bail!("peer_job features LAKE | snapshots LAKE | load LAKE | fit MATRIX.csv|MATRIX.parquet"),
    }
}

/// CPU seconds of this process so far, from the kernel's count of ticks (100 a second).
fn cpu_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("no command name")?.1.split_whitespace().collect();
    let ticks = |field: usize| -> anyhow::Result<u64> { Ok(fields.get(field).context("a short stat line")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) as f64 / 100.0)
}

#[expect(clippy::print_stdout, reason = "the figure is the output")]
fn tell(job: &str, rows: usize, since: f64) -> anyhow::Result<f64> {
    let now = cpu_seconds()?;
    println!("{{\"job\": \"{job}\", \"rows\": {rows}, \"cpu_s\": {:.2}}}", now - since);
    Ok(now)
}

fn load(lake: &Path) -> anyhow::Result<Portfolio> {
    let portfolio = portfolio::load(lake, 0)?;
    tell("load", portfolio.usage_rows(), 0.0)?;
    Ok(portfolio)
}

/// Feature rows of every active subscription at the last `month_ends` month ends; for 1, at the
/// as-of day.
fn features(lake: &Path, month_ends: i32) -> anyhow::Result<()> {
    let portfolio = load(lake)?;
    let since = cpu_seconds()?;
    let as_of = portfolio.as_of().context("no usage")?;
    let days: Vec<Day> =
        if month_ends == 1 { vec![as_of] } else { (0..month_ends).rev().map(|back| (as_of + 1).plus_months(-back) - 1).collect() };
    let kernel = Kernel::new(&portfolio, &VolumeScale::fit(&portfolio, as_of));
    let usual = Usual::of_days(&kernel, &portfolio, &days);
    let mut roll = kernel.roll(days.into_iter().zip(usual));
    let (mut rows, mut sum) = (0, 0.0);
    for subscription in portfolio.subscription_indices() {
        let active = |day| (portfolio.state_at(subscription, day) == State::Active).then_some(());
        roll.features(&History::of(&portfolio, subscription), active, |(), row| {
            sum += row.values().iter().sum::<f64>();
            rows += 1;
        });
    }
    tell(&format!("{} features a row, their sum {sum:.6e}", FEATURES.len()), rows, since)?;
    Ok(())
}

/// Fits the matrix that `churn-train --matrix` wrote (subscription, as-of day, label, features),
/// each feature standardised first, and measures the fit on the same rows.
fn fit_matrix(path: &Path) -> anyhow::Result<()> {
    let (mut matrix, churned) = if path.extension().is_some_and(|end| end == "csv") { read_csv(path)? } else { read_parquet(path)? };
    let since = tell("read the matrix", matrix.rows(), 0.0)?;
    standardise(&mut matrix);
    let since = tell("standardise", matrix.rows(), since)?;
    let fitted = fit::logistic(&matrix, &churned, 1.0)?;
    let since = tell(&format!("fit in {} Newton steps", fitted.newton_steps), matrix.rows(), since)?;
    let risks = matrix.risks(&fitted.coefficients, fitted.intercept);
    let loss: f64 = risks.iter().zip(&churned).map(|(risk, left)| if *left { -risk.ln() } else { -(1.0 - risk).ln() }).sum();
    let (loss, auc) = (loss / matrix.rows() as f64, roc_auc(&risks, &churned));
    tell(&format!("evaluate: log loss {loss:.9}, ROC AUC {auc:.6}"), matrix.rows(), since)?;
    Ok(())
}

fn read_csv(path: &Path) -> anyhow::Result<(Matrix, Vec<bool>)> {
    let text = std::fs::read_to_string(path)?;
    let mut lines = text.lines();
    let width = lines.next().context("no header")?.split(',').count() - 3;
    let rows: Vec<&str> = lines.collect();
    let mut matrix = Matrix::zeros(rows.len(), width);
    let mut churned = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        let mut cells = row.split(',').skip(2);
        churned.push(matches!(cells.next(), Some("1" | "true")));
        let values = cells.map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        matrix.set_row(number, &values);
    }
    Ok((matrix, churned))
}

fn read_parquet(path: &Path) -> anyhow::Result<(Matrix, Vec<bool>)> {
    let table = ParquetColumns::open(path)?;
    let rows = table.rows();
    let mut label = Vec::with_capacity(rows);
    table.read_numbers(table.names().position(|name| name == "label").context("no label")?, &mut label)?;
    let churned: Vec<bool> = label.into_iter().map(|label| label > 0.5).collect();
    let features: Vec<usize> =
        table.names().enumerate().filter(|(_, name)| FEATURES.iter().any(|feature| feature.name == *name)).map(|(at, _)| at).collect();
    let mut values = Vec::with_capacity(rows * features.len());
    for column in &features {
        table.read_numbers(*column, &mut values)?;
    }
    let matrix = Matrix::from_columns(rows, features.len(), values).context("columns of unequal length")?;
    Ok((matrix, churned))
}

/// Mean 0 and deviation 1, as scikit-learn's `StandardScaler`; a constant column is only moved.
fn standardise(matrix: &mut Matrix) {
    for column in matrix.columns_mut() {
        let n = column.len() as f64;
        let mean = column.iter().sum::<f64>() / n;
        let deviation = (column.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / n).sqrt();
        let by = if deviation > 0.0 { deviation.recip() } else { 1.0 };
        for value in column {
            *value = (*value - mean) * by;
        }
    }
}

/// Chance that a churner's risk is above that of one who stays; equal risks count half.
fn roc_auc(risks: &[f64], churned: &[bool]) -> f64 {
    let mut order: Vec<(f64, bool)> = risks.iter().copied().zip(churned.iter().copied()).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut pairs, mut churners) = (0.0, 0.0, 0.0);
    for tied in order.chunk_by(|a, b| a.0 >= b.0) {
        let left = tied.iter().filter(|(_, churned)| *churned).count() as f64;
        let stayed = tied.len() as f64 - left;
        pairs += left * (below + stayed / 2.0);
        (below, churners) = (below + stayed, churners + left);
    }
    pairs / (below * churners)
}
