use super::{About, Advice};
use crate::{
    checks::words::{
        Change, CustomerText, List, Reason, Request, Sentence, Whom, capital, in_english,
    },
    status::{Caa, CaaFault, CaaWhy, Zone},
};

impl About<'_> {
    pub(super) fn caa(&self) -> Advice {
        let name = self.name;
        let Some(caa) = &self.latest.caa else {
            return Advice {
                short: "change CAA",
                owner: format!("The CAA records of {name} allow nobody to issue its certificate"),
                customer: CustomerText::of([Sentence::NobodyMayIssue { name: name.clone() }]),
            };
        };
        let remedy = Remedy::of(caa);
        let (short, reason) = (remedy.short, remedy.reason());
        if let Some(via) = &caa.via {
            return self.caa_of_another(&remedy, via);
        }
        let change = match remedy.change() {
            _ if caa.is_of_a_registry() => self.caa_of_its_own(caa),
            Some(change) => change,
            None => return self.unreachable_caa(&remedy),
        };
        Advice {
            short,
            owner: format!("{}: {}", capital(&change), remedy.why()),
            customer: self.or_no_certificate(Sentence::LogInAndBecause {
                log_in: self.log_in(),
                change,
                reason,
            }),
        }
    }

    fn or_no_certificate(&self, what: Sentence) -> CustomerText {
        CustomerText::of([what, Sentence::WithoutThat { name: self.name.clone() }])
    }

    /// Only whoever runs the name servers can make them answer.
    fn unreachable_caa(&self, remedy: &Remedy<'_>) -> Advice {
        let (short, caa) = (remedy.short, remedy.caa);
        let whom = match self.latest.dns.zone.clone() {
            Some(Zone { provider: Some(provider), .. }) => Whom::Provider { provider },
            Some(zone) => Whom::ProviderOf { zone: zone.name },
            None => Whom::ProviderOf { zone: caa.at.clone() },
        };
        let (request, reason) = (remedy.request(whom), remedy.reason());
        let (asking, why) = (capital(&request), remedy.why());
        // The nearest records count, even if the lookup above them fails.
        let or = match self.own_cname() {
            None if caa.at != self.base() => Some(self.caa_of_its_own(caa)),
            _ => None,
        };
        match or {
            Some(change) => Advice {
                short,
                owner: format!("{asking}, or {}: {why}", in_english(&change)),
                customer: self.or_no_certificate(Sentence::PleaseOrBecause {
                    request,
                    change,
                    reason,
                }),
            },
            None => Advice {
                short,
                owner: format!("{asking}: {why}"),
                customer: self.or_no_certificate(Sentence::PleaseBecause { request, reason }),
            },
        }
    }

    /// The records are those of a CNAME's target: beside a CNAME there can be none.
    fn caa_of_another(&self, remedy: &Remedy<'_>, via: &str) -> Advice {
        let (name, at) = (self.name, &remedy.caa.at);
        let (change, beside) = if via == self.base() {
            let change = match self.own_cname() {
                Some(target) => self.instead_of(target),
                None => Change::ReplaceAnyCname {
                    name: via.to_owned(),
                    record: self.target.new_record(),
                },
            };
            (change, format!("beside the CNAME of {via} there can be no CAA record"))
        } else {
            let change = self.caa_of_its_own(remedy.caa);
            (change, format!("{via} is a CNAME to {at}, and counts for {name}"))
        };
        let request = remedy.request(Whom::OwnerOf { name: at.clone() });
        Advice {
            short: "change CAA",
            owner: format!(
                "{}, or {}: {}, and {beside}",
                capital(&request),
                in_english(&change),
                remedy.why()
            ),
            customer: self.or_no_certificate(Sentence::LogInOrAskBecause {
                log_in: self.log_in(),
                change,
                request,
                reason: remedy.reason(),
            }),
        }
    }

    /// With a CAA record of its own, those above it do not count. Beside a CNAME there can be none.
    fn caa_of_its_own(&self, caa: &Caa) -> Change {
        let property = if self.name.is_wildcard() { "issuewild" } else { "issue" };
        let record = format!("0 {property} \"{}\"", caa.should_allow);
        let add = Change::AddOwnCaa { record, name: self.base().to_owned() };
        // A wildcard does not answer for a name that has any record of its own.
        match self.instead().filter(|_| !self.name.is_wildcard()) {
            Some(instead) => Change::AndAlso { first: Box::new(instead), second: Box::new(add) },
            None => add,
        }
    }

    /// The CNAME target of the name that authorities query first, if it has one.
    fn own_cname(&self) -> Option<&String> {
        self.cnames().first().filter(|_| !self.name.is_wildcard())
    }

    /// The name that authorities query first.
    fn base(&self) -> &str {
        let name = self.name.as_str();
        name.strip_prefix("*.").unwrap_or(name)
    }
}

/// What has to change at the owner of CAA records.
struct Remedy<'a> {
    caa: &'a Caa,
    short: &'static str,
    /// The record that would allow the certificate.
    right: String,
    /// The records at fault.
    record: String,
}

impl<'a> Remedy<'a> {
    fn of(caa: &'a Caa) -> Self {
        let record = caa.record.clone().unwrap_or_else(|| caa.property.clone());
        let (short, property) = match caa.fault {
            CaaFault::NotAllowed => ("add CAA", &*caa.property),
            CaaFault::UnknownCritical => ("remove CAA", &*caa.property),
            // The property stays the same.
            CaaFault::Restricted => ("change CAA", record.split(' ').nth(1).unwrap_or("issue")),
            CaaFault::Unreachable => ("fix DNS", &*caa.property),
        };
        let right = format!("0 {property} \"{}\"", caa.should_allow);
        Self { caa, short, right, record }
    }

    /// None where the owner of the domain has nothing to change.
    fn change(&self) -> Option<Change> {
        let (record, name, right) = self.parts();
        match self.caa.fault {
            CaaFault::NotAllowed => Some(Change::AddCaa { record: right, name }),
            CaaFault::UnknownCritical => Some(match self.caa.why {
                Some(_) => Change::RemoveAndAddCaa { record, name, right },
                None => Change::RemoveCaa { record, name },
            }),
            CaaFault::Restricted => Some(Change::ReplaceCaa { record, name, right }),
            CaaFault::Unreachable => None,
        }
    }

    fn request(&self, whom: Whom) -> Request {
        let (record, name, right) = self.parts();
        match self.caa.fault {
            CaaFault::NotAllowed => Request::AddCaa { whom, record: right, name },
            CaaFault::UnknownCritical => match self.caa.why {
                Some(_) => Request::RemoveAndAddCaa { whom, record, name, right },
                None => Request::RemoveCaa { whom, record, name },
            },
            CaaFault::Restricted => Request::ReplaceCaa { whom, record, name, right },
            CaaFault::Unreachable => Request::AnswerCaa { whom, name },
        }
    }

    fn parts(&self) -> (String, String, String) {
        (self.record.clone(), self.caa.at.clone(), self.right.clone())
    }

    fn reason(&self) -> Reason {
        let name = self.caa.at.clone();
        match self.caa.fault {
            CaaFault::NotAllowed if self.caa.allows.is_empty() => Reason::NobodyAllowed { name },
            CaaFault::NotAllowed => {
                Reason::OnlyAllowed { name, authorities: List::of(self.caa.allows.clone()) }
            }
            CaaFault::UnknownCritical => Reason::CriticalUnknown,
            CaaFault::Restricted => match self.caa.why.clone() {
                Some(CaaWhy::NotExact) => Reason::CaaNotExact,
                Some(CaaWhy::Malformed(parameter)) => Reason::CaaMalformed { parameter },
                Some(CaaWhy::OneAccount) => Reason::CaaOneAccount,
                Some(CaaWhy::OtherMethod) => Reason::CaaOtherMethod { method: CaaWhy::METHOD },
                Some(CaaWhy::NorTheOthers | CaaWhy::Answer(_)) | None => Reason::CaaRestricted,
            },
            CaaFault::Unreachable => Reason::CaaUnreachable,
        }
    }

    /// The reason for the operator, who is also told what a resolver answered.
    fn why(&self) -> String {
        match (self.caa.fault, &self.caa.why) {
            (CaaFault::Unreachable, Some(CaaWhy::Answer(answer))) => format!(
                "they cannot be looked up ({answer}), so no authority may issue a certificate"
            ),
            _ => in_english(&self.reason()),
        }
    }
}
