//! The kinds of targets, each with its own form of a message. Pure.

mod discord;
mod email;
mod ntfy;
mod slack;
mod teams;
mod webhook;

use std::fmt;

use jiff::Timestamp;
use reqwest::{
    Method, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret as _, SecretString};

pub use email::EmailTarget;
pub use webhook::SigningKey;

use super::{config::SecretUrl, message::Message};
use crate::{secrets, settings::Table};

/// How a target is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetKind {
    Slack {
        url: SecretUrl,
    },
    Discord {
        url: SecretUrl,
    },
    Teams {
        url: SecretUrl,
    },
    Email(EmailTarget),
    /// Any program: JSON, signed where there is a key.
    Webhook {
        url: SecretUrl,
        key: Option<SigningKey>,
    },
    /// <https://docs.ntfy.sh/publish/>
    Ntfy {
        url: SecretUrl,
        token: Option<SecretToken>,
    },
}

/// A token for a target. `Debug` shows `***`.
#[derive(Clone)]
pub struct SecretToken(SecretString);

/// A call that tells a target.
#[derive(Clone)]
pub(crate) struct Post {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// A message in the form of a kind.
pub(super) enum Rendered<'a> {
    Call(Post),
    Mail(&'a EmailTarget, Result<lettre::Message, String>),
}

/// What tries a target without telling it anything.
pub(super) enum Probe<'a> {
    Call(Box<ProbeCall>),
    /// The server accepts a connection and the password.
    Mail(&'a EmailTarget),
}

pub(super) struct ProbeCall {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// Whether success shows that the target takes messages.
    pub(super) is_certain: bool,
}

impl TargetKind {
    /// The words that `kind` may have.
    const WORDS: [&str; 6] = ["slack", "discord", "teams", "ntfy", "webhook", "email"];

    pub(super) fn read(kind: &str, table: &mut Table) -> Result<Self, String> {
        let url = |table: &mut Table| {
            let text = table.secret("url", "url_file")?.ok_or("url is not set")?;
            text.parse().map_err(|why| format!("url: {why}"))
        };
        match kind {
            "slack" => Ok(Self::Slack { url: url(table)? }),
            "discord" => Ok(Self::Discord { url: url(table)? }),
            "teams" => Ok(Self::Teams { url: url(table)? }),
            "email" => EmailTarget::read(table).map(Self::Email),
            "webhook" => {
                let key = table.secret("secret", "secret_file")?;
                let key = key.map(|text| SigningKey::parse(&text)).transpose()?;
                Ok(Self::Webhook { url: url(table)?, key })
            }
            "ntfy" => {
                let token = table.secret("token", "token_file")?;
                let token = token.map(|text| SecretToken::parse(&text)).transpose()?;
                let url = url(table)?;
                ntfy::topic(url.expose())
                    .ok_or("url: it must name a topic, as https://ntfy.sh/topic")?;
                Ok(Self::Ntfy { url, token })
            }
            _ => Err(format!("kind: it must be one of {}", Self::WORDS.join(", "))),
        }
    }

    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Slack { .. } => "slack",
            Self::Discord { .. } => "discord",
            Self::Teams { .. } => "teams",
            Self::Email(_) => "email",
            Self::Webhook { .. } => "webhook",
            Self::Ntfy { .. } => "ntfy",
        }
    }

    pub(super) fn probe(&self) -> Probe<'_> {
        let (method, headers) = (Method::GET, HeaderMap::new());
        Probe::Call(Box::new(match self {
            Self::Email(target) => return Probe::Mail(target),
            // It describes the webhook.
            Self::Discord { url } => {
                ProbeCall { method, url: url.expose().clone(), headers, is_certain: true }
            }
            Self::Ntfy { url, token } => ntfy::probe(url, token.as_ref()),
            Self::Slack { url } | Self::Teams { url } | Self::Webhook { url, .. } => {
                let mut url = url.expose().clone();
                url.set_path("/");
                url.set_query(None);
                ProbeCall { method: Method::HEAD, url, headers, is_certain: false }
            }
        }))
    }

    /// What tells it this.
    pub(super) fn render(&self, name: &str, message: &Message, now: Timestamp) -> Rendered<'_> {
        Rendered::Call(match self {
            Self::Slack { url } => slack::render(url, message),
            Self::Discord { url } => discord::render(url, message),
            Self::Teams { url } => teams::render(url, message),
            Self::Webhook { url, key } => webhook::render(url, key.as_ref(), message, now),
            Self::Ntfy { url, token } => ntfy::render(url, token.as_ref(), message),
            Self::Email(target) => return Rendered::Mail(target, target.render(name, message)),
        })
    }
}

impl Post {
    /// A call with a JSON body.
    fn json(url: Url, body: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { url, headers, body }
    }

    /// Values that no header can have are left out.
    fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl SecretToken {
    fn parse(text: &str) -> Result<Self, String> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("token: it contains a character that no token has".to_owned());
        }
        secrets::learn(text, "");
        Ok(Self(text.into()))
    }

    fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for SecretToken {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(***)")
    }
}

#[cfg(test)]
mod tests;
