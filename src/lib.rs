//! closte-sync keeps the domains of an Ultimate Multisite network and its Closte app the same.
//!
//! Begin with [`reconciler::Reconciler::cycle`], which is the whole job once: [`wordpress`] says what
//! should be, [`closte`] what is, [`plan`] decides, and [`state`] remembers. [`checks`] is the second
//! loop, which shares nothing with the first but the state database: how does each domain stand, seen
//! from outside? [`daemon`] runs both, [`cli`] is what people see, and [`events`] is everything that is
//! said. The tour, the words and where to add what are in `docs/ARCHITECTURE.md`.

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
pub mod ledger;
pub mod listing;
pub mod names;
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
