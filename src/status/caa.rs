use std::fmt;

use serde::{Deserialize, Serialize};

use super::verdicts::CaaFault;

/// The CAA records that count for a name (RFC 8659, section 3) and forbid its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caa {
    /// The owner: the name itself, one above it, or the target of the CNAME of either.
    pub at: String,
    /// The name whose CNAME leads to `at`, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    #[serde(default = "Caa::not_allowed")]
    pub fault: CaaFault,
    /// The records at fault, as in a zone file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Details of the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<CaaWhy>,
    /// The property that would allow the certificate: `issue` or, for a wildcard, `issuewild`.
    #[serde(default = "Caa::issue")]
    pub property: String,
    /// The authorities that the records allow.
    pub allows: Vec<String>,
    /// The authority that they should allow: the first of `checks.certificate_authorities`.
    pub should_allow: String,
}

impl Caa {
    /// The fault in results stored before there were others.
    fn not_allowed() -> CaaFault {
        CaaFault::NotAllowed
    }

    fn issue() -> String {
        "issue".to_owned()
    }

    /// Whether their owner is a public suffix, which nobody can register.
    pub fn is_of_a_registry(&self) -> bool {
        psl::domain_str(&self.at).is_none()
    }
}

/// Details of a [`CaaFault`]. Stored and printed as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CaaWhy {
    /// The authority's name is not written exactly.
    NotExact,
    /// This parameter is malformed.
    Malformed(String),
    OneAccount,
    /// Another validation method is required.
    OtherMethod,
    /// Without the critical records, the others forbid the certificate too.
    NorTheOthers,
    /// What a resolver answered.
    Answer(String),
}

impl CaaWhy {
    /// The validation method that Closte uses.
    pub const METHOD: &str = "http-01";
}

impl fmt::Display for CaaWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotExact => f.write_str(
                "authorities compare every character: the name must be in small letters, without \
                 anything around it",
            ),
            Self::Malformed(parameter) => write!(f, "its parameter {parameter} is malformed"),
            Self::OneAccount => f.write_str(
                "it is for one account only (accounturi), and it is not known whether that is \
                 Closte's",
            ),
            Self::OtherMethod => write!(
                f,
                "it does not allow {}, which Closte uses for its certificates",
                Self::METHOD
            ),
            Self::NorTheOthers => f.write_str("the others do not allow it either"),
            Self::Answer(text) => f.write_str(text),
        }
    }
}

impl From<CaaWhy> for String {
    fn from(why: CaaWhy) -> Self {
        why.to_string()
    }
}

impl From<String> for CaaWhy {
    fn from(text: String) -> Self {
        let known = [Self::NotExact, Self::OneAccount, Self::OtherMethod, Self::NorTheOthers];
        if let Some(known) = known.into_iter().find(|one| one.to_string() == text) {
            return known;
        }
        let parameter = text.strip_prefix("its parameter ");
        match parameter.and_then(|rest| rest.strip_suffix(" is malformed")) {
            Some(parameter) => Self::Malformed(parameter.to_owned()),
            None => Self::Answer(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_detail_is_read_again() {
        for why in [
            CaaWhy::NotExact,
            CaaWhy::Malformed("\"what\"".to_owned()),
            CaaWhy::OneAccount,
            CaaWhy::OtherMethod,
            CaaWhy::NorTheOthers,
            CaaWhy::Answer("SERVFAIL".to_owned()),
        ] {
            let stored = serde_json::to_string(&why).unwrap();
            assert_eq!(serde_json::from_str::<CaaWhy>(&stored).unwrap(), why, "{stored}");
        }
    }
}
