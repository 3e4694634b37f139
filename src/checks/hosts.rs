//! Well-known hosts and DNS providers, by address and by name: from `hosts.toml`, which is compiled in.

use std::{net::IpAddr, sync::LazyLock};

use config::{Config, ConfigError, File, FileFormat};
use ipnet::IpNet;
use serde::Deserialize;

use super::{
    reserved::reserved,
    targets::contains,
    words::{Place, ProxySwitch, Value, in_english},
};

static HOSTS: LazyLock<Hosts> = LazyLock::new(|| Hosts::parse().unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
struct Hosts {
    host: Vec<Host>,
    /// DNS providers.
    dns: Vec<Dns>,
}

#[derive(Debug, Deserialize)]
struct Host {
    name: String,
    #[serde(default)]
    networks: Vec<IpNet>,
    /// The names that CNAMEs to it have as their target.
    #[serde(default)]
    names: Vec<String>,
    /// How a customer turns its proxy off, if it is a proxy.
    proxy: Option<ProxySwitch>,
    /// What the host shows there, if not a customer's site.
    page: Option<Page>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Page {
    Forwarding,
    WebsiteBuilder,
    Parking,
    ForwardingOrParking,
}

#[derive(Debug, Deserialize)]
struct Dns {
    name: String,
    names: Vec<String>,
}

impl Hosts {
    fn parse() -> Result<Self, ConfigError> {
        let file = File::from_str(include_str!("hosts.toml"), FileFormat::Toml);
        Config::builder().add_source(file).build()?.try_deserialize()
    }
}

impl Host {
    /// The host, or its page.
    fn place(&self) -> Value<Place> {
        let provider = self.name.clone();
        Value::Words(match self.page {
            None => return Value::Plain(provider),
            Some(Page::Forwarding) => Place::Forwarding { provider },
            Some(Page::WebsiteBuilder) => Place::WebsiteBuilder { provider },
            Some(Page::Parking) => Place::Parking { provider },
            Some(Page::ForwardingOrParking) => Place::ForwardingOrParking { provider },
        })
    }
}

fn host(addresses: &[IpAddr], cnames: &[String]) -> Option<&'static Host> {
    let hosts = || HOSTS.host.iter();
    let has_name = |name: &String| hosts().find(|host| is_one_of(name, &host.names));
    let is_there = |host: &&Host| {
        !addresses.is_empty() && addresses.iter().all(|address| contains(&host.networks, *address))
    };
    // The host of the first CNAME may use another one behind it.
    cnames.iter().find_map(has_name).or_else(|| hosts().find(is_there))
}

/// The well-known host that one of the CNAMEs or all the addresses belong to, or else the purpose of
/// addresses that visitors cannot reach.
pub(super) fn known_host(addresses: &[IpAddr], cnames: &[String]) -> Option<String> {
    let purpose = || {
        let purpose = reserved(*addresses.first()?)?;
        let all_are = addresses.iter().all(|address| reserved(*address) == Some(purpose));
        all_are.then(|| format!("{purpose}, which visitors cannot reach"))
    };
    let host = host(addresses, cnames);
    host.map(|host| in_english(&host.place())).or_else(purpose)
}

/// The same for one address, as a customer is told it.
pub(super) fn place(address: IpAddr) -> Option<Value<Place>> {
    let unreachable = || reserved(address).map(|_| Value::Words(Place::Unreachable));
    host(&[address], &[]).map(Host::place).or_else(unreachable)
}

/// How a customer turns off the proxy of this host for a zone at this DNS provider, if it is a proxy. A
/// host that is a DNS provider too is a proxy only for its own zones, and uses no CNAME for that.
pub(super) fn proxy_switch(
    host: &str,
    provider: Option<&str>,
    has_cname: bool,
) -> Option<ProxySwitch> {
    let known = HOSTS.host.iter().find(|known| known.name == host)?;
    let may_be_its_zone = !has_cname && provider.is_none_or(|provider| provider == host);
    let is_its_zone = may_be_its_zone || !runs_zones(host);
    known.proxy.filter(|_| is_its_zone)
}

/// Whether this host is a DNS provider too.
pub(super) fn runs_zones(host: &str) -> bool {
    HOSTS.dns.iter().any(|dns| dns.name == host)
}

/// The well-known DNS provider that all these name servers belong to.
pub(super) fn dns_provider(servers: &[String]) -> Option<&'static str> {
    let runs = |dns: &&Dns| servers.iter().all(|server| is_one_of(server, &dns.names));
    let dns = HOSTS.dns.iter().find(|dns| !servers.is_empty() && runs(dns))?;
    Some(&dns.name)
}

fn is_one_of(name: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| ends_with(name, pattern))
}

/// Whether the name is that of the pattern, or below it. A `*` matches only a number, as others could
/// register a name with other text there.
fn ends_with(name: &str, pattern: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
    let mut labels = name.rsplit('.');
    pattern.rsplit('.').all(|pattern| match (labels.next(), pattern.split_once('*')) {
        (Some(label), Some((head, tail))) => label
            .strip_prefix(head)
            .is_some_and(|rest| rest.strip_suffix(tail).is_some_and(is_number)),
        (Some(label), None) => label.eq_ignore_ascii_case(pattern),
        (None, _) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_valid_networks_without_overlaps() {
        let hosts = Hosts::parse().unwrap();
        assert!(hosts.host.len() > 20 && hosts.dns.len() > 20);
        for network in hosts.host.iter().flat_map(|host| &host.networks) {
            assert_eq!(*network, network.trunc());
            assert_eq!(reserved(network.addr()), None, "{network}");
        }
        for (number, host) in hosts.host.iter().enumerate() {
            let others = hosts.host.iter().skip(number + 1).flat_map(|other| &other.networks);
            for other in others {
                let overlaps = |one: &IpNet| one.contains(other) || other.contains(one);
                assert!(!host.networks.iter().any(overlaps), "{other} and {}", host.name);
            }
            assert!(!host.networks.is_empty() || !host.names.is_empty(), "{host:?}");
        }
    }

    #[test]
    fn hosts_are_known_by_cname_or_address() {
        let host = |address: &str, cname: &str| {
            let cnames: Vec<String> = Some(cname.to_owned()).into_iter().collect();
            known_host(&[address.parse().unwrap()], &cnames).unwrap_or_default()
        };
        for (address, cname, is) in [
            ("198.185.159.145", "", "Squarespace"),
            ("203.0.114.9", "shops.myshopify.com", "Shopify"),
            ("203.0.114.9", "notmyshopify.com", ""),
            ("2606:4700::6810:1", "", "Cloudflare"),
            ("104.16.0.1", "mine.vercel-dns-017.com", "Vercel"),
            ("151.101.1.195", "", "Fastly"),
            ("192.124.249.7", "", "Sucuri"),
            ("217.160.0.7", "", "IONOS"),
            ("213.186.33.5", "", "OVH"),
            ("162.255.119.22", "", "a forwarding or parking page of Namecheap"),
            ("15.197.142.173", "", "GoDaddy's forwarding"),
            ("1.2.3.4", "pixie.porkbun.com", "a forwarding or parking page of Porkbun"),
            ("216.239.32.21", "", "Google"),
            ("1.2.3.4", "ghs.googlehosted.com", "Google"),
            ("75.2.60.5", "", "Netlify"),
            ("1.2.3.4", "mine.netlify.app", "Netlify"),
            ("76.76.21.21", "", "Vercel"),
            ("185.230.63.107", "", "Wix"),
            ("1.2.3.4", "pointing.wixdns.net", "Wix"),
            ("198.202.211.1", "", "Webflow"),
            ("1.2.3.4", "cdn.webflow.com", "Webflow"),
            ("1.2.3.4", "ext-cust.squarespace.com", "Squarespace"),
            ("23.227.38.65", "", "Shopify"),
            ("1.2.3.4", "cluster021.hosting.ovh.net", "OVH"),
            ("84.32.84.32", "", "Hostinger"),
            ("1.2.3.4", "mine.cdn.hstgr.net", "Hostinger"),
            ("44.227.65.245", "", "a forwarding or parking page of Porkbun"),
            ("1.2.3.4", "parkingpage.namecheap.com", "a forwarding or parking page of Namecheap"),
            ("1.2.3.4", "d1.map.fastly.net", "Fastly"),
            ("1.2.3.4", "shop.example.cdn.cloudflare.net", "Cloudflare"),
            ("1.2.3.4", "SHOPS.MyShopify.com", "Shopify"),
            ("1.2.3.4", "com", ""),
            ("192.168.1.7", "", "a private address, which visitors cannot reach"),
            ("fe80::1", "", "a link-local address, which visitors cannot reach"),
        ] {
            assert_eq!(host(address, cname), is, "{address} {cname}");
        }
        // All of several addresses must belong to the host.
        let of_all =
            |addresses: [&str; 2]| known_host(&addresses.map(|one| one.parse().unwrap()), &[]);
        assert_eq!(of_all(["198.185.159.145", "198.49.23.144"]).as_deref(), Some("Squarespace"));
        assert_eq!(of_all(["198.185.159.145", "23.227.38.65"]), None);
        assert_eq!(of_all(["192.168.1.7", "127.0.0.1"]), None);
        assert_eq!(known_host(&[], &[]), None);
        let chain = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            known_host(&[], &names).unwrap_or_default()
        };
        assert_eq!(chain(&["mine.netlify.app", "d1.map.fastly.net"]), "Netlify");
        assert_eq!(chain(&["evilvercel.app"]), "");
        assert_eq!(chain(&["mine.vercel-dns-evil.com"]), "", "anybody can register that");
        assert_eq!(proxy_switch("Cloudflare", None, false), Some(ProxySwitch::DnsOnly));
        assert!(proxy_switch("Cloudflare", Some("Cloudflare"), false).is_some());
        assert_eq!(proxy_switch("Cloudflare", None, true), None);
        assert_eq!(proxy_switch("Cloudflare", Some("GoDaddy"), false), None);
        assert!(proxy_switch("Sucuri", Some("GoDaddy"), true).is_some());
        assert_eq!(proxy_switch("Squarespace", None, false), None);
    }

    #[test]
    fn a_dns_provider_has_all_name_servers_of_a_zone() {
        let runs = |servers: &[&str]| {
            let servers: Vec<String> = servers.iter().map(|&server| server.to_owned()).collect();
            dns_provider(&servers)
        };
        assert_eq!(runs(&["ns07.domaincontrol.com", "ns08.domaincontrol.com"]), Some("GoDaddy"));
        let amazon = ["ns-1.awsdns-41.co.uk", "ns-2.awsdns-07.com", "ns-3.awsdns-50.org"];
        assert_eq!(runs(&amazon), Some("Amazon Route 53"));
        assert_eq!(runs(&["ns-1.awsdns-.com"]), None);
        assert_eq!(runs(&["ns-1.awsdns-41x.com"]), None);
        assert_eq!(runs(&["ada.ns.cloudflare.com", "ns1.dnsimple.com"]), None);
        assert_eq!(runs(&[]), None);
    }
}
