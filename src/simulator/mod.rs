//! A simulated Closte for `demo` and tests: it answers as the real API is known to
//! answer, keeps a list, and fails on request. [`World`] adds DNS and a web server, and [`WordPress`] the sites.

mod dns;
mod server;
mod tls;
mod web;
mod wordpress;
mod world;

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use dns::{Dns, DnsFault};
pub use tls::{Face, TlsServer};
pub use web::{WebAnswer, WebFace, WebRequest};
pub use wordpress::{Closed, Habits, WordPress};
pub use world::World;

/// The most requests that are kept.
const REQUESTS_KEPT: usize = 20_000;

/// A running simulated Closte. Clones are handles of the same one; it stops with the last of them.
#[derive(Debug, Clone)]
pub struct Simulator {
    address: SocketAddr,
    account: Arc<Account>,
    _stops_with_the_last: Arc<DropGuard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// `getdomains`
    List,
    /// `adddomainalias` with a name.
    Add,
    /// `deletedomainalias`
    Remove,
    /// `adddomainalias` without a name.
    KeyTest,
    /// `ssl/install` and its siblings.
    Certificate,
    /// Anything else.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An HTTP status.
    Status(u16),
    /// An HTTP status with a `Retry-After` in seconds.
    RetryAfter(u16, u64),
    /// A redirect to an address.
    Redirect(String),
    /// HTTP 200 with this body.
    Body(String),
    /// HTTP 200 and `success: false` with this error. `{apikey}` in it becomes the key that came.
    Failure(String),
    /// `success: true`, without doing anything.
    EmptyPromise,
    /// No answer.
    Hang,
    /// The call takes effect, and there is no answer.
    HeldAnswer,
    /// The connection is reset before the call has an effect.
    Reset,
    /// The call takes effect, and the connection is reset instead of an answer.
    LostAnswer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub call: Call,
    /// The path below the base address.
    pub path: String,
    pub domain: Option<String>,
    pub wildcard: Option<String>,
    pub key_accepted: bool,
}

/// The requests that a fault affects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Everything,
    Only(Call),
    Domain(String),
    /// A path below the base address.
    Path(&'static str),
}

/// The elements of the list.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Shape {
    /// Plain texts.
    #[default]
    Texts,
    /// Objects with the name under this key.
    Objects(&'static str),
    /// Plain texts, followed by these elements.
    With(Vec<Value>),
}

#[derive(Debug)]
struct Account {
    api_key: Mutex<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    domains: BTreeSet<String>,
    /// The cached body of the list.
    list: Option<Arc<str>>,
    refused: HashSet<String>,
    faults: Vec<(Target, Fault)>,
    shape: Shape,
    latency: Duration,
    requests: VecDeque<Request>,
    counts: HashMap<Call, u64>,
    removed_in_vain: Vec<String>,
    in_flight: usize,
    most_in_flight: usize,
    connections: u64,
}

impl Simulator {
    /// Accepts this key.
    ///
    /// # Errors
    /// When no port of 127.0.0.1 is free.
    pub async fn start(api_key: &str) -> io::Result<Self> {
        Self::listen((Ipv4Addr::LOCALHOST, 0).into(), api_key).await
    }

    /// The same at an address of choice.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub async fn listen(address: SocketAddr, api_key: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let account =
            Arc::new(Account { api_key: Mutex::new(api_key.to_owned()), state: Mutex::default() });
        let stop = CancellationToken::new();
        tokio::spawn(server::serve(listener, account.clone(), stop.clone()));
        Ok(Self { address, account, _stops_with_the_last: Arc::new(stop.drop_guard()) })
    }

    /// The address for `closte.base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}/api/client", self.address)
    }

    /// The current names, sorted.
    pub fn domains(&self) -> Vec<String> {
        self.account.state().domains.iter().cloned().collect()
    }

    /// Adds names without a call, as by hand.
    pub fn put<T: Into<String>>(&self, names: impl IntoIterator<Item = T>) {
        self.account.state().change(|domains| domains.extend(names.into_iter().map(Into::into)));
    }

    /// Removes a name without a call, as by hand.
    pub fn take_away(&self, name: &str) {
        self.account.state().change(|domains| domains.remove(name));
    }

    /// Refuses this name from now on.
    pub fn refuse(&self, name: &str) {
        self.account.state().refused.insert(name.to_owned());
    }

    /// Faults last until [`Self::heal`]; the first that matches counts.
    pub fn fail(&self, target: Target, fault: Fault) {
        self.account.state().faults.push((target, fault));
    }

    pub fn heal(&self) {
        self.account.state().faults.clear();
    }

    /// Delays every answer from now on. Calls take effect before the delay.
    pub fn set_latency(&self, latency: Duration) {
        self.account.state().latency = latency;
    }

    pub fn set_shape(&self, shape: Shape) {
        let mut state = self.account.state();
        state.shape = shape;
        state.list = None;
    }

    pub fn set_key(&self, api_key: &str) {
        *lock(&self.account.api_key) = api_key.to_owned();
    }

    /// The newest requests, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.account.state().requests.iter().cloned().collect()
    }

    pub fn count(&self, call: Call) -> u64 {
        self.account.state().counts.get(&call).copied().unwrap_or_default()
    }

    /// The names that were to be removed when they were not there.
    pub fn removed_in_vain(&self) -> Vec<String> {
        self.account.state().removed_in_vain.clone()
    }

    /// The most requests that were in flight at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.account.state().most_in_flight
    }

    pub fn connections(&self) -> u64 {
        self.account.state().connections
    }
}

/// Ignores poisoning: a panic elsewhere leaves the state valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Account {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Counts the request. Returns its fault and its latency.
    fn receive(&self, request: &Request) -> (Option<Fault>, Duration) {
        let mut state = self.state();
        *state.counts.entry(request.call).or_default() += 1;
        if state.requests.len() == REQUESTS_KEPT {
            state.requests.pop_front();
        }
        state.requests.push_back(request.clone());
        let matches = |target: &Target| match target {
            Target::Everything => true,
            Target::Only(call) => *call == request.call,
            Target::Domain(name) => request.domain.as_ref() == Some(name),
            Target::Path(path) => request.path == *path,
        };
        let fault = state.faults.iter().find(|(target, _)| matches(target));
        (fault.map(|(_, fault)| fault.clone()), state.latency)
    }

    /// Carries out a call without a fault.
    fn answer(&self, request: &Request) -> Arc<str> {
        let success = |_| json!({"success": true}).to_string().into();
        let failure = |error: String| json!({"success": false, "error": error}).to_string().into();
        if !request.key_accepted {
            return failure("Invalid API key".to_owned());
        }
        let name = request.domain.clone().unwrap_or_default();
        let mut state = self.state();
        match request.call {
            Call::List => state.list(),
            Call::Add if !state.refused.contains(&name) && name.contains('.') => {
                success(state.change(|domains| domains.insert(name)))
            }
            Call::KeyTest | Call::Add => failure(format!("Invalid or empty domain: {name}")),
            Call::Remove => {
                if !state.change(|domains| domains.remove(&name)) {
                    state.removed_in_vain.push(name);
                }
                success(true)
            }
            Call::Certificate | Call::Unknown => success(true),
        }
    }
}

impl State {
    fn change<T>(&mut self, change: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        self.list = None;
        change(&mut self.domains)
    }

    fn list(&mut self) -> Arc<str> {
        let (domains, shape) = (&self.domains, &self.shape);
        let list = self.list.get_or_insert_with(|| {
            let element = |name: &String| match shape {
                Shape::Objects(key) => {
                    json!({"id": name.len(), *key: name, "wildcard": u8::from(name.starts_with("*."))})
                }
                Shape::Texts | Shape::With(_) => name.as_str().into(),
            };
            let mut elements: Vec<Value> = domains.iter().map(element).collect();
            if let Shape::With(more) = shape {
                elements.extend(more.iter().cloned());
            }
            json!({"success": true, "domains": elements}).to_string().into()
        });
        list.clone()
    }
}
