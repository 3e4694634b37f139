use std::str::FromStr;

use crate::settings::Reader;

/// `[leader]`
#[derive(Debug, Clone, Copy)]
pub struct LeaderConfig {
    pub enabled: LeaderEnabled,
}

impl LeaderConfig {
    pub fn read(reader: &mut Reader) -> Option<Self> {
        Some(Self { enabled: reader.section("leader").parse("enabled")? })
    }
}

/// `leader.enabled`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaderEnabled {
    /// Where the database cannot decide who leads, each daemon acts.
    Auto,
    /// Where the database cannot decide who leads, none acts.
    On,
    Off,
}

impl FromStr for LeaderEnabled {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "on" | "true" => Ok(Self::On),
            "off" | "false" => Ok(Self::Off),
            _ => Err("it must be \"auto\", \"on\" or \"off\""),
        }
    }
}
