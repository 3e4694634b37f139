//! What its servers show.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::words::SslVerdict;

/// The certificate that a server showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Who issued it: organisation and common name.
    pub issuer: String,
    /// The names that it is for, or the first of them.
    pub names: Vec<String>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_names: usize,
    /// When its time begins.
    pub not_before: Timestamp,
    /// When its time ends.
    pub not_after: Timestamp,
    /// The kind of its key, such as `ECDSA P-256` or `RSA 2048`.
    pub key: String,
}

impl Certificate {
    /// Whether it is one that Cloudflare gives to servers behind its proxy, which alone trusts it:
    /// <https://developers.cloudflare.com/ssl/origin-configuration/origin-ca/>.
    pub fn is_of_cloudflares_origin(&self) -> bool {
        let issuer = self.issuer.to_ascii_lowercase();
        issuer.contains("cloudflare origin")
    }

    /// Whole days until it ends; negative afterwards.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        self.not_after.duration_since(now).as_secs().div_euclid(24 * 60 * 60)
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What a TLS handshake with each of a name's addresses showed: the worst of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SslResult {
    /// What it means.
    pub verdict: SslVerdict,
    /// The address that it was seen at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The certificate, where one was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What each address showed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressSeen>,
}

/// What a TLS handshake with one address showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressSeen {
    /// The address.
    pub address: IpAddr,
    /// What it means.
    pub verdict: SslVerdict,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl SslResult {
    /// Nothing was seen, for this reason.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self {
            verdict: SslVerdict::Unknown,
            address: None,
            certificate: None,
            error: Some(reason.into()),
            addresses: Vec::new(),
        }
    }

    /// Whether some addresses serve the name well, though the one that the verdict is about does not.
    pub fn is_right_elsewhere(&self) -> bool {
        self.verdict.is_bad() && self.addresses.iter().any(|one| one.verdict.is_good())
    }

    /// Whether there is no certificate yet, as far as it shows, and one could be issued.
    pub fn lacks_certificate(&self) -> bool {
        self.verdict.wants_another() && !self.is_right_elsewhere()
    }
}
