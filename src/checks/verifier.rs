use std::time::Duration;

use jiff::Timestamp;

use super::transition::{Transition, transition};
use crate::{
    events::Event,
    state::CheckedDomain,
    status::{CheckResult, DomainStatus},
};

/// Computes the status after a check, for the daemon and for `closte-sync check`. A name that worked and
/// seems to have stopped keeps its status until a second check confirms that.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// `checks.attention_after`
    attention_after: Duration,
    /// The page of Closte's panel for certificates, if it is known.
    panel: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    pub status: DomainStatus,
    pub events: Vec<Event>,
    /// Whether the name worked at the check before, and was not suspect.
    pub was_healthy: bool,
    /// Whether the name worked and seems to have stopped: it counts as working until a second check.
    pub needs_second_check: bool,
}

impl Verifier {
    pub fn new(attention_after: Duration, panel: Option<String>) -> Self {
        Self { attention_after, panel }
    }

    pub fn verify(&self, checked: &CheckedDomain, result: CheckResult, now: Timestamp) -> Verified {
        let previous = checked.status.as_ref();
        let was_healthy =
            previous.is_some_and(|it| it.latest.works() && it.suspect_since.is_none());
        let (name, facts, panel) = (&checked.name, &checked.facts, self.panel.as_deref());
        let Transition { status, events } =
            transition(name, previous, result, facts, panel, self.attention_after, now);
        let needs_second_check = status.suspect_since.is_some();
        Verified { status, events, was_healthy, needs_second_check }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{checks::strategies::check_results, ledger::LedgerInfo};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    proptest! {
        #[test]
        fn a_working_name_stops_only_after_two_checks_in_a_row(
            all in prop::collection::vec(check_results(at(0)), 1..12),
        ) {
            let verifier = Verifier::new(Duration::from_secs(86_400), None);
            let mut checked = CheckedDomain {
                name: "www.shop.example".parse().unwrap(),
                facts: LedgerInfo::default(),
                status: None,
                due_at: None,
                request: None,
            };
            for (second, result) in (60..).step_by(60).zip(all) {
                let before = checked.status.clone();
                let worked = before.as_ref().is_some_and(|it| it.latest.works());
                let was_suspect = before.as_ref().is_some_and(|it| it.suspect_since.is_some());
                let Verified { status, was_healthy, needs_second_check, .. } =
                    verifier.verify(&checked, result, at(second));
                prop_assert_eq!(was_healthy, worked && !was_suspect);
                prop_assert_eq!(needs_second_check, status.suspect_since.is_some());
                prop_assert!(!(needs_second_check && was_suspect), "there is no third check");
                prop_assert!(!needs_second_check || status.latest.works());
                if was_healthy {
                    prop_assert!(status.latest.works());
                }
                checked.status = Some(status);
            }
        }
    }
}
