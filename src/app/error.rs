use thiserror::Error;

use crate::{
    checks::RootsError, closte::ClosteError, http::AdminServerError, settings::SettingsError,
};

/// Why the parts cannot be built from the settings.
#[derive(Debug, Error)]
pub enum AppError {
    /// A setting that is needed is not set, or makes no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The client of Closte's API cannot be set up.
    #[error(transparent)]
    Closte(#[from] ClosteError),
    /// The root certificates cannot be read.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// `http.listen` cannot be listened on.
    #[error(transparent)]
    AdminServer(#[from] AdminServerError),
    /// The settings say less than before, by mistake.
    #[error("{0}")]
    Lost(String),
    /// The state database cannot be another one while the daemon runs.
    #[error("state.url cannot change while the daemon runs: restart it")]
    StateMoved,
}
