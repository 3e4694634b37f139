use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    checks::ChecksConfig,
    closte::{ApiKey, AppId, ClosteConfig, key_is_not_set},
    http::HttpConfig,
    reconciler::SyncConfig,
    settings::{Layers, Provenance, SettingsError},
    state::StateConfig,
    telemetry::LogConfig,
    wordpress::{DatabaseUrl, WordPressConfig, WpConfigFile, database_is_not_set},
};

/// Everything that can be set. `config/default.toml` says what each setting does.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[wordpress]`
    pub wordpress: WordPressConfig,
    /// `[closte]`
    pub closte: ClosteConfig,
    /// `[sync]`
    pub sync: SyncConfig,
    /// `[checks]`
    pub checks: ChecksConfig,
    /// `[state]`
    pub state: StateConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[log]`
    pub log: LogConfig,
    /// Where they came from.
    pub provenance: Provenance,
}

impl Settings {
    /// Reads all layers: each subsystem its own section.
    ///
    /// # Errors
    /// [`SettingsError`], with all that is wrong in them.
    pub fn load(layers: &Layers) -> Result<Self, SettingsError> {
        let mut reader = layers.read()?;
        let wp_config = WpConfigFile::find(layers, &mut reader, ClosteConfig::is_fit);
        let wordpress = WordPressConfig::read(&mut reader, wp_config);
        let closte = ClosteConfig::read(&mut reader);
        let sync = SyncConfig::read(&mut reader);
        let checks = ChecksConfig::read(&mut reader);
        let state = StateConfig::read(&mut reader, layers);
        let http = HttpConfig::read(&mut reader);
        let log = LogConfig::read(&mut reader);
        let (
            Some(wordpress),
            Some(closte),
            Some(sync),
            Some(mut checks),
            Some(state),
            Some(http),
            Some(log),
        ) = (wordpress, closte, sync, checks, state, http, log)
        else {
            return Err(reader.into_error());
        };
        checks.options.public_address = closte.public_address;
        let provenance = reader.finish()?;
        Ok(Self { wordpress, closte, sync, checks, state, http, log, provenance })
    }

    /// Where a `wp-config.php` usually is: where the program is started, in the official image, in an
    /// app's folder at Closte, and in the user's own.
    pub fn wp_config_places(environment: &BTreeMap<String, String>) -> Vec<PathBuf> {
        let variable = |name| environment.get(name).filter(|text| !text.is_empty());
        let app = variable("CLOSTE_APP_ID").filter(|id| id.parse::<AppId>().is_ok());
        let of_app = app.map(|id| format!("/home/{id}/public_html"));
        let of_user = variable("HOME").map(|home| format!("{home}/public_html"));
        let fixed = [".", "..", "/var/www/html"].map(str::to_owned).into_iter();
        let folders = fixed.chain(of_app).chain(of_user);
        folders.map(|folder| PathBuf::from(folder + "/wp-config.php")).collect()
    }

    /// The network's database.
    ///
    /// # Errors
    /// [`SettingsError`] when it is not set, or when it is not certain which of its tables are the
    /// network's.
    pub fn database(&self) -> Result<&DatabaseUrl, SettingsError> {
        let is_not_set = || self.is_not_set(database_is_not_set);
        self.wordpress.database()?.ok_or_else(is_not_set)
    }

    /// The Closte account's key.
    ///
    /// # Errors
    /// [`SettingsError`] when it is not set.
    pub fn api_key(&self) -> Result<&ApiKey, SettingsError> {
        self.closte.api_key.as_ref().ok_or_else(|| self.is_not_set(key_is_not_set))
    }

    fn is_not_set(&self, problem: fn(bool) -> String) -> SettingsError {
        let mut problems = vec![problem(self.provenance.is_systemd_service)];
        problems.extend(self.not_known());
        SettingsError { problems }
    }

    /// What to do about one of the exposed secrets, so that those who must read it still can.
    pub fn remedy_of_exposed(&self, file: &Path) -> String {
        let shown = file.display();
        if self.provenance.config_file.as_deref() == Some(file) {
            "move what is secret into files of its own: closte_client_api_key, database_url, http_token"
                .to_owned()
        } else if self.wordpress.wp_config.as_ref().is_some_and(|found| found.path == file) {
            format!("chgrp it to the web server's group, then chmod o-rwx {shown}")
        } else {
            format!("chmod o-rwx {shown}")
        }
    }

    /// What may be why something is not set: what the `wp-config.php` says that only running it would
    /// tell, and files that are not for this user.
    pub fn not_known(&self) -> Vec<String> {
        let of_file = |file: &WpConfigFile| match &file.config {
            Ok(config) => {
                let mut all = file.unknown();
                if self.wordpress.database.is_none() || self.closte.api_key.is_none() {
                    let passed = config.not_followed.iter();
                    all.extend(passed.map(|(line, what)| {
                        format!("what {what} in line {line} sets is not known")
                    }));
                }
                all.iter().map(|one| format!("{}: {one}", file.path.display())).collect()
            }
            // It has the path in it.
            Err(error) => vec![error.clone()],
        };
        let file = self.wordpress.wp_config.as_ref();
        let mut all: Vec<String> = file.map(of_file).unwrap_or_default();
        all.extend(self.provenance.unreadable.iter().cloned());
        all
    }

    /// The names of the settings that are not as they were.
    pub fn changes_since(&self, before: &Self) -> Vec<String> {
        let is_other = |key: &str| match key {
            "closte.api_key" => self.closte.api_key != before.closte.api_key,
            "http.token" => self.http.token != before.http.token,
            "wordpress.database_url" => self.wordpress.database != before.wordpress.database,
            _ => false,
        };
        self.provenance.changes_since(&before.provenance, is_other)
    }

    /// Why they say less than before by mistake.
    pub fn lost_since(&self, before: &Self) -> Option<String> {
        let of_file = || {
            let file = before.wordpress.wp_config.as_ref()?;
            file.lost_since(self.wordpress.wp_config.as_ref(), &self.provenance)
        };
        self.provenance.lost_since(&before.provenance).or_else(of_file)
    }
}
