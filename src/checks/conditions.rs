use futures_util::future::join_all;

use super::{
    checker::Checker,
    names::dns_name,
    resolver::{Control, Resolver},
    votes::{Vote, failing_alone, narrower_views},
};
use crate::domain::DomainName;

/// The outcome of control queries to a resolver, for `doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolverTrial {
    Passed,
    /// Its answer for the network's domain, which differs from that of the deciding resolvers.
    Differs(String),
    /// How it fails.
    Failing(String),
    /// Why it does not answer.
    Silent(String),
}

impl ResolverTrial {
    /// Whether the resolver is usable.
    pub fn answers(&self) -> bool {
        matches!(self, Self::Passed | Self::Differs(_))
    }
}

impl Checker {
    /// Tries every resolver with control queries and with the network's own domain.
    pub async fn try_resolvers(&self, own: Option<&DomainName>) -> Vec<(String, ResolverTrial)> {
        let votes = match own.and_then(|own| dns_name(own.as_str()).ok()) {
            Some(name) => self.resolvers().collect_votes(&name, Some(&self.anywhere()), &[]).await,
            None => Vec::new(),
        };
        let tries = self.resolvers().all.iter().map(async |resolver| {
            let result = match resolver.control().await {
                Control::Failed(how) => ResolverTrial::Failing(how),
                Control::Silent(reason) => ResolverTrial::Silent(reason),
                Control::Passed { .. } | Control::NotAsked => {
                    try_network_domain(resolver.label(), own, &votes)
                }
            };
            (resolver.label().to_owned(), result)
        });
        join_all(tries).await
    }

    pub(super) fn silent_resolvers(&self) -> Vec<String> {
        self.list(|resolver| resolver.is_silent().then(|| resolver.label().to_owned()))
    }

    /// The resolvers that fail where others answer, each with how.
    pub(super) fn failing_resolvers(&self) -> Vec<String> {
        self.list(|resolver| Some(format!("{} ({})", resolver.label(), resolver.failing()?)))
    }

    /// The resolvers whose answers for several names differ from those of the deciding ones, each with
    /// the latest.
    pub(super) fn differing_resolvers(&self) -> Vec<String> {
        self.list(|resolver| {
            Some(format!("{} ({})", resolver.label(), resolver.differing_answer()?))
        })
    }

    fn list(&self, entry: impl Fn(&Resolver) -> Option<String>) -> Vec<String> {
        self.resolvers().all.iter().filter_map(entry).collect()
    }
}

fn try_network_domain(resolver: &str, own: Option<&DomainName>, votes: &[Vote]) -> ResolverTrial {
    let own = own.map(DomainName::as_str).unwrap_or_default();
    let answer = |one: &Vote| format!("{own}: {}", one.answer.describe());
    let is_from_it = |one: &&Vote| one.answer.resolver == resolver;
    if let Some(one) = failing_alone(votes).find(is_from_it) {
        return ResolverTrial::Failing(answer(one));
    }
    match narrower_views(votes).find(|(one, agrees)| is_from_it(one) && !agrees) {
        Some((one, _)) => ResolverTrial::Differs(answer(one)),
        None => ResolverTrial::Passed,
    }
}
