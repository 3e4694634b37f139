//! Check results for property tests.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use proptest::prelude::*;
use strum::VariantArray as _;

use super::{
    blockers::add_blockers,
    evaluate::{evaluate_answer, evaluate_dns},
    query::ServFailCause,
    reply::Addresses,
    targets::Expected,
};
use crate::status::{
    AddressSeen, Caa, CaaFault, Certificate, Chain, CheckResult, CnameFault, DnsVerdict,
    ExpectedTarget, SslResult, SslVerdict, SynthesizedFrom, Zone,
};

/// Where names should point.
pub(crate) const RIGHT: &str = "203.0.113.10";

/// Results as [`super::Checker::check`] returns them.
pub(crate) fn check_results(now: Timestamp) -> impl Strategy<Value = CheckResult> {
    let chain = prop::option::of(prop::sample::select(CnameFault::VARIANTS));
    let zone = prop::option::of(prop::option::of(Just("GoDaddy".to_owned())));
    let zone = zone
        .prop_map(|zone| zone.map(|provider| Zone { name: "shop.example".to_owned(), provider }));
    let caa = prop::option::of((prop::sample::select(CaaFault::VARIANTS), any::<bool>()));
    let dname = SynthesizedFrom::Dname {
        owner: "shop.example".to_owned(),
        target: "old.example".to_owned(),
    };
    let synthesized_from = prop::option::of(prop_oneof![
        Just(dname),
        Just(SynthesizedFrom::Wildcard { owner: "*.shop.example".to_owned() })
    ]);
    let has_target = prop::bool::weighted(0.9);
    (answers(), ssl(now), caa, chain, zone, synthesized_from, has_target).prop_map(
        |(answers, ssl, caa, chain, zone, synthesized_from, has_target)| {
            let target: ExpectedTarget = RIGHT.parse().unwrap();
            let expected = Expected::new([&target], []);
            let proxies: [IpNet; 1] = ["104.16.0.0/13".parse().unwrap()];
            let known = has_target.then_some(&expected);
            let answers = answers.into_iter().enumerate().map(|(number, answer)| {
                evaluate_answer(&number.to_string(), answer, known, &proxies)
            });
            let dns = evaluate_dns(answers.collect(), Vec::new(), known, &proxies);
            let leads = !dns.addresses.is_empty() && dns.verdict != DnsVerdict::Unknown;
            let ssl = if leads { ssl } else { SslResult::unknown("no address") };
            let mut seen = CheckResult {
                dns,
                ssl,
                site: None,
                http: None,
                blockers: Vec::new(),
                caa: None,
                caa_unknown: false,
                expected: known.map(Expected::targets).unwrap_or_default(),
            };
            let caa = caa.filter(|_| seen.dns.verdict.is_good()).map(|(fault, is_via)| Caa {
                at: "shop.example".to_owned(),
                via: is_via.then(|| "www.shop.example".to_owned()),
                fault,
                record: None,
                why: None,
                property: "issue".to_owned(),
                allows: Vec::new(),
                should_allow: "letsencrypt.org".to_owned(),
            });
            add_blockers(&mut seen, caa);
            let leads_nowhere = matches!(
                seen.dns.verdict,
                DnsVerdict::NoSuchName | DnsVerdict::NoAddress | DnsVerdict::Broken
            );
            if let Some(fault) = chain.filter(|_| leads_nowhere) {
                let cnames = vec!["other.example".to_owned()];
                seen.dns.chain = Some(Chain { fault, cnames, zone: zone.clone() });
            }
            (seen.dns.zone, seen.dns.synthesized_from) = (zone, synthesized_from);
            seen
        },
    )
}

/// The answers of three resolvers.
fn answers() -> impl Strategy<Value = Vec<Addresses>> {
    let addresses = prop::sample::subsequence(
        vec![RIGHT, "104.16.0.1", "198.185.159.145", "10.0.0.1", "2620:fe::9"],
        0..=3,
    );
    let cnames = prop::sample::subsequence(vec!["other.example".to_owned()], 0..=1);
    let found = (addresses, cnames).prop_map(|(addresses, cnames)| {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Addresses::Found { addresses, cnames, ttl_s: 60 }
    });
    let right =
        Addresses::Found { addresses: vec![RIGHT.parse().unwrap()], cnames: Vec::new(), ttl_s: 60 };
    let one = prop_oneof![
        6 => Just(right),
        4 => found,
        1 => Just(Addresses::NoSuchName { cnames: Vec::new(), ttl_s: Some(60) }),
        1 => prop::sample::select(vec![ServFailCause::Signatures, ServFailCause::Servers])
            .prop_map(|cause| Addresses::Broken { cause, why: None }),
        1 => Just(Addresses::Silent("no answer".to_owned())),
    ];
    // Most often they agree.
    prop_oneof![one.clone().prop_map(|answer| vec![answer; 3]), prop::collection::vec(one, 0..4),]
}

fn ssl(now: Timestamp) -> impl Strategy<Value = SslResult> {
    let verdict = prop_oneof![Just(SslVerdict::Valid), prop::sample::select(SslVerdict::VARIANTS)];
    (verdict, prop::option::of(prop::sample::select(SslVerdict::VARIANTS))).prop_map(
        move |(verdict, other)| {
            let address: IpAddr = RIGHT.parse().unwrap();
            let seen = |verdict| AddressSeen { address, verdict, error: None };
            // The verdict is the worst of them.
            let other = other.filter(|other| !verdict.is_good() || other.is_good());
            let day = jiff::SignedDuration::from_hours(24);
            SslResult {
                verdict,
                address: Some(address),
                certificate: verdict.is_good().then(|| Certificate {
                    issuer: "R11".to_owned(),
                    names: vec!["shop.example".to_owned()],
                    more_names: 0,
                    not_before: now - day,
                    not_after: now + day * 30,
                    key: "ECDSA P-256".to_owned(),
                }),
                error: (!verdict.is_good()).then(|| "so it was".to_owned()),
                addresses: [verdict].into_iter().chain(other).map(seen).collect(),
            }
        },
    )
}
