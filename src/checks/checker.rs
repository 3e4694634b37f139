use std::{collections::BTreeSet, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use hickory_resolver::proto::rr::Name;
use ipnet::IpNet;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{
    caa::{Forbidden, evaluate_caa},
    chain,
    dns::ResolverAddress,
    evaluate::evaluate_dns,
    name_servers::NameServers,
    origin,
    reply::text,
    reserved::reserved,
    resolvers::{CaaReply, Resolvers},
    targets::{Expected, Target, contains},
    tls::{RootsError, TlsProber},
    zones::{FoundZone, find_zone, is_registered},
};
use crate::{
    domain::DomainName,
    ledger::later,
    status::{
        Blocker, BrokenBy, Caa, CaaFault, CheckResult, CnameFault, DnsResult, DnsVerdict,
        SslResult, SslVerdict,
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
    /// The port of the name servers out there; another than 53 only for practice.
    pub name_server_port: u16,
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
pub struct Checker {
    options: Options,
    resolvers: Resolvers,
    name_servers: NameServers,
    tls: TlsProber,
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

impl Checker {
    /// Makes ready to look. Nothing is asked yet.
    ///
    /// # Errors
    /// [`RootsError`] when the root certificates cannot be used.
    pub fn new(options: Options) -> Result<Self, RootsError> {
        let queries_per_second = options.queries_per_second;
        Ok(Self {
            resolvers: Resolvers::new(&options.resolvers, queries_per_second),
            name_servers: NameServers::new(options.name_server_port, queries_per_second),
            tls: TlsProber::new(options.port, options.ca_file.as_deref(), options.expiry_warning)?,
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
            && believed.until <= later(now, EXPECTED_LASTS)
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
                    crate::secrets::excerpt(own)
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

    /// All public addresses that any resolver that counts has for a host, and the others that
    /// settings name.
    async fn resolve(&self, host: &DomainName) -> Result<Vec<IpAddr>, Unresolved> {
        let unresolved = |reason: &str, is_certain| Unresolved {
            reason: format!("{host}: {reason}"),
            is_certain,
        };
        let name = dns_name(host.as_str()).map_err(|reason| unresolved(&reason, true))?;
        let anywhere = self.anywhere();
        let answers = self.resolvers.ask_all(&name, Some(&anywhere), &[]).await;
        let counting = || answers.iter().filter(|answer| answer.counts());
        let addresses = counting().flat_map(|answer| answer.addresses.iter().copied());
        let (right, wrong): (Vec<_>, Vec<_>) =
            addresses.partition(|address| anywhere.has_address(*address));
        if !right.is_empty() {
            return Ok(right);
        }
        if let Some(address) = wrong.first() {
            let purpose = reserved(*address).unwrap_or("not a public one");
            let mut reason =
                format!("its address {address} is {purpose}, which visitors cannot reach");
            if !self.resolvers.has_public(counting().map(|answer| &*answer.resolver)) {
                reason.push_str(", and no public resolver says otherwise");
            }
            return Err(unresolved(&reason, true));
        }
        let seen = evaluate_dns(answers, Vec::new(), Some(&anywhere), &[]);
        let all_answer = seen.answers.iter().all(|answer| answer.verdict != DnsVerdict::Unknown);
        Err(match seen.verdict {
            DnsVerdict::NoSuchName => unresolved("there is no such name", all_answer),
            DnsVerdict::NoAddress => unresolved("it has no address", all_answer),
            _ => unresolved(seen.error.as_deref().unwrap_or("no resolver is set"), false),
        })
    }

    /// What settings name as a target themselves.
    fn named_targets(&self) -> Vec<Target> {
        let Options { expected_targets, public_address, .. } = &self.options;
        let address = public_address.map(|address| Target::Network(address.into()));
        expected_targets.iter().cloned().chain(address).collect()
    }

    /// Every address that visitors can reach, and those that settings name.
    pub(super) fn anywhere(&self) -> Expected {
        Expected::anywhere(&self.named_targets())
    }

    pub(super) fn resolvers(&self) -> &Resolvers {
        &self.resolvers
    }

    /// Whether settings name the address as a target.
    fn is_named(&self, address: IpAddr) -> bool {
        self.named_targets().iter().any(|target| match target {
            Target::Network(network) => network.contains(&address),
            Target::Host(_) => false,
        })
    }

    /// Whether there is a root certificate to trust.
    pub fn has_roots(&self) -> bool {
        self.tls.has_roots()
    }

    /// Looks at a name. Without an expectation nothing can be said of where it points.
    pub async fn check(
        &self,
        name: &DomainName,
        expected: Option<&Expected>,
        depth: Depth,
        now: Timestamp,
    ) -> CheckResult {
        let host = match name.as_str().strip_prefix("*.") {
            Some(parent) => format!("{PROBE}.{parent}"),
            None => name.as_str().to_owned(),
        };
        let mut observation = CheckResult {
            dns: evaluate_dns(Vec::new(), Vec::new(), expected, &[]),
            ssl: SslResult::unknown("it has no address to look at"),
            blockers: Vec::new(),
            caa: None,
            caa_unknown: false,
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
                observation.ssl = self.handshakes(&targets(&observation.dns), &host, now).await;
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
        mut observation: CheckResult,
        now: Timestamp,
    ) -> CheckResult {
        let checked_at = observation.ssl.address.is_some().then(|| targets(&observation.dns));
        observation.dns = self.ask_all(dns_host, expected).await;
        let addresses = targets(&observation.dns);
        let is_right = observation.dns.verdict.is_good();
        let ssl = async {
            let is_new = checked_at.as_ref() != Some(&addresses);
            if is_new { Some(self.handshakes(&addresses, host, now).await) } else { None }
        };
        let caa = async { if is_right { self.find_caa(name).await } else { Ok(None) } };
        let (ssl, caa) = tokio::join!(ssl, caa);
        if let Some(ssl) = ssl {
            observation.ssl = ssl;
        }
        let caa = caa.unwrap_or_else(|Unseen| {
            observation.caa_unknown = true;
            None
        });
        find_blockers(&mut observation, caa);
        self.find_remedy(name, dns_host, &mut observation).await;
        observation
    }

    /// Finds out what advice needs: where somebody has to log in, and which CNAME is at fault.
    async fn find_remedy(&self, name: &DomainName, host: &Name, observation: &mut CheckResult) {
        let dns = &observation.dns;
        let is_to_be_mended = match dns.verdict {
            DnsVerdict::Unknown | DnsVerdict::Propagating => false,
            DnsVerdict::Ok => !observation.blockers.is_empty(),
            DnsVerdict::Proxied => {
                !observation.blockers.is_empty() || observation.ssl.verdict.is_bad()
            }
            _ => true,
        };
        if !is_to_be_mended {
            return;
        }
        let leads_nowhere = matches!(
            dns.verdict,
            DnsVerdict::NoSuchName | DnsVerdict::NoAddress | DnsVerdict::Broken
        );
        let chain = async {
            match leads_nowhere {
                true => chain::find_fault(host, dns, &self.resolvers).await,
                false => None,
            }
        };
        // Records of one above the name may stand in another zone.
        let caa = observation.caa.as_ref();
        let caa = caa.filter(|caa| caa.via.is_none() && !caa.is_of_a_registry());
        let at = caa.and_then(|caa| dns_name(&caa.at).ok()).unwrap_or_else(|| host.clone());
        let (mut chain, mut zone) = tokio::join!(chain, find_zone(&at, &self.resolvers));
        let is_alone = chain.is_none() && self.fails_alone(host, dns, &mut zone).await;
        let made_of = match &zone {
            Some(zone) if !name.is_wildcard() => {
                let cname = chain.as_ref().and_then(|chain| chain.cnames.first());
                let cname = cname.or_else(|| dns.cnames().first()).map(String::as_str);
                origin::find(host, &zone.name, cname, dns, &self.resolvers).await
            }
            _ => None,
        };
        if let (None, Some(made_of)) = (&chain, &made_of) {
            chain = origin::broken_behind(host, made_of, dns, &self.resolvers).await;
        }
        let dns = &mut observation.dns;
        if let Some(chain) = &chain {
            dns.error = Some(chain::why(chain, name.as_str()));
            dns.broken_by = match chain.fault {
                CnameFault::TooLong => Some(BrokenBy::LongChain),
                CnameFault::Loop => None,
                _ => dns.broken_by,
            };
        }
        (dns.chain, dns.made_of) = (chain, made_of);
        if is_alone
            && dns.chain.is_none()
            && let Some(zone) = &zone
        {
            let why = dns.error.as_deref().unwrap_or("SERVFAIL");
            dns.error =
                Some(format!("{why}, though new names below {} are answered", text(&zone.name)));
            dns.broken_by = Some(BrokenBy::OneName);
        }
        dns.zone = zone.map(|zone| zone.seen());
    }

    /// Whether the name's servers fail for it, and not for others. Then what is no zone is not taken for
    /// one.
    async fn fails_alone(
        &self,
        host: &Name,
        dns: &DnsResult,
        zone: &mut Option<FoundZone>,
    ) -> bool {
        let is_right_for_some = dns.answers.iter().any(|one| one.counts() && one.verdict.is_good());
        if dns.broken_by != Some(BrokenBy::Failure) || is_right_for_some {
            return false;
        }
        let Some(found) = zone.as_ref() else { return false };
        if !origin::answers_below(&found.name, dns, &self.resolvers).await {
            return false;
        }
        if found.servers.is_empty() && found.name == *host && !is_registered(host) {
            *zone = find_zone(&host.base_name(), &self.resolvers).await;
        }
        zone.is_some()
    }

    async fn handshakes(&self, addresses: &[IpAddr], host: &str, now: Timestamp) -> SslResult {
        let may_connect =
            |address| self.is_named(address) || contains(&self.options.proxies, address);
        self.tls.probe(addresses, host, now, may_connect).await
    }

    async fn ask_one(&self, host: &Name, expected: Option<&Expected>) -> DnsResult {
        let proxies = &self.options.proxies;
        let answers = self.resolvers.ask_one(host, expected, proxies).await;
        evaluate_dns(answers, Vec::new(), expected, proxies)
    }

    async fn ask_all(&self, host: &Name, expected: Option<&Expected>) -> DnsResult {
        let proxies = &self.options.proxies;
        let answers = self.resolvers.ask_all(host, expected, proxies).await;
        let seen = evaluate_dns(answers, Vec::new(), expected, proxies);
        if !is_in_part(&seen) {
            return seen;
        }
        let may_connect = |address| self.is_named(address);
        let said =
            self.name_servers.ask(host, &self.resolvers, expected, proxies, may_connect).await;
        evaluate_dns(seen.answers, said, expected, proxies)
    }

    /// Climbs from the name towards the root until there are CAA records (RFC 8659, section 3),
    /// and returns them if they forbid a certificate, be it that they cannot be had.
    async fn find_caa(&self, name: &DomainName) -> Result<Option<Caa>, Unseen> {
        let authorities = &self.options.certificate_authorities;
        let lacks = authorities.first().cloned().unwrap_or_default();
        let mut at = name.as_str().strip_prefix("*.").unwrap_or(name.as_str());
        loop {
            let host = dns_name(at).map_err(|_| Unseen)?;
            let (stands_at, forbidden) = match self.resolvers.caa(&host).await {
                CaaReply::None => match at.split_once('.') {
                    Some((_, above)) => {
                        at = above;
                        continue;
                    }
                    None => return Ok(None),
                },
                CaaReply::Unknown => return Err(Unseen),
                CaaReply::At(owner, records) => match evaluate_caa(&records, name, authorities) {
                    Ok(()) => return Ok(None),
                    Err(forbidden) => (owner, forbidden),
                },
                CaaReply::Fails(why) => {
                    (chain::end(&host, &self.resolvers).await, Forbidden::unreachable(name, why))
                }
            };
            let stands_at = text(&stands_at);
            return Ok(Some(Caa {
                via: (stands_at != at).then(|| at.to_owned()),
                at: stands_at,
                fault: forbidden.fault,
                record: forbidden.record,
                why: forbidden.why,
                property: forbidden.property.to_owned(),
                allows: forbidden.allows,
                lacks,
            }));
        }
    }
}

/// We could not look.
struct Unseen;

/// Says what stops a certificate.
pub(super) fn find_blockers(observation: &mut CheckResult, caa: Option<Caa>) {
    if !observation.dns.aaaa_elsewhere.is_empty() {
        observation.blockers.push(Blocker::AaaaElsewhere);
        judge_aaaa(observation);
    }
    if let Some(caa) = caa {
        observation.blockers.push(match caa.fault {
            CaaFault::Unreachable => Blocker::CaaUnreachable,
            _ => Blocker::CaaForbids,
        });
        observation.caa = Some(caa);
    }
}

/// Without a certificate, an AAAA record elsewhere is wrong DNS: authorities with IPv6 go there, and so
/// do visitors.
pub(super) fn judge_aaaa(observation: &mut CheckResult) {
    let dns = &mut observation.dns;
    let is_elsewhere = observation.blockers.contains(&Blocker::AaaaElsewhere);
    if is_elsewhere && dns.verdict.is_good() && observation.ssl.verdict.is_bad() {
        dns.addresses = targets(dns);
        dns.verdict = DnsVerdict::Elsewhere;
    }
}

/// Whether resolvers that count do not agree whether it is right: its own servers can tell why.
fn is_in_part(dns: &DnsResult) -> bool {
    let counting = || dns.answers.iter().filter(|answer| answer.counts());
    let is_of_signatures = counting().any(|answer| answer.dnssec);
    counting().any(|answer| answer.verdict.is_good())
        && !is_of_signatures
        && matches!(dns.verdict, DnsVerdict::Propagating | DnsVerdict::Broken)
}

/// The addresses that a visitor would be led to: those of all right answers, where there are any.
fn targets(dns: &DnsResult) -> Vec<IpAddr> {
    let right = dns.answers.iter().filter(|answer| answer.counts() && answer.verdict.is_good());
    let addresses: BTreeSet<IpAddr> = right.flat_map(|answer| &answer.addresses).copied().collect();
    if addresses.is_empty() { dns.addresses.clone() } else { addresses.into_iter().collect() }
}

pub(super) fn dns_name(host: &str) -> Result<Name, String> {
    Name::from_ascii(format!("{host}.")).map_err(|error| format!("DNS cannot carry it: {error}"))
}

#[cfg(test)]
#[cfg(feature = "demo")]
mod tests {
    use super::*;
    use crate::{
        checks::{ResolverTrial, dns::View},
        simulator::Dns,
    };

    /// In a container, whose own resolver knows the network's domain as that of a neighbour.
    async fn in_a_container() -> (Checker, [Dns; 2]) {
        let all = [Dns::start().await.unwrap(), Dns::start().await.unwrap()];
        let options = Options {
            resolvers: all.each_ref().map(|dns| ResolverAddress::At(dns.address())).into(),
            expected_targets: Vec::new(),
            public_address: None,
            proxies: Vec::new(),
            certificate_authorities: Vec::new(),
            port: 1,
            ca_file: None,
            expiry_warning: Duration::ZERO,
            queries_per_second: 100_000,
            name_server_port: 1,
        };
        let mut checks = Checker::new(options).unwrap();
        let views = [View::System, View::Public];
        checks.resolvers.all.iter_mut().zip(views).for_each(|(one, view)| one.view = view);
        all[0].point("agency.example", &["172.18.0.3".parse().unwrap()]);
        all[1].point("agency.example", &["9.9.9.9".parse().unwrap()]);
        (checks, all)
    }

    #[tokio::test]
    async fn the_target_is_what_the_public_sees_and_doctor_names_the_machines_own_view() {
        let (checks, all) = in_a_container().await;
        let expected = checks.expected(Some("agency.example"), Timestamp::now()).await.unwrap();
        assert_eq!(expected.places(), ["9.9.9.9", "agency.example"]);
        let own = "agency.example".parse().unwrap();
        let trials = checks.try_resolvers(Some(&own)).await;
        let trials: Vec<ResolverTrial> = trials.into_iter().map(|(_, trial)| trial).collect();
        let odd = ResolverTrial::Odd("agency.example: 172.18.0.3".to_owned());
        assert_eq!(trials, [odd, ResolverTrial::Passed]);
        drop(all);
    }

    #[tokio::test]
    async fn a_name_without_address_costs_two_queries_and_two_for_its_zone() {
        let (mut checks, all) = in_a_container().await;
        checks.resolvers.all.remove(0);
        let target: Target = "9.9.9.9".parse().unwrap();
        let expected = Expected::new([&target], []);
        let mut so_far = Vec::new();
        for name in ["a.empty.example", "b.empty.example"] {
            all[1].point(name, &[]);
            let name = name.parse().unwrap();
            let seen = checks.check(&name, Some(&expected), Depth::Full, Timestamp::now()).await;
            assert_eq!(seen.dns.verdict, DnsVerdict::NoAddress, "{seen:?}");
            so_far.push(all[1].queries());
        }
        // The first is looked at together with what tells whether the resolver is well.
        assert_eq!(so_far[1] - so_far[0], 4);
    }

    #[tokio::test]
    async fn a_neighbours_address_is_no_target_even_where_nobody_else_can_be_asked() {
        let (mut checks, _all) = in_a_container().await;
        checks.resolvers.all.truncate(1);
        let error = checks.expected(Some("agency.example"), Timestamp::now()).await.unwrap_err();
        assert_eq!(
            error,
            "agency.example: its address 172.18.0.3 is a private address, which visitors cannot \
             reach, and no public resolver says otherwise"
        );
    }
}
