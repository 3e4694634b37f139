use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::verdicts::SslVerdict;

/// A server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Organisation and common name.
    pub issuer: String,
    /// The first of the DNS names that it is for.
    pub names: Vec<String>,
    /// How many DNS names it has beyond `names`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_names: usize,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// The type of its key, such as `ECDSA P-256` or `RSA 2048`.
    pub key: String,
}

impl Certificate {
    /// Whether Cloudflare issued it for a server behind its proxy. Only that proxy trusts it:
    /// <https://developers.cloudflare.com/ssl/origin-configuration/origin-ca/>.
    pub fn is_from_cloudflare_origin_ca(&self) -> bool {
        self.issuer.to_ascii_lowercase().contains("cloudflare origin")
    }

    /// Whole days until it expires; negative afterwards.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        self.not_after.duration_since(now).as_secs().div_euclid(24 * 60 * 60)
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The worst result of the TLS handshakes with a name's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SslResult {
    pub verdict: SslVerdict,
    /// The address with this result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The results of all addresses that were checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressSeen>,
}

/// The result of a TLS handshake with one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressSeen {
    pub address: IpAddr,
    pub verdict: SslVerdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl SslResult {
    /// An unknown result, with the reason.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self {
            verdict: SslVerdict::Unknown,
            address: None,
            certificate: None,
            error: Some(reason.into()),
            addresses: Vec::new(),
        }
    }

    /// Whether another address serves the name with a good certificate.
    pub fn is_right_elsewhere(&self) -> bool {
        self.verdict.is_bad() && self.addresses.iter().any(|one| one.verdict.is_good())
    }

    /// Whether the name has no valid certificate at any address, and a new one would change that.
    pub fn needs_certificate(&self) -> bool {
        self.verdict.needs_certificate() && !self.is_right_elsewhere()
    }
}
