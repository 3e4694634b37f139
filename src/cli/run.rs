use std::{path::PathBuf, time::Duration};

use tokio::time::timeout;

use super::{Clients, CommandError, exit};
use crate::{
    app::Settings,
    clock::Clock,
    closte::Calls,
    daemon::{self, Components},
    events::Event,
    http::{AdminServer, Listener},
    panics,
    reconciler::Reconciler,
    settings::Layers,
    state::State,
    telemetry::Log,
};

/// What is written is safe before it is closed.
const LONGEST_CLOSING: Duration = Duration::from_secs(2);

pub(super) async fn execute(
    settings: Settings,
    layers: &Layers,
    log: &Log,
) -> Result<u8, CommandError> {
    panics::log_all();
    let signals = daemon::signals();
    let state = State::open(&settings.state.path).await?;
    let lock = state.lock_for_daemon()?;
    let mut assembly = App { state: state.clone(), calls: Calls::default(), listener: None };
    let (parts, news) = assembly.parts(&settings)?;
    let started = Event::Started {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: settings.database()?.to_string(),
        closte: settings.closte.base_url.to_string(),
        state: settings.state.path.display().to_string(),
    };
    daemon::tell(&state, started).await;
    for event in news {
        daemon::tell(&state, event).await;
    }
    let mut current = settings;
    let reload = || {
        let settings = Settings::load(layers).map_err(|error| error.to_string())?;
        if settings.state.path != current.state.path {
            return Err("state.url cannot change while the daemon runs: restart it".to_owned());
        }
        if let Some(lost) = settings.lost_since(&current) {
            return Err(lost);
        }
        let (parts, mut news) = assembly.parts(&settings).map_err(|error| error.to_string())?;
        log.change(settings.log.format, &settings.log.filter);
        let changed = settings.changes_since(&current);
        let changed = (!changed.is_empty()).then(|| changed.join(", "));
        news.insert(0, Event::Reloaded { changed });
        current = settings;
        Ok((parts, news))
    };
    daemon::run(parts, &state, &lock, signals, reload).await;
    daemon::tell(&state, Event::Stopped {}).await;
    // A state database that another process keeps busy does not hold up the end.
    let _ = timeout(LONGEST_CLOSING, state.close()).await;
    Ok(exit::OK)
}

/// What makes the daemon's parts, as often as there are new settings.
struct App {
    state: State,
    /// Of all settings so far.
    calls: Calls,
    /// Stays open from settings to settings, as long as they want the same one.
    listener: Option<Listener>,
}

impl App {
    /// The parts, and what there is to tell about them.
    fn parts(&mut self, settings: &Settings) -> Result<(Components, Vec<Event>), CommandError> {
        let Clients { source, closte, account, rules } = Clients::of(settings, false)?;
        let clock = super::clock(settings, &self.state, settings.checks.pace, Clock::default())?;
        let closte = closte.counted_by(self.calls.clone());
        let http = &settings.http;
        let opened = match (http.listen, &self.listener) {
            (Some(address), Some(open)) if open.asked_for() == address => None,
            (Some(address), Some(open)) => Some(open.open_another(address)?),
            (Some(address), None) => Some(Listener::open(address)?),
            (None, _) => None,
        };
        let endpoint = match opened.as_ref().or(self.listener.as_ref()) {
            Some(listener) if http.listen.is_some() => Some(AdminServer::new(
                listener,
                http.token.clone(),
                http.metrics_per_domain,
                self.calls.clone(),
                settings.checks.attention_after,
                settings.sync.interval,
            )?),
            _ => None,
        };
        // From here on nothing can fail any more.
        let mut news = exposed_secrets(settings);
        if let Some(opened) = opened {
            news.insert(0, Event::Listening { address: opened.address().to_string() });
            self.listener = Some(opened);
        } else if http.listen.is_none() {
            self.listener = None;
        }
        let sync =
            Reconciler::new(source, closte, account, self.state.clone(), rules, Clock::default());
        Ok((Components { sync, clock, interval: settings.sync.interval, endpoint }, news))
    }
}

fn exposed_secrets(settings: &Settings) -> Vec<Event> {
    let event = |file: &PathBuf| Event::SecretExposed {
        file: file.display().to_string(),
        remedy: settings.remedy_of_exposed(file),
    };
    settings.provenance.exposed_secrets.iter().map(event).collect()
}
