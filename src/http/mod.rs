//! The admin server: liveness, readiness, metrics and the status page.

mod config;
mod connections;
mod metrics;
mod page;
mod server;

pub use config::{HttpConfig, PublicUrl};
pub(crate) use metrics::Metrics;
pub use page::{LINK_LASTS, link};
pub use server::{AdminServer, AdminServerError, Listener, OnDemand, Token, ViewSettings};
