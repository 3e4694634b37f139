//! How a name's DNS goes from look to look: what waiting can no longer end, and what goes back and
//! forth. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::evaluate::without_waiting;
use crate::{
    ledger::later,
    status::{DnsHistory, DnsResult, DnsVerdict},
};

/// How long an old answer may be seen beyond the longest time that any may be kept.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);
/// No resolver keeps an answer for longer (RFC 8767, section 4).
const LONGEST_TTL: u32 = 7 * 24 * 60 * 60;
/// So many verdicts are remembered.
const REMEMBERED: usize = 8;
/// When so many of them are ones that were left before, they go back and forth.
const RETURNS: usize = 3;

/// Whether the verdicts go back and forth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steadiness {
    Steady,
    /// From now on they do.
    Began,
    Unsteady,
    /// They do no longer.
    Ended,
}

/// Adds what was seen now to how it went before, and says it as what it is.
pub(super) fn follow(before: &DnsHistory, dns: &mut DnsResult, now: Timestamp) -> Steadiness {
    dns.history.clone_from(before);
    // What a clock that was ahead has noted is so since now.
    for since in [&mut dns.history.mixed_since, &mut dns.history.unsteady_since] {
        *since = since.map(|since| since.min(now));
    }
    if dns.verdict == DnsVerdict::Propagating {
        let ttls = dns.answers.iter().chain(&dns.name_servers).filter_map(|answer| answer.ttl_s);
        let ttl = ttls.chain(before.longest_ttl_s).max().unwrap_or_default().min(LONGEST_TTL);
        let since = dns.history.mixed_since.unwrap_or(now);
        (dns.history.mixed_since, dns.history.longest_ttl_s) = (Some(since), Some(ttl));
        if now >= later(since, GRACE + Duration::from_secs(ttl.into())) {
            without_waiting(dns);
        }
    } else if dns.answers.len() > 1 {
        // One resolver alone cannot end what several began.
        (dns.history.mixed_since, dns.history.longest_ttl_s) = (None, None);
    }
    let verdict = dns.verdict;
    note(&mut dns.history, verdict, now)
}

fn note(history: &mut DnsHistory, verdict: DnsVerdict, now: Timestamp) -> Steadiness {
    let verdicts = &mut history.verdicts;
    verdicts.push(verdict);
    let too_many = verdicts.len().saturating_sub(REMEMBERED);
    verdicts.drain(..too_many);
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

/// How often there is a change to a verdict that was left before.
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
    fn what_lasts_longer_than_any_answer_and_a_day_is_said_as_what_it_is() {
        for (right, verdict, seen, of) in [(2, Ok, 2, 2), (1, Elsewhere, 2, 3)] {
            let mut first = mixed(right, 7_200);
            assert_eq!(follow(&DnsHistory::default(), &mut first, at(0)), Steadiness::Steady);
            assert_eq!(first.verdict, Propagating);
            // The longest that was seen counts, although caches count down.
            let mut second = mixed(right, 60);
            follow(&first.history, &mut second, at(25));
            assert_eq!(second.verdict, Propagating);
            let mut third = mixed(right, 60);
            follow(&second.history, &mut third, at(26));
            assert_eq!((third.verdict, third.seen, third.of), (verdict, seen, of), "{third:?}");
            assert!(third.answers.iter().all(|one| one.counts() || one.verdict != verdict));
            assert_eq!(third.history.mixed_since, Some(at(0)), "it still is");
        }
    }

    #[test]
    fn the_zones_own_time_counts_and_none_is_longer_than_a_week() {
        for (ttl_s, hours) in [(30 * 3_600, 24 + 30), (u32::MAX, 24 + 7 * 24)] {
            let seen = || {
                let mut dns = mixed(2, 60);
                let server = ResolverAnswer::of("ns1");
                dns.name_servers =
                    vec![ResolverAnswer { verdict: Ok, ttl_s: Some(ttl_s), ..server }];
                dns
            };
            let mut first = seen();
            follow(&DnsHistory::default(), &mut first, at(0));
            for (hour, verdict) in [(hours - 1, Propagating), (hours, Ok)] {
                let mut later = seen();
                follow(&first.history, &mut later, at(hour));
                assert_eq!(later.verdict, verdict, "{ttl_s} {hour}");
            }
        }
    }

    #[test]
    fn what_was_noted_of_a_time_to_come_is_so_since_now() {
        let history = DnsHistory {
            mixed_since: Some(at(90_000)),
            unsteady_since: Some(at(90_000)),
            ..DnsHistory::default()
        };
        let mut first = mixed(2, 60);
        follow(&history, &mut first, at(0));
        let (mixed_since, unsteady_since) =
            (first.history.mixed_since, first.history.unsteady_since);
        assert_eq!((mixed_since, unsteady_since), (Some(at(0)), None), "it is steady at once");
        let mut second = mixed(2, 60);
        follow(&first.history, &mut second, at(26));
        assert_eq!(second.verdict, Ok);
    }

    #[test]
    fn where_the_zone_is_right_and_most_are_not_other_servers_have_it() {
        let old = || {
            let mut dns = mixed(1, 60);
            dns.name_servers = vec![ResolverAnswer { verdict: Ok, ..ResolverAnswer::of("ns1") }];
            dns
        };
        let mut first = old();
        follow(&DnsHistory::default(), &mut first, at(0));
        let mut last = old();
        follow(&first.history, &mut last, at(25));
        assert_eq!((last.verdict, last.broken_by), (Broken, Some(BrokenBy::Disagreement)));
        let error = last.error.unwrap();
        assert!(
            error.contains("yet 1 has 198.51.100.1, 2 has 198.51.100.2, for longer"),
            "{error}"
        );
    }

    #[test]
    fn only_all_resolvers_together_end_it() {
        let mut first = mixed(2, 60);
        follow(&DnsHistory::default(), &mut first, at(0));
        let mut one = mixed(3, 60);
        one.answers.truncate(1);
        follow(&first.history, &mut one, at(1));
        assert_eq!(one.history.mixed_since, Some(at(0)));
        let mut all = mixed(3, 60);
        follow(&first.history, &mut all, at(1));
        assert_eq!(all.history.mixed_since, None);
    }

    #[test]
    fn the_way_to_right_is_steady_and_back_and_forth_is_not() {
        let told = |verdicts: &[DnsVerdict]| {
            let mut history = DnsHistory::default();
            let all = verdicts.iter().map(|verdict| note(&mut history, *verdict, at(0)));
            all.collect::<Vec<_>>()
        };
        let steady =
            |verdicts: &[DnsVerdict]| told(verdicts).iter().all(|one| *one == Steadiness::Steady);
        assert!(steady(&[NoSuchName, Elsewhere, Propagating, Ok, Ok]));
        assert!(steady(&[NoSuchName, Elsewhere, Broken, Propagating, Ok]), "ever further");
        assert!(steady(&[Elsewhere, Ok, Elsewhere, Elsewhere, Elsewhere]), "a slip");
        let mut verdicts = [Ok, Elsewhere].repeat(20);
        assert_eq!(told(&verdicts).iter().filter(|one| **one == Steadiness::Began).count(), 1);
        assert_eq!(told(&verdicts)[4], Steadiness::Began);
        verdicts.extend([Ok; 8]);
        let told = told(&verdicts);
        assert_eq!(told.iter().filter(|one| **one == Steadiness::Ended).count(), 1);
        assert_eq!(told.last(), Some(&Steadiness::Ended), "after eight that are the same");
    }
}
