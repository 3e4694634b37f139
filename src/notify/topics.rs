//! Which events open a trouble, what ends it, what follows from what, and its words. Pure.

use serde_json::Value;

use crate::{
    events::Event,
    state::TroubleFacts,
    status::{DnsVerdict, SiteVerdict, SslVerdict},
};

/// What lasts until another event, each with the events that end it.
const CONDITIONS: [(&str, &[&str]); 20] = [
    ("closte.failed", &["closte.recovered"]),
    ("closte.key_rejected", &["closte.recovered"]),
    ("closte.list_incomplete", &["closte.list_complete"]),
    ("wordpress.failed", &["wordpress.recovered"]),
    ("wordpress.stages_failed", &["wordpress.stages_recovered"]),
    ("sync.removals_held", &["sync.removals_released"]),
    ("sync.waits", &["sync.goes_on"]),
    ("checks.target_unknown", &["checks.target_known"]),
    ("checks.resolver_silent", &["checks.resolver_answers"]),
    ("checks.resolver_sick", &["checks.resolver_well"]),
    ("checks.resolver_odd", &["checks.resolver_agrees"]),
    ("checks.late", &["checks.in_time"]),
    ("checks.ended", &["daemon.started"]),
    ("state.failed", &["state.recovered"]),
    ("state.deleted", &["state.recovered"]),
    ("state.replaced", &["state.recovered"]),
    ("daemon.failed", &["daemon.started"]),
    ("daemon.reload_refused", &["daemon.reloaded", "daemon.started"]),
    ("dns.unsteady", &["dns.steady"]),
    ("notify.failed", &["notify.recovered"]),
];

/// What lasts as long as the state database shows it.
pub(super) const SHOWN: [&str; 9] = [
    "dns.broke",
    "certificate.broke",
    "certificate.expiring",
    "certificate.last_day",
    "certificate.blocked",
    "site.broke",
    "domain.needs_attention",
    "domain.refused",
    "row.invalid",
];

/// What targets are told of besides errors, unless they name events.
const STANDARD: [&str; 4] =
    ["dns.broke", "certificate.broke", "certificate.expiring", "site.broke"];

/// While one of these stands, the others may follow from it.
const CAUSES: [(&str, &[&str]); 3] = [
    ("closte.failed", &["certificate.broke", "site.broke", "domain.needs_attention"]),
    ("closte.key_rejected", &["domain.needs_attention"]),
    ("wordpress.failed", &["site.broke", "domain.needs_attention"]),
];

/// What follows from checks that are in doubt: suspiciously many fail, or a resolver is sick.
const DOUBTED: [&str; 4] =
    ["dns.broke", "certificate.broke", "site.broke", "domain.needs_attention"];

/// Of one domain, an earlier one is the reason for each later one.
const REASONS: [&str; 3] = ["dns.broke", "certificate.broke", "site.broke"];

/// How long what an event reports lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasts {
    /// As long as the state database shows it.
    WhileShown,
    UntilEvent,
    /// It does not last.
    Not,
}

/// What has become of a trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Stands,
    Over,
    /// Its subject is not managed any more.
    Gone,
    Unknown,
}

/// Which events a target is told of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection(Vec<String>);

impl Selection {
    /// Errors and what stops domains from working.
    pub(super) fn standard() -> Self {
        Self::default()
    }

    /// These events. An unknown name is returned.
    pub(super) fn of(names: Vec<String>) -> Result<Self, String> {
        match names.iter().find(|name| level(name).is_none()) {
            Some(unknown) => Err(unknown.clone()),
            None => Ok(Self(names)),
        }
    }

    pub(super) fn includes(&self, event: &str) -> bool {
        match self.0.as_slice() {
            [] => STANDARD.contains(&event) || level(event) == Some("ERROR"),
            names => names.iter().any(|name| name == event),
        }
    }
}

/// An event's level; none if there is no such event.
pub(super) fn level(event: &str) -> Option<&'static str> {
    Event::LEVELS.iter().find(|(name, _)| *name == event).map(|(_, level)| *level)
}

pub(super) fn lasts(event: &str) -> Lasts {
    if SHOWN.contains(&event) {
        Lasts::WhileShown
    } else if CONDITIONS.iter().any(|(opens, _)| *opens == event) {
        Lasts::UntilEvent
    } else {
        Lasts::Not
    }
}

/// The events whose troubles this one ends.
pub(super) fn ends(event: &str) -> impl Iterator<Item = &'static str> {
    CONDITIONS.iter().filter(move |(_, ends)| ends.contains(&event)).map(|(opens, _)| *opens)
}

/// The conditions that only the process that raised them clears.
pub(super) fn of_a_run() -> impl Iterator<Item = &'static str> {
    let is_kept = |event: &&str| ["dns.unsteady", "notify.failed"].contains(event);
    CONDITIONS.iter().map(|(opens, _)| *opens).filter(move |event| !is_kept(event))
}

/// What an event is about: a domain, a row, a target of notifications, or nothing of these.
pub(super) fn subject(event: &str, domain: Option<&str>, detail: &Value) -> String {
    let field = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
    match (event, domain) {
        (_, Some(domain)) => domain.to_owned(),
        ("row.invalid", _) => {
            let id = detail.get("id").and_then(Value::as_i64).unwrap_or_default();
            format!("{} {id}", field("kind"))
        }
        (event, _) if event.starts_with("notify.") => field("target").to_owned(),
        _ => String::new(),
    }
}

/// The causes from which a trouble may follow.
pub(super) fn causes(event: &str) -> impl Iterator<Item = &'static str> {
    CAUSES.iter().filter(move |(_, follow)| follow.contains(&event)).map(|(cause, _)| *cause)
}

pub(super) fn is_doubted(event: &str) -> bool {
    DOUBTED.contains(&event)
}

/// The troubles of the same domain that may be the reason for this one.
pub(super) fn reasons(event: &str) -> &'static [&'static str] {
    let place = REASONS.iter().position(|one| *one == event).unwrap_or_default();
    REASONS.get(..place).unwrap_or_default()
}

/// Whether a trouble of the kind [`Lasts::WhileShown`] still stands.
pub(super) fn shown(facts: &TroubleFacts) -> Shown {
    let stands = |stands| if stands { Shown::Stands } else { Shown::Over };
    if facts.event == "row.invalid" {
        return stands(facts.is_invalid_row);
    }
    if !facts.is_desired {
        return Shown::Gone;
    }
    if facts.event == "domain.refused" {
        return stands(facts.is_refused);
    }
    let (Some(dns), Some(ssl)) = (facts.dns, facts.ssl) else { return Shown::Unknown };
    let is_connected = dns.is_good() && ssl.is_good();
    let is_unknown = dns == DnsVerdict::Unknown || ssl == SslVerdict::Unknown;
    let site_is = |is: fn(SiteVerdict) -> bool| facts.site.is_some_and(is);
    match facts.event.as_str() {
        "dns.broke" if dns != DnsVerdict::Unknown => stands(!dns.is_good()),
        "certificate.broke" if ssl != SslVerdict::Unknown => stands(!ssl.is_good()),
        "certificate.blocked" if ssl != SslVerdict::Unknown => stands(!ssl.is_good()),
        // One that has expired has not recovered.
        "certificate.expiring" | "certificate.last_day" if !is_unknown => {
            stands(!matches!(ssl, SslVerdict::Valid | SslVerdict::OldTls))
        }
        "site.broke" if site_is(SiteVerdict::is_bad) => Shown::Stands,
        "site.broke" if is_connected && !site_is(SiteVerdict::is_undecided) => Shown::Over,
        "domain.needs_attention" if is_connected => stands(site_is(SiteVerdict::is_bad)),
        _ => Shown::Unknown,
    }
}

/// What happened, in words.
pub(super) fn summary(event: &str) -> &str {
    match event {
        "dns.broke" => "the DNS is no longer right",
        "dns.unsteady" => "the DNS goes back and forth",
        "certificate.broke" => "browsers no longer accept the certificate",
        "certificate.expiring" => "the certificate ends soon and was not renewed",
        "certificate.last_day" => "the certificate ends within a day",
        "certificate.blocked" => "a DNS record blocks the certificate",
        "site.broke" => "visitors do not get the site",
        "domain.needs_attention" => "has not worked for too long",
        "domain.refused" => "Closte refuses the domain",
        "domain.live" => "visitors get the site for the first time",
        "row.invalid" => "a mapping is not a domain name",
        "sync.removals_held" => "removals are held until somebody lets them through",
        "closte.key_rejected" => "Closte rejects the API key",
        "closte.failed" => "Closte cannot be reached or does not answer as expected",
        "wordpress.failed" => "the network's database cannot be read",
        "wordpress.stages_failed" => "stages cannot be written into WordPress",
        "checks.ended" => "a fault ended the checks: restart the daemon",
        "checks.target_unknown" => "it is not known where domains should point",
        "checks.resolver_sick" => "resolvers fail",
        "checks.resolver_silent" => "resolvers do not answer",
        "state.failed" => "the state database cannot be read or written",
        "state.deleted" => "the state database was deleted",
        "state.replaced" => "another file has taken the place of the state database",
        "daemon.reload_refused" => "the new settings are wrong, so the old ones stay in force",
        "notify.failed" => "notifications do not arrive at this target",
        other => other,
    }
}

/// What to do about it, or the reason, from the event's fields.
pub(super) fn advice(detail: &Value) -> Option<String> {
    let field = |name: &str| detail.get(name).and_then(Value::as_str);
    let what = ["reason", "error"].into_iter().find_map(field);
    let remedy = ["advice", "remedy", "outcome"].into_iter().find_map(field);
    match (what, remedy) {
        (Some(what), Some(remedy)) => Some(format!("{what}. {remedy}")),
        (one, other) => one.or(other).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_an_event() {
        let conditions = CONDITIONS.iter().flat_map(|(opens, ends)| ends.iter().chain([opens]));
        let causes = CAUSES.iter().flat_map(|(cause, follow)| follow.iter().chain([cause]));
        let all = conditions.chain(causes).chain(&SHOWN).chain(&STANDARD).chain(&DOUBTED);
        for name in all.chain(&REASONS) {
            assert!(level(name).is_some(), "{name}");
        }
        for (cause, _) in CAUSES {
            assert_eq!(lasts(cause), Lasts::UntilEvent);
        }
    }

    #[test]
    fn every_error_has_words_of_its_own() {
        let errors = Event::LEVELS.iter().filter(|(_, level)| *level == "ERROR");
        let without: Vec<_> =
            errors.filter(|(name, _)| summary(name) == *name).map(|(name, _)| *name).collect();
        // Not recorded: the daemon has not begun, or ends.
        assert_eq!(without, ["daemon.awaits_files", "daemon.hangs", "daemon.failed"]);
    }

    #[test]
    fn standard_is_what_is_wrong() {
        let standard = Selection::standard();
        for (event, is_included) in [
            ("dns.broke", true),
            ("domain.needs_attention", true),
            ("sync.removals_held", true),
            ("dns.pending", false),
            ("closte.failed", false),
            ("domain.live", false),
        ] {
            assert_eq!(standard.includes(event), is_included, "{event}");
        }
        let named = Selection::of(vec!["domain.live".to_owned()]).unwrap();
        assert!(named.includes("domain.live") && !named.includes("dns.broke"));
        assert_eq!(Selection::of(vec!["dns.brok".to_owned()]), Err("dns.brok".to_owned()));
    }

    #[test]
    fn a_trouble_stands_as_long_as_the_status_shows_it() {
        use {DnsVerdict as Dns, SiteVerdict as Site, SslVerdict as Ssl};
        let facts = |event: &str, dns, ssl, site| TroubleFacts {
            event: event.to_owned(),
            is_desired: true,
            dns: Some(dns),
            ssl: Some(ssl),
            site,
            ..TroubleFacts::default()
        };
        let served = Some(Site::Served);
        for (event, dns, ssl, site, is) in [
            ("dns.broke", Dns::NoSuchName, Ssl::Valid, None, Shown::Stands),
            ("dns.broke", Dns::Unknown, Ssl::Valid, None, Shown::Unknown),
            ("dns.broke", Dns::Proxied, Ssl::Expired, None, Shown::Over),
            ("certificate.broke", Dns::Ok, Ssl::Expired, None, Shown::Stands),
            ("certificate.broke", Dns::Ok, Ssl::Expiring, None, Shown::Over),
            ("certificate.expiring", Dns::Ok, Ssl::Expiring, served, Shown::Stands),
            ("certificate.expiring", Dns::Ok, Ssl::Expired, None, Shown::Stands),
            ("certificate.last_day", Dns::Ok, Ssl::Valid, served, Shown::Over),
            ("site.broke", Dns::Ok, Ssl::Valid, Some(Site::NotActive), Shown::Stands),
            ("site.broke", Dns::Ok, Ssl::Valid, Some(Site::Unknown), Shown::Unknown),
            ("site.broke", Dns::NoSuchName, Ssl::Valid, None, Shown::Unknown),
            ("site.broke", Dns::Ok, Ssl::Valid, served, Shown::Over),
            ("domain.needs_attention", Dns::Ok, Ssl::Valid, served, Shown::Over),
            ("domain.needs_attention", Dns::Ok, Ssl::Expired, None, Shown::Unknown),
        ] {
            assert_eq!(
                shown(&facts(event, dns, ssl, site)),
                is,
                "{event} {dns:?} {ssl:?} {site:?}"
            );
        }
        let undesired = TroubleFacts { event: "dns.broke".to_owned(), ..TroubleFacts::default() };
        assert_eq!(shown(&undesired), Shown::Gone);
        let row = TroubleFacts { event: "row.invalid".to_owned(), ..TroubleFacts::default() };
        assert_eq!(shown(&row), Shown::Over);
    }
}
