use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::{
    scope::unrecorded,
    text::{details, line},
    *,
};
use crate::{
    checks::{
        advise, stage,
        strategies::{RIGHT, check_results},
    },
    events::Event,
    language::Language,
    ledger::{Attempt, LedgerInfo, Progress},
    status::{Blocker, DnsVerdict, DomainStatus, ResolverAnswer, SslVerdict},
};

const NAME: &str = "www.shop.example";
const DAY: i64 = 24 * 60 * 60;
const ATTENTION_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// The ledger's possible records of a name that was added at the beginning.
fn facts() -> impl Strategy<Value = LedgerInfo> {
    let attempt = |count| Attempt { count, next: at(60) };
    let progress = prop_oneof![
        Just(Progress::Idle),
        Just(Progress::Accepted(attempt(1))),
        Just(Progress::Accepted(attempt(3))),
        Just(Progress::Failed(attempt(2), "not now".to_owned())),
        Just(Progress::Refused { at: at(0), error: "not ever".to_owned() }),
    ];
    let added = prop::option::of(Just(at(0)));
    (added, prop::option::of(Just(at(30))), progress).prop_map(|(added_at, there, progress)| {
        LedgerInfo {
            blog_id: Some(2),
            row: None,
            added_at,
            at_closte_since: there.filter(|_| added_at.is_some()),
            progress,
        }
    })
}

/// What is shown of a name: by `check`, or from its status.
struct Shown {
    works: bool,
    stage: String,
    dns: DnsVerdict,
    ssl: SslVerdict,
    owner: String,
    customer: String,
    seen: CheckResult,
}

/// Whether an IPv4 address leads to the site, also through a proxy.
fn is_right(address: &str) -> bool {
    [RIGHT, "104.16.0.1"].contains(&address)
}

/// Whether the advice removes no right address and keeps no wrong one.
fn is_right_of_addresses(text: &str) -> bool {
    let first = |part: &str, end| part.split(end).next().unwrap_or_default().to_owned();
    let goes = text.split("emove the ").skip(1);
    let goes = goes.map(|rest| first(&first(rest, " of www.shop.example"), ". "));
    let stays = text.split_once(" is right and stays").map(|(before, _)| before);
    let stays = stays.and_then(|before| before.rsplit(". ").next()?.rsplit(": ").next());
    goes.into_iter().all(|part| !part.contains(RIGHT))
        && stays.is_none_or(|part| part == "The A record" || part.split(", ").all(is_right))
}

impl Shown {
    /// As `check` shows it.
    fn of_check(finding: &Finding, view: &View<'_>) -> Self {
        let json = finding.to_json(view);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            works: json["works"].as_bool().unwrap(),
            stage: text(&json["stage"]),
            dns: serde_json::from_value(json["dns"]["verdict"].clone()).unwrap(),
            ssl: serde_json::from_value(json["ssl"]["verdict"].clone()).unwrap(),
            owner: text(&json["advice"]),
            customer: text(&json["customer"]),
            seen: finding.seen.clone(),
        }
    }

    /// As `status` shows it and WordPress gets it.
    fn of_status(status: &DomainStatus, facts: &LedgerInfo, view: &View<'_>) -> Self {
        let advice = advise(&NAME.parse().unwrap(), status, facts, None, view.now);
        let CheckResult { dns, ssl, .. } = &status.latest;
        Self {
            works: status.latest.works(),
            stage: stage(status, view.attention_after, view.now).as_str().to_owned(),
            dns: dns.verdict,
            ssl: ssl.verdict,
            owner: advice.owner,
            customer: advice.customer.in_language(view.language),
            seen: status.latest.clone(),
        }
    }

    /// Whether all answers that count are right, and whether some are.
    fn is_right_for(&self) -> (bool, bool) {
        let counting = || self.seen.dns.answers.iter().filter(|one| one.counts());
        let is_good = |one: &ResolverAnswer| one.verdict.is_good();
        (counting().all(is_good), counting().any(is_good))
    }

    /// Whether all IPv4 addresses in answers that count lead to the site.
    fn has_right_addresses(&self) -> bool {
        let counting = self.seen.dns.answers.iter().filter(|one| one.counts());
        let addresses = counting.flat_map(|one| &one.addresses).filter(|one| one.is_ipv4());
        addresses.map(ToString::to_string).all(|one| is_right(&one))
    }

    fn agrees(&self) -> Result<(), String> {
        let Self { works, stage, dns, ssl, owner, customer, seen } = self;
        let works_by_advice = owner.starts_with("www.shop.example works")
            || owner.starts_with("The certificate of www.shop.example expires in");
        let (good, unknown) = (dns.is_good(), *dns == DnsVerdict::Unknown);
        let for_nobody = ["nothing to do", "nothing more to do"];
        let is_for_nobody = for_nobody.iter().any(|part| customer.contains(part));
        let is_propagating = *dns == DnsVerdict::Propagating;
        let (all_right, some_right) = self.is_right_for();
        let leads_away = seen.blockers.contains(&Blocker::AaaaElsewhere) && ssl.is_bad();
        let rules = [
            (*works == (good && ssl.is_good()), "what works has good verdicts"),
            (*works == (stage == "done"), "what works is done"),
            (!stage.ends_with("failed") || !unknown, "what is unknown has not failed"),
            (stage != "ssl-failed" || ssl.is_bad(), "a certificate that failed is bad"),
            (stage.starts_with("checking-ssl") <= good, "the certificate comes after the DNS"),
            ((stage == "failed") <= !good, "DNS that failed is not good"),
            (*works == works_by_advice, "advice says whether it works"),
            (
                *works == customer.starts_with("www.shop.example works"),
                "the customer's advice agrees",
            ),
            (owner.starts_with("Wait") <= !stage.ends_with("failed"), "what failed needs more"),
            (customer.starts_with("Your DNS is right") <= good, "right DNS is good"),
            (unknown <= !customer.contains("lease"), "nobody acts on what is unknown"),
            (
                is_for_nobody <= !customer.contains("lease"),
                "there is something to do or there is not",
            ),
            (is_for_nobody <= (good || is_propagating), "somebody must fix wrong DNS"),
            (
                (good && !seen.blockers.is_empty()) <= customer.contains("lease"),
                "somebody must remove what stops a certificate",
            ),
            (is_propagating <= (some_right && !all_right), "what propagates is right for some"),
            (good <= self.has_right_addresses(), "right DNS leads to the site"),
            (leads_away <= !good, "DNS that leads some away is not right"),
            (is_right_of_addresses(owner), "what is right stays, and nothing else"),
            (is_right_of_addresses(customer), "what is right stays, and nothing else"),
            (!owner.contains("it is at 203.0.113.10 ("), "what is there is not brought there"),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, rule)) => Err(format!(
                "{rule}: works {works}, stage {stage}, DNS {dns}, SSL {ssl}: {owner} | {customer}"
            )),
        }
    }
}

/// Whether an event agrees with the status after it.
fn fits(event: &Event, remembered: &Shown) -> bool {
    match event {
        Event::DnsRight { .. } => remembered.dns.is_good(),
        Event::DnsBroke { .. } | Event::DnsPending { .. } => !remembered.dns.is_good(),
        Event::CertificateValid { .. } => remembered.ssl.is_good(),
        Event::CertificateBroke { .. } | Event::CertificatePending { .. } => {
            remembered.ssl.is_bad()
        }
        // Somebody must act, so there is something to do.
        Event::NeedsAttention { stage, advice, .. } => {
            !remembered.works && stage.as_str() == remembered.stage && !advice.starts_with("Wait")
        }
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn verdict_works_stage_exit_status_and_advice_never_contradict_each_other(
        checked in prop::collection::vec((check_results(at(0)), prop::sample::select(vec![60, 700, DAY])), 1..6),
        facts in facts(),
    ) {
        let verifier = Verifier::new(ATTENTION_AFTER, None);
        let mut status: Option<DomainStatus> = None;
        let mut second = 60;
        for (seen, pause) in checked {
            let view = View { attention_after: ATTENTION_AFTER, panel: None, now: at(second), language: Language::English };
            let name = NAME.parse().unwrap();
            let checked = CheckedDomain { status, facts: facts.clone(), ..unrecorded(name) };
            let mut finding = Finding::new(checked, seen.clone(), &verifier, view.now);
            if finding.needs_second_check {
                let first = finding.events.clone();
                finding = finding.after(seen, &verifier, view.now);
                prop_assert!(finding.events.starts_with(&first), "the events of the first check are kept");
            }
                let now = Shown::of_check(&finding, &view);
                prop_assert_eq!(now.agrees(), Ok(()));
                // What is printed has the same words, which the tables of docs/verdicts.md explain.
                let (line, details) = (line(&finding, &view), details(&finding, &view));
                let verdicts = format!("DNS {}, SSL {}", now.dns, now.ssl);
                prop_assert!(line.contains(&verdicts), "{}", line);
                prop_assert!(details.contains(&now.stage), "{}", details);
                for blocker in &finding.seen.blockers {
                    prop_assert!(details.contains(blocker.as_str()), "{}", details);
                }
                let remembered = Shown::of_status(&finding.status, &facts, &view);
                prop_assert_eq!(remembered.agrees(), Ok(()));
                for event in &finding.events {
                    prop_assert!(fits(event, &remembered), "{:?}", event);
                }
                status = Some(finding.status.clone());
                prop_assert_eq!(exit_status(&[finding]) == exit::OK, now.works);
                second += pause;
        }
    }
}
