//! The client of Closte's API.
//!
//! Closte publishes no reference. What is known was read from the public clients of this API (the
//! Ultimate Multisite plugin 1.7 to 2.14, Closte's own must-use plugin). Answers that are not understood
//! remove nothing, and are reported.

mod access;
mod body;
mod calls;
mod client;
mod config;
mod error;
mod list;
mod redirect;
mod retry_after;
mod shape;
mod wire;

pub use access::{ApiKey, AppId, BaseUrl, InvalidApiKey, InvalidAppId, InvalidBaseUrl};
pub use calls::{CallLabels, Calls};
pub use client::{CertificateRequest, Client, KeyTest};
pub use config::ClosteConfig;
pub(crate) use config::key_is_not_set;
pub use error::ClosteError;
pub use list::List;
pub use redirect::Redirect;
pub use retry_after::RetryAfter;
pub use shape::ListShape;
