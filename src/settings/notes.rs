use std::path::PathBuf;

/// Findings while the layers are read.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// One sentence each.
    pub(super) problems: Vec<String>,
    /// How many of them are that a file is not there.
    pub(super) missing_files: usize,
    /// Files that secrets came from.
    pub(super) secret_files: Vec<PathBuf>,
    /// Files for secrets that cannot be used, with the reason.
    pub(super) unusable: Vec<String>,
}

impl Notes {
    /// Adds the problem that a file is not there.
    pub(super) fn missing_file(&mut self, problem: String) {
        self.problems.push(problem);
        self.missing_files += 1;
    }
}
