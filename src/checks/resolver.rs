use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hickory_resolver::{
    net::NetError,
    proto::{
        op::{Message, Query, ResponseCode},
        rr::{Name, RecordType},
    },
    system_conf,
};
use tokio::{sync::Mutex as AsyncMutex, time::Instant};

use super::{
    health::{ResolverHealth, Streak},
    query::{QueryOptions, ServFailCause, send},
    reply::{Addresses, Reply, combine, is_answer, read},
    reserved::reserved,
    throttle::Throttle,
};
use crate::secrets::excerpt;

/// The time for one query, its repetitions included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// One of `checks.resolvers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolverAddress {
    /// The name servers of `/etc/resolv.conf`.
    System,
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

/// Whose view of the DNS a resolver has, the widest first. The widest one decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum View {
    /// The public one: its address is a public one.
    Public,
    /// That of a private network: the settings give it a private address.
    Private,
    /// That of this machine.
    System,
}

impl ResolverAddress {
    pub(super) fn view(self) -> View {
        match self {
            Self::System => View::System,
            Self::At(address) if reserved(address.ip()).is_some() => View::Private,
            Self::At(_) => View::Public,
        }
    }
}

/// The outcome of control queries: those whose answer is known beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    /// It answers them; `validates` is whether it validates DNSSEC signatures.
    Passed {
        validates: bool,
    },
    /// It answers one wrongly, in this way.
    Failed(String),
    /// It does not answer, for this reason.
    Silent(String),
    NotAsked,
}

/// How long the outcome of control queries is reused, as many names may need it in the same moment.
const CONTROL_TTL: Duration = Duration::from_secs(5);
/// A resolver with another view is reported until it has agreed for this long.
const DIFFERS_FOR: Duration = Duration::from_secs(10 * 60);

pub(super) struct Resolver {
    label: String,
    pub(super) view: View,
    /// An error says why `/etc/resolv.conf` cannot be used.
    servers: Result<Vec<SocketAddr>, String>,
    throttle: Throttle,
    state: Mutex<ResolverState>,
    control: AsyncMutex<Option<(Instant, Control)>>,
}

#[derive(Default)]
struct ResolverState {
    health: ResolverHealth,
    has_answered: bool,
    /// Whether it has set the AD bit in an answer.
    validates: bool,
    /// Names for which its answer differs from that of the deciding resolvers.
    differing: Streak,
    /// The latest differing answer and its time, once the streak was long enough.
    differs: Option<(String, Instant)>,
}

impl Resolver {
    pub(super) fn new(address: ResolverAddress, queries_per_second: u32) -> Self {
        let servers = match address {
            ResolverAddress::At(address) => Ok(vec![address]),
            ResolverAddress::System => system_conf::read_system_conf()
                .map(|(config, _)| {
                    let servers = config.name_servers.iter();
                    servers.map(|server| SocketAddr::new(server.ip, 53)).collect()
                })
                .map_err(|error| format!("/etc/resolv.conf: {error}")),
        };
        Self {
            label: address.to_string(),
            view: address.view(),
            servers,
            throttle: Throttle::new(queries_per_second),
            state: Mutex::default(),
            control: AsyncMutex::default(),
        }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    fn state(&self) -> MutexGuard<'_, ResolverState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for records. A SERVFAIL is returned with its cause.
    pub(super) async fn ask(&self, name: &Name, kind: RecordType) -> Reply {
        let first_why = match self.send(name, kind).await {
            Reply::Broken { cause: None, why } => why,
            reply => return reply,
        };
        // With checking disabled, a resolver returns records that it could not validate (RFC 4035,
        // section 3.2.2). It may also have failed only for a moment, so it is asked once more.
        let unchecked = self.exchange(name, kind, true).await;
        if !unchecked.is_ok_and(|message| is_answer(&message)) {
            return Reply::Broken { cause: Some(ServFailCause::Servers), why: first_why };
        }
        match self.send(name, kind).await {
            Reply::Broken { cause, why } => {
                let cause = cause.or(Some(ServFailCause::Signatures));
                Reply::Broken { cause, why: why.or(first_why) }
            }
            reply => reply,
        }
    }

    /// Asks for A and AAAA records in parallel.
    pub(super) async fn addresses(&self, name: &Name) -> Addresses {
        let (a, aaaa) =
            tokio::join!(self.ask(name, RecordType::A), self.ask(name, RecordType::AAAA));
        combine(a, aaaa)
    }

    async fn send(&self, name: &Name, kind: RecordType) -> Reply {
        match self.exchange(name, kind, false).await {
            Ok(message) => {
                // An answer about the root may come from a cache of days ago.
                if is_answer(&message) && !name.is_root() {
                    self.state().health.answered();
                }
                read(message)
            }
            Err(reply) => reply,
        }
    }

    /// Asks its servers, in their order, until one answers.
    async fn exchange(
        &self,
        name: &Name,
        kind: RecordType,
        checking_disabled: bool,
    ) -> Result<Message, Reply> {
        let silent = |reason: &str| Reply::Silent(reason.to_owned());
        let servers = self.servers.as_ref().map_err(|reason| silent(reason))?;
        if self.is_silent() && self.is_backing_off() {
            return Err(silent("it has not answered for a while"));
        }
        self.throttle.wait().await;
        let within = TIMEOUT / u32::try_from(servers.len()).unwrap_or(1).max(1);
        let options = QueryOptions { recursion: true, checking_disabled };
        let mut outcome = Err(silent("/etc/resolv.conf names no server"));
        for server in servers {
            let answer = send(*server, Query::query(name.clone(), kind), options, within).await;
            let has_answered = answer.as_ref().is_ok_and(is_answer);
            outcome = match answer {
                Err(error) if outcome.is_err() => Err(explain(&error, TIMEOUT)),
                Err(_) => outcome,
                Ok(message) => Ok(message),
            };
            if has_answered {
                break;
            }
        }
        let mut state = self.state();
        match &outcome {
            Ok(message) => {
                if is_answer(message) {
                    state.has_answered = true;
                    state.validates |= message.authentic_data;
                }
                state.health.responded();
            }
            Err(Reply::Silent(_)) => state.health.unanswered(Instant::now()),
            Err(_) => state.health.responded(),
        }
        outcome
    }

    /// Asks for the root's name servers and for a name that does not exist and is in no cache, or
    /// returns a recent outcome of that.
    pub(super) async fn control(&self) -> Control {
        let mut cached = self.control.lock().await;
        if let Some((at, control)) = &*cached
            && at.elapsed() < CONTROL_TTL
        {
            return control.clone();
        }
        let control = self.ask_control().await;
        *cached = Some((Instant::now(), control.clone()));
        control
    }

    async fn ask_control(&self) -> Control {
        let (root, label) = (Name::root(), rand::random::<u64>());
        let Ok(new) = Name::from_ascii(format!("closte-sync-{label:016x}.com.")) else {
            return Control::NotAsked;
        };
        let (root, new) = tokio::join!(
            self.exchange(&root, RecordType::NS, false),
            self.exchange(&new, RecordType::A, false)
        );
        let code = |message: &Message| message.response_code;
        match (root, new) {
            (Err(reply), _) | (_, Err(reply)) => Control::Silent(reply.why()),
            (Ok(root), _) if code(&root) == ResponseCode::ServFail => {
                Control::Failed("it answers SERVFAIL for the root's name servers".to_owned())
            }
            (Ok(root), _) if code(&root) == ResponseCode::NXDomain => Control::Failed(
                "it answers that there is no such name for the root's name servers".to_owned(),
            ),
            (_, Ok(new)) if !is_answer(&new) => {
                let code = match code(&new) {
                    ResponseCode::ServFail => "SERVFAIL".to_owned(),
                    code => code.to_string(),
                };
                Control::Failed(format!("it answers {code} for a new name below com"))
            }
            (_, Ok(new)) if !new.answers.is_empty() => Control::Failed(
                "it has an address for a name below com that is not registered".to_owned(),
            ),
            (Ok(root), _) => Control::Passed { validates: root.authentic_data },
        }
    }

    /// Whether it is in an outage so recent that it is only asked together with others.
    pub(super) fn is_backing_off(&self) -> bool {
        self.state().health.is_backing_off(Instant::now())
    }

    /// Whether it is in an outage without any answer.
    pub(super) fn is_silent(&self) -> bool {
        self.state().health.is_silent(Instant::now())
    }

    /// How it fails, while it is in an outage with answers.
    pub(super) fn failing(&self) -> Option<String> {
        self.state().health.failing(Instant::now()).map(str::to_owned)
    }

    /// Whether it has answered since the program started.
    pub(super) fn has_answered(&self) -> bool {
        self.state().has_answered
    }

    /// Whether it is known to validate DNSSEC signatures.
    pub(super) fn validates(&self) -> bool {
        self.state().validates
    }

    /// Its latest differing answer, while its answers for several names differ.
    pub(super) fn differing_answer(&self) -> Option<String> {
        self.state().differs.as_ref().map(|(answer, _)| answer.clone())
    }

    /// Records that it failed for a name that most others answer.
    pub(super) fn note_failed_alone(&self, name: &str, how: &str) {
        self.state().health.failed_alone(name, how, Instant::now());
    }

    /// Records that it failed at a control query.
    pub(super) fn note_failing(&self, how: &str) {
        self.state().health.mark_failing(how, Instant::now());
    }

    /// Records its answer for a name where it differs from the deciding one, or that it agrees.
    pub(super) fn note_view(&self, name: &str, differing: Option<String>) {
        let (mut state, now) = (self.state(), Instant::now());
        match differing {
            Some(answer) => {
                if state.differing.note(name, now) || state.differs.is_some() {
                    state.differs = Some((answer, now));
                }
            }
            None => {
                state.differing = Streak::default();
                state.differs.take_if(|(_, at)| now.duration_since(*at) >= DIFFERS_FOR);
            }
        }
    }
}

/// The reply that stands for a failed query.
pub(super) fn explain(error: &NetError, within: Duration) -> Reply {
    Reply::Silent(match error {
        NetError::Proto(_) => return Reply::Unreadable,
        NetError::Timeout => format!("no answer within {} s", within.as_secs()),
        NetError::Io(error) => error.to_string(),
        other => excerpt(&other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolver_addresses_are_parsed_and_shown() {
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
}
