use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

use super::ClosteError;

/// How many calls were made. One that is tried again within the same cycle counts once.
pub type Calls = Family<CallLabels, Counter>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// `list`, `add`, `remove`, `test_key`, `request_certificate`.
    call: &'static str,
    /// `ok`, or the word of the error.
    outcome: &'static str,
}

impl CallLabels {
    pub(super) fn of<T>(call: &'static str, result: &Result<T, ClosteError>) -> Self {
        let outcome = match result {
            Ok(_) => "ok",
            Err(ClosteError::Unreachable { timed_out: true, .. }) => "timed_out",
            Err(error) => error.into(),
        };
        Self { call, outcome }
    }
}
