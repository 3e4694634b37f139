//! From the settings to the parts that run: for every command, the demo, tests and benches.

mod error;
mod overrides;
mod settings;

use std::{path::PathBuf, sync::Arc, time::Duration};

pub use error::AppError;
pub use overrides::Overrides;
pub use settings::Settings;

use crate::{
    checks::{CheckInterval, Checker, Scheduler, Verifier},
    clock::Clock,
    closte::{Calls, Client},
    daemon::Components,
    events::Event,
    http::{AdminServer, AdminServerError, Listener},
    plan::Policy,
    reconciler::{Reconciler, Rules, SyncPolicy},
    settings::SettingsError,
    state::State,
    wordpress::Source,
};

/// The parts, as the settings and the overrides have them. Each is made when it is asked for: a
/// command needs only those that it uses to be set.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    overrides: Overrides,
    /// The calls to Closte, counted over all settings so far.
    calls: Calls,
    /// Stays open from settings to settings, as long as they want the same one.
    listener: Option<Arc<Listener>>,
}

/// The clients of both ends.
#[derive(Debug)]
pub struct Clients {
    /// The network's database.
    pub source: Source,
    /// Closte's API.
    pub closte: Client,
    /// The fingerprint of the Closte account.
    pub account: String,
}

impl App {
    /// Joins the settings and what changes them. Nothing is opened or asked yet.
    pub fn build(settings: &Settings, overrides: Overrides) -> Self {
        let (settings, calls) = (settings.clone(), Calls::default());
        Self { settings, overrides, calls, listener: None }
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What changes them.
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// The time source.
    pub fn clock(&self) -> Clock {
        self.overrides.clock.clone()
    }

    /// The network's database.
    ///
    /// # Errors
    /// [`SettingsError`] where it is not set, or makes no sense.
    pub fn source(&self) -> Result<Source, SettingsError> {
        let wordpress = &self.settings.wordpress;
        let database = self.settings.database()?.clone();
        let source = Source::new(database, wordpress.table_prefix.clone(), wordpress.network_id);
        Ok(source
            .with_most_rows(wordpress.max_rows)
            .with_current_site(wordpress.current_site())
            .with_primary_network(wordpress.primary_network_id, wordpress.network_doubts()))
    }

    /// The client of Closte's API.
    ///
    /// # Errors
    /// [`AppError`] where the key is not set, or the client cannot be set up.
    pub fn client(&self) -> Result<Client, AppError> {
        let closte = &self.settings.closte;
        let key = self.settings.api_key()?.clone();
        let client = Client::new(closte.base_url.clone(), key, closte.timeout, closte.concurrency)?;
        Ok(client.counted_by(self.calls.clone()))
    }

    /// The clients of both ends.
    ///
    /// # Errors
    /// [`AppError`], with what is wrong with either.
    pub fn clients(&self) -> Result<Clients, AppError> {
        let (key, source) = match (self.settings.api_key(), self.source()) {
            (Ok(key), Ok(source)) => (key, source),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(error.into()),
            (Err(one), Err(other)) => return Err(one.and(other).into()),
        };
        let account = key.fingerprint(&self.settings.closte.base_url);
        Ok(Clients { source, closte: self.client()?, account })
    }

    /// What a cycle goes by.
    pub fn rules(&self) -> Rules {
        let (Settings { sync, wordpress, closte, checks, .. }, overrides) =
            (&self.settings, &self.overrides);
        Rules {
            policy: Policy {
                upsert_only: sync.policy == SyncPolicy::UpsertOnly,
                removal_grace: sync.removal_grace,
                max_removal_percent: sync.max_removal_percent,
                keep: sync.keep.clone(),
                exclude: sync.exclude.clone(),
                back_off: overrides.back_off,
                allow_removals: overrides.allow_removals,
                named: overrides.named.iter().cloned().collect(),
            },
            extra_domains: sync.extra_domains.clone(),
            create_records: wordpress.create_domain_records,
            record_grace: sync.record_grace,
            record_asked_for: overrides.create_record.clone(),
            list_interval: closte.list_interval,
            concurrency: closte.concurrency,
            www: sync.www,
            request_certificate_after: checks.request_certificate_after,
        }
    }

    /// What runs cycles.
    ///
    /// # Errors
    /// [`AppError`], as of [`Self::clients`].
    pub fn reconciler(&self, state: &State) -> Result<Reconciler, AppError> {
        let Clients { source, closte, account } = self.clients()?;
        let state = state.clone();
        Ok(Reconciler::new(source, closte, account, state, self.rules(), self.clock()))
    }

    /// What looks at one domain.
    ///
    /// # Errors
    /// [`AppError`] where the root certificates cannot be read.
    pub fn checker(&self) -> Result<Checker, AppError> {
        Ok(Checker::new(self.settings.checks.options.clone())?)
    }

    /// What a result counts for.
    pub fn verifier(&self) -> Verifier {
        Verifier::new(self.settings.checks.attention_after, self.settings.closte.panel())
    }

    /// What checks all domains, each in its turn.
    ///
    /// # Errors
    /// [`AppError`], as of [`Self::checker`].
    pub fn scheduler(&self, state: &State) -> Result<Scheduler, AppError> {
        let checks = &self.settings.checks;
        let overridden = |interval| CheckInterval { interval, follows_plugin: false };
        Ok(Scheduler::new(
            self.checker()?,
            state.clone(),
            self.verifier(),
            self.overrides.check_interval.map_or(checks.pace, overridden),
            checks.concurrency,
            self.clock(),
        ))
    }

    /// What the daemon runs, and what there is to tell about it.
    ///
    /// # Errors
    /// Any [`AppError`]. Nothing has changed then.
    pub fn components(&mut self, state: &State) -> Result<(Components, Vec<Event>), AppError> {
        let (reconciler, scheduler) = (self.reconciler(state)?, self.scheduler(state)?);
        let interval = self.overrides.sync_interval.unwrap_or(self.settings.sync.interval);
        let (admin_server, listening) = self.admin_server(interval)?;
        let events = listening.into_iter().chain(self.exposed_secrets()).collect();
        Ok((Components { reconciler, scheduler, interval, admin_server }, events))
    }

    /// The same from other settings, which are in force from then on.
    ///
    /// # Errors
    /// [`AppError`] where they are not fit to take over. Those before stay in force then.
    pub fn reload(
        &mut self,
        settings: Settings,
        state: &State,
    ) -> Result<(Components, Vec<Event>), AppError> {
        if settings.state.path != self.settings.state.path {
            return Err(AppError::StateMoved);
        }
        if let Some(lost) = settings.lost_since(&self.settings) {
            return Err(AppError::Lost(lost));
        }
        let before = std::mem::replace(&mut self.settings, settings);
        match self.components(state) {
            Ok((components, mut events)) => {
                let changed = self.settings.changes_since(&before);
                events.insert(0, Event::Reloaded { changed });
                Ok((components, events))
            }
            Err(error) => {
                self.settings = before;
                Err(error)
            }
        }
    }

    /// The admin server, and what there is to tell where its socket is another one than before.
    fn admin_server(
        &mut self,
        sync_interval: Duration,
    ) -> Result<(Option<AdminServer>, Option<Event>), AdminServerError> {
        let http = &self.settings.http;
        let Some(address) = http.listen else {
            self.listener = None;
            return Ok((None, None));
        };
        let (listener, is_new) = match &self.listener {
            Some(open) if open.asked_for() == address => (open.clone(), false),
            Some(open) => (Arc::new(open.open_another(address)?), true),
            None => (Arc::new(Listener::open(address)?), true),
        };
        let server = AdminServer::new(
            &listener,
            http.token.clone(),
            http.metrics_per_domain,
            self.calls.clone(),
            self.settings.checks.attention_after,
            sync_interval,
            self.clock(),
        )?;
        let listening =
            is_new.then(|| Event::Listening { address: listener.address().to_string() });
        self.listener = Some(listener);
        Ok((Some(server), listening))
    }

    fn exposed_secrets(&self) -> Vec<Event> {
        let event = |file: &PathBuf| Event::SecretExposed {
            file: file.display().to_string(),
            remedy: self.settings.remedy_of_exposed(file),
        };
        self.settings.provenance.exposed_secrets.iter().map(event).collect()
    }
}
