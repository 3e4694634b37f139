mod advice;

use proptest::prelude::*;
use strum::VariantArray as _;

use super::*;
use crate::{
    language::Language,
    ledger::{Attempt, Progress},
    status::{
        AddressSeen, Caa, CaaFault, CaaWhy, DnsHistory, DnsResult, ResolverAnswer, SslResult,
        Stage, Stray,
    },
};

fn result(dns: DnsVerdict, ssl: SslVerdict, blockers: &[Blocker]) -> CheckResult {
    let certificate = Certificate {
        issuer: "Let's Encrypt R11".to_owned(),
        names: vec!["shop.example".to_owned()],
        more_names: 0,
        not_before: at(-60),
        not_after: at(86_400 * 30),
        key: "ECDSA P-256".to_owned(),
    };
    let leads_nowhere =
        matches!(dns, DnsVerdict::NoSuchName | DnsVerdict::NoAddress | DnsVerdict::Broken);
    let addresses = if leads_nowhere { vec![] } else { vec!["198.51.100.7".parse().unwrap()] };
    CheckResult {
        dns: DnsResult {
            verdict: dns,
            seen: 3,
            of: 4,
            addresses,
            host: None,
            aaaa_elsewhere: Vec::new(),
            strays: Vec::new(),
            broken_by: None,
            chain: None,
            synthesized_from: None,
            zone: None,
            error: None,
            answers: Vec::new(),
            name_servers: Vec::new(),
            history: DnsHistory::default(),
        },
        ssl: SslResult {
            verdict: ssl,
            address: None,
            certificate: ssl.is_good().then_some(certificate),
            error: None,
            addresses: Vec::new(),
        },
        site: None,
        http: None,
        blockers: blockers.to_vec(),
        caa: None,
        caa_unknown: false,
        expected: vec!["203.0.113.10".parse().unwrap()],
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn check(previous: Option<&DomainStatus>, seen: CheckResult, now: Timestamp) -> Transition {
    let name = "shop.example".parse().unwrap();
    let facts = LedgerInfo {
        blog_id: Some(2),
        added_at: Some(at(0)),
        at_closte_since: Some(at(5)),
        ..LedgerInfo::default()
    };
    let attention_after = Duration::from_secs(86_400);
    transition(&name, previous, seen, &facts, None, attention_after, now)
}

fn names(transition: &Transition) -> Vec<&'static str> {
    transition.events.iter().map(Event::name).collect()
}

#[test]
fn times_in_the_future_become_now() {
    let broken = || result(DnsVerdict::Elsewhere, SslVerdict::WrongName, &[]);
    let year = 365 * 86_400;
    let ahead = check(None, broken(), at(year)).status;
    let ahead = check(Some(&ahead), broken(), at(year + 86_400)).status;
    assert!(ahead.alerted_at.is_some());
    let now = check(Some(&ahead), broken(), at(0)).status;
    let times = [Some(now.since), Some(now.dns_since), Some(now.ssl_since), now.alerted_at];
    assert_eq!(times, [Some(at(0)); 4]);
    let transition = check(Some(&now), broken(), at(86_400));
    assert_eq!(names(&transition), ["domain.needs_attention"]);
}

#[test]
fn good_checks_in_a_row_are_counted_and_each_confirmed_end_of_them() {
    use DnsVerdict::{Elsewhere, Ok, Unknown};
    let mut status = None;
    for (second, (dns, ssl, checks, times_broken)) in (60..).step_by(60).zip([
        (Elsewhere, SslVerdict::WrongName, 0, 0),
        (Ok, SslVerdict::WrongName, 0, 0),
        (Ok, SslVerdict::Valid, 1, 0),
        (Ok, SslVerdict::Expiring, 2, 0),
        // An unknown result confirms nothing, and ends nothing.
        (Unknown, SslVerdict::Unknown, 0, 0),
        (Ok, SslVerdict::Unknown, 0, 0),
        (Ok, SslVerdict::Valid, 1, 0),
        (Ok, SslVerdict::Valid, 2, 0),
        // A second check confirms that it has stopped.
        (Elsewhere, SslVerdict::WrongName, 0, 0),
        (Ok, SslVerdict::Valid, 1, 0),
        (Elsewhere, SslVerdict::WrongName, 0, 0),
        (Elsewhere, SslVerdict::WrongName, 0, 1),
        (Elsewhere, SslVerdict::WrongName, 0, 1),
        (Ok, SslVerdict::Valid, 1, 1),
        (Ok, SslVerdict::Valid, 2, 1),
    ]) {
        let next = check(status.as_ref(), result(dns, ssl, &[]), at(second)).status;
        assert_eq!(next.good, GoodRun { checks, times_broken }, "{second}: {dns} {ssl}");
        status = Some(next);
    }
}

#[test]
fn each_stage_until_it_works_is_an_event_with_its_duration() {
    let first = check(None, result(DnsVerdict::Elsewhere, SslVerdict::WrongName, &[]), at(10));
    let Event::DnsPending { advice, .. } = &first.events[0] else { panic!("{first:?}") };
    assert_eq!(
        advice,
        "Point the A record of shop.example at 203.0.113.10: it is at 198.51.100.7 \
         (3 of 4 resolvers)"
    );
    assert_eq!(first.events.len(), 1, "{first:?}");
    let right = result(DnsVerdict::Ok, SslVerdict::WrongName, &[]);
    let second = check(Some(&first.status), right, at(310));
    assert!(matches!(&second.events[..], [Event::DnsRight { took_s: Some(300), .. }]));
    assert_eq!(second.status.lacks_certificate_since, Some(at(310)));
    let green = result(DnsVerdict::Ok, SslVerdict::Valid, &[]);
    let third = check(Some(&second.status), green, at(432));
    assert!(
        matches!(&third.events[..], [Event::CertificateValid { after_added_s: Some(432), .. }]),
        "{third:?}"
    );
    assert_eq!((third.status.since, third.status.lacks_certificate_since), (at(432), None));
}

#[test]
fn only_healthy_names_are_checked_quickly() {
    let of = |dns, ssl, blockers: &[Blocker]| {
        depth(Some(&check(None, result(dns, ssl, blockers), at(0)).status))
    };
    assert_eq!(of(DnsVerdict::Ok, SslVerdict::Valid, &[]), Depth::Quick);
    assert_eq!(of(DnsVerdict::Elsewhere, SslVerdict::Valid, &[]), Depth::Full);
    assert_eq!(of(DnsVerdict::Ok, SslVerdict::Expiring, &[]), Depth::Full);
    assert_eq!(of(DnsVerdict::Ok, SslVerdict::Valid, &[Blocker::CaaForbids]), Depth::Full);
    let works = check(None, result(DnsVerdict::Ok, SslVerdict::Valid, &[]), at(0)).status;
    let suspect = result(DnsVerdict::Elsewhere, SslVerdict::Valid, &[]);
    let suspect = check(Some(&works), suspect, at(10));
    assert!(suspect.status.suspect_since.is_some() && depth(Some(&suspect.status)) == Depth::Full);
    assert_eq!(depth(None), Depth::Full);
}

#[test]
fn alternating_verdicts_are_an_event_although_each_needs_a_second_check() {
    let mut status = None;
    let mut events = Vec::new();
    for (number, dns) in [DnsVerdict::Elsewhere, DnsVerdict::Ok].repeat(3).into_iter().enumerate() {
        let transition =
            check(status.as_ref(), result(dns, SslVerdict::Valid, &[]), at(number as i64));
        events.push(names(&transition));
        status = Some(transition.status);
    }
    assert_eq!(events[4], ["dns.unsteady"]);
    assert!(events[2].is_empty() && events[5].is_empty(), "{events:?}");
}

#[test]
fn a_name_that_broke_has_an_event_and_an_alert_a_day() {
    let works = || result(DnsVerdict::Ok, SslVerdict::Valid, &[]);
    let first = check(None, works(), at(0)).status;
    let twice = |broken: &dyn Fn() -> CheckResult| {
        let suspect = check(Some(&first), broken(), at(10)).status;
        check(Some(&suspect), broken(), at(20))
    };
    let expired = || result(DnsVerdict::Ok, SslVerdict::Expired, &[]);
    assert_eq!(names(&twice(&expired)), ["certificate.broke"]);
    let away = || result(DnsVerdict::Elsewhere, SslVerdict::Unknown, &[]);
    let broke = twice(&away);
    assert_eq!(names(&broke), ["dns.broke"]);
    let late = check(Some(&broke.status), away(), at(20 + 86_400));
    assert_eq!(names(&late), ["domain.needs_attention"]);
    let soon = check(Some(&late.status), away(), at(20 + 86_400 + 86_399));
    assert_eq!(names(&soon), [""; 0]);
    let again = check(Some(&soon.status), away(), at(20 + 2 * 86_400));
    assert_eq!(names(&again), ["domain.needs_attention"]);
    // Once it works, the times start anew.
    let well = check(Some(&again.status), works(), at(200_000)).status;
    assert_eq!((well.alerted_at, well.since), (None, at(200_000)));
    // Not while the verdicts alternate.
    let mut unsteady = again.status;
    unsteady.latest.dns.history.unsteady_since = Some(at(20));
    let since = unsteady.since;
    let unsteady = check(Some(&unsteady), works(), at(200_000)).status;
    assert!(unsteady.alerted_at.is_some() && unsteady.since == since);
}

#[test]
fn unknown_results_do_not_count() {
    let blind = result(DnsVerdict::Unknown, SslVerdict::Unknown, &[]);
    let first = check(None, blind, at(0));
    assert_eq!(names(&first), [""; 0]);
    let away = result(DnsVerdict::Elsewhere, SslVerdict::Unknown, &[]);
    assert_eq!(check(Some(&first.status), away, at(90_000)).status.since, at(90_000));
    // Without an address, no certificate is kept.
    let expired =
        check(None, result(DnsVerdict::Elsewhere, SslVerdict::Expired, &[]), at(0)).status;
    for (dns, remembered) in [
        (DnsVerdict::NoSuchName, SslVerdict::Unknown),
        (DnsVerdict::Elsewhere, SslVerdict::Expired),
    ] {
        let later = check(Some(&expired), result(dns, SslVerdict::Unknown, &[]), at(10)).status;
        assert_eq!(later.latest.ssl.verdict, remembered, "{dns}");
    }
}

#[test]
fn faults_of_another_server_have_no_event() {
    let blocked = result(DnsVerdict::Elsewhere, SslVerdict::Unknown, &[Blocker::AaaaElsewhere]);
    assert_eq!(names(&check(None, blocked, at(0))), ["dns.pending"]);
    let mut ending = result(DnsVerdict::Elsewhere, SslVerdict::Expiring, &[]);
    ending.ssl.certificate.as_mut().unwrap().not_after = at(600);
    let events = names(&check(None, ending.clone(), at(0)));
    assert!(!events.contains(&"certificate.last_day"), "{events:?}");
    // A certificate can be valid for one day only.
    (ending.dns.verdict, ending.ssl.verdict) = (DnsVerdict::Ok, SslVerdict::Valid);
    assert_eq!(names(&check(None, ending, at(0))), ["dns.right", "certificate.valid"]);
}

#[test]
fn the_time_of_a_missing_certificate_is_kept() {
    let right = || result(DnsVerdict::Ok, SslVerdict::WrongName, &[]);
    let first = check(None, right(), at(310));
    let [Event::DnsRight { took_s: Some(took_s), .. }, ..] = &first.events[..] else {
        panic!("{first:?}")
    };
    assert_eq!(*took_s, 310);
    let second = check(Some(&first.status), right(), at(400)).status;
    assert_eq!(second.lacks_certificate_since, Some(at(310)));
}

#[test]
fn a_name_that_was_at_closte_and_works_has_no_event() {
    let name = "shop.example".parse().unwrap();
    let attention_after = Duration::from_secs(86_400);
    let events = |at_closte: i64, ssl| {
        let facts = LedgerInfo {
            added_at: Some(at(0)),
            at_closte_since: Some(at(at_closte)),
            ..LedgerInfo::default()
        };
        let seen = result(DnsVerdict::Ok, ssl, &[]);
        names(&transition(&name, None, seen, &facts, None, attention_after, at(10)))
    };
    assert_eq!(events(0, SslVerdict::Valid), [""; 0]);
    assert_eq!(events(5, SslVerdict::Valid), ["dns.right", "certificate.valid"]);
    assert_eq!(events(0, SslVerdict::Expiring), ["dns.right", "certificate.expiring"]);
    assert_eq!(events(0, SslVerdict::Expired), ["dns.right", "certificate.pending"]);
}

#[test]
fn the_last_day_of_a_certificate_is_one_error() {
    let ending = |until: i64| {
        let mut seen = result(DnsVerdict::Ok, SslVerdict::Expiring, &[]);
        let certificate = seen.ssl.certificate.as_mut().unwrap();
        certificate.not_after = at(until);
        seen
    };
    let ends = 3 * 86_400;
    let first = check(None, ending(ends), at(0));
    assert_eq!(names(&first), ["dns.right", "certificate.expiring"]);
    let second = check(Some(&first.status), ending(ends), at(86_400));
    assert_eq!(names(&second), [""; 0]);
    let second = check(Some(&second.status), ending(ends), at(ends - 90_000));
    assert_eq!(names(&second), [""; 0]);
    let third = check(Some(&second.status), ending(ends), at(ends - 82_800));
    let [event @ Event::CertificateLastDay { ends_in_s, advice, .. }] = &third.events[..] else {
        panic!("{third:?}")
    };
    assert_eq!((event.level(), *ends_in_s), (tracing::Level::ERROR, 82_800));
    assert!(advice.starts_with("The certificate of shop.example expires in 23h"), "{advice}");
    let fourth = check(Some(&third.status), ending(ends), at(ends - 60));
    assert_eq!(names(&fourth), [""; 0]);
    // It is renewed for an hour.
    let fifth = check(Some(&fourth.status), ending(ends + 3_600), at(ends - 30));
    assert_eq!(names(&fifth), ["certificate.last_day"]);
    assert_eq!(names(&check(None, ending(600), at(0))), ["dns.right", "certificate.last_day"]);
    // Alternating DNS verdicts do not suppress the event.
    let mut unsteady = second.status;
    unsteady.latest.dns.history.unsteady_since = Some(at(86_400));
    unsteady.latest.dns.history.verdicts = vec![DnsVerdict::Elsewhere; 3];
    let sixth = check(Some(&unsteady), ending(ends), at(ends - 82_800));
    assert_eq!(names(&sixth), ["certificate.last_day"]);
}

#[test]
fn old_tls_has_no_event_and_only_fixable_faults_need_a_certificate() {
    let of = |ssl| result(DnsVerdict::Ok, ssl, &[]);
    let first = check(None, of(SslVerdict::OldTls), at(10));
    assert_eq!(names(&first), ["dns.right", "certificate.valid"]);
    let second = check(Some(&first.status), of(SslVerdict::Valid), at(310));
    assert_eq!(names(&second), [""; 0]);
    assert_eq!(names(&check(Some(&second.status), of(SslVerdict::OldTls), at(610))), [""; 0]);

    for ssl in SslVerdict::VARIANTS {
        let lacks = check(None, of(*ssl), at(10)).status.lacks_certificate_since.is_some();
        let another_helps = !ssl.is_good()
            && ![
                SslVerdict::NotYetValid,
                SslVerdict::ClientCertificate,
                SslVerdict::Refused,
                SslVerdict::TimedOut,
                SslVerdict::Unknown,
            ]
            .contains(ssl);
        assert_eq!(lacks, another_helps, "{ssl}");
    }
    // Another address has the certificate.
    let mut mixed = of(SslVerdict::WrongName);
    let address =
        |verdict| AddressSeen { address: "203.0.113.10".parse().unwrap(), verdict, error: None };
    mixed.ssl.addresses = vec![address(SslVerdict::WrongName), address(SslVerdict::Valid)];
    assert_eq!(check(None, mixed, at(10)).status.lacks_certificate_since, None);
}

#[test]
fn an_unknown_certificate_is_no_alert() {
    let blind = || result(DnsVerdict::Ok, SslVerdict::Unknown, &[]);
    let first = check(None, blind(), at(0));
    let much_later = check(Some(&first.status), blind(), at(200_000));
    assert_eq!(names(&much_later), [""; 0]);
    let attention_after = Duration::from_secs(86_400);
    assert_eq!(stage(&much_later.status, attention_after, at(200_000)), Stage::CheckingSslCert);
}

#[test]
fn the_certificate_of_another_server_is_not_kept() {
    let away = result(DnsVerdict::Elsewhere, SslVerdict::Valid, &[]);
    let first = check(None, away, at(0));
    let blind = result(DnsVerdict::Ok, SslVerdict::Unknown, &[]);
    let second = check(Some(&first.status), blind.clone(), at(300)).status;
    assert_eq!((second.latest.ssl.verdict, second.latest.works()), (SslVerdict::Unknown, false));
    // That of the same server is kept.
    let right = check(None, result(DnsVerdict::Ok, SslVerdict::Valid, &[]), at(0));
    assert!(check(Some(&right.status), blind, at(300)).status.latest.works());
}

#[test]
fn caa_records_are_kept_while_the_lookup_fails() {
    let mut forbidden = result(DnsVerdict::Ok, SslVerdict::WrongName, &[Blocker::CaaForbids]);
    forbidden.caa = Some(Caa {
        at: "shop.example".to_owned(),
        via: None,
        fault: CaaFault::NotAllowed,
        record: None,
        why: None,
        property: "issue".to_owned(),
        allows: Vec::new(),
        should_allow: "letsencrypt.org".to_owned(),
    });
    let first = check(None, forbidden.clone(), at(0)).status;
    let mut blind = result(DnsVerdict::Ok, SslVerdict::WrongName, &[]);
    blind.caa_unknown = true;
    let second = check(Some(&first), blind.clone(), at(300));
    let kept = &second.status.latest;
    assert_eq!((&kept.caa, &kept.blockers), (&forbidden.caa, &forbidden.blockers));
    assert_eq!(names(&check(Some(&second.status), forbidden.clone(), at(600))), [""; 0]);
    // While the DNS was wrong, they were not looked up.
    let elsewhere = check(None, result(DnsVerdict::Elsewhere, SslVerdict::Unknown, &[]), at(0));
    assert_eq!(check(Some(&elsewhere.status), blind, at(300)).status.latest.blockers, []);
    let allowed = result(DnsVerdict::Ok, SslVerdict::WrongName, &[]);
    assert_eq!(check(Some(&first), allowed, at(300)).status.latest.blockers, []);
}

#[test]
fn after_a_day_of_waiting_for_closte_there_is_advice() {
    let right = || result(DnsVerdict::Ok, SslVerdict::WrongName, &[]);
    let name = "shop.example".parse().unwrap();
    let transition = |progress: Progress| {
        let facts = LedgerInfo { added_at: Some(at(0)), progress, ..LedgerInfo::default() };
        let attention_after = Duration::from_secs(86_400);
        let check = |previous, second| {
            transition(&name, previous, right(), &facts, None, attention_after, at(second))
        };
        let first = check(None, 0).status;
        let last = check(Some(&first), 90_000);
        let Some(Event::NeedsAttention { advice, stage, .. }) = last.events.last() else {
            panic!("{last:?}")
        };
        assert_eq!(*stage, Stage::SslFailed);
        advice.clone()
    };
    let idle = transition(Progress::Idle);
    assert!(idle.ends_with("see what `closte-sync apply shop.example` says"), "{idle}");
    let taken = transition(Progress::Accepted(Attempt { count: 9, next: at(100_000) }));
    assert!(taken.ends_with("ask Closte's support"), "{taken}");
}

#[test]
fn advice_to_wait_is_no_alert() {
    let attention_after = Duration::from_secs(86_400);
    let first = check(None, result(DnsVerdict::Elsewhere, SslVerdict::Valid, &[]), at(0));
    let spreads = || result(DnsVerdict::Propagating, SslVerdict::Valid, &[]);
    let second = check(Some(&first.status), spreads(), at(90_000));
    assert_eq!(names(&second), ["dns.pending"]);
    assert_eq!(stage(&second.status, attention_after, at(90_000)), Stage::CheckingDns);
    // Its DNS was wrong for a long time; its certificate is missing since a moment ago.
    let right = result(DnsVerdict::Ok, SslVerdict::WrongName, &[]);
    let third = check(Some(&second.status), right, at(90_060));
    assert_eq!(names(&third), ["dns.right", "certificate.pending"]);
    assert_eq!(stage(&third.status, attention_after, at(90_060)), Stage::CheckingSslCert);
}

#[test]
fn results_of_older_versions_are_read() {
    let written = r#"{"dns":{"verdict":"ok","seen":1,"of":1,"answers":[]},"ssl":{"verdict":"valid",
        "address":"203.0.113.10","certificate":{"issuer":"R11","names":["shop.example"],
        "not_before":"2026-01-01T00:00:00Z","not_after":"2026-03-01T00:00:00Z","key":"RSA 2048"}},
        "blockers":[],"expected":["203.0.113.10"]}"#;
    let read: CheckResult = serde_json::from_str(written).unwrap();
    assert!(read.works() && read.ssl.addresses.is_empty() && read.dns.strays.is_empty());
    let caa = r#"{"at":"shop.example","allows":["x.example"],"should_allow":"letsencrypt.org"}"#;
    let caa: Caa = serde_json::from_str(caa).unwrap();
    assert_eq!((caa.fault, caa.via), (CaaFault::NotAllowed, None));
}

#[test]
fn a_blocker_is_one_event_and_stops_certificate_requests() {
    let blocked = || result(DnsVerdict::Ok, SslVerdict::WrongName, &[Blocker::CaaForbids]);
    let first = check(None, blocked(), at(10));
    assert_eq!(names(&first), ["dns.right", "certificate.blocked"]);
    assert_eq!(first.status.lacks_certificate_since, None);
    assert_eq!(names(&check(Some(&first.status), blocked(), at(20))), [""; 0]);
}

fn check_results() -> impl Strategy<Value = CheckResult> {
    let blockers = prop::sample::subsequence(Blocker::VARIANTS.to_vec(), 0..=2);
    let dns = prop::sample::select(DnsVerdict::VARIANTS);
    let ssl = prop::sample::select(SslVerdict::VARIANTS);
    (dns, ssl, blockers).prop_map(|(dns, ssl, blockers)| result(dns, ssl, &blockers))
}

proptest! {
    #[test]
    fn unknown_changes_no_verdict_and_has_no_event(
        checks in prop::collection::vec(check_results(), 1..6), ssl in prop::sample::select(SslVerdict::VARIANTS)
    ) {
        let mut status: Option<DomainStatus> = None;
        for (number, seen) in checks.into_iter().enumerate() {
            status = Some(check(status.as_ref(), seen, at(number as i64 * 400)).status);
        }
        let before = status.unwrap();
        let blind = check(Some(&before), result(DnsVerdict::Unknown, ssl, &[]), at(1_000_000));
        prop_assert_eq!(&blind.status.latest, &before.latest);
        prop_assert_eq!(blind.events, []);
        prop_assert_eq!(blind.status.since, before.since);
    }

    #[test]
    fn a_name_that_works_never_stops_by_one_check(seen_now in check_results()) {
        let first = check(None, result(DnsVerdict::Ok, SslVerdict::Valid, &[]), at(0));
        let second = check(Some(&first.status), seen_now.clone(), at(300));
        prop_assert!(second.status.latest.works());
        let third = check(Some(&second.status), seen_now, at(330));
        prop_assert!(third.status.suspect_since.is_none());
        prop_assert_eq!(third.status.since == at(0), third.status.latest.works());
    }
}

#[test]
fn a_closed_port_80_is_advice_and_no_alarm() {
    let with = |http: Option<HttpVerdict>| {
        let of = |verdict| HttpResult {
            verdict,
            checked_at: at(0),
            address: "203.0.113.10".parse().unwrap(),
            port: 80,
            error: None,
            timed_out: false,
        };
        let works = result(DnsVerdict::Ok, SslVerdict::Valid, &[]);
        CheckResult { http: http.map(of), ..works }
    };
    let verdict = |transition: &Transition| transition.status.latest.http.as_ref().unwrap().verdict;
    let owner = |transition: &Transition| {
        let name = "shop.example".parse().unwrap();
        advise(&name, &transition.status, &LedgerInfo::default(), None, at(0)).owner
    };
    let open = check(None, with(Some(HttpVerdict::Open)), at(0));
    assert_eq!(owner(&open), "shop.example works");
    let refused = check(Some(&open.status), with(Some(HttpVerdict::Refused)), at(300));
    assert!(refused.status.latest.works() && refused.events.is_empty(), "{refused:?}");
    assert_eq!(
        owner(&refused),
        "shop.example works, but port 80 of 203.0.113.10 refuses connections, and HTTP-01 and visitors \
         without https need it: have the web server listen there"
    );
    let not_looked = check(Some(&refused.status), with(None), at(600));
    assert_eq!(verdict(&not_looked), HttpVerdict::Refused, "what was seen stays");

    // One time-out may be this side's.
    let once = check(Some(&open.status), with(Some(HttpVerdict::TimedOut)), at(300));
    assert_eq!(verdict(&once), HttpVerdict::Unknown);
    assert_eq!(owner(&once), "shop.example works");
    let twice = check(Some(&once.status), with(Some(HttpVerdict::TimedOut)), at(600));
    assert_eq!(verdict(&twice), HttpVerdict::TimedOut);
    assert!(owner(&twice).contains("does not answer"), "{}", owner(&twice));

    // With another server it is another one's port.
    let mut gone = with(None);
    gone.dns.verdict = DnsVerdict::Elsewhere;
    let first = check(Some(&refused.status), gone.clone(), at(600));
    let gone = check(Some(&first.status), gone, at(900));
    assert_eq!(gone.status.latest.http, None);
}
