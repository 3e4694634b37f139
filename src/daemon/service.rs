//! Readiness, status and watchdog for systemd (sd_notify(3)). Without systemd this does nothing.

use std::{convert::Infallible, time::Duration};

use libsystemd::daemon::{self, NotifyState};
use rustix::time::{ClockId, clock_gettime};

use super::health::{ALIVE_WITHIN, Heartbeats};
use crate::{
    escape::escape_line,
    leader::Standing,
    reconciler::{CycleError, CycleOutcome, Found},
    state::FileLock,
};

/// The interval of the heartbeat, unless systemd's watchdog asks for a shorter one.
const BEAT: Duration = Duration::from_secs(10);

/// While both loops are alive, notifies systemd's watchdog, and touches the lock file for
/// `closte-sync health`.
pub(super) async fn send_heartbeats(heartbeats: &Heartbeats, lock: &FileLock) -> Infallible {
    let watchdog = daemon::watchdog_enabled(false);
    let limit = watchdog.unwrap_or(ALIVE_WITHIN);
    let mut ticks = tokio::time::interval(BEAT.min(limit / 4).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        if !heartbeats.beat_within(limit) {
            continue;
        }
        if watchdog.is_some() {
            notify(&[NotifyState::Watchdog]);
        }
        if let Err(error) = lock.beat() {
            tracing::debug!(%error, "the lock file could not be touched");
        }
    }
}

pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// A reload lasts until the next [`ready`].
pub(super) fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    let now_us = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
    let now = NotifyState::Other(format!("MONOTONIC_USEC={now_us}"));
    notify(&[NotifyState::Reloading, now]);
}

pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// `systemctl status` shows the refusal: `systemctl reload` itself cannot fail.
pub(super) fn reload_refused(error: &str) {
    notify_status(&format!("The new settings are invalid, so the old ones stay in force: {error}"));
}

/// Sets the line of `systemctl status`. `found` is the line of the last cycle that compared both ends,
/// `refusal` why the last reload was refused.
pub(super) fn status(
    outcome: &CycleOutcome,
    found: &mut String,
    leader: &Standing,
    refusal: Option<String>,
) {
    let mut line = match (&outcome.found, &outcome.stopped_by) {
        (_, Some(CycleError::Stopped | CycleError::LeadLost)) => return,
        (Found::Nothing, Some(error)) => format!("The last cycle stopped early: {error}"),
        // The last comparison is still true.
        (Found::Nothing | Found::Unchanged, _) => found.clone(),
        (Found::Compared(report), stopped_by) => {
            let served = report.in_place + report.covered + report.added;
            let mut line =
                format!("{served} of {} desired domains are served by Closte", report.desired);
            for (number, word) in [
                (report.failed, "failing"),
                (report.missing, "missing"),
                (report.refused, "refused"),
                (report.held, "held"),
            ] {
                if number > 0 {
                    line.push_str(&format!(", {number} {word}"));
                }
            }
            if let Some(outage) = stopped_by {
                line.push_str(&format!("; {outage}"));
            }
            found.clone_from(&line);
            line
        }
    };
    if let Some(why) = leader.why_not() {
        line = format!("A standby: {why}; {line}");
    }
    if let Some(refusal) = refusal {
        line.push_str("; the new settings were refused: ");
        line.push_str(&refusal);
    }
    notify_status(&line);
}

/// A line break would end the status.
fn notify_status(text: &str) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    notify(&[NotifyState::Status(escape_line(&lines.join(" ")).into_owned())]);
}

/// A failure only concerns the display in `systemctl`.
fn notify(state: &[NotifyState]) {
    if let Err(error) = daemon::notify(false, state) {
        tracing::debug!(%error, "systemd could not be notified");
    }
}
