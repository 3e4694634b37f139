//! Builds the running parts from the settings: for every command, the demo, tests and benches.

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
    daemon::{Components, CycleTimer, RoundComponents, Trigger},
    events::Event,
    http::{AdminServer, AdminServerError, Listener, OnDemand, ViewSettings},
    leader::{Candidate, Leader},
    notify::{CycleHeartbeat, Notifier},
    plan::Policy,
    reconciler::{Reconciler, Rules, StageRules, SyncInterval, SyncPolicy},
    settings::SettingsError,
    state::State,
    wordpress::{SiteAccess, Source},
};

/// The settings, and constructors of the parts. A command needs only the settings of the parts it uses.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    overrides: Overrides,
    /// Counts the calls to Closte, also across reloads.
    calls: Calls,
    /// Begins cycles and checks, also across reloads.
    on_demand: OnDemand,
    /// Stays open across reloads with the same address.
    listener: Option<Arc<Listener>>,
    /// The daemon's. It stays across reloads that leave the database, the account and its settings as they are.
    leader: Option<Leader>,
}

#[derive(Debug)]
pub struct Clients {
    pub source: Source,
    pub closte: Client,
    /// The fingerprint of the Closte account.
    pub account: String,
}

impl App {
    /// Opens no connection.
    pub fn build(settings: &Settings, overrides: Overrides) -> Self {
        let (calls, on_demand) = (Calls::default(), OnDemand::default());
        Self {
            settings: settings.clone(),
            overrides,
            calls,
            on_demand,
            listener: None,
            leader: None,
        }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    pub fn trigger(&self) -> &Trigger {
        &self.on_demand.cycles
    }

    pub fn clock(&self) -> Clock {
        self.overrides.clock.clone()
    }

    pub fn source(&self) -> Result<Source, SettingsError> {
        let wordpress = &self.settings.wordpress;
        let database = self.settings.database()?.clone();
        let source = Source::new(database, wordpress.table_prefix.clone(), wordpress.network_id);
        Ok(source
            .with_most_rows(wordpress.max_rows)
            .with_current_site(wordpress.current_site())
            .with_primary_network(wordpress.primary_network_id, wordpress.network_doubts()))
    }

    pub fn client(&self) -> Result<Client, AppError> {
        let closte = &self.settings.closte;
        let key = self.settings.api_key()?.clone();
        let client = Client::new(closte.base_url.clone(), key, closte.timeout, closte.concurrency)?;
        Ok(client.counted_by(self.calls.clone()))
    }

    /// Reports missing settings of both ends together.
    pub fn clients(&self) -> Result<Clients, AppError> {
        let (key, source) = match (self.settings.api_key(), self.source()) {
            (Ok(key), Ok(source)) => (key, source),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(error.into()),
            (Err(one), Err(other)) => return Err(one.and(other).into()),
        };
        let account = key.fingerprint(&self.settings.closte.base_url);
        Ok(Clients { source, closte: self.client()?, account })
    }

    pub fn rules(&self) -> Rules {
        let (Settings { sync, wordpress, closte, checks, .. }, overrides) =
            (&self.settings, &self.overrides);
        Rules {
            policy: Policy {
                upsert_only: sync.policy == SyncPolicy::UpsertOnly,
                removal_grace: sync.removal_grace,
                leading_since: None,
                other_leads: None,
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
            stages: StageRules {
                write_stage: wordpress.write_stage,
                access: SiteAccess {
                    url: wordpress.url.clone(),
                    ca_file: checks.options.ca_file.clone(),
                },
                content: wordpress.content_folder(),
            },
        }
    }

    pub fn reconciler(&self, state: &State) -> Result<Reconciler, AppError> {
        let Clients { source, account, .. } = self.clients()?;
        let candidate = self.candidate(account, false);
        self.reconciler_with(state, Leader::new(source, candidate, state.clone(), self.clock()))
    }

    fn reconciler_with(&self, state: &State, leader: Leader) -> Result<Reconciler, AppError> {
        let Clients { source, closte, account } = self.clients()?;
        let state = state.clone();
        Ok(Reconciler::new(source, closte, account, state, self.rules(), self.clock(), leader))
    }

    fn candidate(&self, account: String, is_daemon: bool) -> Candidate {
        let enabled = self.settings.leader.enabled;
        Candidate { enabled, account, sync_interval: self.sync_interval().longest(), is_daemon }
    }

    fn sync_interval(&self) -> SyncInterval {
        let overridden = self.overrides.sync_interval.map(SyncInterval::Fixed);
        overridden.unwrap_or(self.settings.sync.interval)
    }

    /// The daemon's.
    fn leader(&mut self, state: &State) -> Result<Leader, AppError> {
        let Clients { source, account, .. } = self.clients()?;
        let candidate = self.candidate(account, true);
        let same = self.leader.take().filter(|leader| leader.is_of(&source, &candidate));
        let new = || Leader::new(source, candidate, state.clone(), self.clock());
        let leader = same.unwrap_or_else(new);
        self.leader = Some(leader.clone());
        Ok(leader)
    }

    pub fn checker(&self) -> Result<Checker, AppError> {
        Ok(Checker::new(self.settings.checks.options.clone())?)
    }

    pub fn verifier(&self) -> Verifier {
        Verifier::new(self.settings.checks.attention_after, self.settings.closte.panel())
    }

    pub fn scheduler(&self, state: &State) -> Result<Scheduler, AppError> {
        let checks = &self.settings.checks;
        let overridden = |interval| CheckInterval { interval, follows_plugin: false };
        Ok(Scheduler::new(
            self.checker()?,
            state.clone(),
            self.verifier(),
            self.overrides.check_interval.map_or(checks.check_interval, overridden),
            checks.concurrency,
            self.on_demand.checks.clone(),
            self.clock(),
        ))
    }

    fn notifier(&self, state: &State, leader: Leader) -> Result<Notifier, AppError> {
        let interval = self.overrides.check_interval;
        let interval = interval.unwrap_or(self.settings.checks.check_interval.interval);
        let config = self.settings.notify.clone();
        Ok(Notifier::new(config, state.clone(), interval, self.clock(), leader)?)
    }

    fn heartbeat(&self) -> Result<Option<CycleHeartbeat>, AppError> {
        let url = self.settings.notify.heartbeat_url.clone();
        Ok(url.map(CycleHeartbeat::new).transpose()?)
    }

    /// The parts of one round.
    pub fn round_components(&self, state: &State) -> Result<RoundComponents, AppError> {
        let Clients { source, account, .. } = self.clients()?;
        let candidate = self.candidate(account, false);
        let leader = Leader::new(source, candidate, state.clone(), self.clock());
        Ok(RoundComponents {
            reconciler: self.reconciler_with(state, leader.clone())?,
            scheduler: self.scheduler(state)?,
            notifier: self.notifier(state, leader.clone())?,
            heartbeat: self.heartbeat()?,
            leader,
        })
    }

    /// The parts of the daemon, and the events that report them. An error changes nothing.
    pub fn components(&mut self, state: &State) -> Result<(Components, Vec<Event>), AppError> {
        let leader = self.leader(state)?;
        let reconciler = self.reconciler_with(state, leader.clone())?;
        let (scheduler, interval) = (self.scheduler(state)?, self.sync_interval());
        let (admin_server, listening) = self.admin_server(interval.longest(), leader.clone())?;
        let events = listening.into_iter().chain(self.exposed_secrets()).collect();
        let timer = CycleTimer { interval, trigger: self.on_demand.cycles.clone() };
        let notifier = self.notifier(state, leader.clone())?;
        let heartbeat = self.heartbeat()?;
        let components =
            Components { reconciler, leader, scheduler, timer, admin_server, notifier, heartbeat };
        Ok((components, events))
    }

    /// Replaces the settings and returns the new parts. After an error the old settings stay in force.
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

    /// The admin server, and an event where it has a new socket.
    fn admin_server(
        &mut self,
        sync_interval: Duration,
        leader: Leader,
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
            http,
            self.on_demand.clone(),
            self.calls.clone(),
            ViewSettings {
                attention_after: self.settings.checks.attention_after,
                sync_interval,
                panel: self.settings.closte.panel(),
                language: self.settings.notify.language,
            },
            self.clock(),
            leader,
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
