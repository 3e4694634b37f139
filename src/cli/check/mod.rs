mod finding;
mod scope;
mod text;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use self::{
    finding::{Finding, View},
    scope::Scope,
    text::to_text,
};
use super::{
    error::CommandError,
    exit,
    output::{FAIR, paint, print, print_json, progress_bar, under},
};
use crate::{
    app::App,
    checks::{Checker, Depth, Expected, Look, SiteLook, Verifier, is_suspicious},
    domain::DomainName,
    events::EventBatch,
    state::{CheckedDomain, LedgerId, State, StateError, StatusUpdate},
    status::CheckResult,
};

pub(super) async fn execute(
    app: &App,
    only: &[DomainName],
    as_json: bool,
) -> Result<u8, CommandError> {
    let mut clock = app.clock();
    let (checker, verifier) = (app.checker()?, app.verifier());
    let Scope { names, own_domain, ledger, place } = Scope::find(app, only, &mut clock).await?;
    let now = clock.now();
    let expected = checker.expected(own_domain.as_deref(), now).await;
    let target = expected.as_ref().ok().map(|expected| &**expected);
    let concurrency = app.settings().checks.concurrency;
    let (network, waits) = (own_domain.as_deref(), !only.is_empty());
    let (checker, verifier) = (&checker, &verifier);
    let round = Round { checker, verifier, target, concurrency, network, waits, now };
    let mut findings = round.check_twice(names).await;
    findings
        .sort_by(|a, b| (a.seen.works(), &a.checked.name).cmp(&(b.seen.works(), &b.checked.name)));
    let recorded = match place.zip(ledger) {
        Some((state, ledger)) => record(&state, ledger, &findings, now).await,
        None => Ok(()),
    };

    let panel = app.settings().closte.panel();
    let attention_after = app.settings().checks.attention_after;
    let language = app.settings().notify.language;
    let view = View { attention_after, panel: panel.as_deref(), now, language };
    if as_json {
        print_json(&findings.iter().map(|finding| finding.to_json(&view)).collect::<Vec<_>>())?;
    } else {
        if let Err(reason) = &expected {
            print(&no_target(reason))?;
        }
        print(&mass_failure(&findings))?;
        print(&to_text(&findings, &view, !only.is_empty()))?;
    }
    recorded?;
    Ok(exit_status(&findings))
}

/// Checks every domain once, and a second time where the first result does not count yet.
struct Round<'a> {
    checker: &'a Checker,
    verifier: &'a Verifier,
    target: Option<&'a Expected>,
    concurrency: usize,
    /// The network's own domain.
    network: Option<&'a str>,
    /// Whether each look at a site waits for its turn at the server, and port 80 is looked at.
    waits: bool,
    now: Timestamp,
}

impl Round<'_> {
    async fn check_twice(&self, names: Vec<CheckedDomain>) -> Vec<Finding> {
        let bar = progress_bar("domains");
        bar.set_length(names.len() as u64);
        let (doubtful, mut findings): (Vec<Finding>, Vec<Finding>) = stream::iter(names)
            .map(async |checked| {
                let seen = self.check(&checked).await;
                Finding::new(checked, seen, self.verifier, self.now)
            })
            .buffer_unordered(self.concurrency)
            .inspect(|_| bar.inc(1))
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .partition(|finding| finding.needs_second_check);
        bar.finish_and_clear();
        let second = stream::iter(doubtful).map(async |finding| {
            let seen = self.check(&finding.checked).await;
            finding.after(seen, self.verifier, self.now)
        });
        findings.extend(second.buffer_unordered(self.concurrency).collect::<Vec<_>>().await);
        findings
    }

    async fn check(&self, checked: &CheckedDomain) -> CheckResult {
        let is_wildcard = checked.name.as_str().starts_with("*.");
        let has_site = checked.facts.blog_id.is_some() && !is_wildcard;
        let network = || self.network.map(str::to_owned);
        let site = has_site.then(|| SiteLook { network: network(), row: checked.facts.row });
        let look = Look { site, http: self.waits && !is_wildcard, waits: self.waits };
        self.checker.check(&checked.name, self.target, Depth::Full, &look, self.now).await
    }
}

fn exit_status(findings: &[Finding]) -> u8 {
    // What somebody decided is no failure.
    let is_fine = |finding: &Finding| finding.seen.works() || finding.seen.is_decided();
    let all_work = findings.iter().all(is_fine);
    if all_work { exit::OK } else { exit::DONE_IN_PART }
}

async fn record(
    state: &State,
    ledger: LedgerId,
    findings: &[Finding],
    now: Timestamp,
) -> Result<(), StateError> {
    let managed = findings.iter().filter(|finding| finding.checked.due_at.is_some());
    let update = |finding: &Finding| StatusUpdate {
        name: finding.checked.name.clone(),
        status: finding.status.clone(),
        due_at: finding.checked.due_at.unwrap_or(now).max(now),
    };
    let updates: Vec<StatusUpdate> = managed.clone().map(update).collect();
    let batch = EventBatch::of(managed.flat_map(|finding| finding.events.iter().cloned()));
    state.record_checks(ledger, &updates, &batch, now).await?;
    state.close().await;
    Ok(())
}

fn no_target(reason: &str) -> String {
    let text = format!(
        "It is not known where domains should point ({reason}): set checks.expected_targets, or fix \
         the network's own domain."
    );
    paint(FAIR, under("", &text))
}

/// A warning where so many domains stopped working that the fault may be this machine's; else empty.
fn mass_failure(findings: &[Finding]) -> String {
    let had_worked = || findings.iter().filter(|finding| finding.worked);
    let failing = had_worked().filter(|finding| !finding.seen.works()).count() as u64;
    let of = had_worked().count() as u64;
    if !is_suspicious(failing, of) {
        return String::new();
    }
    let text = format!(
        "{failing} of {of} domains that worked failed two checks. The fault may be on this machine: \
         run `closte-sync doctor`."
    );
    paint(FAIR, under("", &text))
}

#[cfg(test)]
mod tests;
