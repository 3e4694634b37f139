use std::{str::FromStr, time::Duration};

use super::Www;
use crate::{
    domain::{CLOSTES_OWN, DomainName, InvalidDomain, Pattern},
    settings::Reader,
};

/// `[sync]`
#[derive(Debug, Clone)]
pub struct SyncConfig {
    pub interval: SyncInterval,
    pub policy: SyncPolicy,
    pub removal_grace: Duration,
    pub record_grace: Duration,
    pub max_removal_percent: u8,
    pub extra_domains: Vec<DomainName>,
    pub exclude: Vec<Pattern>,
    pub keep: Vec<Pattern>,
    pub www: Www,
}

impl SyncConfig {
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let mut section = reader.section("sync");
        let interval = section.duration_or_auto("interval", Duration::from_secs(1));
        let policy = section.parse("policy");
        let removal_grace = section.duration("removal_grace", Duration::ZERO);
        let record_grace = section.duration("record_grace", Duration::ZERO);
        let max_removal_percent = section.number("max_removal_percent", 0..=100);
        let extra_domains = section.list::<ExtraDomain>("extra_domains");
        let exclude = section.list("exclude");
        let keep = section.list("keep");
        let www = section.parse("www");
        Some(Self {
            interval: interval?.map_or(SyncInterval::Auto, SyncInterval::Fixed),
            policy: policy?,
            removal_grace: removal_grace?,
            record_grace: record_grace?,
            max_removal_percent: max_removal_percent?,
            extra_domains: extra_domains?.into_iter().map(|ExtraDomain(name)| name).collect(),
            exclude: exclude?,
            keep: keep?,
            www: www?,
        })
    }
}

/// `sync.interval`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncInterval {
    Fixed(Duration),
    /// As short as the time that reading takes allows: others use the database too.
    Auto,
}

impl SyncInterval {
    const SHORTEST: Duration = Duration::from_secs(2);
    const LONGEST: Duration = Duration::from_secs(30);
    /// Reading takes at most one part in this many of the time.
    const PARTS: u32 = 50;

    /// The pause between two cycles, when reading the network takes this long.
    pub fn pause(self, read_took: Duration) -> Duration {
        match self {
            Self::Fixed(interval) => interval,
            Self::Auto => {
                read_took.saturating_mul(Self::PARTS - 1).clamp(Self::SHORTEST, Self::LONGEST)
            }
        }
    }

    pub fn longest(self) -> Duration {
        self.pause(Duration::MAX)
    }
}

/// `sync.policy`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    Sync,
    /// Never removes.
    UpsertOnly,
}

impl FromStr for SyncPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sync" => Ok(Self::Sync),
            "upsert-only" => Ok(Self::UpsertOnly),
            _ => Err("it must be \"sync\" or \"upsert-only\""),
        }
    }
}

impl FromStr for Www {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "plugin" => Ok(Self::Plugin),
            "always" => Ok(Self::Always),
            "main_only" => Ok(Self::MainOnly),
            _ => Err("it must be \"off\", \"plugin\", \"always\" or \"main_only\""),
        }
    }
}

struct ExtraDomain(DomainName);

impl FromStr for ExtraDomain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name: DomainName = text.parse().map_err(|error: InvalidDomain| error.to_string())?;
        if name.is_clostes_own() { Err(CLOSTES_OWN.to_owned()) } else { Ok(Self(name)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_takes_at_most_a_fiftieth_of_the_time() {
        let pause = |read_ms| SyncInterval::Auto.pause(Duration::from_millis(read_ms)).as_millis();
        assert_eq!(
            [0, 40, 100, 600, 700, 60_000].map(pause),
            [2000, 2000, 4900, 29_400, 30_000, 30_000]
        );
        let fixed = SyncInterval::Fixed(Duration::from_secs(7));
        assert_eq!(
            (fixed.pause(Duration::MAX), fixed.longest()),
            (Duration::from_secs(7), fixed.pause(Duration::ZERO))
        );
        assert_eq!(SyncInterval::Auto.longest(), Duration::from_secs(30));
    }
}
