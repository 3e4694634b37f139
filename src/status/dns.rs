//! What the DNS says of a name.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::words::{BrokenBy, CnameFault, DnsVerdict};

/// What one resolver said of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolverAnswer {
    /// Which: `system`, or its address.
    pub resolver: String,
    /// What its answer alone means.
    pub verdict: DnsVerdict,
    /// The addresses, IPv4 first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// The chain of CNAMEs that led there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cnames: Vec<String>,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it calls the DNSSEC signatures wrong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dnssec: bool,
    /// How long others may keep this answer, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u32>,
    /// Why this answer does not count, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_say: Option<String>,
}

impl ResolverAnswer {
    /// Nothing yet, from this one.
    pub fn of(resolver: &str) -> Self {
        Self {
            resolver: resolver.to_owned(),
            verdict: DnsVerdict::Unknown,
            addresses: Vec::new(),
            cnames: Vec::new(),
            error: None,
            dnssec: false,
            ttl_s: None,
            no_say: None,
        }
    }

    /// Whether it counts: it says something of the name, and nothing speaks against it.
    pub fn counts(&self) -> bool {
        self.verdict != DnsVerdict::Unknown && self.no_say.is_none()
    }

    /// What it says, in words.
    pub fn says(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.cnames.last().map(|name| format!("→ {name}")));
        parts.extend(self.addresses.iter().take(3).map(ToString::to_string));
        if parts.is_empty() {
            parts.push(self.error.clone().unwrap_or_else(|| self.verdict.as_str().to_owned()));
        }
        parts.join(" ")
    }
}

/// How a name's DNS verdicts went from look to look.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DnsHistory {
    /// Since when some resolvers see it right and others do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed_since: Option<Timestamp>,
    /// The longest that anybody may keep an answer that was seen meanwhile, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_ttl_s: Option<u32>,
    /// The latest verdicts, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<DnsVerdict>,
    /// Since when they go back and forth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsteady_since: Option<Timestamp>,
}

impl DnsHistory {
    /// The different verdicts of late, the latest first.
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

/// What the resolvers said, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsResult {
    /// What it means.
    pub verdict: DnsVerdict,
    /// How many resolvers agree with the verdict; for [`DnsVerdict::Propagating`], see it right.
    pub seen: usize,
    /// How many resolvers answered.
    pub of: usize,
    /// The addresses that the verdict speaks of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// Whose addresses they are, where it is a well-known host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// AAAA records that point somewhere else although the A record is right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aaaa_elsewhere: Vec<IpAddr>,
    /// Every address that leads elsewhere, be there right ones beside it or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<Stray>,
    /// What puts it out of order, where it is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_by: Option<BrokenBy>,
    /// The CNAMEs, where they are why it leads nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
    /// What answers for it, where somebody has to change that and it is no record of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_of: Option<MadeOf>,
    /// Where its records stand, where somebody has to change them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// Why it is broken or unknown, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What each resolver said.
    pub answers: Vec<ResolverAnswer>,
    /// What each of its own name servers said, where they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub name_servers: Vec<ResolverAnswer>,
    /// How it went before.
    #[serde(default)]
    pub history: DnsHistory,
}

impl DnsResult {
    /// The CNAMEs that lead to where the verdict sees it. That of an AAAA record beside a right A record
    /// is the whole name's.
    pub fn cnames(&self) -> &[String] {
        let counting = || self.answers.iter().filter(|one| one.counts());
        let meant = counting().find(|one| one.verdict == self.verdict);
        let meant = meant.or_else(|| counting().find(|one| !one.cnames.is_empty()));
        meant.map_or(&[], |answer| &answer.cnames)
    }
}

/// CNAMEs that lead nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Why.
    pub fault: CnameFault,
    /// Where each of them leads, the first being the name's own.
    pub cnames: Vec<String>,
    /// The zone at fault, where it is another's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
}

/// What answers for a name that has no record of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MadeOf {
    /// A DNAME record of a name above it, which leads all names below that one to those below another.
    Dname {
        /// Where it stands.
        owner: String,
        /// Where it leads.
        target: String,
    },
    /// A wildcard.
    Wildcard {
        /// Such as `*.shop.example`.
        owner: String,
    },
}

/// A zone: the part of the DNS that one party runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// The name at its top.
    pub name: String,
    /// Who runs it, where that is somebody well-known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// An address that a name should not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// The address.
    pub address: IpAddr,
    /// Whose it is, where that is a well-known host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}
