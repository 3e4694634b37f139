//! The status of each domain, as checked from outside. Plain data: [`crate::checks`] computes it,
//! [`crate::state`] stores it.

mod caa;
mod dns;
mod http;
mod row;
mod severity;
mod site;
mod target;
mod tls;
mod verdicts;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use caa::{Caa, CaaWhy};
pub use dns::{Chain, DnsHistory, DnsResult, ResolverAnswer, Stray, SynthesizedFrom, Zone};
pub use http::HttpResult;
pub use row::{RowState, Serving};
pub use severity::Severity;
pub use site::SiteResult;
pub use target::ExpectedTarget;
pub use tls::{AddressSeen, Certificate, SslResult};
pub use verdicts::{
    Blocker, BrokenBy, CaaFault, CnameFault, DnsVerdict, HttpVerdict, SiteVerdict, SslVerdict,
    Stage, UnknownVariant,
};

/// What one check of a name found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    pub dns: DnsResult,
    pub ssl: SslResult,
    /// What its visitors get; none where that was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteResult>,
    /// What answers without TLS; none where that was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpResult>,
    pub blockers: Vec<Blocker>,
    /// The CAA records that forbid a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caa: Option<Caa>,
    /// Whether the CAA lookup failed on this side. The status then keeps those of the check before.
    #[serde(skip)]
    pub caa_unknown: bool,
    /// Where the name should point.
    pub expected: Vec<ExpectedTarget>,
}

/// How well DNS and certificate of a name have been confirmed as good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GoodRun {
    /// How many checks in a row found both good.
    pub checks: u32,
    /// How often both have stopped being good, each time confirmed by a second check.
    pub times_broken: u32,
}

impl GoodRun {
    /// After a check that found both good or not. `has_stopped` is whether they have stopped being good.
    pub fn next(self, is_good: bool, has_stopped: bool) -> Self {
        let checks = if is_good { self.checks.saturating_add(1) } else { 0 };
        Self { checks, times_broken: self.times_broken.saturating_add(u32::from(has_stopped)) }
    }
}

impl CheckResult {
    /// Whether it does not work because somebody decided so: no alarm.
    pub fn is_decided(&self) -> bool {
        let site = self.site.as_ref().filter(|_| self.is_well_connected());
        site.is_some_and(|site| site.verdict.is_decided())
    }

    /// Whether visitors reach the site over TLS, as far as that is known.
    pub fn works(&self) -> bool {
        self.is_well_connected() && self.site.as_ref().is_none_or(SiteResult::lets_it_work)
    }

    /// Whether DNS and certificate are good, whatever the server sends then.
    pub fn is_well_connected(&self) -> bool {
        self.dns.verdict.is_good() && self.ssl.verdict.is_good()
    }
}

/// What is stored of a name from check to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainStatus {
    pub checked_at: Timestamp,
    /// The latest result that counts: an unknown one changes nothing.
    pub latest: CheckResult,
    /// Since when the DNS verdict is the same.
    pub dns_since: Timestamp,
    /// Since when the SSL verdict is the same.
    pub ssl_since: Timestamp,
    /// Since when it works, or does not.
    pub since: Timestamp,
    /// When a check found that it no longer works, until a second one confirms that.
    pub suspect_since: Option<Timestamp>,
    /// When the latest alert (`domain.needs_attention`) was sent.
    pub alerted_at: Option<Timestamp>,
    /// When visitors got the site for the first time.
    pub live_since: Option<Timestamp>,
    /// How long that took since the name was first seen mapped, in seconds; none if it was at Closte before.
    pub live_after_s: Option<u64>,
    /// Since when it has no certificate although its DNS is right and nothing blocks one.
    pub lacks_certificate_since: Option<Timestamp>,
    pub good: GoodRun,
}
