use std::time::Duration;

use crate::{back_off::BackOff, clock::Clock, domain::DomainName};

/// What a command, the demo or a test changes about the settings.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Carries out removals that are held because there are so many.
    pub allow_removals: bool,
    /// Tried now, regardless of back-off and refusal.
    pub named: Vec<DomainName>,
    /// The site with this domain gets its domain record now.
    pub create_record: Option<DomainName>,
    /// Each loop follows the machine's clock with its own clone.
    pub clock: Clock,
    pub back_off: BackOff,
    /// Replaces `sync.interval`, and may be shorter than its minimum.
    pub sync_interval: Option<Duration>,
    /// Replaces `checks.interval` and the plugin's own, and may be shorter than their minimum.
    pub check_interval: Option<Duration>,
}
