use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct CheckInterval {
    /// `checks.interval`
    pub interval: Duration,
    /// Whether the plugin's own setting takes precedence, because `checks.interval` is not set.
    pub follows_plugin: bool,
}

impl CheckInterval {
    /// Limits the load on resolvers.
    pub const SHORTEST: Duration = Duration::from_secs(10);

    /// The interval, given the plugin's own setting.
    pub fn with(&self, of_plugin: Option<Duration>) -> Duration {
        match of_plugin {
            Some(interval) if self.follows_plugin => interval.max(Self::SHORTEST),
            _ => self.interval,
        }
    }
}
