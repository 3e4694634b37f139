//! `[http]`

use std::net::SocketAddr;

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
    pub metrics_per_domain: bool,
}

impl HttpConfig {
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let mut section = reader.section("http");
        let listen = section.optional::<SocketAddr>("listen");
        let token = section.optional("token");
        let sync_token = section.optional::<Token>("sync_token");
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
            metrics_per_domain: metrics_per_domain?,
        })
    }
}
