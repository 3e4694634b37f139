use std::time::Duration;

use crate::{back_off::BackOff, clock::Clock, domain::DomainName};

/// What a command, the demo or a test changes of what the settings say.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Lets removals through, once, that are held because there are so many.
    pub allow_removals: bool,
    /// These are tried at once, whatever their back-off or refusal.
    pub named: Vec<DomainName>,
    /// Writes the domain record of the site with this domain now.
    pub create_record: Option<DomainName>,
    /// The time source. Each loop follows the machine's clock with a clone of its own.
    pub clock: Clock,
    /// When calls that failed are tried again.
    pub back_off: BackOff,
    /// Instead of `sync.interval`, also where that may not be so short.
    pub sync_interval: Option<Duration>,
    /// Instead of `checks.interval` and the plugin's own, also where that may not be so short.
    pub check_interval: Option<Duration>,
}
