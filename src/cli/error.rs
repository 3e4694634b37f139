use std::{io, path::PathBuf};

use thiserror::Error;

use crate::{
    app::AppError, domain::DomainName, reconciler::CycleError, settings::SettingsError,
    state::StateError, wordpress::SourceError,
};

/// Why a command failed.
#[derive(Debug, Error)]
pub(super) enum CommandError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("{}: {error}", file.display())]
    StateFile { file: PathBuf, error: StateError },
    #[error(transparent)]
    Cycle(#[from] CycleError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(
        "{} neither desired by the network nor managed, so nothing was done: see Network Admin > \
         Ultimate Multisite > Domains, sync.extra_domains and sync.exclude (names below closte.com are \
         Closte's own)",
        are(.0)
    )]
    NotManaged(Vec<DomainName>),
    #[error(
        "http.public_url is not set: set it to the address at which customers reach the status page, such \
         as \"https://status.agency.example\""
    )]
    NoPublicUrl,
    #[error("there is no target {0:?}: see `closte-sync config`")]
    NoTarget(String),
    #[error("no target is set: see notify.targets in docs/notifications.md")]
    NoTargets,
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
    #[cfg(feature = "demo")]
    #[error("no folder for the practice network: {0}; set TMPDIR to one that you may write to")]
    NoFolder(#[source] io::Error),
    #[cfg(feature = "demo")]
    #[error("the practice network: {0}")]
    Practice(#[from] sqlx::Error),
}

impl CommandError {
    /// Adds the path of the state database to its errors.
    pub(super) fn with_state_file(self, file: PathBuf) -> Self {
        match self {
            Self::State(error) | Self::Cycle(CycleError::State(error)) => {
                Self::StateFile { file, error }
            }
            other => other,
        }
    }
}

/// `a.example is`, `a.example, b.example are`.
fn are(names: &[DomainName]) -> String {
    let listed = names.iter().map(DomainName::as_str).collect::<Vec<_>>().join(", ");
    format!("{listed} {}", if names.len() == 1 { "is" } else { "are" })
}
