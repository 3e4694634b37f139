//! Asking one resolver.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use hickory_resolver::{
    NameServerPool, PoolContext, TlsConfig,
    config::{ConnectionConfig, NameServerConfig, ResolverOpts},
    net::{DnsError, DnsHandle, NetError, NoRecords, runtime::TokioRuntimeProvider},
    proto::{
        op::{DnsRequest, DnsRequestOptions, Message, Query, ResponseCode},
        rr::{Name, RData, Record, RecordType, rdata::CAA},
    },
    system_conf,
};
use tokio::time::Instant;

use super::clean;

/// The time that one query may take, its repetitions included.
const TIMEOUT: Duration = Duration::from_secs(5);
/// After so many queries in a row without an answer, and so long without any, a resolver is left alone
/// for a while.
const SILENT_AFTER: (u32, Duration) = (8, Duration::from_secs(10));
/// How long a silent resolver is left alone.
const SILENCE: Duration = Duration::from_secs(30);

/// One of `checks.resolvers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolverAddress {
    /// What `/etc/resolv.conf` names.
    System,
    /// This one.
    At(SocketAddr),
}

impl FromStr for ResolverAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "system" {
            return Ok(Self::System);
        }
        let address = || text.parse().map(|address: IpAddr| SocketAddr::new(address, 53));
        let address = text.parse().or_else(|_| address());
        address.map(Self::At).map_err(
            |_| "it must be \"system\" or an address, such as 1.1.1.1, 127.0.0.1:5353 or [::1]:53",
        )
    }
}

impl fmt::Display for ResolverAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::At(address) if address.port() == 53 => address.ip().fmt(f),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// What came of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// The answer section: a chain of CNAMEs, and the records asked for, if there are any.
    Records(Vec<Record>),
    /// NXDOMAIN, with the CNAMEs that led to it.
    NoSuchName(Vec<Record>),
    /// SERVFAIL. `signatures` tells that it does answer when it need not check DNSSEC signatures.
    Broken { signatures: bool },
    /// No answer, or one that says nothing of the name, and why.
    Silent(String),
}

/// A resolver, and how many queries it may get.
pub(super) struct Resolver {
    label: String,
    /// Why it cannot be asked at all, if it cannot.
    pool: Result<NameServerPool<TokioRuntimeProvider>, String>,
    throttle: Throttle,
    silence: Mutex<Silence>,
}

impl Resolver {
    pub(super) fn new(address: ResolverAddress, queries_per_second: u32) -> Self {
        let servers = match address {
            ResolverAddress::At(address) => Ok(vec![at(address)]),
            ResolverAddress::System => system_conf::read_system_conf()
                .map(|(config, _)| config.name_servers)
                .map_err(|error| format!("/etc/resolv.conf: {error}")),
        };
        let pool = servers.and_then(|servers| {
            let mut options = ResolverOpts::default();
            options.timeout = TIMEOUT;
            options.num_concurrent_reqs = 1;
            options.max_active_requests = 256;
            let tls = TlsConfig::new().map_err(|error| error.to_string())?;
            let context = Arc::new(PoolContext::new(options, tls));
            Ok(NameServerPool::from_config(servers, context, TokioRuntimeProvider::default()))
        });
        Self {
            label: address.to_string(),
            pool,
            throttle: Throttle::new(queries_per_second),
            silence: Mutex::default(),
        }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Asks for records of a kind.
    pub(super) async fn ask(&self, name: &Name, kind: RecordType) -> Reply {
        match self.send(name, kind, false).await {
            // With checking disabled, a resolver hands out what it could not verify (RFC 4035,
            // section 3.2.2).
            Reply::Broken { .. } => {
                let unchecked = self.send(name, kind, true).await;
                let signatures = matches!(unchecked, Reply::Records(_) | Reply::NoSuchName(_));
                Reply::Broken { signatures }
            }
            reply => reply,
        }
    }

    async fn send(&self, name: &Name, kind: RecordType, checking_disabled: bool) -> Reply {
        let pool = match &self.pool {
            Ok(pool) => pool,
            Err(error) => return Reply::Silent(error.clone()),
        };
        if self.is_silent() {
            return Reply::Silent("it has not answered for a while".to_owned());
        }
        self.throttle.next().await;
        let mut options = DnsRequestOptions::default();
        options.use_edns = true;
        let mut request = DnsRequest::from_query(Query::query(name.clone(), kind), options);
        request.metadata.checking_disabled = checking_disabled;
        let answer = tokio::time::timeout(TIMEOUT, pool.send(request).next()).await;
        let reply = match answer {
            Ok(Some(Ok(response))) => read(response.into_message()),
            Ok(Some(Err(error))) => explain(error),
            Ok(None) | Err(_) => Reply::Silent(no_answer()),
        };
        self.note(matches!(reply, Reply::Silent(_)));
        reply
    }

    /// Whether it gave no answer for so long that it is not asked now.
    pub(super) fn is_silent(&self) -> bool {
        let silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        silence.until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether it gave no answer for so long, and none since.
    pub(super) fn went_silent(&self) -> bool {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner).until.is_some()
    }

    fn note(&self, was_silent: bool) {
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        if !was_silent {
            *silence = Silence::default();
            return;
        }
        let now = Instant::now();
        let began = *silence.began.get_or_insert(now);
        silence.in_a_row = silence.in_a_row.saturating_add(1);
        let (many, long) = SILENT_AFTER;
        if silence.in_a_row >= many && now.duration_since(began) >= long {
            // After that, the next query decides alone.
            silence.until = Some(now + SILENCE);
        }
    }
}

#[derive(Debug, Default)]
struct Silence {
    /// Queries without an answer, since the last one that had one,
    in_a_row: u32,
    /// and when the first of them came back without.
    began: Option<Instant>,
    until: Option<Instant>,
}

fn at(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn read(message: Message) -> Reply {
    match message.response_code {
        ResponseCode::NXDomain => Reply::NoSuchName(message.answers),
        ResponseCode::NoError => Reply::Records(message.answers),
        code => Reply::Silent(format!("it answers {code}")),
    }
}

fn explain(error: NetError) -> Reply {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => {
            match response_code {
                ResponseCode::NXDomain => Reply::NoSuchName(Vec::new()),
                _ => Reply::Records(Vec::new()),
            }
        }
        NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)) => {
            Reply::Broken { signatures: false }
        }
        NetError::Dns(DnsError::ResponseCode(code)) => Reply::Silent(format!("it answers {code}")),
        NetError::Timeout => Reply::Silent(no_answer()),
        NetError::Io(error) => Reply::Silent(error.to_string()),
        other => Reply::Silent(clean(&other.to_string())),
    }
}

fn no_answer() -> String {
    format!("no answer within {} s", TIMEOUT.as_secs())
}

/// What a resolver says of a name's addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Addresses {
    /// The name is there.
    Found { addresses: Vec<IpAddr>, cnames: Vec<String> },
    /// NXDOMAIN, at the end of these CNAMEs.
    NoSuchName { cnames: Vec<String> },
    /// SERVFAIL.
    Broken { signatures: bool },
    /// It could not be asked.
    Silent(String),
}

impl Resolver {
    /// Asks for A and AAAA at once.
    pub(super) async fn addresses(&self, name: &Name) -> Addresses {
        let (a, aaaa) =
            tokio::join!(self.ask(name, RecordType::A), self.ask(name, RecordType::AAAA));
        combine(a, aaaa)
    }

    /// Asks for CAA. Where the answer cannot be had, that is the error.
    pub(super) async fn caa(&self, name: &Name) -> Result<Vec<CAA>, String> {
        match self.ask(name, RecordType::CAA).await {
            Reply::Records(records) => Ok(records
                .into_iter()
                .filter_map(|record| match record.data {
                    RData::CAA(caa) => Some(caa),
                    _ => None,
                })
                .collect()),
            Reply::NoSuchName(_) => Ok(Vec::new()),
            Reply::Broken { .. } => Err("SERVFAIL".to_owned()),
            Reply::Silent(reason) => Err(reason),
        }
    }
}

/// The A reply decides; AAAA adds to it. A server that fails for AAAA alone is an old one, and
/// serves most visitors all the same.
fn combine(a: Reply, aaaa: Reply) -> Addresses {
    let mut records = match a {
        Reply::Records(records) => records,
        Reply::NoSuchName(chain) => return Addresses::NoSuchName { cnames: cnames(&chain) },
        Reply::Broken { signatures } => return Addresses::Broken { signatures },
        Reply::Silent(reason) => return Addresses::Silent(reason),
    };
    if let Reply::Records(more) = aaaa {
        records.extend(more);
    }
    let address = |record: &Record| match record.data {
        RData::A(address) => Some(IpAddr::V4(*address)),
        RData::AAAA(address) => Some(IpAddr::V6(*address)),
        _ => None,
    };
    let mut addresses: Vec<IpAddr> = records.iter().filter_map(address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Addresses::Found { addresses, cnames: cnames(&records) }
}

/// Where the CNAMEs lead, each once.
fn cnames(records: &[Record]) -> Vec<String> {
    let mut cnames = Vec::new();
    for record in records {
        if let RData::CNAME(target) = &record.data {
            let target = target.to_ascii().trim_end_matches('.').to_ascii_lowercase();
            if !cnames.contains(&target) {
                cnames.push(target);
            }
        }
    }
    cnames
}

/// Spaces queries out, so that no second gets more than its share.
#[derive(Debug)]
struct Throttle {
    gap: Duration,
    next: Mutex<Instant>,
}

impl Throttle {
    fn new(per_second: u32) -> Self {
        Self { gap: Duration::from_secs(1) / per_second.max(1), next: Mutex::new(Instant::now()) }
    }

    /// Waits for the next turn.
    async fn next(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + self.gap;
            turn
        };
        if turn > Instant::now() {
            tokio::time::sleep_until(turn).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_the_systems_or_addresses() {
        for (text, shown) in [
            ("system", "system"),
            ("1.1.1.1", "1.1.1.1"),
            ("9.9.9.9:53", "9.9.9.9"),
            ("127.0.0.1:5353", "127.0.0.1:5353"),
            ("2620:fe::fe", "2620:fe::fe"),
            ("[::1]:5353", "[::1]:5353"),
        ] {
            assert_eq!(text.parse::<ResolverAddress>().unwrap().to_string(), shown);
        }
        for text in ["", "dns.example", "1.1.1.1:", "1.1.1.1:99999"] {
            assert!(text.parse::<ResolverAddress>().is_err(), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_gets_more_queries_than_it_may() {
        let throttle = Throttle::new(50);
        let start = Instant::now();
        for _ in 0..101 {
            throttle.next().await;
        }
        assert_eq!(start.elapsed().as_secs(), 2);
        tokio::time::advance(Duration::from_secs(60)).await;
        let later = Instant::now();
        for _ in 0..51 {
            throttle.next().await;
        }
        assert_eq!(later.elapsed().as_secs(), 1, "idle time is not saved up");
    }
}
