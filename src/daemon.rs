//! The daemon: both loops until it is told to stop, whatever the other ends do.

mod endpoint;
mod metrics;
mod service;
mod signals;
mod troubles;
mod vitals;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rand::RngExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use endpoint::{Endpoint, EndpointError, Listener, Token};
pub use signals::{Signal, signals};

use crate::{
    checks::Clock,
    event::Event,
    state::{FileLock, State},
    sync::{CycleError, Report, Sync},
};
use troubles::Troubles;
use vitals::Vitals;

/// The longest pause that failures make of `sync.interval`.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The longest pause that a `Retry-After` makes: a broken one must not silence the daemon for years.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// What the daemon runs, as the settings would have it.
pub struct Parts {
    /// The first loop.
    pub sync: Sync,
    /// The second loop.
    pub clock: Clock,
    /// `sync.interval`
    pub interval: Duration,
    /// Where others can ask how it does.
    pub endpoint: Option<Endpoint>,
}

/// Runs both loops until a signal asks for the end: cycles every interval, give or take a tenth, and
/// the checks by their clock. Calls in flight are then finished. A signal for new settings asks
/// `reload` for new parts, and for what there is to tell about them; where it has a reason not to
/// give any, the old ones go on.
pub async fn run(
    mut parts: Parts,
    state: &State,
    lock: &FileLock,
    mut signals: mpsc::Receiver<Signal>,
    mut reload: impl FnMut() -> Result<(Parts, Vec<Event>), String>,
) {
    let vitals = Arc::new(Vitals::default());
    let mut troubles = Troubles::default();
    loop {
        service::ready();
        let stop = CancellationToken::new();
        let attend = async {
            let next = attend(&mut signals, state, &mut reload).await;
            stop.cancel();
            next
        };
        let run = run_parts(parts, state, &stop, &vitals, &mut troubles);
        let both = async { tokio::join!(run, attend).1 };
        let next = tokio::select! {
            next = both => next,
            never = service::show_life(&vitals.pulse, lock) => match never {},
        };
        match next {
            Some(next) => parts = next,
            None => return,
        }
    }
}

/// Waits for a signal that ends these parts. The next ones are the result, if there are any.
async fn attend(
    signals: &mut mpsc::Receiver<Signal>,
    state: &State,
    reload: &mut impl FnMut() -> Result<(Parts, Vec<Event>), String>,
) -> Option<Parts> {
    loop {
        match signals.recv().await.unwrap_or(Signal::Stop("the end of all signals")) {
            Signal::Stop(name) => {
                service::stopping();
                tell(state, Event::Stopping { signal: name.to_owned() }).await;
                return None;
            }
            Signal::Reload => {
                service::reloading();
                match reload() {
                    Ok((parts, news)) => {
                        for event in news {
                            tell(state, event).await;
                        }
                        return Some(parts);
                    }
                    Err(error) => {
                        tell(state, Event::ReloadRefused { error }).await;
                        service::ready();
                    }
                }
            }
        }
    }
}

/// Runs all parts until `stop`, and to their orderly end.
async fn run_parts(
    parts: Parts,
    state: &State,
    stop: &CancellationToken,
    vitals: &Arc<Vitals>,
    troubles: &mut Troubles,
) {
    let Parts { sync, clock, interval, endpoint } = parts;
    let closed = CancellationToken::new();
    let endpoint = endpoint.map(|endpoint| {
        tokio::spawn(endpoint.serve(vitals.clone(), state.clone(), closed.clone()))
    });
    let checks = tokio::spawn({
        let (stop, vitals) = (stop.clone(), vitals.clone());
        async move { clock.run(&stop, &|| vitals.pulse.checks_are_alive()).await }
    });
    let checks = async {
        if let Err(error) = checks.await {
            tell(state, Event::ChecksEnded { error: error.to_string() }).await;
        }
    };
    tokio::join!(run_cycles(sync, state, interval, stop, vitals, troubles), checks);
    // It answers to the last.
    closed.cancel();
    if let Some(Err(error)) = futures_util::future::OptionFuture::from(endpoint).await {
        tracing::debug!(%error, "the endpoint broke off");
    }
}

async fn run_cycles(
    mut sync: Sync,
    state: &State,
    interval: Duration,
    stop: &CancellationToken,
    vitals: &Vitals,
    troubles: &mut Troubles,
) {
    let mut failures = 0;
    while !stop.is_cancelled() {
        vitals.pulse.sync_is_alive();
        let started = Instant::now();
        let outcome = sync.cycle(stop, &|_, _| vitals.pulse.sync_is_alive()).await;
        if stop.is_cancelled() {
            return;
        }
        vitals.note_cycle(&outcome, started.elapsed());
        service::status(&outcome);
        for event in troubles.judge(&outcome, Timestamp::now()) {
            tell(state, event).await;
        }
        failures = if has_failed(&outcome) { failures + 1 } else { 0 };
        let pause = pause(interval, failures, asked_to_wait(&outcome));
        stop.run_until_cancelled(rest(pause, vitals)).await;
    }
}

/// Pauses, and shows meanwhile that the loop is alive.
async fn rest(pause: Duration, vitals: &Vitals) {
    let end = tokio::time::Instant::now() + pause;
    while tokio::time::Instant::now() < end {
        vitals.pulse.sync_is_alive();
        let tick = tokio::time::Instant::now() + Duration::from_secs(1);
        tokio::time::sleep_until(end.min(tick)).await;
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

#[cfg(test)]
mod tests {
    use super::*;

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
