//! Checks of each domain from outside, as a visitor and a certificate authority see it.
//!
//! [`Checker::check`] asks the resolvers and makes TLS handshakes. Three pure steps follow: `evaluate`
//! derives the verdict from the answers, [`Verifier::verify`] the new status and its events, and
//! [`advise`] the advice. [`Scheduler`] checks every name once in an interval.

mod advice;
mod blockers;
mod caa;
mod caa_lookup;
mod causes;
mod certificate;
mod chain;
mod checker;
mod conditions;
mod config;
mod evaluate;
mod handshake;
mod health;
mod history;
mod hosts;
mod http;
mod interval;
mod mass_failure;
mod name_servers;
mod names;
mod old_tls;
mod origin;
mod query;
mod reply;
mod requests;
mod reserved;
mod resolver;
mod resolvers;
mod results;
mod scheduler;
mod site;
#[cfg(test)]
pub(crate) mod strategies;
mod target_finder;
mod targets;
mod throttle;
mod tls;
mod transition;
mod verifier;
mod votes;
mod words;
mod zones;

pub use advice::{Advice, MAPPING_OFF, advise, not_served, stage, stage_of};
pub use checker::{Checker, Depth, Look, Options};
pub use conditions::ResolverTrial;
pub use config::ChecksConfig;
pub use interval::CheckInterval;
pub use mass_failure::is_suspicious;
pub use requests::CheckRequests;
pub use resolver::ResolverAddress;
pub use scheduler::Scheduler;
pub use site::SiteLook;
pub use targets::Expected;
pub use tls::RootsError;
pub use transition::depth;
pub use verifier::{Verified, Verifier};
pub use words::{CustomerText, PageWord};
