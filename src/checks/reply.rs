use std::net::IpAddr;

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{RData, Record},
};

use super::{
    names::text,
    query::{ExtendedError, ServFailCause},
};

/// The outcome of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// The answer section: a chain of CNAMEs, and the requested records, if there are any.
    Records {
        records: Vec<Record>,
        ttl_s: u32,
    },
    /// NXDOMAIN, with the CNAMEs that led to it. Without a SOA record, and so without a TTL, the answer
    /// is not the zone's.
    NoSuchName {
        chain: Vec<Record>,
        ttl_s: Option<u32>,
    },
    /// SERVFAIL. The cause is none where it is not known.
    Broken {
        cause: Option<ServFailCause>,
        why: Option<String>,
    },
    /// An answer without information about the name, such as REFUSED.
    Failed(String),
    Unreadable,
    /// No answer, with the reason.
    Silent(String),
}

impl Reply {
    /// Whether it states which records the name has.
    pub(super) fn is_answer(&self) -> bool {
        matches!(self, Self::Records { .. } | Self::NoSuchName { .. })
    }

    /// Why it is no answer.
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

/// Whether a message states which records the name has.
pub(super) fn is_answer(message: &Message) -> bool {
    matches!(message.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
}

pub(super) fn read(message: Message) -> Reply {
    let extended = ExtendedError::from_message(&message);
    if let Some(error) = &extended
        && error.is_withheld()
    {
        return Reply::Failed(format!("it withholds the answer ({})", error.describe()));
    }
    let ttl_s = longest_ttl(&message);
    match message.response_code {
        ResponseCode::NXDomain => Reply::NoSuchName { chain: message.answers, ttl_s },
        ResponseCode::NoError => {
            Reply::Records { records: message.answers, ttl_s: ttl_s.unwrap_or_default() }
        }
        ResponseCode::ServFail => {
            let cause = extended.as_ref().and_then(ExtendedError::cause);
            Reply::Broken { cause, why: extended.map(|error| error.describe()) }
        }
        code => Reply::Failed(format!("it answers {code}")),
    }
}

/// How long caches may keep what a message says, in seconds: for a negative answer, as long as its SOA
/// record says (RFC 2308, section 5).
fn longest_ttl(message: &Message) -> Option<u32> {
    let negative = message.authorities.iter().filter_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    message.answers.iter().map(|record| record.ttl).chain(negative).max()
}

/// A resolver's answer about a name's addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Addresses {
    Found {
        addresses: Vec<IpAddr>,
        cnames: Vec<String>,
        ttl_s: u32,
    },
    /// NXDOMAIN, at the end of these CNAMEs.
    NoSuchName {
        cnames: Vec<String>,
        ttl_s: Option<u32>,
    },
    /// SERVFAIL.
    Broken {
        cause: ServFailCause,
        why: Option<String>,
    },
    /// An answer without information about the name.
    Failed(String),
    /// No answer.
    Silent(String),
}

/// The A reply decides; AAAA adds to it. Old servers fail for AAAA alone, and most visitors still reach
/// the site.
pub(super) fn combine(a: Reply, aaaa: Reply) -> Addresses {
    let (mut records, mut ttl_s) = match a {
        Reply::Records { records, ttl_s } => (records, ttl_s),
        Reply::NoSuchName { chain, ttl_s } => {
            return Addresses::NoSuchName { cnames: cnames(&chain), ttl_s };
        }
        Reply::Broken { cause, why } => {
            return Addresses::Broken { cause: cause.unwrap_or(ServFailCause::Servers), why };
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

/// The targets of the CNAMEs, each once.
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
