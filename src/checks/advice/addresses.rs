//! Advice about the addresses of a name.

use std::net::IpAddr;

use super::{About, Advice, caa::capital, dns::LATER};
use crate::{
    checks::hosts::{known_host, proxy_switch, runs_zones},
    listing::listing,
    status::{AddressSeen, CheckResult, DnsVerdict, SslVerdict, Stray},
};

impl About<'_> {
    /// All or some of the addresses are not expected: which records to remove, and which to add.
    pub(super) fn elsewhere(&self, found: &str, resolvers: &str) -> Advice {
        let (name, dns) = (self.name, &self.latest.dns);
        let is_stray = |address: &&IpAddr| dns.strays.iter().any(|one| one.address == **address);
        let has_ipv4 = dns.addresses.iter().any(IpAddr::is_ipv4);
        let right = dns.addresses.iter().filter(|address| !is_stray(address));
        // Where there are A records, one of them must be right.
        let right: Vec<&IpAddr> = right.filter(|one| one.is_ipv4() == has_ipv4).collect();
        let holder = self.holder();
        let (four, six): (Vec<&Stray>, Vec<&Stray>) =
            dns.strays.iter().partition(|one| one.address.is_ipv4());

        let is_right_in_part = !right.is_empty() && !dns.strays.is_empty();
        if is_right_in_part && let Some(holder) = &holder {
            if four.is_empty() && has_ipv4 {
                return self.aaaa();
            }
            let (go, stay) = (records([&four, &six]), listing(&right, 0));
            let stays = if right.len() == 1 { "is right and stays" } else { "are right and stay" };
            return Advice {
                short: "drop address",
                owner: format!("Remove the {go} of {holder}: {stay} {stays} ({resolvers})"),
                customer: format!("{} remove the {go} of {holder}. {stay} {stays}.", self.log_in()),
            };
        }
        if let Some(advice) = self.behind_a_proxy(found) {
            return advice;
        }
        let leads_to = if is_right_in_part {
            let strays = listing(dns.strays.iter().map(with_owner), 0);
            format!("it leads to {strays} as well as to the right place ({resolvers})")
        } else {
            format!("it leads to {found} ({resolvers})")
        };
        if let Some(advice) = self.leads_rightly(self.cnames(), &leads_to) {
            return advice;
        }
        if let Some(change) = self.instead() {
            return Advice {
                short: self.in_short(),
                owner: format!("{}: {leads_to}", capital(&change)),
                customer: format!("{} {change}. {LATER}", self.log_in()),
            };
        }
        // A right A record does not help visitors who use an old AAAA record, or the other way round.
        let (changed, others) = match self.target.kind() {
            "AAAA" => (six.len(), &four),
            _ => (four.len(), &six),
        };
        let point = match changed {
            0 if !dns.strays.is_empty() => format!("add the {}", self.record()),
            0 | 1 => format!("point the {}", self.record()),
            several => format!(
                "replace the {several} {} records of {name} by one at {}",
                self.target.kind(),
                self.target
            ),
        };
        let too = match &others[..] {
            [] => String::new(),
            _ => format!(" and remove the {}", records([others])),
        };
        Advice {
            short: "point A",
            owner: format!("{}{too}: it is at {found} ({resolvers})", capital(&point)),
            customer: format!("{} {point}{too}. {LATER}", self.log_in()),
        }
    }

    /// It is at a proxy that is not in `checks.proxies`. The server behind it is not visible.
    fn behind_a_proxy(&self, found: &str) -> Option<Advice> {
        let name = self.name;
        let (host, switch) = self.proxy()?;
        let provider = self.latest.dns.zone.as_ref().and_then(|zone| zone.provider.as_deref());
        let change = self.instead().unwrap_or_else(|| format!("point the {}", self.record()));
        let (how, customer) = if provider == Some(host) {
            (
                format!("at {host}, {switch}, and {change}"),
                format!("Please log in at {host}, {switch}, and {change}."),
            )
        } else if runs_zones(host) {
            // The zones of other providers may be behind the same proxy.
            (
                format!("{change}, and if its DNS is at {host}, {switch}"),
                format!("{} {change}. If that is at {host}, {switch}.", self.log_in()),
            )
        } else {
            (
                format!("{change}, and at {host}, {switch}"),
                format!("{} {change}. Then log in at {host} and {switch}.", self.log_in()),
            )
        };
        Some(Advice {
            short: "set proxy",
            owner: format!(
                "{name} is at {found}, a proxy, so the server behind it is not visible: {how}. To \
                 keep the proxy, add its networks to checks.proxies"
            ),
            customer: format!("{customer} {LATER}"),
        })
    }

    /// The host of the customer's own proxy, and how the customer turns it off.
    fn proxy(&self) -> Option<(&str, &'static str)> {
        let (dns, cnames) = (&self.latest.dns, self.cnames());
        let host = dns.host.as_deref()?;
        // The target of a CNAME may have another proxy.
        let is_its_own = match cnames {
            [] => true,
            [first, ..] => known_host(&[], std::slice::from_ref(first)).as_deref() == Some(host),
        };
        let provider = dns.zone.as_ref().and_then(|zone| zone.provider.as_deref());
        let switch = proxy_switch(host, provider, !cnames.is_empty()).filter(|_| is_its_own)?;
        Some((host, switch))
    }

    /// The advice for the customer whose proxy offers no TLS.
    pub(super) fn without_tls_at_the_proxy(&self) -> Option<String> {
        let CheckResult { dns, ssl, .. } = self.latest;
        let is_so =
            dns.verdict == DnsVerdict::Proxied && ssl.verdict == SslVerdict::HandshakeFailed;
        let (host, switch) = self.proxy().filter(|_| is_so)?;
        Some(format!(
            "The proxy at {host} offers no TLS for {}. Please log in at {host} and turn its SSL on, or, \
             until the certificate is there, {switch}.",
            self.name
        ))
    }

    /// The A records are right, and an AAAA record is not.
    pub(super) fn aaaa(&self) -> Advice {
        let (name, strays) = (self.name, &self.latest.dns.strays);
        let six: Vec<&Stray> = strays.iter().filter(|one| one.address.is_ipv6()).collect();
        let go = records([&six]);
        let leads = if six.len() == 1 { "it leads" } else { "they lead" };
        let why = format!(
            "{leads} elsewhere, so visitors and certificate authorities with IPv6 go there"
        );
        let (holder, target) = (self.holder(), self.cnames().first());
        match (holder, target) {
            // A wildcard does not answer for a name that has a record of its own.
            (None, None) if let Some(change) = self.instead() => Advice {
                short: self.in_short(),
                owner: format!("{}: {why}", capital(&change)),
                customer: format!("{} {change}. {LATER}", self.log_in()),
            },
            (None, Some(target)) => {
                let change = self.instead_of(target);
                let last = self.cnames().last().unwrap_or(target);
                Advice {
                    short: self.in_short(),
                    owner: format!(
                        "{}, or have the {go} of {last} removed: {why}",
                        capital(&change)
                    ),
                    customer: format!(
                        "{} {change}, or ask the owner of {last} to remove its {go}. {LATER}",
                        self.log_in()
                    ),
                }
            }
            (holder, _) => {
                let holder = holder.unwrap_or(name.as_str());
                Advice {
                    short: "drop AAAA",
                    owner: format!("Remove the {go} of {holder}: {why}"),
                    customer: format!(
                        "{} remove the {go} of {holder}. The A record is right and stays.",
                        self.log_in()
                    ),
                }
            }
        }
    }

    /// The owner name of the address records, if it is in the name's zone: the name itself, or the last
    /// target of its CNAMEs.
    fn holder(&self) -> Option<&str> {
        if self.has_its_own_addresses() {
            return Some(self.name.as_str());
        }
        let zone = &self.latest.dns.zone.as_ref()?.name;
        let last = self.cnames().last()?;
        let below = last.strip_suffix(zone.as_str())?;
        (below.is_empty() || below.ends_with('.')).then_some(last.as_str())
    }

    /// One of several addresses does not serve the name, and others do.
    pub(super) fn one_of_several(&self) -> Advice {
        let (name, ssl) = (self.name, &self.latest.ssl);
        let error = ssl.error.as_deref().unwrap_or(ssl.verdict.as_str());
        let fault = match ssl.verdict {
            SslVerdict::WrongName => format!("shows another certificate ({})", self.names()),
            SslVerdict::Expired => "shows a certificate that has expired".to_owned(),
            SslVerdict::NotYetValid => "shows a certificate that is not valid yet".to_owned(),
            SslVerdict::SelfSigned => "shows only a self-signed certificate".to_owned(),
            SslVerdict::UnknownIssuer => {
                "shows a certificate that browsers do not trust".to_owned()
            }
            SslVerdict::Refused => "does not listen for TLS".to_owned(),
            SslVerdict::TimedOut => format!("does not answer ({error})"),
            _ => format!("does not serve it ({error})"),
        };
        // At most eight are checked.
        let of = self.latest.dns.addresses.len().max(ssl.addresses.len());
        let (address, kind) = match ssl.address {
            Some(address) => (address.to_string(), kind(address)),
            None => ("one".to_owned(), "A"),
        };
        let is_bad = |one: &&AddressSeen| one.verdict.is_bad() && Some(one.address) != ssl.address;
        let bad: Vec<IpAddr> = ssl.addresses.iter().filter(is_bad).map(|one| one.address).collect();
        let good = ssl.addresses.iter().filter(|one| one.verdict.is_good()).count();
        let is_all = good + 1 == of;
        let others = match (&bad[..], good, is_all) {
            ([], 1, true) => "the other is right".to_owned(),
            ([], _, true) => "the others are right".to_owned(),
            ([], 1, _) => "one of the others is right".to_owned(),
            ([], ..) => format!("{good} of the others are right"),
            ([one], ..) => format!("{one} is not right either"),
            _ => format!("{} are not right either", listing(&bad, 0)),
        };
        let servers = if bad.is_empty() { "that server" } else { "these servers" };
        let or_remove = match (self.has_its_own_addresses(), bad.is_empty()) {
            (false, _) => String::new(),
            (true, true) => format!(", or remove its {kind} record"),
            (true, false) => ", or remove their records".to_owned(),
        };
        Advice {
            short: "fix address",
            owner: format!(
                "{address}, one of the {of} addresses of {name}, {fault}; {others}. Have {servers} \
                 fixed{or_remove}"
            ),
            customer: format!(
                "Your DNS is right. We are fixing one of the servers of {name}, {address}; there is \
                 nothing to do."
            ),
        }
    }

    /// Whether the name itself has the address records, and not a CNAME's target or a wildcard.
    fn has_its_own_addresses(&self) -> bool {
        self.cnames().is_empty() && self.latest.dns.synthesized_from.is_none()
    }

    /// ` at 203.0.113.10`: which of several addresses the verdict is about.
    pub(super) fn at(&self) -> String {
        let ssl = &self.latest.ssl;
        let address = ssl.address.filter(|_| ssl.addresses.len() > 1);
        address.map(|address| format!(" at {address}")).unwrap_or_default()
    }

    /// The names that the certificate is for, as part of a sentence.
    pub(super) fn names(&self) -> String {
        match &self.latest.ssl.certificate {
            Some(one) if one.names.is_empty() => "it is for no name".to_owned(),
            Some(one) => listing(&one.names, one.more_names),
            None => String::new(),
        }
    }
}

fn kind(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "A" } else { "AAAA" }
}

fn with_owner(stray: &Stray) -> String {
    match &stray.host {
        Some(host) => format!("{} ({host})", stray.address),
        None => stray.address.to_string(),
    }
}

/// `A record 198.51.100.7 (Squarespace) and the AAAA record 2001:db8::7`, from those of each kind.
fn records<const KINDS: usize>(strays: [&Vec<&Stray>; KINDS]) -> String {
    let of_kind = |strays: &Vec<&Stray>| {
        let kind = kind(strays.first()?.address);
        let records = if strays.len() == 1 { "record" } else { "records" };
        let listed = listing(strays.iter().map(|stray| with_owner(stray)), 0);
        Some(format!("{kind} {records} {listed}"))
    };
    strays.into_iter().filter_map(of_kind).collect::<Vec<_>>().join(" and the ")
}
