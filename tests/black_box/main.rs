//! Black-box tests: real databases, real sockets, the real program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(missing_docs, unreachable_pub)]

mod alerts;
mod caa;
mod certificates;
mod chaos;
mod check;
mod client;
mod clock;
mod commands;
mod crontab;
mod daemon;
mod database;
mod docs;
mod facts;
mod first_hour;
mod http;
mod installation;
mod leader;
mod names;
mod notify;
mod notify_limits;
mod output;
mod page;
mod plugin;
mod practice_wordpress;
mod records;
mod reload;
mod remedies;
mod rules;
mod secrets;
mod service;
mod settings;
mod simulator;
mod site;
mod snapshots;
mod stage;
mod stages;
mod state;
mod support;
mod time;
mod tls;
mod trust;
mod verdicts;
mod wordpress;
