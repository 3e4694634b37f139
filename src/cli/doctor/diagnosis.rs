use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct Diagnosis {
    pub(super) check: &'static str,
    pub(super) result: Verdict,
    /// What was found and, unless that is ok, what to do.
    pub(super) found: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Warning,
    Failed,
    Skipped,
}

impl Diagnosis {
    pub(super) fn new<E: std::fmt::Display>(
        check: &'static str,
        result: Result<String, E>,
    ) -> Self {
        match result {
            Ok(found) => Self { check, result: Verdict::Ok, found },
            Err(error) => Self { check, result: Verdict::Failed, found: error.to_string() },
        }
    }

    pub(super) fn skipped(check: &'static str, why: &str) -> Self {
        Self { check, result: Verdict::Skipped, found: format!("not tried: {why}") }
    }
}
