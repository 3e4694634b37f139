use thiserror::Error;

/// Why there are no settings to work with.
#[derive(Debug, Error)]
#[error("{}", lines(.problems))]
pub struct SettingsError {
    /// All that is wrong, a sentence each.
    pub problems: Vec<String>,
}

fn lines(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        many => format!("the settings are wrong:\n  {}", many.join("\n  ")),
    }
}

impl SettingsError {
    /// The only problem.
    pub fn one(problem: impl Into<String>) -> Self {
        Self { problems: vec![problem.into()] }
    }

    /// What is wrong by both, once.
    pub fn and(mut self, other: Self) -> Self {
        let new = |problem: &String| !self.problems.contains(problem);
        let more: Vec<String> = other.problems.into_iter().filter(new).collect();
        self.problems.extend(more);
        self
    }
}
