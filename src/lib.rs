//! closte-sync keeps the domains of an Ultimate Multisite network and its Closte app the same.
//!
//! # The tour
//!
//! ```text
//!  WordPress (MySQL, MariaDB, SQLite)             Closte (HTTPS API)
//!    wordpress → Desired                             closte → Present
//!             └──────────────┬───────────────────────────┘
//!                            ▼
//!         plan(Desired, Present, Ledger, Policy, now) → Plan        pure
//!                            ▼
//!         sync: carry the Plan out, record each step in the state database
//!                            ▼
//!         checks: per domain, DNS then TLS, on the clock → Observation → state, log
//! ```
//!
//! Begin with [`sync::Reconciler::cycle`], which is the whole job once. [`plan`] decides, without a clock
//! or a socket of its own; [`wordpress`] and [`closte`] are the two ends and know nothing of each
//! other; [`state`] remembers. [`checks`] is the second loop, which shares nothing with the first but
//! the state database: how does each name stand, seen from outside? [`daemon`] runs both, [`cli`] is
//! what people see, and [`event`] is everything that it says. A name is parsed once, into a
//! [`domain::DomainName`].
//!
//! The design is level-triggered: a cycle reads what is and works towards what should be, so a lost
//! event, a crash or a day offline heals by itself.
//!
//! # The words
//!
//! *mapping* a row of the domain table · *desired* the names that should be at Closte · *present* the
//! names that Closte lists · *managed* a name that was seen desired, and so may be removed one day
//! (the *ledger* says so) · *unmanaged* present, never desired: never touched · *invalid* a row that
//! is no domain name · *refused* a name that Closte will not take · *covered* desired, and a present
//! wildcard already serves it · *held* a removal that a guard stopped · *observation* what one look
//! found · *verdict* what it means · *stage* the plugin's own six words for a domain's progress

pub mod app;
pub mod checks;
pub mod cli;
pub mod clock;
pub mod closte;
pub mod conditions;
pub mod daemon;
pub mod domain;
pub mod escape;
pub mod event;
pub mod ledger;
pub mod listing;
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
