use std::{collections::HashSet, fmt, str::FromStr};

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;
use url::{Host, Url};

/// The account's `CLOSTE_CLIENT_API_KEY`. It cannot be printed: `Debug` shows `***`.
#[derive(Clone)]
pub struct ApiKey(SecretString);

/// A text that is no [`ApiKey`]. It is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidApiKey {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// White space, a control character or anything else that no key has.
    #[error("it contains a space, a line break or a character that no key has")]
    Character,
}

/// So much of a key gives it away.
const TELLING: usize = 8;

impl ApiKey {
    /// The key itself, for the calls to Closte only.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether the text holds the key.
    pub fn is_in(&self, text: &str) -> bool {
        self.expose().len() >= TELLING && text.contains(self.expose())
    }

    /// The text with `***` wherever the key stands in it, or a telling part of it, in whatever case.
    /// Nothing of the text where the key stands in it percent-encoded or with backslashes.
    pub fn mask(&self, text: &str) -> String {
        let masked = self.mask_plain(text);
        let disguises = [
            percent_decode_str(&masked).decode_utf8_lossy().into_owned(),
            masked.replace('\\', ""),
        ];
        if disguises.iter().any(|undone| self.mask_plain(undone) != *undone) {
            return "*** holds the key and is not shown".to_owned();
        }
        masked
    }

    fn mask_plain(&self, text: &str) -> String {
        let key = self.expose().to_ascii_lowercase();
        let length = key.len().min(TELLING);
        let parts: HashSet<&[u8]> = key.as_bytes().windows(length).collect();
        let lower = text.to_ascii_lowercase();
        let starts = lower.as_bytes().windows(length).enumerate();
        let starts = starts.filter(|(_, part)| parts.contains(part)).map(|(start, _)| start);
        let (mut masked, mut shown_up_to) = (String::with_capacity(text.len()), 0);
        for start in starts {
            // Where parts overlap, one mask is enough. A key is ASCII: no character is cut.
            if start >= shown_up_to {
                masked.push_str(text.get(shown_up_to..start).unwrap_or_default());
                masked.push_str("***");
            }
            shown_up_to = start + length;
        }
        masked.push_str(text.get(shown_up_to..).unwrap_or_default());
        masked
    }

    /// What tells this account from others without holding the key: 32 hexadecimal digits of a
    /// SHA-256 over the API's address and the key.
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
            key if key.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Self(key.into())),
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

/// A text that is no [`AppId`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it must be the app's id, 24 hexadecimal digits")]
pub struct InvalidAppId;

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

/// A text that is no [`BaseUrl`]. It is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidBaseUrl {
    /// Not an address at all.
    #[error("it is not a web address, such as https://app.closte.com/api/client")]
    NotAnAddress,
    /// The key would travel in the open.
    #[error("it must begin with https:// (http:// is for a loopback address only)")]
    NotHttps,
    /// More than scheme, host, port and path.
    #[error("it must not hold a user, a password, a query or a fragment")]
    TooMuch,
}

impl BaseUrl {
    /// The address of one call.
    pub(super) fn join(&self, call: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{call}", self.0.path().trim_end_matches('/')));
        url
    }

    /// Whether it is a loopback address without TLS.
    pub(super) fn is_plain_http(&self) -> bool {
        self.0.scheme() == "http"
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        let mut url = Url::parse(text.trim()).map_err(|_| InvalidBaseUrl::NotAnAddress)?;
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(InvalidBaseUrl::NotAnAddress),
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
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
            ("http://127.0.0.1.example/", InvalidBaseUrl::NotHttps),
            ("ftp://127.0.0.1/", InvalidBaseUrl::NotHttps),
            ("https://user:secret@app.closte.com/", InvalidBaseUrl::TooMuch),
            ("https://app.closte.com/?apikey=secret", InvalidBaseUrl::TooMuch),
        ] {
            assert_eq!(bad.parse::<BaseUrl>(), Err(why), "{bad}");
        }
    }

    #[test]
    fn an_address_is_joined_whether_it_ends_in_a_slash_or_not() {
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
        for (text, shown) in [
            ("bad key s3cret+Key/1==.", "bad key ***."),
            ("S3CRET+KEY/1== s3cret+Key/1==s3cret+Key/1==", "*** ******"),
            ("its beginning s3cret+Ke...", "its beginning ***..."),
            ("no part: s3cret+ ret+Ke", "no part: s3cret+ ret+Ke"),
            ("größe s3cret+Key/1== größe", "größe *** größe"),
            ("?apikey=s3cret%2BKey%2f1%3D%3D&x=1", "*** holds the key and is not shown"),
            (r"its beginning s3cret+Key\/1==", r"its beginning ***\/1=="),
            (r"key: s3cret\+Key\/1==", "*** holds the key and is not shown"),
            ("", ""),
        ] {
            assert_eq!(key.mask(text), shown);
        }
        let short: ApiKey = "k1y".parse().unwrap();
        assert_eq!(short.mask("the key k1y is bad, K1"), "the key *** is bad, K1");
        assert!(matches!("".parse::<ApiKey>(), Err(InvalidApiKey::Empty)));
        assert!(matches!("two words".parse::<ApiKey>(), Err(InvalidApiKey::Character)));
    }

    #[test]
    fn a_fingerprint_tells_accounts_apart() {
        let base: BaseUrl = "https://app.closte.com/api/client".parse().unwrap();
        let other: BaseUrl = "https://localhost/api/client".parse().unwrap();
        let fingerprint = |key: &str, base| key.parse::<ApiKey>().unwrap().fingerprint(base);
        assert_eq!(fingerprint("one-key", &base).len(), 32);
        assert_eq!(fingerprint("one-key", &base), fingerprint("one-key", &base));
        assert_ne!(fingerprint("one-key", &base), fingerprint("two-key", &base));
        assert_ne!(fingerprint("one-key", &base), fingerprint("one-key", &other));
    }
}
