use std::{fmt, str::FromStr};

use thiserror::Error;
use url::{Host, Url};

use crate::near::is_near_host;

/// `wordpress.url`: where the network's own site answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteUrl(Url);

/// Why a text is no [`SiteUrl`]. The text is not repeated: it may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidSiteUrl {
    #[error("it is not a web address, such as https://network.example")]
    NotAnAddress,
    /// The key pair would be sent unencrypted.
    #[error(
        "it must begin with https:// (http:// is for this machine, a private address, and a name \
         without a dot, as inside Docker)"
    )]
    NotHttps,
    #[error("it must not hold a user, a password, a query or a fragment")]
    TooMuch,
}

impl SiteUrl {
    /// The address of a network by its row in the `site` table; none if the row holds none.
    pub(super) fn of_network(domain: &str, path: &str) -> Option<Self> {
        let url: Self = format!("https://{domain}{path}").parse().ok()?;
        // The row holds any text, and a part of it must not become another host.
        let authority = domain.to_ascii_lowercase();
        let is_whole = url.authority() == authority.strip_suffix(":443").unwrap_or(&authority);
        is_whole.then_some(url)
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// The host and the port, if the port is not the usual one.
    pub(super) fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether only this machine or its own network knows the host, so that the header Host has to name
    /// the site.
    pub(super) fn is_inside(&self) -> bool {
        self.0.host_str().is_some_and(is_near_host)
    }

    /// The same address by the name of the network's host, and the host to connect to. None if that host
    /// has no name.
    pub(super) fn renamed(&self, network: &Self) -> Option<(Self, String)> {
        let Some(Host::Domain(name)) = network.0.host() else { return None };
        let target = self.0.host_str()?.trim_matches(['[', ']']).to_owned();
        let mut url = self.0.clone();
        url.set_host(Some(name)).ok()?;
        Some((Self(url), target))
    }

    /// The address of a call of the REST API, such as `/wu/v2/auth`: the pretty one, and the one that
    /// works without rewrite rules.
    pub(super) fn rest(&self, route: &str) -> [Url; 2] {
        let (mut pretty, mut plain) = (self.0.clone(), self.0.clone());
        let path = self.0.path().trim_end_matches('/');
        pretty.set_path(&format!("{path}/wp-json{route}"));
        plain.set_path(&format!("{path}/index.php"));
        plain.query_pairs_mut().append_pair("rest_route", route);
        [pretty, plain]
    }
}

impl FromStr for SiteUrl {
    type Err = InvalidSiteUrl;

    fn from_str(text: &str) -> Result<Self, InvalidSiteUrl> {
        let url = Url::parse(text.trim()).map_err(|_| InvalidSiteUrl::NotAnAddress)?;
        let (scheme, is_web) = (url.scheme(), url.has_host());
        if !is_web || !matches!(scheme, "http" | "https") {
            return Err(InvalidSiteUrl::NotAnAddress);
        }
        let extras = url.query().is_some() || url.fragment().is_some();
        if extras || !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidSiteUrl::TooMuch);
        }
        let is_plain = scheme == "http";
        let url = Self(url);
        if is_plain && !url.is_inside() { Err(InvalidSiteUrl::NotHttps) } else { Ok(url) }
    }
}

impl fmt::Display for SiteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_pair_goes_only_over_https_or_to_a_near_host() {
        for good in [
            "https://network.example",
            "https://network.example:8443/sub/",
            "http://wordpress",
            "http://wordpress:8080/",
            "http://127.0.0.1:8080",
            "http://[::1]/",
            "http://10.1.2.3",
            "http://localhost",
        ] {
            assert!(good.parse::<SiteUrl>().is_ok(), "{good}");
        }
        for (bad, why) in [
            ("network.example", InvalidSiteUrl::NotAnAddress),
            ("ftp://network.example", InvalidSiteUrl::NotAnAddress),
            ("http://network.example", InvalidSiteUrl::NotHttps),
            ("http://203.0.113.1/", InvalidSiteUrl::NotHttps),
            ("https://user:pw@network.example", InvalidSiteUrl::TooMuch),
            ("https://network.example/?x=1", InvalidSiteUrl::TooMuch),
        ] {
            assert_eq!(bad.parse::<SiteUrl>(), Err(why), "{bad}");
        }
    }

    #[test]
    fn the_address_of_a_network_is_that_of_its_row_and_no_other() {
        let url =
            |domain: &str, path: &str| SiteUrl::of_network(domain, path).map(|url| url.to_string());
        assert_eq!(url("Network.example", "/"), Some("https://network.example".to_owned()));
        assert_eq!(
            url("network.example:443", "/wp/"),
            Some("https://network.example/wp".to_owned())
        );
        assert_eq!(url("localhost:8443", "/"), Some("https://localhost:8443".to_owned()));
        for domain in ["", "a@evil.example", "evil.example/x", "evil.example?", "evil.example#"] {
            assert_eq!(url(domain, "/"), None, "{domain}");
        }
    }

    #[test]
    fn a_call_has_a_pretty_address_and_one_without_rewrite_rules() {
        for (url, pretty, plain) in [
            (
                "https://network.example",
                "https://network.example/wp-json/wu/v2/domain/7",
                "https://network.example/index.php?rest_route=%2Fwu%2Fv2%2Fdomain%2F7",
            ),
            (
                "https://network.example/sub/",
                "https://network.example/sub/wp-json/wu/v2/domain/7",
                "https://network.example/sub/index.php?rest_route=%2Fwu%2Fv2%2Fdomain%2F7",
            ),
        ] {
            let url: SiteUrl = url.parse().unwrap();
            assert_eq!(url.rest("/wu/v2/domain/7").map(String::from), [pretty, plain]);
        }
    }
}
