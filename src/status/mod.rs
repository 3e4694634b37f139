//! How each name stands, seen from outside. Plain data: [`crate::checks`] looks and decides,
//! [`crate::state`] keeps it.

mod dns;
mod tls;
mod words;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use dns::{Chain, DnsHistory, DnsResult, MadeOf, ResolverAnswer, Stray, Zone};
pub use tls::{AddressSeen, Certificate, SslResult};
pub use words::{
    Blocker, BrokenBy, CaaFault, CnameFault, DnsVerdict, SslVerdict, Stage, UnknownWord,
};

use crate::ledger::Progress;

/// The CAA records that count for a name (RFC 8659, section 3), and forbid it a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caa {
    /// The name that has them: the name itself, one above it, or what the CNAME of such a one leads to.
    pub at: String,
    /// Whose CNAME leads there, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// What is wrong with them.
    #[serde(default = "Caa::not_allowed")]
    pub fault: CaaFault,
    /// The record at fault, or each of them, as in a zone file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Why, in words, where `fault` does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The property that would allow it there: `issue` or, for a wildcard, `issuewild`.
    #[serde(default = "Caa::issue")]
    pub property: String,
    /// Whom they allow to issue.
    pub allows: Vec<String>,
    /// Whom they should allow: the first of `checks.certificate_authorities`.
    pub lacks: String,
}

impl Caa {
    /// What observations of before there were other faults mean.
    fn not_allowed() -> CaaFault {
        CaaFault::NotAllowed
    }

    fn issue() -> String {
        "issue".to_owned()
    }

    /// Whether they stand above all names that anybody can register.
    pub fn is_of_a_registry(&self) -> bool {
        psl::domain_str(&self.at).is_none()
    }
}

/// Everything that one look at a name found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Where its DNS points.
    pub dns: DnsResult,
    /// How its certificate stands.
    pub ssl: SslResult,
    /// What stops a certificate.
    pub blockers: Vec<Blocker>,
    /// The CAA records that forbid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caa: Option<Caa>,
    /// Whether we could not look up the CAA records. What was known of them stays so.
    #[serde(skip)]
    pub caa_unknown: bool,
    /// Where the name should point, for people.
    pub expected: Vec<String>,
}

impl CheckResult {
    /// Whether a visitor gets to the site, and over TLS.
    pub fn works(&self) -> bool {
        self.dns.verdict.is_good() && self.ssl.verdict.is_good()
    }
}

/// What is remembered of a name from look to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainStatus {
    /// When it was looked at last.
    pub checked_at: Timestamp,
    /// The latest observation that counts: one that could not be made changes nothing.
    pub latest: CheckResult,
    /// Since when the DNS verdict holds.
    pub dns_since: Timestamp,
    /// Since when the SSL verdict holds.
    pub ssl_since: Timestamp,
    /// Since when it works, or does not.
    pub since: Timestamp,
    /// When a look said that it no longer works; a second one must agree.
    pub suspect_since: Option<Timestamp>,
    /// When it was last said that somebody must attend to it.
    pub alerted_at: Option<Timestamp>,
    /// Since when its DNS is right and nothing stops a certificate, yet there is none.
    pub lacks_certificate_since: Option<Timestamp>,
}

/// What the ledger knows of a name that is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerInfo {
    /// The site.
    pub blog_id: Option<i64>,
    /// When the name was first seen desired; none for a name that nobody wants.
    pub added_at: Option<Timestamp>,
    /// Since when Closte has it, itself or through a wildcard.
    pub at_closte_since: Option<Timestamp>,
    /// How the call to add it stands.
    pub progress: Progress,
}
