use std::{net::IpAddr, time::Duration};

use super::{ApiKey, AppId, BaseUrl};
use crate::settings::Reader;

/// The longest `timeout`: three tries of two calls in a row must end before the daemon counts as hung.
const LONGEST_CALL: Duration = Duration::from_secs(60);

/// `[closte]`
#[derive(Debug, Clone)]
pub struct ClosteConfig {
    pub base_url: BaseUrl,
    pub api_key: Option<ApiKey>,
    pub app_id: Option<AppId>,
    pub public_address: Option<IpAddr>,
    pub timeout: Duration,
    pub concurrency: usize,
    pub list_interval: Duration,
}

impl ClosteConfig {
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let mut section = reader.section("closte");
        let allow_plain_http = section.flag("allow_plain_http");
        let base_url = section.parse("base_url").and_then(|url: BaseUrl| {
            let permitted =
                if allow_plain_http == Some(true) { Ok(url) } else { url.without_exposure() };
            section.check("base_url", permitted)
        });
        let api_key = section.optional("api_key");
        if let (Some(url), Some(Some(key))) = (&base_url, &api_key)
            && ApiKey::is_in(key, &BaseUrl::to_string(url))
        {
            section.problem(
                "closte.base_url contains the key, which is sent separately: remove it there",
            );
        }
        let app_id = section.optional("app_id");
        let public_address = section.optional("public_address");
        let timeout = section.duration_up_to("timeout", Duration::from_millis(100), LONGEST_CALL);
        let concurrency = section.number("concurrency", 1..=64);
        let list_interval = section.duration("list_interval", Duration::from_millis(100));
        Some(Self {
            base_url: base_url?,
            api_key: api_key?,
            app_id: app_id?,
            public_address: public_address?,
            timeout: timeout?,
            concurrency: concurrency?,
            list_interval: list_interval?,
        })
    }

    /// The panel's page for the app's domains, if the app is known.
    pub fn panel(&self) -> Option<String> {
        self.app_id.as_ref().map(AppId::domains_page)
    }

    /// Whether a text is valid for a setting that only advice uses, so that an invalid one stops nothing.
    pub fn is_fit(key: &str, text: &str) -> bool {
        match key {
            "closte.app_id" => text.is_empty() || text.parse::<AppId>().is_ok(),
            "closte.public_address" => text.is_empty() || text.parse::<IpAddr>().is_ok(),
            _ => true,
        }
    }
}

pub(crate) fn key_is_not_set(is_systemd_service: bool) -> String {
    let remedy = match is_systemd_service {
        true => {
            "where no wp-config.php defines CLOSTE_CLIENT_API_KEY, write the key into \
             /etc/closte-sync/closte_client_api_key (of closte-sync@NAME: NAME.closte_client_api_key)"
        }
        false => {
            "name the network's wp-config.php, which defines CLOSTE_CLIENT_API_KEY, with --wp-config, \
             or set CLOSTE_CLIENT_API_KEY (or CLOSTE_CLIENT_API_KEY_FILE) to the same key"
        }
    };
    format!("closte.api_key is not set: {remedy}")
}
