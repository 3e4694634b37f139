//! What `wp-config.php` says, by reading it and never by running it.
//!
//! A value is known only where its name is defined in the code exactly once, at the top level or directly
//! inside `if (!defined('X'))`, as a literal, a concatenation of literals or one of the environment's
//! forms, and where nothing stands before or behind it that could make another one count: a return, an
//! error, other code that runs. All else is unknown, and said to be.

mod code;
mod rule;
mod strings;
mod syntax;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use thiserror::Error;

use code::Code;
use rule::Rule;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 4 << 20;

/// The constants that matter here; `$table_prefix` is the one variable.
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

/// What a `wp-config.php` says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WpConfig {
    /// What is known, by the constant's name or `$table_prefix`.
    pub known: BTreeMap<&'static str, Setting>,
    /// What is set there but cannot be known without running it.
    pub unknown: Vec<Unknown>,
    /// What it runs that is not followed and may set more: the line, and what stands there.
    pub not_followed: Vec<(usize, &'static str)>,
}

/// A value that the file sets. Its `Debug` does not show it: it may be a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// The value.
    pub value: String,
    /// The line, from 1 on.
    pub line: usize,
}

/// Something that the file sets to what only running it would tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The constant's name or `$table_prefix`.
    pub name: &'static str,
    /// The line, from 1 on.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// Why a `wp-config.php` cannot be read.
#[derive(Debug, Error)]
pub enum WpConfigError {
    /// The file system says no.
    #[error("cannot read {path} ({error})")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: std::io::Error,
    },
    /// It is too large to be one.
    #[error("{path} is larger than {} MiB; is it a wp-config.php?", LARGEST >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no text.
    #[error("{path} is not text; is it a wp-config.php?")]
    NotText {
        /// The file.
        path: PathBuf,
    },
}

impl WpConfig {
    /// Reads a file. `environment` is what the PHP of the site is taken to see.
    ///
    /// # Errors
    /// Any [`WpConfigError`].
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

    /// Reads the bytes of a file; none where they are no text.
    pub fn decode(bytes: &[u8], environment: &BTreeMap<String, String>) -> Option<Self> {
        strings::decode(bytes).map(|(text, is_lossy)| Self::parse(&text, is_lossy, environment))
    }

    fn parse(text: &str, is_lossy: bool, environment: &BTreeMap<String, String>) -> Self {
        let mut parser = tree_sitter::Parser::new();
        let mut config = Self::default();
        // Both fail only for a grammar of another version of the parser.
        if parser.set_language(&tree_sitter_php::LANGUAGE_PHP.into()).is_err() {
            return config;
        }
        let Some(tree) = parser.parse(text, None) else {
            return config;
        };
        let code = Code::new(text, tree.root_node());
        let rule = Rule::new(&code, environment, is_lossy);
        config.not_followed = rule.not_followed();
        for name in CONSTANTS.into_iter().chain([TABLE_PREFIX]) {
            match rule.judge(name) {
                Some(Ok(setting)) => {
                    config.known.insert(name, setting);
                }
                Some(Err(unknown)) => config.unknown.push(unknown),
                None => {}
            }
        }
        config
    }

    /// What is known of a constant, or of `$table_prefix`.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.known.get(name)
    }
}

impl std::fmt::Debug for WpConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WpConfig")
            .field("known", &self.known)
            .field("unknown", &self.unknown)
            .field("not_followed", &self.not_followed)
            .finish()
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "(line {})", self.line)
    }
}

#[cfg(test)]
mod tests;
