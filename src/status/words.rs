//! The words for what is found: in tables, in JSON, in the state database.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use thiserror::Error;

/// A text that is none of an enum's words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no word of this kind: {0:?}")]
pub struct UnknownWord(String);

impl From<&str> for UnknownWord {
    fn from(word: &str) -> Self {
        Self(word.to_owned())
    }
}

/// Each case has one word, which strum makes of its name: in tables, in JSON, in the state database.
macro_rules! words {
    ($($name:ident)*) => {$(
        impl $name {
            /// The word for it.
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnknownWord;

            fn try_from(word: String) -> Result<Self, UnknownWord> {
                word.parse()
            }
        }
    )*};
}

words! { DnsVerdict BrokenBy SslVerdict Blocker CaaFault CnameFault Stage }

/// Where the name's DNS points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::from)]
pub enum DnsVerdict {
    /// It is at the expected place for every resolver that counts.
    Ok,
    /// It is for some resolvers, and others still have an old answer.
    Propagating,
    /// It points somewhere else.
    Elsewhere,
    /// All its addresses belong to `checks.proxies`.
    Proxied,
    /// There is no such name (NXDOMAIN).
    NoSuchName,
    /// The name has no address.
    NoAddress,
    /// Its name servers are out of order: they fail, disagree, or their signatures are wrong.
    Broken,
    /// We could not ask. It never counts against the name.
    Unknown,
}

/// What puts a name's DNS out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::from)]
pub enum BrokenBy {
    /// Its servers fail.
    Failure,
    /// Its servers fail for this name, and answer for others of its zone.
    OneName,
    /// Its DNSSEC signatures are wrong.
    Signatures,
    /// Its servers do not agree.
    Disagreement,
    /// Its chain of CNAMEs is longer than some resolvers follow.
    LongChain,
}

/// How its certificate stands, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::from)]
pub enum SslVerdict {
    /// A visitor's browser accepts it.
    Valid,
    /// A browser accepts it, over ways of encryption that are going out of use.
    OldTls,
    /// A browser accepts it, but not for much longer.
    Expiring,
    /// It is for other names.
    WrongName,
    /// It signed itself.
    SelfSigned,
    /// Its issuer is none that browsers trust.
    UnknownIssuer,
    /// The server does not send the certificate of its issuer.
    IncompleteChain,
    /// The time of its issuer's certificate, as the server sends it, is over.
    ExpiredIssuer,
    /// Its key is of a kind that not every browser takes.
    UnsupportedKey,
    /// Its key or a signature is too weak for browsers.
    Weak,
    /// Its time has not begun.
    NotYetValid,
    /// Its time is over.
    Expired,
    /// The server demands a certificate of the visitor.
    ClientCertificate,
    /// Something answers, but TLS does not come about.
    HandshakeFailed,
    /// Nothing listens there.
    Refused,
    /// Nothing answers there.
    TimedOut,
    /// We could not look. It never counts against the name.
    Unknown,
}

/// What stops a certificate although the A record is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::from)]
pub enum Blocker {
    /// An AAAA record points somewhere else.
    AaaaElsewhere,
    /// The CAA records allow none of `checks.certificate_authorities`.
    CaaForbids,
    /// The CAA records cannot be looked up, so no authority may issue.
    CaaUnreachable,
}

/// What is wrong with CAA records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::from)]
pub enum CaaFault {
    /// They allow others.
    NotAllowed,
    /// They demand something that authorities do not know.
    UnknownCritical,
    /// They allow the right one, under a condition that is not met.
    Restricted,
    /// They cannot be looked up.
    Unreachable,
}

/// Why CNAMEs lead nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::from)]
pub enum CnameFault {
    /// They lead back to where they came from.
    Loop,
    /// There are more of them than resolvers follow.
    TooLong,
    /// What they lead to does not exist.
    NoSuchName,
    /// What they lead to has no address.
    NoAddress,
    /// The name servers of what they lead to fail.
    Failure,
    /// The DNSSEC signatures of what they lead to are wrong.
    Signatures,
}

/// The plugin's own words for a domain's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::from)]
pub enum Stage {
    /// Its DNS is not right yet.
    CheckingDns,
    /// Its DNS is right, its certificate is not there yet.
    CheckingSslCert,
    /// It works.
    Done,
    /// It works without a certificate. The plugin's word; the checks never say it.
    DoneWithoutSsl,
    /// Its DNS has not been right for a long time.
    Failed,
    /// Its certificate has been missing for a long time.
    SslFailed,
}

impl DnsVerdict {
    /// Whether visitors get to the right place.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Ok | Self::Proxied)
    }
}

impl SslVerdict {
    /// Whether a browser accepts it.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Valid | Self::OldTls | Self::Expiring)
    }

    /// Whether it is seen not to be accepted.
    pub fn is_bad(self) -> bool {
        !self.is_good() && self != Self::Unknown
    }

    /// Whether another certificate would mend it.
    pub(super) fn wants_another(self) -> bool {
        let is_not_the_certificate = matches!(
            self,
            Self::NotYetValid | Self::ClientCertificate | Self::Refused | Self::TimedOut
        );
        self.is_bad() && !is_not_the_certificate
    }
}
