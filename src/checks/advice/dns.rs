//! Advice about where a name points, and about broken DNS.

use super::{About, Advice, WAIT, caa::capital};
use crate::{
    checks::chain,
    listing::listing,
    status::{BrokenBy, Chain, CnameFault, DnsVerdict, ExpectedTarget, SynthesizedFrom, Zone},
};

impl About<'_> {
    /// `A record of shop.example at 203.0.113.10`.
    pub(super) fn record(&self) -> String {
        format!("{} record of {} at {}", self.target.kind(), self.name, self.target)
    }

    /// `an A record at 203.0.113.10`
    pub(super) fn a_record(&self) -> String {
        match self.target.0 {
            Some(ExpectedTarget::Host(host)) => format!("a CNAME to {host}"),
            _ => format!("an {} record at {}", self.target.kind(), self.target),
        }
    }

    /// Where the customer changes the name's records, as the beginning of a sentence.
    pub(super) fn log_in(&self) -> String {
        // Customers cannot log in to a public suffix.
        let zone = self.latest.dns.zone.as_ref();
        match zone.filter(|zone| psl::domain_str(&zone.name).is_some()) {
            Some(Zone { provider: Some(provider), .. }) => {
                format!("Please log in at {provider}, who run your DNS, and")
            }
            Some(Zone { name, .. }) => {
                format!("Please log in where you manage the DNS of {name} and")
            }
            None => format!("Please log in where you manage the DNS of {} and", self.name),
        }
    }

    pub(super) fn cnames(&self) -> &[String] {
        self.latest.dns.cnames()
    }

    fn resolvers(&self) -> String {
        format!("{} of {} resolvers", self.latest.dns.seen, self.latest.dns.of)
    }

    pub(super) fn dns(&self) -> Advice {
        let dns = &self.latest.dns;
        if let Some(chain) = &dns.chain {
            return self.dead_end(chain);
        }
        match dns.verdict {
            DnsVerdict::Propagating => self.propagating(),
            DnsVerdict::NoSuchName => self.missing(),
            DnsVerdict::NoAddress => self.without_address(),
            DnsVerdict::Broken => self.broken(),
            _ => {
                let host = dns.host.as_ref().map(|host| format!(", {host}")).unwrap_or_default();
                self.elsewhere(&format!("{}{host}", listing(&dns.addresses, 0)), &self.resolvers())
            }
        }
    }

    fn propagating(&self) -> Advice {
        let (dns, name) = (&self.latest.dns, self.name);
        let rest = if dns.addresses.is_empty() {
            String::new()
        } else {
            let host = dns.host.as_ref().map(|host| format!(", {host}")).unwrap_or_default();
            format!("; the others still see {}{host}", listing(&dns.addresses, 0))
        };
        Advice {
            short: WAIT,
            owner: format!(
                "Wait: {} see {name} at the right place{rest}. The change spreads as cached answers \
                 expire.",
                self.resolvers()
            ),
            customer: format!(
                "Your change is spreading: all visitors get the new address of {name} within some \
                 hours. There is nothing more to do."
            ),
        }
    }

    /// There is no such name. Where it has a zone, only the record is missing.
    fn missing(&self) -> Advice {
        let (name, record, resolvers) = (self.name.as_str(), self.record(), self.resolvers());
        let zone = self.latest.dns.zone.as_ref().map(|zone| zone.name.as_str());
        let zone = zone.filter(|zone| psl::domain_str(zone).is_some());
        let label =
            zone.and_then(|zone| name.strip_suffix(zone)?.strip_suffix('.').zip(Some(zone)));
        if let Some((label, zone)) = label {
            let add = format!("add the record {label} to {zone}, {}", self.a_record());
            return Advice {
                short: "add record",
                owner: format!(
                    "Add the record {label} to {zone}, {}: there is no such name ({resolvers})",
                    self.a_record()
                ),
                customer: format!("{} {add}.", self.log_in()),
            };
        }
        let registered = psl::domain_str(name).unwrap_or(name);
        let (is_it, that_it_is) = match private_suffix(name) {
            // The provider of a private suffix, such as github.io, is no registry.
            Some(suffix) => (
                format!("Is {registered} set up with the provider of {suffix}?"),
                format!("{registered} is set up with the provider of {suffix}"),
            ),
            None => (
                format!("Is {registered} registered, and not expired?"),
                format!("{registered} is registered and not expired"),
            ),
        };
        Advice {
            short: "register",
            owner: format!("Point the {record}: there is no such name ({resolvers}). {is_it}"),
            customer: format!(
                "{name} does not exist in the DNS. Please make sure that {that_it_is}, and then point \
                 the {record}."
            ),
        }
    }

    fn without_address(&self) -> Advice {
        let record = self.record();
        Advice {
            short: "add A",
            owner: format!("Add the {record}: the name has no address ({})", self.resolvers()),
            customer: format!("{} add the {record}. {LATER}", self.log_in()),
        }
    }

    /// Its CNAMEs have a fault. The owner of the name can only change the first of them.
    fn dead_end(&self, chain: &Chain) -> Advice {
        let name = self.name;
        let (Some(first), Some(last)) = (chain.cnames.first(), chain.cnames.last()) else {
            return self.broken();
        };
        let why = chain::describe(chain, name.as_str());
        let is_configured = matches!(chain.fault, CnameFault::Loop | CnameFault::TooLong);
        let leads_on = if first == last || is_configured {
            String::new()
        } else {
            format!("it leads on to {last}, and ")
        };
        let resolvers = match self.latest.dns.seen {
            0 => String::new(),
            _ => format!(" ({})", self.resolvers()),
        };
        let what = format!("{leads_on}{why}{resolvers}");
        if let Some(advice) = self.leads_rightly(&chain.cnames, &what) {
            return advice;
        }
        if self.latest.expected.is_empty() {
            return Advice {
                short: "fix DNS",
                owner: format!(
                    "The CNAME of {name} leads to {first}: {what}. It is not known whether it should \
                     lead there"
                ),
                customer: format!("We are still checking {name}."),
            };
        }
        let change = self.instead_of(first);
        Advice {
            short: self.in_short(),
            owner: format!("{}: {what}", capital(&change)),
            customer: format!("{} {change}: {leads_on}{why}. {LATER}", self.log_in()),
        }
    }

    /// Its CNAME is right, and the fault is in the network's own DNS.
    pub(super) fn leads_rightly(&self, cnames: &[String], what: &str) -> Option<Advice> {
        let name = self.name;
        let right = self.latest.expected.iter().find_map(|target| match target {
            ExpectedTarget::Host(host) => cnames.iter().find(|cname| *cname == host.as_str()),
            _ => None,
        })?;
        Some(Advice {
            short: "fix DNS",
            owner: format!("Fix the DNS of {right}, where {name} rightly leads: {what}"),
            customer: format!(
                "The CNAME of {name} is right. We are fixing {right}; there is nothing to do."
            ),
        })
    }

    /// `replace the CNAME of shop.example to other.example by an A record at 203.0.113.10`, or the change
    /// where another name's record answers.
    pub(super) fn instead_of(&self, target: &str) -> String {
        self.instead_of_anothers().unwrap_or_else(|| {
            format!("replace the CNAME of {} to {target} by {}", self.name, self.a_record())
        })
    }

    /// The change where another name's record answers, or its own CNAME.
    pub(super) fn instead(&self) -> Option<String> {
        let cname = || self.cnames().first().map(|target| self.instead_of(target));
        self.instead_of_anothers().or_else(cname)
    }

    /// The change where another name's record answers.
    fn instead_of_anothers(&self) -> Option<String> {
        let record = self.record();
        Some(match self.latest.dns.synthesized_from.as_ref()? {
            SynthesizedFrom::Dname { owner, target } => format!(
                "remove the DNAME record of {owner} to {target}, which redirects all names below \
                 {owner}, and add the {record}"
            ),
            SynthesizedFrom::Wildcard { owner } => {
                format!("add the {record} (now the wildcard {owner} answers, which may stay)")
            }
        })
    }

    /// The short advice for [`Self::instead`].
    pub(super) fn in_short(&self) -> &'static str {
        match self.latest.dns.synthesized_from {
            Some(SynthesizedFrom::Dname { .. }) => "drop DNAME",
            Some(SynthesizedFrom::Wildcard { .. }) => "add record",
            None => "replace CNAME",
        }
    }

    /// The name servers fail only for this name.
    fn broken_alone(&self) -> Advice {
        let (dns, name) = (&self.latest.dns, self.name);
        let why = dns.error.as_deref().unwrap_or("SERVFAIL");
        let change = format!(
            "replace its record, most often an ALIAS or ANAME without a working target, by {}",
            self.a_record()
        );
        Advice {
            short: "fix DNS",
            owner: format!("The DNS of {name} is broken ({}): {why}; {change}", self.resolvers()),
            customer: format!(
                "The DNS of {name} is broken: {why}. {} {change}. {LATER}",
                self.log_in()
            ),
        }
    }

    fn broken(&self) -> Advice {
        if self.latest.dns.broken_by == Some(BrokenBy::OneName) {
            return self.broken_alone();
        }
        let (dns, name, record) = (&self.latest.dns, self.name, self.record());
        let mut why = dns.error.clone().unwrap_or_else(|| "SERVFAIL".to_owned());
        if dns.broken_by == Some(BrokenBy::Signatures) {
            why.push_str(", so validating resolvers and Let's Encrypt get no answer");
        }
        let seen = if dns.seen == 0 { String::new() } else { format!(" ({})", self.resolvers()) };
        let zone = dns.zone.as_ref().map_or(name.as_str(), |zone| &zone.name);
        let above = match zone.split_once('.') {
            // It is not registered: its parent zone delegates it.
            Some((_, parent)) if psl::domain_str(zone).is_some_and(|domain| domain != zone) => {
                format!("in {parent}")
            }
            _ => "at the registrar".to_owned(),
        };
        let remedy = match dns.broken_by {
            Some(BrokenBy::Signatures) => {
                format!("have the DS record {above} removed or corrected")
            }
            Some(BrokenBy::Disagreement) => format!("have all of them say the same: the {record}"),
            Some(BrokenBy::LongChain) => match self.cnames().first() {
                Some(first) => format!("have it shortened: {}", self.instead_of(first)),
                None => format!("have it shortened to the {record}"),
            },
            Some(BrokenBy::Failure | BrokenBy::OneName) | None => {
                format!("have the name servers of {zone} answer, or correct them {above}")
            }
        };
        let and_then = match dns.broken_by {
            Some(BrokenBy::Disagreement | BrokenBy::LongChain) => String::new(),
            _ => format!(", and then point the {record}"),
        };
        let provider = dns.zone.as_ref().and_then(|zone| zone.provider.as_deref());
        let whom = provider.unwrap_or("its DNS provider");
        Advice {
            short: "fix DNS",
            owner: format!("The DNS of {name} is broken{seen}: {why}; {remedy}"),
            customer: format!(
                "The DNS of {name} is broken: {why}. Please ask {whom} to {remedy}{and_then}."
            ),
        }
    }
}

/// The private suffix that the name is below, such as `github.io`.
fn private_suffix(name: &str) -> Option<&str> {
    let suffix = psl::suffix(name.as_bytes())?;
    let is_private = suffix.typ() == Some(psl::Type::Private);
    is_private.then(|| std::str::from_utf8(suffix.as_bytes()).ok()).flatten()
}

pub(super) const LATER: &str = "It can take some hours until all visitors see the change.";
