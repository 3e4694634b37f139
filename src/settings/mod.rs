//! Layers of settings → one typed, validated [`Settings`].
//!
//! Weakest first: `config/default.toml` (compiled in), `wp-config.php`,
//! `/etc/closte-sync/config.toml` or the file of `--config`, secrets in files of their own (systemd's
//! credentials), the environment, `--set`. All that is wrong is told at once, each with where it came
//! from; secrets are never repeated.

mod database;
mod error;
mod layers;
mod places;
mod reload;
mod values;
mod words;
mod wp_config;

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

pub use error::SettingsError;
use error::{database_is_not_set, key_is_not_set};
pub use layers::{Entry, Layers};
use words::{ExtraDomain, NetworkId, StateUrl};
pub use wp_config::WpConfigFile;

use crate::{
    checks::{self, CheckInterval, Network, ResolverAddress, Target},
    closte::{ApiKey, AppId, BaseUrl},
    daemon::Token,
    domain::{DomainName, Pattern},
    reconciler::Www,
    telemetry::{Filter, Format},
    wordpress::{CurrentSite, DatabaseUrl, TablePrefix},
};

/// `closte.timeout` at most: three tries of two calls in a row must be over before the daemon looks as
/// if it hung.
const LONGEST_CALL: Duration = Duration::from_secs(60);

/// Without it nothing is read.
const PREFIX: &str = "wordpress.table_prefix";

/// Everything that can be set. `config/default.toml` says what each setting does.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[wordpress]`
    pub wordpress: WordPress,
    /// `[closte]`
    pub closte: Closte,
    /// `[sync]`
    pub sync: SyncSettings,
    /// `[checks]`
    pub checks: Checker,
    /// The file of `state.url`.
    pub state_path: PathBuf,
    /// `[http]`
    pub http: Http,
    /// `[log]`
    pub log: Log,
    /// The configuration file, where there is one.
    pub config_file: Option<PathBuf>,
    /// The `wp-config.php` that was named or found.
    pub wp_config: Option<WpConfigFile>,
    /// Files with secrets that every user of the machine may read.
    pub exposed_secrets: Vec<PathBuf>,
    /// Every setting as it stands, with its source, in the order of `config/default.toml`.
    pub entries: Vec<Entry>,
    /// Why it is not certain which tables are the network's, by setting.
    doubts: Vec<(&'static str, String)>,
    /// Files with secrets that are there, but not for this user.
    unreadable: Vec<String>,
    /// systemd handed files over, so there is a unit to edit.
    is_systemd_service: bool,
}

/// `[wordpress]`
#[derive(Debug, Clone)]
pub struct WordPress {
    /// `database_url`; see [`Settings::database`].
    pub database: Option<DatabaseUrl>,
    /// `table_prefix`
    pub table_prefix: TablePrefix,
    /// `network_id`
    pub network_id: Option<i64>,
    /// `primary_network_id`
    pub primary_network_id: Option<i64>,
    /// `current_site`, as WordPress compares it: it may have a port, or no dot.
    pub current_site: Option<String>,
    /// `create_domain_records`
    pub create_domain_records: bool,
    /// `max_rows`
    pub max_rows: u64,
}

/// `[closte]`
#[derive(Debug, Clone)]
pub struct Closte {
    /// `base_url`
    pub base_url: BaseUrl,
    /// `api_key`; see [`Settings::api_key`].
    pub api_key: Option<ApiKey>,
    /// `app_id`
    pub app_id: Option<AppId>,
    /// `public_address`
    pub public_address: Option<IpAddr>,
    /// `timeout`
    pub timeout: Duration,
    /// `concurrency`
    pub concurrency: usize,
    /// `list_interval`
    pub list_interval: Duration,
}

/// `[sync]`
#[derive(Debug, Clone)]
pub struct SyncSettings {
    /// `interval`
    pub interval: Duration,
    /// `policy`
    pub policy: SyncPolicy,
    /// `removal_grace`
    pub removal_grace: Duration,
    /// `record_grace`
    pub record_grace: Duration,
    /// `max_removal_percent`
    pub max_removal_percent: u8,
    /// `extra_domains`
    pub extra_domains: Vec<DomainName>,
    /// `exclude`
    pub exclude: Vec<Pattern>,
    /// `keep`
    pub keep: Vec<Pattern>,
    /// `www`
    pub www: Www,
}

/// `sync.policy`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Adds and removes.
    Sync,
    /// Never removes.
    UpsertOnly,
}

/// `[checks]`
#[derive(Debug, Clone)]
pub struct Checker {
    /// `interval`
    pub pace: CheckInterval,
    /// `concurrency`
    pub concurrency: usize,
    /// `attention_after`
    pub attention_after: Duration,
    /// `request_certificate_after`; none when it is off.
    pub request_certificate_after: Option<Duration>,
    /// What to look with.
    pub options: checks::Options,
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct Http {
    /// `listen`; none when it is off.
    pub listen: Option<SocketAddr>,
    /// `token`
    pub token: Option<Token>,
    /// `metrics_per_domain`
    pub metrics_per_domain: bool,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// `format`
    pub format: Format,
    /// `filter`
    pub filter: Filter,
}

impl Settings {
    /// Reads all layers.
    ///
    /// # Errors
    /// [`SettingsError`], with all that is wrong in them.
    pub fn load(layers: &Layers) -> Result<Self, SettingsError> {
        let mut values = layers.read()?;
        // Each value is asked for before the first missing one ends it: all problems are told.
        let database = values.database();
        let table_prefix = values.parse("wordpress.table_prefix");
        let network_id = values.optional::<NetworkId>("wordpress.network_id");
        let primary_network_id = values.optional::<NetworkId>("wordpress.primary_network_id");
        let current_site = values.optional("wordpress.current_site");
        let create_domain_records = values.flag("wordpress.create_domain_records");
        let base_url = values.parse("closte.base_url");
        let api_key = values.optional("closte.api_key");
        if let (Some(url), Some(Some(key))) = (&base_url, &api_key)
            && ApiKey::is_in(key, &BaseUrl::to_string(url))
        {
            let problem =
                "closte.base_url holds the key, which is sent without that: remove it there";
            values.problems.push(problem.to_owned());
        }
        let app_id = values.optional("closte.app_id");
        let public_address = values.optional("closte.public_address");
        let max_rows = values.number("wordpress.max_rows", 1_000..=100_000_000);
        let timeout =
            values.duration_up_to("closte.timeout", Duration::from_millis(100), LONGEST_CALL);
        let concurrency = values.number("closte.concurrency", 1..=64);
        let list_interval = values.duration("closte.list_interval", Duration::from_millis(100));
        let sync_interval = values.duration("sync.interval", Duration::from_secs(1));
        let policy = values.parse("sync.policy");
        let removal_grace = values.duration("sync.removal_grace", Duration::ZERO);
        let record_grace = values.duration("sync.record_grace", Duration::ZERO);
        let max_removal_percent = values.number("sync.max_removal_percent", 0..=100);
        let extra_domains = values.list::<ExtraDomain>("sync.extra_domains");
        let exclude = values.list("sync.exclude");
        let keep = values.list("sync.keep");
        let www = values.parse("sync.www");
        let checks_interval = values.duration("checks.interval", CheckInterval::SHORTEST);
        let checks_concurrency = values.number("checks.concurrency", 1..=1024);
        let attention_after = values.duration("checks.attention_after", Duration::ZERO);
        let request_certificate_after =
            values.duration("checks.request_certificate_after", Duration::ZERO);
        let resolvers = values.list::<ResolverAddress>("checks.resolvers");
        let expected_targets = values.list::<Target>("checks.expected_targets");
        let proxies = values.list::<Network>("checks.proxies");
        let certificate_authorities = values.list::<DomainName>("checks.certificate_authorities");
        let port = values.number("checks.port", 1..=u16::MAX);
        let ca_file = values.optional::<PathBuf>("checks.ca_file");
        let expiry_warning = values.duration("checks.expiry_warning", Duration::ZERO);
        let queries_per_second = values.number("checks.queries_per_second", 1..=1_000_000);
        if resolvers.as_ref().is_some_and(Vec::is_empty) {
            values.problems.push("checks.resolvers must name one resolver at least".to_owned());
        }
        if certificate_authorities.as_ref().is_some_and(Vec::is_empty) {
            let problem = "checks.certificate_authorities must name one authority at least";
            values.problems.push(problem.to_owned());
        }
        let state_url = values.optional("state.url");
        let listen = values.optional::<SocketAddr>("http.listen");
        let token = values.optional("http.token");
        let metrics_per_domain = values.flag("http.metrics_per_domain");
        if let (Some(Some(listen)), Some(None)) = (&listen, &token)
            && !listen.ip().is_loopback()
        {
            values.problems.push(format!(
                "http.listen ({listen}) can be reached from other machines: set http.token, or \
                 listen on 127.0.0.1"
            ));
        }
        let format = values.parse("log.format");
        let filter = values.parse("log.filter");
        let settings = (|| {
            Some(Self {
                wordpress: WordPress {
                    database: database?,
                    table_prefix: table_prefix?,
                    network_id: network_id?.map(|id| id.0),
                    primary_network_id: primary_network_id?.map(|id| id.0),
                    current_site: current_site?,
                    create_domain_records: create_domain_records?,
                    max_rows: max_rows?,
                },
                closte: Closte {
                    base_url: base_url?,
                    api_key: api_key?,
                    app_id: app_id?,
                    public_address: public_address?,
                    timeout: timeout?,
                    concurrency: concurrency?,
                    list_interval: list_interval?,
                },
                sync: SyncSettings {
                    interval: sync_interval?,
                    policy: policy?,
                    removal_grace: removal_grace?,
                    record_grace: record_grace?,
                    max_removal_percent: max_removal_percent?,
                    extra_domains: extra_domains?
                        .into_iter()
                        .map(|ExtraDomain(name)| name)
                        .collect(),
                    exclude: exclude?,
                    keep: keep?,
                    www: www?,
                },
                checks: Checker {
                    pace: CheckInterval {
                        interval: checks_interval?,
                        follows_plugin: values.is_default("checks.interval"),
                    },
                    concurrency: checks_concurrency?,
                    attention_after: attention_after?,
                    request_certificate_after: request_certificate_after
                        .map(|after| (!after.is_zero()).then_some(after))?,
                    options: checks::Options {
                        resolvers: resolvers?,
                        expected_targets: expected_targets?,
                        public_address: public_address?,
                        proxies: proxies?.into_iter().map(|Network(network)| network).collect(),
                        certificate_authorities: certificate_authorities?
                            .iter()
                            .map(DomainName::to_string)
                            .collect(),
                        port: port?,
                        ca_file: ca_file?,
                        expiry_warning: expiry_warning?,
                        queries_per_second: queries_per_second?,
                        name_server_port: 53,
                    },
                },
                state_path: state_url?
                    .map_or_else(|| layers.default_state_path(), |StateUrl(path)| path),
                http: Http {
                    listen: listen?,
                    token: token?,
                    metrics_per_domain: metrics_per_domain?,
                },
                log: Log { format: format?, filter: filter? },
                config_file: values.config_file.clone(),
                wp_config: values.wp_config.clone(),
                exposed_secrets: values.exposed_secrets.clone(),
                entries: Vec::new(),
                doubts: values.doubts(),
                unreadable: values.unreadable.clone(),
                is_systemd_service: layers.credentials_folder().is_some(),
            })
        })();
        match settings {
            Some(mut settings) if values.problems.is_empty() => {
                settings.entries = values.entries(&settings);
                Ok(settings)
            }
            _ => Err(SettingsError { problems: values.problems }),
        }
    }

    /// The network's database.
    ///
    /// # Errors
    /// [`SettingsError`] when it is not set, or when it is not certain which of its tables are the
    /// network's.
    pub fn database(&self) -> Result<&DatabaseUrl, SettingsError> {
        if let Some((_, doubt)) = self.doubts.iter().find(|(setting, _)| *setting == PREFIX) {
            return Err(SettingsError::one(doubt));
        }
        self.wordpress.database.as_ref().ok_or_else(|| {
            let mut problems = vec![database_is_not_set(self.is_systemd_service)];
            problems.extend(self.not_known());
            SettingsError { problems }
        })
    }

    /// `DOMAIN_CURRENT_SITE`, as far as it is known.
    pub fn current_site(&self) -> CurrentSite {
        if let Some(domain) = &self.wordpress.current_site {
            return CurrentSite::Known(domain.clone());
        }
        match self.wp_config.as_ref().map(|file| &file.config) {
            None => CurrentSite::Unset,
            Some(Ok(config))
                if config.not_followed.is_empty()
                    && config.unknown.iter().all(|one| one.name != "DOMAIN_CURRENT_SITE") =>
            {
                CurrentSite::Unset
            }
            // Or it stands in a file that is required.
            Some(_) => CurrentSite::Unknown,
        }
    }

    /// Why it is not certain which network is meant, where the database has several.
    pub fn network_doubts(&self) -> Vec<String> {
        let others = self.doubts.iter().filter(|(setting, _)| *setting != PREFIX);
        others.map(|(_, doubt)| doubt.clone()).collect()
    }

    /// The Closte account's key.
    ///
    /// # Errors
    /// [`SettingsError`] when it is not set.
    pub fn api_key(&self) -> Result<&ApiKey, SettingsError> {
        self.closte.api_key.as_ref().ok_or_else(|| {
            let mut problems = vec![key_is_not_set(self.is_systemd_service)];
            problems.extend(self.not_known());
            SettingsError { problems }
        })
    }

    /// What to do about one of [`Settings::exposed_secrets`], so that those who must read it still can.
    pub fn remedy_of_exposed(&self, file: &Path) -> String {
        let shown = file.display();
        if self.config_file.as_deref() == Some(file) {
            "move what is secret into files of its own: closte_client_api_key, database_url, http_token"
                .to_owned()
        } else if self.wp_config.as_ref().is_some_and(|found| found.path == file) {
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
        let mut all: Vec<String> = self.wp_config.as_ref().map(of_file).unwrap_or_default();
        all.extend(self.unreadable.iter().cloned());
        all
    }

    /// The file of `state.url`, whatever is wrong with the other settings.
    pub fn state_path(layers: &Layers) -> PathBuf {
        // Where a file is broken, what is beside it still counts.
        let without_files = || {
            let (environment, overrides) = (layers.environment.clone(), layers.overrides.clone());
            Layers { environment, overrides, ..Layers::default() }.read()
        };
        let values = layers.read().or_else(|_| without_files());
        let asked = values.ok().and_then(|mut values| values.optional("state.url")?);
        asked.map_or_else(|| layers.default_state_path(), |StateUrl(path)| path)
    }
}
