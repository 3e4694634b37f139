use proptest::prelude::*;
use strum::VariantArray as _;

use super::*;

const INTERVAL: Duration = Duration::from_secs(300);
const SECOND: Duration = Duration::from_secs(1);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A row that may be written.
fn row() -> RowFacts {
    RowFacts {
        row_id: 7,
        domain: "Shop.Example".to_owned(),
        stage: Some(Stage::Failed),
        is_active: true,
        modified: Some(1_799_990_000),
        unchanged_for: Some(Duration::from_secs(10_000)),
        site: RowSite::Here,
        is_own_address: false,
        check: PluginCheck::Idle(Some(INTERVAL)),
        last_ended: Some(30),
    }
}

/// The row was written ten minutes ago, and was seen written.
fn note() -> StageNote {
    StageNote {
        stage: Stage::Failed,
        at: at(-600),
        is_sure: true,
        is_retry: false,
        modified: Some(1_799_990_000),
        last_ended: Some(30),
        times_broken: 1,
        failures: 0,
        next_attempt: None,
        is_taken_back: false,
    }
}

#[derive(Debug, Clone)]
struct Case {
    row: Option<RowFacts>,
    is_at_closte: bool,
    good: GoodRun,
    note: Option<StageNote>,
    doubt: Option<ChecksDoubt>,
}

impl Case {
    /// One that is written.
    fn new() -> Self {
        let good = GoodRun { checks: 2, times_broken: 1 };
        Self { row: Some(row()), is_at_closte: true, good, note: None, doubt: None }
    }

    fn row(row: RowFacts) -> Self {
        Self { row: Some(row), ..Self::new() }
    }

    fn noted(note: StageNote, row: RowFacts) -> Self {
        Self { note: Some(note), ..Self::row(row) }
    }

    fn decide(&self) -> StageDecision {
        decide(&Circumstances {
            name: &"shop.example".parse().unwrap(),
            row: self.row.as_ref(),
            is_at_closte: self.is_at_closte,
            good: self.good,
            note: self.note.as_ref(),
            doubt: self.doubt,
            plugin_interval: INTERVAL,
            now: at(0),
        })
    }
}

#[test]
fn only_the_four_stages_on_the_way_are_promoted() {
    for stage in Stage::VARIANTS {
        let decision = Case::row(RowFacts { stage: Some(*stage), ..row() }).decide();
        let expected = match stage {
            Stage::Done => StageDecision::Never(NoStage::Done),
            Stage::DoneWithoutSsl => StageDecision::Never(NoStage::Decided),
            _ => StageDecision::Write,
        };
        assert_eq!(decision, expected, "{stage}");
    }
    let unknown = Case::row(RowFacts { stage: None, ..row() }).decide();
    assert_eq!(unknown, StageDecision::Never(NoStage::UnknownStage));
}

#[test]
fn what_is_somebodys_decision_or_not_ours_stays() {
    for (changed, why) in [
        (RowFacts { is_active: false, ..row() }, NoStage::Inactive),
        (RowFacts { is_own_address: true, ..row() }, NoStage::OwnAddress),
        (RowFacts { domain: "other.example".to_owned(), ..row() }, NoStage::OtherName),
        (RowFacts { site: RowSite::Missing, ..row() }, NoStage::NoSite(RowSite::Missing)),
        (RowFacts { site: RowSite::Gone, ..row() }, NoStage::NoSite(RowSite::Gone)),
        (
            RowFacts { site: RowSite::OfOtherNetwork, ..row() },
            NoStage::NoSite(RowSite::OfOtherNetwork),
        ),
    ] {
        assert_eq!(Case::row(changed).decide(), StageDecision::Never(why));
    }
    let gone = Case { row: None, ..Case::new() };
    assert_eq!(gone.decide(), StageDecision::Never(NoStage::NoRow));
}

#[test]
fn the_domain_must_be_at_closte_and_seen_good_twice_by_checks_without_doubt() {
    let elsewhere = Case { is_at_closte: false, ..Case::new() };
    assert_eq!(elsewhere.decide(), StageDecision::NotYet(StageWait::NotAtCloste));
    for checks in [0, 1] {
        let once = Case { good: GoodRun { checks, times_broken: 1 }, ..Case::new() };
        assert_eq!(once.decide(), StageDecision::NotYet(StageWait::NotGoodTwice));
    }
    for doubt in [ChecksDoubt::MassFailure, ChecksDoubt::SickResolver] {
        let doubted = Case { doubt: Some(doubt), ..Case::new() };
        assert_eq!(doubted.decide(), StageDecision::NotYet(StageWait::InDoubt(doubt)));
    }
}

#[test]
fn the_plugins_own_check_comes_first() {
    let ended = |seconds| PluginCheck::Idle(Some(Duration::from_secs(seconds)));
    for (check, unchanged_for, expected) in [
        (PluginCheck::InProgress, 10_000, Some(StageWait::PluginChecks)),
        (PluginCheck::Due(SECOND), 10_000, Some(StageWait::PluginIsDue { late: SECOND })),
        (ended(299), 10_000, Some(StageWait::PluginHasChecked)),
        (ended(300), 0, None),
        (PluginCheck::Idle(None), 0, None),
        (PluginCheck::Unknown, 299, Some(StageWait::RowHasChanged)),
        (PluginCheck::Unknown, 300, None),
    ] {
        let unchanged_for = Some(Duration::from_secs(unchanged_for));
        let decision = Case::row(RowFacts { check, unchanged_for, ..row() }).decide();
        let expected = expected.map_or(StageDecision::Write, StageDecision::NotYet);
        assert_eq!(decision, expected, "{check:?} {unchanged_for:?}");
    }
}

#[test]
fn a_row_that_somebody_put_back_is_left_alone_until_the_domain_broke_and_works_again() {
    let taken_back = StageDecision::Never(NoStage::TakenBack);
    let mut case = Case::noted(note(), row());
    assert_eq!(case.decide(), taken_back);
    case.good.checks = 1_000;
    assert_eq!(case.decide(), taken_back);
    case.good = GoodRun { checks: 1, times_broken: 2 };
    assert_eq!(case.decide(), StageDecision::NotYet(StageWait::NotGoodTwice));
    case.good.checks = 2;
    assert_eq!(case.decide(), StageDecision::Write);
    // A schedule that was made anew counts from 0.
    case.good.times_broken = 0;
    assert_eq!(case.decide(), taken_back);
}

#[test]
fn a_lost_race_has_one_retry() {
    let lost = RowFacts { last_ended: Some(31), ..row() };
    assert_eq!(Case::noted(note(), lost.clone()).decide(), StageDecision::WriteAgain);
    let waits = RowFacts { check: PluginCheck::Idle(Some(Duration::ZERO)), ..lost.clone() };
    let decision = Case::noted(note(), waits).decide();
    assert_eq!(decision, StageDecision::NotYet(StageWait::PluginHasChecked));
    let taken_back = StageDecision::Never(NoStage::TakenBack);
    let retried = StageNote { is_retry: true, ..note() };
    assert_eq!(Case::noted(retried, lost.clone()).decide(), taken_back);
    let unknown = RowFacts { check: PluginCheck::Unknown, ..lost };
    assert_eq!(Case::noted(note(), unknown).decide(), taken_back);
    let first = StageNote { last_ended: None, ..note() };
    assert_eq!(Case::noted(first, row()).decide(), StageDecision::WriteAgain);
}

#[test]
fn after_a_crash_the_row_shows_whether_it_was_written() {
    let begun = StageNote { is_sure: false, ..note() };
    let done = RowFacts { stage: Some(Stage::Done), ..row() };
    assert_eq!(Case::noted(begun.clone(), done.clone()).decide(), StageDecision::IsWritten);
    assert_eq!(Case::noted(note(), done).decide(), StageDecision::Never(NoStage::Done));
    assert_eq!(Case::noted(begun.clone(), row()).decide(), StageDecision::Write);
    let changed = RowFacts { modified: Some(1_799_999_500), ..row() };
    let put_back = Case::noted(begun.clone(), changed).decide();
    assert_eq!(put_back, StageDecision::Never(NoStage::TakenBack));
    let just_now = StageNote { at: at(-30), ..begun.clone() };
    let decision = Case::noted(just_now, row()).decide();
    assert_eq!(decision, StageDecision::NotYet(StageWait::InFlight));
    let by_a_clock_ahead = StageNote { at: at(30), ..begun.clone() };
    assert_eq!(Case::noted(by_a_clock_ahead, row()).decide(), StageDecision::Write);
    let until = at(60);
    let failed = StageNote { next_attempt: Some(until), failures: 1, ..begun };
    let decision = Case::noted(failed, row()).decide();
    assert_eq!(decision, StageDecision::NotYet(StageWait::BackOff { until }));
}

#[test]
fn each_reason_has_a_text_of_its_own() {
    let waits = [
        StageWait::NotAtCloste,
        StageWait::NotGoodTwice,
        StageWait::InDoubt(ChecksDoubt::MassFailure),
        StageWait::InDoubt(ChecksDoubt::SickResolver),
        StageWait::InFlight,
        StageWait::BackOff { until: at(60) },
        StageWait::PluginChecks,
        StageWait::PluginIsDue { late: SECOND },
        StageWait::PluginHasChecked,
        StageWait::RowHasChanged,
    ];
    let reasons = waits.map(|wait| StageDecision::NotYet(wait).reason(at(0)));
    let others: std::collections::HashSet<_> = reasons.iter().collect();
    assert_eq!(others.len(), waits.len());
    assert!(reasons.iter().all(|reason| !reason.is_empty()));
    assert_eq!(
        StageDecision::NotYet(StageWait::PluginIsDue { late: SECOND }).as_str(),
        "plugin-is-due"
    );
    assert_eq!(StageDecision::Never(NoStage::NoSite(RowSite::Gone)).as_str(), "no-site");
    assert_eq!(StageDecision::Write.as_str(), "write");
}

fn rows() -> impl Strategy<Value = Option<RowFacts>> {
    let stage = prop::option::of(prop::sample::select(Stage::VARIANTS));
    let seconds = || prop::option::of((0_u64..900).prop_map(Duration::from_secs));
    let site = prop::sample::select(vec![
        RowSite::Here,
        RowSite::Here,
        RowSite::Missing,
        RowSite::Gone,
        RowSite::OfOtherNetwork,
    ]);
    let check = prop_oneof![
        Just(PluginCheck::Unknown),
        Just(PluginCheck::InProgress),
        Just(PluginCheck::Due(SECOND)),
        seconds().prop_map(PluginCheck::Idle),
    ];
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.2), prop::bool::weighted(0.9));
    let ids = (prop::option::of(0_i64..3), prop::option::of(0_i64..3));
    let row = (stage, seconds(), site, check, flags, ids).prop_map(
        |(stage, unchanged_for, site, check, (is_active, is_own_address, is_same), ids)| {
            let domain = if is_same { "shop.example" } else { "other.example" }.to_owned();
            let (modified, last_ended) = ids;
            RowFacts {
                row_id: 7,
                domain,
                stage,
                is_active,
                modified,
                unchanged_for,
                site,
                is_own_address,
                check,
                last_ended,
            }
        },
    );
    prop::option::weighted(0.95, row)
}

fn notes() -> impl Strategy<Value = Option<StageNote>> {
    let ids = (prop::option::of(0_i64..3), prop::option::of(0_i64..3), 0_u32..3);
    let times = (-900_i64..100, prop::option::of(-100_i64..100));
    let note = (any::<(bool, bool, bool)>(), ids, times).prop_map(
        |((is_sure, is_retry, is_taken_back), (modified, last_ended, times_broken), times)| {
            let (begun, next) = times;
            StageNote {
                stage: Stage::Failed,
                at: at(begun),
                is_sure,
                is_retry,
                modified,
                last_ended,
                times_broken,
                failures: 0,
                next_attempt: next.map(at),
                is_taken_back,
            }
        },
    );
    prop::option::of(note)
}

fn cases() -> impl Strategy<Value = Case> {
    let doubt = prop::option::weighted(
        0.2,
        prop::sample::select(vec![ChecksDoubt::MassFailure, ChecksDoubt::SickResolver]),
    );
    let good =
        (0_u32..4, 0_u32..4).prop_map(|(checks, times_broken)| GoodRun { checks, times_broken });
    (rows(), prop::bool::weighted(0.8), good, notes(), doubt).prop_map(
        |(row, is_at_closte, good, note, doubt)| Case { row, is_at_closte, good, note, doubt },
    )
}

proptest! {
    /// Rule 11: nothing is written but a stage that was seen from outside, and nothing again after somebody
    /// took it back.
    #[test]
    fn a_row_is_written_only_if_every_condition_is_met(case in cases()) {
        let decision = case.decide();
        if !decision.is_to_write() {
            prop_assert!(decision == StageDecision::IsWritten || !decision.reason(at(0)).is_empty());
            return Ok(());
        }
        let row = case.row.as_ref().unwrap();
        prop_assert!(matches!(
            row.stage,
            Some(Stage::CheckingDns | Stage::CheckingSslCert | Stage::Failed | Stage::SslFailed)
        ));
        prop_assert!(row.is_active && !row.is_own_address && row.site == RowSite::Here);
        prop_assert_eq!(&row.domain, "shop.example");
        prop_assert!(case.is_at_closte && case.good.checks >= 2 && case.doubt.is_none());
        prop_assert!(!matches!(row.check, PluginCheck::InProgress | PluginCheck::Due(_)));
        if let PluginCheck::Idle(Some(ago)) = row.check {
            prop_assert!(ago >= INTERVAL);
        }
        if let Some(note) = case.note.filter(|note| note.times_broken >= case.good.times_broken) {
            let was_not_written = !note.is_sure && row.modified == note.modified;
            let lost_race = row.last_ended > note.last_ended && !note.is_retry;
            prop_assert!(was_not_written || lost_race);
            prop_assert_eq!(was_not_written, decision == StageDecision::Write);
        }
    }
}
