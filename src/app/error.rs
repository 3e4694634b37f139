use thiserror::Error;

use crate::{
    checks::RootsError, closte::ClosteError, http::AdminServerError, settings::SettingsError,
};

/// The parts cannot be built from the settings.
#[derive(Debug, Error)]
pub enum AppError {
    /// A required setting is missing or invalid.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Closte(#[from] ClosteError),
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error(transparent)]
    AdminServer(#[from] AdminServerError),
    #[error("notifications cannot be sent: {0}")]
    Notify(#[from] reqwest::Error),
    /// A source of settings has disappeared.
    #[error("{0}")]
    Lost(String),
    /// A reload cannot change the state database.
    #[error("state.url cannot change while the daemon runs: restart it")]
    StateMoved,
}
