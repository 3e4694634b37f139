//! How stages are written.

use std::path::{Path, PathBuf};

use strum::{Display, EnumString, IntoStaticStr};
use thiserror::Error;

use super::{DatabaseUrl, PluginSettings, location::Location, plugin::ApiKeyPair};

/// `wordpress.write_stage`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case", parse_err_ty = NoWriteStage, parse_err_fn = NoWriteStage::of)]
pub enum WriteStage {
    Auto,
    /// By the plugin's REST API.
    Rest,
    /// By SQL.
    Database,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it must be \"auto\", \"rest\", \"database\" or \"off\"")]
pub struct NoWriteStage;

impl NoWriteStage {
    fn of(_: &str) -> Self {
        Self
    }
}

/// The method that is possible now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageMethod {
    Rest(ApiKeyPair),
    Database,
}

/// Why no stage is written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoStageMethod {
    #[error("wordpress.write_stage is off")]
    Off,
    #[error("{0}")]
    PluginUnread(String),
    #[error(
        "the plugin's REST API is off; switch it on in Ultimate Multisite > Settings > API & Webhooks, \
         and press \"Refresh API Credentials\" there{}", or_database(.0)
    )]
    ApiOff(Option<ObjectCache>),
    #[error(
        "the plugin's REST API has no key pair; press \"Refresh API Credentials\" in Ultimate Multisite > \
         Settings > API & Webhooks{}", or_database(.0)
    )]
    NoKeys(Option<ObjectCache>),
}

/// Whether WordPress keeps rows in a cache that outlives a request: what is written by SQL is not seen
/// there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectCache {
    None,
    Persistent,
    /// WordPress's content folder is not known.
    Unknown,
}

fn or_database(cache: &Option<ObjectCache>) -> &'static str {
    match cache {
        None | Some(ObjectCache::None) => "",
        Some(ObjectCache::Persistent) => "; SQL is not used because object-cache.php is installed",
        Some(ObjectCache::Unknown) => {
            "; or set wordpress.write_stage = \"database\" if WordPress has no persistent object cache \
             (no object-cache.php in its content folder)"
        }
    }
}

impl WriteStage {
    /// The method that the plugin's settings allow.
    pub fn method(
        self,
        plugin: &Result<PluginSettings, String>,
        object_cache: impl FnOnce() -> ObjectCache,
    ) -> Result<StageMethod, NoStageMethod> {
        let by_rest = |cache: Option<ObjectCache>| match plugin {
            Err(error) => Err(NoStageMethod::PluginUnread(error.clone())),
            Ok(plugin) if plugin.api == Some(false) => Err(NoStageMethod::ApiOff(cache)),
            Ok(plugin) => match &plugin.api_keys {
                Some(keys) => Ok(StageMethod::Rest(keys.clone())),
                None => Err(NoStageMethod::NoKeys(cache)),
            },
        };
        match self {
            Self::Off => Err(NoStageMethod::Off),
            Self::Database => Ok(StageMethod::Database),
            Self::Rest => by_rest(None),
            Self::Auto => by_rest(None).or_else(|why| match (why, object_cache()) {
                // A pair may be in a row that cannot be read.
                (why @ NoStageMethod::PluginUnread(_), _) => Err(why),
                (_, ObjectCache::None) => Ok(StageMethod::Database),
                (_, cache) => by_rest(Some(cache)),
            }),
        }
    }
}

/// WordPress's content folder, if it may be this one.
#[derive(Debug, Clone, Default)]
pub struct ContentFolder(Option<PathBuf>);

/// The folders that the plugin had in its versions.
const PLUGIN_FOLDERS: [&str; 3] = ["ultimate-multisite", "multisite-ultimate", "wp-ultimo"];

impl ContentFolder {
    /// Beside the `wp-config.php`, or around the SQLite database.
    pub(super) fn find(wp_config: Option<&Path>, database: Option<&DatabaseUrl>) -> Self {
        let of_config = || {
            let path = wp_config?;
            // It may be elsewhere.
            let is_moved = std::fs::read(path)
                .map_or(true, |text| text.windows(14).any(|part| part == b"WP_CONTENT_DIR"));
            (!is_moved).then(|| path.parent().map(|folder| folder.join("wp-content")))?
        };
        let of_database = || match &database?.location {
            Location::Sqlite(file) => Some(file.parent()?.parent()?.to_owned()),
            Location::MySql(_) => None,
        };
        Self(of_config().or_else(of_database))
    }

    pub fn object_cache(&self) -> ObjectCache {
        let Some(folder) = &self.0 else { return ObjectCache::Unknown };
        let holds_plugin =
            PLUGIN_FOLDERS.iter().any(|plugin| folder.join("plugins").join(plugin).is_dir());
        match folder.join("object-cache.php").try_exists() {
            _ if !holds_plugin => ObjectCache::Unknown,
            Ok(true) => ObjectCache::Persistent,
            Ok(false) => ObjectCache::None,
            Err(_) => ObjectCache::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(api: Option<bool>, key: &str) -> Result<PluginSettings, String> {
        let api_keys = ApiKeyPair::new(key, key);
        Ok(PluginSettings { api, api_keys, ..PluginSettings::default() })
    }

    #[test]
    fn auto_prefers_the_api_and_uses_sql_only_where_no_cache_is_in_the_way() {
        use ObjectCache::{None as NoCache, Persistent, Unknown};
        let word =
            |setting: WriteStage, plugin: &Result<PluginSettings, String>, cache| match setting
                .method(plugin, || cache)
            {
                Ok(StageMethod::Rest(_)) => "rest",
                Ok(StageMethod::Database) => "database",
                Err(NoStageMethod::Off) => "off",
                Err(NoStageMethod::PluginUnread(_)) => "unread",
                Err(NoStageMethod::ApiOff(_)) => "api-off",
                Err(NoStageMethod::NoKeys(_)) => "no-keys",
            };
        let key = "Kq7ZrXw3Tn9LmB4vYc8DfHs2";
        let (ready, absent) = (plugin(Some(true), key), plugin(None, key));
        let (off, no_keys) = (plugin(Some(false), key), plugin(Some(true), ""));
        let unread = Err("the row is no serialised PHP array".to_owned());
        for (setting, plugin, cache, expected) in [
            (WriteStage::Auto, &ready, Persistent, "rest"),
            (WriteStage::Auto, &absent, Unknown, "rest"),
            (WriteStage::Auto, &off, NoCache, "database"),
            (WriteStage::Auto, &no_keys, NoCache, "database"),
            (WriteStage::Auto, &off, Persistent, "api-off"),
            (WriteStage::Auto, &no_keys, Persistent, "no-keys"),
            (WriteStage::Auto, &no_keys, Unknown, "no-keys"),
            (WriteStage::Auto, &unread, NoCache, "unread"),
            (WriteStage::Rest, &ready, NoCache, "rest"),
            (WriteStage::Rest, &off, NoCache, "api-off"),
            (WriteStage::Rest, &no_keys, NoCache, "no-keys"),
            (WriteStage::Rest, &unread, NoCache, "unread"),
            (WriteStage::Database, &unread, Persistent, "database"),
            (WriteStage::Off, &ready, NoCache, "off"),
        ] {
            assert_eq!(word(setting, plugin, cache), expected, "{setting} {plugin:?} {cache:?}");
        }
    }

    #[test]
    fn the_content_folder_is_known_by_the_plugin_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("wp-config.php");
        let content = folder.path().join("wp-content");
        let cache = || ContentFolder::find(Some(&config), None).object_cache();
        std::fs::write(&config, "<?php").unwrap();
        assert_eq!(cache(), ObjectCache::Unknown);
        std::fs::create_dir_all(content.join("plugins/ultimate-multisite")).unwrap();
        assert_eq!(cache(), ObjectCache::None);
        std::fs::write(content.join("object-cache.php"), "<?php").unwrap();
        assert_eq!(cache(), ObjectCache::Persistent);
        std::fs::write(&config, "<?php define('WP_CONTENT_DIR', '/elsewhere');").unwrap();
        assert_eq!(cache(), ObjectCache::Unknown);
        let sqlite = format!("sqlite:{}/database/.ht.sqlite", content.display());
        let sqlite: DatabaseUrl = sqlite.parse().unwrap();
        assert_eq!(
            ContentFolder::find(None, Some(&sqlite)).object_cache(),
            ObjectCache::Persistent
        );
        assert_eq!(ContentFolder::default().object_cache(), ObjectCache::Unknown);
    }
}
