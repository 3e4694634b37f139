//! What events say about troubles. Pure.

use std::{collections::BTreeMap, time::Duration};

use super::topics::{self, Lasts, lasts};
use crate::{
    ledger::later,
    state::{EndedTrouble, OpenedTrouble, OutboxEvent, TroubleChanges},
};

/// A condition that still stands is raised again within this time after the daemon has started.
const RAISED_AGAIN_WITHIN: Duration = Duration::from_secs(5 * 60);

/// What some events say. An event that starts the daemon is alone or the first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) changes: TroubleChanges,
    /// The id of the last event.
    pub(super) cursor: i64,
    /// Whether an event concerns a domain or a mute: something else may have to be told.
    pub(super) may_have_ended: bool,
}

/// Folds the events up to the next start of the daemon. `wanted` is whether a target is told of an event.
pub(super) fn fold(events: &[OutboxEvent], wanted: impl Fn(&str) -> bool) -> Folded {
    let mut folded = Folded::default();
    let (mut opened, mut ended) = (BTreeMap::new(), BTreeMap::new());
    for (place, event) in events.iter().enumerate() {
        let name = event.name.as_str();
        if name == "daemon.started" {
            if place > 0 {
                break;
            }
            let until = later(event.at, RAISED_AGAIN_WITHIN);
            // Those of the last run are not known to stand any more.
            let conditions = topics::of_a_run().collect();
            folded.changes.in_doubt = Some((until.as_millisecond(), conditions));
        }
        folded.cursor = event.id;
        folded.may_have_ended |=
            event.domain.is_some() || ["notify.muted", "notify.unmuted"].contains(&name);
        let subject = topics::subject(name, event.domain.as_deref(), &event.detail);
        let at = event.at.as_millisecond();
        for ends in topics::ends(name) {
            let key = (ends.to_owned(), subject.clone(), 0);
            opened.remove(&key);
            let end = EndedTrouble { event: key.0.clone(), subject: key.1.clone(), at };
            ended.insert(key, end);
        }
        let occurrence = match lasts(name) {
            Lasts::Not if !wanted(name) => continue,
            Lasts::Not => event.id,
            _ => 0,
        };
        let detail = event.detail.to_string();
        let key = (name.to_owned(), subject.clone(), occurrence);
        let since = at;
        let new = OpenedTrouble { event: name.to_owned(), subject, occurrence, detail, since };
        let first: &mut OpenedTrouble = opened.entry(key).or_insert_with(|| new.clone());
        first.detail = new.detail;
    }
    folded.changes.opened = opened.into_values().collect();
    folded.changes.ended = ended.into_values().collect();
    folded
}

impl Folded {
    /// Whether nothing has to be kept.
    pub(super) fn is_nothing(&self) -> bool {
        self.changes == TroubleChanges::default()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn event(id: i64, name: &str, domain: Option<&str>) -> OutboxEvent {
        OutboxEvent {
            id,
            at: Timestamp::from_second(1_800_000_000 + id).unwrap(),
            name: name.to_owned(),
            domain: domain.map(str::to_owned),
            detail: json!({ "error": format!("number {id}") }),
        }
    }

    fn opened(folded: &Folded) -> Vec<(&str, &str, i64, i64)> {
        let all = folded.changes.opened.iter();
        all.map(|one| {
            (one.event.as_str(), one.subject.as_str(), one.occurrence, one.since / 1_000 % 1_000)
        })
        .collect()
    }

    #[test]
    fn the_same_trouble_is_opened_once_with_the_last_reason() {
        let events = [
            event(1, "dns.broke", Some("a.example")),
            event(2, "dns.broke", Some("a.example")),
            event(3, "dns.pending", Some("b.example")),
        ];
        let folded = fold(&events, |_| false);
        assert_eq!(opened(&folded), [("dns.broke", "a.example", 0, 1)]);
        assert_eq!(folded.changes.opened[0].detail, json!({ "error": "number 2" }).to_string());
        assert_eq!((folded.cursor, folded.may_have_ended), (3, true));
    }

    #[test]
    fn an_end_that_came_before_does_not_end_it() {
        let events = [
            event(1, "closte.failed", None),
            event(2, "closte.recovered", None),
            event(3, "closte.failed", None),
            event(4, "wordpress.failed", None),
            event(5, "wordpress.recovered", None),
        ];
        let folded = fold(&events, |_| false);
        assert_eq!(opened(&folded), [("closte.failed", "", 0, 3)]);
        let ended: Vec<_> = folded.changes.ended.iter().map(|one| one.event.as_str()).collect();
        assert_eq!(ended, ["closte.failed", "closte.key_rejected", "wordpress.failed"]);
    }

    #[test]
    fn what_does_not_last_is_told_each_time_to_those_who_want_it() {
        let live = [
            event(7, "domain.live", Some("a.example")),
            event(8, "domain.live", Some("a.example")),
        ];
        assert!(fold(&live, |_| false).is_nothing());
        let folded = fold(&live, |name| name == "domain.live");
        assert_eq!(
            opened(&folded),
            [("domain.live", "a.example", 7, 7), ("domain.live", "a.example", 8, 8)]
        );
    }

    #[test]
    fn a_start_is_folded_by_itself() {
        let events = [
            event(1, "wordpress.failed", None),
            event(2, "daemon.started", None),
            event(3, "wordpress.failed", None),
        ];
        let before = fold(&events, |_| false);
        assert_eq!((before.cursor, before.changes.in_doubt), (1, None));
        let after = fold(&events[1..], |_| false);
        let until = 1_800_000_302_000;
        assert_eq!(
            (after.cursor, after.changes.in_doubt.as_ref().map(|(at, _)| *at)),
            (3, Some(until))
        );
        assert_eq!(opened(&after), [("wordpress.failed", "", 0, 3)]);
    }
}
