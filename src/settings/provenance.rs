use std::path::PathBuf;

/// A setting as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, such as `sync.interval`.
    pub key: String,
    /// Its value, `***` for a secret one.
    pub value: String,
    /// Where that came from.
    pub source: String,
}

/// Where the settings came from.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// The configuration file, where there is one.
    pub config_file: Option<PathBuf>,
    /// Files with secrets that every user of the machine may read.
    pub exposed_secrets: Vec<PathBuf>,
    /// Files with secrets that are there, but not for this user, each with the reason.
    pub unreadable: Vec<String>,
    /// systemd handed files over, so there is a unit to edit.
    pub is_systemd_service: bool,
    /// Every setting as it stands, in the order of `config/default.toml`.
    pub entries: Vec<Entry>,
}

impl Provenance {
    /// A setting as it stands.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Whether a setting came from there.
    pub fn is_from(&self, key: &str, source: &str) -> bool {
        self.entry(key).is_some_and(|entry| entry.source == source)
    }
}
