//! The events of a cycle. What happens to many names is one line in the log, and an event for each name
//! in the state database.

use crate::{
    domain::DomainName,
    events::{Event, EventBatch},
    ledger::Entry,
    plan::{LedgerChange, LedgerTransition},
};

/// Up to this many names have a line each.
const FEW: usize = 10;
/// How many names the one line for all has.
const EXAMPLES: usize = 3;

/// The events of changes of the ledger, and of so many names that it adopts.
pub(super) fn of_changes(adopted: usize, changes: &[LedgerChange]) -> EventBatch {
    let with = |transition| move |change: &&LedgerChange| change.transition == Some(transition);
    let some = |transition| changes.iter().filter(with(transition));
    let mut batch = EventBatch::default();
    for transition in [LedgerTransition::Unmapped, LedgerTransition::MappedAgain] {
        batch.logged.extend(some(transition).filter_map(of_change));
    }
    for (transition, remedy) in [
        (
            LedgerTransition::Lost,
            "they are added again; if it repeats, ask who else works in the account",
        ),
        (LedgerTransition::NotListed, "they are tried again; if it repeats, ask Closte's support"),
        (
            LedgerTransition::StillListed,
            "they are tried again; if it repeats, ask Closte's support",
        ),
    ] {
        let names: Vec<&DomainName> = some(transition).map(|change| &change.name).collect();
        let events = some(transition).filter_map(of_change);
        if names.len() <= FEW {
            batch.logged.extend(events);
            continue;
        }
        batch.unlogged.extend(events);
        let (domains, examples) = (names.len() as u64, examples(&names));
        let remedy = remedy.to_owned();
        batch.logged.push(match transition {
            LedgerTransition::NotListed => Event::DomainsNotListed { domains, examples, remedy },
            LedgerTransition::StillListed => {
                Event::DomainsStillListed { domains, examples, remedy }
            }
            _ => Event::DomainsLost { domains, examples, remedy },
        });
    }
    if adopted > 0 {
        batch.logged.push(Event::Adopted { domains: adopted as u64 });
    }
    batch
}

fn of_change(change: &LedgerChange) -> Option<Event> {
    let domain = change.name.clone();
    let blog_id = change.entry.as_ref().and_then(|entry| entry.origin.blog_id);
    let attempt = change.entry.as_ref().map_or(0, Entry::attempts);
    match change.transition? {
        LedgerTransition::Unmapped => Some(Event::Unmapped { domain, blog_id }),
        LedgerTransition::MappedAgain => Some(Event::MappedAgain { domain, blog_id }),
        LedgerTransition::Lost => Some(Event::Lost { domain, blog_id }),
        LedgerTransition::NotListed => Some(Event::NotListed { domain, blog_id, attempt }),
        LedgerTransition::StillListed => Some(Event::StillListed { domain, blog_id, attempt }),
        LedgerTransition::Forgotten => None,
    }
}

/// The events of the calls of a cycle.
#[derive(Debug)]
pub(super) struct Tally {
    /// How many lost names were added again, if there are too many for a line each.
    restored: Option<u64>,
    failed: Vec<DomainName>,
    /// Of the last call that failed.
    error: String,
}

impl Tally {
    /// For a cycle that adds `lost` names again.
    pub(super) fn new(lost: usize) -> Self {
        let restored = (lost > FEW).then_some(0);
        Self { restored, failed: Vec::new(), error: String::new() }
    }

    /// Adds the event of a call, which may add a lost name again.
    pub(super) fn add(&mut self, event: Event, was_lost: bool, batch: &mut EventBatch) {
        match (&event, &mut self.restored) {
            (Event::Added { .. }, Some(restored)) if was_lost => {
                *restored += 1;
                batch.unlogged.push(event);
            }
            (
                Event::AddFailed { domain, error, .. } | Event::RemoveFailed { domain, error, .. },
                _,
            ) => {
                self.error.clone_from(error);
                self.failed.push(domain.clone());
                if self.failed.len() <= FEW {
                    batch.logged.push(event);
                } else {
                    batch.unlogged.push(event);
                }
            }
            _ => batch.logged.push(event),
        }
    }

    /// The lines that stand for many names.
    pub(super) fn summary(self) -> Vec<Event> {
        let restored = self.restored.filter(|domains| *domains > 0);
        let restored = restored.map(|domains| Event::DomainsRestored { domains });
        let failed = (self.failed.len() > FEW).then(|| Event::CallsFailed {
            domains: self.failed.len() as u64,
            examples: examples(&self.failed.iter().collect::<Vec<_>>()),
            error: self.error,
            remedy: "closte-sync status shows the error of each".to_owned(),
        });
        restored.into_iter().chain(failed).collect()
    }
}

fn examples(names: &[&DomainName]) -> Vec<DomainName> {
    names.iter().take(EXAMPLES).map(|&name| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ledger::RowRef;

    fn changes(transition: LedgerTransition, number: usize) -> Vec<LedgerChange> {
        let change = |index| LedgerChange {
            name: format!("shop{index:04}.example").parse().unwrap(),
            entry: Some(Entry::new(RowRef::default(), Timestamp::UNIX_EPOCH)),
            transition: Some(transition),
        };
        (0..number).map(change).collect()
    }

    #[test]
    fn what_happens_to_many_names_is_one_line_and_an_event_for_each() {
        for (transition, one, many) in [
            (LedgerTransition::Lost, "domain.lost", "sync.domains_lost"),
            (LedgerTransition::NotListed, "domain.not_listed", "sync.domains_not_listed"),
            (LedgerTransition::StillListed, "domain.still_listed", "sync.domains_still_listed"),
        ] {
            let few = of_changes(0, &changes(transition, 10));
            assert!(few.logged.len() == 10 && few.unlogged.is_empty());
            assert!(few.logged.iter().all(|event| event.name() == one));
            let batch = of_changes(0, &changes(transition, 2_000));
            let [summary] = &batch.logged[..] else { panic!("{:?}", batch.logged) };
            assert_eq!((summary.name(), batch.unlogged.len()), (many, 2_000));
            let detail = summary.detail();
            assert_eq!(detail["domains"], 2_000);
            let examples = ["shop0000.example", "shop0001.example", "shop0002.example"];
            assert_eq!(detail["examples"], serde_json::json!(examples));
        }
    }

    #[test]
    fn many_names_that_are_added_again_are_counted() {
        let logged = |lost: usize| {
            let (mut tally, mut batch) = (Tally::new(lost), EventBatch::default());
            for change in changes(LedgerTransition::Lost, lost) {
                let added =
                    Event::Added { domain: change.name, blog_id: None, attempt: 1, took_ms: 1 };
                tally.add(added, true, &mut batch);
            }
            let new = Event::Added {
                domain: "new.example".parse().unwrap(),
                blog_id: None,
                attempt: 1,
                took_ms: 1,
            };
            tally.add(new, false, &mut batch);
            (batch.logged.len(), batch.unlogged.len(), tally.summary())
        };
        assert_eq!(logged(10), (11, 0, vec![]));
        assert_eq!(logged(2_000), (1, 2_000, vec![Event::DomainsRestored { domains: 2_000 }]));
    }

    #[test]
    fn of_many_calls_that_fail_the_first_are_logged() {
        let (mut tally, mut batch) = (Tally::new(0), EventBatch::default());
        for change in changes(LedgerTransition::Lost, 2_000) {
            let error = "no room".to_owned();
            let next_attempt = Timestamp::UNIX_EPOCH;
            let failed = Event::AddFailed {
                domain: change.name,
                blog_id: None,
                attempt: 1,
                error,
                next_attempt,
            };
            tally.add(failed, false, &mut batch);
        }
        assert_eq!((batch.logged.len(), batch.unlogged.len()), (10, 1_990));
        let [Event::CallsFailed { domains: 2_000, error, .. }] = &tally.summary()[..] else {
            panic!()
        };
        assert_eq!(error, "no room");
    }
}
