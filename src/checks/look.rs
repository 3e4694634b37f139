use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use hickory_resolver::proto::rr::{Name, RecordType, rdata::CAA};
use ipnet::IpNet;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{
    dns::{Addresses, Reply, Resolver, ResolverAddress},
    judge::{judge_answer, judge_caa, judge_dns},
    targets::{Expected, Target},
    tls::{RootsError, Tls},
};
use crate::{
    domain::DomainName,
    ledger::later,
    standing::{
        Blocker, Caa, DnsObservation, Observation, ResolverAnswer, SslObservation, SslVerdict,
    },
};

/// What is looked at for a wildcard: this label below it.
const PROBE: &str = "closte-sync-probe";
/// How long what the expected hosts resolve to is believed.
const EXPECTED_LASTS: Duration = Duration::from_secs(60);

/// How to look.
#[derive(Debug, Clone)]
pub struct Options {
    /// `checks.resolvers`
    pub resolvers: Vec<ResolverAddress>,
    /// `checks.expected_targets`
    pub expected_targets: Vec<Target>,
    /// `closte.public_address`, for where those are empty.
    pub public_address: Option<IpAddr>,
    /// `checks.proxies`
    pub proxies: Vec<IpNet>,
    /// `checks.certificate_authorities`
    pub certificate_authorities: Vec<String>,
    /// `checks.port`
    pub port: u16,
    /// `checks.ca_file`
    pub ca_file: Option<PathBuf>,
    /// `checks.expiry_warning`
    pub expiry_warning: Duration,
    /// `checks.queries_per_second`
    pub queries_per_second: u32,
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// One resolver and one handshake, unless they leave a doubt. For a name that works.
    Quick,
    /// All resolvers, the handshake, the CAA records.
    Full,
}

/// Looks at domains from outside.
pub struct Checks {
    options: Options,
    resolvers: Vec<Resolver>,
    /// Whose turn it is to be asked alone.
    turn: AtomicUsize,
    tls: Tls,
    /// Where names should point, as it was found out last.
    expected: Mutex<Option<Believed>>,
}

/// Why a host has no address that is known.
#[derive(Clone)]
struct Unresolved {
    /// In words.
    reason: String,
    /// Whether all resolvers say that it has none.
    is_certain: bool,
}

/// Where names should point, for a while.
struct Believed {
    expected: Arc<Expected>,
    /// The network's own domain then.
    own_domain: Option<String>,
    until: Timestamp,
}

impl Checks {
    /// Makes ready to look. Nothing is asked yet.
    ///
    /// # Errors
    /// [`RootsError`] when the root certificates cannot be used.
    pub fn new(options: Options) -> Result<Self, RootsError> {
        let resolver =
            |address: &ResolverAddress| Resolver::new(*address, options.queries_per_second);
        Ok(Self {
            resolvers: options.resolvers.iter().map(resolver).collect(),
            turn: AtomicUsize::new(0),
            tls: Tls::new(options.port, options.ca_file.as_deref(), options.expiry_warning)?,
            expected: Mutex::new(None),
            options,
        })
    }

    /// Where names should point now: `checks.expected_targets`, or `closte.public_address` and what
    /// the network's own domain resolves to. Asked for once a minute at most.
    ///
    /// # Errors
    /// Why it could not be found out, in words.
    pub async fn expected(
        &self,
        own_domain: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<Expected>, String> {
        let mut known = self.expected.lock().await;
        if let Some(believed) = &*known
            && believed.own_domain.as_deref() == own_domain
            && now < believed.until
        {
            return Ok(believed.expected.clone());
        }
        let expected = Arc::new(self.find_expected(own_domain).await?);
        *known = Some(Believed {
            expected: expected.clone(),
            own_domain: own_domain.map(str::to_owned),
            until: later(now, EXPECTED_LASTS),
        });
        Ok(expected)
    }

    async fn find_expected(&self, own_domain: Option<&str>) -> Result<Expected, String> {
        let Options { expected_targets, public_address, .. } = &self.options;
        if !expected_targets.is_empty() {
            let mut addresses = Vec::new();
            for target in expected_targets {
                let Target::Host(host) = target else { continue };
                // Half of the truth would make other names look wrong.
                addresses.extend(self.resolve(host).await.map_err(|problem| problem.reason)?);
            }
            return Ok(Expected::new(expected_targets, addresses));
        }
        let address = public_address.map(|address| Target::Network(address.into()));
        let own = match own_domain.map(|own| (own, own.parse())) {
            Some((_, Ok(host))) => Ok(host),
            Some((own, Err(error))) => Err(Unresolved {
                reason: format!(
                    "the network's own domain {:?} is no domain name: {error}",
                    super::clean(own)
                ),
                is_certain: true,
            }),
            None => Err(Unresolved {
                reason: "the network's own domain is not known yet".to_owned(),
                is_certain: false,
            }),
        };
        let resolved = match &own {
            Ok(host) => self.resolve(host).await,
            Err(problem) => Err(problem.clone()),
        };
        let targets = address.into_iter().chain(own.ok().map(Target::Host));
        let targets: Vec<Target> = targets.collect();
        match resolved {
            Ok(addresses) => Ok(Expected::new(&targets, addresses)),
            Err(problem) if public_address.is_none() => Err(problem.reason),
            Err(problem) if problem.is_certain => Ok(Expected::new(&targets, [])),
            Err(_) => Ok(Expected::new(&targets, []).and_perhaps_more()),
        }
    }

    /// All addresses that any resolver has for a host.
    async fn resolve(&self, host: &DomainName) -> Result<Vec<IpAddr>, Unresolved> {
        let failed = |reason: &str, is_certain| Unresolved {
            reason: format!("{host}: {reason}"),
            is_certain,
        };
        let name = dns_name(host.as_str()).map_err(|reason| failed(&reason, true))?;
        let answers = join_all(self.resolvers.iter().map(|one| one.addresses(&name))).await;
        let mut found = Vec::new();
        let mut problem = failed("no resolver is set", false);
        let mut is_certain = !answers.is_empty();
        for answer in answers {
            let (reason, says_so) = match answer {
                Addresses::Found { addresses, .. } if !addresses.is_empty() => {
                    found.extend(addresses);
                    continue;
                }
                Addresses::Found { .. } => ("it has no address".to_owned(), true),
                Addresses::NoSuchName { .. } => ("there is no such name".to_owned(), true),
                Addresses::Broken { .. } => ("its DNS is broken (SERVFAIL)".to_owned(), false),
                Addresses::Silent(reason) => (reason, false),
            };
            is_certain &= says_so;
            problem = failed(&reason, is_certain);
        }
        if found.is_empty() { Err(problem) } else { Ok(found) }
    }

    /// Asks every resolver for the root's name servers, which each of them knows: its name, and why
    /// it does not answer if it does not.
    pub async fn try_resolvers(&self) -> Vec<(String, Result<(), String>)> {
        let tries = self.resolvers.iter().map(async |resolver| {
            let answer = match resolver.ask(&Name::root(), RecordType::NS).await {
                Reply::Silent(reason) => Err(reason),
                _ => Ok(()),
            };
            (resolver.label().to_owned(), answer)
        });
        join_all(tries).await
    }

    /// Whether there is a root certificate to trust.
    pub fn has_roots(&self) -> bool {
        self.tls.has_roots()
    }

    /// The resolvers that have not answered for a while.
    pub fn silent_resolvers(&self) -> Vec<&str> {
        let silent = self.resolvers.iter().filter(|resolver| resolver.went_silent());
        silent.map(Resolver::label).collect()
    }

    /// Looks at a name. Without an expectation nothing can be said of where it points.
    pub async fn look(
        &self,
        name: &DomainName,
        expected: Option<&Expected>,
        depth: Depth,
        now: Timestamp,
    ) -> Observation {
        let host = match name.as_str().strip_prefix("*.") {
            Some(parent) => format!("{PROBE}.{parent}"),
            None => name.as_str().to_owned(),
        };
        let mut observation = Observation {
            dns: judge_dns(Vec::new(), expected, &[]),
            ssl: SslObservation::unknown("it has no address to look at"),
            blockers: Vec::new(),
            caa: None,
            expected: expected.map(Expected::places).unwrap_or_default(),
        };
        let dns_host = match dns_name(&host) {
            Ok(dns_host) => dns_host,
            Err(error) => {
                observation.dns.error = Some(error);
                return observation;
            }
        };
        if depth == Depth::Quick {
            observation.dns = self.ask_one(&dns_host, expected).await;
            if observation.dns.verdict.is_good() && observation.dns.aaaa_elsewhere.is_empty() {
                observation.ssl = self.tls.look(&targets(&observation.dns), &host, now).await;
                if observation.ssl.verdict == SslVerdict::Valid {
                    return observation;
                }
            }
        }
        self.look_closely(name, &host, &dns_host, expected, observation, now).await
    }

    async fn look_closely(
        &self,
        name: &DomainName,
        host: &str,
        dns_host: &Name,
        expected: Option<&Expected>,
        mut observation: Observation,
        now: Timestamp,
    ) -> Observation {
        let looked_at = observation.ssl.address.is_some().then(|| targets(&observation.dns));
        observation.dns = self.ask_all(dns_host, expected).await;
        let addresses = targets(&observation.dns);
        let is_right = observation.dns.verdict.is_good();
        let ssl = async {
            let is_new = looked_at.as_ref() != Some(&addresses);
            if is_new { Some(self.tls.look(&addresses, host, now).await) } else { None }
        };
        let caa = async { if is_right { self.find_caa(name).await } else { None } };
        let (ssl, caa) = tokio::join!(ssl, caa);
        if let Some(ssl) = ssl {
            observation.ssl = ssl;
        }
        if !observation.dns.aaaa_elsewhere.is_empty() {
            observation.blockers.push(Blocker::AaaaElsewhere);
        }
        if let Some(caa) = caa {
            observation.blockers.push(Blocker::CaaForbids);
            observation.caa = Some(caa);
        }
        observation
    }

    async fn ask_one(&self, host: &Name, expected: Option<&Expected>) -> DnsObservation {
        let answers = match self.in_turn().next() {
            Some(resolver) => vec![self.ask(resolver, host, expected).await],
            None => Vec::new(),
        };
        judge_dns(answers, expected, &self.options.proxies)
    }

    /// The resolvers that answer, beginning with another one each time.
    fn in_turn(&self) -> impl Iterator<Item = &Resolver> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.resolvers.len().max(1);
        let in_turn = self.resolvers.iter().cycle().skip(turn).take(self.resolvers.len());
        in_turn.filter(|resolver| !resolver.is_silent())
    }

    async fn ask_all(&self, host: &Name, expected: Option<&Expected>) -> DnsObservation {
        let answers = self.resolvers.iter().map(|resolver| self.ask(resolver, host, expected));
        judge_dns(join_all(answers).await, expected, &self.options.proxies)
    }

    async fn ask(
        &self,
        resolver: &Resolver,
        host: &Name,
        expected: Option<&Expected>,
    ) -> ResolverAnswer {
        let answer = resolver.addresses(host).await;
        judge_answer(resolver.label(), answer, expected, &self.options.proxies)
    }

    /// Climbs from the name towards the root until there are CAA records (RFC 8659, section 3),
    /// and returns them if they forbid a certificate. What cannot be asked forbids nothing.
    async fn find_caa(&self, name: &DomainName) -> Option<Caa> {
        let mut at = name.as_str().strip_prefix("*.").unwrap_or(name.as_str());
        loop {
            let records = self.caa_records(&dns_name(at).ok()?).await?;
            if !records.is_empty() {
                let authorities = &self.options.certificate_authorities;
                let allows = judge_caa(&records, name, authorities).err()?;
                let lacks = authorities.first().cloned().unwrap_or_default();
                return Some(Caa { at: at.to_owned(), allows, lacks });
            }
            (_, at) = at.split_once('.')?;
        }
    }

    /// From the first resolver that can say.
    async fn caa_records(&self, name: &Name) -> Option<Vec<CAA>> {
        for resolver in self.in_turn() {
            if let Ok(records) = resolver.caa(name).await {
                return Some(records);
            }
        }
        None
    }
}

/// The addresses that a visitor would be led to: those of a right answer, where there is one.
fn targets(dns: &DnsObservation) -> Vec<IpAddr> {
    let right = dns.answers.iter().find(|answer| answer.verdict.is_good());
    let mut addresses = right.map_or(&dns.addresses, |answer| &answer.addresses).clone();
    // As it comes from judging, IPv4 stands first; only a name without it is looked at over IPv6.
    if addresses.iter().any(IpAddr::is_ipv4) {
        addresses.retain(IpAddr::is_ipv4);
    }
    addresses
}

fn dns_name(host: &str) -> Result<Name, String> {
    Name::from_ascii(format!("{host}.")).map_err(|error| format!("DNS cannot carry it: {error}"))
}
