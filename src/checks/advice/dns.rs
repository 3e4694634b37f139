//! Advice about where a name points, and about broken DNS.

use super::{About, Advice, WAIT, reasons};
use crate::{
    checks::{
        chain,
        words::{
            Change, CustomerText, Delegation, LogIn, Request, Sentence, Whom, capital, in_english,
        },
    },
    listing::listing,
    status::{BrokenBy, Chain, CnameFault, DnsVerdict, ExpectedTarget, SynthesizedFrom, Zone},
};

impl About<'_> {
    /// `A record of shop.example at 203.0.113.10`.
    pub(super) fn record(&self) -> String {
        format!("{} record of {} at {}", self.target.kind(), self.name, self.target)
    }

    pub(super) fn point(&self) -> Change {
        let (kind, target) = (self.target.kind(), self.target.said());
        Change::Point { kind, name: self.name.clone(), target }
    }

    pub(super) fn add(&self) -> Change {
        let (kind, target) = (self.target.kind(), self.target.said());
        Change::Add { kind, name: self.name.clone(), target }
    }

    /// Where the customer changes the name's records.
    pub(super) fn log_in(&self) -> LogIn {
        // Customers cannot log in to a public suffix.
        let zone = self.latest.dns.zone.as_ref();
        match zone.filter(|zone| psl::domain_str(&zone.name).is_some()) {
            Some(Zone { provider: Some(provider), .. }) => LogIn::At { provider: provider.clone() },
            Some(Zone { name, .. }) => LogIn::Where { zone: name.clone() },
            None => LogIn::Where { zone: self.name.to_string() },
        }
    }

    pub(super) fn log_in_and(&self, change: Change) -> Sentence {
        Sentence::LogInAnd { log_in: self.log_in(), change }
    }

    /// The change, which takes some hours.
    pub(super) fn log_in_and_wait(&self, change: Change) -> CustomerText {
        CustomerText::of([self.log_in_and(change), Sentence::Hours])
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
            customer: CustomerText::of([Sentence::Spreading { name: name.clone() }]),
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
            let (label, zone) = (label.to_owned(), zone.to_owned());
            let add = Change::AddLabel { label, zone, record: self.target.new_record() };
            return Advice {
                short: "add record",
                owner: format!("{}: there is no such name ({resolvers})", capital(&add)),
                customer: CustomerText::of([self.log_in_and(add)]),
            };
        }
        let registered = psl::domain_str(name).unwrap_or(name).to_owned();
        let (name, change) = (self.name.clone(), self.point());
        let (is_it, customer) = match private_suffix(name.as_str()) {
            // The provider of a private suffix, such as github.io, is no registry.
            Some(suffix) => (
                format!("Is {registered} set up with the provider of {suffix}?"),
                Sentence::SetUpFirst {
                    suffix: suffix.to_owned(),
                    name: name.clone(),
                    registered,
                    change,
                },
            ),
            None => (
                format!("Is {registered} registered, and not expired?"),
                Sentence::RegisterFirst { name, registered, change },
            ),
        };
        Advice {
            short: "register",
            owner: format!("Point the {record}: there is no such name ({resolvers}). {is_it}"),
            customer: CustomerText::of([customer]),
        }
    }

    fn without_address(&self) -> Advice {
        let record = self.record();
        Advice {
            short: "add A",
            owner: format!("Add the {record}: the name has no address ({})", self.resolvers()),
            customer: self.log_in_and_wait(self.add()),
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
                customer: CustomerText::of([Sentence::StillChecking { name: name.clone() }]),
            };
        }
        let change = self.instead_of(first);
        Advice {
            short: self.in_short(),
            owner: format!("{}: {what}", capital(&change)),
            customer: CustomerText::of([
                Sentence::LogInAndBecause {
                    log_in: self.log_in(),
                    change,
                    reason: reasons::of_chain(chain, name.as_str()),
                },
                Sentence::Hours,
            ]),
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
            customer: CustomerText::of([Sentence::FixingTarget {
                name: name.clone(),
                target: right.clone(),
            }]),
        })
    }

    /// `replace the CNAME of shop.example to other.example by an A record at 203.0.113.10`, or the change
    /// where another name's record answers.
    pub(super) fn instead_of(&self, target: &str) -> Change {
        self.instead_of_anothers().unwrap_or_else(|| Change::ReplaceCname {
            name: self.name.clone(),
            to: target.to_owned(),
            record: self.target.new_record(),
        })
    }

    /// The change where another name's record answers, or its own CNAME.
    pub(super) fn instead(&self) -> Option<Change> {
        let cname = || self.cnames().first().map(|target| self.instead_of(target));
        self.instead_of_anothers().or_else(cname)
    }

    /// The change where another name's record answers.
    fn instead_of_anothers(&self) -> Option<Change> {
        let (kind, name, target) = (self.target.kind(), self.name.clone(), self.target.said());
        Some(match self.latest.dns.synthesized_from.clone()? {
            SynthesizedFrom::Dname { owner, target: to } => {
                Change::ReplaceDname { owner, to, kind, name, target }
            }
            SynthesizedFrom::Wildcard { owner: wildcard } => {
                Change::AddBesideWildcard { kind, name, target, wildcard }
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
        let change = Change::ReplaceAlias { record: self.target.new_record() };
        Advice {
            short: "fix DNS",
            owner: format!(
                "The DNS of {name} is broken ({}): {why}; {}",
                self.resolvers(),
                in_english(&change)
            ),
            customer: self.log_in_and_wait(change).after(self.is_broken()),
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
        let delegation = match zone.split_once('.') {
            // It is not registered: its parent zone delegates it.
            Some((_, parent)) if psl::domain_str(zone).is_some_and(|domain| domain != zone) => {
                Delegation::Parent { zone: parent.to_owned() }
            }
            _ => Delegation::Registrar,
        };
        let above = in_english(&delegation);
        let provider = dns.zone.as_ref().and_then(|zone| zone.provider.clone());
        let whom = provider.map_or(Whom::ItsProvider, |provider| Whom::Provider { provider });
        let (kind, target) = (self.target.kind(), self.target.said());
        let (remedy, request) = match dns.broken_by {
            Some(BrokenBy::Signatures) => (
                format!("have the DS record {above} removed or corrected"),
                Request::CorrectDs { whom, delegation },
            ),
            Some(BrokenBy::Disagreement) => (
                format!("have all of them say the same: the {record}"),
                Request::Agree { whom, kind, name: name.clone(), target },
            ),
            Some(BrokenBy::LongChain) => match self.cnames().first() {
                Some(first) => {
                    let change = self.instead_of(first);
                    (
                        format!("have it shortened: {}", in_english(&change)),
                        Request::Shorten { whom, change },
                    )
                }
                None => (
                    format!("have it shortened to the {record}"),
                    Request::ShortenTo { whom, kind, name: name.clone(), target },
                ),
            },
            Some(BrokenBy::Failure | BrokenBy::OneName) | None => (
                format!("have the name servers of {zone} answer, or correct them {above}"),
                Request::Answer { whom, zone: zone.to_owned(), delegation },
            ),
        };
        let please = match dns.broken_by {
            Some(BrokenBy::Disagreement | BrokenBy::LongChain) => Sentence::Please { request },
            _ => Sentence::PleaseAndThen { request, change: self.point() },
        };
        Advice {
            short: "fix DNS",
            owner: format!("The DNS of {name} is broken{seen}: {why}; {remedy}"),
            customer: CustomerText::of([self.is_broken(), please]),
        }
    }

    fn is_broken(&self) -> Sentence {
        let reason = reasons::of_broken(&self.latest.dns, self.name.as_str());
        Sentence::Broken { name: self.name.clone(), reason }
    }
}

/// The private suffix that the name is below, such as `github.io`.
fn private_suffix(name: &str) -> Option<&str> {
    let suffix = psl::suffix(name.as_bytes())?;
    let is_private = suffix.typ() == Some(psl::Type::Private);
    is_private.then(|| std::str::from_utf8(suffix.as_bytes()).ok()).flatten()
}
