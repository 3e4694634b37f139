//! closte-sync keeps the domains of an Ultimate Multisite network and its Closte app the same.
pub mod cli;
pub mod closte;
pub mod daemon;
pub mod domain;
pub mod event;
pub mod ledger;
pub mod plan;
pub mod settings;
#[cfg(feature = "demo")]
pub mod simulator;
pub mod state;
pub mod sync;
pub mod telemetry;
pub mod wordpress;
