use std::{collections::HashSet, fmt::Write as _, time::Duration};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CommandError, exit,
    output::{
        BAD, FAIR, GOOD, STRONG, complain, paint, print, print_json, progress_bar, request_json,
        since, ssl_json, under,
    },
    panel, rules, source,
};
use crate::{
    app::Settings,
    checks::{
        Advice, Checker, Depth, Expected, Transition, advise, is_suspicious, stage, transition,
    },
    clock::Clock,
    domain::DomainName,
    events::News,
    listing::listing,
    span::whole_days,
    state::{CheckedDomain, LedgerId, Loop, State, StateError, StatusUpdate},
    status::{
        CheckResult, DnsResult, DnsVerdict, DomainStatus, LedgerInfo, ResolverAnswer, SslResult,
        SslVerdict,
    },
};

pub(super) async fn execute(
    settings: &Settings,
    only: &[DomainName],
    as_json: bool,
) -> Result<u8, CommandError> {
    let checks = Checker::new(settings.checks.options.clone())?;
    let mut clock = Clock::default();
    let Scope { names, own_domain, ledger, place } =
        Scope::find(settings, only, &mut clock).await?;
    let now = clock.now();
    let expected = checks.expected(own_domain.as_deref(), now).await;
    let target = expected.as_ref().ok().map(|expected| &**expected);

    let bar = progress_bar("domains");
    bar.set_length(names.len() as u64);
    let (attention_after, panel) = (settings.checks.attention_after, panel(settings));
    let looks = Looks { checks: &checks, target, attention_after, panel: panel.as_deref(), now };
    let mut findings: Vec<Finding> = stream::iter(names)
        .map(|checked| looks.look(checked))
        .buffer_unordered(settings.checks.concurrency)
        .inspect(|_| bar.inc(1))
        .collect()
        .await;
    bar.finish_and_clear();
    stream::iter(findings.iter_mut().filter(|finding| finding.settled.is_doubt()))
        .for_each_concurrent(settings.checks.concurrency, |finding| looks.look_again(finding))
        .await;
    findings
        .sort_by(|a, b| (a.seen.works(), &a.checked.name).cmp(&(b.seen.works(), &b.checked.name)));
    let recorded = match place.zip(ledger) {
        Some((state, ledger)) => record(&state, ledger, &findings, now).await,
        None => Ok(()),
    };

    if as_json {
        print_json(&findings.iter().map(|finding| finding.to_json(&looks)).collect::<Vec<_>>())?;
    } else {
        if let Err(reason) = &expected {
            let text = format!(
                "It is not known where domains should point ({reason}): set \
                 checks.expected_targets, or see to the network's own domain."
            );
            print(&paint(FAIR, under("", &text)))?;
        }
        let had_worked = || findings.iter().filter(|finding| finding.worked());
        let failing = had_worked().filter(|finding| !finding.seen.works()).count() as u64;
        let of = had_worked().count() as u64;
        if is_suspicious(failing, of) {
            let text = format!(
                "{failing} of {of} domains that worked seem not to, and a second look agrees. Is the \
                 fault on this machine's side?"
            );
            print(&paint(FAIR, under("", &text)))?;
        }
        print(&to_text(&findings, &looks, !only.is_empty()))?;
    }
    recorded?;
    Ok(exit_status(&findings))
}

fn exit_status(findings: &[Finding]) -> u8 {
    let all_work = findings.iter().all(|finding| finding.seen.works());
    if all_work { exit::OK } else { exit::DONE_IN_PART }
}

/// What is looked at, and where that is written down.
struct Scope {
    names: Vec<CheckedDomain>,
    own_domain: Option<String>,
    ledger: Option<LedgerId>,
    place: Option<State>,
}

impl Scope {
    /// From the state database; where there is none yet, from the network.
    async fn find(
        settings: &Settings,
        only: &[DomainName],
        clock: &mut Clock,
    ) -> Result<Self, CommandError> {
        let mut scope = Self { names: Vec::new(), own_domain: None, ledger: None, place: None };
        let path = &settings.state.path;
        let state = if path.exists() {
            match State::open(path).await {
                Err(StateError::NotWritable(_)) => {
                    let note = format!("{} cannot be written: nothing is recorded", path.display());
                    complain(&format!("{}\n", paint(FAIR, note)));
                    State::open_existing(path).await?.map(|state| (state, false))
                }
                opened => Some((opened?, true)),
            }
        } else {
            None
        };
        if let Some((state, is_writable)) = state
            && let Some(ledger) = state.current_ledger().await?
        {
            if is_writable {
                state.follow_clock(Loop::Checks, clock).await?;
                state.sync_schedule(ledger, settings.checks.pace.interval, clock.now()).await?;
            }
            scope.names = state.desired(ledger, only).await?;
            scope.own_domain = Some(state.network(ledger).await?.domain);
            scope.ledger = Some(ledger);
            scope.place = is_writable.then_some(state);
        }
        let needs_names = scope.ledger.is_none() && only.is_empty();
        let needs_target =
            scope.own_domain.is_none() && settings.checks.options.expected_targets.is_empty();
        if needs_names || needs_target {
            let read = async { Ok::<_, CommandError>(source(settings)?.read().await?) };
            match read.await {
                Ok(network) => {
                    if needs_names {
                        let desired = rules(settings, false).desired(&network).names;
                        scope.names = desired.into_keys().map(unrecorded).collect();
                    }
                    scope.own_domain = Some(network.domain);
                }
                // The address alone tells what is right.
                Err(_) if !needs_names && settings.closte.public_address.is_some() => {}
                Err(error) => return Err(error),
            }
        }
        let known: HashSet<_> = scope.names.iter().map(|checked| checked.name.clone()).collect();
        let strangers = only.iter().filter(|name| !known.contains(*name));
        scope.names.extend(strangers.cloned().map(unrecorded));
        Ok(scope)
    }
}

fn unrecorded(name: DomainName) -> CheckedDomain {
    CheckedDomain { name, facts: LedgerInfo::default(), status: None, due_at: None, request: None }
}

/// How every name is looked at.
struct Looks<'a> {
    checks: &'a Checker,
    target: Option<&'a Expected>,
    attention_after: Duration,
    panel: Option<&'a str>,
    now: Timestamp,
}

/// What was found of a name.
struct Finding {
    checked: CheckedDomain,
    seen: CheckResult,
    settled: Transition,
}

impl Looks<'_> {
    async fn look(&self, checked: CheckedDomain) -> Finding {
        let seen = self.checks.check(&checked.name, self.target, Depth::Full, self.now).await;
        let settled = self.transition(&checked, checked.status.as_ref(), &seen);
        let mut finding = Finding { checked, seen, settled };
        finding.say_it_as_what_it_is();
        finding
    }

    /// A name that worked must look broken twice.
    async fn look_again(&self, finding: &mut Finding) {
        let name = &finding.checked.name;
        finding.seen = self.checks.check(name, self.target, Depth::Full, self.now).await;
        let doubted = finding.settled.status.clone();
        finding.settled = self.transition(&finding.checked, Some(&doubted), &finding.seen);
        finding.say_it_as_what_it_is();
    }

    fn transition(
        &self,
        checked: &CheckedDomain,
        previous: Option<&DomainStatus>,
        seen: &CheckResult,
    ) -> Transition {
        let seen = seen.clone();
        let (name, facts) = (&checked.name, &checked.facts);
        transition(name, previous, seen, facts, self.panel, self.attention_after, self.now)
    }
}

async fn record(
    state: &State,
    ledger: LedgerId,
    findings: &[Finding],
    now: Timestamp,
) -> Result<(), StateError> {
    let managed = findings.iter().filter(|finding| finding.checked.due_at.is_some());
    let outcome = |finding: &Finding| StatusUpdate {
        name: finding.checked.name.clone(),
        status: finding.settled.status.clone(),
        due_at: finding.checked.due_at.unwrap_or(now).max(now),
    };
    let outcomes: Vec<StatusUpdate> = managed.clone().map(outcome).collect();
    let news = News::of(managed.flat_map(|finding| finding.settled.events.iter().cloned()));
    state.record_checks(ledger, &outcomes, &news, now).await?;
    state.close().await;
    Ok(())
}

impl Finding {
    /// What looks as if it spread may have done so for too long.
    fn say_it_as_what_it_is(&mut self) {
        let settled = &self.settled.status.latest.dns;
        if self.seen.dns.verdict == DnsVerdict::Propagating && !self.settled.is_doubt() {
            self.seen.dns = settled.clone();
        }
    }

    fn worked(&self) -> bool {
        self.checked.status.as_ref().is_some_and(|status| status.latest.works())
    }

    /// What was seen now, be it what counts from now on or not.
    fn shown(&self, now: Timestamp) -> DomainStatus {
        let (seen, counts) = (&self.seen, &self.settled.status);
        let since = |same: bool, since: Timestamp| if same { since } else { now };
        DomainStatus {
            latest: seen.clone(),
            since: since(seen.works() == counts.latest.works(), counts.since),
            dns_since: since(seen.dns.verdict == counts.latest.dns.verdict, counts.dns_since),
            ..counts.clone()
        }
    }

    fn advice(&self, shown: &DomainStatus, looks: &Looks<'_>) -> Advice {
        advise(&self.checked.name, shown, &self.checked.facts, looks.panel, looks.now)
    }

    fn to_json(&self, looks: &Looks<'_>) -> Value {
        let shown = self.shown(looks.now);
        let Advice { owner, customer, .. } = self.advice(&shown, looks);
        json!({
            "domain": self.checked.name,
            "blog_id": self.checked.facts.blog_id,
            "stage": stage(&shown, looks.attention_after, looks.now),
            "works": self.seen.works(),
            "since": shown.since,
            "dns": self.seen.dns,
            "ssl": ssl_json(&self.seen.ssl, looks.now),
            "blockers": self.seen.blockers,
            "caa": self.seen.caa,
            "expected": self.seen.expected,
            "certificate_request": request_json(&self.checked),
            "advice": owner,
            "customer": customer,
        })
    }

    fn details(&self, looks: &Looks<'_>) -> String {
        let CheckResult { dns, ssl, .. } = &self.seen;
        let style = if self.seen.works() { GOOD } else { BAD };
        let mut text = format!("{}\n", paint(STRONG, &self.checked.name));
        let word =
            paint(style_of(dns.verdict.is_good(), dns.verdict == DnsVerdict::Unknown), dns.verdict);
        let _ = writeln!(text, "  DNS       {word}{}", dns_summary(dns));
        let servers = || dns.answers.iter().chain(&dns.name_servers);
        let widest = servers().map(|one| one.resolver.len()).max().unwrap_or_default();
        for one in servers() {
            let heading = format!("    {:widest$}  ", one.resolver);
            text.push_str(&under(&heading, &answer(one)));
        }
        let word =
            paint(style_of(ssl.verdict.is_good(), ssl.verdict == SslVerdict::Unknown), ssl.verdict);
        let _ = writeln!(text, "  SSL       {word}{}", ssl_summary(ssl));
        if let [_, _, ..] = &ssl.addresses[..] {
            let widest = ssl.addresses.iter().map(|one| one.address.to_string().len()).max();
            let widest = widest.unwrap_or_default();
            for one in &ssl.addresses {
                let error = one.error.as_ref().map(|error| format!(": {error}"));
                let said = format!("{}{}", one.verdict, error.unwrap_or_default());
                text.push_str(&under(&format!("    {:widest$}  ", one.address.to_string()), &said));
            }
        }
        for (label, value) in certificate(ssl, looks.now) {
            text.push_str(&under(&format!("    {label:<8}  "), &value));
        }
        for blocker in &self.seen.blockers {
            let _ = writeln!(text, "  Blocked   {}", paint(BAD, blocker));
        }
        let shown = self.shown(looks.now);
        let lasting = if shown.since < looks.now {
            format!(", for {}", since(shown.since, looks.now))
        } else {
            String::new()
        };
        let word = stage(&shown, looks.attention_after, looks.now);
        let _ = writeln!(text, "  Stage     {}{lasting}", paint(style, word));
        if let Some((at, answer)) = &self.checked.request {
            let asked =
                format!("asked Closte for a certificate {} ago: {answer}", since(*at, looks.now));
            text.push_str(&under("  Request   ", &asked));
        }
        let Advice { owner, customer, .. } = self.advice(&shown, looks);
        text.push_str(&under("  Advice    ", &owner));
        if !self.seen.works() || !self.seen.blockers.is_empty() {
            text.push_str(&under("  Customer  ", &customer));
        }
        text
    }

    fn line(&self, looks: &Looks<'_>) -> String {
        let CheckResult { dns, ssl, .. } = &self.seen;
        let words = format!("DNS {}, SSL {}", dns.verdict, ssl.verdict);
        let heading = format!("{}  {words}\n", paint(STRONG, &self.checked.name));
        format!("{heading}{}", under("    ", &self.advice(&self.shown(looks.now), looks).owner))
    }
}

fn style_of(is_good: bool, is_unknown: bool) -> anstyle::Style {
    match (is_good, is_unknown) {
        (true, _) => GOOD,
        (_, true) => FAIR,
        _ => BAD,
    }
}

fn dns_summary(dns: &DnsResult) -> String {
    let resolvers = match dns.verdict {
        DnsVerdict::Unknown => String::new(),
        _ => format!(", {} of {} resolvers", dns.seen, dns.of),
    };
    let host = dns.host.as_ref().map(|host| format!(": {host}")).unwrap_or_default();
    format!("{resolvers}{host}")
}

fn answer(one: &ResolverAnswer) -> String {
    let mut parts = vec![one.verdict.as_str().to_owned()];
    parts.extend(one.cnames.iter().map(|name| format!("→ {name}")));
    if !one.addresses.is_empty() {
        parts.push(listing(&one.addresses, 0));
    }
    match &one.no_say {
        None => parts.extend(one.error.clone()),
        Some(why) => parts.push(format!("(does not count: {why})")),
    }
    parts.join("  ")
}

fn ssl_summary(ssl: &SslResult) -> String {
    let address = ssl.address.map(|address| format!(", at {address}")).unwrap_or_default();
    let error = ssl.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{address}{error}")
}

fn certificate(ssl: &SslResult, now: Timestamp) -> Vec<(&'static str, String)> {
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

fn to_text(findings: &[Finding], looks: &Looks<'_>, in_detail: bool) -> String {
    let mut text = String::new();
    if in_detail {
        let details: Vec<String> = findings.iter().map(|one| one.details(looks)).collect();
        text.push_str(&details.join("\n"));
        return text;
    }
    let working = findings.iter().filter(|finding| finding.seen.works()).count();
    let is_unseen = |finding: &&Finding| finding.seen.dns.verdict == DnsVerdict::Unknown;
    let unseen = match findings.iter().filter(is_unseen).count() {
        0 => String::new(),
        many => format!("; {many} could not be looked at"),
    };
    let _ = writeln!(text, "{working} of {} domains work{unseen}", findings.len());
    let noteworthy =
        |finding: &&Finding| !finding.seen.works() || !finding.seen.blockers.is_empty();
    for finding in findings.iter().filter(noteworthy) {
        text.push_str(&finding.line(looks));
    }
    text
}

#[cfg(test)]
mod tests;
