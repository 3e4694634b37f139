//! What people are told.

mod config;

pub use config::NotifyConfig;
