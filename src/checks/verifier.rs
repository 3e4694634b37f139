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
