//! What the answers mean. Pure.

use std::{cmp::Reverse, net::IpAddr};

use hickory_resolver::proto::rr::rdata::CAA;
use ipnet::IpNet;

use super::{
    clean,
    dns::Addresses,
    targets::{Expected, contains, known_host},
};
use crate::{
    domain::DomainName,
    standing::{DnsObservation, DnsVerdict, ResolverAnswer, Stray},
};

/// What one resolver's answer means on its own.
pub(super) fn judge_answer(
    resolver: &str,
    answer: Addresses,
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> ResolverAnswer {
    let mut judged = ResolverAnswer {
        resolver: resolver.to_owned(),
        verdict: DnsVerdict::Unknown,
        addresses: Vec::new(),
        cnames: Vec::new(),
        error: None,
    };
    judged.verdict = match answer {
        Addresses::Silent(reason) => {
            judged.error = Some(reason);
            DnsVerdict::Unknown
        }
        Addresses::Broken { signatures } => {
            judged.error = Some(if signatures {
                "its DNSSEC signatures are wrong".to_owned()
            } else {
                "its name servers do not answer as they should (SERVFAIL)".to_owned()
            });
            DnsVerdict::Broken
        }
        Addresses::NoSuchName { cnames } => {
            let leads_to = cnames.last();
            judged.error = leads_to.map(|name| format!("its CNAME leads to {name}"));
            judged.cnames = cnames;
            DnsVerdict::NoSuchName
        }
        Addresses::Found { addresses, cnames } => {
            let verdict = judge_addresses(&addresses, &cnames, expected, proxies);
            judged.addresses = addresses;
            judged.cnames = cnames;
            verdict
        }
    };
    judged
}

fn judge_addresses(
    addresses: &[IpAddr],
    cnames: &[String],
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> DnsVerdict {
    if addresses.is_empty() {
        return DnsVerdict::NoAddress;
    }
    let Some(expected) = expected else {
        return DnsVerdict::Unknown;
    };
    if cnames.iter().any(|name| expected.has_host(name)) {
        return DnsVerdict::Ok;
    }
    let all_are = |is: &dyn Fn(IpAddr) -> bool| {
        // Where there is an A record it decides; an AAAA beside it is judged on its own.
        let has_v4 = addresses.iter().any(IpAddr::is_ipv4);
        addresses.iter().filter(|address| address.is_ipv4() == has_v4).all(|address| is(*address))
    };
    if all_are(&|address| expected.has_address(address)) {
        DnsVerdict::Ok
    } else if all_are(&|address| expected.has_address(address) || contains(proxies, address)) {
        DnsVerdict::Proxied
    } else if expected.has_perhaps_more() {
        DnsVerdict::Unknown
    } else {
        DnsVerdict::Elsewhere
    }
}

/// What all answers mean together. Resolvers that could not be asked have no say.
pub(super) fn judge_dns(
    answers: Vec<ResolverAnswer>,
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> DnsObservation {
    let said: Vec<&ResolverAnswer> =
        answers.iter().filter(|answer| answer.verdict != DnsVerdict::Unknown).collect();
    let count = |verdict| said.iter().filter(|answer| answer.verdict == verdict).count();
    let of = said.len();
    let good = count(DnsVerdict::Ok);
    let (verdict, seen) = if of == 0 {
        (DnsVerdict::Unknown, 0)
    } else if good == of {
        (DnsVerdict::Ok, good)
    } else if good > 0 {
        (DnsVerdict::Propagating, good)
    } else {
        // What most of them say; of as many, what tells the owner most.
        let verdicts = [
            DnsVerdict::Elsewhere,
            DnsVerdict::Proxied,
            DnsVerdict::NoAddress,
            DnsVerdict::NoSuchName,
            DnsVerdict::Broken,
        ];
        let most = verdicts.into_iter().min_by_key(|verdict| Reverse(count(*verdict)));
        let verdict = most.unwrap_or(DnsVerdict::Unknown);
        (verdict, count(verdict))
    };

    // While it propagates, the place that it still points at is what its owner may have to mend.
    let speaks_of = match verdict {
        DnsVerdict::Propagating => said.iter().find(|answer| answer.verdict != DnsVerdict::Ok),
        verdict => said.iter().find(|answer| answer.verdict == verdict),
    };
    let error = match verdict {
        DnsVerdict::Unknown if answers.iter().any(|answer| answer.error.is_none()) => {
            Some("it is not known where names should point".to_owned())
        }
        DnsVerdict::Unknown => answers
            .iter()
            .find_map(|answer| Some(format!("{}: {}", answer.resolver, answer.error.as_ref()?))),
        _ => speaks_of.and_then(|answer| answer.error.clone()),
    };
    let addresses = speaks_of.map(|answer| answer.addresses.clone()).unwrap_or_default();
    let host = match (verdict, speaks_of) {
        (DnsVerdict::Elsewhere | DnsVerdict::Proxied | DnsVerdict::Propagating, Some(answer)) => {
            known_host(&answer.addresses, &answer.cnames).map(str::to_owned)
        }
        _ => None,
    };
    let aaaa_elsewhere = aaaa_elsewhere(&said, expected, proxies);
    let strays = match verdict {
        DnsVerdict::Elsewhere => strays(&addresses, expected, proxies),
        _ => strays(&aaaa_elsewhere, expected, proxies),
    };
    DnsObservation { verdict, seen, of, addresses, host, aaaa_elsewhere, strays, error, answers }
}

/// Those of the addresses that lead elsewhere, each with whose it is.
fn strays(addresses: &[IpAddr], expected: Option<&Expected>, proxies: &[IpNet]) -> Vec<Stray> {
    let Some(expected) = expected else {
        return Vec::new();
    };
    let is_stray =
        |address: &&IpAddr| !expected.has_address(**address) && !contains(proxies, **address);
    let stray = |address: &IpAddr| Stray {
        address: *address,
        host: known_host(&[*address], &[]).map(str::to_owned),
    };
    addresses.iter().filter(is_stray).map(stray).collect()
}

/// The AAAA records beside a right A record that lead to another place.
fn aaaa_elsewhere(
    said: &[&ResolverAnswer],
    expected: Option<&Expected>,
    proxies: &[IpNet],
) -> Vec<IpAddr> {
    let Some(expected) = expected.filter(|expected| !expected.has_perhaps_more()) else {
        return Vec::new();
    };
    let mut elsewhere: Vec<IpAddr> = said
        .iter()
        .filter(|answer| answer.verdict.is_good())
        .filter(|answer| !answer.cnames.iter().any(|name| expected.has_host(name)))
        .flat_map(|answer| &answer.addresses)
        .filter(|address| address.is_ipv6())
        .filter(|address| !expected.has_address(**address) && !contains(proxies, **address))
        .copied()
        .collect();
    elsewhere.sort_unstable();
    elsewhere.dedup();
    elsewhere
}

/// Whether these CAA records, which are all that count for the name, let one of the authorities
/// issue for it; otherwise whom they allow (RFC 8659, section 4).
pub(super) fn judge_caa(
    records: &[CAA],
    name: &DomainName,
    authorities: &[String],
) -> Result<(), Vec<String>> {
    let property = |tag: &str| -> Vec<String> {
        let of_tag = records.iter().filter(|record| record.tag.eq_ignore_ascii_case(tag));
        of_tag.map(|record| issuer(&record.value)).collect()
    };
    let known =
        ["issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"];
    let unknown_critical = |record: &&CAA| {
        record.issuer_critical && !known.iter().any(|tag| record.tag.eq_ignore_ascii_case(tag))
    };
    if let Some(record) = records.iter().find(unknown_critical) {
        return Err(vec![format!("nobody, for its critical property {:?}", record.tag)]);
    }
    let issue = property("issue");
    let wild = property("issuewild");
    let issuers = if name.is_wildcard() && !wild.is_empty() { wild } else { issue };
    let is_ours =
        |issuer: &String| authorities.iter().any(|ours| ours.eq_ignore_ascii_case(issuer));
    if issuers.is_empty() || issuers.iter().any(is_ours) {
        return Ok(());
    }
    Err(issuers.into_iter().filter(|issuer| !issuer.is_empty()).collect())
}

/// The issuer's domain name in a property's value: what stands before its parameters.
fn issuer(value: &[u8]) -> String {
    let text = clean(&String::from_utf8_lossy(value));
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
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
        Addresses::Found { addresses, cnames: Vec::new() }
    }

    fn judge(answers: Vec<Addresses>) -> DnsObservation {
        let (expected, proxies) = (expected(), ["192.0.2.0/24".parse().unwrap()]);
        let answers = answers.into_iter().enumerate();
        let answers = answers
            .map(|(n, answer)| judge_answer(&n.to_string(), answer, Some(&expected), &proxies));
        judge_dns(answers.collect(), Some(&expected), &proxies)
    }

    #[test]
    fn an_aaaa_elsewhere_does_not_make_a_right_a_record_wrong() {
        let seen = judge(vec![found(&["203.0.113.1", "2001:db8::2"])]);
        assert_eq!(seen.verdict, DnsVerdict::Ok);
        assert_eq!(seen.aaaa_elsewhere, ["2001:db8::2".parse::<IpAddr>().unwrap()]);
        assert!(judge(vec![found(&["203.0.113.1", "2001:db8::1"])]).aaaa_elsewhere.is_empty());
        assert_eq!(judge(vec![found(&["2001:db8::2"])]).verdict, DnsVerdict::Elsewhere);
        assert_eq!(judge(vec![found(&["2001:db8::1"])]).verdict, DnsVerdict::Ok);
        // What the expected host has itself is right, whatever it is.
        let (addresses, cnames) =
            (vec!["2001:db8::2".parse().unwrap()], vec!["edge.example".to_owned()]);
        let seen = judge(vec![Addresses::Found { addresses, cnames }]);
        assert_eq!((seen.verdict, seen.aaaa_elsewhere.len()), (DnsVerdict::Ok, 0));
    }

    #[test]
    fn every_address_that_leads_elsewhere_is_named_with_whose_it_is() {
        let named = |seen: DnsObservation| -> Vec<String> {
            let name =
                |one: &Stray| format!("{} {}", one.address, one.host.as_deref().unwrap_or("?"));
            seen.strays.iter().map(name).collect()
        };
        let beside = judge(vec![found(&["198.51.100.7", "198.185.159.145", "203.0.113.1"])]);
        assert_eq!(beside.verdict, DnsVerdict::Elsewhere);
        assert_eq!(named(beside), ["198.51.100.7 ?", "198.185.159.145 Squarespace"]);
        let both = judge(vec![found(&["198.51.100.7", "2001:db8::2"])]);
        assert_eq!(named(both), ["198.51.100.7 ?", "2001:db8::2 ?"]);
        let six = judge(vec![found(&["203.0.113.1", "2001:db8::2", "2001:db8::1"])]);
        assert_eq!((six.verdict, named(six)), (DnsVerdict::Ok, vec!["2001:db8::2 ?".to_owned()]));
        // A proxy and the server behind it both lead to the site.
        let proxied = judge(vec![found(&["192.0.2.1", "203.0.113.1"])]);
        assert_eq!((proxied.verdict, proxied.strays.len()), (DnsVerdict::Proxied, 0));
    }

    #[test]
    fn most_resolvers_decide_when_none_sees_it_right() {
        let seen = judge(vec![
            found(&["198.51.100.7"]),
            Addresses::NoSuchName { cnames: Vec::new() },
            found(&["198.51.100.7"]),
            Addresses::Silent("no answer".to_owned()),
        ]);
        assert_eq!((seen.verdict, seen.seen, seen.of), (DnsVerdict::Elsewhere, 2, 3));
        let seen = judge(vec![
            found(&["192.0.2.1"]),
            Addresses::Broken { signatures: true },
            found(&["192.0.2.2"]),
        ]);
        assert_eq!((seen.verdict, seen.seen, seen.of), (DnsVerdict::Proxied, 2, 3));
    }

    #[test]
    fn without_a_target_only_what_needs_none_is_said() {
        let judge =
            |answer| judge_dns(vec![judge_answer("r", answer, None, &[])], None, &[]).verdict;
        assert_eq!(judge(found(&["203.0.113.1"])), DnsVerdict::Unknown);
        assert_eq!(judge(Addresses::NoSuchName { cnames: Vec::new() }), DnsVerdict::NoSuchName);
    }

    #[test]
    fn where_a_place_could_not_be_found_out_only_what_is_right_is_said() {
        let target = "203.0.113.1".parse().unwrap();
        let expected = Expected::new([&target], []).and_perhaps_more();
        let judge = |addresses: &[&str]| {
            let answer = judge_answer("r", found(addresses), Some(&expected), &[]);
            judge_dns(vec![answer], Some(&expected), &[])
        };
        let right = judge(&["203.0.113.1", "2001:db8::9"]);
        assert_eq!((right.verdict, right.aaaa_elsewhere.len()), (DnsVerdict::Ok, 0));
        let other = judge(&["198.51.100.7"]);
        assert_eq!(other.verdict, DnsVerdict::Unknown);
        assert_eq!(other.error.as_deref(), Some("it is not known where names should point"));
    }

    fn caa(tag: &str, value: &str, issuer_critical: bool) -> CAA {
        let mut record = CAA::new_issue(issuer_critical, None, Vec::new());
        record.tag = tag.to_owned();
        record.value = value.as_bytes().to_vec();
        record
    }

    #[test]
    fn caa_is_read_as_rfc_8659_says() {
        let permits = |name: &str, records: &[CAA]| {
            let authorities = ["letsencrypt.org".to_owned()];
            judge_caa(records, &name.parse().unwrap(), &authorities).is_ok()
        };
        let (ours, theirs) =
            (caa("issue", "letsencrypt.org", false), caa("issue", "x.example", false));
        let wild = |issuer| caa("issuewild", issuer, false);
        for (name, records, is_permitted) in [
            ("a.example", vec![ours.clone()], true),
            ("a.example", vec![theirs.clone()], false),
            ("a.example", vec![theirs.clone(), ours.clone()], true),
            ("a.example", vec![caa("ISSUE", "LetsEncrypt.org; x=1", true)], true),
            ("a.example", vec![caa("issue", ";", false)], false),
            ("a.example", vec![caa("issue", "", false)], false),
            ("a.example", vec![wild("x.example")], true),
            ("*.a.example", vec![wild("x.example")], false),
            ("*.a.example", vec![ours.clone(), wild(";")], false),
            ("*.a.example", vec![theirs.clone(), wild("letsencrypt.org")], true),
            ("*.a.example", vec![theirs], false),
            ("a.example", vec![caa("iodef", "mailto:a@a.example", false)], true),
            ("a.example", vec![ours.clone(), caa("future", "?", false)], true),
            ("a.example", vec![ours, caa("future", "?", true)], false),
        ] {
            assert_eq!(permits(name, &records), is_permitted, "{name} {records:?}");
        }
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
            Just(Addresses::NoSuchName { cnames: Vec::new() }),
            any::<bool>().prop_map(|signatures| Addresses::Broken { signatures }),
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
}
