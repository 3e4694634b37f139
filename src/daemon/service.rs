//! What systemd is told: that the daemon is ready, how it does, and that it is alive (sd_notify(3)).
//! Elsewhere all of this does nothing.

use std::{convert::Infallible, time::Duration};

use libsystemd::daemon::{self, NotifyState};
use rustix::time::{ClockId, clock_gettime};

use super::health::{ALIVE_WITHIN, Heartbeats};
use crate::{
    escape::escape_line,
    reconciler::{CycleError, CycleOutcome, Found},
    state::FileLock,
};

/// How often it is shown that the daemon is alive, where nobody asks for it more often.
const BEAT: Duration = Duration::from_secs(10);

/// Shows that both loops are alive, as long as they are: to systemd's watchdog where there is one,
/// and to `closte-sync health` by the lock file.
pub(super) async fn show_life(heartbeats: &Heartbeats, lock: &FileLock) -> Infallible {
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
            tracing::debug!(%error, "the lock file does not show that the daemon is alive");
        }
    }
}

pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// From here until it is ready again the settings are reloaded.
pub(super) fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    let now_us = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
    let now = NotifyState::Other(format!("MONOTONIC_USEC={now_us}"));
    notify(&[NotifyState::Reloading, now]);
}

pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// New settings that are not taken up show in `systemctl status`, too: `systemctl reload` itself
/// cannot fail.
pub(super) fn reload_refused(error: &str) {
    notify_status(&format!("The new settings are wrong, the old ones stay: {error}"));
}

/// The line that `systemctl status` shows. `found` is what the last cycle that compared both ends
/// found, `refusal` why new settings were not taken up.
pub(super) fn status(outcome: &CycleOutcome, found: &mut String, refusal: Option<String>) {
    let mut line = match (&outcome.found, &outcome.stopped_by) {
        (_, Some(CycleError::Stopped)) => return,
        (Found::Nothing, Some(error)) => format!("The last cycle was broken off: {error}"),
        // What was found still holds.
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
    if let Some(refusal) = refusal {
        line.push_str("; the new settings were refused: ");
        line.push_str(&refusal);
    }
    notify_status(&line);
}

/// A line break would end it.
fn notify_status(text: &str) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    notify(&[NotifyState::Status(escape_line(&lines.join(" ")).into_owned())]);
}

/// A service manager that does not listen is no reason to do anything else.
fn notify(state: &[NotifyState]) {
    if let Err(error) = daemon::notify(false, state) {
        tracing::debug!(%error, "systemd was not told");
    }
}
