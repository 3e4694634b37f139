use std::time::Duration;

use tokio::time::timeout;

use super::{error::CommandError, exit};
use crate::{
    app::{App, Settings},
    daemon,
    events::Event,
    panics,
    settings::Layers,
    state::State,
    telemetry::Log,
};

/// Closing only tidies up: everything is committed before.
const LONGEST_CLOSING: Duration = Duration::from_secs(2);

pub(super) async fn execute(mut app: App, layers: &Layers, log: &Log) -> Result<u8, CommandError> {
    panics::log_all();
    let signals = daemon::signals(app.trigger().clone());
    let state = State::open(&app.settings().state.path).await?;
    let lock = state.lock_for_daemon()?;
    let (components, events) = app.components(&state)?;
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
        log.change(settings.log.format, &settings.log.filter);
        Ok(reloaded)
    };
    daemon::run(components, &state, &lock, signals, reload).await;
    daemon::emit(&state, Event::Stopped {}).await;
    // A state database that is busy does not delay the exit.
    let _ = timeout(LONGEST_CLOSING, state.close()).await;
    Ok(exit::OK)
}
