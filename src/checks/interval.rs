use std::time::Duration;

/// How often names are looked at.
#[derive(Debug, Clone, Copy)]
pub struct CheckInterval {
    /// `checks.interval`
    pub interval: Duration,
    /// Whether the plugin's own setting counts more, because nobody set this one.
    pub follows_plugin: bool,
}

impl CheckInterval {
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
