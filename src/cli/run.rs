use tokio::signal::unix::{SignalKind, signal};

use super::{CommandError, Ends, exit};
use crate::{checks::Time, daemon, event::Event, settings::Settings, state::State, sync::Sync};

pub(super) async fn execute(settings: &Settings) -> Result<u8, CommandError> {
    let Ends { source, closte, account, rules } = Ends::of(settings, false)?;
    let state = State::open(&settings.state_path).await?;
    let _only_daemon = state.lock_for_daemon()?;
    let clock = super::clock(settings, &state, settings.checks.pace, Time::default())?;
    let started = Event::Started {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: settings.database()?.to_string(),
        closte: settings.closte.base_url.to_string(),
        state: settings.state_path.display().to_string(),
    };
    daemon::tell(&state, started).await;
    let sync = Sync::new(source, closte, account, state.clone(), rules);
    daemon::run(sync, clock, &state, settings.sync.interval, shutdown_signal()).await;
    daemon::tell(&state, Event::Stopped {}).await;
    state.close().await;
    Ok(exit::OK)
}

/// Waits for SIGTERM or SIGINT and yields its name. A second one ends the process at once.
pub(super) async fn shutdown_signal() -> &'static str {
    let name = next_signal().await;
    tokio::spawn(async {
        next_signal().await;
        std::process::exit(i32::from(exit::ERROR));
    });
    name
}

async fn next_signal() -> &'static str {
    // Only a process that is out of file descriptors cannot listen; then the signals keep their
    // usual effect, and end it.
    let (Ok(mut term), Ok(mut int)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    }
}
