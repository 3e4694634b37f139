use std::path::PathBuf;

/// Findings while the layers are read.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// One sentence each.
    pub(super) problems: Vec<String>,
    /// Files that secrets came from.
    pub(super) secret_files: Vec<PathBuf>,
    /// Files with secrets that this user cannot read, with the reason.
    pub(super) unreadable: Vec<String>,
}
