use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};

use super::{
    error::CommandError,
    exit,
    first_process::{EndedBySignals, LOOK_AGAIN, is_first_process},
};
use crate::{
    app::{App, Settings},
    daemon::{self, Signal},
    events::Event,
    panics,
    settings::Layers,
    state::{FileLock, State, StateError},
    telemetry::Log,
};

/// Closing only tidies up: everything is committed before.
const LONGEST_CLOSING: Duration = Duration::from_secs(2);

/// `ended_by_signals` is dropped when the daemon handles signals itself.
pub(super) async fn execute(
    mut app: App,
    layers: &Layers,
    log: &Log,
    ended_by_signals: EndedBySignals,
) -> Result<u8, CommandError> {
    panics::log_all();
    let mut signals = daemon::signals(app.trigger().clone());
    drop(ended_by_signals);
    let Some((state, lock)) = open(app.settings(), &mut signals).await? else {
        return Ok(exit::OK);
    };
    let (components, events) = app.components(&state)?;
    note_wp_config(&lock, app.settings());
    let settings = app.settings();
    let started = Event::Started {
        version: env!("CARGO_PKG_VERSION"),
        database: settings.database()?.to_string(),
        closte: settings.closte.base_url.to_string(),
        state: settings.state.path.display().to_string(),
    };
    daemon::emit(&state, started).await;
    for event in events {
        daemon::emit(&state, event).await;
    }
    let reload = || {
        let settings = Settings::load(layers).map_err(|error| error.to_string())?;
        let reloaded = app.reload(settings, &state).map_err(|error| error.to_string())?;
        let settings = app.settings();
        note_wp_config(&lock, settings);
        log.change(settings.log.format, &settings.log.filter);
        Ok(reloaded)
    };
    daemon::run(components, &state, &lock, signals, reload).await;
    daemon::emit(&state, Event::Stopped {}).await;
    // A state database that is busy does not delay the exit.
    let _ = timeout(LONGEST_CLOSING, state.close()).await;
    Ok(exit::OK)
}

/// Opens the state for the only daemon that uses it. As the first process of a container it waits while
/// there is another one: if it ended, it would be started again at once, and again. None if a signal ends the
/// wait.
async fn open(
    settings: &Settings,
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<Option<(State, FileLock)>, StateError> {
    let path = &settings.state.path;
    let mut is_said = false;
    loop {
        let has_daemon = || FileLock::daemon(path).is_ok_and(|daemon| daemon.is_some());
        if !(is_first_process() && has_daemon()) {
            let state = State::open(path).await?;
            match state.lock_for_daemon() {
                // Another one was faster.
                Err(StateError::DaemonRuns(_)) if is_first_process() => state.close().await,
                locked => return locked.map(|lock| Some((state, lock))),
            }
        }
        if !is_said {
            is_said = true;
            let remedy =
                "this one takes over when that one ends; if that is not intended, stop one of them";
            Event::Standby { state: path.display().to_string(), remedy: remedy.to_owned() }.log();
        }
        match timeout(LOOK_AGAIN, signals.recv()).await {
            Ok(Some(Signal::Stop(_)) | None) => return Ok(None),
            Ok(Some(Signal::Reload)) | Err(_) => {}
        }
    }
}

fn note_wp_config(lock: &FileLock, settings: &Settings) {
    lock.note_wp_config(settings.wordpress.wp_config.as_ref().map(|file| file.path.as_path()));
}
