//! How the resolvers do, for whoever runs this.

use futures_util::future::join_all;

use super::{
    checker::{Checker, dns_name},
    dns::{Control, Resolver},
    weigh::{Vote, alone, views},
};
use crate::domain::DomainName;

/// How a resolver does with what it must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolverTrial {
    /// It knows it.
    Passed,
    /// It knows it, and sees a name otherwise than the resolvers that decide.
    Odd(String),
    /// It fails at some of it.
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

impl Checker {
    /// Tries every resolver: with what each of them knows, and with the network's own domain.
    pub async fn try_resolvers(&self, own: Option<&DomainName>) -> Vec<(String, ResolverTrial)> {
        let heard = match own.and_then(|own| dns_name(own.as_str()).ok()) {
            Some(name) => self.resolvers().hear_all(&name, Some(&self.anywhere()), &[]).await,
            None => Vec::new(),
        };
        let tries = self.resolvers().all.iter().map(async |resolver| {
            let result = match resolver.control().await {
                Control::Failed(how) => ResolverTrial::Sick(how),
                Control::Silent(reason) => ResolverTrial::Silent(reason),
                Control::Passed { .. } | Control::Unknown => try_own(resolver.label(), own, &heard),
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

fn try_own(resolver: &str, own: Option<&DomainName>, heard: &[Vote]) -> ResolverTrial {
    let own = own.map(DomainName::as_str).unwrap_or_default();
    let says = |one: &Vote| format!("{own}: {}", one.answer.says());
    let is_it = |one: &&Vote| one.answer.resolver == resolver;
    if let Some(one) = alone(heard).find(is_it) {
        return ResolverTrial::Sick(says(one));
    }
    match views(heard).find(|(one, shares)| is_it(one) && !shares) {
        Some((one, _)) => ResolverTrial::Odd(says(one)),
        None => ResolverTrial::Passed,
    }
}
