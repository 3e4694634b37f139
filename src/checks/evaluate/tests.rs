use proptest::prelude::*;

use super::*;
use crate::checks::targets::Target;

fn expected() -> Expected {
    let targets: Vec<Target> =
        vec!["203.0.113.0/28".parse().unwrap(), "edge.example".parse().unwrap()];
    Expected::new(&targets, ["2001:db8::1".parse().unwrap()])
}

fn found(addresses: &[&str]) -> Addresses {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Addresses::Found { addresses, cnames: Vec::new(), ttl_s: 60 }
}

fn judge(answers: Vec<Addresses>) -> DnsResult {
    let (expected, proxies) = (expected(), ["192.0.2.0/24".parse().unwrap()]);
    let answers = answers.into_iter().enumerate();
    let answers = answers
        .map(|(n, answer)| evaluate_answer(&n.to_string(), answer, Some(&expected), &proxies));
    evaluate_dns(answers.collect(), Vec::new(), Some(&expected), &proxies)
}

#[test]
fn an_aaaa_elsewhere_does_not_make_a_right_a_record_wrong() {
    let seen = judge(vec![found(&["203.0.113.1", "2001:db8::2"])]);
    assert_eq!(seen.verdict, DnsVerdict::Ok);
    assert_eq!(seen.aaaa_elsewhere, ["2001:db8::2".parse::<IpAddr>().unwrap()]);
    assert!(judge(vec![found(&["203.0.113.1", "2001:db8::1"])]).aaaa_elsewhere.is_empty());
    assert_eq!(judge(vec![found(&["2001:db8::2"])]).verdict, DnsVerdict::Elsewhere);
    assert_eq!(judge(vec![found(&["2001:db8::1"])]).verdict, DnsVerdict::Ok);
    // What the expected host has itself is right, whatever it is, but for what nobody reaches.
    let behind = |address: &str| {
        let (addresses, cnames) = (vec![address.parse().unwrap()], vec!["edge.example".to_owned()]);
        let seen = judge(vec![Addresses::Found { addresses, cnames, ttl_s: 60 }]);
        (seen.verdict, seen.aaaa_elsewhere.len())
    };
    assert_eq!(behind("2606:4700::2"), (DnsVerdict::Ok, 0));
    assert_eq!(behind("2001:db8::1"), (DnsVerdict::Ok, 0), "it is named");
    assert_eq!(behind("fd00::2"), (DnsVerdict::Elsewhere, 0));
    assert_eq!(behind("172.18.0.3"), (DnsVerdict::Elsewhere, 0));
}

#[test]
fn every_address_that_leads_elsewhere_is_named_with_whose_it_is() {
    let named = |seen: DnsResult| -> Vec<String> {
        let name = |one: &Stray| format!("{} {}", one.address, one.host.as_deref().unwrap_or("?"));
        seen.strays.iter().map(name).collect()
    };
    let beside = judge(vec![found(&["9.9.9.7", "198.185.159.145", "203.0.113.1"])]);
    assert_eq!(beside.verdict, DnsVerdict::Elsewhere);
    assert_eq!(named(beside), ["9.9.9.7 ?", "198.185.159.145 Squarespace"]);
    let both = judge(vec![found(&["9.9.9.7", "2620:fe::2"])]);
    assert_eq!(named(both), ["9.9.9.7 ?", "2620:fe::2 ?"]);
    let six = judge(vec![found(&["203.0.113.1", "2620:fe::2", "2001:db8::1"])]);
    assert_eq!((six.verdict, named(six)), (DnsVerdict::Ok, vec!["2620:fe::2 ?".to_owned()]));
    let inside = judge(vec![found(&["192.168.1.7"])]);
    assert_eq!(named(inside), ["192.168.1.7 a private address, which visitors cannot reach"]);
    // A proxy and the server behind it both lead to the site.
    let proxied = judge(vec![found(&["192.0.2.1", "203.0.113.1"])]);
    assert_eq!((proxied.verdict, proxied.strays.len()), (DnsVerdict::Proxied, 0));
}

#[test]
fn most_resolvers_decide_when_none_sees_it_right() {
    let seen = judge(vec![
        found(&["198.51.100.7"]),
        Addresses::NoSuchName { cnames: Vec::new(), ttl_s: Some(60) },
        found(&["198.51.100.7"]),
        Addresses::Silent("no answer".to_owned()),
    ]);
    assert_eq!((seen.verdict, seen.seen, seen.of), (DnsVerdict::Elsewhere, 2, 3));
    let seen = judge(vec![
        found(&["192.0.2.1"]),
        Addresses::Broken { dnssec: true, why: None },
        found(&["192.0.2.2"]),
    ]);
    assert_eq!((seen.verdict, seen.seen, seen.of), (DnsVerdict::Broken, 1, 3));
}

/// What the resolvers and the name's own servers say together.
fn judge_with(said: Vec<Addresses>, zone: Vec<Addresses>) -> DnsResult {
    let (expected, proxies) = (expected(), ["192.0.2.0/24".parse().unwrap()]);
    let judged = |prefix: &str, all: Vec<Addresses>| -> Vec<ResolverAnswer> {
        let of =
            |(n, one)| evaluate_answer(&format!("{prefix}{n}"), one, Some(&expected), &proxies);
        all.into_iter().enumerate().map(of).collect()
    };
    evaluate_dns(judged("r", said), judged("ns", zone), Some(&expected), &proxies)
}

fn broken(signatures: bool, why: &str) -> Addresses {
    Addresses::Broken { dnssec: signatures, why: Some(why.to_owned()) }
}

fn no_such_name() -> Addresses {
    Addresses::NoSuchName { cnames: Vec::new(), ttl_s: Some(60) }
}

const RIGHT: &str = "203.0.113.1";
const SQUARESPACE: &str = "198.185.159.145";

#[test]
fn while_it_propagates_what_is_still_to_come_is_told() {
    let of = |zone| {
        let (right, old) = (found(&[RIGHT]), found(&[SQUARESPACE]));
        judge_with(vec![right.clone(), right.clone(), right, old, found(&["9.9.9.7"])], zone)
    };
    let spreads = of(vec![found(&[RIGHT]), Addresses::Silent("no answer".to_owned())]);
    assert_eq!((spreads.verdict, spreads.seen, spreads.of), (DnsVerdict::Propagating, 3, 5));
    assert_eq!(spreads.addresses, [SQUARESPACE.parse::<IpAddr>().unwrap()]);
    assert_eq!(spreads.host.as_deref(), Some("Squarespace"));
    assert_eq!(spreads.strays.len(), 2, "every one that anybody still has");
    // Waiting brings what the zone says.
    let wrong = of(vec![found(&["9.9.9.7"]), found(&["9.9.9.7"])]);
    assert_eq!((wrong.verdict, wrong.seen, wrong.of), (DnsVerdict::Elsewhere, 2, 5));
    assert_eq!(wrong.addresses, ["9.9.9.7".parse::<IpAddr>().unwrap()]);
    let failing = of(vec![broken(false, "no reason")]);
    assert_eq!(failing.broken_by, Some(BrokenBy::Failure));
    let torn = of(vec![found(&[RIGHT]), found(&["9.9.9.7"])]);
    let by = Some(BrokenBy::Disagreement);
    assert_eq!((torn.verdict, torn.broken_by), (DnsVerdict::Broken, by));
    let error = "its name servers do not agree: ns0 says 203.0.113.1, ns1 says 9.9.9.7";
    assert_eq!(torn.error.as_deref(), Some(error));
    let both_wrong = of(vec![found(&["9.9.9.7"]), no_such_name()]);
    assert_eq!(both_wrong.broken_by, by, "wrong in two ways is no agreement");
}

#[test]
fn what_breaks_a_name_is_told_by_who_knows_most() {
    let (bare, signed) = (Addresses::Broken { dnssec: false, why: None }, broken(true, "x"));
    let bogus = judge_with(vec![bare.clone(), signed, broken(false, "network error")], vec![]);
    assert_eq!(bogus.broken_by, Some(BrokenBy::Signatures));
    assert_eq!(bogus.error.as_deref(), Some("its DNSSEC signatures are wrong (x)"));
    let servers = vec![Addresses::Silent("no answer".to_owned()), found(&[RIGHT])];
    let fails = judge_with(vec![bare, broken(false, "network error")], servers);
    assert_eq!(fails.broken_by, Some(BrokenBy::Failure));
    let error = "its name servers do not answer as they should (SERVFAIL) (network error); ns0 \
                 says no answer";
    assert_eq!(fails.error.as_deref(), Some(error));
}

#[test]
fn a_chain_that_some_give_up_is_too_long() {
    let behind = |many: usize, addresses: &[&str]| {
        let addresses = addresses.iter().map(|one| one.parse().unwrap()).collect();
        let cnames = (0..many).map(|n| format!("c{n}.example")).collect();
        Addresses::Found { addresses, cnames, ttl_s: 60 }
    };
    let by = |said: Vec<Addresses>| judge_with(said, Vec::new()).broken_by;
    let long = || behind(LONG_CHAIN, &["203.0.113.1"]);
    assert_eq!(by(vec![long(), long()]), None, "all follow it");
    assert_eq!(by(vec![long(), behind(LONG_CHAIN, &[])]), Some(BrokenBy::LongChain));
    assert_eq!(by(vec![long(), broken(false, "x")]), Some(BrokenBy::LongChain));
    let stranger = || behind(LONG_CHAIN, &["9.9.9.7"]);
    assert_eq!(by(vec![stranger(), broken(false, "x")]), Some(BrokenBy::LongChain));
    let short = behind(LONG_CHAIN - 1, &[RIGHT]);
    assert_eq!(by(vec![short, broken(false, "x")]), Some(BrokenBy::Failure));
    // Where a chain leads is where it ends.
    let cnames = vec!["a.example".to_owned(), "b.example".to_owned()];
    let gone = judge_with(vec![Addresses::NoSuchName { cnames, ttl_s: Some(60) }], Vec::new());
    assert_eq!(gone.error.as_deref(), Some("its CNAME leads to b.example"));
}

#[test]
fn proxies_are_no_strays_and_what_is_wrong_counts_for_no_aaaa() {
    let beside = judge(vec![found(&["9.9.9.7", "192.0.2.1"])]);
    assert_eq!((beside.verdict, beside.strays.len()), (DnsVerdict::Elsewhere, 1));
    let old = judge(vec![found(&[RIGHT]), found(&["9.9.9.7", "2620:fe::2"])]);
    assert_eq!((old.verdict, old.aaaa_elsewhere.len()), (DnsVerdict::Propagating, 0));
    let right = judge(vec![found(&[RIGHT]), found(&["203.0.113.2", "192.0.2.1"])]);
    assert_eq!((right.verdict, right.aaaa_elsewhere.len()), (DnsVerdict::Proxied, 0));
    let six = ["2001:db8:7::/48".parse().unwrap()];
    let behind = evaluate_answer("r", found(&[RIGHT, "2001:db8:7::1"]), Some(&expected()), &six);
    let behind = evaluate_dns(vec![behind], Vec::new(), Some(&expected()), &six);
    assert_eq!((behind.verdict, behind.aaaa_elsewhere.len()), (DnsVerdict::Ok, 0));
    // Even a private address is right where the settings name it.
    let targets: Vec<Target> = vec!["10.0.0.7".parse().unwrap(), "edge.example".parse().unwrap()];
    let expected = Expected::new(&targets, []);
    let behind = |addresses: &[&str]| {
        let addresses = addresses.iter().map(|one| one.parse().unwrap()).collect();
        let cnames = vec!["edge.example".to_owned()];
        let answer = Addresses::Found { addresses, cnames, ttl_s: 60 };
        evaluate_answer("r", answer, Some(&expected), &[]).verdict
    };
    assert_eq!(behind(&["10.0.0.7", "9.9.9.8"]), DnsVerdict::Ok);
    assert_eq!(behind(&["10.0.0.8", "9.9.9.8"]), DnsVerdict::Elsewhere);
}

#[test]
fn whose_the_proxy_is_that_the_settings_name_is_known() {
    let cloudflare = ["104.16.0.0/13".parse().unwrap()];
    let answer = evaluate_answer("r", found(&["104.16.0.1"]), Some(&expected()), &cloudflare);
    let seen = evaluate_dns(vec![answer], Vec::new(), Some(&expected()), &cloudflare);
    assert_eq!(seen.verdict, DnsVerdict::Proxied);
    assert_eq!(seen.host.as_deref(), Some("Cloudflare"));
}

#[test]
fn why_nothing_is_known_is_told_of_each() {
    let answer = |resolver, no_say: Option<&str>, error: Option<&str>| ResolverAnswer {
        no_say: no_say.map(str::to_owned),
        error: error.map(str::to_owned),
        ..ResolverAnswer::of(resolver)
    };
    let why = |answers| evaluate_dns(answers, Vec::new(), None, &[]).error.unwrap();
    let silent = Some("no answer");
    let all = vec![
        answer("a", Some("it is sick"), Some("SERVFAIL")),
        answer("b", None, silent),
        answer("c", None, silent),
    ];
    assert_eq!(why(all), "a: it is sick; b, c: no answer");
    assert_eq!(why(vec![answer("a", Some("another view"), None)]), "a: another view");
}

#[test]
fn what_waiting_cannot_end_is_told_as_what_most_say() {
    let (right, old) = (found(&[RIGHT, "2620:fe::2"]), found(&[SQUARESPACE]));
    let settled = |said: Vec<Addresses>, zone: Vec<Addresses>| {
        let mut dns = judge_with(said, zone);
        assert_eq!(dns.verdict, DnsVerdict::Propagating);
        without_waiting(&mut dns);
        let strays: Vec<String> = dns.strays.iter().map(|one| one.address.to_string()).collect();
        (dns.verdict, dns.host.clone(), dns.addresses.len(), strays)
    };
    let most_right = vec![right.clone(), right.clone(), old.clone()];
    let seen = settled(most_right.clone(), Vec::new());
    assert_eq!(seen, (DnsVerdict::Ok, None, 2, vec!["2620:fe::2".to_owned()]));
    assert_eq!(settled(most_right, vec![right.clone()]), seen, "the zone agrees with most");
    // Whose a right address is does not matter.
    let alone = found(&[RIGHT]);
    let seen = settled(vec![alone.clone(), alone, old.clone()], Vec::new());
    assert_eq!(seen, (DnsVerdict::Ok, None, 1, Vec::new()));
    let seen = settled(vec![right, old.clone(), found(&["9.9.9.7"]), old], Vec::new());
    let (host, strays) = (Some("Squarespace".to_owned()), vec![SQUARESPACE.to_owned()]);
    assert_eq!(seen, (DnsVerdict::Elsewhere, host, 1, strays));
}

#[test]
fn without_a_target_only_what_needs_none_is_said() {
    let judge = |answer| {
        evaluate_dns(vec![evaluate_answer("r", answer, None, &[])], vec![], None, &[]).verdict
    };
    assert_eq!(judge(found(&["203.0.113.1"])), DnsVerdict::Unknown);
    assert_eq!(
        judge(Addresses::NoSuchName { cnames: Vec::new(), ttl_s: Some(60) }),
        DnsVerdict::NoSuchName
    );
}

#[test]
fn where_a_place_could_not_be_found_out_only_what_is_right_is_said() {
    let target = "203.0.113.1".parse().unwrap();
    let expected = Expected::new([&target], []).and_perhaps_more();
    let judge = |addresses: &[&str]| {
        let answer = evaluate_answer("r", found(addresses), Some(&expected), &[]);
        evaluate_dns(vec![answer], Vec::new(), Some(&expected), &[])
    };
    let right = judge(&["203.0.113.1", "2001:db8::9"]);
    assert_eq!((right.verdict, right.aaaa_elsewhere.len()), (DnsVerdict::Ok, 0));
    let other = judge(&["198.51.100.7"]);
    assert_eq!(other.verdict, DnsVerdict::Unknown);
    assert_eq!(other.error.as_deref(), Some("it is not known where names should point"));
}

fn answers() -> impl Strategy<Value = Vec<Addresses>> {
    let addresses = prop::collection::vec(
        prop::sample::select(vec![
            "203.0.113.1",
            "203.0.113.2",
            "198.51.100.7",
            "192.0.2.9",
            "2001:db8::1",
            "2001:db8::9",
        ]),
        0..4,
    );
    let answer = prop_oneof![
        addresses.prop_map(|addresses| found(&addresses)),
        Just(Addresses::NoSuchName { cnames: Vec::new(), ttl_s: Some(60) }),
        any::<bool>().prop_map(|dnssec| Addresses::Broken { dnssec, why: None }),
        Just(Addresses::Silent("no answer".to_owned())),
    ];
    prop::collection::vec(answer, 0..6)
}

proptest! {
    #[test]
    fn silent_resolvers_never_count(said in answers(), silent in 0..4_usize) {
        let silence = || Addresses::Silent("no answer".to_owned());
        let with: Vec<_> = said.iter().cloned().chain((0..silent).map(|_| silence())).collect();
        let without = said.iter().filter(|one| !matches!(one, Addresses::Silent(_))).cloned();
        let (with, without) = (judge(with), judge(without.collect()));
        prop_assert_eq!(with.verdict, without.verdict);
        prop_assert_eq!((with.seen, with.of), (without.seen, without.of));
        prop_assert_eq!(with.verdict == DnsVerdict::Unknown, with.of == 0);
        prop_assert!(with.seen <= with.of);
        prop_assert_eq!(with.verdict == DnsVerdict::Ok, with.seen == with.of && with.of > 0
            && with.answers.iter().any(|one| one.verdict == DnsVerdict::Ok));
    }
}
