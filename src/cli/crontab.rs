//! `apply --check`: what the daemon does, once. cron mails every line that it prints.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{
    apply::{advance, reject_unknown, to_text, until_signal},
    error::CommandError,
    events, exit,
    first_process::EndedBySignals,
    output::{complain, count, print, print_json, progress_bar},
};
use crate::{
    app::App,
    daemon::{self, RoundOutcome},
    reconciler::{CycleError, CycleOutcome, Found},
    state::{FileLock, Recorded, State, StateError},
};

/// Another process that gave no sign of life for this long hangs.
const ALIVE_WITHIN: Duration = Duration::from_secs(10 * 60);
/// The most events that are read and printed.
const MOST_READ: u32 = 10_000;
const MOST_PRINTED: usize = 100;
/// What may heal needs nobody before it has lasted for this long, in seconds.
const MAY_HEAL_WITHIN_S: u64 = 15 * 60;
/// Events that say what was tried, not what has changed.
const ATTEMPTS: [&str; 7] = [
    "domain.add_failed",
    "domain.remove_failed",
    "domain.not_listed",
    "domain.still_listed",
    "stage.not_written",
    "certificate.requested",
    "certificate.request_failed",
];

/// `ended_by_signals` is dropped when signals end the round instead.
pub(super) async fn execute(
    app: &App,
    is_quiet: bool,
    as_json: bool,
    ended_by_signals: EndedBySignals,
) -> Result<u8, CommandError> {
    // A missing setting is reported before a state database is created.
    app.clients()?;
    let state = State::open(&app.settings().state.path).await?;
    let lock = match state.lock_for_daemon() {
        Ok(lock) => lock,
        Err(error @ StateError::DaemonRuns(_)) => return busy(&state, error, is_quiet),
        Err(error) => return Err(error.into()),
    };
    let parts = app.round_components(&state)?;
    reject_unknown(&parts.reconciler, &app.overrides().named).await?;
    let last = state.events(None, None, 1).await?.pop().map_or(0, |event| event.id);
    let stop = until_signal(app, ended_by_signals);
    let bar = progress_bar("calls");
    let progress = |done, of| advance(&bar, done, of);
    let round = daemon::run_round(parts, &state, &lock, &stop, &progress).await;
    bar.finish_and_clear();
    let RoundOutcome { cycle, checked } = round?;
    if is_quiet {
        print_news(&state.events(None, Some(last), MOST_READ).await?)?;
    }
    state.close().await;
    let is_settled = cycle.is_settled();
    let CycleOutcome { found, stopped_by } = cycle;
    match (found, stopped_by) {
        // Its condition was reported above.
        (Found::Nothing, Some(CycleError::Source(_) | CycleError::Closte(_))) if is_quiet => {
            return Ok(exit::ERROR);
        }
        (Found::Nothing, Some(error)) => return Err(error.into()),
        (Found::Compared(report), _) if as_json => {
            let mut report = json!(report);
            if let Some(fields) = report.as_object_mut() {
                fields.insert("checked".to_owned(), json!(checked));
            }
            print_json(&report)?;
        }
        (Found::Compared(report), stopped_by) if !is_quiet => {
            let text = to_text(&report, stopped_by.as_ref(), app.overrides());
            print(&format!("{text}{} checked\n", count(checked, "domain")))?;
        }
        _ => {}
    }
    Ok(if is_settled { exit::OK } else { exit::DONE_IN_PART })
}

/// Another process does all this already. A quiet one says so only if that one hangs.
fn busy(state: &State, error: StateError, is_quiet: bool) -> Result<u8, CommandError> {
    let daemon = FileLock::daemon(state.path()).ok().flatten();
    let silence = daemon.and_then(|daemon| SystemTime::now().duration_since(daemon.last_beat).ok());
    if silence.is_some_and(|silence| silence > ALIVE_WITHIN) {
        return Err(error.into());
    }
    if !is_quiet {
        complain("nothing was done: another closte-sync is at it with this state database\n");
    }
    Ok(exit::BUSY)
}

/// Prints what has changed to standard output. What could heal, and has not for a while, goes to standard
/// error, where the log has the errors.
fn print_news(events: &[Recorded]) -> Result<(), CommandError> {
    let lasting: String =
        events.iter().filter(|event| is_lasting(event)).map(events::to_text).collect();
    complain(&lasting);
    let changes: Vec<&Recorded> = events.iter().filter(|event| is_change(event)).collect();
    let mut text: String =
        changes.iter().take(MOST_PRINTED).copied().map(events::to_text).collect();
    if let Some(more) = changes.len().checked_sub(MOST_PRINTED).filter(|more| *more > 0) {
        text.push_str(&format!("and {more} more: see `closte-sync events`\n"));
    }
    Ok(print(&text)?)
}

fn is_change(event: &Recorded) -> bool {
    let is_of_network = event.domain.is_some() || event.event.starts_with("ledger.");
    event.level != "ERROR" && is_of_network && !ATTEMPTS.contains(&event.event.as_str())
}

fn is_lasting(event: &Recorded) -> bool {
    let lasted = event.detail.get("for_s").and_then(serde_json::Value::as_u64);
    event.level == "WARN"
        && event.domain.is_none()
        && lasted.is_some_and(|for_s| for_s >= MAY_HEAL_WITHIN_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Event;

    #[test]
    fn attempts_are_events() {
        for name in ATTEMPTS {
            assert!(Event::LEVELS.iter().any(|(event, _)| *event == name), "{name}");
        }
    }
}
