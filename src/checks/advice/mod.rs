//! The stage of a status, and advice on what to do about it. Pure.

use std::time::Duration;

use jiff::Timestamp;

use self::record::RecordTarget;
use crate::{
    checks::words::{CustomerText, Sentence, in_english},
    domain::DomainName,
    ledger::{LedgerInfo, Progress, later},
    span::span_between,
    status::{Blocker, CheckResult, DnsVerdict, DomainStatus, ResolverAnswer, SslVerdict, Stage},
};

mod addresses;
mod caa;
mod dns;
mod reasons;
mod record;
mod row;
mod site;
mod ssl;

pub use row::{MAPPING_OFF, not_served};

/// The time that Closte states for issuing a certificate is 5 to 10 minutes.
const ISSUING: Duration = Duration::from_secs(10 * 60);

/// After this time, a name that is not at Closte needs attention.
const ADDING: Duration = Duration::from_secs(24 * 60 * 60);

const WAIT: &str = "wait";

/// What to do about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// One or two words.
    pub short: &'static str,
    /// For the operator of the network.
    pub owner: String,
    /// For the customer who owns the domain.
    pub customer: CustomerText,
}

impl Advice {
    /// Whether nobody needs to act.
    pub fn is_to_wait(&self) -> bool {
        self.short == WAIT
    }
}

/// The plugin's stage for a status.
pub fn stage(status: &DomainStatus, attention_after: Duration, now: Timestamp) -> Stage {
    let latest = &status.latest;
    // The time for the certificate starts when the DNS is right.
    let since = if latest.dns.verdict.is_good() {
        status.since.max(status.dns_since)
    } else {
        status.since
    };
    let is_late = now >= later(since, attention_after);
    stage_of(latest.dns.verdict, latest.ssl.verdict, is_late)
}

/// The stage for these verdicts; `is_late` is whether they have lasted for `checks.attention_after`.
pub fn stage_of(dns: DnsVerdict, ssl: SslVerdict, is_late: bool) -> Stage {
    match (dns.is_good(), ssl.is_good(), is_late) {
        (true, true, _) => Stage::Done,
        // An unknown certificate has not failed.
        (true, false, true) if ssl.is_bad() => Stage::SslFailed,
        (true, false, _) => Stage::CheckingSslCert,
        // Neither has an unknown or propagating DNS.
        (false, _, true) if !matches!(dns, DnsVerdict::Unknown | DnsVerdict::Propagating) => {
            Stage::Failed
        }
        (false, _, _) => Stage::CheckingDns,
    }
}

/// Whether the name has its own certificate, which browsers do not accept.
fn has_certificate(ssl: SslVerdict) -> bool {
    matches!(
        ssl,
        SslVerdict::IncompleteChain
            | SslVerdict::ExpiredIssuer
            | SslVerdict::UnsupportedKey
            | SslVerdict::Weak
            | SslVerdict::NotYetValid
            | SslVerdict::Expired
    )
}

/// Since when Closte can issue the certificate, if it may still be doing that.
fn issuing_since(status: &DomainStatus, facts: &LedgerInfo, now: Timestamp) -> Option<Timestamp> {
    let latest = &status.latest;
    let since = facts.at_closte_since?.max(status.dns_since);
    let is_issuing = latest.dns.verdict.is_good()
        && latest.ssl.needs_certificate()
        && latest.blockers.is_empty()
        && now < later(since, ISSUING);
    is_issuing.then_some(since)
}

/// What to do about a name. `panel` is the address of Closte's panel for certificates, if it is known.
pub fn advise(
    name: &DomainName,
    status: &DomainStatus,
    facts: &LedgerInfo,
    panel: Option<&str>,
    now: Timestamp,
) -> Advice {
    let latest = &status.latest;
    let about = About { name, latest, target: RecordTarget::best_of(&latest.expected), panel };
    let mut advice = advise_on(&about, status, facts, now);
    advice.owner.push_str(&about.differing_answers(&advice.owner));
    if let Some(http) = about.closed_http().filter(|_| !latest.works()) {
        let end = if advice.owner.ends_with(['.', '?']) { "" } else { "." };
        advice.owner.push_str(&format!("{end} Also, {http}"));
    }
    advice
}

fn advise_on(
    about: &About<'_>,
    status: &DomainStatus,
    facts: &LedgerInfo,
    now: Timestamp,
) -> Advice {
    let (name, latest) = (about.name, about.latest);
    if latest.dns.verdict == DnsVerdict::Unknown {
        return about.unknown_dns();
    }
    if let Some(since) = latest.dns.history.unsteady_since {
        let not_always = Sentence::WorksButNotAlways { name: name.clone() };
        return about.for_now(not_always, about.unsteady(since, now));
    }
    if !latest.dns.verdict.is_good() {
        return about.dns();
    }
    if latest.blockers.contains(&Blocker::AaaaElsewhere) {
        return about.for_now(Sentence::WorksButIpv6 { name: name.clone() }, about.aaaa());
    }
    if !latest.blockers.is_empty() {
        return about.for_now(Sentence::WorksButNotRenewed { name: name.clone() }, about.caa());
    }
    if latest.works() {
        let advice = about.works(now);
        return match about.closed_http() {
            Some(http) if advice.short.is_empty() => Advice {
                short: "open port 80",
                owner: format!("{name} works, but {http}"),
                ..advice
            },
            _ => advice,
        };
    }
    if let Some(site) = latest.site.as_ref().filter(|_| latest.is_well_connected()) {
        return about.site(site, facts.row);
    }
    if has_certificate(latest.ssl.verdict) {
        return about.ssl();
    }
    if let Some(since) = issuing_since(status, facts, now) {
        return about.being_issued(since, now);
    }
    if let (None, Some(added)) = (facts.at_closte_since, facts.added_at) {
        let since = added.max(status.since).max(status.dns_since);
        return about.not_at_closte(&facts.progress, since, now);
    }
    about.ssl()
}

struct About<'a> {
    name: &'a DomainName,
    latest: &'a CheckResult,
    target: RecordTarget<'a>,
    panel: Option<&'a str>,
}

impl About<'_> {
    /// Advice for a name that may still work, with the limitation in that case.
    fn for_now(&self, works_but: Sentence, advice: Advice) -> Advice {
        if !self.latest.works() {
            return advice;
        }
        let owner = format!("{} {}", in_english(&works_but), advice.owner);
        Advice { owner, customer: advice.customer.after(works_but), ..advice }
    }

    /// The DNS verdict alternates.
    fn unsteady(&self, since: Timestamp, now: Timestamp) -> Advice {
        let (dns, name, record) = (&self.latest.dns, self.name, self.record());
        let verdicts: Vec<_> =
            dns.history.different().into_iter().map(DnsVerdict::as_str).collect();
        let (verdicts, lasting) = (verdicts.join(", "), span_between(since, now));
        Advice {
            short: "fix DNS",
            owner: format!(
                "The DNS of {name} alternates ({verdicts}; for {lasting}): make sure that each of its \
                 name servers has the {record}, and no other A, AAAA or CNAME record of the name"
            ),
            customer: CustomerText::of([Sentence::KeepsChanging {
                name: name.clone(),
                change: self.point(),
            }]),
        }
    }

    /// The differing answers that do not count.
    fn differing_answers(&self, owner: &str) -> String {
        let dns = &self.latest.dns;
        let differs = |one: &&ResolverAnswer| {
            one.ignored_because.is_some()
                && ![dns.verdict, DnsVerdict::Unknown, DnsVerdict::Broken].contains(&one.verdict)
        };
        let of = |one: &ResolverAnswer| {
            let why = one.ignored_because.as_deref().unwrap_or_default();
            format!("{} sees {} ({why})", one.resolver, one.describe())
        };
        let differing: Vec<String> = dns.answers.iter().filter(differs).map(of).collect();
        if differing.is_empty() {
            return String::new();
        }
        let end = if owner.ends_with(['.', '?']) { "" } else { "." };
        format!("{end} Not counted: {}", differing.join(", "))
    }

    fn unknown_dns(&self) -> Advice {
        let why = self.latest.dns.error.as_deref().unwrap_or("no resolver answered");
        Advice {
            short: "ask again",
            owner: format!("{} cannot be checked: {why}", self.name),
            customer: CustomerText::of([Sentence::StillChecking { name: self.name.clone() }]),
        }
    }

    /// The reader may have only this sentence, so it contains the reason.
    fn not_at_closte(&self, progress: &Progress, since: Timestamp, now: Timestamp) -> Advice {
        let (name, lasting) = (self.name, span_between(since, now));
        let is_late = now >= later(since, ADDING);
        let (short, owner) = match progress {
            Progress::Idle if is_late => (
                "not added",
                format!(
                    "{name} has not been added to Closte for {lasting}, so there is no certificate: \
                     see what `closte-sync apply {name}` says"
                ),
            ),
            // The first attempt may be recent even where `since` is not.
            Progress::Accepted(attempt)
                if is_late && (attempt.count > 1 || now >= later(attempt.next, ADDING)) =>
            {
                (
                    "ask Closte",
                    format!(
                        "Closte takes {name}, but its list has not shown it for {lasting}, so there \
                         is no certificate: ask Closte's support"
                    ),
                )
            }
            Progress::Idle => (WAIT, format!("Wait: the next cycle adds {name} to Closte")),
            Progress::Accepted(attempt) if attempt.count <= 1 => {
                let when = if now < attempt.next { " a moment ago" } else { "" };
                let owner =
                    format!("Wait: {name} was added{when}, and Closte's next list confirms it");
                (WAIT, owner)
            }
            Progress::Accepted(_) => {
                (WAIT, format!("Wait: Closte took {name} again, and its list is to show it"))
            }
            Progress::Failed(attempt, error) => (
                "not added",
                format!(
                    "{name} could not be added to Closte, so there is no certificate ({error}); it \
                     is tried again in {}",
                    span_between(now, attempt.next)
                ),
            ),
            Progress::Refused { error, .. } => (
                "refused",
                format!(
                    "Closte refuses {name}, so there is no certificate ({error}). Does another \
                     account have it?"
                ),
            ),
        };
        let customer = CustomerText::of([Sentence::SettingUp { name: name.clone() }]);
        Advice { short, owner, customer }
    }
}
