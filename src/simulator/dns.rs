//! A simulated name server, over UDP and TCP.

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hickory_server::{
    Server,
    net::runtime::Time,
    proto::{
        op::{Header, HeaderCounts, Metadata, ResponseCode},
        rr::{
            Name, RData, Record, RecordType,
            rdata::{A, AAAA, CAA, CNAME, NS, SOA},
        },
    },
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::MessageResponseBuilder,
};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::lock;

/// A running name server for all zones. Clones are handles of the same one; it stops with the last.
#[derive(Clone)]
pub struct Dns {
    address: SocketAddr,
    zone: Arc<Zone>,
    _stops_with_the_last: Arc<DropGuard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsFault {
    /// SERVFAIL.
    Broken,
    /// SERVFAIL, except for the root.
    BrokenBelowRoot,
    /// SERVFAIL to queries for addresses, as for an ALIAS without a target.
    BrokenAddresses,
    /// SERVFAIL to the next query for an A record.
    BrokenOnce,
    /// SERVFAIL, unless the query disables checking.
    WrongSignatures,
    /// NXDOMAIN without the zone's SOA record, as from a block list.
    Denied,
    /// No answer.
    Silent,
    /// REFUSED.
    Refused,
    /// NOTIMP.
    NotImplemented,
}

#[derive(Default)]
struct Zone {
    names: Mutex<HashMap<String, Entry>>,
    /// The fault of all queries.
    fault: Mutex<Option<DnsFault>>,
    queries: AtomicU64,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    data: Vec<RData>,
    fault: Option<DnsFault>,
    /// The fault of queries for CAA records only.
    caa_fault: Option<DnsFault>,
}

impl Entry {
    fn of(data: Vec<RData>) -> Self {
        Self { data, ..Self::default() }
    }
}

impl Dns {
    /// Knows only the root at first.
    ///
    /// # Errors
    /// When no port of 127.0.0.1 is free.
    pub async fn start() -> io::Result<Self> {
        loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await?;
            // The port that UDP gets may be taken for TCP.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr()?).await {
                return Self::serve(udp, tcp);
            }
        }
    }

    /// # Errors
    /// When the address is not free.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        Self::serve(UdpSocket::bind(address).await?, TcpListener::bind(address).await?)
    }

    fn serve(udp: UdpSocket, tcp: TcpListener) -> io::Result<Self> {
        let address = udp.local_addr()?;
        let zone = Arc::new(Zone::default());
        zone.set("", Entry::of(vec![RData::NS(NS(absolute("a.root.example")))]));
        let mut server = Server::new(Handler(zone.clone()));
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(10), 128);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            stopped.cancelled().await;
            // The process drops it in any case.
            let _ = server.shutdown_gracefully().await;
        });
        Ok(Self { address, zone, _stops_with_the_last: Arc::new(stop.drop_guard()) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the name's records by these addresses.
    pub fn point(&self, name: &str, addresses: &[IpAddr]) {
        let data = addresses.iter().map(|address| match address {
            IpAddr::V4(address) => RData::A(A(*address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(*address)),
        });
        self.zone.set(name, Entry::of(data.collect()));
    }

    /// Replaces the name's records by a CNAME.
    pub fn alias(&self, name: &str, target: &str) {
        let data = vec![RData::CNAME(CNAME(absolute(target)))];
        self.zone.set(name, Entry::of(data));
    }

    /// Adds a CAA record to the name.
    pub fn allow(&self, name: &str, tag: &str, value: &str) {
        let mut record = CAA::new_issue(false, None, Vec::new());
        record.tag = tag.to_owned();
        record.value = value.as_bytes().to_vec();
        self.zone.change(name, |entry| entry.data.push(RData::CAA(record)));
    }

    /// Queries for the name fail from now on; its records stay.
    pub fn fail(&self, name: &str, fault: DnsFault) {
        self.zone.change(name, |entry| entry.fault = Some(fault));
    }

    /// Queries for the name's CAA records fail from now on.
    pub fn fail_caa(&self, name: &str, fault: DnsFault) {
        self.zone.change(name, |entry| entry.caa_fault = Some(fault));
    }

    /// Makes the name a zone with these name servers, too.
    pub fn delegate(&self, name: &str, servers: &[&str]) {
        let records = servers.iter().map(|server| RData::NS(NS(absolute(server))));
        self.zone.change(name, |entry| entry.data.extend(records));
    }

    /// Every query fails from now on, also for the root; none ends that.
    pub fn fail_at_all(&self, fault: Option<DnsFault>) {
        *lock(&self.zone.fault) = fault;
    }

    /// Removes the name.
    pub fn forget(&self, name: &str) {
        lock(&self.zone.names).remove(name);
    }

    pub fn queries(&self) -> u64 {
        self.zone.queries.load(Ordering::Relaxed)
    }

    /// The addresses at the end of the name's CNAMEs.
    pub(super) fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let address = |record: Record| match record.data {
            RData::A(address) => Some(IpAddr::V4(*address)),
            RData::AAAA(address) => Some(IpAddr::V6(*address)),
            _ => None,
        };
        let of = |kind| self.zone.answer(name, kind).0;
        let records = of(RecordType::A).into_iter().chain(of(RecordType::AAAA));
        records.filter_map(address).collect()
    }

    /// Whether the CAA records of the name, or of the nearest parent with any, allow this authority.
    pub(super) fn permits(&self, name: &str, authority: &str) -> bool {
        let mut at = name;
        loop {
            let (records, _) = self.zone.answer(at, RecordType::CAA);
            let mut issuers = records.iter().filter_map(|record| match &record.data {
                RData::CAA(caa) => Some(caa.value.as_slice()),
                _ => None,
            });
            match (records.is_empty(), at.split_once('.')) {
                (false, _) => return issuers.any(|issuer| issuer == authority.as_bytes()),
                (true, Some((_, parent))) => at = parent,
                (true, None) => return true,
            }
        }
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Zone {
    fn set(&self, name: &str, entry: Entry) {
        lock(&self.names).insert(name.to_owned(), entry);
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Entry)) {
        change(lock(&self.names).entry(name.to_owned()).or_default());
    }

    fn find(&self, name: &str) -> Option<Entry> {
        let names = lock(&self.names);
        names.get(name).cloned().or_else(|| {
            // A wildcard matches any number of labels (RFC 4592, section 3.3).
            let mut rest = name;
            loop {
                (_, rest) = rest.split_once('.')?;
                if let Some(entry) = names.get(&format!("*.{rest}")) {
                    return Some(entry.clone());
                }
            }
        })
    }

    fn fault(&self, name: &str, kind: RecordType) -> Option<DnsFault> {
        let of_all = *lock(&self.fault);
        let of_caa = |entry: Entry| entry.caa_fault.filter(|_| kind == RecordType::CAA);
        of_all.or_else(|| {
            let entry = self.find(name)?;
            entry.fault.or_else(|| of_caa(entry))
        })
    }

    /// The answer section, and whether the name at its end exists (RFC 6604).
    fn answer(&self, name: &str, kind: RecordType) -> (Vec<Record>, bool) {
        let mut records = Vec::new();
        let mut name = name.to_owned();
        // Stops a circle of CNAMEs.
        for _ in 0..16 {
            let Some(entry) = self.find(&name) else {
                // A name exists if names below it exist (RFC 8020).
                let below = format!(".{name}");
                let has_names_below = lock(&self.names).keys().any(|key| key.ends_with(&below));
                return (records, has_names_below);
            };
            let owner = absolute(&name);
            let mut next = None;
            for data in entry.data {
                match &data {
                    RData::CNAME(target) => next = Some(relative(&target.0)),
                    data if data.record_type() != kind => continue,
                    _ => {}
                }
                records.push(Record::from_rdata(owner.clone(), 1, data));
            }
            match next {
                Some(target) if kind != RecordType::CNAME => name = target,
                _ => break,
            }
        }
        (records, true)
    }
}

/// The SOA record of negative answers.
fn soa() -> Record {
    let name = || absolute("a.root.example");
    Record::from_rdata(Name::root(), 1, RData::SOA(SOA::new(name(), name(), 1, 60, 60, 60, 1)))
}

fn absolute(name: &str) -> Name {
    Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).unwrap_or_default()
}

fn relative(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

struct Handler(Arc<Zone>);

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response_handle: R,
    ) -> ResponseInfo {
        self.0.queries.fetch_add(1, Ordering::Relaxed);
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.recursion_available = true;
        let (mut answers, mut authority) = (Vec::new(), Vec::new());
        match request.request_info() {
            Err(_) => metadata.response_code = ResponseCode::FormErr,
            Ok(info) => {
                let name = relative(&Name::from(info.query.name().clone()));
                let answer = || self.0.answer(&name, info.query.query_type());
                match self.0.fault(&name, info.query.query_type()) {
                    Some(DnsFault::Denied) => metadata.response_code = ResponseCode::NXDomain,
                    Some(DnsFault::Silent) => return nothing(metadata),
                    Some(DnsFault::Refused) => metadata.response_code = ResponseCode::Refused,
                    Some(DnsFault::NotImplemented) => metadata.response_code = ResponseCode::NotImp,
                    Some(DnsFault::WrongSignatures) if request.metadata.checking_disabled => {
                        (answers, _) = answer();
                    }
                    Some(DnsFault::BrokenBelowRoot) if name.is_empty() => (answers, _) = answer(),
                    Some(DnsFault::BrokenOnce) if info.query.query_type() == RecordType::A => {
                        self.0.change(&name, |entry| entry.fault = None);
                        metadata.response_code = ResponseCode::ServFail;
                    }
                    Some(DnsFault::BrokenAddresses)
                        if !matches!(info.query.query_type(), RecordType::A | RecordType::AAAA) =>
                    {
                        (answers, _) = answer();
                    }
                    Some(
                        DnsFault::BrokenAddresses
                        | DnsFault::Broken
                        | DnsFault::BrokenBelowRoot
                        | DnsFault::WrongSignatures,
                    ) => metadata.response_code = ResponseCode::ServFail,
                    Some(DnsFault::BrokenOnce) | None => {
                        let is_there;
                        (answers, is_there) = answer();
                        if !is_there {
                            metadata.response_code = ResponseCode::NXDomain;
                        }
                        authority.extend(answers.is_empty().then(soa));
                    }
                }
            }
        }
        let is_answer = !matches!(
            metadata.response_code,
            ResponseCode::FormErr
                | ResponseCode::NotImp
                | ResponseCode::Refused
                | ResponseCode::ServFail
        );
        metadata.authoritative = is_answer && !request.metadata.recursion_desired;
        let builder = MessageResponseBuilder::from_message_request(request);
        let response = builder.build(metadata, &answers, &[], &authority, &[]);
        response_handle.send_response(response).await.unwrap_or_else(|_| nothing(metadata))
    }
}

fn nothing(metadata: Metadata) -> ResponseInfo {
    Header { metadata, counts: HeaderCounts::default() }.into()
}
