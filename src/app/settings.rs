use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    checks::ChecksConfig,
    closte::{ApiKey, AppId, ClosteConfig, key_is_not_set},
    http::HttpConfig,
    leader::LeaderConfig,
    notify::NotifyConfig,
    reconciler::SyncConfig,
    settings::{Layers, Provenance, SettingsError},
    state::StateConfig,
    telemetry::LogConfig,
    wordpress::{DatabaseUrl, WordPressConfig, WpConfigFile, database_is_not_set},
};

/// All settings, by section. `config/default.toml` explains each.
#[derive(Debug, Clone)]
pub struct Settings {
    pub wordpress: WordPressConfig,
    pub closte: ClosteConfig,
    pub sync: SyncConfig,
    pub checks: ChecksConfig,
    pub state: StateConfig,
    pub leader: LeaderConfig,
    pub http: HttpConfig,
    pub notify: NotifyConfig,
    pub log: LogConfig,
    pub provenance: Provenance,
}

impl Settings {
    /// Reads all layers.
    ///
    /// # Errors
    /// With all problems.
    pub fn load(layers: &Layers) -> Result<Self, SettingsError> {
        let mut reader = layers.read()?;
        let wp_config = WpConfigFile::find(layers, &mut reader, ClosteConfig::is_fit);
        let wordpress = WordPressConfig::read(&mut reader, wp_config);
        let closte = ClosteConfig::read(&mut reader);
        let sync = SyncConfig::read(&mut reader);
        let checks = ChecksConfig::read(&mut reader);
        let state = StateConfig::read(&mut reader, layers);
        let leader = LeaderConfig::read(&mut reader);
        let http = HttpConfig::read(&mut reader);
        let notify = NotifyConfig::read(&mut reader);
        let log = LogConfig::read(&mut reader);
        let (
            Some(wordpress),
            Some(closte),
            Some(sync),
            Some(mut checks),
            Some(state),
            Some(leader),
            Some(http),
            Some(notify),
            Some(log),
        ) = (wordpress, closte, sync, checks, state, leader, http, notify, log)
        else {
            return Err(reader.into_error());
        };
        checks.options.public_address = closte.public_address;
        let provenance = reader.finish()?;
        Ok(Self { wordpress, closte, sync, checks, state, leader, http, notify, log, provenance })
    }

    /// What a start has to wait for: files that are not there, where nothing else is wrong.
    pub fn missing_files(layers: &Layers) -> Option<SettingsError> {
        let error = match Self::load(layers) {
            Ok(settings) => match (settings.api_key(), settings.database()) {
                (Ok(_), Ok(_)) => return None,
                (Err(error), Ok(_)) | (Ok(_), Err(error)) => error,
                (Err(one), Err(other)) => one.and(other),
            },
            Err(error) => error,
        };
        error.awaits_files.then_some(error)
    }

    /// The usual places of a `wp-config.php`: the working folder, an app's folder at Closte, the user's
    /// folder, the official image and most web servers.
    pub fn wp_config_places(environment: &BTreeMap<String, String>) -> Vec<PathBuf> {
        let variable = |name| environment.get(name).filter(|text| !text.is_empty());
        let app = variable("CLOSTE_APP_ID").filter(|id| id.parse::<AppId>().is_ok());
        let of_app = app.map(|id| format!("/home/{id}/public_html"));
        let of_user = variable("HOME").map(|home| format!("{home}/public_html"));
        let here = [".", ".."].map(str::to_owned).into_iter();
        let of_system = "/var/www/html".to_owned();
        let folders = here.chain(of_app).chain(of_user).chain([of_system]);
        folders.map(|folder| PathBuf::from(folder + "/wp-config.php")).collect()
    }

    /// # Errors
    /// Where it is not set, or it is uncertain which tables are the network's.
    pub fn database(&self) -> Result<&DatabaseUrl, SettingsError> {
        let is_not_set = || self.is_not_set(database_is_not_set);
        self.wordpress.database()?.ok_or_else(is_not_set)
    }

    /// # Errors
    /// Where it is not set.
    pub fn api_key(&self) -> Result<&ApiKey, SettingsError> {
        self.closte.api_key.as_ref().ok_or_else(|| self.is_not_set(key_is_not_set))
    }

    fn is_not_set(&self, problem: fn(bool) -> String) -> SettingsError {
        let mut problems = vec![problem(self.provenance.is_systemd_service)];
        problems.extend(self.not_known());
        // A wp-config.php that is not there yet may have it.
        let awaits_files =
            self.wordpress.wp_config.is_none() && self.provenance.unusable.is_empty();
        SettingsError { problems, awaits_files }
    }

    /// How to protect an exposed secret without locking out those who need it.
    pub fn remedy_of_exposed(&self, file: &Path) -> String {
        let shown = file.display();
        if self.provenance.config_file.as_deref() == Some(file) {
            "move the secrets into files of their own: closte_client_api_key, database_url, http_token, \
             http_sync_token, notify_targets, notify_heartbeat_url"
                .to_owned()
        } else if self.wordpress.wp_config.as_ref().is_some_and(|found| found.path == file) {
            format!("chgrp it to the web server's group, then chmod o-rwx {shown}")
        } else {
            format!("chmod o-rwx {shown}")
        }
    }

    /// Possible reasons why a setting is missing: parts of `wp-config.php` that only running it would
    /// evaluate, and files that cannot be used.
    pub fn not_known(&self) -> Vec<String> {
        let of_file = |file: &WpConfigFile| match &file.config {
            Ok(config) => {
                let mut all = file.unknown();
                if self.wordpress.database.is_none() || self.closte.api_key.is_none() {
                    let passed = config.not_followed.iter();
                    all.extend(passed.map(|(line, what)| {
                        format!("the values that {what} in line {line} sets are not known")
                    }));
                }
                all.iter().map(|one| format!("{}: {one}", file.path.display())).collect()
            }
            // The error includes the path.
            Err(error) => vec![error.clone()],
        };
        let file = self.wordpress.wp_config.as_ref();
        let mut all: Vec<String> = file.map(of_file).unwrap_or_default();
        all.extend(self.provenance.unusable.iter().cloned());
        all
    }

    /// The names of the changed settings.
    pub fn changes_since(&self, before: &Self) -> Vec<String> {
        let is_other = |key: &str| match key {
            "closte.api_key" => self.closte.api_key != before.closte.api_key,
            "http.token" => self.http.token != before.http.token,
            "http.sync_token" => self.http.sync_token != before.http.sync_token,
            "notify.heartbeat_url" => self.notify.heartbeat_url != before.notify.heartbeat_url,
            "notify.targets" => self.notify.targets != before.notify.targets,
            "wordpress.database_url" => self.wordpress.database != before.wordpress.database,
            _ => false,
        };
        self.provenance.changes_since(&before.provenance, is_other)
    }

    /// An error where a source of settings has disappeared.
    pub fn lost_since(&self, before: &Self) -> Option<String> {
        let of_file = || {
            let file = before.wordpress.wp_config.as_ref()?;
            file.lost_since(self.wordpress.wp_config.as_ref(), &self.provenance)
        };
        self.provenance.lost_since(&before.provenance).or_else(of_file)
    }
}
