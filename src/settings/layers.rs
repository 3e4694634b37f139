use std::{collections::BTreeMap, fmt, path::PathBuf};

/// Where settings come from, as data: nothing here reads the process's own environment. Values are
/// not printed.
#[derive(Clone, Default)]
pub struct Layers {
    /// `--config`; without it, `config.toml` of the system's folder where that exists.
    pub config_file: Option<PathBuf>,
    /// `/etc/closte-sync`: the settings of the services, and their secrets in files of their own.
    pub system_folder: Option<PathBuf>,
    /// `--wp-config`
    pub wp_config: Option<PathBuf>,
    /// Where a `wp-config.php` is looked for when nobody names one: the first that is there.
    pub wp_config_places: Vec<PathBuf>,
    /// The environment. What is not UTF-8 in it has a replacement character.
    pub environment: BTreeMap<String, String>,
    /// `--set`, key and value.
    pub overrides: Vec<(String, String)>,
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers")
            .field("config_file", &self.config_file)
            .field("system_folder", &self.system_folder)
            .field("wp_config", &self.wp_config)
            .field("wp_config_places", &self.wp_config_places)
            .field("environment", &self.environment.keys())
            .field("overrides", &self.overrides.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .finish()
    }
}
