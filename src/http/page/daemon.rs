//! The daemon's own state.

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{domain::events, layout::ago};
use crate::{
    daemon::health::Readiness,
    leader::Standing,
    span::span,
    state::{LastCycle, Recorded},
};

pub(super) struct DaemonPage<'a> {
    pub(super) readiness: &'a Readiness,
    /// Whether both loops are alive.
    pub(super) is_alive: bool,
    /// Why the last reload was refused.
    pub(super) refusal: Option<&'a str>,
    pub(super) last_cycle: &'a LastCycle,
    /// The newest of all, oldest first.
    pub(super) events: &'a [Recorded],
    pub(super) now: Timestamp,
}

/// One sentence about the daemon, and whether all is well with it.
pub(super) fn sentence(readiness: &Readiness, is_alive: bool) -> (String, bool) {
    let last = readiness.last_cycle.as_ref();
    let text = match last {
        _ if !is_alive => "A loop of the daemon hangs: restart it".to_owned(),
        None => "The first cycle has not ended yet".to_owned(),
        Some(last) => match &last.error {
            Some(_) => format!("The last cycle, {} ago, failed", span_of(last.age_s)),
            None => match readiness.leader.why_not() {
                Some(why) => {
                    format!("A standby: {why}; the last cycle was {} ago", span_of(last.age_s))
                }
                None => format!("The last cycle was {} ago", span_of(last.age_s)),
            },
        },
    };
    (text, is_alive && readiness.ready)
}

fn span_of(seconds: u64) -> String {
    span(std::time::Duration::from_secs(seconds))
}

impl DaemonPage<'_> {
    pub(super) fn render(&self) -> Markup {
        let Self { readiness, is_alive, last_cycle, now, .. } = self;
        let (sentence, is_well) = sentence(readiness, *is_alive);
        let error = readiness.last_cycle.as_ref().and_then(|last| last.error.as_ref());
        let class = if is_well { "good" } else { "bad" };
        html! {
            div.head { h1 { "The daemon" } }
            p class={ "callout " (class) } {
                (sentence)
                @if let Some(error) = error { ": " (error) }
            }
            @if let Standing::Alone { reason: Some(reason) } = &readiness.leader {
                p.callout { "It is not decided which of several daemons leads: " (reason) }
            }
            @if let Some(why) = self.refusal {
                p.callout.bad { "The last reload was refused, the old settings are in force: " (why) }
            }
            section.card aria-labelledby="cycle" {
                h2 id="cycle" { "The last cycle that changed or compared something" }
                @match last_cycle.completed_at {
                    Some(at) => p { "Completed " (ago(at, *now)) }
                    None => p { "None was completed yet." }
                }
                @if let Some((at, error)) = &last_cycle.failure {
                    p.callout.bad { "One failed since, " (ago(*at, *now)) ": " (error) }
                }
                dl.figures {
                    @for (name, number) in figures(last_cycle) { dt { (name) } dd { (number) } }
                }
                p.faint { "closte-sync " (env!("CARGO_PKG_VERSION")) }
            }
            section.card aria-labelledby="events" {
                h2 id="events" { "What happened, newest first" }
                (events(self.events.iter().rev(), *now))
            }
        }
    }
}

/// The numbers of the cycle's report that are not 0.
fn figures(last_cycle: &LastCycle) -> Vec<(String, u64)> {
    let summary = last_cycle.summary.as_deref().unwrap_or_default();
    let summary: Map<String, Value> = serde_json::from_str(summary).unwrap_or_default();
    let number = |(name, value): (String, Value)| {
        Some((name.replace('_', " "), value.as_u64().filter(|number| *number > 0)?))
    };
    summary.into_iter().filter_map(number).collect()
}
