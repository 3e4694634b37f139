//! How a domain stands, seen from outside, as a visitor and a certificate authority would see it.
//!
//! [`Checker::check`] asks the resolvers and makes a TLS handshake; `evaluate` says what the answers
//! mean, [`Verifier::verify`] what that changes in what is remembered, and [`advise`] what to do about it, all
//! three of them pure; [`Scheduler`] checks every name when its time has come.

mod advice;
mod caa;
mod certificate;
mod chain;
mod checker;
mod conditions;
mod config;
mod dns;
mod evaluate;
#[cfg(test)]
pub(crate) mod generated;
mod health;
mod history;
mod hosts;
mod interval;
mod mass_failure;
mod name_servers;
mod old_tls;
mod origin;
mod query;
mod reply;
mod reserved;
mod resolvers;
mod results;
mod scheduler;
mod targets;
mod tls;
mod transition;
mod verifier;
mod weigh;
mod witness;
mod zones;

pub use advice::{Advice, advise, stage, stage_of};
pub use checker::{Checker, Depth, Options};
pub use conditions::ResolverTrial;
pub use config::ChecksConfig;
pub use dns::ResolverAddress;
pub use interval::CheckInterval;
pub use mass_failure::is_suspicious;
pub use scheduler::Scheduler;
pub use targets::{Expected, Network, Target};
pub use tls::RootsError;
pub use transition::depth;
pub use verifier::{Verified, Verifier};
