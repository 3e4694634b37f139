//! closte-sync keeps the domains of an Ultimate Multisite network and its Closte app the same.
//!
//! Begin with [`reconciler::Reconciler::cycle`]: [`wordpress`] reads what is desired, [`closte`] what is
//! current, [`plan`] decides, and [`state`] stores the result. The second loop, [`checks`], tests each
//! domain from outside; the two share only the state database. [`daemon`] runs both. See
//! `docs/ARCHITECTURE.md` for the tour and for where to add what.

pub mod app;
pub mod back_off;
pub mod checks;
pub mod cli;
pub mod clock;
pub mod closte;
pub mod daemon;
pub mod domain;
pub mod escape;
pub mod events;
pub mod http;
pub mod language;
pub mod leader;
pub mod ledger;
pub mod listing;
pub mod names;
mod near;
pub mod notify;
pub mod overview;
mod panics;
pub mod plan;
pub mod reconciler;
pub mod secrets;
pub mod settings;
#[cfg(feature = "demo")]
pub mod simulator;
pub mod span;
pub mod state;
pub mod status;
pub mod telemetry;
pub mod wordpress;
