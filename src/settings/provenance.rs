use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingInForce {
    pub key: String,
    /// `***` for a secret.
    pub value: String,
    pub source: String,
}

#[derive(Debug, Clone)]
pub struct Provenance {
    /// None where there is no configuration file.
    pub config_file: Option<PathBuf>,
    /// Files with secrets that every user of the machine can read.
    pub exposed_secrets: Vec<PathBuf>,
    /// Files for secrets that cannot be used, with the reason.
    pub unusable: Vec<String>,
    /// Whether systemd provides credentials, so that advice can name the unit.
    pub is_systemd_service: bool,
    /// Every setting in force, in the order of `config/default.toml`.
    pub entries: Vec<SettingInForce>,
}

impl Provenance {
    pub fn entry(&self, key: &str) -> Option<&SettingInForce> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub fn is_from(&self, key: &str, source: &str) -> bool {
        self.entry(key).is_some_and(|entry| entry.source == source)
    }
}
