//! What an observation of the lock makes of what was known before. Pure.

use serde::Serialize;

use crate::events::Event;

/// What the database says of the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Observation {
    /// It was free, and this process has taken it.
    Taken,
    /// This process, or another one with the same state, has it.
    Ours,
    /// Another state's process has it: who that is.
    Others(String),
    /// There is no answer: why.
    Failed(String),
    /// The database cannot decide: why.
    Unsupported(String),
}

/// Whether this daemon leads, as far as it knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// The database was not asked yet.
    Unknown,
    Leads,
    /// Another one leads: who that is.
    Standby {
        leader: String,
    },
    /// Nobody is known to lead, and this daemon does not.
    Leaderless {
        reason: String,
    },
    /// It acts as if it were alone. The reason is none where nobody has to decide.
    Alone {
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

impl Standing {
    /// Whether it may change anything outside.
    pub fn acts(&self) -> bool {
        matches!(self, Self::Leads | Self::Alone { .. })
    }

    /// Whether it tells people. While nobody is known to lead somebody has to, and being told twice does no
    /// harm.
    pub fn tells(&self) -> bool {
        !matches!(self, Self::Unknown | Self::Standby { .. })
    }

    /// Why it does not act.
    pub fn why_not(&self) -> Option<String> {
        match self {
            Self::Leads | Self::Alone { .. } => None,
            Self::Unknown => Some("it is not known yet who leads".to_owned()),
            Self::Standby { leader } => Some(format!("{leader} leads")),
            Self::Leaderless { reason } => Some(format!("nobody is known to lead: {reason}")),
        }
    }
}

/// What is known after an observation. `is_required` is `leader.enabled = "on"`.
pub(super) fn after(before: &Standing, seen: &Observation, is_required: bool) -> Standing {
    match seen {
        Observation::Taken | Observation::Ours => Standing::Leads,
        Observation::Others(leader) => Standing::Standby { leader: leader.clone() },
        Observation::Failed(reason) => match before {
            // Nothing says that the other one has ended.
            Standing::Standby { .. } => before.clone(),
            _ => Standing::Leaderless { reason: reason.clone() },
        },
        Observation::Unsupported(reason) if is_required => {
            Standing::Leaderless { reason: reason.clone() }
        }
        Observation::Unsupported(reason) => Standing::Alone { reason: Some(reason.clone()) },
    }
}

/// What to report of the change.
pub(super) fn report(before: &Standing, seen: &Observation, after: &Standing) -> Option<Event> {
    use Standing::{Alone, Leaderless, Leads, Standby, Unknown};
    match (before, after) {
        (Leads | Alone { .. }, Standby { .. })
        | (Leads | Alone { .. } | Unknown, Leaderless { .. }) => {
            Some(Event::LeaderLost { reason: after.why_not()? })
        }
        (Standby { leader: old }, Standby { leader: new }) if old == new => None,
        (_, Standby { leader }) => Some(Event::LeaderStandby { leader: leader.clone() }),
        (Alone { .. }, Alone { .. }) => None,
        (_, Alone { reason: Some(reason) }) => Some(Event::LeaderUndecided {
            reason: reason.clone(),
            remedy: "run one daemon only, and set leader.enabled = \"off\"".to_owned(),
        }),
        _ if *seen == Observation::Taken => Some(Event::LeaderAcquired {
            after: match before {
                Standby { leader } => Some(leader.clone()),
                _ => None,
            },
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_text() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["connection 7".to_owned(), "connection 9".to_owned()])
    }

    fn any_observation() -> impl Strategy<Value = Observation> {
        prop_oneof![
            Just(Observation::Taken),
            Just(Observation::Ours),
            any_text().prop_map(Observation::Others),
            any_text().prop_map(Observation::Failed),
            any_text().prop_map(Observation::Unsupported),
        ]
    }

    proptest! {
        #[test]
        fn only_a_lock_that_is_ours_or_that_cannot_be_makes_it_act(
            seen in prop::collection::vec(any_observation(), 1..20), is_required in any::<bool>(),
        ) {
            let mut standing = Standing::Unknown;
            for one in &seen {
                let next = after(&standing, one, is_required);
                let is_ours = matches!(one, Observation::Taken | Observation::Ours);
                let is_alone = matches!(one, Observation::Unsupported(_)) && !is_required;
                prop_assert_eq!(next.acts(), is_ours || is_alone);
                prop_assert_eq!(next.acts(), next.why_not().is_none());
                let is_standby = matches!(next, Standing::Standby { .. });
                prop_assert_eq!(next.tells(), !is_standby);
                // What changes is said, and what does not is not.
                let event = report(&standing, one, &next);
                if standing == next && *one != Observation::Taken {
                    prop_assert_eq!(event, None);
                } else if standing.acts() && !next.acts() {
                    prop_assert_eq!(event.map(|event| event.name()), Some("leader.lost"));
                } else if *one == Observation::Taken {
                    prop_assert_eq!(event.map(|event| event.name()), Some("leader.acquired"));
                }
                standing = next;
            }
        }
    }

    #[test]
    fn a_standby_that_gets_no_answer_stays_one_and_is_silent() {
        let standby = Standing::Standby { leader: "connection 7".to_owned() };
        let seen = Observation::Failed("no route".to_owned());
        assert_eq!(after(&standby, &seen, false), standby);
        assert!(!standby.tells());
        let leaderless = after(&Standing::Leads, &seen, false);
        assert!(leaderless.tells() && !leaderless.acts());
    }
}
