//! Runs both loops until a signal stops them.

pub(crate) mod health;
mod round;
mod service;
mod signals;
pub(crate) mod timer;
mod watchdog;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use jiff::Timestamp;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

pub use round::{RoundComponents, RoundOutcome, run_round};
pub use signals::{Signal, signals};

use crate::{
    checks::Scheduler,
    closte::ClosteError,
    events::conditions::Conditions,
    events::{Event, EventBatch},
    http::AdminServer,
    leader::Leader,
    notify::{CycleHeartbeat, Notifier},
    panics,
    reconciler::{CycleError, CycleOutcome, CycleResult, Reconciler, Shutdown},
    state::{FileLock, State, StateError},
};
use health::Health;
use timer::EndedCycle;
pub use timer::{CycleTimer, Trigger};

/// The longest time to record an event: a busy state database must not delay signals.
const LONGEST_RECORDING: Duration = Duration::from_secs(2);

/// The longest time that the checks wait for the end of the first cycle. Both go through the whole ledger,
/// and the cycle comes first.
const FIRST_CYCLE: Duration = Duration::from_secs(5);

/// The running parts, built from the settings.
pub struct Components {
    pub reconciler: Reconciler,
    pub leader: Leader,
    pub scheduler: Scheduler,
    pub timer: CycleTimer,
    /// None where `http.listen` is not set.
    pub admin_server: Option<AdminServer>,
    pub notifier: Notifier,
    /// None where `notify.heartbeat_url` is not set.
    pub heartbeat: Option<CycleHeartbeat>,
}

/// The state of the first loop, which survives a reload.
#[derive(Default)]
struct LoopState {
    conditions: Conditions,
    /// Consecutive cycles that failed.
    failures: u32,
    /// Why calls were skipped, until a call succeeds.
    outage: Option<ClosteError>,
    /// The end of Closte's `Retry-After`.
    quiet_until: Option<tokio::time::Instant>,
    /// The status line of the last cycle that compared both ends.
    status: String,
}

impl LoopState {
    /// Applies a cycle's outcome. An outage lasts until a cycle shows its end.
    fn note(&mut self, outcome: &mut CycleOutcome, now: tokio::time::Instant) {
        self.quiet_until = outcome.retry_after().map(|wait| now + wait);
        if outcome.shows_no_end_of_outage()
            && let Some(outage) = &self.outage
        {
            outcome.stopped_by = Some(outage.clone().into());
            return;
        }
        match outcome.result() {
            CycleResult::Ok => (self.failures, self.outage) = (0, None),
            CycleResult::Stopped => {}
            _ => self.failures += 1,
        }
        if let Some(outage) = outcome.outage() {
            self.outage = Some(outage.clone());
        }
    }
}

/// Runs both loops until a signal stops them; calls in flight are then finished, if that does not take
/// long. On SIGHUP, `reload` builds new parts from the new settings, and the events that report them.
/// They replace the old ones when all calls in flight have finished. Where it fails, the old ones stay.
pub async fn run(
    mut parts: Components,
    state: &State,
    lock: &FileLock,
    mut signals: mpsc::Receiver<Signal>,
    mut reload: impl FnMut() -> Result<(Components, Vec<Event>), String>,
) {
    let health = Arc::new(Health::default());
    watchdog::start(&health);
    let mut loop_state = LoopState::default();
    loop {
        service::ready();
        let stop = Shutdown::default();
        let ended = CancellationToken::new();
        let leader = parts.leader.clone();
        // Boxed, as each future around them would hold them twice, on the stack of the main thread.
        let run = async {
            Box::pin(run_parts(parts, state, lock, &stop, &health, &mut loop_state)).await;
            ended.cancel();
        };
        let attend = Box::pin(attend(&mut signals, state, &stop, &ended, &health, &mut reload));
        let both = async { tokio::join!(run, attend).1 };
        let next = tokio::select! {
            next = both => next,
            never = service::send_heartbeats(&health.heartbeats, lock) => match never {},
        };
        match next {
            Some(next) => parts = next,
            None => return leader.resign().await,
        }
    }
}

/// Handles signals until the parts have ended. Returns the parts that replace them, if any.
async fn attend(
    signals: &mut mpsc::Receiver<Signal>,
    state: &State,
    stop: &Shutdown,
    ended: &CancellationToken,
    health: &Health,
    reload: &mut impl FnMut() -> Result<(Components, Vec<Event>), String>,
) -> Option<Components> {
    let mut next = None;
    while let Some(signal) = ended.run_until_cancelled(signals.recv()).await {
        match signal.unwrap_or(Signal::Stop("the end of all signals")) {
            Signal::Stop(name) => {
                service::stopping();
                stop.force();
                emit(state, Event::Stopping { signal: name }).await;
                ended.cancelled().await;
                return None;
            }
            Signal::Reload => {
                service::reloading();
                match reload() {
                    Ok((parts, events)) => {
                        for event in events {
                            emit(state, event).await;
                        }
                        health.note_refusal(None);
                        stop.drain();
                        next = Some(parts);
                    }
                    Err(error) => {
                        service::reload_refused(&error);
                        health.note_refusal(Some(error.clone()));
                        emit(state, Event::ReloadRefused { error }).await;
                        if next.is_none() {
                            service::ready();
                        }
                    }
                }
            }
        }
    }
    next
}

async fn run_parts(
    parts: Components,
    state: &State,
    lock: &FileLock,
    stop: &Shutdown,
    health: &Arc<Health>,
    loop_state: &mut LoopState,
) {
    let Components { reconciler, leader, scheduler, timer, admin_server, notifier, heartbeat } =
        parts;
    let closed = CancellationToken::new();
    let admin_server = admin_server
        .map(|server| tokio::spawn(server.serve(health.clone(), state.clone(), closed.clone())));
    let notifier = tokio::spawn({
        let stop = stop.clone();
        let heartbeat = heartbeat.map(|heartbeat| (heartbeat, health.is_good.subscribe()));
        let leader = leader.clone();
        async move {
            let heartbeat = async {
                if let Some((heartbeat, cycles)) = heartbeat {
                    heartbeat.run(cycles, &leader, stop.draining()).await;
                }
            };
            tokio::join!(notifier.run(stop.draining()), heartbeat);
        }
    });
    let checks = tokio::spawn({
        let (stop, health) = (stop.clone(), health.clone());
        async move {
            let first_cycle = timeout(FIRST_CYCLE, health.first_cycle.cancelled());
            stop.draining().run_until_cancelled(first_cycle).await;
            scheduler.run(stop.draining(), &|| health.heartbeats.checks_are_alive()).await;
        }
    });
    let checks = async {
        if let Err(error) = checks.await {
            emit(state, Event::ChecksEnded { error: error.to_string() }).await;
        }
    };
    let watch = async {
        let trigger = timer.trigger.clone();
        leader.watch(|| trigger.pull(), stop.draining()).await;
    };
    let cycles = Cycles { reconciler, leader: leader.clone(), timer: timer.clone() };
    tokio::join!(run_cycles(cycles, state, lock, stop, health, loop_state), checks, watch);
    if let Err(error) = notifier.await {
        tracing::debug!(%error, "the notifier failed");
    }
    // The admin server stops last, so that it can report the drain.
    closed.cancel();
    if let Some(Err(error)) = futures_util::future::OptionFuture::from(admin_server).await {
        tracing::debug!(%error, "the admin server failed");
    }
}

/// The parts of the first loop.
struct Cycles {
    reconciler: Reconciler,
    leader: Leader,
    timer: CycleTimer,
}

async fn run_cycles(
    Cycles { mut reconciler, leader, timer }: Cycles,
    state: &State,
    lock: &FileLock,
    stop: &Shutdown,
    health: &Health,
    loop_state: &mut LoopState,
) {
    let until_stopped = stop.draining();
    if let Some(end) = loop_state.quiet_until {
        let quiet = alive_until(tokio::time::sleep_until(end), health);
        until_stopped.run_until_cancelled(quiet).await;
    }
    while !until_stopped.is_cancelled() {
        health.heartbeats.sync_is_alive();
        let begun = tokio::time::Instant::now();
        let alive = |_, _| health.heartbeats.sync_is_alive();
        reconciler.try_at_once(timer.trigger.take_named());
        // Boxed: the nested futures exceed the compiler's recursion limit.
        let mut outcome = match verify_files(state, lock).await {
            Ok(()) => catch_panic(Box::pin(reconciler.cycle(stop, &alive))).await,
            Err(error) => CycleError::from(error).into(),
        };
        let took = begun.elapsed();
        let now = tokio::time::Instant::now();
        loop_state.note(&mut outcome, now);
        health.note_cycle(&outcome, took);
        service::status(&outcome, &mut loop_state.status, &leader.standing(), health.refusal());
        let batch = EventBatch::of(
            loop_state.conditions.update(outcome.findings(state.path()), Instant::now()),
        );
        note_end(state, &outcome, &batch, reconciler.now()).await;
        let last = EndedCycle {
            begun,
            read_took: reconciler.read_took(),
            failures: loop_state.failures,
            list_again_after: outcome.list_again_after(),
            quiet_until: loop_state.quiet_until,
        };
        let pause = alive_until(timer.until_next(last), health);
        until_stopped.run_until_cancelled(pause).await;
    }
}

/// Turns a panic into an error of this cycle only: the next one reads everything again.
async fn catch_panic(cycle: impl Future<Output = CycleOutcome>) -> CycleOutcome {
    let outcome = AssertUnwindSafe(cycle).catch_unwind().await;
    outcome.unwrap_or_else(|panic| CycleError::Fault(panics::reason(&*panic)).into())
}

/// Fails where the state database or its lock file was deleted or replaced.
async fn verify_files(state: &State, lock: &FileLock) -> Result<(), StateError> {
    state.check_file().await?;
    lock.keep(state)
}

/// Waits for the future, with a heartbeat every second.
async fn alive_until(future: impl Future<Output = ()>, health: &Health) {
    tokio::pin!(future);
    loop {
        health.heartbeats.sync_is_alive();
        if timeout(Duration::from_secs(1), &mut future).await.is_ok() {
            return;
        }
    }
}

/// Logs the event and records it. Where recording fails, it is logged all the same.
pub async fn emit(state: &State, event: Event) {
    with_time_limit(state.emit(&EventBatch::of([event]), Timestamp::now())).await;
}

/// Records that a cycle stopped early, without a log line, for callers that print the error.
pub async fn note_failure(state: &State, outcome: &CycleOutcome, now: Timestamp) {
    let unlogged = Conditions::default().update(outcome.findings(state.path()), Instant::now());
    note_end(state, outcome, &EventBatch { logged: Vec::new(), unlogged }, now).await;
}

/// Records how a cycle ended, with its events.
async fn note_end(state: &State, outcome: &CycleOutcome, batch: &EventBatch, now: Timestamp) {
    match (outcome.result(), &outcome.stopped_by) {
        (CycleResult::WordPressFailed | CycleResult::ClosteFailed, Some(error))
            if outcome.report().is_none() =>
        {
            with_time_limit(state.cycle_failed(&error.to_string(), batch, now)).await;
        }
        _ => with_time_limit(state.emit(batch, now)).await,
    }
}

async fn with_time_limit(writing: impl Future<Output = Result<(), StateError>>) {
    match timeout(LONGEST_RECORDING, writing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an event was not recorded"),
        Err(_) => tracing::debug!("an event was not recorded: the state database is busy"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconciler::{CycleReport, Found};

    fn limited() -> CycleError {
        ClosteError::RateLimited { retry_after: Some(Duration::from_secs(600).into()) }.into()
    }

    fn compared(failed: usize, tried: usize) -> Found {
        Found::Compared(CycleReport { failed, tried, ..CycleReport::default() })
    }

    #[test]
    fn an_outage_lasts_until_a_call_has_shown_its_end() {
        let now = tokio::time::Instant::now();
        let mut loop_state = LoopState::default();
        let mut note = |found, stopped_by| {
            let mut outcome = CycleOutcome { found, stopped_by };
            loop_state.note(&mut outcome, now);
            let quiet = loop_state.quiet_until.map(|end| (end - now).as_secs());
            (outcome.result(), loop_state.failures, quiet)
        };
        let (failed, ok) = (CycleResult::ClosteFailed, CycleResult::Ok);
        assert_eq!(note(compared(3, 0), None), (ok, 0, None));
        assert_eq!(note(compared(3, 0), Some(limited())), (failed, 1, Some(600)));
        let still = (failed, 1, None);
        assert_eq!(note(compared(3, 0), None), still, "the list works, the names still wait");
        assert_eq!(note(Found::Unchanged, None), still);
        let stopped = note(Found::Nothing, Some(CycleError::Stopped));
        assert_eq!(stopped, (CycleResult::Stopped, 1, None));
        let cut = note(compared(3, 1), Some(limited()));
        assert_eq!(cut, (failed, 2, Some(600)), "a reload forgets no Retry-After");
        assert_eq!(note(compared(3, 1), None), (ok, 0, None));
        assert_eq!(note(compared(3, 0), None), (ok, 0, None));
    }

    #[tokio::test]
    async fn a_panic_is_a_failed_cycle() {
        let outcome = catch_panic(async { panic!("no such row: {}", 7) }).await;
        let error = outcome.stopped_by.as_ref().unwrap().to_string();
        assert!(error.contains("no such row: 7"), "{error}");
        let events = Conditions::default()
            .update(outcome.findings(std::path::Path::new("state.db")), Instant::now());
        let names: Vec<_> = events.iter().map(Event::name).collect();
        assert_eq!(names, ["state.failed"]);
    }

    #[test]
    fn the_state_recovers_while_closte_still_fails() {
        let file = std::path::Path::new("state.db");
        let mut conditions = Conditions::default();
        let failed = CycleOutcome::from(CycleError::from(StateError::Locked));
        conditions.update(failed.findings(file), Instant::now());
        let outage = CycleOutcome { found: compared(1, 1), stopped_by: Some(limited()) };
        let events = conditions.update(outage.findings(file), Instant::now());
        let names: Vec<_> = events.iter().map(Event::name).collect();
        assert_eq!(names, ["closte.failed", "state.recovered"]);
    }
}
