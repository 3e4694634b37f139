//! Which resolvers' answers count. Pure.

use std::net::IpAddr;

use super::resolver::{Control, View};
use crate::status::{DnsVerdict, ResolverAnswer};

/// Some resolvers do not follow a chain with this many CNAMEs.
pub(super) const LONG_CHAIN: usize = 8;

/// One resolver's answer, and what decides whether it counts.
#[derive(Debug, Clone)]
pub(super) struct Vote {
    pub(super) answer: ResolverAnswer,
    pub(super) view: View,
    /// Whether the resolver has answered since the program started.
    pub(super) has_answered: bool,
    /// How the resolver fails, while it is in an outage.
    pub(super) failing: Option<String>,
    pub(super) control: Control,
    /// Whether this query failed for another reason than wrong signatures.
    pub(super) failed: bool,
}

impl Vote {
    fn counts(&self) -> bool {
        self.answer.counts()
    }

    fn exclude(&mut self, reason: &str) {
        self.answer.ignored_because = Some(reason.to_owned());
    }
}

/// Excludes answers that must not count. A vote keeps the first reason.
pub(super) fn exclude_unreliable(votes: &mut [Vote]) {
    for vote in votes.iter_mut().filter(|vote| vote.counts()) {
        let is_broken = vote.answer.verdict == DnsVerdict::Broken;
        let reason = match (&vote.control, &vote.failing) {
            (Control::Failed(how), _) => format!("it is failing: {how}"),
            (Control::Silent(_), _) if is_broken => {
                "it does not answer what every resolver knows".to_owned()
            }
            (_, Some(how)) if is_broken => format!("it is failing: {how}"),
            _ => continue,
        };
        vote.exclude(&reason);
    }
    prefer_the_widest_view(votes);
    prefer_validators(votes);
    exclude_blocking(votes);
    exclude_failing_alone(votes);
}

/// The widest view decides. Where it was available before and is not now, no answer counts.
fn prefer_the_widest_view(votes: &mut [Vote]) {
    let Some(widest) = votes.iter().map(|one| one.view).min() else { return };
    let was_available = votes.iter().any(|one| one.view == widest && one.has_answered);
    let deciding = if was_available {
        Some(widest)
    } else {
        votes.iter().filter(|one| one.counts()).map(|one| one.view).min()
    };
    for one in votes.iter_mut().filter(|one| one.counts() && Some(one.view) != deciding) {
        one.exclude(match one.view {
            View::System => "this machine's own view: others decide",
            _ => "a private resolver's view: the public ones decide",
        });
    }
}

/// Where a resolver reports wrong signatures, only those that validate them count.
fn prefer_validators(votes: &mut [Vote]) {
    if !votes.iter().any(|one| one.counts() && one.answer.dnssec) {
        return;
    }
    let validates = Control::Passed { validates: true };
    for one in votes.iter_mut().filter(|one| one.counts() && !one.answer.dnssec) {
        if one.control != validates && one.answer.verdict != DnsVerdict::Broken {
            one.exclude("it does not check signatures");
        }
    }
}

/// A resolver with a block list answers for blocked names with an unspecified address, or with NXDOMAIN
/// without the zone's SOA record.
fn exclude_blocking(votes: &mut [Vote]) {
    let blocks = |one: &Vote| {
        let ResolverAnswer { verdict, addresses, cnames, ttl_s, .. } = &one.answer;
        let is_forged_nxdomain =
            *verdict == DnsVerdict::NoSuchName && cnames.is_empty() && ttl_s.is_none();
        let is_unspecified = !addresses.is_empty() && addresses.iter().all(IpAddr::is_unspecified);
        one.counts() && (is_forged_nxdomain || is_unspecified)
    };
    let counting = votes.iter().filter(|one| one.counts()).count();
    if votes.iter().filter(|one| blocks(one)).count() * 2 >= counting {
        return;
    }
    for one in votes.iter_mut().filter(|one| blocks(one)) {
        one.exclude("it seems to block the name");
    }
}

/// Where most resolvers answer, a failure is that of the resolver, unless a long chain explains it.
fn exclude_failing_alone(votes: &mut [Vote]) {
    let counting = || votes.iter().filter(|one| one.counts());
    let failing = counting().filter(|one| one.answer.verdict == DnsVerdict::Broken).count();
    let has_long_chain = counting().any(|one| one.answer.cnames.len() >= LONG_CHAIN);
    if failing * 2 >= counting().count() || has_long_chain {
        return;
    }
    for one in votes.iter_mut().filter(|one| one.counts()) {
        if one.answer.verdict == DnsVerdict::Broken {
            one.exclude("it fails where most answer");
        }
    }
}

/// The resolvers that failed where most of those that count answered. The unreliable are excluded before.
pub(super) fn failing_alone(votes: &[Vote]) -> impl Iterator<Item = &Vote> {
    let is_broken = |one: &Vote| one.answer.verdict == DnsVerdict::Broken;
    let answered = votes.iter().filter(|one| one.counts() && !is_broken(one)).count();
    let failed = votes.iter().filter(|one| one.failed || is_broken(one)).count();
    votes.iter().filter(move |one| one.failed && answered > failed)
}

/// The resolvers with a narrower view than those that count, each with whether it agrees with them. The
/// unreliable are excluded before.
pub(super) fn narrower_views(votes: &[Vote]) -> impl Iterator<Item = (&Vote, bool)> {
    let deciding: Vec<_> =
        votes.iter().filter(|one| one.counts()).map(|one| (one.view, one.answer.verdict)).collect();
    let others =
        votes.iter().filter(|one| one.answer.verdict != DnsVerdict::Unknown && !one.failed);
    others.filter_map(move |one| {
        let (widest, _) = deciding.iter().min()?;
        let agrees = deciding.iter().any(|(_, verdict)| *verdict == one.answer.verdict);
        (one.view > *widest).then_some((one, agrees))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(resolver: &str, verdict: DnsVerdict, view: View) -> Vote {
        let answer = ResolverAnswer { verdict, ..ResolverAnswer::of(resolver) };
        Vote {
            answer,
            view,
            has_answered: true,
            failing: None,
            control: Control::Passed { validates: true },
            failed: verdict == Broken,
        }
    }

    fn counting(mut votes: Vec<Vote>) -> Vec<String> {
        exclude_unreliable(&mut votes);
        let counting = votes.into_iter().filter(Vote::counts);
        counting.map(|one| one.answer.resolver).collect()
    }

    use DnsVerdict::{Broken, Elsewhere, NoSuchName, Ok, Unknown};
    use View::{Private, Public, System};

    #[test]
    fn the_public_view_decides_where_there_is_one() {
        let own = |verdict| vote("system", verdict, System);
        for (ours, theirs) in [(Elsewhere, Ok), (NoSuchName, Ok), (Ok, NoSuchName), (Broken, Ok)] {
            let all = vec![own(ours), vote("1.1.1.1", theirs, Public)];
            assert_eq!(counting(all), ["1.1.1.1"], "{ours} {theirs}");
        }
        assert_eq!(counting(vec![own(Ok), vote("10.0.0.2", Elsewhere, Private)]), ["10.0.0.2"]);
        assert_eq!(counting(vec![own(Elsewhere)]), ["system"]);
        // A public resolver that answered before does not answer now: the verdict is unknown.
        assert_eq!(counting(vec![own(Ok), vote("1.1.1.1", Unknown, Public)]), [""; 0]);
        let mut never = vote("1.1.1.1", Unknown, Public);
        never.has_answered = false;
        assert_eq!(counting(vec![own(Ok), never]), ["system"], "no query reaches it");
    }

    #[test]
    fn a_resolver_that_fails_at_a_control_query_does_not_count() {
        let mut failing = vote("a", Broken, Public);
        failing.control = Control::Failed("SERVFAIL".to_owned());
        assert_eq!(counting(vec![failing.clone()]), [""; 0], "also without others");
        let healthy = vote("c", Ok, Public);
        assert_eq!(counting(vec![failing.clone(), failing, healthy]), ["c"], "also as a majority");
        let mut liar = vote("a", NoSuchName, Public);
        liar.control = Control::Failed("no such name".to_owned());
        assert_eq!(counting(vec![liar, vote("b", Ok, Public)]), ["b"]);
        let mut lost = vote("a", Elsewhere, Public);
        lost.control = Control::Silent("no answer".to_owned());
        assert_eq!(counting(vec![lost.clone()]), ["a"], "a lost packet is no failure");
        lost.answer.verdict = Broken;
        assert_eq!(counting(vec![lost]), [""; 0]);
        let mut failing = vote("a", Broken, Public);
        failing.failing = Some("SERVFAIL".to_owned());
        assert_eq!(counting(vec![failing.clone(), vote("b", Ok, Public)]), ["b"]);
        failing.answer.verdict = Ok;
        assert_eq!(counting(vec![failing]), ["a"], "it answers again");
    }

    #[test]
    fn a_resolver_that_fails_where_most_answer_does_not_count() {
        let of = |verdicts: &[DnsVerdict]| {
            let all = verdicts.iter().map(|verdict| vote("x", *verdict, Public));
            counting(all.collect()).len()
        };
        assert_eq!(of(&[Broken, Ok, Ok, Ok]), 3);
        assert_eq!(of(&[Broken, Elsewhere, NoSuchName]), 2);
        assert_eq!(of(&[Broken, Ok]), 2, "no majority");
        assert_eq!(of(&[Broken, Broken, Ok]), 3);
        let mut long = vote("a", Ok, Public);
        long.answer.cnames = vec!["x".to_owned(); LONG_CHAIN];
        let all = vec![long.clone(), long, vote("b", Broken, Public)];
        assert_eq!(counting(all).len(), 3, "it fails because of the chain");
    }

    #[test]
    fn a_resolver_that_blocks_the_name_does_not_count() {
        let with = |resolver, verdict, address: &str| {
            let mut one = vote(resolver, verdict, Public);
            one.answer.addresses = address.parse().into_iter().collect();
            one.answer.ttl_s = (verdict != NoSuchName).then_some(60);
            one
        };
        let (right, unspecified) = (with("a", Ok, "9.9.9.9"), with("b", Elsewhere, "0.0.0.0"));
        let forged = with("c", NoSuchName, "");
        let also_right = with("d", Ok, "9.9.9.9");
        let all = vec![right.clone(), unspecified.clone(), also_right.clone()];
        assert_eq!(counting(all), ["a", "d"]);
        let all = vec![right.clone(), forged.clone(), also_right.clone()];
        assert_eq!(counting(all), ["a", "d"]);
        let mut with_soa = forged.clone();
        with_soa.answer.ttl_s = Some(0);
        assert_eq!(counting(vec![right.clone(), with_soa, also_right]).len(), 3);
        assert_eq!(counting(vec![forged.clone(), forged, right]).len(), 3, "most agree");
        assert_eq!(counting(vec![unspecified]), ["b"]);
    }

    #[test]
    fn only_validating_resolvers_decide_about_signatures() {
        let bogus = |resolver| {
            let mut vote = vote(resolver, Broken, Public);
            vote.answer.dnssec = true;
            vote.failed = false;
            vote
        };
        let mut trusting = vote("t", Ok, Public);
        trusting.control = Control::Passed { validates: false };
        assert_eq!(counting(vec![bogus("v"), trusting.clone(), trusting.clone()]), ["v"]);
        let all = vec![bogus("v"), vote("w", Ok, Public), vote("x", Ok, Public), trusting];
        assert_eq!(counting(all), ["w", "x"], "the other validators disagree");
    }

    #[test]
    fn wrong_signatures_are_taken_from_counting_resolvers() {
        let mut bogus = vote("v", Broken, Public);
        bogus.answer.dnssec = true;
        let mut trusting = vote("t", Ok, Public);
        trusting.control = Control::Passed { validates: false };
        let mut failing = bogus.clone();
        failing.control = Control::Failed("SERVFAIL".to_owned());
        assert_eq!(counting(vec![failing, trusting.clone()]), ["t"], "a failing one is ignored");
        trusting.answer.verdict = Broken;
        assert_eq!(
            counting(vec![bogus, trusting]),
            ["v", "t"],
            "also one that does not validate can fail"
        );
    }

    #[test]
    fn only_unspecified_addresses_or_forged_nxdomain_are_blocking() {
        let with = |resolver, verdict, addresses: &[&str]| {
            let mut one = vote(resolver, verdict, Public);
            one.answer.addresses = addresses.iter().map(|one| one.parse().unwrap()).collect();
            one
        };
        let right = || with("a", Ok, &["9.9.9.9"]);
        let in_part = with("b", Elsewhere, &["0.0.0.0", "9.9.9.8"]);
        assert_eq!(counting(vec![right(), in_part, right()]).len(), 3, "it also has another");
        let mut led = with("b", NoSuchName, &[]);
        led.answer.cnames = vec!["gone.example".to_owned()];
        assert_eq!(counting(vec![right(), led, right()]).len(), 3, "a CNAME led there");
        let unspecified = with("b", Elsewhere, &["0.0.0.0"]);
        assert_eq!(counting(vec![right(), unspecified]).len(), 2, "no majority");
    }

    #[test]
    fn without_a_majority_nobody_fails_alone() {
        let right = || vote("a", Ok, Public);
        let mut refusing = vote("c", Unknown, Public);
        refusing.failed = true;
        assert_eq!(failing_alone(&[right(), refusing.clone()]).count(), 0, "one against one");
        // The name servers make it fail.
        let mut broken = vote("d", Broken, Public);
        broken.failed = false;
        assert_eq!(
            failing_alone(&[right(), right(), refusing, broken]).count(),
            0,
            "two against two"
        );
        let unseen = vote("system", Unknown, System);
        assert_eq!(narrower_views(&[right(), unseen]).count(), 0, "an unknown verdict is no view");
        let mut blocking = vote("e", NoSuchName, Public);
        blocking.answer.ignored_because = Some("it seems to block the name".to_owned());
        assert_eq!(narrower_views(&[right(), blocking]).count(), 0, "its view is not narrower");
    }

    #[test]
    fn a_single_failure_and_a_differing_narrower_view_are_found() {
        let found = |mut all: Vec<Vote>| {
            exclude_unreliable(&mut all);
            let failed: Vec<_> =
                failing_alone(&all).map(|one| one.answer.resolver.clone()).collect();
            let differing = narrower_views(&all).filter(|(_, agrees)| !agrees);
            (failed, differing.map(|(one, _)| one.answer.resolver.clone()).collect::<Vec<_>>())
        };
        let (a, b) = (vote("a", Ok, Public), vote("b", Ok, Public));
        let broken = vote("c", Broken, Public);
        let own = vote("system", NoSuchName, System);
        let none: Vec<String> = Vec::new();
        assert_eq!(found(vec![a.clone(), b.clone(), broken.clone()]).0, ["c"]);
        assert_eq!(found(vec![a.clone(), broken.clone(), broken]).0, none);
        let mut refusing = vote("d", Unknown, Public);
        refusing.failed = true;
        assert_eq!(found(vec![a.clone(), b, refusing]).0, ["d"]);
        assert_eq!(found(vec![a.clone(), own]).1, ["system"]);
        assert_eq!(found(vec![a.clone(), vote("system", Ok, System)]).1, none);
        assert_eq!(found(vec![a, vote("e", NoSuchName, Public)]).1, none, "it counts");
    }
}
