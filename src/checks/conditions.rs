//! How the resolvers do, for whoever runs this.

use futures_util::future::join_all;
use hickory_resolver::proto::rr::{Name, RecordType};

use super::{
    dns::Resolver,
    look::{Checks, dns_name},
    reply::Reply,
    weigh::{Heard, alone, views},
};
use crate::domain::DomainName;

/// How a resolver does with names that must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolverTrial {
    /// It knows them.
    Passed,
    /// It knows them, and sees one otherwise than the resolvers that decide.
    Odd(String),
    /// It fails at one that it must know.
    Sick(String),
    /// It does not answer.
    Silent(String),
}

impl ResolverTrial {
    /// Whether it can be used.
    pub fn answers(&self) -> bool {
        matches!(self, Self::Passed | Self::Odd(_))
    }
}

impl Checks {
    /// Tries every resolver: with the root's name servers, which each of them knows, and with the
    /// network's own domain.
    pub async fn try_resolvers(&self, own: Option<&DomainName>) -> Vec<(String, ResolverTrial)> {
        let heard = match own.and_then(|own| dns_name(own.as_str()).ok()) {
            Some(name) => self.resolvers().hear_all(&name, Some(&self.anywhere()), &[]).await,
            None => Vec::new(),
        };
        let tries = self.resolvers().all.iter().map(async |resolver| {
            let result = match try_root(resolver).await {
                ResolverTrial::Passed => try_own(resolver.label(), own, &heard),
                result => result,
            };
            (resolver.label().to_owned(), result)
        });
        join_all(tries).await
    }

    /// The resolvers that have not answered for a while.
    pub fn silent_resolvers(&self) -> Vec<String> {
        self.those(|resolver| resolver.is_silent().then(|| resolver.label().to_owned()))
    }

    /// The resolvers that fail where others answer, each with how.
    pub fn sick_resolvers(&self) -> Vec<String> {
        self.those(|resolver| Some(format!("{} ({})", resolver.label(), resolver.sick()?)))
    }

    /// The resolvers that see name after name otherwise than those that decide, each with what it says
    /// of the latest.
    pub fn odd_resolvers(&self) -> Vec<String> {
        self.those(|resolver| Some(format!("{} ({})", resolver.label(), resolver.odd()?)))
    }

    fn those(&self, word: impl Fn(&Resolver) -> Option<String>) -> Vec<String> {
        self.resolvers().all.iter().filter_map(word).collect()
    }
}

async fn try_root(resolver: &Resolver) -> ResolverTrial {
    let of = "for the root's name servers";
    match resolver.ask(&Name::root(), RecordType::NS).await {
        Reply::Silent(reason) => ResolverTrial::Silent(reason),
        Reply::Failed(reason) => ResolverTrial::Sick(format!("{reason} {of}")),
        Reply::Broken { why, .. } => {
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            ResolverTrial::Sick(format!("it answers SERVFAIL{why} {of}"))
        }
        Reply::NoSuchName { .. } => {
            ResolverTrial::Sick(format!("it answers that there is no such name {of}"))
        }
        Reply::Records { .. } => ResolverTrial::Passed,
    }
}

fn try_own(resolver: &str, own: Option<&DomainName>, heard: &[Heard]) -> ResolverTrial {
    let own = own.map(DomainName::as_str).unwrap_or_default();
    let says = |one: &Heard| format!("{own}: {}", one.answer.says());
    let is_it = |one: &&Heard| one.answer.resolver == resolver;
    if let Some(one) = alone(heard).find(is_it) {
        return ResolverTrial::Sick(says(one));
    }
    match views(heard).find(|(one, shares)| is_it(one) && !shares) {
        Some((one, _)) => ResolverTrial::Odd(says(one)),
        None => ResolverTrial::Passed,
    }
}
