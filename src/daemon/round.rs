//! What the daemon does again and again, once: for a process that ends afterwards.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{catch_panic, health::Heartbeats, note_end, service};
use crate::{
    checks::Scheduler,
    events::EventBatch,
    events::conditions::Conditions,
    leader::Leader,
    notify::{CycleHeartbeat, Notifier},
    reconciler::{CycleOutcome, CycleResult, Reconciler, Shutdown},
    state::{FileLock, State, StateError},
};

/// How long notifications may take that are due at the end.
const LONGEST_TELLING: Duration = Duration::from_secs(30);

/// The running parts, built from the settings.
pub struct RoundComponents {
    pub reconciler: Reconciler,
    pub leader: Leader,
    pub scheduler: Scheduler,
    pub notifier: Notifier,
    /// None where `notify.heartbeat_url` is not set.
    pub heartbeat: Option<CycleHeartbeat>,
}

/// How a round ended.
#[derive(Debug)]
pub struct RoundOutcome {
    pub cycle: CycleOutcome,
    /// How many domains were checked.
    pub checked: usize,
}

/// Runs one cycle and the checks that are due, and tells the targets of notifications what is due. It goes
/// on with the conditions of the round before.
///
/// # Errors
/// The state database's, where the conditions cannot be read.
pub async fn run_round(
    parts: RoundComponents,
    state: &State,
    lock: &FileLock,
    stop: &Shutdown,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<RoundOutcome, StateError> {
    let heartbeats = Heartbeats::default();
    let (leader, ended) = (parts.leader.clone(), CancellationToken::new());
    let run = async {
        // Boxed as in `daemon::run`.
        let outcome = Box::pin(run_parts(parts, state, stop, progress, &heartbeats)).await;
        ended.cancel();
        outcome
    };
    let run = async { tokio::join!(run, leader.watch(|| {}, &ended)).0 };
    let outcome = tokio::select! {
        outcome = run => outcome,
        never = service::send_heartbeats(&heartbeats, lock) => match never {},
    };
    leader.resign().await;
    outcome
}

async fn run_parts(
    parts: RoundComponents,
    state: &State,
    stop: &Shutdown,
    progress: &(dyn Fn(usize, usize) + Sync),
    heartbeats: &Heartbeats,
) -> Result<RoundOutcome, StateError> {
    let RoundComponents { mut reconciler, leader, scheduler, notifier, heartbeat } = parts;
    let kept = state.kept_conditions().await?;
    reconciler.resume(Conditions::restored(kept, Timestamp::now()));
    let alive = |done, of| {
        heartbeats.sync_is_alive();
        progress(done, of);
    };
    // Boxed: the nested futures exceed the compiler's recursion limit.
    let cycle = catch_panic(Box::pin(reconciler.cycle(stop, &alive))).await;
    let mut conditions = reconciler.take_conditions();
    let batch = EventBatch::of(conditions.update(cycle.findings(state.path()), Instant::now()));
    note_end(state, &cycle, &batch, reconciler.now()).await;

    let draining = stop.draining();
    let checks_are_alive = || {
        heartbeats.sync_is_alive();
        heartbeats.checks_are_alive();
    };
    let (conditions, checked) = scheduler.run_round(conditions, draining, &checks_are_alive).await;
    if let Err(error) = state.keep_conditions(&conditions.kept(Timestamp::now())).await {
        tracing::debug!(%error, "the conditions are not kept");
    }

    let standing: Vec<&str> = conditions.reported().collect();
    let telling = draining.child_token();
    let told = async {
        let told = notifier.run_round(&standing, &telling);
        tokio::pin!(told);
        match timeout(LONGEST_TELLING, &mut told).await {
            Ok(told) => told,
            Err(_) => {
                telling.cancel();
                told.await
            }
        }
    };
    let is_good = cycle.result() == CycleResult::Ok;
    let beat = async {
        if let Some(heartbeat) = heartbeat.filter(|_| leader.standing().tells()) {
            draining.run_until_cancelled(heartbeat.run_round(is_good)).await;
        }
    };
    if let (Err(error), ()) = tokio::join!(told, beat) {
        tracing::debug!(%error, "notifications wait");
    }
    Ok(RoundOutcome { cycle, checked })
}
