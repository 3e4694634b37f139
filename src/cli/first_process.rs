//! The program as the first process of a container. The system has no default actions for the signals to that one,
//! and when it ends the container ends, in which nobody can look what is wrong then.

use std::{process, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    app::Settings,
    events::Event,
    settings::Layers,
    telemetry::{self, Log, LogConfig, Stream},
};

/// How often it is looked whether what is waited for is there.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// While it is kept, signals end the first process. None for any other process, which the system ends.
pub(super) type EndedBySignals = Option<AbortOnDropHandle<()>>;

/// Whether this is the first process of a container.
pub(super) fn is_first_process() -> bool {
    process::id() == 1
}

/// As the first process, ends it on SIGINT and SIGTERM, until this is dropped. Any other process is ended by
/// the system.
pub(super) fn end_on_signals(is_daemon: bool) -> EndedBySignals {
    if !is_first_process() {
        return None;
    }
    let mut interrupt = signal(SignalKind::interrupt()).ok()?;
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    let ending = async move {
        let number = tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
            _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
        };
        // As a shell has it. To be stopped is what a daemon is for.
        process::exit(if is_daemon { 0 } else { 128 + number });
    };
    Some(AbortOnDropHandle::new(tokio::spawn(ending)))
}

/// Waits while a secret or `wp-config.php` is missing and nothing else is wrong, and says so once. Returns the
/// log, where it was started for that.
pub(super) async fn wait_for_files(layers: &Layers) -> Option<Log> {
    let mut log = None;
    let mut said = String::new();
    while let Some(missing) = Settings::missing_files(layers) {
        log.get_or_insert_with(|| {
            let LogConfig { format, filter } = LogConfig::read_alone(layers);
            telemetry::start(format, &filter, Stream::Err)
        });
        let error = missing.to_string();
        if error != said {
            said.clone_from(&error);
            let remedy = "put it there: the daemon starts then, without a restart";
            Event::AwaitsFiles { error, remedy: remedy.to_owned() }.log();
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    log
}
