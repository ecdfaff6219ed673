//! `churn-risk demo`: a made-up partner from its files to an explained at-risk list, served.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use churn_risk::domain::{Day, HorizonDays, Level};
use churn_risk::lake::{ImportRequest, Reading, import};
use churn_risk::model::{Label, Promotion, Question, Registry, Scorer, Standing};
use churn_risk::portfolio::{self, Portfolio};
use churn_risk::progress::{Progress, Unit, say};
use churn_risk::service::{Service, ServiceConfig, TableSource};
use churn_risk::simulate::{self, Plan};
use churn_risk::training::{self, TrainRequest};
use clap::Args;

use super::table::table;

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Folder for the files, tables and models; one in the system's temporary folder if not given
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Loopback address and port
    #[arg(long, default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
    /// Last day of the data; yesterday (UTC) where it is not given
    #[arg(long, value_parser = Day::parse)]
    until: Option<Day>,
    /// Ask the service for the at-risk list once, print the answer, and stop
    #[arg(long)]
    once: bool,
}

const SUBSCRIPTIONS: u32 = 2_000;
const DAYS: u32 = 400;
const SEED: u64 = 1;
const HORIZON_DAYS: u32 = 30;
const FURTHER_DAYS: [u32; 2] = [60, 90];
const GRACE_DAYS: u32 = 7;

/// Rows of the list on the terminal; the service has them all.
const ROWS_SHOWN: usize = 8;

pub(crate) fn run(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    super::log_to_stderr();
    let until = arguments.until.unwrap_or_else(|| super::today() - 1);
    // One folder a day of data: two days' worth of one partner in a lake would not be one partner.
    let dir = arguments.dir.clone().unwrap_or_else(|| std::env::temp_dir().join("churn-risk-demo")).join(until.to_string());
    let (files, lake, models) = (dir.join("files"), dir.join("lake"), dir.join("models"));

    make_up(&files, until)?;
    let report = import(&ImportRequest {
        paths: vec![files],
        lake: lake.clone().into(),
        today: super::today(),
        max_rejects: 0.0,
        memory_bytes: 256 << 20,
        currency: None,
        rates: BTreeMap::new(),
        reading: Reading::default(),
        progress: Progress::Shown,
    })?;
    super::import::print(&report)?;
    let portfolio = portfolio::load(&lake, 0)?;
    train(&portfolio, &models)?;
    show(&portfolio, &models)?;

    let source = TableSource { lake: lake.into(), settle_days: 0, as_of_version: None, today: super::today };
    let service = Service::open(ServiceConfig::new(arguments.bind), super::serve::state(source, &models)?)
        .with_context(|| format!("cannot serve on {}; choose another port with --bind 127.0.0.1:0", arguments.bind))?;
    tell(service.address())?;
    if arguments.once {
        let running = service.start()?;
        let answer = ask(running.address(), AT_RISK);
        running.stop()?;
        say(&answer?)?;
    } else {
        service.run()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn make_up(files: &Path, until: Day) -> anyhow::Result<()> {
    let plan = Plan::new(SUBSCRIPTIONS, DAYS, SEED, until)?;
    let stage = Progress::Shown.stage("making up a partner", u64::from(plan.days()), Unit::Items);
    simulate::write_csv(plan, files, |_| stage.advance(1))?;
    stage.finish();
    Ok(())
}

fn train(portfolio: &Portfolio, models: &Path) -> anyhow::Result<()> {
    let question = Question {
        label: Label::Status,
        churn_reasons: Vec::new(),
        horizon_days: HorizonDays::new(HORIZON_DAYS)?,
        lead_days: 0,
        grace_days: GRACE_DAYS,
        active_window_days: None,
        min_age_days: 0,
    };
    let further = FURTHER_DAYS.into_iter().map(HorizonDays::new).collect::<Result<Vec<_>, _>>()?;
    let request = TrainRequest { question, further, days: None, alpha: None, without: Vec::new() };
    let registry = Registry::open(models);
    let trained = training::train(portfolio, &request, registry.load_current().ok().as_ref(), Progress::Shown)?;
    registry.publish(&trained.model, &trained.model_bin, &trained.card)?;
    registry.promote(trained.model.version(), &Promotion::Earned, super::today())?;
    say(&training::summary(&trained.card))?;
    let report = training::commands::report(&registry, Some(trained.model.version()), None)?;
    say(&format!("the model's report, a page for the browser, is {}", report.display()))?;
    Ok(())
}

/// The top of the at-risk list, as a person would read it.
fn show(portfolio: &Portfolio, models: &Path) -> anyhow::Result<()> {
    let loaded = Registry::open(models).load_current()?;
    let ranking = churn_risk::model::Ranking::compute(portfolio, &loaded.model);
    let as_of = portfolio.as_of().context("a made-up partner has usage")?;
    let scorer = Scorer::new(portfolio, &loaded.model);
    let mut scoring = scorer.at(as_of);
    let mut table = table(["risk", "level", "customer", "last used", "cost 30 d", "strongest reason"], [0, 4]);
    for row in ranking.rows().iter().take(ROWS_SHOWN) {
        let Standing::Known { risk, level } = row.standing else { continue };
        let subscription = portfolio.subscription(row.subscription);
        let customer = portfolio.customer(subscription.customer);
        let reason = scoring.explain(row.subscription).and_then(|explanation| explanation.factors.into_iter().next());
        table.add_row([
            format!("{:.0} %", risk.get() * 100.0),
            match level {
                Level::High => "high",
                Level::Medium => "medium",
                Level::Low => "low",
            }
            .to_owned(),
            customer.name.clone().unwrap_or_else(|| customer.id.clone()),
            row.last_used.map_or_else(|| "never".to_owned(), |day| day.to_string()),
            format!("{:.2}", row.cost_30_days.as_f64()),
            reason.map_or_else(String::new, |factor| factor.sentence),
        ]);
    }
    let cost = ranking.cost_at_risk();
    say(&format!("{} active subscriptions on {as_of}; cost at risk in {HORIZON_DAYS} days: {:.2}", ranking.rows().len(), cost.as_f64()))?;
    say(&table.to_string())?;
    Ok(())
}

const AT_RISK: &str = "/v1/subscriptions/at-risk?limit=5";

fn tell(address: SocketAddr) -> io::Result<()> {
    say("three pages worth opening (Ctrl-C ends the service):")?;
    for (path, what) in [
        (AT_RISK, "who is about to leave, and why"),
        ("/v1/churn?bucket=month&period=last_6_months", "who left, month by month"),
        ("/v1/model", "what the model got right on rows it had not seen"),
    ] {
        say(&format!("  http://{address}{path}\n      {what}"))?;
    }
    Ok(())
}

/// One GET over plain HTTP; the body of a 200.
fn ask(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the service answered no HTTP")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "GET {path} answered {}", head.lines().next().unwrap_or_default());
    Ok(body.to_owned())
}
