use proptest::prelude::*;

use super::*;
use crate::status::ExpectedTarget;

fn expected() -> Expected {
    let targets: Vec<ExpectedTarget> =
        vec!["203.0.113.0/28".parse().unwrap(), "edge.example".parse().unwrap()];
    Expected::new(&targets, ["2001:db8::1".parse().unwrap()])
}

fn found(addresses: &[&str]) -> Addresses {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Addresses::Found { addresses, cnames: Vec::new(), ttl_s: 60 }
}

fn evaluate(answers: Vec<Addresses>) -> DnsResult {
    evaluate_with(answers, Vec::new())
}

/// The result of the resolvers' answers and those of the name's own name servers.
fn evaluate_with(resolvers: Vec<Addresses>, name_servers: Vec<Addresses>) -> DnsResult {
    let (expected, proxies) = (expected(), ["192.0.2.0/24".parse().unwrap()]);
    let answers = |prefix: &str, all: Vec<Addresses>| -> Vec<ResolverAnswer> {
        let of =
            |(n, one)| evaluate_answer(&format!("{prefix}{n}"), one, Some(&expected), &proxies);
        all.into_iter().enumerate().map(of).collect()
    };
    let (resolvers, name_servers) = (answers("r", resolvers), answers("ns", name_servers));
    evaluate_dns(resolvers, name_servers, Some(&expected), &proxies)
}

#[test]
fn an_aaaa_elsewhere_does_not_make_a_right_a_record_wrong() {
    let seen = evaluate(vec![found(&["203.0.113.1", "2001:db8::2"])]);
    assert_eq!(seen.verdict, DnsVerdict::Ok);
    assert_eq!(seen.aaaa_elsewhere, ["2001:db8::2".parse::<IpAddr>().unwrap()]);
    assert!(evaluate(vec![found(&["203.0.113.1", "2001:db8::1"])]).aaaa_elsewhere.is_empty());
    assert_eq!(evaluate(vec![found(&["2001:db8::2"])]).verdict, DnsVerdict::Elsewhere);
    assert_eq!(evaluate(vec![found(&["2001:db8::1"])]).verdict, DnsVerdict::Ok);
    // Every reachable address of the expected host is right.
    let behind = |address: &str| {
        let (addresses, cnames) = (vec![address.parse().unwrap()], vec!["edge.example".to_owned()]);
        let seen = evaluate(vec![Addresses::Found { addresses, cnames, ttl_s: 60 }]);
        (seen.verdict, seen.aaaa_elsewhere.len())
    };
    assert_eq!(behind("2606:4700::2"), (DnsVerdict::Ok, 0));
    assert_eq!(behind("2001:db8::1"), (DnsVerdict::Ok, 0), "it is configured");
    assert_eq!(behind("fd00::2"), (DnsVerdict::Elsewhere, 0));
    assert_eq!(behind("172.18.0.3"), (DnsVerdict::Elsewhere, 0));
}

#[test]
fn every_unexpected_address_is_listed_with_its_host() {
    let named = |seen: DnsResult| -> Vec<String> {
        let name = |one: &Stray| format!("{} {}", one.address, one.host.as_deref().unwrap_or("?"));
        seen.strays.iter().map(name).collect()
    };
    let beside = evaluate(vec![found(&["9.9.9.7", "198.185.159.145", "203.0.113.1"])]);
    assert_eq!(beside.verdict, DnsVerdict::Elsewhere);
    assert_eq!(named(beside), ["9.9.9.7 ?", "198.185.159.145 Squarespace"]);
    let both = evaluate(vec![found(&["9.9.9.7", "2620:fe::2"])]);
    assert_eq!(named(both), ["9.9.9.7 ?", "2620:fe::2 ?"]);
    let six = evaluate(vec![found(&["203.0.113.1", "2620:fe::2", "2001:db8::1"])]);
    assert_eq!((six.verdict, named(six)), (DnsVerdict::Ok, vec!["2620:fe::2 ?".to_owned()]));
    let inside = evaluate(vec![found(&["192.168.1.7"])]);
    assert_eq!(named(inside), ["192.168.1.7 a private address, which visitors cannot reach"]);
    // Visitors reach the site through the proxy and through the server behind it.
    let proxied = evaluate(vec![found(&["192.0.2.1", "203.0.113.1"])]);
    assert_eq!((proxied.verdict, proxied.strays.len()), (DnsVerdict::Proxied, 0));
}

#[test]
fn the_most_common_verdict_counts_when_no_answer_is_right() {
    let seen = evaluate(vec![
        found(&["198.51.100.7"]),
        no_such_name(),
        found(&["198.51.100.7"]),
        Addresses::Silent("no answer".to_owned()),
    ]);
    assert_eq!((seen.verdict, seen.seen, seen.of), (DnsVerdict::Elsewhere, 2, 3));
    let seen = evaluate(vec![
        found(&["192.0.2.1"]),
        Addresses::Broken { cause: ServFailCause::Signatures, why: None },
        found(&["192.0.2.2"]),
    ]);
    assert_eq!((seen.verdict, seen.seen, seen.of), (DnsVerdict::Broken, 1, 3));
}

fn broken(cause: ServFailCause, why: &str) -> Addresses {
    Addresses::Broken { cause, why: Some(why.to_owned()) }
}

fn no_such_name() -> Addresses {
    Addresses::NoSuchName { cnames: Vec::new(), ttl_s: Some(60) }
}

const RIGHT: &str = "203.0.113.1";
const SQUARESPACE: &str = "198.185.159.145";

#[test]
fn while_it_propagates_the_name_servers_decide() {
    let of = |zone| {
        let (right, old) = (found(&[RIGHT]), found(&[SQUARESPACE]));
        evaluate_with(vec![right.clone(), right.clone(), right, old, found(&["9.9.9.7"])], zone)
    };
    let spreads = of(vec![found(&[RIGHT]), Addresses::Silent("no answer".to_owned())]);
    assert_eq!((spreads.verdict, spreads.seen, spreads.of), (DnsVerdict::Propagating, 3, 5));
    assert_eq!(spreads.addresses, [SQUARESPACE.parse::<IpAddr>().unwrap()]);
    assert_eq!(spreads.host.as_deref(), Some("Squarespace"));
    assert_eq!(spreads.strays.len(), 2, "all that resolvers still return");
    let wrong = of(vec![found(&["9.9.9.7"]), found(&["9.9.9.7"])]);
    assert_eq!((wrong.verdict, wrong.seen, wrong.of), (DnsVerdict::Elsewhere, 2, 5));
    assert_eq!(wrong.addresses, ["9.9.9.7".parse::<IpAddr>().unwrap()]);
    let failing = of(vec![broken(ServFailCause::Servers, "no reason")]);
    assert_eq!(failing.broken_by, Some(BrokenBy::Failure));
    let mixed = of(vec![found(&[RIGHT]), found(&["9.9.9.7"])]);
    let by = Some(BrokenBy::Disagreement);
    assert_eq!((mixed.verdict, mixed.broken_by), (DnsVerdict::Broken, by));
    let error = "its name servers do not agree: ns0 says 203.0.113.1, ns1 says 9.9.9.7";
    assert_eq!(mixed.error.as_deref(), Some(error));
    let both_wrong = of(vec![found(&["9.9.9.7"]), no_such_name()]);
    assert_eq!(both_wrong.broken_by, by, "wrong in two ways is no agreement");
}

#[test]
fn the_most_specific_error_is_kept() {
    let (bare, signed) = (
        Addresses::Broken { cause: ServFailCause::Servers, why: None },
        broken(ServFailCause::Signatures, "x"),
    );
    let bogus = evaluate_with(
        vec![bare.clone(), signed, broken(ServFailCause::Servers, "network error")],
        vec![],
    );
    assert_eq!(bogus.broken_by, Some(BrokenBy::Signatures));
    assert_eq!(bogus.error.as_deref(), Some("its DNSSEC signatures are wrong (x)"));
    let servers = vec![Addresses::Silent("no answer".to_owned()), found(&[RIGHT])];
    let fails = evaluate_with(vec![bare, broken(ServFailCause::Servers, "network error")], servers);
    assert_eq!(fails.broken_by, Some(BrokenBy::Failure));
    let error = "its name servers fail (SERVFAIL) (network error); ns0 \
                 says no answer";
    assert_eq!(fails.error.as_deref(), Some(error));
}

#[test]
fn a_chain_that_only_some_resolvers_follow_is_too_long() {
    let behind = |many: usize, addresses: &[&str]| {
        let addresses = addresses.iter().map(|one| one.parse().unwrap()).collect();
        let cnames = (0..many).map(|n| format!("c{n}.example")).collect();
        Addresses::Found { addresses, cnames, ttl_s: 60 }
    };
    let by = |said: Vec<Addresses>| evaluate_with(said, Vec::new()).broken_by;
    let long = || behind(LONG_CHAIN, &["203.0.113.1"]);
    assert_eq!(by(vec![long(), long()]), None, "all follow it");
    assert_eq!(by(vec![long(), behind(LONG_CHAIN, &[])]), Some(BrokenBy::LongChain));
    assert_eq!(by(vec![long(), broken(ServFailCause::Servers, "x")]), Some(BrokenBy::LongChain));
    let stranger = || behind(LONG_CHAIN, &["9.9.9.7"]);
    assert_eq!(
        by(vec![stranger(), broken(ServFailCause::Servers, "x")]),
        Some(BrokenBy::LongChain)
    );
    let short = behind(LONG_CHAIN - 1, &[RIGHT]);
    assert_eq!(by(vec![short, broken(ServFailCause::Servers, "x")]), Some(BrokenBy::Failure));
    // The error names the last target of a chain.
    let cnames = vec!["a.example".to_owned(), "b.example".to_owned()];
    let gone = evaluate_with(vec![Addresses::NoSuchName { cnames, ttl_s: Some(60) }], Vec::new());
    assert_eq!(gone.error.as_deref(), Some("its CNAME leads to b.example"));
}

#[test]
fn proxies_are_no_strays_and_wrong_answers_have_no_aaaa_elsewhere() {
    let beside = evaluate(vec![found(&["9.9.9.7", "192.0.2.1"])]);
    assert_eq!((beside.verdict, beside.strays.len()), (DnsVerdict::Elsewhere, 1));
    let old = evaluate(vec![found(&[RIGHT]), found(&["9.9.9.7", "2620:fe::2"])]);
    assert_eq!((old.verdict, old.aaaa_elsewhere.len()), (DnsVerdict::Propagating, 0));
    let right = evaluate(vec![found(&[RIGHT]), found(&["203.0.113.2", "192.0.2.1"])]);
    assert_eq!((right.verdict, right.aaaa_elsewhere.len()), (DnsVerdict::Proxied, 0));
    let six = ["2001:db8:7::/48".parse().unwrap()];
    let behind = evaluate_answer("r", found(&[RIGHT, "2001:db8:7::1"]), Some(&expected()), &six);
    let behind = evaluate_dns(vec![behind], Vec::new(), Some(&expected()), &six);
    assert_eq!((behind.verdict, behind.aaaa_elsewhere.len()), (DnsVerdict::Ok, 0));
    // A configured private address is right.
    let targets: Vec<ExpectedTarget> =
        vec!["10.0.0.7".parse().unwrap(), "edge.example".parse().unwrap()];
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
fn the_host_of_a_configured_proxy_is_known() {
    let cloudflare = ["104.16.0.0/13".parse().unwrap()];
    let answer = evaluate_answer("r", found(&["104.16.0.1"]), Some(&expected()), &cloudflare);
    let seen = evaluate_dns(vec![answer], Vec::new(), Some(&expected()), &cloudflare);
    assert_eq!(seen.verdict, DnsVerdict::Proxied);
    assert_eq!(seen.host.as_deref(), Some("Cloudflare"));
}

#[test]
fn an_unknown_verdict_lists_the_reason_of_each_resolver() {
    let answer = |resolver, ignored_because: Option<&str>, error: Option<&str>| ResolverAnswer {
        ignored_because: ignored_because.map(str::to_owned),
        error: error.map(str::to_owned),
        ..ResolverAnswer::of(resolver)
    };
    let why = |answers| evaluate_dns(answers, Vec::new(), None, &[]).error.unwrap();
    let silent = Some("no answer");
    let all = vec![
        answer("a", Some("it is failing"), Some("SERVFAIL")),
        answer("b", None, silent),
        answer("c", None, silent),
    ];
    assert_eq!(why(all), "a: it is failing; b, c: no answer");
    assert_eq!(why(vec![answer("a", Some("another view"), None)]), "a: another view");
}

#[test]
fn an_ended_propagation_has_the_most_common_verdict() {
    let (right, old) = (found(&[RIGHT, "2620:fe::2"]), found(&[SQUARESPACE]));
    let ended = |answers: Vec<Addresses>, zone: Vec<Addresses>| {
        let mut dns = evaluate_with(answers, zone);
        assert_eq!(dns.verdict, DnsVerdict::Propagating);
        end_propagation(&mut dns);
        let strays: Vec<String> = dns.strays.iter().map(|one| one.address.to_string()).collect();
        (dns.verdict, dns.host.clone(), dns.addresses.len(), strays)
    };
    let most_right = vec![right.clone(), right.clone(), old.clone()];
    let seen = ended(most_right.clone(), Vec::new());
    assert_eq!(seen, (DnsVerdict::Ok, None, 2, vec!["2620:fe::2".to_owned()]));
    assert_eq!(ended(most_right, vec![right.clone()]), seen, "the zone agrees with most");
    // The host of a right address does not matter.
    let alone = found(&[RIGHT]);
    let seen = ended(vec![alone.clone(), alone, old.clone()], Vec::new());
    assert_eq!(seen, (DnsVerdict::Ok, None, 1, Vec::new()));
    let seen = ended(vec![right, old.clone(), found(&["9.9.9.7"]), old], Vec::new());
    let (host, strays) = (Some("Squarespace".to_owned()), vec![SQUARESPACE.to_owned()]);
    assert_eq!(seen, (DnsVerdict::Elsewhere, host, 1, strays));
}

#[test]
fn without_a_target_addresses_have_an_unknown_verdict() {
    let verdict = |answer| {
        evaluate_dns(vec![evaluate_answer("r", answer, None, &[])], vec![], None, &[]).verdict
    };
    assert_eq!(verdict(found(&["203.0.113.1"])), DnsVerdict::Unknown);
    assert_eq!(verdict(no_such_name()), DnsVerdict::NoSuchName);
}

#[test]
fn with_incomplete_targets_only_right_addresses_have_a_verdict() {
    let target = "203.0.113.1".parse().unwrap();
    let expected = Expected::new([&target], []).incomplete();
    let evaluate = |addresses: &[&str]| {
        let answer = evaluate_answer("r", found(addresses), Some(&expected), &[]);
        evaluate_dns(vec![answer], Vec::new(), Some(&expected), &[])
    };
    let right = evaluate(&["203.0.113.1", "2001:db8::9"]);
    assert_eq!((right.verdict, right.aaaa_elsewhere.len()), (DnsVerdict::Ok, 0));
    let other = evaluate(&["198.51.100.7"]);
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
        Just(no_such_name()),
        Just(Addresses::Broken { cause: ServFailCause::Servers, why: None }),
        Just(broken(ServFailCause::Signatures, "x")),
        Just(Addresses::Silent("no answer".to_owned())),
    ];
    prop::collection::vec(answer, 0..6)
}

proptest! {
    #[test]
    fn silent_resolvers_never_count(answers in answers(), silent in 0..4_usize) {
        let silence = || Addresses::Silent("no answer".to_owned());
        let with: Vec<_> = answers.iter().cloned().chain((0..silent).map(|_| silence())).collect();
        let without = answers.iter().filter(|one| !matches!(one, Addresses::Silent(_))).cloned();
        let (with, without) = (evaluate(with), evaluate(without.collect()));
        prop_assert_eq!(with.verdict, without.verdict);
        prop_assert_eq!((with.seen, with.of), (without.seen, without.of));
        prop_assert_eq!(with.verdict == DnsVerdict::Unknown, with.of == 0);
        prop_assert!(with.seen <= with.of);
        prop_assert_eq!(with.verdict == DnsVerdict::Ok, with.seen == with.of && with.of > 0
            && with.answers.iter().any(|one| one.verdict == DnsVerdict::Ok));
    }
}
