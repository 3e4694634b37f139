//! Asking one resolver.

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
    health::{InARow, ResolverHealth},
    query::{Manner, send},
    reply::{Addresses, Reply, combine, is_of_the_name, read},
    reserved::reserved,
};
use crate::secrets::excerpt;

/// The time that one query may take, its repetitions included.
const TIMEOUT: Duration = Duration::from_secs(5);

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

/// Whose view of the DNS a resolver has. The first that there is decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum View {
    /// The world's: its address is a public one.
    Public,
    /// One that was named on purpose, although its address is a private one.
    Named,
    /// This machine's own.
    System,
}

impl ResolverAddress {
    pub(super) fn view(self) -> View {
        match self {
            Self::System => View::System,
            Self::At(address) if reserved(address.ip()).is_some() => View::Named,
            Self::At(_) => View::Public,
        }
    }
}

/// How a resolver does with questions whose answer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    /// It answers them; and it checks signatures, or does not.
    Passed { validates: bool },
    /// It fails at one, in this way.
    Failed(String),
    /// It does not answer, and why.
    Silent(String),
    /// It was not asked.
    Unknown,
}

/// What came of such questions is believed for so long: there may be many doubts at once.
const CONTROL_LASTS: Duration = Duration::from_secs(5);
/// An odd resolver is that until it has not been for so long.
const ODD_LASTS: Duration = Duration::from_secs(10 * 60);

/// A resolver, and how many queries it may get.
pub(super) struct Resolver {
    label: String,
    pub(super) view: View,
    /// Why it cannot be asked at all, if it cannot.
    servers: Result<Vec<SocketAddr>, String>,
    throttle: Throttle,
    state: Mutex<ResolverState>,
    control: AsyncMutex<Option<(Instant, Control)>>,
}

#[derive(Default)]
struct ResolverState {
    health: ResolverHealth,
    has_answered: bool,
    /// Whether it ever said that it checked signatures.
    validates: bool,
    /// Names of which it has another view than the resolvers that decide,
    odd: InARow,
    /// and what it says of the latest, and when, while that is evidence.
    is_odd: Option<(String, Instant)>,
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

    /// Asks for records of a kind.
    pub(super) async fn ask(&self, name: &Name, kind: RecordType) -> Reply {
        let broken = match self.send(name, kind).await {
            Reply::Broken { dnssec: None, why } => why,
            reply => return reply,
        };
        // With checking disabled, a resolver hands out what it could not verify (RFC 4035,
        // section 3.2.2). What it could not get at first may be there a moment later, too.
        let unchecked = self.exchange(name, kind, true).await;
        if !unchecked.is_ok_and(|message| is_of_the_name(&message)) {
            return Reply::Broken { dnssec: Some(false), why: broken };
        }
        match self.send(name, kind).await {
            Reply::Broken { dnssec, why } => {
                Reply::Broken { dnssec: dnssec.or(Some(true)), why: why.or(broken) }
            }
            reply => reply,
        }
    }

    async fn send(&self, name: &Name, kind: RecordType) -> Reply {
        match self.exchange(name, kind, false).await {
            Ok(message) => {
                // The root it may have known for days.
                if is_of_the_name(&message) && !name.is_root() {
                    self.state().health.answered();
                }
                read(message)
            }
            Err(reply) => reply,
        }
    }

    /// One question to the servers that it stands for, in their order, until one knows.
    async fn exchange(
        &self,
        name: &Name,
        kind: RecordType,
        unchecked: bool,
    ) -> Result<Message, Reply> {
        let silent = |reason: &str| Reply::Silent(reason.to_owned());
        let servers = self.servers.as_ref().map_err(|reason| silent(reason))?;
        if self.is_silent() && self.rests() {
            return Err(silent("it has not answered for a while"));
        }
        self.throttle.next().await;
        let within = TIMEOUT / u32::try_from(servers.len()).unwrap_or(1).max(1);
        let manner = Manner { recursion: true, unchecked };
        let mut outcome = Err(silent("/etc/resolv.conf names no server"));
        for server in servers {
            let answer = send(*server, Query::query(name.clone(), kind), manner, within).await;
            let is_known = answer.as_ref().is_ok_and(is_of_the_name);
            outcome = match answer {
                Err(error) if outcome.is_err() => Err(explain(&error, TIMEOUT)),
                Err(_) => outcome,
                Ok(message) => Ok(message),
            };
            if is_known {
                break;
            }
        }
        let mut state = self.state();
        match &outcome {
            Ok(message) => {
                if is_of_the_name(message) {
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

    /// How it does with what every resolver knows: who serves the root, and that a name is not there
    /// which nobody can have asked for before. Asked for now and then only.
    pub(super) async fn control(&self) -> Control {
        let mut known = self.control.lock().await;
        if let Some((at, control)) = &*known
            && at.elapsed() < CONTROL_LASTS
        {
            return control.clone();
        }
        let control = self.ask_control().await;
        *known = Some((Instant::now(), control.clone()));
        control
    }

    async fn ask_control(&self) -> Control {
        let (root, label) = (Name::root(), rand::random::<u64>());
        let Ok(new) = Name::from_ascii(format!("closte-sync-{label:016x}.com.")) else {
            return Control::Unknown;
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
            (_, Ok(new)) if !is_of_the_name(&new) => {
                let code = match code(&new) {
                    ResponseCode::ServFail => "SERVFAIL".to_owned(),
                    code => code.to_string(),
                };
                Control::Failed(format!("it answers {code} for a new name below com"))
            }
            (_, Ok(new)) if !new.answers.is_empty() => Control::Failed(
                "it has an address for a name below com that nobody has registered".to_owned(),
            ),
            (Ok(root), _) => Control::Passed { validates: root.authentic_data },
        }
    }

    /// Whether it gave no answer or failed for so long that it is not asked alone now.
    pub(super) fn rests(&self) -> bool {
        self.state().health.rests(Instant::now())
    }

    /// Whether it gave no answer for so long, and none since.
    pub(super) fn is_silent(&self) -> bool {
        self.state().health.is_silent(Instant::now())
    }

    /// How it fails, if it is sick.
    pub(super) fn sick(&self) -> Option<String> {
        self.state().health.sick(Instant::now()).map(str::to_owned)
    }

    /// Whether it ever answered.
    pub(super) fn has_answered(&self) -> bool {
        self.state().has_answered
    }

    /// Whether it is known to check signatures.
    pub(super) fn validates(&self) -> bool {
        self.state().validates
    }

    /// What it says of a name, while it has another view of one name after the other.
    pub(super) fn odd(&self) -> Option<String> {
        self.state().is_odd.as_ref().map(|(says, _)| says.clone())
    }

    /// It failed at a name that most others answer.
    pub(super) fn note_failed_alone(&self, name: &str, how: &str) {
        self.state().health.failed_alone(name, how, Instant::now());
    }

    /// It failed at what must exist.
    pub(super) fn note_sick(&self, how: &str) {
        self.state().health.is_sick(how, Instant::now());
    }

    /// What it says of a name, if that is something else than what those say who decide.
    pub(super) fn note_view(&self, name: &str, otherwise: Option<String>) {
        let (mut state, now) = (self.state(), Instant::now());
        match otherwise {
            Some(says) => {
                if state.odd.note(name, now) || state.is_odd.is_some() {
                    state.is_odd = Some((says, now));
                }
            }
            None => {
                state.odd = InARow::default();
                state.is_odd.take_if(|(_, at)| now.duration_since(*at) >= ODD_LASTS);
            }
        }
    }
}

/// What came of a query without an answer that can be read.
pub(super) fn explain(error: &NetError, within: Duration) -> Reply {
    Reply::Silent(match error {
        NetError::Proto(_) => return Reply::Unreadable,
        NetError::Timeout => format!("no answer within {} s", within.as_secs()),
        NetError::Io(error) => error.to_string(),
        other => excerpt(&other.to_string()),
    })
}

impl Resolver {
    /// Asks for A and AAAA at once.
    pub(super) async fn addresses(&self, name: &Name) -> Addresses {
        let (a, aaaa) =
            tokio::join!(self.ask(name, RecordType::A), self.ask(name, RecordType::AAAA));
        combine(a, aaaa)
    }
}

/// Spaces queries out, so that no second gets more than its share.
#[derive(Debug)]
pub(super) struct Throttle {
    gap: Duration,
    next: Mutex<Instant>,
}

impl Throttle {
    pub(super) fn new(per_second: u32) -> Self {
        Self { gap: Duration::from_secs(1) / per_second.max(1), next: Mutex::new(Instant::now()) }
    }

    /// Waits for the next turn.
    pub(super) async fn next(&self) {
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
