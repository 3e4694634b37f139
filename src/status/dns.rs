use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::verdicts::{BrokenBy, CnameFault, DnsVerdict};

/// One resolver's answer for a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolverAnswer {
    /// `system` or the resolver's address.
    pub resolver: String,
    /// The verdict of this answer alone.
    pub verdict: DnsVerdict,
    /// IPv4 first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// The targets of the CNAMEs, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cnames: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether the DNSSEC signatures are wrong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dnssec: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u32>,
    /// Why this answer does not count, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored_because: Option<String>,
}

impl ResolverAnswer {
    /// An answer with the verdict `unknown`.
    pub fn of(resolver: &str) -> Self {
        Self {
            resolver: resolver.to_owned(),
            verdict: DnsVerdict::Unknown,
            addresses: Vec::new(),
            cnames: Vec::new(),
            error: None,
            dnssec: false,
            ttl_s: None,
            ignored_because: None,
        }
    }

    /// Whether it counts for the verdict of the name.
    pub fn counts(&self) -> bool {
        self.verdict != DnsVerdict::Unknown && self.ignored_because.is_none()
    }

    /// The last CNAME and the first addresses, or else the error or the verdict.
    pub fn describe(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.cnames.last().map(|name| format!("→ {name}")));
        parts.extend(self.addresses.iter().take(3).map(ToString::to_string));
        if parts.is_empty() {
            parts.push(self.error.clone().unwrap_or_else(|| self.verdict.as_str().to_owned()));
        }
        parts.join(" ")
    }
}

/// How a name's DNS verdict changed from check to check.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DnsHistory {
    /// Since when only some of the answers are right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed_since: Option<Timestamp>,
    /// The longest TTL of any answer since `mixed_since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_ttl_s: Option<u32>,
    /// The latest verdicts, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<DnsVerdict>,
    /// Since when the verdict alternates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsteady_since: Option<Timestamp>,
}

impl DnsHistory {
    /// The different ones of the latest verdicts, the newest first.
    pub fn different(&self) -> Vec<DnsVerdict> {
        let mut different = Vec::new();
        for verdict in self.verdicts.iter().rev() {
            if !different.contains(verdict) {
                different.push(*verdict);
            }
        }
        different
    }
}

/// The resolvers' answers for a name and the verdict that follows from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsResult {
    pub verdict: DnsVerdict,
    /// How many counting answers agree with the verdict; for [`DnsVerdict::Propagating`], are right.
    pub seen: usize,
    /// How many answers count.
    pub of: usize,
    /// The addresses that the verdict is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// The well-known host that `addresses` belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// AAAA records that point elsewhere although the A record is right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aaaa_elsewhere: Vec<IpAddr>,
    /// Every address that is not expected, with or without right ones beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<Stray>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_by: Option<BrokenBy>,
    /// The CNAMEs, where they have a fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
    /// The wildcard or DNAME record that answers, where somebody must change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthesized_from: Option<SynthesizedFrom>,
    /// The zone in which somebody must change a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// Why it is broken or unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub answers: Vec<ResolverAnswer>,
    /// The answers of the name's own name servers, where they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub name_servers: Vec<ResolverAnswer>,
    #[serde(default)]
    pub history: DnsHistory,
}

impl DnsResult {
    /// The CNAMEs of an answer with the verdict, or else of the first answer that has any.
    pub fn cnames(&self) -> &[String] {
        let counting = || self.answers.iter().filter(|one| one.counts());
        let meant = counting().find(|one| one.verdict == self.verdict);
        let meant = meant.or_else(|| counting().find(|one| !one.cnames.is_empty()));
        meant.map_or(&[], |answer| &answer.cnames)
    }
}

/// CNAMEs with a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    pub fault: CnameFault,
    /// The target of each of them, that of the name itself first.
    pub cnames: Vec<String>,
    /// The zone at fault, where it is another one than the name's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
}

/// The record that answers for a name without records of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SynthesizedFrom {
    /// A DNAME record of a name above it (RFC 6672).
    Dname { owner: String, target: String },
    /// A wildcard, such as `*.shop.example`.
    Wildcard { owner: String },
}

/// A DNS zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    pub name: String,
    /// The well-known DNS provider that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// An address that is not expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    pub address: IpAddr,
    /// The well-known host that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}
