use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;
use url::{Host, Url};

use crate::{near::is_near_host, secrets};

/// The account's `CLOSTE_CLIENT_API_KEY`. It cannot be printed: `Debug` shows `***`.
#[derive(Clone)]
pub struct ApiKey(SecretString);

/// Why a text is no [`ApiKey`]. The text is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidApiKey {
    #[error("it is empty")]
    Empty,
    #[error("it contains a space, a line break or a character that no key has")]
    Character,
}

/// An address may contain a shorter key by chance.
const SHORTEST_FOUND: usize = 8;

impl ApiKey {
    /// For the calls to Closte only.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub fn is_in(&self, text: &str) -> bool {
        self.expose().len() >= SHORTEST_FOUND && text.contains(self.expose())
    }

    /// Identifies the account without revealing the key: 32 hexadecimal digits of a SHA-256 over the
    /// API's address and the key.
    pub fn fingerprint(&self, base: &BaseUrl) -> String {
        let digest = Sha256::new()
            .chain_update("closte-sync account\0")
            .chain_update(base.0.as_str())
            .chain_update("\0")
            .chain_update(self.expose())
            .finalize();
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl FromStr for ApiKey {
    type Err = InvalidApiKey;

    fn from_str(text: &str) -> Result<Self, InvalidApiKey> {
        match text.trim() {
            "" => Err(InvalidApiKey::Empty),
            key if key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                secrets::learn(key, "");
                Ok(Self(key.into()))
            }
            _ => Err(InvalidApiKey::Character),
        }
    }
}

impl PartialEq for ApiKey {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(***)")
    }
}

/// The id of an app at Closte, 24 hexadecimal digits: `CLOSTE_APP_ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppId(String);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it must be the app's id, 24 hexadecimal digits")]
pub struct InvalidAppId;

impl AppId {
    /// The panel's page for the app's domains, their DNS and their certificates. It contains no secret.
    pub fn domains_page(&self) -> String {
        format!("https://app.closte.com/sites/domains/{self}")
    }
}

impl FromStr for AppId {
    type Err = InvalidAppId;

    fn from_str(text: &str) -> Result<Self, InvalidAppId> {
        let is_id = text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id { Ok(Self(text.to_owned())) } else { Err(InvalidAppId) }
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address of Closte's API, such as `https://app.closte.com/api/client`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// Why a text is no [`BaseUrl`]. The text is not repeated: it may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidBaseUrl {
    #[error("it is not a web address, such as https://app.closte.com/api/client")]
    NotAnAddress,
    /// The key would be sent unencrypted.
    #[error(
        "it must begin with https:// (http:// is for a loopback address; closte.allow_plain_http permits \
         it for a private address and a name without a dot as well)"
    )]
    NotHttps,
    #[error("it must not hold a user, a password, a query or a fragment")]
    TooMuch,
}

impl BaseUrl {
    pub(super) fn join(&self, call: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{call}", self.0.path().trim_end_matches('/')));
        url
    }

    /// Whether it is without TLS, on this machine or near it.
    pub(super) fn is_plain_http(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Whether the key leaves this machine unencrypted.
    pub fn exposes_key(&self) -> bool {
        self.is_plain_http() && !self.is_loopback()
    }

    /// # Errors
    /// [`InvalidBaseUrl::NotHttps`] if the key would leave this machine unencrypted.
    pub(super) fn without_exposure(self) -> Result<Self, InvalidBaseUrl> {
        if self.exposes_key() { Err(InvalidBaseUrl::NotHttps) } else { Ok(self) }
    }

    fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        let mut url = Url::parse(text.trim()).map_err(|_| InvalidBaseUrl::NotAnAddress)?;
        let host = url.host_str().ok_or(InvalidBaseUrl::NotAnAddress)?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_near_host(host)) {
            return Err(InvalidBaseUrl::NotHttps);
        }
        let extras = url.query().is_some() || url.fragment().is_some();
        if extras || !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidBaseUrl::TooMuch);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_goes_only_over_https_or_to_this_machine() {
        for good in [
            "https://app.closte.com/api/client",
            "https://app.closte.com:8443/",
            "http://127.0.0.1:8080/api/client/",
            "http://localhost/x",
            "http://[::1]:80/x",
        ] {
            assert!(good.parse::<BaseUrl>().is_ok(), "{good}");
        }
        for (bad, why) in [
            ("app.closte.com", InvalidBaseUrl::NotAnAddress),
            ("http://app.closte.com/api/client", InvalidBaseUrl::NotHttps),
            ("http://203.0.113.1/", InvalidBaseUrl::NotHttps),
            ("http://127.0.0.1.example/", InvalidBaseUrl::NotHttps),
            ("ftp://127.0.0.1/", InvalidBaseUrl::NotHttps),
            ("https://user:secret@app.closte.com/", InvalidBaseUrl::TooMuch),
            ("https://app.closte.com/?apikey=secret", InvalidBaseUrl::TooMuch),
        ] {
            assert_eq!(bad.parse::<BaseUrl>(), Err(why), "{bad}");
        }
    }

    #[test]
    fn the_key_leaves_this_machine_unencrypted_only_where_that_is_allowed() {
        for (url, exposes_key) in [
            ("https://10.0.0.1", false),
            ("http://127.0.0.2", false),
            ("http://[::1]", false),
            ("http://10.0.0.1:8080", true),
            ("http://[fd00::1]", true),
            ("http://practice-closte", true),
        ] {
            let url: BaseUrl = url.parse().unwrap();
            assert_eq!(url.exposes_key(), exposes_key, "{url}");
            assert_eq!(url.without_exposure().is_err(), exposes_key);
        }
    }

    #[test]
    fn an_address_may_end_in_a_slash() {
        for base in ["https://app.closte.com/api/client", "https://app.closte.com/api/client/"] {
            let base: BaseUrl = base.parse().unwrap();
            assert_eq!(base.to_string(), "https://app.closte.com/api/client");
            let joined = base.join("getdomains");
            assert_eq!(joined.as_str(), "https://app.closte.com/api/client/getdomains");
        }
    }

    #[test]
    fn the_key_is_never_shown() {
        let key: ApiKey = " s3cret+Key/1== \n".parse().unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(***)");
        assert!(matches!("".parse::<ApiKey>(), Err(InvalidApiKey::Empty)));
        assert!(matches!("two words".parse::<ApiKey>(), Err(InvalidApiKey::Character)));
    }

    #[test]
    fn accounts_have_different_fingerprints() {
        let base: BaseUrl = "https://app.closte.com/api/client".parse().unwrap();
        let other: BaseUrl = "https://localhost/api/client".parse().unwrap();
        let fingerprint = |key: &str, base| key.parse::<ApiKey>().unwrap().fingerprint(base);
        assert_eq!(fingerprint("one-key", &base).len(), 32);
        assert_eq!(fingerprint("one-key", &base), fingerprint("one-key", &base));
        assert_ne!(fingerprint("one-key", &base), fingerprint("two-key", &base));
        assert_ne!(fingerprint("one-key", &base), fingerprint("one-key", &other));
    }
}
