//! Queries to a name's own servers, where the resolvers disagree.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::future::join_all;
use hickory_resolver::proto::{
    op::Query,
    rr::{Name, RData, RecordType},
};
use ipnet::IpNet;
use tokio::time::timeout;

use super::{
    evaluate::evaluate_answer,
    names::text,
    query::{QueryOptions, send},
    reply::{Addresses, Reply, combine, read},
    reserved::reserved,
    resolver::explain,
    resolvers::Resolvers,
    targets::Expected,
    throttle::Throttle,
    zones::find_zone,
};
use crate::status::ResolverAnswer;

/// How many servers of a zone are asked.
const MAX_SERVERS: usize = 8;
/// How many zones are followed through CNAMEs.
const MAX_ZONES: usize = 3;
/// The time for one query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(3);
/// The time for all queries.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct NameServers {
    port: u16,
    throttle: Throttle,
}

impl NameServers {
    pub(super) fn new(port: u16, queries_per_second: u32) -> Self {
        Self { port, throttle: Throttle::new(queries_per_second) }
    }

    /// The answer of each of the name's own servers. `may_connect` says which reserved addresses may be
    /// asked: foreign DNS records may name any.
    pub(super) async fn ask(
        &self,
        host: &Name,
        resolvers: &Resolvers,
        expected: Option<&Expected>,
        proxies: &[IpNet],
        may_connect: impl Fn(IpAddr) -> bool,
    ) -> Vec<ResolverAnswer> {
        let ask = async {
            let mut host = host.clone();
            let mut answers = Vec::new();
            for _ in 0..MAX_ZONES {
                let servers = find(&host, resolvers).await;
                let asked = servers
                    .iter()
                    .map(|(name, addresses)| self.ask_one(name, addresses, &host, &may_connect));
                let replies = join_all(asked).await;
                let next = next_target(replies.iter().map(|(_, answer)| answer), expected);
                answers = replies
                    .into_iter()
                    .map(|(label, answer)| evaluate_answer(&label, answer, expected, proxies))
                    .collect();
                match next {
                    Some(target) => host = target,
                    None => break,
                }
            }
            answers
        };
        timeout(TOTAL_TIMEOUT, ask).await.unwrap_or_default()
    }

    async fn ask_one(
        &self,
        server: &str,
        addresses: &[IpAddr],
        host: &Name,
        may_connect: impl Fn(IpAddr) -> bool,
    ) -> (String, Addresses) {
        let forbids = |address: IpAddr| reserved(address).filter(|_| !may_connect(address));
        let allowed = addresses.iter().find(|address| forbids(**address).is_none());
        let Some(address) = allowed.or(addresses.first()).copied() else {
            let reason = "it has no address".to_owned();
            return (server.to_owned(), Addresses::Silent(reason));
        };
        let label = format!("{server} ({address})");
        if let Some(purpose) = forbids(address) {
            return (label, Addresses::Silent(format!("its address is {purpose}")));
        }
        let at = SocketAddr::new(address, self.port);
        let query = async |kind| {
            self.throttle.wait().await;
            let (query, options) = (Query::query(host.clone(), kind), QueryOptions::default());
            match send(at, query, options, QUERY_TIMEOUT).await {
                // A referral: the server does not serve the zone.
                Ok(message) if !message.authoritative && message.answers.is_empty() => {
                    Reply::Failed(format!("it does not serve it ({})", message.response_code))
                }
                Ok(message) => read(message),
                Err(error) => explain(&error, QUERY_TIMEOUT),
            }
        };
        let (a, aaaa) = tokio::join!(query(RecordType::A), query(RecordType::AAAA));
        (label, combine(a, aaaa))
    }
}

/// The CNAME target in another zone that all servers that answer agree on.
fn next_target<'a>(
    replies: impl Iterator<Item = &'a Addresses>,
    expected: Option<&Expected>,
) -> Option<Name> {
    let mut targets = replies.filter_map(|answer| match answer {
        Addresses::Found { addresses, cnames, .. } if addresses.is_empty() => Some(cnames.last()),
        Addresses::NoSuchName { cnames, .. } => Some(cnames.last()),
        Addresses::Found { .. } => Some(None),
        _ => None,
    });
    let first = targets.next()??;
    let is_expected = expected.is_some_and(|expected| expected.has_host(first));
    let all_agree = targets.all(|target| target == Some(first));
    (all_agree && !is_expected).then(|| Name::from_ascii(format!("{first}.")).ok()).flatten()
}

/// The servers of the zone that the name is in, with their addresses.
async fn find(host: &Name, resolvers: &Resolvers) -> Vec<(String, Vec<IpAddr>)> {
    let Some(zone) = find_zone(host, resolvers).await else { return Vec::new() };
    let servers = zone.servers.iter().take(MAX_SERVERS).map(async |name| {
        let mut found = addresses(resolvers.records(name, RecordType::A).await);
        if found.is_empty() {
            found = addresses(resolvers.records(name, RecordType::AAAA).await);
        }
        (text(name), found)
    });
    let mut servers: Vec<_> = join_all(servers).await;
    servers.sort();
    servers
}

fn addresses(reply: Reply) -> Vec<IpAddr> {
    let Reply::Records { records, .. } = reply else { return Vec::new() };
    let address = |data| match data {
        RData::A(address) => Some(IpAddr::V4(*address)),
        RData::AAAA(address) => Some(IpAddr::V6(*address)),
        _ => None,
    };
    records.into_iter().filter_map(|record| address(record.data)).collect()
}
