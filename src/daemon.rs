//! The daemon: both loops until it is told to stop, whatever the other ends do.

mod service;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rand::RngExt as _;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::{
    checks::Clock,
    closte::ClosteError,
    event::Event,
    lasting::Lasting,
    state::State,
    sync::{CycleError, Report, Sync},
};
use service::Pulse;

/// The longest pause that failures make of `sync.interval`.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The longest pause that a `Retry-After` makes: a broken one must not silence the daemon for years.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// Runs both loops until `shutdown` yields the name of a signal: cycles every `interval`, give or
/// take a tenth, and the checks by their clock. A cycle under way then finishes the calls that are in
/// flight.
pub async fn run(
    sync: Sync,
    clock: Clock,
    state: &State,
    interval: Duration,
    shutdown: impl Future<Output = &'static str>,
) {
    let stop = CancellationToken::new();
    let pulse = Arc::new(Pulse::new());
    let checks = tokio::spawn({
        let (stop, pulse) = (stop.clone(), pulse.clone());
        async move { clock.run(&stop, &|| pulse.checks_are_alive()).await }
    });
    service::ready();
    let cycles = run_cycles(sync, state, interval, &stop, &pulse, shutdown);
    tokio::select! {
        () = cycles => {}
        () = pulse.feed_watchdog() => {}
    }
    stop.cancel();
    if let Err(error) = checks.await {
        tell(state, Event::ChecksEnded { error: error.to_string() }).await;
    }
}

async fn run_cycles(
    mut sync: Sync,
    state: &State,
    interval: Duration,
    stop: &CancellationToken,
    pulse: &Pulse,
    shutdown: impl Future<Output = &'static str>,
) {
    let mut troubles = Troubles::default();
    let mut failures = 0;
    tokio::pin!(shutdown);
    loop {
        let (outcome, signal) = {
            pulse.sync_is_alive();
            let progress = |_, _| pulse.sync_is_alive();
            let cycle = sync.cycle(stop, &progress);
            tokio::pin!(cycle);
            tokio::select! {
                outcome = &mut cycle => (outcome, None),
                signal = &mut shutdown => {
                    service::stopping();
                    tell(state, Event::Stopping { signal: signal.to_owned() }).await;
                    stop.cancel();
                    (cycle.await, Some(signal))
                }
            }
        };
        if signal.is_some() {
            break;
        }
        service::status(&outcome);
        for event in troubles.judge(&outcome, Timestamp::now()) {
            tell(state, event).await;
        }
        failures = if has_failed(&outcome) { failures + 1 } else { 0 };
        let pause = pause(interval, failures, asked_to_wait(&outcome));
        tokio::select! {
            () = rest(pause, pulse) => {}
            signal = &mut shutdown => {
                service::stopping();
                tell(state, Event::Stopping { signal: signal.to_owned() }).await;
                break;
            }
        }
    }
}

/// Pauses, and shows meanwhile that the loop is alive.
async fn rest(pause: Duration, pulse: &Pulse) {
    let end = Instant::now() + pause;
    while Instant::now() < end {
        pulse.sync_is_alive();
        sleep_until(end.min(Instant::now() + Duration::from_secs(1))).await;
    }
}

/// Logs what happened and writes it down. Where that fails, the log has it at least.
pub async fn tell(state: &State, event: Event) {
    event.log();
    if let Err(error) = state.record_events(&[event], Timestamp::now()).await {
        tracing::debug!(%error, "an event was not written down");
    }
}

fn has_failed(outcome: &Result<Report, CycleError>) -> bool {
    outcome.as_ref().map_or(true, |report| report.outage.is_some())
}

/// How long Closte asked to be left alone.
fn asked_to_wait(outcome: &Result<Report, CycleError>) -> Option<Duration> {
    match outcome {
        Err(CycleError::Closte(error)) => error.retry_after(),
        Ok(Report { outage: Some(error), .. }) => error.retry_after(),
        _ => None,
    }
}

/// The time to the next cycle: the interval, doubled for every failure in a row after the first,
/// with a jitter of a tenth so that many daemons do not ask at once.
fn pause(interval: Duration, failures: u32, asked: Option<Duration>) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let pause = interval.saturating_mul(1 << doublings).min(LONGEST_PAUSE.max(interval));
    pause
        .mul_f64(rand::rng().random_range(0.9..1.1))
        .max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

/// What lasts: told when it begins, at growing intervals, and when it ends.
#[derive(Debug, Default)]
struct Troubles(Lasting<Area>);

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
    fn judge(&mut self, outcome: &Result<Report, CycleError>, now: Timestamp) -> Vec<Event> {
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
            Err(CycleError::Closte(error)) => {
                self.ends(Area::WordPress, now, &mut events);
                self.lasts(Area::Closte, |for_s| closte_event(error, for_s), now, &mut events);
            }
            Err(CycleError::State(error)) => {
                let error = error.to_string();
                self.lasts(
                    Area::State,
                    |for_s| Event::StateFailed { error, for_s },
                    now,
                    &mut events,
                );
            }
            Err(CycleError::Stopped) => {}
        }
        events
    }

    fn judge_report(&mut self, report: &Report, now: Timestamp, events: &mut Vec<Event>) {
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
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        events.extend(self.0.lasts(area, event, now));
    }

    fn ends(&mut self, area: Area, now: Timestamp, events: &mut Vec<Event>) {
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
    use super::*;

    fn unreachable() -> Result<Report, CycleError> {
        let reason = "connection refused".to_owned();
        Err(CycleError::Closte(ClosteError::Unreachable { reason, timed_out: false }))
    }

    #[test]
    fn a_lasting_failure_is_told_at_growing_intervals_and_when_it_ends() {
        let mut troubles = Troubles::default();
        let mut told = Vec::new();
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
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
        assert_eq!(troubles.judge(&unreachable(), Timestamp::UNIX_EPOCH).len(), 1);
        let rejected = Err(CycleError::Closte(ClosteError::KeyRejected("no".to_owned())));
        let events = troubles.judge(&rejected, Timestamp::UNIX_EPOCH);
        assert_eq!(events.first().map(Event::name), Some("closte.key_rejected"));
    }

    #[test]
    fn failures_stretch_the_pause_and_closte_may_ask_for_more() {
        let second = Duration::from_secs(1);
        let pause_of = |failures, asked| pause(30 * second, failures, asked).as_secs_f64().round();
        assert!((27.0..=33.0).contains(&pause_of(0, None)));
        assert!((27.0..=33.0).contains(&pause_of(1, None)));
        assert!((108.0..=132.0).contains(&pause_of(3, None)));
        assert!((270.0..=330.0).contains(&pause_of(99, None)));
        assert!(pause_of(1, Some(600 * second)) >= 600.0);
        assert_eq!(pause_of(1, Some(Duration::MAX)), 3_600.0);
        let hourly = pause(3600 * second, 9, None).as_secs();
        assert!((3240..=3960).contains(&hourly));
    }
}
