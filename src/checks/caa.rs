//! Evaluates CAA records (RFC 8659, RFC 8657) like Boulder, the software of Let's Encrypt: its
//! `va/caa.go`, as of 2026-08. Pure.

use hickory_resolver::proto::rr::rdata::CAA;

use crate::{
    domain::DomainName,
    listing::listing,
    secrets::excerpt,
    status::{CaaFault, CaaWhy},
};

/// The properties that Boulder knows. An unknown one that is critical forbids a certificate.
const KNOWN: [&str; 5] = ["issue", "issuewild", "iodef", "issuemail", "issuevmc"];

/// Why CAA records forbid a certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Forbidden {
    pub(super) fault: CaaFault,
    /// The records at fault; none where one is missing.
    pub(super) record: Option<String>,
    pub(super) why: Option<CaaWhy>,
    /// The property that counts for the name.
    pub(super) property: &'static str,
    /// The authorities that the records allow.
    pub(super) allows: Vec<String>,
}

impl Forbidden {
    /// The lookup fails.
    pub(super) fn unreachable(name: &DomainName, why: String) -> Self {
        Self {
            fault: CaaFault::Unreachable,
            record: None,
            why: Some(CaaWhy::Answer(why)),
            property: if name.is_wildcard() { "issuewild" } else { "issue" },
            allows: Vec::new(),
        }
    }
}

/// Whether these records, which count for the name, let one of the authorities issue a certificate.
pub(super) fn evaluate_caa(
    records: &[CAA],
    name: &DomainName,
    authorities: &[String],
) -> Result<(), Forbidden> {
    let is = |record: &CAA, tag: &str| record.tag.eq_ignore_ascii_case(tag);
    // Boulder takes bit 1 for the critical flag too, as many people set that one.
    let is_ignored =
        |record: &&CAA| record.flags() & (128 | 1) == 0 || KNOWN.iter().any(|tag| is(record, tag));
    let critical: Vec<&CAA> = records.iter().filter(|one| !is_ignored(one)).collect();
    let of = |tag: &str| records.iter().filter(|record| is(record, tag)).collect::<Vec<_>>();
    let wild = of("issuewild");
    let (property, counting) = match name.is_wildcard() && !wild.is_empty() {
        true => ("issuewild", wild),
        false => ("issue", of("issue")),
    };
    let allows = || {
        let mut allows: Vec<String> = Vec::new();
        for record in &counting {
            let issuer = excerpt(issuer(&text(record))).to_ascii_lowercase();
            if !issuer.is_empty() && !allows.contains(&issuer) {
                allows.push(issuer);
            }
        }
        allows
    };
    if !critical.is_empty() {
        let others: Vec<CAA> = records.iter().filter(is_ignored).cloned().collect();
        let is_enough = evaluate_caa(&others, name, authorities).is_ok();
        return Err(Forbidden {
            fault: CaaFault::UnknownCritical,
            record: Some(listing(critical.into_iter().map(shown), 0)),
            why: (!is_enough).then_some(CaaWhy::NorTheOthers),
            property,
            allows: allows(),
        });
    }
    if counting.is_empty() {
        return Ok(());
    }
    let is_ours = |record: &&&CAA| {
        let text = text(record);
        authorities.iter().any(|ours| means(issuer(&text), ours))
    };
    let mut restricted = None;
    for record in counting.iter().filter(is_ours) {
        match condition(&text(record), authorities) {
            None => return Ok(()),
            Some(why) => restricted = restricted.or(Some((record, why))),
        }
    }
    let (fault, record, why) = match restricted {
        Some((record, why)) => (CaaFault::Restricted, Some(shown(record)), Some(why)),
        None => (CaaFault::NotAllowed, None, None),
    };
    Err(Forbidden { fault, record, why, property, allows: allows() })
}

/// Why a record with one of the authorities does not allow the certificate; none if it does.
fn condition(value: &str, authorities: &[String]) -> Option<CaaWhy> {
    let (_, parameters) = value.split_once(';').unwrap_or_default();
    if !authorities.iter().any(|ours| ours == issuer(value)) {
        return Some(CaaWhy::NotExact);
    }
    if parameters.trim_matches([' ', '\t']).is_empty() {
        return None;
    }
    let mut accounts = 0;
    let mut methods = None;
    for parameter in parameters.split(';') {
        let malformed = || Some(CaaWhy::Malformed(format!("{:?}", excerpt(parameter))));
        let Some((tag, value)) = parameter.split_once('=') else { return malformed() };
        let [tag, value] = [tag, value].map(|part| part.trim_matches([' ', '\t']));
        let is_of_value = |c: char| matches!(c, '!'..=':' | '<'..='~');
        if !tag.chars().all(|c| c.is_ascii_alphanumeric()) || !value.chars().all(is_of_value) {
            return malformed();
        }
        match tag {
            "accounturi" => accounts += 1,
            "validationmethods" if methods.is_some() => return malformed(),
            "validationmethods" => methods = Some(value),
            _ => {}
        }
    }
    if accounts > 0 {
        return Some(CaaWhy::OneAccount);
    }
    let methods = methods?;
    let is_label = |method: &&str| {
        !method.is_empty() && method.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    // An invalid method ends the list.
    let allows_it = methods.split(',').take_while(is_label).any(|method| method == CaaWhy::METHOD);
    (!allows_it).then_some(CaaWhy::OtherMethod)
}

/// The issuer's domain name in a property's value: the part before the parameters.
fn issuer(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim_matches([' ', '\t'])
}

/// Whether the record is meant for this authority, even if written in capitals, in quotes or as a URL.
fn means(issuer: &str, authority: &str) -> bool {
    let host = issuer.rsplit_once("://").map_or(issuer, |(_, host)| host);
    host.trim_matches(|c: char| !c.is_ascii_alphanumeric()).eq_ignore_ascii_case(authority)
}

fn text(record: &CAA) -> String {
    String::from_utf8_lossy(&record.value).into_owned()
}

/// As in a zone file.
fn shown(record: &CAA) -> String {
    let value = excerpt(&text(record)).replace('\\', "\\\\").replace('"', "\\\"");
    format!("{} {} \"{value}\"", record.flags(), excerpt(&record.tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caa(flags: u8, tag: &str, value: &str) -> CAA {
        let mut record = CAA::new_issue(flags & 128 != 0, None, Vec::new());
        record.reserved_flags = flags & 127;
        record.tag = tag.to_owned();
        record.value = value.as_bytes().to_vec();
        record
    }

    fn evaluate(name: &str, records: &[CAA]) -> Result<(), Forbidden> {
        evaluate_caa(records, &name.parse().unwrap(), &["letsencrypt.org".to_owned()])
    }

    #[test]
    fn caa_is_read_as_rfc_8659_says() {
        let (ours, theirs) = (caa(0, "issue", "letsencrypt.org"), caa(0, "issue", "x.example"));
        let wild = |issuer| caa(0, "issuewild", issuer);
        for (name, records, is_permitted) in [
            ("a.example", vec![ours.clone()], true),
            ("a.example", vec![theirs.clone()], false),
            ("a.example", vec![theirs.clone(), ours.clone()], true),
            ("a.example", vec![caa(128, "ISSUE", "letsencrypt.org; x=1")], true),
            ("a.example", vec![caa(0, "issue", ";")], false),
            ("a.example", vec![caa(0, "issue", "")], false),
            ("a.example", vec![wild("x.example")], true),
            ("*.a.example", vec![wild("x.example")], false),
            ("*.a.example", vec![ours.clone(), wild(";")], false),
            ("*.a.example", vec![theirs.clone(), wild("letsencrypt.org")], true),
            ("*.a.example", vec![theirs], false),
            ("a.example", vec![caa(0, "iodef", "mailto:a@a.example")], true),
            ("a.example", vec![ours.clone(), caa(0, "future", "?")], true),
            ("a.example", vec![ours.clone(), caa(128, "future", "?")], false),
            ("a.example", vec![ours.clone(), caa(1, "future", "?")], false),
            ("a.example", vec![ours.clone(), caa(64, "future", "?")], true),
            ("a.example", vec![ours.clone(), caa(1, "iodef", "mailto:a@a.example")], true),
            ("a.example", vec![caa(128, "issuemail", ";"), ours.clone()], true),
            ("a.example", vec![caa(128, "contactemail", "a@a.example"), ours], false),
        ] {
            assert_eq!(evaluate(name, &records).is_ok(), is_permitted, "{name} {records:?}");
        }
    }

    #[test]
    fn a_restriction_of_the_right_authority_is_described() {
        let why = |value: &str| {
            let forbidden = evaluate("a.example", &[caa(0, "issue", value)]).err()?;
            assert_eq!(forbidden.fault, CaaFault::Restricted, "{value}");
            assert_eq!(forbidden.record, Some(format!("0 issue \"{value}\"")));
            forbidden.why.map(String::from)
        };
        for fine in [
            "letsencrypt.org",
            " letsencrypt.org ; ",
            "letsencrypt.org;validationmethods=dns-01,http-01",
            "letsencrypt.org; x=",
        ] {
            assert_eq!(why(fine), None, "{fine}");
        }
        for (value, part) in [
            ("letsencrypt.org; accounturi=https://x.example/acct/1", "one account only"),
            ("letsencrypt.org; validationmethods=dns-01", "does not allow http-01"),
            ("letsencrypt.org; validationmethods=", "does not allow http-01"),
            ("letsencrypt.org; validationmethods=,http-01", "does not allow http-01"),
            ("letsencrypt.org; validationmethods=http-01; validationmethods=http-01", "malformed"),
            ("letsencrypt.org; http-01", "malformed"),
            ("letsencrypt.org; a_b=c", "malformed"),
            ("letsencrypt.org; a=b c", "malformed"),
            ("letsencrypt.org; a=b;", "malformed"),
            ("LetsEncrypt.org", "small letters"),
            ("letsencrypt.org.", "anything around"),
            ("https://letsencrypt.org/", "anything around"),
        ] {
            assert!(why(value).is_some_and(|why| why.contains(part)), "{value}");
        }
        // Only spaces and tabs are ignored around it.
        let forbidden = |value: &str| evaluate("a.example", &[caa(0, "issue", value)]).unwrap_err();
        for value in ["letsencrypt.org\n", "\u{a0}letsencrypt.org"] {
            assert!(forbidden(value).why == Some(CaaWhy::NotExact), "{value:?}");
        }
        assert_eq!(forbidden("'a\\b'").fault, CaaFault::NotAllowed);
        let quoted = forbidden("\"letsencrypt.org\"").record.unwrap();
        assert_eq!(quoted, "0 issue \"\\\"letsencrypt.org\\\"\"", "as in a zone file");
        // A second record without the condition allows it.
        let both = ["letsencrypt.org; validationmethods=dns-01", "letsencrypt.org"];
        let both = both.map(|value| caa(0, "issue", value));
        assert_eq!(evaluate("a.example", &both), Ok(()));
        let critical = |more: &[CAA]| {
            let records = [&[caa(129, "tbs", "Unknown")], more].concat();
            let forbidden = evaluate("a.example", &records).unwrap_err();
            assert_eq!(forbidden.fault, CaaFault::UnknownCritical);
            (forbidden.record.unwrap(), forbidden.why.is_some())
        };
        assert_eq!(critical(&[]), ("129 tbs \"Unknown\"".to_owned(), false));
        let more = [caa(1, "x", "y"), caa(0, "issue", ";")];
        assert_eq!(critical(&more), ("129 tbs \"Unknown\", 1 x \"y\"".to_owned(), true));
        let many: Vec<CAA> = (0..40).map(|n| caa(128, &format!("x{n}"), "y")).collect();
        assert!(critical(&many).0.ends_with("128 x3 \"y\" and 36 more"));
    }

    #[test]
    fn each_allowed_authority_is_listed_once_with_the_property_that_counts() {
        let records = [
            caa(0, "issue", "digicert.com"),
            caa(0, "issue", "DigiCert.com; cansignhttpexchanges=yes"),
        ];
        for (name, wild, property) in [
            ("a.example", None, "issue"),
            ("*.a.example", None, "issue"),
            ("*.a.example", Some(caa(0, "issuewild", "digicert.com")), "issuewild"),
        ] {
            let records: Vec<CAA> = records.iter().cloned().chain(wild).collect();
            let forbidden = evaluate(name, &records).unwrap_err();
            assert_eq!(
                (&forbidden.allows[..], forbidden.property),
                (&["digicert.com".to_owned()][..], property)
            );
        }
    }
}
