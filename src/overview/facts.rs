//! What a check found, in words.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    listing::listing,
    span::whole_days,
    status::{DnsResult, DnsVerdict, ResolverAnswer, SslResult},
};

/// How many resolvers agree with the verdict, and whose server it points at.
pub fn dns_summary(dns: &DnsResult) -> String {
    let resolvers = match dns.verdict {
        DnsVerdict::Unknown => String::new(),
        _ => format!(", {} of {} resolvers", dns.seen, dns.of),
    };
    let host = dns.host.as_ref().map(|host| format!(": {host}")).unwrap_or_default();
    format!("{resolvers}{host}")
}

/// One resolver's answer.
pub fn answer(one: &ResolverAnswer) -> String {
    let mut parts = vec![one.verdict.as_str().to_owned()];
    parts.extend(one.cnames.iter().map(|name| format!("→ {name}")));
    if !one.addresses.is_empty() {
        parts.push(listing(&one.addresses, 0));
    }
    match &one.ignored_because {
        None => parts.extend(one.error.clone()),
        Some(why) => parts.push(format!("(does not count: {why})")),
    }
    parts.join("  ")
}

/// Where the certificate was seen, and what failed.
pub fn ssl_summary(ssl: &SslResult) -> String {
    let address = ssl.address.map(|address| format!(", at {address}")).unwrap_or_default();
    let error = ssl.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{address}{error}")
}

/// What the certificate says: each line with its label.
pub fn certificate(ssl: &SslResult, now: Timestamp) -> Vec<(&'static str, String)> {
    let Some(certificate) = &ssl.certificate else {
        return Vec::new();
    };
    let left = match Duration::try_from(certificate.not_after.duration_since(now)) {
        Ok(left) => format!("{} left", whole_days(left)),
        Err(_) => {
            let ago = now.duration_since(certificate.not_after);
            format!("{} ago", whole_days(ago.try_into().unwrap_or_default()))
        }
    };
    let names = if certificate.names.is_empty() {
        "none".to_owned()
    } else {
        listing(&certificate.names, certificate.more_names)
    };
    vec![
        ("names", names),
        ("issuer", certificate.issuer.clone()),
        ("until", format!("{:.0} ({left})", certificate.not_after)),
        ("key", certificate.key.clone()),
    ]
}
