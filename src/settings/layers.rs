use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// The sources of settings, as data: nothing below reads the process's environment. `Debug` does not
/// print values.
#[derive(Clone, Default)]
pub struct Layers {
    /// `--config`; without it, `config.toml` of the user's folder or of the system's.
    pub config_file: Option<PathBuf>,
    /// `~/.config/closte-sync`: the same as the system's folder, for a user without root. It replaces that
    /// one where it exists.
    pub user_folder: Option<PathBuf>,
    /// `/etc/closte-sync`: the settings of the services, and their secrets in files of their own.
    pub system_folder: Option<PathBuf>,
    /// `--wp-config`
    pub wp_config: Option<PathBuf>,
    /// Where a `wp-config.php` is searched unless one is named: the first existing file counts.
    pub wp_config_places: Vec<PathBuf>,
    /// The environment, with U+FFFD for invalid UTF-8.
    pub environment: BTreeMap<String, String>,
    /// `--set`, key and value.
    pub overrides: Vec<(String, String)>,
}

impl Layers {
    /// The folder with the settings and secrets that are in no other place.
    pub(super) fn folder(&self) -> Option<&Path> {
        let of_user = self.user_folder.as_deref().filter(|folder| folder.is_dir());
        of_user.or(self.system_folder.as_deref())
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers")
            .field("config_file", &self.config_file)
            .field("user_folder", &self.user_folder)
            .field("system_folder", &self.system_folder)
            .field("wp_config", &self.wp_config)
            .field("wp_config_places", &self.wp_config_places)
            .field("environment", &self.environment.keys())
            .field("overrides", &self.overrides.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .finish()
    }
}
