use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

use super::ClosteError;

/// How many calls were made, by what and how they came out. A call that is tried
/// again at once, after the connection was lost or Closte was out of order, counts once.
pub type Calls = Family<CallLabels, Counter>;

/// What tells calls apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// What was asked: `list`, `add`, `remove`, `test_key`, `request_certificate`.
    call: &'static str,
    /// `ok`, or what went wrong.
    outcome: &'static str,
}

impl CallLabels {
    pub(super) fn of<T>(call: &'static str, result: &Result<T, ClosteError>) -> Self {
        let outcome = match result {
            Ok(_) => "ok",
            Err(ClosteError::KeyRejected(_)) => "key_rejected",
            Err(ClosteError::NameRefused(_)) => "refused",
            Err(ClosteError::RateLimited { .. }) => "rate_limited",
            Err(ClosteError::Unreachable { timed_out: true, .. }) => "timed_out",
            Err(ClosteError::Unreachable { .. }) => "unreachable",
            Err(ClosteError::ServerError { .. }) => "out_of_order",
            Err(ClosteError::Redirected { .. }) => "redirected",
            Err(ClosteError::NotFound { .. }) => "no_such_call",
            Err(ClosteError::Rejected(_)) => "declined",
            Err(ClosteError::InvalidResponse(_)) => "not_understood",
        };
        Self { call, outcome }
    }
}
