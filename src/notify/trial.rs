//! Tries targets for a person who waits: with a message, or without one.

use std::fmt::Write as _;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    NotifyConfig, NotifyTarget,
    deliver::{Courier, DeliveryOutcome},
    message::{Message, MessageKind},
};

/// How a target was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetTrial {
    pub target: String,
    pub kind: &'static str,
    pub ok: bool,
    /// What was found.
    pub found: String,
}

impl TargetTrial {
    fn new(target: &NotifyTarget, found: Result<String, String>) -> Self {
        Self {
            target: target.name.clone(),
            kind: target.kind.as_str(),
            ok: found.is_ok(),
            found: found.unwrap_or_else(|error| error),
        }
    }
}

impl NotifyConfig {
    /// Sends a test message to all targets, or to the one with this name.
    ///
    /// # Errors
    /// When the system's root certificates cannot be loaded.
    pub async fn send_test(&self, only: Option<&str>) -> reqwest::Result<Vec<TargetTrial>> {
        let courier = Courier::new()?;
        let now = Timestamp::now();
        let message = Message::new(MessageKind::Test, Vec::new(), 0, now);
        let is_meant = |target: &&NotifyTarget| only.is_none_or(|name| target.name == name);
        let tries = self.targets.iter().filter(is_meant).map(async |target| {
            let found = match courier.deliver(target, &message, now).await {
                DeliveryOutcome::Arrived => Ok("it accepted the message".to_owned()),
                DeliveryOutcome::Failed { error, retry_after, .. } => {
                    let mut error = error;
                    if let Some(wait) = retry_after {
                        let _ = write!(error, " (try again in {} s)", wait.as_secs());
                    }
                    Err(error)
                }
            };
            TargetTrial::new(target, found)
        });
        Ok(join_all(tries).await)
    }

    /// Tries all targets as far as that is possible without a message.
    ///
    /// # Errors
    /// When the system's root certificates cannot be loaded.
    pub async fn try_targets(&self) -> reqwest::Result<Vec<TargetTrial>> {
        let courier = Courier::new()?;
        let tries = self
            .targets
            .iter()
            .map(async |target| TargetTrial::new(target, courier.probe(target).await));
        Ok(join_all(tries).await)
    }
}
