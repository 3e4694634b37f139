//! What an answer says.

use std::net::IpAddr;

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record},
};

use super::query::ExtendedError;

/// What came of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// The answer section: a chain of CNAMEs, and the records asked for, if there are any.
    Records { records: Vec<Record>, ttl_s: u32 },
    /// NXDOMAIN, with the CNAMEs that led to it. Without the zone's own word for how long that may be
    /// kept, somebody else says so.
    NoSuchName { chain: Vec<Record>, ttl_s: Option<u32> },
    /// SERVFAIL. `dnssec` tells whether wrong signatures are why, where that is known.
    Broken { dnssec: Option<bool>, why: Option<String> },
    /// An answer that says nothing of the name.
    Failed(String),
    /// An answer that we cannot read.
    Unreadable,
    /// No answer, and why.
    Silent(String),
}

impl Reply {
    /// Why it says nothing of the name, in words.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Broken { why: Some(why), .. } => format!("SERVFAIL, {why}"),
            Self::Broken { why: None, .. } => "SERVFAIL".to_owned(),
            Self::Failed(reason) | Self::Silent(reason) => reason.clone(),
            Self::Unreadable => "its answer cannot be read".to_owned(),
            Self::Records { .. } | Self::NoSuchName { .. } => "it answers".to_owned(),
        }
    }
}

/// Whether a message says anything of the name.
pub(super) fn is_of_the_name(message: &Message) -> bool {
    matches!(message.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
}

/// What a message says.
pub(super) fn read(message: Message) -> Reply {
    let extended = ExtendedError::of(&message);
    if let Some(error) = &extended
        && error.is_withheld()
    {
        return Reply::Failed(format!("it will not say ({})", error.words()));
    }
    let ttl_s = longest_ttl(&message);
    match message.response_code {
        ResponseCode::NXDomain => Reply::NoSuchName { chain: message.answers, ttl_s },
        ResponseCode::NoError => {
            Reply::Records { records: message.answers, ttl_s: ttl_s.unwrap_or_default() }
        }
        ResponseCode::ServFail => {
            let dnssec = extended.as_ref().and_then(ExtendedError::blames_signatures);
            Reply::Broken { dnssec, why: extended.map(|error| error.words()) }
        }
        code => Reply::Failed(format!("it answers {code}")),
    }
}

/// How long others may keep what a message says, in seconds: for what is not there, as long as the
/// zone says (RFC 2308, section 5).
fn longest_ttl(message: &Message) -> Option<u32> {
    let negative = message.authorities.iter().filter_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    message.answers.iter().map(|record| record.ttl).chain(negative).max()
}

/// What a resolver says of a name's addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Addresses {
    /// The name is there.
    Found { addresses: Vec<IpAddr>, cnames: Vec<String>, ttl_s: u32 },
    /// NXDOMAIN, at the end of these CNAMEs.
    NoSuchName { cnames: Vec<String>, ttl_s: Option<u32> },
    /// SERVFAIL.
    Broken { dnssec: bool, why: Option<String> },
    /// It says nothing of the name.
    Failed(String),
    /// It could not be asked.
    Silent(String),
}

/// The A reply decides; AAAA adds to it. A server that fails for AAAA alone is an old one, and
/// serves most visitors all the same.
pub(super) fn combine(a: Reply, aaaa: Reply) -> Addresses {
    let (mut records, mut ttl_s) = match a {
        Reply::Records { records, ttl_s } => (records, ttl_s),
        Reply::NoSuchName { chain, ttl_s } => {
            return Addresses::NoSuchName { cnames: cnames(&chain), ttl_s };
        }
        Reply::Broken { dnssec, why } => {
            return Addresses::Broken { dnssec: dnssec == Some(true), why };
        }
        Reply::Failed(reason) => return Addresses::Failed(reason),
        Reply::Unreadable => return Addresses::Failed(a.why()),
        Reply::Silent(reason) => return Addresses::Silent(reason),
    };
    if let Reply::Records { records: more, ttl_s: also } = aaaa {
        records.extend(more);
        ttl_s = ttl_s.max(also);
    }
    let address = |record: &Record| match record.data {
        RData::A(address) => Some(IpAddr::V4(*address)),
        RData::AAAA(address) => Some(IpAddr::V6(*address)),
        _ => None,
    };
    let mut addresses: Vec<IpAddr> = records.iter().filter_map(address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Addresses::Found { addresses, cnames: cnames(&records), ttl_s }
}

/// Where the CNAMEs lead, each once.
fn cnames(records: &[Record]) -> Vec<String> {
    let mut cnames = Vec::new();
    for record in records {
        if let RData::CNAME(target) = &record.data {
            let target = text(target);
            if !cnames.contains(&target) {
                cnames.push(target);
            }
        }
    }
    cnames
}

/// A name as it is written, without the dot at its end, unless there is nothing else.
pub(super) fn text(name: &Name) -> String {
    let text = name.to_ascii();
    let without = text.strip_suffix('.').filter(|without| !without.is_empty());
    without.unwrap_or(&text).to_ascii_lowercase()
}
