//! Whose answer counts. Pure.

use std::net::IpAddr;

use super::dns::{Control, View};
use crate::status::{DnsVerdict, ResolverAnswer};

/// A chain of so many CNAMEs is longer than some resolvers follow.
pub(super) const LONG_CHAIN: usize = 8;

/// One resolver's answer, and what speaks for or against it.
#[derive(Debug, Clone)]
pub(super) struct Vote {
    pub(super) answer: ResolverAnswer,
    pub(super) view: View,
    /// Whether it ever answered anything.
    pub(super) has_answered: bool,
    /// How it fails, if it is sick.
    pub(super) sick: Option<String>,
    /// How it does with what every resolver knows.
    pub(super) control: Control,
    /// Whether it failed, be it by its own fault.
    pub(super) failed: bool,
}

impl Vote {
    fn counts(&self) -> bool {
        self.answer.counts()
    }

    fn silence(&mut self, reason: &str) {
        self.answer.no_say = Some(reason.to_owned());
    }
}

/// Takes their say from those who should have none. The first reason that there is stands.
pub(super) fn weigh(heard: &mut [Vote]) {
    for one in heard.iter_mut().filter(|one| one.counts()) {
        let is_broken = one.answer.verdict == DnsVerdict::Broken;
        match (&one.control, &one.sick) {
            (Control::Failed(how), _) => {
                let reason = format!("it is sick: {how}");
                one.silence(&reason);
            }
            (Control::Silent(_), _) if is_broken => {
                one.silence("it does not answer what every resolver knows");
            }
            (_, Some(how)) if is_broken => {
                let reason = format!("it is sick: {how}");
                one.silence(&reason);
            }
            _ => {}
        }
    }
    leave_it_to_the_public(heard);
    leave_it_to_validators(heard);
    leave_out_who_blocks(heard);
    leave_out_who_fails_alone(heard);
}

/// The widest view decides. Where it cannot be had although it could be before, nobody does.
fn leave_it_to_the_public(heard: &mut [Vote]) {
    let Some(widest) = heard.iter().map(|one| one.view).min() else { return };
    let is_known = heard.iter().any(|one| one.view == widest && one.has_answered);
    let deciding = if is_known {
        Some(widest)
    } else {
        heard.iter().filter(|one| one.counts()).map(|one| one.view).min()
    };
    for one in heard.iter_mut().filter(|one| one.counts() && Some(one.view) != deciding) {
        one.silence(match one.view {
            View::System => "this machine's own view: others decide",
            _ => "a private resolver's view: the public ones decide",
        });
    }
}

/// Who does not check signatures cannot tell whether they are right.
fn leave_it_to_validators(heard: &mut [Vote]) {
    if !heard.iter().any(|one| one.counts() && one.answer.dnssec) {
        return;
    }
    let validates = Control::Passed { validates: true };
    for one in heard.iter_mut().filter(|one| one.counts() && !one.answer.dnssec) {
        if one.control != validates && one.answer.verdict != DnsVerdict::Broken {
            one.silence("it does not check signatures");
        }
    }
}

/// Whoever has a block list says of the names on it that they have no address that there is, or that
/// there are none, without the zone's word for it.
fn leave_out_who_blocks(heard: &mut [Vote]) {
    let blocks = |one: &Vote| {
        let ResolverAnswer { verdict, addresses, cnames, ttl_s, .. } = &one.answer;
        let is_denied = *verdict == DnsVerdict::NoSuchName && cnames.is_empty() && ttl_s.is_none();
        let is_nowhere = !addresses.is_empty() && addresses.iter().all(IpAddr::is_unspecified);
        one.counts() && (is_denied || is_nowhere)
    };
    let counting = heard.iter().filter(|one| one.counts()).count();
    if heard.iter().filter(|one| blocks(one)).count() * 2 >= counting {
        return;
    }
    for one in heard.iter_mut().filter(|one| blocks(one)) {
        one.silence("it seems to block the name");
    }
}

/// Whoever fails where most answer fails by itself, unless there is something to fail at.
fn leave_out_who_fails_alone(heard: &mut [Vote]) {
    let counting = || heard.iter().filter(|one| one.counts());
    let failing = counting().filter(|one| one.answer.verdict == DnsVerdict::Broken).count();
    let has_long_chain = counting().any(|one| one.answer.cnames.len() >= LONG_CHAIN);
    if failing * 2 >= counting().count() || has_long_chain {
        return;
    }
    for one in heard.iter_mut().filter(|one| one.counts()) {
        if one.answer.verdict == DnsVerdict::Broken {
            one.silence("it fails where most answer");
        }
    }
}

/// Who failed where most of those that count say something of the name, once they are weighed.
pub(super) fn alone(heard: &[Vote]) -> impl Iterator<Item = &Vote> {
    let says = |one: &&Vote| one.counts() && one.answer.verdict != DnsVerdict::Broken;
    let (said, failed) = (
        heard.iter().filter(says).count(),
        heard.iter().filter(|one| one.failed || one.answer.verdict == DnsVerdict::Broken).count(),
    );
    heard.iter().filter(move |one| one.failed && said > failed)
}

/// Who has another view than those that count, once they are weighed, and who shares it.
pub(super) fn views(heard: &[Vote]) -> impl Iterator<Item = (&Vote, bool)> {
    let deciding: Vec<_> =
        heard.iter().filter(|one| one.counts()).map(|one| (one.view, one.answer.verdict)).collect();
    let others =
        heard.iter().filter(|one| one.answer.verdict != DnsVerdict::Unknown && !one.failed);
    others.filter_map(move |one| {
        let (widest, _) = deciding.iter().min()?;
        let shares = deciding.iter().any(|(_, verdict)| *verdict == one.answer.verdict);
        (one.view > *widest).then_some((one, shares))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(resolver: &str, verdict: DnsVerdict, view: View) -> Vote {
        let answer = ResolverAnswer { verdict, ..ResolverAnswer::of(resolver) };
        Vote {
            answer,
            view,
            has_answered: true,
            sick: None,
            control: Control::Passed { validates: true },
            failed: verdict == Broken,
        }
    }

    fn counting(mut heard: Vec<Vote>) -> Vec<String> {
        weigh(&mut heard);
        let counting = heard.into_iter().filter(Vote::counts);
        counting.map(|one| one.answer.resolver).collect()
    }

    use DnsVerdict::{Broken, Elsewhere, NoSuchName, Ok, Unknown};
    use View::{Named, Public, System};

    #[test]
    fn the_public_view_decides_where_there_is_one() {
        let own = |verdict| heard("system", verdict, System);
        for (ours, theirs) in [(Elsewhere, Ok), (NoSuchName, Ok), (Ok, NoSuchName), (Broken, Ok)] {
            let all = vec![own(ours), heard("1.1.1.1", theirs, Public)];
            assert_eq!(counting(all), ["1.1.1.1"], "{ours} {theirs}");
        }
        assert_eq!(counting(vec![own(Ok), heard("10.0.0.2", Elsewhere, Named)]), ["10.0.0.2"]);
        assert_eq!(counting(vec![own(Elsewhere)]), ["system"]);
        // A public one that cannot be had now could be before: nothing is known.
        assert_eq!(counting(vec![own(Ok), heard("1.1.1.1", Unknown, Public)]), [""; 0]);
        let mut never = heard("1.1.1.1", Unknown, Public);
        never.has_answered = false;
        assert_eq!(counting(vec![own(Ok), never]), ["system"], "nothing gets out to it");
    }

    #[test]
    fn who_fails_at_what_must_exist_has_no_say() {
        let mut sick = heard("a", Broken, Public);
        sick.control = Control::Failed("SERVFAIL".to_owned());
        assert_eq!(counting(vec![sick.clone()]), [""; 0], "not even alone");
        let well = heard("c", Ok, Public);
        assert_eq!(counting(vec![sick.clone(), sick, well]), ["c"], "be they most");
        let mut liar = heard("a", NoSuchName, Public);
        liar.control = Control::Failed("no such name".to_owned());
        assert_eq!(counting(vec![liar, heard("b", Ok, Public)]), ["b"]);
        let mut lost = heard("a", Elsewhere, Public);
        lost.control = Control::Silent("no answer".to_owned());
        assert_eq!(counting(vec![lost.clone()]), ["a"], "a lost answer is no proof");
        lost.answer.verdict = Broken;
        assert_eq!(counting(vec![lost]), [""; 0]);
        let mut sick = heard("a", Broken, Public);
        sick.sick = Some("SERVFAIL".to_owned());
        assert_eq!(counting(vec![sick.clone(), heard("b", Ok, Public)]), ["b"]);
        sick.answer.verdict = Ok;
        assert_eq!(counting(vec![sick]), ["a"], "it answers again");
    }

    #[test]
    fn who_fails_where_most_answer_has_no_say() {
        let of = |verdicts: &[DnsVerdict]| {
            let all = verdicts.iter().map(|verdict| heard("x", *verdict, Public));
            counting(all.collect()).len()
        };
        assert_eq!(of(&[Broken, Ok, Ok, Ok]), 3);
        assert_eq!(of(&[Broken, Elsewhere, NoSuchName]), 2);
        assert_eq!(of(&[Broken, Ok]), 2, "as many against as for it");
        assert_eq!(of(&[Broken, Broken, Ok]), 3);
        let mut long = heard("a", Ok, Public);
        long.answer.cnames = vec!["x".to_owned(); LONG_CHAIN];
        let all = vec![long.clone(), long, heard("b", Broken, Public)];
        assert_eq!(counting(all).len(), 3, "the chain is what it fails at");
    }

    #[test]
    fn who_has_the_name_on_a_block_list_has_no_say() {
        let with = |resolver, verdict, address: &str| {
            let mut one = heard(resolver, verdict, Public);
            one.answer.addresses = address.parse().into_iter().collect();
            one.answer.ttl_s = (verdict != NoSuchName).then_some(60);
            one
        };
        let (right, nowhere) = (with("a", Ok, "9.9.9.9"), with("b", Elsewhere, "0.0.0.0"));
        let denied = with("c", NoSuchName, "");
        let also_right = with("d", Ok, "9.9.9.9");
        let all = vec![right.clone(), nowhere.clone(), also_right.clone()];
        assert_eq!(counting(all), ["a", "d"]);
        let all = vec![right.clone(), denied.clone(), also_right.clone()];
        assert_eq!(counting(all), ["a", "d"]);
        let mut vouched = denied.clone();
        vouched.answer.ttl_s = Some(0);
        assert_eq!(counting(vec![right.clone(), vouched, also_right]).len(), 3);
        assert_eq!(counting(vec![denied.clone(), denied, right]).len(), 3, "most say so");
        assert_eq!(counting(vec![nowhere]), ["b"]);
    }

    #[test]
    fn only_who_checks_signatures_speaks_of_them() {
        let bogus = |resolver| {
            let mut heard = heard(resolver, Broken, Public);
            heard.answer.dnssec = true;
            heard.failed = false;
            heard
        };
        let mut trusting = heard("t", Ok, Public);
        trusting.control = Control::Passed { validates: false };
        assert_eq!(counting(vec![bogus("v"), trusting.clone(), trusting.clone()]), ["v"]);
        let all = vec![bogus("v"), heard("w", Ok, Public), heard("x", Ok, Public), trusting];
        assert_eq!(counting(all), ["w", "x"], "those who check do not agree with it");
    }

    #[test]
    fn signatures_are_told_by_those_that_count() {
        let mut bogus = heard("v", Broken, Public);
        bogus.answer.dnssec = true;
        let mut trusting = heard("t", Ok, Public);
        trusting.control = Control::Passed { validates: false };
        let mut sick = bogus.clone();
        sick.control = Control::Failed("SERVFAIL".to_owned());
        assert_eq!(counting(vec![sick, trusting.clone()]), ["t"], "who is sick tells of none");
        trusting.answer.verdict = Broken;
        assert_eq!(counting(vec![bogus, trusting]), ["v", "t"], "it need not check them to fail");
    }

    #[test]
    fn a_block_list_is_told_by_what_only_it_says() {
        let with = |resolver, verdict, addresses: &[&str]| {
            let mut one = heard(resolver, verdict, Public);
            one.answer.addresses = addresses.iter().map(|one| one.parse().unwrap()).collect();
            one
        };
        let right = || with("a", Ok, &["9.9.9.9"]);
        let in_part = with("b", Elsewhere, &["0.0.0.0", "9.9.9.8"]);
        assert_eq!(counting(vec![right(), in_part, right()]).len(), 3, "it has another, too");
        let mut led = with("b", NoSuchName, &[]);
        led.answer.cnames = vec!["gone.example".to_owned()];
        assert_eq!(counting(vec![right(), led, right()]).len(), 3, "the zone led there");
        let nowhere = with("b", Elsewhere, &["0.0.0.0"]);
        assert_eq!(counting(vec![right(), nowhere]).len(), 2, "as many against as for it");
    }

    #[test]
    fn there_is_no_evidence_where_as_many_fail_as_answer() {
        let right = || heard("a", Ok, Public);
        let mut refusing = heard("c", Unknown, Public);
        refusing.failed = true;
        assert_eq!(alone(&[right(), refusing.clone()]).count(), 0, "one against one");
        // By the fault of what it asks.
        let mut broken = heard("d", Broken, Public);
        broken.failed = false;
        assert_eq!(alone(&[right(), right(), refusing, broken]).count(), 0, "two against two");
        let unseen = heard("system", Unknown, System);
        assert_eq!(views(&[right(), unseen]).count(), 0, "what is unknown is no view");
        let mut blocking = heard("e", NoSuchName, Public);
        blocking.answer.no_say = Some("it seems to block the name".to_owned());
        assert_eq!(views(&[right(), blocking]).count(), 0, "it is no narrower");
    }

    #[test]
    fn evidence_is_what_one_fails_at_alone_and_what_one_sees_alone() {
        let who = |mut all: Vec<Vote>| {
            weigh(&mut all);
            let failed: Vec<_> = alone(&all).map(|one| one.answer.resolver.clone()).collect();
            let odd = views(&all).filter(|(_, shares)| !shares);
            (failed, odd.map(|(one, _)| one.answer.resolver.clone()).collect::<Vec<_>>())
        };
        let (a, b) = (heard("a", Ok, Public), heard("b", Ok, Public));
        let broken = heard("c", Broken, Public);
        let own = heard("system", NoSuchName, System);
        let none: Vec<String> = Vec::new();
        assert_eq!(who(vec![a.clone(), b.clone(), broken.clone()]).0, ["c"]);
        assert_eq!(who(vec![a.clone(), broken.clone(), broken]).0, none);
        let mut refusing = heard("d", Unknown, Public);
        refusing.failed = true;
        assert_eq!(who(vec![a.clone(), b, refusing]).0, ["d"]);
        assert_eq!(who(vec![a.clone(), own]).1, ["system"]);
        assert_eq!(who(vec![a.clone(), heard("system", Ok, System)]).1, none);
        assert_eq!(who(vec![a, heard("e", NoSuchName, Public)]).1, none, "it counts itself");
    }
}
