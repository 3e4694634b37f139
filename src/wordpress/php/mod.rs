//! Reads `wp-config.php` without running it.
//!
//! A value is known only if the code defines its name exactly once, at the top level or directly inside
//! `if (!defined('X'))`, as a literal, a concatenation of literals or one of the supported forms that read
//! the environment, and if nothing before or after it can change the value: a return, an error, other code
//! that runs. Every other value is unknown and reported as such.

mod code;
mod rule;
mod strings;
mod syntax;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::settings::cannot_read;

use code::Code;
use rule::Rule;

/// In bytes.
const LARGEST: u64 = 4 << 20;

const CONSTANTS: [&str; 13] = [
    "DB_NAME",
    "DB_USER",
    "DB_PASSWORD",
    "DB_HOST",
    "DB_CHARSET",
    "DB_COLLATE",
    FLAGS,
    "CLOSTE_CLIENT_API_KEY",
    "CLOSTE_APP_ID",
    "CLOSTE_PUBLIC_IP_ADDRESS",
    "DOMAIN_CURRENT_SITE",
    "SITE_ID_CURRENT_SITE",
    "PRIMARY_NETWORK_ID",
];
const FLAGS: &str = "MYSQL_CLIENT_FLAGS";
const TABLE_PREFIX: &str = "$table_prefix";

/// The content of a `wp-config.php`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WpConfig {
    /// By the constant's name or `$table_prefix`.
    pub known: BTreeMap<&'static str, Setting>,
    pub unknown: Vec<Unknown>,
    /// Code that is not followed and may set more: its line, and what it is.
    pub not_followed: Vec<(usize, &'static str)>,
}

/// A value that the file sets. `Debug` does not show it: it may be a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    pub value: String,
    /// Counted from 1.
    pub line: usize,
}

/// A name that the file sets to a value that cannot be known without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The constant's name or `$table_prefix`.
    pub name: &'static str,
    /// Counted from 1.
    pub line: usize,
    pub why: String,
}

#[derive(Debug, Error)]
pub enum WpConfigError {
    #[error("{}", cannot_read(.path, .error))]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{path} is larger than {} MiB; check that it is a wp-config.php", LARGEST >> 20)]
    TooLarge { path: PathBuf },
    #[error("{path} is not text; check that it is a wp-config.php")]
    NotText { path: PathBuf },
}

impl WpConfigError {
    /// Whether there is no such file.
    pub(super) fn is_missing(&self) -> bool {
        let Self::Unreadable { error, .. } = self else { return false };
        error.kind() == std::io::ErrorKind::NotFound
    }
}

impl WpConfig {
    /// Reads a file. `environment` is assumed to be that of the site's PHP.
    pub fn read(
        path: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, WpConfigError> {
        let unreadable = |error| WpConfigError::Unreadable { path: path.to_owned(), error };
        if std::fs::metadata(path).map_err(unreadable)?.len() > LARGEST {
            return Err(WpConfigError::TooLarge { path: path.to_owned() });
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let not_text = || WpConfigError::NotText { path: path.to_owned() };
        Self::decode(&bytes, environment).ok_or_else(not_text)
    }

    /// Reads the bytes of a file; none if they are no text.
    pub fn decode(bytes: &[u8], environment: &BTreeMap<String, String>) -> Option<Self> {
        let (text, is_lossy) = strings::decode(bytes)?;
        let mut parser = tree_sitter::Parser::new();
        // Both fail only for a grammar of another version of the parser.
        parser.set_language(&tree_sitter_php::LANGUAGE_PHP.into()).ok()?;
        let tree = parser.parse(&text, None)?;
        let code = Code::new(&text, tree.root_node());
        let rule = Rule::new(&code, environment, is_lossy);
        let mut config = Self { not_followed: rule.not_followed(), ..Self::default() };
        for name in CONSTANTS.into_iter().chain([TABLE_PREFIX]) {
            match rule.evaluate(name) {
                Some(Ok(setting)) => drop(config.known.insert(name, setting)),
                Some(Err(unknown)) => config.unknown.push(unknown),
                None => {}
            }
        }
        Some(config)
    }

    /// The value of a constant or of `$table_prefix`.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.known.get(name)
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "(line {})", self.line)
    }
}

#[cfg(test)]
mod tests;
