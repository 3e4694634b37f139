use thiserror::Error;

/// The settings are invalid or incomplete.
#[derive(Debug, Error)]
#[error("{}", lines(.problems))]
pub struct SettingsError {
    /// One sentence each.
    pub problems: Vec<String>,
    /// Whether each of them is that a file is not there, and may be later.
    pub awaits_files: bool,
}

fn lines(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        many => format!("the settings are invalid:\n  {}", many.join("\n  ")),
    }
}

impl SettingsError {
    pub fn one(problem: impl Into<String>) -> Self {
        Self { problems: vec![problem.into()], awaits_files: false }
    }

    /// The problems of both, without duplicates.
    pub fn and(mut self, other: Self) -> Self {
        let new = |problem: &String| !self.problems.contains(problem);
        let more: Vec<String> = other.problems.into_iter().filter(new).collect();
        self.problems.extend(more);
        self.awaits_files &= other.awaits_files;
        self
    }
}
