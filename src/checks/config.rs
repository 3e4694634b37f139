//! `[checks]`

use std::time::Duration;

use super::{CheckInterval, Network, Options};
use crate::{domain::DomainName, settings::Reader};

/// `[checks]`
#[derive(Debug, Clone)]
pub struct ChecksConfig {
    /// `interval`
    pub pace: CheckInterval,
    /// `concurrency`
    pub concurrency: usize,
    /// `attention_after`
    pub attention_after: Duration,
    /// `request_certificate_after`; none when it is off.
    pub request_certificate_after: Option<Duration>,
    /// What to look with. Its public address is a setting of another section.
    pub options: Options,
}

impl ChecksConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let mut section = reader.section("checks");
        let interval = section.duration("interval", CheckInterval::SHORTEST);
        let concurrency = section.number("concurrency", 1..=1024);
        let attention_after = section.duration("attention_after", Duration::ZERO);
        let request_after = section.duration("request_certificate_after", Duration::ZERO);
        let resolvers = section.list("resolvers");
        let expected_targets = section.list("expected_targets");
        let proxies = section.list::<Network>("proxies");
        let certificate_authorities = section.list::<DomainName>("certificate_authorities");
        let port = section.number("port", 1..=u16::MAX);
        let ca_file = section.optional("ca_file");
        let expiry_warning = section.duration("expiry_warning", Duration::ZERO);
        let queries_per_second = section.number("queries_per_second", 1..=1_000_000);
        if resolvers.as_ref().is_some_and(Vec::is_empty) {
            section.problem("checks.resolvers must name one resolver at least");
        }
        if certificate_authorities.as_ref().is_some_and(Vec::is_empty) {
            section.problem("checks.certificate_authorities must name one authority at least");
        }
        Some(Self {
            pace: CheckInterval {
                interval: interval?,
                follows_plugin: section.is_default("interval"),
            },
            concurrency: concurrency?,
            attention_after: attention_after?,
            request_certificate_after: request_after
                .map(|after| (!after.is_zero()).then_some(after))?,
            options: Options {
                resolvers: resolvers?,
                expected_targets: expected_targets?,
                public_address: None,
                proxies: proxies?.into_iter().map(|Network(network)| network).collect(),
                certificate_authorities: certificate_authorities?
                    .iter()
                    .map(DomainName::to_string)
                    .collect(),
                port: port?,
                ca_file: ca_file?,
                expiry_warning: expiry_warning?,
                queries_per_second: queries_per_second?,
                name_server_port: 53,
            },
        })
    }
}
