use std::fmt::Write as _;

use indicatif::ProgressBar;

use super::{
    error::CommandError,
    exit,
    first_process::EndedBySignals,
    output::{FAIR, paint, print, print_json, progress_bar},
};
use crate::{
    app::{App, Overrides},
    daemon,
    domain::DomainName,
    reconciler::{CycleError, CycleOutcome, CycleReport, Found, Reconciler, Shutdown},
    state::State,
};

/// `ended_by_signals` is dropped when signals end the cycle instead.
pub(super) async fn execute(
    app: &App,
    as_json: bool,
    ended_by_signals: EndedBySignals,
) -> Result<u8, CommandError> {
    // A missing setting is reported before a state database is created.
    app.clients()?;
    let state = State::open(&app.settings().state.path).await?;
    let mut reconciler = app.reconciler(&state)?;
    reject_unknown(&reconciler, &app.overrides().named).await?;
    let stop = until_signal(app, ended_by_signals);
    let bar = progress_bar("calls");
    let outcome = reconciler.cycle(&stop, &|done, of| advance(&bar, done, of)).await;
    bar.finish_and_clear();
    reconciler.resign().await;
    if outcome.report().is_none() {
        daemon::note_failure(&state, &outcome, reconciler.now()).await;
    }
    state.close().await;
    let is_settled = outcome.is_settled();
    let CycleOutcome { found, stopped_by } = outcome;
    let Found::Compared(report) = found else {
        return stopped_by.map_or(Ok(exit::OK), |error| Err(error.into()));
    };
    if as_json {
        print_json(&report)?;
    } else {
        print(&to_text(&report, stopped_by.as_ref(), app.overrides()))?;
    }
    Ok(if is_settled { exit::OK } else { exit::DONE_IN_PART })
}

/// # Errors
/// [`CommandError::NotManaged`] with those of these names that are neither desired nor managed.
pub(super) async fn reject_unknown(
    reconciler: &Reconciler,
    named: &[DomainName],
) -> Result<(), CommandError> {
    if named.is_empty() {
        return Ok(());
    }
    let unknown = reconciler.unknown_names(named).await?;
    if unknown.is_empty() { Ok(()) } else { Err(CommandError::NotManaged(unknown)) }
}

/// Asks to stop at the first signal.
pub(super) fn until_signal(app: &App, ended_by_signals: EndedBySignals) -> Shutdown {
    let stop = Shutdown::default();
    let asked_to_stop = stop.clone();
    let mut signals = daemon::signals(app.trigger().clone());
    drop(ended_by_signals);
    tokio::spawn(async move {
        signals.recv().await;
        asked_to_stop.force();
    });
    stop
}

/// Shows how many calls of how many are done.
pub(super) fn advance(bar: &ProgressBar, done: usize, of: usize) {
    if of > 0 {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    }
}

pub(super) fn to_text(
    report: &CycleReport,
    stopped_by: Option<&CycleError>,
    overrides: &Overrides,
) -> String {
    let mut text = format!(
        "{} added, {} removed; {} of {} desired names were in place",
        report.added, report.removed, report.in_place, report.desired
    );
    for (number, word) in [
        (report.covered, "covered"),
        (report.records, "domain records written"),
        (report.records_waiting, "domain records not written yet"),
        (report.refused, "refused"),
        (report.invalid, "invalid"),
        (report.failed, "failed or waiting"),
        (report.missing, "missing"),
        (report.unconfirmed, "to be confirmed by Closte's next list"),
        (report.held, "held"),
    ] {
        if number > 0 {
            let _ = write!(text, ", {number} {word}");
        }
    }
    text.push('\n');
    for line in notes(report, stopped_by, overrides.create_record.as_ref()) {
        let _ = writeln!(text, "{}", paint(FAIR, line));
    }
    text
}

/// What is not done, and what to do about it.
fn notes(
    report: &CycleReport,
    stopped_by: Option<&CycleError>,
    create_record: Option<&DomainName>,
) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |line| notes.push(line);
    if let Some(why) = &report.standby {
        note(format!(
            "nothing was added, removed or written: {why}; run it where that daemon runs, with its state"
        ));
    }
    if let Some(mass_removal) = &report.mass_removal {
        note(format!(
            "held: {} of {} managed names would be removed ({}); if that is intended: closte-sync \
             apply --allow-removals",
            mass_removal.domains,
            mass_removal.managed,
            mass_removal.reason()
        ));
    } else if report.held > 0 {
        note("held: see `closte-sync plan` for the reason of each".to_owned());
    }
    if report.missing > 0 {
        note(
            "missing: Closte listed them before; they are added again if they are missing from its \
             too"
                .to_owned(),
        );
    }
    if let (Some(domain), Some(reason)) = (create_record, &report.record_refused) {
        note(format!("no domain record for {domain}: {reason}"));
    }
    if report.records_waiting > 0 {
        note(
            "domain records are written when their sites have been without them for \
             sync.record_grace: see `closte-sync plan`"
                .to_owned(),
        );
    }
    if let Some(error) = stopped_by {
        note(format!("the cycle stopped: {error}"));
    }
    if report.failed > 0 || report.refused > 0 {
        note("see `closte-sync status` for Closte's answer about each".to_owned());
    }
    notes
}
