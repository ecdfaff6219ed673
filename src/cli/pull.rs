//! `churn-risk pull`.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use async_trait::async_trait;
use churn_risk::domain::{Currency, Day};
use churn_risk::progress::{Progress, say};
use churn_risk::pull::{
    Address, AnalyticsRequest, AnalyticsTopic, AttributeSet, Backoff, BillingPeriod, BillingQuestion, BillingRequest, Clock, Credentials,
    PullError, PullSetup, Pulled, Secret, pull_analytics, pull_billing,
};
use clap::{Args, Subcommand, ValueEnum};

use super::import::{IntakeArguments, print};

#[derive(Debug, Args)]
pub(crate) struct PullArguments {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Daily-rated usage with its cost, through the billing export of Microsoft Graph
    Billing {
        #[command(subcommand)]
        of: Billing,
    },
    /// Partner Center's analytics, page by page
    Analytics {
        #[command(subcommand)]
        of: Analytics,
    },
}

#[derive(Debug, Subcommand)]
enum Billing {
    /// Usage that is on no invoice yet
    Unbilled {
        #[command(flatten)]
        graph: GraphArguments,
        /// The partner's billing currency: USD
        #[arg(long, value_parser = Currency::parse)]
        billing_currency: Currency,
        #[arg(long, value_enum, default_value_t = Period::Current)]
        period: Period,
    },
    /// Usage of one invoice
    Billed {
        #[command(flatten)]
        graph: GraphArguments,
        /// Its number: G016907411
        #[arg(long)]
        invoice: String,
    },
}

#[derive(Debug, Subcommand)]
enum Analytics {
    /// Azure usage without cost
    Usage {
        #[command(flatten)]
        partner_center: PartnerCenterArguments,
        /// The first day that is asked for; what the service gives by itself without it
        #[arg(long, value_parser = day)]
        from: Option<Day>,
        /// The last day that is asked for
        #[arg(long, value_parser = day)]
        until: Option<Day>,
    },
    /// Every subscription as it stands
    Subscriptions {
        #[command(flatten)]
        partner_center: PartnerCenterArguments,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Period {
    Current,
    Last,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Attributes {
    Full,
    /// Without the meter category, so that all usage is of one category
    Basic,
}

#[derive(Debug, Args)]
struct GraphArguments {
    /// Microsoft Graph
    #[arg(long, env = "CHURN_RISK_GRAPH", default_value = "https://graph.microsoft.com/v1.0")]
    graph: Address,
    #[arg(long, value_enum, default_value_t = Attributes::Full)]
    attributes: Attributes,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Debug, Args)]
struct PartnerCenterArguments {
    /// Partner Center
    #[arg(long, env = "CHURN_RISK_PARTNER_CENTER", default_value = "https://api.partnercenter.microsoft.com")]
    partner_center: Address,
    /// Rows of a page
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    page_rows: u32,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Debug, Args)]
struct CommonArguments {
    #[command(flatten)]
    intake: IntakeArguments,
    /// Where downloads are kept; `_pull` in the lake where it is not given
    #[arg(long)]
    into: Option<PathBuf>,
    /// Download, and leave the import to another command
    #[arg(long)]
    no_import: bool,
    /// Who gives tokens; another one in a sovereign cloud
    #[arg(long, env = "CHURN_RISK_AUTHORITY", default_value = "https://login.microsoftonline.com")]
    authority: Address,
    /// What the token is for; the origin of the service and `/.default` where it is not given
    #[arg(long, env = "CHURN_RISK_SCOPE")]
    scope: Option<String>,
    /// The pull ends by then, waiting for the export included; the next one goes on
    #[arg(long, default_value = "2h", value_parser = super::span)]
    deadline: Duration,
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).map_err(|error| format!("{error}: write 2025-06-30"))
}

pub(crate) fn run(arguments: &PullArguments) -> anyhow::Result<ExitCode> {
    super::log_to_stderr();
    match &arguments.kind {
        Kind::Billing { of } => billing(of),
        Kind::Analytics { of } => analytics(of),
    }
}

fn billing(of: &Billing) -> anyhow::Result<ExitCode> {
    let (graph, question) = match of {
        Billing::Unbilled { graph, billing_currency, period } => {
            let period = match period {
                Period::Current => BillingPeriod::Current,
                Period::Last => BillingPeriod::Last,
            };
            (graph, BillingQuestion::Unbilled { currency: billing_currency.to_string(), period })
        }
        Billing::Billed { graph, invoice } => (graph, BillingQuestion::Billed { invoice: invoice.clone() }),
    };
    let attributes = match graph.attributes {
        Attributes::Full => AttributeSet::Full,
        Attributes::Basic => AttributeSet::Basic,
    };
    let setup = setup(&graph.common, graph.graph.clone())?;
    let pulled = waiting_for(pull_billing(&BillingRequest { question, attributes }, &setup))?;
    bring_in(&graph.common, &pulled)
}

fn analytics(of: &Analytics) -> anyhow::Result<ExitCode> {
    let (partner_center, topic) = match of {
        Analytics::Usage { partner_center, from, until } => (partner_center, AnalyticsTopic::Usage { from: *from, until: *until }),
        Analytics::Subscriptions { partner_center } => (partner_center, AnalyticsTopic::Subscriptions),
    };
    let setup = setup(&partner_center.common, partner_center.partner_center.clone())?;
    let request = AnalyticsRequest { topic, page_rows: partner_center.page_rows };
    let pulled = waiting_for(pull_analytics(&request, &setup))?;
    bring_in(&partner_center.common, &pulled)
}

fn setup(common: &CommonArguments, api: Address) -> anyhow::Result<PullSetup> {
    let told = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let needed = |name: &str| told(name).with_context(|| format!("{name} is not set; the credentials of a pull are in the environment"));
    let credentials = Credentials {
        tenant: needed("CHURN_RISK_TENANT")?,
        client_id: needed("CHURN_RISK_CLIENT_ID")?,
        client_secret: Secret::new(needed("CHURN_RISK_CLIENT_SECRET")?),
        refresh_token: told("CHURN_RISK_REFRESH_TOKEN").map(Secret::new),
    };
    let seed = getrandom::u64().context("the system gives no chance for waits")?;
    Ok(PullSetup {
        api,
        authority: common.authority.clone(),
        credentials,
        scope: common.scope.clone(),
        into: common.into.clone().unwrap_or_else(|| common.intake.home().join("_pull")),
        deadline: common.deadline,
        backoff: Backoff::seeded(seed),
        clock: Arc::new(SystemClock),
        progress: Progress::Shown,
    })
}

/// The import has threads of its own, so those of the pull end before it begins.
fn waiting_for(pull: impl Future<Output = Result<Pulled, PullError>>) -> anyhow::Result<Pulled> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(pull)?)
}

/// Imports what was pulled, as one step: the parts of an export belong together.
fn bring_in(common: &CommonArguments, pulled: &Pulled) -> anyhow::Result<ExitCode> {
    let version = pulled.version.as_ref().map_or_else(String::new, |version| format!(" of version {version}"));
    let before = pulled.files.len().saturating_sub(pulled.downloaded);
    say(&format!("pulled {} files{version}; {before} of {} were here", pulled.downloaded, pulled.files.len()))?;
    if pulled.files.is_empty() {
        say("the export is empty: nothing to import")?;
    } else if common.no_import {
        for file in &pulled.files {
            say(&file.path.display().to_string())?;
        }
    } else {
        let paths = pulled.files.iter().map(|file| file.path.clone()).collect();
        let mut request = common.intake.request(paths, Progress::Shown)?;
        // Blobs and pages are parts of one export: one that has not changed still counts.
        request.reading.together = true;
        print(&common.intake.import(&request)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The operator's clock.
#[derive(Debug)]
struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a clock, given to what may not read one")]
    fn epoch_seconds(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    async fn wait(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}
