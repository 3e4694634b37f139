//! Advice about the addresses of a name.

use std::net::IpAddr;

use super::{About, Advice};
use crate::{
    checks::{
        hosts::{known_host, place, proxy_switch, runs_zones},
        words::{
            AddressOf, Change, CustomerText, List, ProxySwitch, Records, Request, Sentence, Value,
            Whom, capital, in_english,
        },
    },
    listing::listing,
    status::{AddressSeen, CheckResult, DnsVerdict, SslVerdict, Stray},
};

impl About<'_> {
    /// All or some of the addresses are not expected: which records to remove, and which to add.
    pub(super) fn elsewhere(&self, found: &str, resolvers: &str) -> Advice {
        let dns = &self.latest.dns;
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
            let remove =
                Change::Remove { records: of_both(&four, &six), name: (*holder).to_owned() };
            let (count, stay) = (right.len(), listing(&right, 0));
            let stays = if count == 1 { "is right and stays" } else { "are right and stay" };
            let addresses = List::of(right.iter().map(ToString::to_string));
            return Advice {
                short: "drop address",
                owner: format!("{}: {stay} {stays} ({resolvers})", capital(&remove)),
                customer: CustomerText::of([
                    self.log_in_and(remove),
                    Sentence::AddressesStay { count, addresses },
                ]),
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
                customer: self.log_in_and_wait(change),
            };
        }
        // A right A record does not help visitors who use an old AAAA record, or the other way round.
        let (changed, other, others) = match self.target.kind() {
            "AAAA" => (six.len(), "A", &four),
            _ => (four.len(), "AAAA", &six),
        };
        let point = match changed {
            0 if !dns.strays.is_empty() => self.add(),
            0 | 1 => self.point(),
            count => Change::ReplaceSeveral {
                count,
                kind: self.target.kind(),
                name: self.name.clone(),
                target: self.target.said(),
            },
        };
        let change = match &others[..] {
            [] => point,
            _ => Change::AndRemove { change: Box::new(point), records: of_kind(other, others) },
        };
        Advice {
            short: "point A",
            owner: format!("{}: it is at {found} ({resolvers})", capital(&change)),
            customer: self.log_in_and_wait(change),
        }
    }

    /// It is at a proxy that is not in `checks.proxies`. The server behind it is not visible.
    fn behind_a_proxy(&self, found: &str) -> Option<Advice> {
        let name = self.name;
        let (host, switch) = self.proxy()?;
        let provider = self.latest.dns.zone.as_ref().and_then(|zone| zone.provider.as_deref());
        let change = self.instead().unwrap_or_else(|| self.point());
        let (do_that, turn_off) = (in_english(&change), in_english(&switch));
        let at = host.to_owned();
        let (how, customer) = if provider == Some(host) {
            (
                format!("at {host}, {turn_off}, and {do_that}"),
                vec![Sentence::SwitchAnd { host: at, switch, change }],
            )
        } else if runs_zones(host) {
            // The zones of other providers may be behind the same proxy.
            (
                format!("{do_that}, and if its DNS is at {host}, {turn_off}"),
                vec![self.log_in_and(change), Sentence::IfThatIsAt { host: at, switch }],
            )
        } else {
            (
                format!("{do_that}, and at {host}, {turn_off}"),
                vec![self.log_in_and(change), Sentence::ThenLogInAt { host: at, switch }],
            )
        };
        Some(Advice {
            short: "set proxy",
            owner: format!(
                "{name} is at {found}, a proxy, so the server behind it is not visible: {how}. To \
                 keep the proxy, add its networks to checks.proxies"
            ),
            customer: CustomerText::of(customer.into_iter().chain([Sentence::Hours])),
        })
    }

    /// The host of the customer's own proxy, and how the customer turns it off.
    fn proxy(&self) -> Option<(&str, ProxySwitch)> {
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
    pub(super) fn without_tls_at_the_proxy(&self) -> Option<Sentence> {
        let CheckResult { dns, ssl, .. } = self.latest;
        let is_so =
            dns.verdict == DnsVerdict::Proxied && ssl.verdict == SslVerdict::HandshakeFailed;
        let (host, switch) = self.proxy().filter(|_| is_so)?;
        let (host, name) = (host.to_owned(), self.name.clone());
        Some(Sentence::ProxyWithoutTls { host, name, switch })
    }

    /// The A records are right, and an AAAA record is not.
    pub(super) fn aaaa(&self) -> Advice {
        let (name, strays) = (self.name, &self.latest.dns.strays);
        let six: Vec<&Stray> = strays.iter().filter(|one| one.address.is_ipv6()).collect();
        let records = of_kind("AAAA", &six);
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
                customer: self.log_in_and_wait(change),
            },
            (None, Some(target)) => {
                let change = self.instead_of(target);
                let last = self.cnames().last().unwrap_or(target);
                let whom = Whom::OwnerOf { name: last.clone() };
                Advice {
                    short: self.in_short(),
                    owner: format!(
                        "{}, or have the {} of {last} removed: {why}",
                        capital(&change),
                        in_english(&records)
                    ),
                    customer: CustomerText::of([
                        Sentence::LogInOrAsk {
                            log_in: self.log_in(),
                            change,
                            request: Request::Remove { whom, records },
                        },
                        Sentence::Hours,
                    ]),
                }
            }
            (holder, _) => {
                let holder = holder.unwrap_or(name.as_str()).to_owned();
                let remove = Change::Remove { records, name: holder };
                Advice {
                    short: "drop AAAA",
                    owner: format!("{}: {why}", capital(&remove)),
                    customer: CustomerText::of([self.log_in_and(remove), Sentence::ARecordStays]),
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
            customer: CustomerText::of([Sentence::FixingOneServer { name: name.clone(), address }]),
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

/// `A record 198.51.100.7 (Squarespace) and the AAAA record 2001:db8::7`.
fn of_both(four: &[&Stray], six: &[&Stray]) -> Records {
    match (four, six) {
        (_, []) => of_kind("A", four),
        ([], _) => of_kind("AAAA", six),
        _ => Records::OfBoth {
            first: Box::new(of_kind("A", four)),
            second: Box::new(of_kind("AAAA", six)),
        },
    }
}

fn of_kind(kind: &'static str, strays: &[&Stray]) -> Records {
    let addresses = List::of(strays.iter().map(|stray| address_of(stray)));
    Records::OfOneKind { kind, count: strays.len(), addresses }
}

fn address_of(stray: &Stray) -> Value<AddressOf> {
    let address = stray.address.to_string();
    match stray.host.as_ref().and_then(|_| place(stray.address)) {
        Some(place) => Value::Words(AddressOf::AddressOf { address, place }),
        None => Value::Plain(address),
    }
}
