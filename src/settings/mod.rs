//! Merges the sources of settings, from which each subsystem reads its own section.
//!
//! Weakest first: `config/default.toml` (compiled in), what [`Reader::add_weakest`] adds (a
//! `wp-config.php`), `~/.config/closte-sync/config.toml`, `/etc/closte-sync/config.toml` or the file of
//! `--config`, secrets in files of their own (systemd's credentials), the environment, `--set`. All
//! problems are reported together, each with its source; secrets are never repeated.
//!
//! No subsystem is known here: [`Layers::read`] returns a [`Reader`], the `config.rs` of each subsystem
//! reads its [`Section`], and [`Reader::finish`] reports the problems.

mod catalog;
mod duration;
mod environment;
mod error;
mod flat;
mod layers;
mod merge;
mod notes;
mod paths;
mod provenance;
mod reader;
mod reload;
mod table;

pub use catalog::{Catalog, SettingSpec, catalog};
pub use duration::parse_duration;
pub use error::SettingsError;
pub use layers::Layers;
pub use paths::{cannot_read, others_may_read, user, user_folder};
pub use provenance::{Provenance, SettingInForce};
pub use reader::{Reader, Section};
pub use table::Table;
