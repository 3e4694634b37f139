mod properties;

use jiff::SignedDuration;

use std::collections::HashMap;

use super::*;
use crate::ledger::{Attempt, Progress, RowRef, Settled};

/// [`super::Desired`] as plain sets.
#[derive(Debug, Clone, Default)]
struct Desired {
    names: HashMap<DomainName, RowRef>,
    network_domains: HashSet<DomainName>,
    invalid_rows: HashSet<i64>,
    inactive: HashMap<DomainName, RowRef>,
    carried: HashMap<DomainName, RowRef>,
    own_domains: HashMap<DomainName, RowRef>,
    undetermined: HashSet<DomainName>,
    table_was_empty: bool,
}

/// [`super::Current`] as a plain set.
#[derive(Debug, Clone, Default)]
struct Current {
    names: HashSet<DomainName>,
    complete: bool,
}

type Ledger = HashMap<DomainName, Entry>;

fn rows(names: &HashMap<DomainName, RowRef>) -> NameMap<CompactRowRef> {
    names.iter().map(|(name, row)| (name.to_ref(), (*row).into())).collect()
}

fn set<'a>(names: impl IntoIterator<Item = &'a DomainName>) -> NameSet {
    names.into_iter().map(|name| (name.to_ref(), ())).collect()
}

fn name(text: &str) -> DomainName {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn policy() -> Policy {
    Policy {
        upsert_only: false,
        removal_grace: Duration::from_secs(120),
        leading_since: None,
        other_leads: None,
        max_removal_percent: 30,
        keep: Vec::new(),
        exclude: Vec::new(),
        back_off: BackOff::default(),
        allow_removals: false,
        named: Default::default(),
    }
}

/// The input of a plan.
#[derive(Debug, Clone)]
struct Case {
    desired: Desired,
    current: Current,
    ledger: Ledger,
    policy: Policy,
    now: Timestamp,
}

fn case() -> Case {
    let current = Current { complete: true, ..Current::default() };
    Case {
        desired: Desired::default(),
        current,
        ledger: Ledger::new(),
        policy: policy(),
        now: now(),
    }
}

impl Case {
    fn desired(mut self, names: &[&str]) -> Self {
        for text in names {
            let row_id = Some(self.desired.names.len() as i64 + 1);
            self.desired.names.insert(name(text), RowRef { row_id, ..RowRef::default() });
        }
        self
    }

    fn present(mut self, names: &[&str]) -> Self {
        self.current.names.extend(names.iter().map(|text| name(text)));
        self
    }

    /// Names that were desired and current until `seconds` ago.
    fn unmapped(mut self, names: &[&str], seconds: i64) -> Self {
        for text in names {
            let mut entry =
                Entry::new(RowRef { row_id: Some(77), ..RowRef::default() }, ago(9_999));
            entry.present_since = Some(ago(9_000));
            entry.undesired_since = Some(ago(seconds));
            self.ledger.insert(name(text), entry);
        }
        self.present(names)
    }

    /// Names that are desired and current, and noted so in the ledger.
    fn in_place(mut self, names: &[&str]) -> Self {
        self = self.desired(names).present(names);
        for text in names {
            let mut entry = Entry::new(self.desired.names[&name(text)], ago(9_999));
            entry.present_since = Some(ago(9_000));
            self.ledger.insert(name(text), entry);
        }
        self
    }

    fn with<T>(mut self, change: impl FnOnce(&mut Self) -> T) -> Self {
        change(&mut self);
        self
    }

    fn plan(&self) -> Plan {
        let Desired { network_domains, invalid_rows, table_was_empty, .. } = self.desired.clone();
        let desired = super::Desired {
            names: rows(&self.desired.names),
            inactive: rows(&self.desired.inactive),
            carried: set(self.desired.carried.keys()),
            own_domains: set(self.desired.own_domains.keys()),
            undetermined: set(&self.desired.undetermined),
            network_domains,
            invalid_rows,
            table_was_empty,
        };
        let current =
            super::Current { names: set(&self.current.names), complete: self.current.complete };
        let ledger = self.ledger.clone().into_iter().collect();
        plan(&desired, &current, &ledger, &self.policy, self.now)
    }

    /// The same case some seconds after a plan whose changes were written.
    fn after(&self, plan: &Plan, seconds: i64) -> Self {
        self.clone().with(|case| {
            for (name, row) in plan.adopted.iter() {
                case.ledger.insert(name.to_name(), Settled::adopted(*row, case.now).entry());
            }
            case.now += SignedDuration::from_secs(seconds);
            for LedgerChange { name, entry, .. } in &plan.changes {
                match entry {
                    Some(entry) => drop(case.ledger.insert(name.clone(), entry.clone())),
                    None => drop(case.ledger.remove(name)),
                }
            }
        })
    }

    /// The same case after Closte did what a plan of it asks for.
    fn obeyed(self) -> Self {
        let plan = self.plan();
        self.with(|case| {
            for (name, decision) in plan.decisions {
                match decision {
                    Decision::Add(_) => drop(case.current.names.insert(name)),
                    Decision::Remove { .. } => drop(case.current.names.remove(&name)),
                    _ => {}
                }
            }
        })
    }

    /// The only decision.
    fn decision(&self) -> Decision {
        let plan = self.plan();
        assert_eq!(plan.decisions.len(), 1, "{:?}", plan.decisions);
        plan.decisions[0].1.clone()
    }

    fn of(&self, text: &str) -> Option<Decision> {
        let decisions = self.plan().decisions;
        decisions.into_iter().find(|(known, _)| *known == name(text)).map(|(_, decision)| decision)
    }
}

fn entry_after(plan: &Plan, text: &str) -> Entry {
    if let Some(row) = plan.adopted.get(text) {
        return Settled::adopted(*row, now()).entry();
    }
    let change = plan.changes.iter().find(|change| change.name == name(text)).unwrap();
    change.entry.clone().unwrap()
}

fn many(prefix: &str, number: usize) -> Vec<String> {
    (0..number).map(|index| format!("{prefix}{index}.example")).collect()
}

fn texts(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

#[test]
fn what_is_missing_is_added_and_in_the_ledger_before_the_call() {
    let case = case().desired(&["shop.example"]);
    assert_eq!(case.decision(), Decision::Add(Reason::New));
    assert_eq!(entry_after(&case.plan(), "shop.example").managed_since, now());
}

#[test]
fn what_is_there_already_is_adopted() {
    let plan = case().desired(&["shop.example"]).present(&["shop.example"]).plan();
    assert_eq!((plan.decisions.len(), plan.in_place), (0, 1));
    assert!(plan.adopted.contains("shop.example") && plan.changes.is_empty());
}

#[test]
fn a_cycle_with_nothing_to_do_changes_nothing() {
    let plan = case().in_place(&["shop.example", "*.wild.example"]).plan();
    assert_eq!((plan.decisions.len(), plan.changes.len(), plan.in_place), (0, 0, 2));
    assert!(plan.is_settled());
    assert_eq!(plan.replan_at(now()), None);
}

#[test]
fn an_unmanaged_name_is_left_alone() {
    let case = case().present(&["mail.example"]).with(|case| {
        case.policy.allow_removals = true;
        case.policy.removal_grace = Duration::ZERO;
    });
    assert_eq!(case.decision(), Decision::Unmanaged);
    assert_eq!(case.plan().changes, []);
}

#[test]
fn what_was_unmapped_is_removed_when_the_grace_is_over() {
    let grace = Decision::Held(Guard::Grace { until: now() + SignedDuration::from_secs(1) });
    assert_eq!(case().unmapped(&["old.example"], 119).decision(), grace);
    let remove = Decision::Remove { undesired_since: ago(120) };
    assert_eq!(case().unmapped(&["old.example"], 120).decision(), remove);
}

#[test]
fn the_grace_begins_when_the_name_is_first_seen_undesired() {
    let case = case()
        .unmapped(&["old.example"], 0)
        .with(|case| case.ledger.get_mut(&name("old.example")).unwrap().undesired_since = None);
    let until = now() + SignedDuration::from_secs(120);
    assert_eq!(case.decision(), Decision::Held(Guard::Grace { until }));
    assert_eq!(entry_after(&case.plan(), "old.example").undesired_since, Some(now()));
    assert_eq!(case.plan().changes[0].transition, Some(LedgerTransition::Unmapped));
    assert_eq!(case.plan().replan_at(now()), Some(until));
}

#[test]
fn a_name_that_comes_back_in_the_grace_stays() {
    let case = case().unmapped(&["back.example"], 60).desired(&["back.example"]);
    assert_eq!(case.plan().decisions, []);
    assert_eq!(entry_after(&case.plan(), "back.example").undesired_since, None);
    assert_eq!(case.plan().changes[0].transition, Some(LedgerTransition::MappedAgain));
}

#[test]
fn each_guard_holds_a_removal() {
    let due = case().unmapped(&["old.shop.example"], 9_000);
    let own = name("old.shop.example");
    for (guard, case) in [
        (Guard::OwnName, due.clone().with(|case| case.desired.network_domains.insert(own))),
        (
            Guard::Carried,
            due.clone().with(|c| c.desired.carried.insert(name("old.shop.example"), site())),
        ),
        (
            Guard::Kept,
            due.clone().with(|c| c.policy.keep = vec!["*.shop.example".parse().unwrap()]),
        ),
        (
            Guard::Excluded,
            due.clone().with(|c| c.policy.exclude = vec!["old.shop.example".parse().unwrap()]),
        ),
        (Guard::UpsertOnly, due.clone().with(|case| case.policy.upsert_only = true)),
        (Guard::EmptyTable, due.clone().with(|case| case.desired.table_was_empty = true)),
        (Guard::UnreadableRow(77), due.clone().with(|case| case.desired.invalid_rows.insert(77))),
        (
            Guard::Undetermined,
            due.clone().with(|case| case.desired.undetermined.insert(name("old.shop.example"))),
        ),
        (Guard::ListIncomplete, due.clone().with(|case| case.current.complete = false)),
    ] {
        assert_eq!(case.decision(), Decision::Held(guard.clone()), "{guard:?}");
        let insist = case.with(|case| case.policy.allow_removals = true);
        let insisted = match guard {
            Guard::EmptyTable => Decision::Remove { undesired_since: ago(9_000) },
            guard => Decision::Held(guard),
        };
        assert_eq!(insist.decision(), insisted);
    }
    assert_eq!(due.decision(), Decision::Remove { undesired_since: ago(9_000) });
}

#[test]
fn what_only_another_list_can_change_waits_until_one_is_due() {
    let unmapped = case().unmapped(&["*.shop.example"], 9_000);
    let incomplete = unmapped.clone().with(|case| case.current.complete = false);
    assert_eq!(incomplete.decision(), Decision::Held(Guard::ListIncomplete));
    assert_eq!(incomplete.plan().replan_at(now()), None);
    let serving = unmapped.desired(&["www.shop.example"]).with(|case| {
        let mut entry = Entry::new(case.desired.names[&name("www.shop.example")], ago(9_999));
        entry.progress = Progress::Refused { at: now(), error: "Invalid".to_owned() };
        case.ledger.insert(name("www.shop.example"), entry);
    });
    let served = Decision::Held(Guard::StillServing(name("www.shop.example")));
    assert_eq!(serving.of("*.shop.example"), Some(served));
    assert!(serving.plan().replan_at(now()) > Some(now()));
}

fn site() -> RowRef {
    RowRef { blog_id: Some(5), ..RowRef::default() }
}

#[test]
fn a_managed_name_that_a_live_site_still_has_stays_as_it_is() {
    let case = case().in_place(&["shared.example"]).with(|case| {
        case.desired.names.clear();
        case.desired.carried.insert(name("shared.example"), site());
    });
    assert_eq!(case.decision(), Decision::Held(Guard::Carried));
    assert_eq!(case.plan().changes, [], "nobody unmapped it");
    assert!(case.plan().is_settled());
    // It is not desired: it is not added if it is unknown, nor again if it is lost.
    let unknown = case.clone().with(|case| case.ledger.clear());
    assert_eq!(unknown.decision(), Decision::Unmanaged);
    let lost = case.with(|case| case.current.names.clear()).present(&["x.example"]);
    assert_eq!(lost.of("shared.example"), None);
    assert_eq!(lost.plan().changes[0].transition, None, "nobody unmapped it");
}

#[test]
fn what_an_unknown_setting_decides_about_is_not_unmapped() {
    let twin = "www.shop.example";
    let case = case().in_place(&[twin]).with(|case| {
        case.desired.names.clear();
        case.desired.undetermined.insert(name(twin));
    });
    assert_eq!(case.decision(), Decision::Held(Guard::Undetermined));
    assert_eq!(case.plan().changes, []);
    assert!(!case.plan().is_at_rest());
    let lost = case.with(|case| case.current.names.clear()).present(&["x.example"]);
    assert_eq!((lost.of(twin), lost.plan().changes), (None, vec![]));
}

#[test]
fn the_share_of_a_removal_is_of_the_names_that_are_left() {
    let gone: Vec<String> = (0..20).map(|number| format!("{number}.gone.example")).collect();
    let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
    let due: Vec<String> = (0..9).map(|number| format!("{number}.example")).collect();
    let due: Vec<&str> = due.iter().map(String::as_str).collect();
    let case = case().unmapped(&gone, 9_000).with(|case| {
        case.current.names.clear();
        case.policy.exclude = vec!["*.gone.example".parse().unwrap()];
    });
    let case = case.unmapped(&due, 9_000).in_place(&["stays.example"]);
    let too_many = Decision::Held(Guard::TooMany { removals: 9, managed: 10 });
    assert_eq!(case.of("0.example"), Some(too_many));
}

#[test]
fn a_sites_own_domain_that_no_row_mapped_stays_when_the_site_has_other_rows() {
    let case = case().in_place(&["own.example", "mapped.example"]).with(|case| {
        case.desired.names.remove(&name("own.example"));
        case.desired.own_domains.insert(name("own.example"), site());
        case.ledger.get_mut(&name("own.example")).unwrap().origin = site();
    });
    assert_eq!(case.of("own.example"), Some(Decision::Held(Guard::Carried)));
    assert_eq!(case.plan().changes, [], "nobody unmapped it");
    let row_deleted = case.with(|case| {
        let entry = case.ledger.get_mut(&name("own.example")).unwrap();
        entry.origin.row_id = Some(7);
    });
    let grace = Guard::Grace { until: now() + SignedDuration::from_secs(120) };
    assert_eq!(row_deleted.of("own.example"), Some(Decision::Held(grace)));
}

#[test]
fn managed_names_of_an_archived_site_stay_desired_and_new_ones_are_not() {
    let asleep = |case: &mut Case| {
        case.desired.inactive.insert(name("asleep.example"), site());
    };
    let case = case().in_place(&["asleep.example", "a.example"]).with(|case| {
        case.desired.names.remove(&name("asleep.example"));
        asleep(case);
    });
    let plan = case.plan();
    assert_eq!((plan.decisions.len(), plan.desired, plan.in_place), (0, 2, 2));
    let lost = case.with(|case| case.current.names.remove(&name("asleep.example")));
    assert_eq!(lost.of("asleep.example"), Some(Decision::Missing));
    let twice = lost.with(|case| {
        let entry = case.ledger.get_mut(&name("asleep.example")).unwrap();
        entry.missing_since = Some(ago(60));
    });
    assert_eq!(twice.of("asleep.example"), Some(Decision::Add(Reason::Lost)));
    let new = super::tests::case().with(asleep);
    assert_eq!((new.plan().decisions.len(), new.plan().desired), (0, 0));
}

#[test]
fn more_than_the_limit_is_held_whole_from_ten_managed_names_on() {
    let stay = many("stay", 7);
    let go = many("go", 3);
    let at_the_limit = case().in_place(&texts(&stay)).unmapped(&texts(&go), 9_000);
    assert_eq!(
        at_the_limit.of("go0.example"),
        Some(Decision::Remove { undesired_since: ago(9_000) })
    );

    let go = many("go", 4);
    let over = case().in_place(&texts(&stay)).unmapped(&texts(&go), 9_000);
    let held = Decision::Held(Guard::TooMany { removals: 4, managed: 11 });
    for name in &go {
        assert_eq!(over.of(name), Some(held.clone()), "{name}");
    }
    let insisted = over.clone().with(|case| case.policy.allow_removals = true);
    assert_eq!(insisted.of("go0.example"), Some(Decision::Remove { undesired_since: ago(9_000) }));

    let few = case().in_place(&["a.example", "b.example"]).unmapped(&texts(&go), 9_000);
    assert_eq!(few.of("go0.example"), Some(Decision::Remove { undesired_since: ago(9_000) }));
}

#[test]
fn all_of_two_or_more_are_held() {
    let held = Decision::Held(Guard::TooMany { removals: 2, managed: 2 });
    let two = case().unmapped(&["a.example", "b.example"], 9_000);
    assert_eq!(two.of("a.example"), Some(held.clone()));
    assert_eq!(two.of("b.example"), Some(held));
    let one = case().unmapped(&["a.example"], 9_000);
    assert_eq!(one.decision(), Decision::Remove { undesired_since: ago(9_000) });
}

#[test]
fn names_that_are_gone_already_do_not_make_the_rest_more() {
    let gone = many("gone", 20);
    let case = case().unmapped(&texts(&gone), 300).with(|case| case.current.names.clear());
    let two = case.clone().unmapped(&["a.example", "b.example"], 9_000);
    let held = Decision::Held(Guard::TooMany { removals: 2, managed: 2 });
    assert_eq!(two.of("a.example"), Some(held));
    let (stay, go) = (many("stay", 6), many("go", 3));
    let third = case.in_place(&texts(&stay)).unmapped(&texts(&go), 9_000);
    let held = Decision::Held(Guard::TooMany { removals: 3, managed: 9 });
    assert_eq!(third.of("go0.example"), Some(held));
}

#[test]
fn removals_that_wait_for_another_attempt_count_towards_the_limit() {
    let (stay, go) = (many("stay", 7), many("go", 4));
    let case = case().in_place(&texts(&stay)).unmapped(&texts(&go), 9_000).with(|case| {
        for name in go.iter().skip(1) {
            let attempt = Attempt { count: 1, next: now() + SignedDuration::from_secs(60) };
            let entry = case.ledger.get_mut(&name.parse::<DomainName>().unwrap()).unwrap();
            entry.progress = Progress::Failed(attempt, "no answer".to_owned());
        }
    });
    assert!(matches!(case.of("go0.example"), Some(Decision::Held(Guard::TooMany { .. }))));
}

#[test]
fn a_present_wildcard_covers_one_label() {
    let by = name("*.shop.example");
    let case = case().desired(&["www.shop.example", "a.b.shop.example", "shop.example"]);
    let case = case.present(&["*.shop.example"]);
    assert_eq!(case.of("www.shop.example"), Some(Decision::Covered { by: by.clone() }));
    assert_eq!(case.of("a.b.shop.example"), Some(Decision::Add(Reason::New)));
    assert_eq!(case.of("shop.example"), Some(Decision::Add(Reason::New)));
    assert_eq!(entry_after(&case.plan(), "www.shop.example").covered_by, Some(by));
}

#[test]
fn a_wildcard_goes_only_when_what_it_serves_is_there_itself() {
    let case = case().unmapped(&["*.shop.example"], 9_000).desired(&["www.shop.example"]);
    assert_eq!(case.of("www.shop.example"), Some(Decision::Add(Reason::New)));
    let served = Decision::Held(Guard::StillServing(name("www.shop.example")));
    assert_eq!(case.of("*.shop.example"), Some(served));
    let there = case.present(&["www.shop.example"]);
    assert_eq!(there.of("*.shop.example"), Some(Decision::Remove { undesired_since: ago(9_000) }));
}

#[test]
fn an_undesired_wildcard_that_is_kept_covers() {
    let case = case().unmapped(&["*.shop.example"], 9_000).desired(&["www.shop.example"]);
    let case = case.with(|case| case.policy.keep = vec!["*.shop.example".parse().unwrap()]);
    let covered = Decision::Covered { by: name("*.shop.example") };
    assert_eq!(case.of("www.shop.example"), Some(covered));
}

#[test]
fn a_name_that_failed_waits_its_turn() {
    let failing = |wait| {
        case().desired(&["slow.example"]).with(|case| {
            let mut entry = Entry::new(case.desired.names[&name("slow.example")], ago(9_999));
            let attempt = Attempt { count: 3, next: now() + SignedDuration::from_secs(wait) };
            entry.progress = Progress::Failed(attempt, "no answer".to_owned());
            case.ledger.insert(name("slow.example"), entry);
        })
    };
    let until = now() + SignedDuration::from_secs(1);
    let waiting = Decision::Waiting { until, error: "no answer".to_owned() };
    assert_eq!(failing(1).decision(), waiting);
    assert_eq!(failing(0).decision(), Decision::Add(Reason::Retry { attempts: 3 }));
}

#[test]
fn a_refusal_holds_until_the_row_changes_or_a_week_is_over() {
    let refused = |age_in_days: i64| {
        case().desired(&["bad.example"]).with(|case| {
            let mut entry = Entry::new(case.desired.names[&name("bad.example")], ago(9_999_999));
            let at = ago(age_in_days * 86_400);
            entry.progress = Progress::Refused { at, error: "Invalid".to_owned() };
            case.ledger.insert(name("bad.example"), entry);
        })
    };
    assert!(matches!(refused(6).decision(), Decision::Refused { .. }));
    assert_eq!(refused(7).decision(), Decision::Add(Reason::New));
    for change in [
        |origin: &mut RowRef| origin.modified = Some(1_800_000_000),
        |origin: &mut RowRef| origin.row_id = Some(2),
    ] {
        let changed = refused(0).with(|case| case.desired.names.values_mut().for_each(change));
        assert_eq!(changed.decision(), Decision::Add(Reason::New));
    }
}

#[test]
fn a_name_that_two_lists_lost_is_added_again() {
    let case = case().in_place(&["shop.example", "other.example"]);
    let first = case.with(|case| case.current.names.remove(&name("shop.example")));
    assert_eq!(first.decision(), Decision::Missing);
    let plan = first.plan();
    assert_eq!((plan.changes[0].transition, plan.replan_at(now())), (None, Some(now())));
    let entry = entry_after(&plan, "shop.example");
    assert_eq!((entry.missing_since, entry.present_since), (Some(now()), Some(ago(9_000))));

    let second = first.after(&plan, 5);
    assert_eq!(second.decision(), Decision::Add(Reason::Lost));
    assert_eq!(second.plan().changes[0].transition, Some(LedgerTransition::Lost));
    let third = second.after(&second.plan(), 5);
    assert_eq!(third.plan().changes, [], "it is lost once");

    let back = first.after(&plan, 5).present(&["shop.example"]);
    assert_eq!(back.plan().decisions, []);
    assert_eq!(entry_after(&back.plan(), "shop.example").missing_since, None);
}

#[test]
fn one_empty_list_adds_nothing_again() {
    let names = many("shop", 2_000);
    let served = many("blog", 20).into_iter().map(|name| format!("www.{name}"));
    let served: Vec<String> = served.collect();
    let mut case = case().in_place(&texts(&names));
    for (number, name) in served.iter().enumerate() {
        let wildcard = format!("*.blog{number}.example");
        case = case.desired(&[name]).present(&[&wildcard]);
    }
    let settled = case.after(&case.plan(), 5);
    for complete in [true, false] {
        let empty = settled.clone().with(|case| {
            case.current = Current { complete, ..Current::default() };
        });
        let plan = empty.plan();
        assert!(plan.decisions.iter().all(|(_, decision)| *decision == Decision::Missing));
        assert_eq!(plan.decisions.len(), 2_020);
        assert!(plan.changes.iter().all(|change| change.transition.is_none()));
        let again = empty.after(&plan, 5);
        let added = |(_, decision): &&(DomainName, Decision)| matches!(decision, Decision::Add(_));
        assert_eq!(again.plan().decisions.iter().filter(added).count(), 2_020);
        let healed = Case { current: settled.current.clone(), ..empty.after(&plan, 5) }.plan();
        assert_eq!((healed.in_place, healed.decisions.len()), (2_000, 40), "covered and unmanaged");
    }
}

#[test]
fn a_name_that_was_removed_is_added_when_it_is_mapped_again() {
    let case = case().unmapped(&["back.example"], 300).desired(&["back.example"]).with(|case| {
        case.current.names.clear();
        let attempt = Attempt { count: 1, next: now() };
        case.ledger.get_mut(&name("back.example")).unwrap().progress = Progress::Accepted(attempt);
    });
    assert_eq!(case.decision(), Decision::Add(Reason::New));
}

#[test]
fn a_named_domain_is_tried_now_whatever_its_last_attempt() {
    let later = Attempt { count: 3, next: now() + SignedDuration::from_secs(600) };
    let retry = Decision::Add(Reason::Retry { attempts: 3 });
    for (progress, expected) in [
        (Progress::Failed(later, "no answer".to_owned()), retry.clone()),
        (Progress::Accepted(later), retry),
        (
            Progress::Refused { at: ago(60), error: "Invalid".to_owned() },
            Decision::Add(Reason::New),
        ),
    ] {
        let case = case().desired(&["shop.example", "other.example"]).with(|case| {
            for text in ["shop.example", "other.example"] {
                let mut entry = Entry::new(case.desired.names[&name(text)], ago(9_999));
                entry.progress = progress.clone();
                case.ledger.insert(name(text), entry);
            }
            case.policy.named = [name("shop.example")].into();
        });
        assert_eq!(case.of("shop.example"), Some(expected));
        assert!(!matches!(case.of("other.example"), Some(Decision::Add(_))), "{progress:?}");
    }

    let named = |case: &mut Case| case.policy.named = [name("shop.example")].into();
    let missing = case().in_place(&["shop.example", "other.example"]).with(named);
    let missing = missing.with(|case| case.current.names.remove(&name("shop.example")));
    assert_eq!(missing.decision(), Decision::Add(Reason::Lost));
    let removal = case().unmapped(&["shop.example"], 9_000).with(named).with(|case| {
        let entry = case.ledger.get_mut(&name("shop.example")).unwrap();
        entry.progress = Progress::Failed(later, "no answer".to_owned());
    });
    assert_eq!(removal.decision(), Decision::Remove { undesired_since: ago(9_000) });
    let held = removal.with(|case| case.policy.keep = vec!["shop.example".parse().unwrap()]);
    assert_eq!(held.decision(), Decision::Held(Guard::Kept), "it lifts no guard");
}

#[test]
fn a_name_that_a_wildcard_replaced_is_not_lost() {
    let case = case().in_place(&["www.shop.example"]).present(&["*.shop.example"]);
    let case = case.with(|case| case.current.names.remove(&name("www.shop.example")));
    assert!(matches!(case.of("www.shop.example"), Some(Decision::Covered { .. })));
    assert_eq!(case.plan().changes[0].transition, None);
}

#[test]
fn an_accepted_call_counts_only_when_the_list_agrees() {
    let (until, attempt) = (now(), Attempt { count: 1, next: now() });
    let early = |case: &Case| case.clone().with(|case| case.now = ago(1));
    let accepted = |case: &mut Case, text: &str| {
        let origin = case.desired.names.get(&name(text)).copied().unwrap_or_default();
        let entry = case.ledger.entry(name(text)).or_insert_with(|| Entry::new(origin, ago(9)));
        entry.progress = Progress::Accepted(attempt);
    };
    let added = case().desired(&["new.example"]).with(|case| accepted(case, "new.example"));
    assert_eq!(added.decision(), Decision::Add(Reason::Retry { attempts: 1 }));
    assert_eq!(added.plan().changes[0].transition, Some(LedgerTransition::NotListed));
    assert_eq!(early(&added).decision(), Decision::Unconfirmed { until });
    assert_eq!(early(&added).plan().changes, []);

    let removed = case().unmapped(&["old.example"], 9_000);
    let removed = removed.with(|case| accepted(case, "old.example"));
    assert!(matches!(removed.decision(), Decision::Remove { .. }));
    assert_eq!(removed.plan().changes[0].transition, Some(LedgerTransition::StillListed));
    assert_eq!(early(&removed).decision(), Decision::Unconfirmed { until });
    assert_eq!(early(&removed).plan().changes, []);
}

#[test]
fn a_managed_name_is_forgotten_when_it_is_certainly_gone() {
    let gone = |seconds, accepted: bool| {
        case().in_place(&["stay.example"]).unmapped(&["old.example"], seconds).with(|case| {
            case.current.names.remove(&name("old.example"));
            if accepted {
                let attempt = Attempt { count: 1, next: now() };
                let entry = case.ledger.get_mut(&name("old.example")).unwrap();
                entry.progress = Progress::Accepted(attempt);
            }
        })
    };
    let forgets = |case: &Case| case.plan().changes.iter().any(|change| change.entry.is_none());
    assert!(forgets(&gone(300, true)), "removed by us");
    assert!(!forgets(&gone(300, false)), "missing from one list");
    assert!(forgets(&gone(90_000, false)), "missing for a day");
    let removed_by_leader = |seconds, lists| {
        let late = Some(Duration::from_secs(200));
        let case = gone(seconds, false).with(|case| case.policy.other_leads = late);
        (1..lists).fold(case, |case, _| case.after(&case.plan(), 0))
    };
    assert!(!forgets(&removed_by_leader(300, 1)), "missing from one list");
    assert!(forgets(&removed_by_leader(300, 2)), "missing from two lists");
    assert!(!forgets(&removed_by_leader(150, 2)), "the leader may hang, and add it late");
    let graceful = removed_by_leader(300, 2);
    let graceful = graceful.with(|case| case.policy.removal_grace = Duration::from_secs(400));
    assert!(!forgets(&graceful), "the leader does not remove it yet");
    let alone = removed_by_leader(300, 2).with(|case| case.policy.other_leads = None);
    assert!(!forgets(&alone), "nobody removes it but this daemon");
    let cut_short = gone(90_000, true).with(|case| case.current.complete = false);
    assert!(!forgets(&cut_short));
    let empty = gone(90_000, true).with(|case| case.current.names.clear());
    assert!(!forgets(&empty), "an empty list where there were names is no list");
    let last = empty.with(|case| {
        case.desired.names.clear();
        case.ledger.remove(&name("stay.example"))
    });
    assert!(forgets(&last), "we removed the last name ourselves");
}

#[test]
fn a_name_of_clostes_own_that_an_older_version_managed_is_held_for_good() {
    const OWN: &str = "app-0123456789abcdef01234567.closte.com";
    let mut case = case().in_place(&[OWN]).with(|case| case.policy.allow_removals = true);
    case.desired.names.clear();
    let plan = case.plan();
    assert_eq!(plan.decisions, [(name(OWN), Decision::Held(Guard::ClostesOwn))]);
    assert!(plan.is_settled());
    // Nothing is reported: its row is there.
    assert_eq!(plan.changes[0].transition, None);
    // It is not checked, and no certificate is requested for it.
    assert_eq!(entry_after(&plan, OWN).undesired_since, Some(now()));
}

#[test]
fn a_new_leader_waits_for_a_grace_of_its_own() {
    let led_for = |seconds| {
        let case = case().unmapped(&["old.example"], 9_000);
        case.with(|case| case.policy.leading_since = Some(ago(seconds))).decision()
    };
    let until = now() + SignedDuration::from_secs(1);
    assert_eq!(led_for(119), Decision::Held(Guard::Grace { until }));
    assert_eq!(led_for(120), Decision::Remove { undesired_since: ago(9_000) });
    let until = now() + SignedDuration::from_secs(120);
    assert_eq!(led_for(-50), Decision::Held(Guard::Grace { until }), "the clock was set");
}
