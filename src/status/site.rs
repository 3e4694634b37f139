use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{row::Serving, verdicts::SiteVerdict};

/// What a visitor of a name gets: the worst answer of its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteResult {
    pub verdict: SiteVerdict,
    pub checked_at: Timestamp,
    /// The address with this answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The status code of HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The host, or the address of a page on the network's domain, that it redirects to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it timed out, and did not the time before: it is unknown until the next look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timed_out: bool,
    /// What the plugin's table said of the name then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<Serving>,
}

impl SiteResult {
    /// Whether the verdict of DNS and certificate stands: the site is served, or that is not known.
    pub fn lets_it_work(&self) -> bool {
        self.verdict.is_good() || self.verdict.is_undecided()
    }
}
