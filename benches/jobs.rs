//! The hot paths on a small simulated partner: import, load, features, ranking, fit. For
//! comparing one version of the program with the next; `peers/run` compares with other programs.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

use churn_risk::domain::{Bucket, Day, Period, State};
use churn_risk::features::{History, Kernel, Usual, VolumeScale};
use churn_risk::lake::{ImportRequest, Reading, import};
use churn_risk::metrics::{Filter, RawFilter, churn, summary};
use churn_risk::portfolio::{self, Portfolio};
use churn_risk::progress::Progress;
use churn_risk::simulate::{self, Plan};
use churn_risk::training::{Matrix, fit};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tempfile::TempDir;

const SUBSCRIPTIONS: u32 = 500;
const DAYS: u32 = 200;

fn request(files: &Path, lake: &Path, today: Day) -> ImportRequest {
    ImportRequest {
        paths: vec![files.to_path_buf()],
        lake: lake.into(),
        today,
        max_rejects: 0.0,
        memory_bytes: 128 << 20,
        currency: None,
        rates: BTreeMap::new(),
        reading: Reading::default(),
        progress: Progress::Silent,
    }
}

#[expect(clippy::expect_used, reason = "a bench that cannot begin says so")]
fn jobs(criterion: &mut Criterion) {
    let until = Day::from_epoch_days(20_600);
    let plan = Plan::new(SUBSCRIPTIONS, DAYS, 1, until).expect("a small plan");
    let folder = TempDir::new().expect("a temporary folder");
    let (files, lake) = (folder.path().join("files"), folder.path().join("lake"));
    simulate::write_csv(plan, &files, |_| ()).expect("the files are written");
    import(&request(&files, &lake, until)).expect("the files are imported");
    let portfolio = portfolio::load(&lake, 0).expect("the lake loads");

    criterion.bench_function("import of 60,000 rows", |bencher| {
        bencher.iter_batched(
            || TempDir::new().expect("a temporary folder"),
            |target| import(&request(&files, target.path(), until)).expect("the files are imported"),
            BatchSize::PerIteration,
        );
    });
    criterion
        .bench_function("load from the cache", |bencher| bencher.iter(|| portfolio::load(black_box(&lake), 0).expect("the lake loads")));
    criterion.bench_function("features at one day", |bencher| bencher.iter(|| features(black_box(&portfolio), until)));
    let everyone = Filter::parse(&RawFilter::default()).expect("no filter is a filter");
    let month = Period::last(30, until);
    criterion.bench_function("summary of 30 days", |bencher| bencher.iter(|| summary(black_box(&portfolio), month, &everyone)));
    criterion.bench_function("churn by day of 30 days", |bencher| {
        bencher.iter(|| churn(black_box(&portfolio), month, Bucket::Day, &everyone));
    });
    let (matrix, labels) = made_up_matrix(20_000, 40);
    criterion.bench_function("fit of 20,000 x 40", |bencher| bencher.iter(|| fit::logistic(&matrix, &labels, 1.0).expect("it converges")));
}

fn features(portfolio: &Portfolio, day: Day) -> f64 {
    let kernel = Kernel::new(portfolio, &VolumeScale::fit(portfolio, day));
    let mut at = kernel.at(day, Usual::of(&kernel, portfolio, day));
    let active = portfolio.subscription_indices().filter(|subscription| portfolio.state_at(*subscription, day) == State::Active);
    active.map(|subscription| at.features(&History::of(portfolio, subscription)).values().iter().sum::<f64>()).sum()
}

/// Columns of a fixed wave each, and labels that two of them drive.
fn made_up_matrix(rows: usize, columns: usize) -> (Matrix, Vec<bool>) {
    let mut matrix = Matrix::zeros(rows, columns);
    let wave = |row: usize, column: usize| ((row * (column + 7) * 7919 + column) % 1009) as f64 / 504.5 - 1.0;
    for row in 0..rows {
        let values: Vec<f64> = (0..columns).map(|column| wave(row, column)).collect();
        matrix.set_row(row, &values);
    }
    let labels = (0..rows).map(|row| 2.0 * wave(row, 0) - wave(row, 3) + wave(row, 11) * wave(row, 17) > 1.6).collect();
    (matrix, labels)
}

criterion_group!(benches, jobs);
criterion_main!(benches);
