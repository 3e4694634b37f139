//! closte-sync keeps the domains of an Ultimate Multisite network and its Closte app the same.
pub mod domain;
