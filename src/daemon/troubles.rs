use std::time::Instant;

use crate::{
    closte::ClosteError,
    event::Event,
    lasting::Lasting,
    sync::{CycleError, Report},
};

/// What lasts: told when it begins, at growing intervals, and when it ends.
#[derive(Debug, Default)]
pub(super) struct Troubles(Lasting<Area>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Area {
    WordPress,
    Closte,
    State,
    List,
    Removals,
}

impl Troubles {
    /// What there is to tell after a cycle.
    pub(super) fn judge(
        &mut self,
        outcome: &Result<Report, CycleError>,
        now: Instant,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        match outcome {
            Ok(report) => {
                self.ends(Area::WordPress, now, &mut events);
                self.ends(Area::State, now, &mut events);
                // A quiet cycle asked nothing of Closte, so it knows nothing new of it.
                if !report.quiet {
                    self.judge_report(report, now, &mut events);
                }
            }
            Err(CycleError::Source(error)) => {
                let error = error.to_string();
                let event = |for_s| Event::SourceFailed { error, for_s };
                self.lasts(Area::WordPress, event, now, &mut events);
            }
            Err(CycleError::Closte(error) | CycleError::Stopped { outage: Some(error) }) => {
                self.ends(Area::WordPress, now, &mut events);
                self.lasts(Area::Closte, |for_s| closte_event(error, for_s), now, &mut events);
            }
            Err(CycleError::State(error)) if error.is_told() => {}
            // Whatever panics in a cycle but the reading of the network, works on the state.
            Err(error @ (CycleError::State(_) | CycleError::Fault(_))) => {
                let error = error.to_string();
                self.lasts(
                    Area::State,
                    |for_s| Event::StateFailed { error, for_s },
                    now,
                    &mut events,
                );
            }
            Err(CycleError::Stopped { outage: None }) => {}
        }
        events
    }

    fn judge_report(&mut self, report: &Report, now: Instant, events: &mut Vec<Event>) {
        match &report.outage {
            Some(error) => {
                self.lasts(Area::Closte, |for_s| closte_event(error, for_s), now, events)
            }
            None => self.ends(Area::Closte, now, events),
        }
        match &report.odd_elements {
            Some((elements, example)) => {
                let (elements, example) = (*elements as u64, example.clone());
                let event = |for_s| Event::ListIncomplete { elements, example, for_s };
                self.lasts(Area::List, event, now, events);
            }
            None => self.ends(Area::List, now, events),
        }
        match &report.surprise {
            Some(surprise) => {
                let event = |for_s| Event::RemovalsHeld {
                    domains: surprise.domains as u64,
                    managed: surprise.managed as u64,
                    reason: surprise.reason().to_owned(),
                    remedy: "if it is meant: closte-sync apply --allow-removals".to_owned(),
                    for_s,
                };
                self.lasts(Area::Removals, event, now, events);
            }
            None => self.ends(Area::Removals, now, events),
        }
    }

    fn lasts(
        &mut self,
        area: Area,
        event: impl FnOnce(u64) -> Event,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        events.extend(self.0.lasts(area, event, now));
    }

    fn ends(&mut self, area: Area, now: Instant, events: &mut Vec<Event>) {
        let Some(after_s) = self.0.ends(area, now) else {
            return;
        };
        events.push(match area {
            Area::WordPress => Event::SourceRecovered { after_s },
            Area::Closte => Event::ClosteRecovered { after_s },
            Area::State => Event::StateRecovered { after_s },
            Area::List => Event::ListComplete { after_s },
            Area::Removals => Event::RemovalsReleased { after_s },
        });
    }
}

fn closte_event(error: &ClosteError, for_s: u64) -> Event {
    let error_text = error.to_string();
    match error {
        ClosteError::KeyRejected(_) => Event::KeyRejected { error: error_text, for_s },
        _ => Event::ClosteFailed { error: error_text, for_s },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn unreachable() -> Result<Report, CycleError> {
        let reason = "connection refused".to_owned();
        Err(CycleError::Closte(ClosteError::Unreachable { reason, timed_out: false }))
    }

    #[test]
    fn a_lasting_failure_is_told_at_growing_intervals_and_when_it_ends() {
        let mut troubles = Troubles::default();
        let mut told = Vec::new();
        let began = Instant::now();
        let at = |second| began + Duration::from_secs(second);
        for second in 0..1_000 {
            for event in troubles.judge(&unreachable(), at(second)) {
                told.push((second, event.name()));
            }
        }
        let failed = "closte.failed";
        let expected = [(0, failed), (60, failed), (180, failed), (420, failed), (900, failed)];
        assert_eq!(told, expected);

        let quiet = Ok(Report { quiet: true, ..Report::default() });
        assert_eq!(troubles.judge(&quiet, at(1_000)), []);
        let ended = troubles.judge(&Ok(Report::default()), at(1_010));
        assert_eq!(ended, [Event::ClosteRecovered { after_s: 1_010 }]);
        assert_eq!(troubles.judge(&Ok(Report::default()), at(1_020)), []);
    }

    #[test]
    fn a_failure_of_another_kind_is_news() {
        let mut troubles = Troubles::default();
        let now = Instant::now();
        assert_eq!(troubles.judge(&unreachable(), now).len(), 1);
        let rejected = Err(CycleError::Closte(ClosteError::KeyRejected("no".to_owned())));
        let events = troubles.judge(&rejected, now);
        assert_eq!(events.first().map(Event::name), Some("closte.key_rejected"));
    }
}
