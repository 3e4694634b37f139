use std::{net::IpAddr, str::FromStr, time::Duration};

use ipnet::IpNet;

use super::{CheckInterval, Options};
use crate::{domain::DomainName, settings::Reader};

/// The section `[checks]`.
#[derive(Debug, Clone)]
pub struct ChecksConfig {
    pub check_interval: CheckInterval,
    pub concurrency: usize,
    pub attention_after: Duration,
    /// None when it is off.
    pub request_certificate_after: Option<Duration>,
    /// `public_address` is none, as it is a setting of another section.
    pub options: Options,
}

impl ChecksConfig {
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
        let http_port = section.number("http_port", 1..=u16::MAX);
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
            check_interval: CheckInterval {
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
                http_port: http_port?,
                ca_file: ca_file?,
                expiry_warning: expiry_warning?,
                queries_per_second: queries_per_second?,
                name_server_port: 53,
            },
        })
    }
}

/// One of `checks.proxies`: a network in CIDR notation, or one address.
struct Network(IpNet);

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse().or_else(|_| address());
        network.map(Self).map_err(|_| "it must be an address or a network, such as 203.0.113.0/24")
    }
}
