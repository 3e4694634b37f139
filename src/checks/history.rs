//! A name's DNS verdicts over time: propagation that takes too long, and verdicts that alternate. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::evaluate::end_propagation;
use crate::{
    ledger::later,
    status::{DnsHistory, DnsResult, DnsVerdict},
};

/// How long old answers are accepted beyond the longest TTL.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);
/// Resolvers keep no answer for longer (RFC 8767, section 4).
const LONGEST_TTL: u32 = 7 * 24 * 60 * 60;
/// How many verdicts are kept.
const KEPT: usize = 8;
/// Verdicts alternate when this many changes return to an earlier verdict.
const RETURNS: usize = 3;

/// Whether the verdicts alternate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steadiness {
    Steady,
    /// They alternate since this check.
    Began,
    Unsteady,
    /// They have stopped alternating with this check.
    Ended,
}

/// Adds a result to the history, and replaces the verdict `propagating` where it has lasted too long.
pub(super) fn update_history(
    before: &DnsHistory,
    dns: &mut DnsResult,
    now: Timestamp,
) -> Steadiness {
    dns.history.clone_from(before);
    // A time in the future is from a clock that was ahead.
    for since in [&mut dns.history.mixed_since, &mut dns.history.unsteady_since] {
        *since = since.map(|since| since.min(now));
    }
    if dns.verdict == DnsVerdict::Propagating {
        let ttls = dns.answers.iter().chain(&dns.name_servers).filter_map(|answer| answer.ttl_s);
        let ttl = ttls.chain(before.longest_ttl_s).max().unwrap_or_default().min(LONGEST_TTL);
        let since = dns.history.mixed_since.unwrap_or(now);
        (dns.history.mixed_since, dns.history.longest_ttl_s) = (Some(since), Some(ttl));
        if now >= later(since, GRACE + Duration::from_secs(ttl.into())) {
            end_propagation(dns);
        }
    } else if dns.answers.len() > 1 {
        // The answer of one resolver does not end a propagation.
        (dns.history.mixed_since, dns.history.longest_ttl_s) = (None, None);
    }
    let verdict = dns.verdict;
    note(&mut dns.history, verdict, now)
}

fn note(history: &mut DnsHistory, verdict: DnsVerdict, now: Timestamp) -> Steadiness {
    let verdicts = &mut history.verdicts;
    verdicts.push(verdict);
    let surplus = verdicts.len().saturating_sub(KEPT);
    verdicts.drain(..surplus);
    let was_unsteady = history.unsteady_since.is_some();
    let is_all_the_same = verdicts.iter().all(|one| *one == verdict);
    if was_unsteady && is_all_the_same {
        history.unsteady_since = None;
        return Steadiness::Ended;
    }
    if !was_unsteady && returns(verdicts) >= RETURNS {
        history.unsteady_since = Some(now);
        return Steadiness::Began;
    }
    if was_unsteady { Steadiness::Unsteady } else { Steadiness::Steady }
}

/// How many changes return to an earlier verdict.
fn returns(verdicts: &[DnsVerdict]) -> usize {
    let changes = verdicts.iter().zip(verdicts.iter().skip(1)).enumerate();
    let is_return = |(at, (from, to)): &(usize, (&DnsVerdict, &DnsVerdict))| {
        from != to && verdicts.iter().take(*at).any(|earlier| earlier == *to)
    };
    changes.filter(is_return).count()
}

#[cfg(test)]
mod tests {
    use DnsVerdict::{Broken, Elsewhere, NoSuchName, Ok, Propagating};

    use super::*;
    use crate::status::{BrokenBy, ResolverAnswer};

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 3_600 * hour).unwrap()
    }

    fn mixed(right: usize, ttl_s: u32) -> DnsResult {
        let answer = |number: usize| ResolverAnswer {
            verdict: if number < right { Ok } else { Elsewhere },
            addresses: vec![format!("198.51.100.{number}").parse().unwrap()],
            ttl_s: Some(ttl_s),
            ..ResolverAnswer::of(&number.to_string())
        };
        crate::checks::evaluate::evaluate_dns((0..3).map(answer).collect(), Vec::new(), None, &[])
    }

    #[test]
    fn propagation_ends_a_day_after_the_longest_ttl() {
        for (right, verdict, seen, of) in [(2, Ok, 2, 2), (1, Elsewhere, 2, 3)] {
            let mut first = mixed(right, 7_200);
            assert_eq!(
                update_history(&DnsHistory::default(), &mut first, at(0)),
                Steadiness::Steady
            );
            assert_eq!(first.verdict, Propagating);
            // The longest TTL counts, although caches count down.
            let mut second = mixed(right, 60);
            update_history(&first.history, &mut second, at(25));
            assert_eq!(second.verdict, Propagating);
            let mut third = mixed(right, 60);
            update_history(&second.history, &mut third, at(26));
            assert_eq!((third.verdict, third.seen, third.of), (verdict, seen, of), "{third:?}");
            assert!(third.answers.iter().all(|one| one.counts() || one.verdict != verdict));
            assert_eq!(third.history.mixed_since, Some(at(0)), "the answers still differ");
        }
    }

    #[test]
    fn the_ttl_of_the_name_servers_counts_up_to_a_week() {
        for (ttl_s, hours) in [(30 * 3_600, 24 + 30), (u32::MAX, 24 + 7 * 24)] {
            let seen = || {
                let mut dns = mixed(2, 60);
                let server = ResolverAnswer::of("ns1");
                dns.name_servers =
                    vec![ResolverAnswer { verdict: Ok, ttl_s: Some(ttl_s), ..server }];
                dns
            };
            let mut first = seen();
            update_history(&DnsHistory::default(), &mut first, at(0));
            for (hour, verdict) in [(hours - 1, Propagating), (hours, Ok)] {
                let mut later = seen();
                update_history(&first.history, &mut later, at(hour));
                assert_eq!(later.verdict, verdict, "{ttl_s} {hour}");
            }
        }
    }

    #[test]
    fn times_in_the_future_become_now() {
        let history = DnsHistory {
            mixed_since: Some(at(90_000)),
            unsteady_since: Some(at(90_000)),
            ..DnsHistory::default()
        };
        let mut first = mixed(2, 60);
        update_history(&history, &mut first, at(0));
        let (mixed_since, unsteady_since) =
            (first.history.mixed_since, first.history.unsteady_since);
        assert_eq!((mixed_since, unsteady_since), (Some(at(0)), None), "it is steady immediately");
        let mut second = mixed(2, 60);
        update_history(&first.history, &mut second, at(26));
        assert_eq!(second.verdict, Ok);
    }

    #[test]
    fn where_the_zone_is_right_and_most_answers_are_old_other_servers_still_serve_it() {
        let old = || {
            let mut dns = mixed(1, 60);
            dns.name_servers = vec![ResolverAnswer { verdict: Ok, ..ResolverAnswer::of("ns1") }];
            dns
        };
        let mut first = old();
        update_history(&DnsHistory::default(), &mut first, at(0));
        let mut last = old();
        update_history(&first.history, &mut last, at(25));
        assert_eq!((last.verdict, last.broken_by), (Broken, Some(BrokenBy::Disagreement)));
        let error = last.error.unwrap();
        assert!(
            error.contains("but 1 has 198.51.100.1, 2 has 198.51.100.2, for longer"),
            "{error}"
        );
    }

    #[test]
    fn one_resolver_does_not_end_a_propagation() {
        let mut first = mixed(2, 60);
        update_history(&DnsHistory::default(), &mut first, at(0));
        let mut one = mixed(3, 60);
        one.answers.truncate(1);
        update_history(&first.history, &mut one, at(1));
        assert_eq!(one.history.mixed_since, Some(at(0)));
        let mut all = mixed(3, 60);
        update_history(&first.history, &mut all, at(1));
        assert_eq!(all.history.mixed_since, None);
    }

    #[test]
    fn only_verdicts_that_return_are_unsteady() {
        let steadiness = |verdicts: &[DnsVerdict]| {
            let mut history = DnsHistory::default();
            let all = verdicts.iter().map(|verdict| note(&mut history, *verdict, at(0)));
            all.collect::<Vec<_>>()
        };
        let steady = |verdicts: &[DnsVerdict]| {
            steadiness(verdicts).iter().all(|one| *one == Steadiness::Steady)
        };
        assert!(steady(&[NoSuchName, Elsewhere, Propagating, Ok, Ok]));
        assert!(steady(&[NoSuchName, Elsewhere, Broken, Propagating, Ok]), "no verdict returns");
        assert!(steady(&[Elsewhere, Ok, Elsewhere, Elsewhere, Elsewhere]), "one return");
        let mut verdicts = [Ok, Elsewhere].repeat(20);
        let all = steadiness(&verdicts);
        assert_eq!(all.iter().filter(|one| **one == Steadiness::Began).count(), 1);
        assert_eq!(all[4], Steadiness::Began);
        verdicts.extend([Ok; 8]);
        let all = steadiness(&verdicts);
        assert_eq!(all.iter().filter(|one| **one == Steadiness::Ended).count(), 1);
        assert_eq!(all.last(), Some(&Steadiness::Ended), "after eight equal verdicts");
    }
}
