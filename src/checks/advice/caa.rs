use super::{About, Advice};
use crate::{
    listing::listing,
    status::{Caa, CaaFault, Zone},
};

impl About<'_> {
    pub(super) fn caa(&self) -> Advice {
        let name = self.name;
        let Some(caa) = &self.latest.caa else {
            return Advice {
                short: "change CAA",
                owner: format!("The CAA records of {name} allow nobody to issue its certificate"),
                customer: format!(
                    "The CAA records of {name} allow nobody to issue its certificate."
                ),
            };
        };
        let at = &caa.at;
        let right = format!("0 {} \"{}\"", caa.property, caa.should_allow);
        let record = caa.record.as_deref().unwrap_or("that is at fault");
        let why = caa.why.as_deref().unwrap_or("no answer");
        let (short, remedy, reason) = match caa.fault {
            CaaFault::NotAllowed => (
                "add CAA",
                format!("add the CAA record {right} to {at}"),
                match &caa.allows[..] {
                    [] => format!("the CAA records of {at} allow nobody to issue a certificate"),
                    some => format!(
                        "the CAA records of {at} allow only {} to issue a certificate",
                        listing(some, 0)
                    ),
                },
            ),
            CaaFault::UnknownCritical => {
                let and_add = caa.why.as_ref().map(|_| format!(", and add {right}"));
                (
                    "remove CAA",
                    format!(
                        "remove {record} from the CAA records of {at}{}",
                        and_add.unwrap_or_default()
                    ),
                    "what is marked as critical makes authorities refuse that do not know it"
                        .to_owned(),
                )
            }
            CaaFault::Restricted => {
                // The property stays the same.
                let property = record.split(' ').nth(1).unwrap_or("issue");
                (
                    "change CAA",
                    format!(
                        "replace the CAA record {record} of {at} by 0 {property} \"{}\"",
                        caa.should_allow
                    ),
                    why.to_owned(),
                )
            }
            CaaFault::Unreachable => (
                "fix DNS",
                format!("make its name servers answer queries for CAA records of {at}"),
                format!(
                    "they cannot be looked up ({why}), so no authority may issue a certificate"
                ),
            ),
        };
        let without = format!("Without that, no certificate can be issued for {name}.");
        if let Some(via) = &caa.via {
            return self.caa_of_another(caa, via, &remedy, &reason, &without);
        }
        let remedy = if caa.is_of_a_registry() { self.caa_of_its_own(caa) } else { remedy };
        if caa.fault == CaaFault::Unreachable && !caa.is_of_a_registry() {
            let whom = match &self.latest.dns.zone {
                Some(Zone { provider: Some(provider), .. }) => provider.clone(),
                Some(zone) => format!("the DNS provider of {}", zone.name),
                None => format!("the DNS provider of {at}"),
            };
            // The nearest records count, even if the lookup above them fails.
            let or = match self.own_cname() {
                None if at != self.base() => format!(", or {}", self.caa_of_its_own(caa)),
                _ => String::new(),
            };
            return Advice {
                short,
                owner: format!("Ask {whom} to {remedy}{or}: {reason}"),
                customer: format!("Please ask {whom} to {remedy}{or}: {reason}. {without}"),
            };
        }
        Advice {
            short,
            owner: format!("{}: {reason}", capital(&remedy)),
            customer: format!("{} {remedy}: {reason}. {without}", self.log_in()),
        }
    }

    /// The records are those of a CNAME's target: beside a CNAME there can be none.
    fn caa_of_another(
        &self,
        caa: &Caa,
        via: &str,
        remedy: &str,
        reason: &str,
        without: &str,
    ) -> Advice {
        let at = &caa.at;
        let name = self.name;
        let (instead, beside) = if via == self.base() {
            let instead = match self.own_cname() {
                Some(target) => self.instead_of(target),
                None => format!("replace the CNAME of {via} by {}", self.a_record()),
            };
            (instead, format!("beside the CNAME of {via} there can be no CAA record"))
        } else {
            (self.caa_of_its_own(caa), format!("{via} is a CNAME to {at}, and counts for {name}"))
        };
        Advice {
            short: "change CAA",
            owner: format!(
                "Ask the owner of {at} to {remedy}, or {instead}: {reason}, and {beside}"
            ),
            customer: format!(
                "{} {instead}, or ask the owner of {at} to {remedy}: {reason}. {without}",
                self.log_in()
            ),
        }
    }

    /// With a CAA record of its own, those above it do not count. Beside a CNAME there can be none.
    fn caa_of_its_own(&self, caa: &Caa) -> String {
        let property = if self.name.is_wildcard() { "issuewild" } else { "issue" };
        let add = format!(
            "add the CAA record 0 {property} \"{}\" to {} itself",
            caa.should_allow,
            self.base()
        );
        // A wildcard does not answer for a name that has any record of its own.
        match self.instead().filter(|_| !self.name.is_wildcard()) {
            Some(instead) => format!("{instead}, and {add}"),
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

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
