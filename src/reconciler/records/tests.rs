use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::names::NameList;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn missing(seconds: i64, reads: u32) -> MissingRecord {
    MissingRecord { state: String::new(), since: ago(seconds), reads }
}

fn it(missing: &MissingRecord) -> Circumstances<'_> {
    Circumstances {
        is_excluded: false,
        is_asked_for: false,
        is_switched_on: true,
        written: None,
        missing: Some(missing),
        grace: Duration::from_secs(120),
        now: now(),
    }
}

#[test]
fn a_record_is_written_when_it_has_been_missing_for_long_enough_and_nothing_forbids_it() {
    let before = Written { at: ago(900), is_sure: true };
    let written = Some(before);
    let not_yet = |seconds, reads| RecordDecision::NotYet {
        until: now() + SignedDuration::from_secs(seconds),
        reads,
    };
    let (long, short, blink) = (missing(120, 3), missing(119, 3), missing(999, 2));
    let never = RecordDecision::Never(NoRecord::SharedDomain);
    for (number, (record, it, decision)) in [
        (Ok(()), it(&long), RecordDecision::Write),
        (Ok(()), it(&short), not_yet(1, 0)),
        (Ok(()), it(&blink), not_yet(-879, 1)),
        (
            Ok(()),
            Circumstances { grace: Duration::ZERO, ..it(&missing(0, 3)) },
            RecordDecision::Write,
        ),
        (Ok(()), Circumstances { grace: Duration::ZERO, ..it(&missing(0, 1)) }, not_yet(0, 2)),
        (Ok(()), Circumstances { missing: None, ..it(&long) }, not_yet(120, 2)),
        (Ok(()), Circumstances { written, ..it(&long) }, RecordDecision::TakenBack(before)),
        (Ok(()), Circumstances { is_switched_on: false, ..it(&long) }, RecordDecision::SwitchedOff),
        (Ok(()), Circumstances { is_excluded: true, ..it(&long) }, RecordDecision::Excluded),
        (Err(NoRecord::SharedDomain), it(&long), never),
        // By name: now, again, and though it is switched off, but never against the plugin's rule.
        (Ok(()), Circumstances { is_asked_for: true, ..it(&blink) }, RecordDecision::Write),
        (Ok(()), Circumstances { is_asked_for: true, written, ..it(&long) }, RecordDecision::Write),
        (
            Ok(()),
            Circumstances { is_asked_for: true, is_switched_on: false, ..it(&long) },
            RecordDecision::Write,
        ),
        (
            Ok(()),
            Circumstances { is_asked_for: true, is_excluded: true, ..it(&long) },
            RecordDecision::Excluded,
        ),
        (Err(NoRecord::SharedDomain), Circumstances { is_asked_for: true, ..it(&long) }, never),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(decide(record, it), decision, "case {number}");
    }
}

fn network(path: &str, record: Result<(), NoRecord>) -> Network {
    let domain = "alpha.network.example".parse().unwrap();
    Network {
        id: 1,
        domain: "network.example".to_owned(),
        path: path.to_owned(),
        network_domains: Vec::new(),
        mapped: NameList::new(),
        sites_without_record: vec![Site { blog_id: 2, domain, path: "/".to_owned(), record }],
        on_own_domain: 0,
        other_sites: NameList::new(),
        invalid: Vec::new(),
        rows: 0,
        plugin: Ok(Default::default()),
        closte_integration: Ok(None),
        base_domains: Ok(()),
        tls_failed: None,
    }
}

#[test]
fn reads_count_while_the_site_and_its_network_do_not_change() {
    let here = network("/", Ok(()));
    let first = one_more_read(&here, &HashMap::new(), ago(60));
    let second = one_more_read(&here, &first, ago(30));
    assert_eq!((second[&2].since, second[&2].reads), (ago(60), 2));
    let third = one_more_read(&here, &second, ago(10));
    assert_eq!(one_more_read(&here, &third, now()), third, "no more than is needed is counted");
    let moved = one_more_read(&network("/wp/", Ok(())), &third, now());
    assert_eq!((moved[&2].since, moved[&2].reads), (now(), 1));
    let in_doubt = network("/", Err(NoRecord::MainSiteUnknown));
    assert_eq!(one_more_read(&in_doubt, &third, now()), HashMap::new());
    let set_back = one_more_read(&here, &third, ago(9_000));
    assert_eq!(set_back[&2].since, ago(9_000));
}

proptest! {
    #[test]
    fn only_the_operator_hastens_a_record(
        record in prop::sample::select(vec![Ok(()), Err(NoRecord::Gone), Err(NoRecord::OtherPath), Err(NoRecord::BaseDomainsUnknown)]),
        (is_excluded, is_asked_for, is_switched_on) in any::<(bool, bool, bool)>(),
        taken_back in any::<bool>(),
        grace in 0u64..300,
        waits in prop::option::of((0i64..400, 0u32..6)),
    ) {
        let missing = waits.map(|(seconds, reads)| missing(seconds, reads));
        let it = Circumstances {
            is_excluded,
            is_asked_for,
            is_switched_on,
            written: taken_back.then_some(Written { at: ago(1), is_sure: false }),
            missing: missing.as_ref(),
            grace: Duration::from_secs(grace),
            now: now(),
        };
        let waited = waits.is_some_and(|(seconds, reads)| seconds >= grace as i64 && reads >= 3);
        let is_due = is_switched_on && !taken_back && waited;
        let is_written = record.is_ok() && !is_excluded && (is_asked_for || is_due);
        prop_assert_eq!(decide(record, it) == RecordDecision::Write, is_written);
    }
}
