//! `[http]`

use std::{fmt, net::SocketAddr, str::FromStr};

use url::Url;

use super::Token;
use crate::settings::Reader;

/// `[http]`
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// None where the admin server is off.
    pub listen: Option<SocketAddr>,
    pub token: Option<Token>,
    /// None where no request may begin a cycle.
    pub sync_token: Option<Token>,
    /// None where the daemon's own address is the only one.
    pub public_url: Option<PublicUrl>,
    pub metrics_per_domain: bool,
}

/// The address of the status page as its visitors know it, which ends with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut url = Url::parse(text).map_err(|error| error.to_string())?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err("it must begin with https:// or http:// and a host".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it must contain no user and no password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("it must end with the path: no ? and no #".to_owned());
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl HttpConfig {
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let mut section = reader.section("http");
        let listen = section.optional::<SocketAddr>("listen");
        let token = section.optional("token");
        let sync_token = section.optional::<Token>("sync_token");
        let public_url = section.optional::<PublicUrl>("public_url");
        let metrics_per_domain = section.flag("metrics_per_domain");
        if let (Some(Some(listen)), Some(None)) = (&listen, &token)
            && !listen.ip().is_loopback()
        {
            section.problem(format!(
                "http.listen ({listen}) can be reached from other machines: set http.token, or \
                 listen on 127.0.0.1"
            ));
        }
        if let (Some(Some(token)), Some(Some(sync_token))) = (&token, &sync_token)
            && token == sync_token
        {
            section.problem("http.sync_token must differ from http.token, which opens more");
        }
        Some(Self {
            listen: listen?,
            token: token?,
            sync_token: sync_token?,
            public_url: public_url?,
            metrics_per_domain: metrics_per_domain?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_one_that_paths_can_follow() {
        let read = |text: &str| text.parse::<PublicUrl>().map(|url| url.to_string());
        assert_eq!(
            read("https://status.agency.example").unwrap(),
            "https://status.agency.example/"
        );
        assert_eq!(read("https://agency.example/how").unwrap(), "https://agency.example/how/");
        for wrong in [
            "status.agency.example",
            "ftp://agency.example",
            "https://me:secret@agency.example",
            "https://agency.example/?a=b",
            "https://agency.example/#a",
        ] {
            read(wrong).unwrap_err();
        }
    }
}
