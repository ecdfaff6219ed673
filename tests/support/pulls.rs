//! A pull from the partner's side of `partner.rs`, with a clock that nobody waits for.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use churn_risk::progress::Progress;
use churn_risk::pull::{
    AnalyticsRequest, AnalyticsTopic, AttributeSet, Backoff, BillingPeriod, BillingQuestion, BillingRequest, Clock, Credentials, PullError,
    PullSetup, Pulled, Secret, pull_analytics, pull_billing,
};

use super::partner::{CLIENT_ID, CLIENT_SECRET, Partner, TENANT};

/// 2025-06-30 00:00:00 UTC.
pub(crate) const NOW: u64 = 1_751_241_600;

/// A clock whose waits are over at once.
#[derive(Debug)]
pub(crate) struct ToldClock {
    now: Mutex<Duration>,
    pub(crate) waits: Mutex<Vec<Duration>>,
}

impl ToldClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(Duration::from_secs(NOW)), waits: Mutex::default() })
    }

    pub(crate) fn pass(&self, span: Duration) {
        *self.now.lock().expect("a clock") += span;
    }

    /// Whole seconds of each wait.
    pub(crate) fn waited(&self) -> Vec<u64> {
        self.waits.lock().expect("a clock").iter().map(Duration::as_secs).collect()
    }
}

#[async_trait]
impl Clock for ToldClock {
    fn epoch_seconds(&self) -> u64 {
        self.now.lock().expect("a clock").as_secs()
    }

    async fn wait(&self, span: Duration) {
        self.pass(span);
        self.waits.lock().expect("a clock").push(span);
    }
}

pub(crate) fn setup(partner: &Partner, path: &str, into: &Path, clock: &Arc<ToldClock>) -> PullSetup {
    PullSetup {
        api: partner.url(path).parse().expect("an address"),
        authority: partner.url("").parse().expect("an address"),
        credentials: Credentials {
            tenant: TENANT.to_owned(),
            client_id: CLIENT_ID.to_owned(),
            client_secret: Secret::new(CLIENT_SECRET),
            refresh_token: None,
        },
        scope: None,
        into: into.to_path_buf(),
        deadline: Duration::from_hours(2),
        backoff: Backoff::seeded(7),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        progress: Progress::Silent,
    }
}

pub(crate) fn unbilled() -> BillingRequest {
    let question = BillingQuestion::Unbilled { currency: "USD".to_owned(), period: BillingPeriod::Current };
    BillingRequest { question, attributes: AttributeSet::Full }
}

pub(crate) fn billing(setup: &PullSetup) -> Result<Pulled, PullError> {
    wait_for(pull_billing(&unbilled(), setup))
}

pub(crate) fn analytics(topic: AnalyticsTopic, page_rows: u32, setup: &PullSetup) -> Result<Pulled, PullError> {
    wait_for(pull_analytics(&AnalyticsRequest { topic, page_rows }, setup))
}

pub(crate) fn wait_for<T>(pull: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(pull)
}

/// The files of a pull, as bytes.
pub(crate) fn bytes(pulled: &Pulled) -> Vec<Vec<u8>> {
    pulled.files.iter().map(|file| fs::read(&file.path).expect("a file")).collect()
}

/// Every file below a folder, by its path from there.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let (mut names, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.push(path.strip_prefix(folder).expect("below").display().to_string());
            }
        }
    }
    names.sort();
    names
}
