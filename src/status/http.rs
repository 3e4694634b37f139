use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::verdicts::HttpVerdict;

/// What answers for a name without TLS, on port 80: the worst answer of its addresses. Visitors who type
/// `http://` come there, and so do authorities that issue by HTTP-01 (RFC 8555, section 8.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResult {
    pub verdict: HttpVerdict,
    pub checked_at: Timestamp,
    /// The address with this answer.
    pub address: IpAddr,
    pub port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it timed out, and did not the time before: it is unknown until the next look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timed_out: bool,
}
