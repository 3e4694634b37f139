use std::path::PathBuf;

/// What there is to say of the layers, as far as they are read.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// All that is wrong, a sentence each.
    pub(super) problems: Vec<String>,
    /// Files that secrets came from.
    pub(super) secret_files: Vec<PathBuf>,
    /// Files with secrets that are there, but not for this user.
    pub(super) unreadable: Vec<String>,
}
