//! Checks one domain from outside.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use hickory_resolver::proto::rr::Name;
use ipnet::IpNet;
use jiff::Timestamp;

use super::{
    blockers::{add_blockers, visited_addresses},
    caa_lookup::{CaaUnknown, find_forbidding_caa},
    causes::find_causes,
    evaluate::evaluate_dns,
    http::HttpProber,
    name_servers::NameServers,
    names::dns_name,
    reserved::reserved,
    resolver::ResolverAddress,
    resolvers::Resolvers,
    site::{SiteLook, SitePace},
    target_finder::TargetFinder,
    targets::{Expected, contains},
    tls::{RootsError, TlsProber},
};
use crate::{
    domain::DomainName,
    status::{
        CheckResult, DnsResult, DnsVerdict, ExpectedTarget, HttpResult, SiteResult, SslResult,
        SslVerdict,
    },
};

/// For a wildcard, the name with this label below it is checked.
const PROBE: &str = "closte-sync-probe";

#[derive(Debug, Clone)]
pub struct Options {
    /// `checks.resolvers`
    pub resolvers: Vec<ResolverAddress>,
    /// `checks.expected_targets`
    pub expected_targets: Vec<ExpectedTarget>,
    /// `closte.public_address`, which counts where `expected_targets` is empty.
    pub public_address: Option<IpAddr>,
    /// `checks.proxies`
    pub proxies: Vec<IpNet>,
    /// `checks.certificate_authorities`
    pub certificate_authorities: Vec<String>,
    /// `checks.port`
    pub port: u16,
    /// `checks.http_port`
    pub http_port: u16,
    /// `checks.ca_file`
    pub ca_file: Option<PathBuf>,
    /// `checks.expiry_warning`
    pub expiry_warning: Duration,
    /// `checks.queries_per_second`
    pub queries_per_second: u32,
    /// The port of authoritative name servers: 53, except with the simulator.
    pub name_server_port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// One resolver and one handshake, and everything else only if these raise a doubt. For a name that
    /// works.
    Quick,
    /// All resolvers, the handshakes, the CAA records.
    Full,
}

/// What is looked at beside DNS and certificate.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// None where the site is not looked at.
    pub site: Option<SiteLook>,
    /// The port without TLS.
    pub http: bool,
    /// Whether these are needed now. If not, a server whose time is used up is left out.
    pub waits: bool,
}

/// What is checked.
struct Subject<'a> {
    name: &'a DomainName,
    /// For a wildcard, a name below it.
    host: &'a str,
    dns_host: &'a Name,
    expected: Option<&'a Expected>,
    look: &'a Look,
    now: Timestamp,
}

/// Checks domains from outside.
pub struct Checker {
    options: Options,
    resolvers: Resolvers,
    name_servers: NameServers,
    tls: TlsProber,
    http: HttpProber,
    targets: TargetFinder,
}

impl Checker {
    /// # Errors
    /// [`RootsError`] when the root certificates cannot be used.
    pub fn new(options: Options) -> Result<Self, RootsError> {
        let queries_per_second = options.queries_per_second;
        let (ca_file, pace) = (options.ca_file.as_deref(), SitePace::default());
        Ok(Self {
            resolvers: Resolvers::new(&options.resolvers, queries_per_second),
            name_servers: NameServers::new(options.name_server_port, queries_per_second),
            http: HttpProber::new(options.http_port, pace.clone()),
            tls: TlsProber::new(options.port, ca_file, options.expiry_warning, pace)?,
            targets: TargetFinder::new(options.expected_targets.clone(), options.public_address),
            options,
        })
    }

    /// Where names should point now: `checks.expected_targets`, or `closte.public_address` and what
    /// the network's own domain resolves to.
    ///
    /// # Errors
    /// Why that cannot be found out.
    pub async fn expected(
        &self,
        own_domain: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<Expected>, String> {
        self.targets.find(own_domain, &self.resolvers, now).await
    }

    /// Every address that visitors can reach, and the configured ones.
    pub(super) fn anywhere(&self) -> Expected {
        self.targets.anywhere()
    }

    pub(super) fn resolvers(&self) -> &Resolvers {
        &self.resolvers
    }

    /// Whether there is a root certificate to trust.
    pub fn has_roots(&self) -> bool {
        self.tls.has_roots()
    }

    /// Checks a name. Where `expected` is none, the DNS verdict of a name with addresses is unknown.
    pub async fn check(
        &self,
        name: &DomainName,
        expected: Option<&Expected>,
        depth: Depth,
        look: &Look,
        now: Timestamp,
    ) -> CheckResult {
        let host = match name.as_str().strip_prefix("*.") {
            Some(parent) => format!("{PROBE}.{parent}"),
            None => name.as_str().to_owned(),
        };
        let mut result = CheckResult {
            dns: evaluate_dns(Vec::new(), Vec::new(), expected, &[]),
            ssl: SslResult::unknown("it has no address to check"),
            site: None,
            http: None,
            blockers: Vec::new(),
            caa: None,
            caa_unknown: false,
            expected: expected.map(Expected::targets).unwrap_or_default(),
        };
        let dns_host = match dns_name(&host) {
            Ok(dns_host) => dns_host,
            Err(error) => {
                result.dns.error = Some(error);
                return result;
            }
        };
        let subject = Subject { name, host: &host, dns_host: &dns_host, expected, look, now };
        if depth == Depth::Quick {
            result.dns = self.ask_one(&dns_host, expected).await;
            if result.dns.verdict.is_good() && result.dns.aaaa_elsewhere.is_empty() {
                let addresses = visited_addresses(&result.dns);
                (result.ssl, result.site) = self.handshakes(&addresses, &subject).await;
                if result.ssl.verdict == SslVerdict::Valid {
                    result.http = self.look_at_http(&result, &subject).await;
                    return result;
                }
            }
        }
        let mut result = self.check_fully(&subject, result).await;
        result.http = self.look_at_http(&result, &subject).await;
        result
    }

    /// Only where the DNS is right: another port is another one's business.
    async fn look_at_http(&self, result: &CheckResult, about: &Subject<'_>) -> Option<HttpResult> {
        if !about.look.http || !result.dns.verdict.is_good() {
            return None;
        }
        let mut addresses = visited_addresses(&result.dns);
        addresses.retain(|address| reserved(*address).is_none() || self.may_connect(*address));
        // It shares the turn of the site, which has just used up the server's time.
        let waits = about.look.waits || result.site.is_some();
        self.http.look_at(&addresses, about.host, waits, about.now).await
    }

    async fn check_fully(&self, subject: &Subject<'_>, mut result: CheckResult) -> CheckResult {
        let Subject { name, dns_host, expected, .. } = *subject;
        let had_handshakes = result.ssl.address.is_some();
        let checked_addresses = had_handshakes.then(|| visited_addresses(&result.dns));
        result.dns = self.ask_all(dns_host, expected).await;
        let addresses = visited_addresses(&result.dns);
        let is_right = result.dns.verdict.is_good();
        let handshakes = async {
            let is_new = checked_addresses.as_ref() != Some(&addresses);
            if is_new { Some(self.handshakes(&addresses, subject).await) } else { None }
        };
        let caa = async {
            if !is_right {
                return Ok(None);
            }
            let authorities = &self.options.certificate_authorities;
            find_forbidding_caa(name, authorities, &self.resolvers).await
        };
        let (handshakes, caa) = tokio::join!(handshakes, caa);
        if let Some(new) = handshakes {
            (result.ssl, result.site) = new;
        }
        let caa = caa.unwrap_or_else(|CaaUnknown| {
            result.caa_unknown = true;
            None
        });
        add_blockers(&mut result, caa);
        find_causes(name, dns_host, &mut result, &self.resolvers).await;
        result
    }

    async fn handshakes(
        &self,
        addresses: &[IpAddr],
        subject: &Subject<'_>,
    ) -> (SslResult, Option<SiteResult>) {
        let Subject { host, look: Look { site, waits, .. }, now, .. } = *subject;
        let may_connect = |address| self.may_connect(address);
        self.tls.probe(addresses, host, site.as_ref(), *waits, now, may_connect).await
    }

    /// Whether a reserved address may be connected to.
    fn may_connect(&self, address: IpAddr) -> bool {
        self.targets.is_configured(address) || contains(&self.options.proxies, address)
    }

    async fn ask_one(&self, host: &Name, expected: Option<&Expected>) -> DnsResult {
        let proxies = &self.options.proxies;
        let answers = self.resolvers.ask_one(host, expected, proxies).await;
        evaluate_dns(answers, Vec::new(), expected, proxies)
    }

    async fn ask_all(&self, host: &Name, expected: Option<&Expected>) -> DnsResult {
        let proxies = &self.options.proxies;
        let answers = self.resolvers.ask_all(host, expected, proxies).await;
        let dns = evaluate_dns(answers, Vec::new(), expected, proxies);
        if !is_mixed(&dns) {
            return dns;
        }
        let may_connect = |address| self.targets.is_configured(address);
        let name_servers =
            self.name_servers.ask(host, &self.resolvers, expected, proxies, may_connect).await;
        evaluate_dns(dns.answers, name_servers, expected, proxies)
    }
}

/// Whether the counting resolvers disagree on whether the name is right, for another reason than wrong
/// signatures: its own name servers can explain that.
fn is_mixed(dns: &DnsResult) -> bool {
    let counting = || dns.answers.iter().filter(|answer| answer.counts());
    matches!(dns.verdict, DnsVerdict::Propagating | DnsVerdict::Broken)
        && counting().any(|answer| answer.verdict.is_good())
        && !counting().any(|answer| answer.dnssec)
}

#[cfg(test)]
#[cfg(feature = "demo")]
mod tests {
    use super::*;
    use crate::{
        checks::{ResolverTrial, resolver::View},
        simulator::Dns,
    };

    /// In a container, whose own resolver returns another container's address for the network's domain.
    async fn in_a_container() -> (Checker, [Dns; 2]) {
        let all = [Dns::start().await.unwrap(), Dns::start().await.unwrap()];
        let options = Options {
            resolvers: all.each_ref().map(|dns| ResolverAddress::At(dns.address())).into(),
            expected_targets: Vec::new(),
            public_address: None,
            proxies: Vec::new(),
            certificate_authorities: Vec::new(),
            port: 1,
            http_port: 1,
            ca_file: None,
            expiry_warning: Duration::ZERO,
            queries_per_second: 100_000,
            name_server_port: 1,
        };
        let mut checker = Checker::new(options).unwrap();
        let views = [View::System, View::Public];
        checker.resolvers.all.iter_mut().zip(views).for_each(|(one, view)| one.view = view);
        all[0].point("agency.example", &["172.18.0.3".parse().unwrap()]);
        all[1].point("agency.example", &["9.9.9.9".parse().unwrap()]);
        (checker, all)
    }

    #[tokio::test]
    async fn the_public_view_is_the_target_and_the_systems_view_differs() {
        let (checker, all) = in_a_container().await;
        let expected = checker.expected(Some("agency.example"), Timestamp::now()).await.unwrap();
        assert_eq!(expected.to_string(), "9.9.9.9, agency.example");
        let own = "agency.example".parse().unwrap();
        let trials = checker.try_resolvers(Some(&own)).await;
        let trials: Vec<ResolverTrial> = trials.into_iter().map(|(_, trial)| trial).collect();
        let differs = ResolverTrial::Differs("agency.example: 172.18.0.3".to_owned());
        assert_eq!(trials, [differs, ResolverTrial::Passed]);
        drop(all);
    }

    #[tokio::test]
    async fn a_name_without_address_costs_two_queries_and_two_for_its_zone() {
        let (mut checker, all) = in_a_container().await;
        checker.resolvers.all.remove(0);
        let target: ExpectedTarget = "9.9.9.9".parse().unwrap();
        let expected = Expected::new([&target], []);
        let mut queries = Vec::new();
        for name in ["a.empty.example", "b.empty.example"] {
            all[1].point(name, &[]);
            let (name, look) = (name.parse().unwrap(), Look::default());
            let seen =
                checker.check(&name, Some(&expected), Depth::Full, &look, Timestamp::now()).await;
            assert_eq!(seen.dns.verdict, DnsVerdict::NoAddress, "{seen:?}");
            queries.push(all[1].queries());
        }
        // With the first name, control queries are sent too.
        assert_eq!(queries[1] - queries[0], 4);
    }

    #[tokio::test]
    async fn a_private_address_is_no_target_even_without_another_resolver() {
        let (mut checker, _all) = in_a_container().await;
        checker.resolvers.all.truncate(1);
        let error = checker.expected(Some("agency.example"), Timestamp::now()).await.unwrap_err();
        assert_eq!(
            error,
            "agency.example: its address 172.18.0.3 is a private address, which visitors cannot \
             reach, and no public resolver says otherwise"
        );
    }
}
