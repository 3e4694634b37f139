use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

use crate::ledger::later;

/// The time of day. Tests can move it.
#[derive(Debug, Clone, Default)]
pub struct Time {
    /// By how many milliseconds it is ahead of the machine's.
    ahead: Arc<AtomicI64>,
}

impl Time {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        let ahead = self.ahead.load(Ordering::Relaxed).try_into().unwrap_or_default();
        later(Timestamp::now(), Duration::from_millis(ahead))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let by = by.as_millis().try_into().unwrap_or(i64::MAX);
        self.ahead.fetch_add(by, Ordering::Relaxed);
    }
}

/// How often names are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// `checks.interval`
    pub interval: Duration,
    /// Whether the plugin's own setting counts more, because nobody set this one.
    pub follows_plugin: bool,
}

impl Pace {
    /// The least that is bearable for resolvers.
    pub const SHORTEST: Duration = Duration::from_secs(10);

    /// The interval, given what the plugin's own setting is.
    pub fn with(&self, plugins: Option<Duration>) -> Duration {
        match plugins {
            Some(plugins) if self.follows_plugin => plugins.max(Self::SHORTEST),
            _ => self.interval,
        }
    }
}
