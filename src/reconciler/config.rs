use std::{str::FromStr, time::Duration};

use super::Www;
use crate::{
    domain::{CLOSTES_OWN, DomainName, InvalidDomain, Pattern},
    settings::Reader,
};

/// `[sync]`
#[derive(Debug, Clone)]
pub struct SyncConfig {
    pub interval: Duration,
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
        let interval = section.duration("interval", Duration::from_secs(1));
        let policy = section.parse("policy");
        let removal_grace = section.duration("removal_grace", Duration::ZERO);
        let record_grace = section.duration("record_grace", Duration::ZERO);
        let max_removal_percent = section.number("max_removal_percent", 0..=100);
        let extra_domains = section.list::<ExtraDomain>("extra_domains");
        let exclude = section.list("exclude");
        let keep = section.list("keep");
        let www = section.parse("www");
        Some(Self {
            interval: interval?,
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
