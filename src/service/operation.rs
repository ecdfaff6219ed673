//! Every operation of the interface, and who may: the one table from which routes are guarded, the
//! document tells it, and the tests are made. An operation that is not in it has no name, so its
//! route does not compile.
//!
//! Absent on purpose: how somebody is known, and what a route answers.

use crate::access::{Role, RoleSet};

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    /// Whoever reaches the service.
    Anyone,
    /// Whoever has one of these roles; what they see is cut to their scope.
    Roles(RoleSet),
    /// The same, and only whoever may see everybody's figures: what is answered is of all of them.
    Unscoped(RoleSet),
}

/// All who read figures.
const READERS: Allowed = Allowed::Roles(RoleSet::of(&[Role::GlobalAdmin, Role::UserManagementAdmin, Role::AdminAgent, Role::SalesAgent]));

/// The same of what is of all customers.
const WHOLE_READERS: Allowed =
    Allowed::Unscoped(RoleSet::of(&[Role::GlobalAdmin, Role::UserManagementAdmin, Role::AdminAgent, Role::SalesAgent]));

/// Those who say what became of a customer.
const SPEAKERS: Allowed = Allowed::Roles(RoleSet::of(&[Role::GlobalAdmin, Role::AdminAgent, Role::SalesAgent]));

const ADMINS: Allowed = Allowed::Unscoped(RoleSet::of(&[Role::GlobalAdmin]));

const WATCHERS: Allowed = Allowed::Unscoped(RoleSet::of(&[Role::GlobalAdmin, Role::Monitor]));

/// Whether an operation changes anything, and so has to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Writes,
}

use Effect::{Reads, Writes};

macro_rules! operations {
    ($($operation:ident $id:literal $allowed:expr, $effect:expr;)*) => {
        /// An operation of the interface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Operation {
            $($operation,)*
        }

        impl Operation {
            /// Its name in the document.
            pub(super) const fn id(self) -> &'static str {
                match self {
                    $(Self::$operation => $id,)*
                }
            }

            /// Who may.
            pub(super) const fn allowed(self) -> Allowed {
                match self {
                    $(Self::$operation => $allowed,)*
                }
            }

            const fn effect(self) -> Effect {
                match self {
                    $(Self::$operation => $effect,)*
                }
            }
        }
    };
}

operations! {
    AtRisk              "at_risk"              READERS, Reads;
    Risk                "risk"                 READERS, Reads;
    // It is given usage and gives risks back; it reads of the tables what is usual in them.
    Score               "score"                READERS, Reads;
    Feedback            "feedback"             SPEAKERS, Writes;
    Summary             "summary"              READERS, Reads;
    TopCustomers        "top_customers"        READERS, Reads;
    CustomerCount       "customer_count"       READERS, Reads;
    Categories          "categories"           READERS, Reads;
    Churn               "churn"                READERS, Reads;
    Retention           "retention"            READERS, Reads;
    Cohorts             "cohorts"              READERS, Reads;
    RevenueRetention    "revenue_retention"    READERS, Reads;
    ExpiringCommitments "expiring_commitments" READERS, Reads;
    Anomalies           "anomalies"            READERS, Reads;
    WithoutUsage        "without_usage"        READERS, Reads;
    Subscription        "subscription"         READERS, Reads;
    Model               "model"                READERS, Reads;
    ModelReport         "model_report"         WHOLE_READERS, Reads;
    ModelRecord         "model_record"         READERS, Reads;
    ReloadModel         "reload_model"         ADMINS, Writes;
    Imports             "imports"              ADMINS, Reads;
    Gaps                "gaps"                 READERS, Reads;
    ReloadTables        "reload_tables"        ADMINS, Writes;
    Healthz             "healthz"              Allowed::Anyone, Reads;
    Readyz              "readyz"               Allowed::Anyone, Reads;
    Metrics             "service_metrics"      WATCHERS, Reads;
    Document            "openapi"              Allowed::Anyone, Reads;
    Docs                "docs"                 Allowed::Anyone, Reads;
    DocsFile            "docs_file"            Allowed::Anyone, Reads;
    Overview            "overview"             READERS, Reads;
    SubscriptionPage    "subscription_page"    READERS, Reads;
    FeedbackForm        "feedback_form"        SPEAKERS, Writes;
    Asset               "asset"                Allowed::Anyone, Reads;
    SignIn              "sign_in"              Allowed::Anyone, Reads;
    SignInCallback      "sign_in_callback"     Allowed::Anyone, Reads;
    // It ends the session that asks, if there is one.
    SignOut             "sign_out"             Allowed::Anyone, Reads;
    SignedOut           "signed_out"           Allowed::Anyone, Reads;
}

impl Operation {
    /// Whether it is recorded before it is done.
    pub(super) const fn writes(self) -> bool {
        matches!(self.effect(), Writes)
    }

    /// The roles that may; none where anyone may.
    pub(super) const fn roles(self) -> Option<RoleSet> {
        match self.allowed() {
            Allowed::Anyone => None,
            Allowed::Roles(roles) | Allowed::Unscoped(roles) => Some(roles),
        }
    }
}
