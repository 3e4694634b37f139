//! What a result counts for: a name that worked and seems not to is checked a second time first.

use std::time::Duration;

use jiff::Timestamp;

use super::transition::{Transition, transition};
use crate::{
    events::Event,
    state::CheckedDomain,
    status::{CheckResult, DomainStatus},
};

/// Joins results with what is remembered, for the daemon and for `closte-sync check`.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// `checks.attention_after`
    attention_after: Duration,
    /// Closte's page where certificates are seen to.
    panel: Option<String>,
}

/// What follows from a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// What is remembered from now on.
    pub status: DomainStatus,
    /// What there is to say.
    pub events: Vec<Event>,
    /// Whether the name worked until now, with no doubt about it.
    pub was_beyond_doubt: bool,
    /// Whether the name worked and seems not to: it counts as working until it is checked again.
    pub needs_second_check: bool,
}

impl Verifier {
    /// `panel` is Closte's page where certificates are seen to, if it is known.
    pub fn new(attention_after: Duration, panel: Option<String>) -> Self {
        Self { attention_after, panel }
    }

    /// Joins a result with what is remembered of the name.
    pub fn verify(&self, checked: &CheckedDomain, seen: CheckResult, now: Timestamp) -> Verified {
        let previous = checked.status.as_ref();
        let was_beyond_doubt =
            previous.is_some_and(|it| it.latest.works() && it.suspect_since.is_none());
        let (name, facts, panel) = (&checked.name, &checked.facts, self.panel.as_deref());
        let transition = transition(name, previous, seen, facts, panel, self.attention_after, now);
        let needs_second_check = transition.is_doubt();
        let Transition { status, events } = transition;
        Verified { status, events, was_beyond_doubt, needs_second_check }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{checks::generated::observations, status::LedgerInfo};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    proptest! {
        #[test]
        fn what_works_does_until_two_checks_in_a_row_say_otherwise(
            all in prop::collection::vec(observations(at(0)), 1..12),
        ) {
            let verifier = Verifier::new(Duration::from_secs(86_400), None);
            let mut checked = CheckedDomain {
                name: "www.shop.example".parse().unwrap(),
                facts: LedgerInfo::default(),
                status: None,
                due_at: None,
                request: None,
            };
            for (second, seen) in (60..).step_by(60).zip(all) {
                let before = checked.status.clone();
                let worked = before.as_ref().is_some_and(|it| it.latest.works());
                let was_in_doubt = before.as_ref().is_some_and(|it| it.suspect_since.is_some());
                let Verified { status, was_beyond_doubt, needs_second_check, .. } =
                    verifier.verify(&checked, seen, at(second));
                prop_assert_eq!(was_beyond_doubt, worked && !was_in_doubt);
                prop_assert_eq!(needs_second_check, status.suspect_since.is_some());
                prop_assert!(!(needs_second_check && was_in_doubt), "a third look is not waited for");
                prop_assert!(!needs_second_check || status.latest.works());
                if was_beyond_doubt {
                    prop_assert!(status.latest.works());
                }
                checked.status = Some(status);
            }
        }
    }
}
