//! The admin server: liveness, readiness and metrics.

mod config;
mod connections;
mod metrics;
mod server;

pub use config::HttpConfig;
pub(crate) use metrics::Metrics;
pub use server::{AdminServer, AdminServerError, Listener, Token};
