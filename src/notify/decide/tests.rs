use super::*;

const NO_WAIT: Waits = Waits { group: Duration::ZERO, digest: Duration::ZERO };
const WAITS: Waits = Waits { group: Duration::from_secs(60), digest: Duration::from_secs(360) };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A trouble that began at this second.
fn trouble(id: i64, event: &str, subject: &str, second: i64) -> Trouble {
    Trouble {
        id,
        event: event.to_owned(),
        subject: subject.to_owned(),
        occurrence: if lasts(event) == Lasts::Not { id } else { 0 },
        since: at(second),
        opened_at: at(second),
        ended_at: (lasts(event) == Lasts::Not).then(|| at(second)),
        told_at: None,
    }
}

/// A target that got its first message long ago.
fn record() -> TargetRecord {
    TargetRecord { has_digest: true, ..TargetRecord::new(at(-1_000_000)) }
}

/// What is decided: the ids of what is new, still there and over, or for how many seconds to wait.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Now(Vec<i64>, Vec<i64>, Vec<i64>),
    In(i64),
    Nothing,
}

fn with(
    record: &TargetRecord,
    troubles: &[Trouble],
    silence: &Silence,
    waits: Waits,
    second: i64,
) -> Told {
    let selection = Selection::standard();
    let audience = Audience { name: "ops", selection: &selection, record, troubles };
    let ids = |troubles: Vec<&Trouble>| troubles.iter().map(|one| one.id).collect();
    match decide(&audience, silence, waits, at(second)) {
        Verdict::Wait(None) => Told::Nothing,
        Verdict::Wait(Some(next)) | Verdict::Limited(next) => {
            Told::In(next.duration_since(at(second)).as_secs())
        }
        Verdict::Tell(picked) => Told::Now(ids(picked.new), ids(picked.still), ids(picked.over)),
    }
}

fn told(troubles: &[Trouble], second: i64) -> Told {
    with(&record(), troubles, &Silence::default(), WAITS, second)
}

fn new(ids: &[i64]) -> Told {
    Told::Now(ids.to_vec(), vec![], vec![])
}

#[test]
fn troubles_wait_for_each_other_and_leave_together() {
    let troubles = [
        trouble(1, "dns.broke", "a.example", 0),
        trouble(2, "dns.broke", "b.example", 50),
        trouble(3, "certificate.expiring", "c.example", 59),
        trouble(4, "dns.pending", "d.example", 0),
    ];
    assert_eq!(told(&troubles[..1], 0), Told::In(60));
    assert_eq!(told(&troubles, 59), Told::In(1));
    assert_eq!(told(&troubles, 60), new(&[1, 2, 3]));
    assert_eq!(told(&[], 60), Told::Nothing);
}

#[test]
fn what_lasts_is_told_once_and_then_daily_and_its_end_once() {
    let mut one = trouble(1, "dns.broke", "a.example", 0);
    one.told_at = Some(at(60));
    let day = 86_400;
    assert_eq!(told(&[one.clone()], 61), Told::In(day - 1));
    assert_eq!(told(&[one.clone()], day + 60), Told::Now(vec![], vec![1], vec![]));
    one.ended_at = Some(at(1_000));
    assert_eq!(told(&[one.clone()], 1_000), Told::In(60));
    assert_eq!(told(&[one.clone()], 1_060), Told::Now(vec![], vec![], vec![1]));
    one.told_at = None;
    assert_eq!(told(&[one], 1_060), Told::Nothing, "it was told of neither");
}

#[test]
fn what_does_not_last_is_told_once_and_not_late() {
    let selection = Selection::of(vec!["domain.live".to_owned()]).unwrap();
    let told = |live: &Trouble, second| {
        let (record, troubles) = (record(), [live.clone()]);
        let audience =
            Audience { name: "ops", selection: &selection, record: &record, troubles: &troubles };
        decide(&audience, &Silence::default(), WAITS, at(second)) != Verdict::Wait(None)
    };
    let mut live = trouble(1, "domain.live", "a.example", 0);
    assert!(told(&live, 60));
    assert!(!told(&live, 90_000), "that is old news");
    live.told_at = Some(at(60));
    assert!(!told(&live, 100));
}

#[test]
fn of_one_domain_the_reason_is_told_and_what_it_brings_is_not() {
    let mut troubles = [
        trouble(1, "site.broke", "a.example", 0),
        trouble(2, "certificate.broke", "a.example", 0),
        trouble(3, "dns.broke", "a.example", 0),
        trouble(4, "site.broke", "b.example", 0),
    ];
    assert_eq!(told(&troubles, 60), new(&[3, 4]));
    troubles[2].ended_at = Some(at(50));
    assert_eq!(told(&troubles, 60), new(&[2, 4]), "it stands by itself now");
}

#[test]
fn the_gravest_trouble_of_a_domain_is_repeated() {
    let told_before = |one| Trouble { told_at: Some(at(0)), ..one };
    let troubles = [
        told_before(trouble(1, "dns.broke", "a.example", 0)),
        told_before(trouble(2, "domain.needs_attention", "a.example", 0)),
        told_before(trouble(3, "certificate.expiring", "b.example", 0)),
        told_before(trouble(4, "certificate.last_day", "b.example", 0)),
    ];
    assert_eq!(told(&troubles, 86_400), Told::Now(vec![], vec![2, 4], vec![]));
}

#[test]
fn what_follows_from_a_cause_that_stands_is_not_told_but_the_cause_is() {
    let mut troubles = [
        trouble(1, "wordpress.failed", "", 0),
        trouble(2, "dns.broke", "a.example", 0),
        trouble(3, "site.broke", "b.example", 10),
    ];
    assert_eq!(told(&troubles[..1], 60), Told::Nothing, "it may heal");
    assert_eq!(told(&troubles, 60), new(&[1, 2]));
    troubles[0].ended_at = Some(at(65));
    assert_eq!(told(&troubles, 70), new(&[2, 3]));
    troubles[0].ended_at = Some(at(100));
    assert_eq!(told(&troubles, 70), new(&[1, 2]), "the daemon has just started");
    let doubts = Silence { doubts: true, ..Silence::default() };
    assert_eq!(with(&record(), &troubles[1..], &doubts, WAITS, 70), Told::Nothing);
}

#[test]
fn nobody_is_told_of_what_is_muted() {
    let mut troubles =
        [trouble(1, "dns.broke", "a.example", 0), trouble(2, "closte.key_rejected", "", 0)];
    let mute = |subject: &str| Silence {
        mutes: vec![Mute {
            subject: subject.to_owned(),
            since: at(0),
            until: at(7_200),
            because: None,
        }],
        doubts: false,
    };
    let muted =
        |troubles: &[Trouble], subject| with(&record(), troubles, &mute(subject), WAITS, 60);
    assert_eq!(muted(&troubles, "a.example"), new(&[2]));
    assert_eq!(muted(&troubles, "b.example"), new(&[1, 2]));
    assert_eq!(muted(&troubles, "all"), Told::Nothing);
    troubles[0].told_at = Some(at(0));
    troubles[0].ended_at = Some(at(0));
    assert_eq!(muted(&troubles[..1], "a.example"), Told::Nothing, "its end comes later");
    assert_eq!(told(&troubles[..1], 7_200), Told::Now(vec![], vec![], vec![1]));
}

#[test]
fn a_target_is_not_told_of_its_own_failure() {
    let troubles = [trouble(1, "notify.failed", "ops", 0), trouble(2, "notify.failed", "mail", 0)];
    assert_eq!(told(&troubles, 60), new(&[2]));
}

#[test]
fn the_first_message_waits_until_all_was_looked_at() {
    let record = TargetRecord::new(at(0));
    let troubles: Vec<Trouble> =
        (0..300).map(|id| trouble(id, "site.broke", &format!("{id}.example"), id)).collect();
    let first = |second| with(&record, &troubles, &Silence::default(), WAITS, second);
    assert_eq!(first(299), Told::In(61));
    assert_eq!(first(360), new(&(0..300).collect::<Vec<_>>()));
    let selection = Selection::standard();
    let later = [trouble(1, "dns.broke", "a.example", 50_000)];
    let audience =
        Audience { name: "ops", selection: &selection, record: &record, troubles: &later };
    let decided = decide(&audience, &Silence::default(), WAITS, at(50_060));
    let Verdict::Tell(picked) = decided else { panic!("{decided:?}") };
    assert!(!picked.is_digest, "there was nothing to tell at the start");
}

#[test]
fn thirty_messages_an_hour_are_enough_and_what_was_left_out_is_counted() {
    let mut record = record();
    record.sent = (0..30).map(|minute| at(minute * 60)).collect();
    let one = [trouble(1, "dns.broke", "a.example", 1_800)];
    let told = |record: &TargetRecord, troubles: &[Trouble], second| {
        with(record, troubles, &Silence::default(), NO_WAIT, second)
    };
    assert_eq!(told(&record, &one, 1_800), Told::In(1_800));
    assert_eq!(told(&record, &one, 3_599), Told::In(1));
    record.limited_since = Some(at(1_800));
    let mut gone = trouble(2, "dns.broke", "b.example", 2_000);
    gone.ended_at = Some(at(3_000));
    let troubles = [one[0].clone(), gone];
    let selection = Selection::standard();
    let audience =
        Audience { name: "ops", selection: &selection, record: &record, troubles: &troubles };
    let decided = decide(&audience, &Silence::default(), NO_WAIT, at(3_600));
    let Verdict::Tell(picked) = decided else { panic!("{decided:?}") };
    assert_eq!((picked.new.len(), picked.left_out), (1, 1));
    record.sent.remove(0);
    assert_eq!(told(&record, &one, 1_800), new(&[1]));
}

#[test]
fn a_clock_that_was_ahead_holds_nothing_up() {
    let mut one = trouble(1, "dns.broke", "a.example", 1_000_000);
    assert_eq!(told(&[one.clone()], 0), new(&[1]));
    one.told_at = Some(at(1_000_000));
    assert_eq!(told(&[one], 0), Told::Now(vec![], vec![1], vec![]));
}
