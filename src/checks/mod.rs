//! How a domain stands, seen from outside, as a visitor and a certificate authority would see it.
//!
//! [`Checks::look`] asks the resolvers and makes a TLS handshake; `judge` says what the answers
//! mean, [`settle`] what that changes in what is remembered, and [`advise`] what to do about it, all
//! three of them pure; [`Clock`] looks at every name when its time has come.

mod advice;
mod caa;
mod certificate;
mod chain;
mod clock;
mod conditions;
mod dns;
#[cfg(test)]
pub(crate) mod generated;
mod health;
mod history;
mod hosts;
mod judge;
mod look;
mod name_servers;
mod old_tls;
mod pace;
mod query;
mod reply;
mod reserved;
mod resolvers;
mod settle;
mod suspicion;
mod targets;
mod tls;
mod weigh;
mod witness;
mod zones;

pub use advice::{Advice, advise, stage, stage_of};
pub use clock::Clock;
pub use conditions::ResolverTrial;
pub use dns::ResolverAddress;
pub use look::{Checks, Depth, Options};
pub use pace::Pace;
pub use settle::{Patience, Settled, depth, settle};
pub use suspicion::is_suspicious;
pub use targets::{Expected, Network, Target};
pub use tls::RootsError;

/// Text that a stranger wrote, as it may be shown: without a secret, on one line, not too long.
fn clean(text: &str) -> String {
    crate::secrets::excerpt(text, 120)
}
