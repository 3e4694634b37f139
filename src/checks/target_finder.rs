//! Finds out where names should point.

use std::{net::IpAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{
    evaluate::evaluate_dns, names::dns_name, reserved::reserved, resolvers::Resolvers,
    targets::Expected,
};
use crate::{
    domain::DomainName,
    ledger::later,
    status::{DnsVerdict, ExpectedTarget},
};

/// How long the addresses of expected hosts are reused.
const EXPECTED_TTL: Duration = Duration::from_secs(60);

/// Resolves the expected targets, once a minute at most.
pub(super) struct TargetFinder {
    /// `checks.expected_targets`
    expected_targets: Vec<ExpectedTarget>,
    /// `closte.public_address`
    public_address: Option<IpAddr>,
    cached: Mutex<Option<CachedExpected>>,
}

struct CachedExpected {
    expected: Arc<Expected>,
    /// The network's own domain at that time.
    own_domain: Option<String>,
    until: Timestamp,
}

/// Why a host has no known address.
struct Unresolved {
    reason: String,
    /// Whether all resolvers agree that it has none.
    is_certain: bool,
}

impl TargetFinder {
    pub(super) fn new(
        expected_targets: Vec<ExpectedTarget>,
        public_address: Option<IpAddr>,
    ) -> Self {
        Self { expected_targets, public_address, cached: Mutex::default() }
    }

    /// The targets of `checks.expected_targets`, or else `closte.public_address` and what the network's
    /// own domain resolves to.
    pub(super) async fn find(
        &self,
        own_domain: Option<&str>,
        resolvers: &Resolvers,
        now: Timestamp,
    ) -> Result<Arc<Expected>, String> {
        let mut cached = self.cached.lock().await;
        if let Some(cached) = &*cached
            && cached.own_domain.as_deref() == own_domain
            && now < cached.until
            && cached.until <= later(now, EXPECTED_TTL)
        {
            return Ok(cached.expected.clone());
        }
        let expected = Arc::new(self.resolve_all(own_domain, resolvers).await?);
        *cached = Some(CachedExpected {
            expected: expected.clone(),
            own_domain: own_domain.map(str::to_owned),
            until: later(now, EXPECTED_TTL),
        });
        Ok(expected)
    }

    async fn resolve_all(
        &self,
        own_domain: Option<&str>,
        resolvers: &Resolvers,
    ) -> Result<Expected, String> {
        if !self.expected_targets.is_empty() {
            let mut addresses = Vec::new();
            for target in &self.expected_targets {
                let ExpectedTarget::Host(host) = target else { continue };
                // With only some of the targets, right names would look wrong.
                let resolved = self.resolve(host, resolvers).await;
                addresses.extend(resolved.map_err(|problem| problem.reason)?);
            }
            return Ok(Expected::new(&self.expected_targets, addresses));
        }
        let mut targets = self.configured();
        let resolved = match own_domain.map(|own| (own, own.parse::<DomainName>())) {
            Some((_, Ok(host))) => {
                let resolved = self.resolve(&host, resolvers).await;
                targets.push(ExpectedTarget::Host(host));
                resolved
            }
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
        match resolved {
            Ok(addresses) => Ok(Expected::new(&targets, addresses)),
            Err(problem) if self.public_address.is_none() => Err(problem.reason),
            Err(problem) if problem.is_certain => Ok(Expected::new(&targets, [])),
            Err(_) => Ok(Expected::new(&targets, []).incomplete()),
        }
    }

    /// All public or configured addresses of a host that any counting resolver returns.
    async fn resolve(
        &self,
        host: &DomainName,
        resolvers: &Resolvers,
    ) -> Result<Vec<IpAddr>, Unresolved> {
        let unresolved = |reason: &str, is_certain| Unresolved {
            reason: format!("{host}: {reason}"),
            is_certain,
        };
        let name = dns_name(host.as_str()).map_err(|reason| unresolved(&reason, true))?;
        let anywhere = self.anywhere();
        let answers = resolvers.ask_all(&name, Some(&anywhere), &[]).await;
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
            if !resolvers.has_public(counting().map(|answer| &*answer.resolver)) {
                reason.push_str(", and no public resolver says otherwise");
            }
            return Err(unresolved(&reason, true));
        }
        let dns = evaluate_dns(answers, Vec::new(), Some(&anywhere), &[]);
        let all_answer = dns.answers.iter().all(|answer| answer.verdict != DnsVerdict::Unknown);
        Err(match dns.verdict {
            DnsVerdict::NoSuchName => unresolved("there is no such name", all_answer),
            DnsVerdict::NoAddress => unresolved("it has no address", all_answer),
            _ => unresolved(dns.error.as_deref().unwrap_or("no resolver is configured"), false),
        })
    }

    /// The targets that the settings contain.
    fn configured(&self) -> Vec<ExpectedTarget> {
        let address = self.public_address.map(ExpectedTarget::Address);
        self.expected_targets.iter().cloned().chain(address).collect()
    }

    /// Every address that visitors can reach, and the configured ones.
    pub(super) fn anywhere(&self) -> Expected {
        Expected::anywhere(self.configured())
    }

    /// Whether the settings contain the address.
    pub(super) fn is_configured(&self, address: IpAddr) -> bool {
        self.configured().iter().any(|target| target.has_address(address))
    }
}
