//! The verdicts of checks. Each variant has one name, which strum derives: in tables, in JSON and in the
//! state database.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use thiserror::Error;

/// A text that is no variant's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown value: {0:?}")]
pub struct UnknownVariant(String);

impl From<&str> for UnknownVariant {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

macro_rules! named {
    ($($name:ident)*) => {$(
        impl $name {
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnknownVariant;

            fn try_from(text: String) -> Result<Self, UnknownVariant> {
                text.parse()
            }
        }
    )*};
}

named! { DnsVerdict BrokenBy SiteVerdict HttpVerdict SslVerdict Blocker CaaFault CnameFault Stage }

/// Where the name's DNS points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownVariant, parse_err_fn = UnknownVariant::from)]
pub enum DnsVerdict {
    /// All counting resolvers return expected addresses.
    Ok,
    /// Some resolvers return expected addresses, and others still an old answer.
    Propagating,
    /// It points to another address.
    Elsewhere,
    /// All its addresses belong to `checks.proxies`.
    Proxied,
    /// NXDOMAIN.
    NoSuchName,
    NoAddress,
    /// Its name servers fail or disagree, or its signatures are wrong.
    Broken,
    /// The queries failed on this side. It never counts against the name.
    Unknown,
}

/// Why a name's DNS is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownVariant, parse_err_fn = UnknownVariant::from)]
pub enum BrokenBy {
    /// Its name servers fail.
    Failure,
    /// Its name servers fail for this name, and answer for others in its zone.
    OneName,
    /// Its DNSSEC signatures are wrong.
    Signatures,
    /// Its name servers disagree.
    Disagreement,
    /// Its chain of CNAMEs is longer than some resolvers follow.
    LongChain,
}

/// What a TLS handshake with a name's server showed, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownVariant, parse_err_fn = UnknownVariant::from)]
pub enum SslVerdict {
    /// Browsers accept the certificate.
    Valid,
    /// Browsers accept it, over a deprecated cipher suite.
    OldTls,
    /// Browsers accept it, but it should have been renewed.
    Expiring,
    /// It is for other names.
    WrongName,
    SelfSigned,
    /// Browsers do not trust its issuer.
    UnknownIssuer,
    /// The server does not send the certificate of its issuer.
    IncompleteChain,
    /// The certificate of its issuer that the server sends has expired.
    ExpiredIssuer,
    /// Not all browsers support the type of its key.
    UnsupportedKey,
    /// Its key or a signature is too weak for browsers.
    Weak,
    NotYetValid,
    Expired,
    /// The server demands a client certificate.
    ClientCertificate,
    /// The server answers, and the TLS handshake fails.
    HandshakeFailed,
    /// The connection is refused.
    Refused,
    TimedOut,
    /// The check failed on this side. It never counts against the name.
    Unknown,
}

/// What a visitor of the site gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownVariant, parse_err_fn = UnknownVariant::from)]
pub enum SiteVerdict {
    /// WordPress serves the site under this name.
    Served,
    /// WordPress redirects to another name of the site, its primary one.
    Redirected,
    /// WordPress knows no active mapping of the name: it redirects to the network's own address.
    NotActive,
    /// It redirects without end.
    Loop,
    /// The site is archived, spam or deleted.
    Gone,
    /// WordPress or the plugin says that the site is under maintenance.
    Maintenance,
    /// The customer's membership has ended.
    Suspended,
    /// The server fails.
    ServerError,
    /// What answers is not WordPress.
    OtherServer,
    /// A proxy's challenge, or a login.
    Blocked,
    TimedOut,
    /// The check failed on this side, or the answer does not say. It never counts against the name.
    Unknown,
}

impl SiteVerdict {
    pub fn is_good(self) -> bool {
        matches!(self, Self::Served | Self::Redirected)
    }

    /// Whether the answer does not say whether the site is served.
    pub fn is_undecided(self) -> bool {
        matches!(self, Self::Blocked | Self::Unknown)
    }

    /// Whether it is not served because somebody decided so: no alarm.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Gone | Self::Maintenance | Self::Suspended)
    }

    pub fn is_bad(self) -> bool {
        !self.is_good() && !self.is_undecided() && !self.is_decided()
    }
}

/// What answers on port 80, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownVariant, parse_err_fn = UnknownVariant::from)]
pub enum HttpVerdict {
    /// The look failed on this side. It never counts against the name.
    Unknown,
    /// A web server answers, whatever it says.
    Open,
    /// A login or a proxy's challenge answers.
    Blocked,
    TimedOut,
    /// The connection is closed without an answer of HTTP.
    Closed,
    Refused,
}

impl HttpVerdict {
    pub fn is_bad(self) -> bool {
        !matches!(self, Self::Open | Self::Unknown)
    }
}

/// What keeps a certificate from being issued although the A record is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownVariant, parse_err_fn = UnknownVariant::from)]
pub enum Blocker {
    /// An AAAA record points elsewhere.
    AaaaElsewhere,
    /// The CAA records allow none of `checks.certificate_authorities`.
    CaaForbids,
    /// The CAA records cannot be looked up, so no authority may issue.
    CaaUnreachable,
}

/// Why CAA records forbid a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownVariant, parse_err_fn = UnknownVariant::from)]
pub enum CaaFault {
    /// They allow only other authorities.
    NotAllowed,
    /// A critical property is unknown to authorities.
    UnknownCritical,
    /// They allow the right authority, under a condition that is not met.
    Restricted,
    /// They cannot be looked up.
    Unreachable,
}

/// The fault of a name's CNAMEs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownVariant, parse_err_fn = UnknownVariant::from)]
pub enum CnameFault {
    /// A target is a name earlier in the chain.
    Loop,
    /// There are more of them than resolvers follow.
    TooLong,
    /// The last target does not exist.
    NoSuchName,
    /// The last target has no address.
    NoAddress,
    /// The name servers of a target fail.
    Failure,
    /// The DNSSEC signatures of a target are wrong.
    Signatures,
}

/// The plugin's own stages of a domain's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(into = "&'static str", try_from = "String")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownVariant, parse_err_fn = UnknownVariant::from)]
pub enum Stage {
    /// Its DNS is not right yet.
    CheckingDns,
    /// Its DNS is right, and it has no certificate yet.
    CheckingSslCert,
    /// It works.
    Done,
    /// It works without a certificate. The checks never set this stage.
    DoneWithoutSsl,
    /// Its DNS has not been right for `checks.attention_after`.
    Failed,
    /// Its certificate has been missing for `checks.attention_after`.
    SslFailed,
}

impl Stage {
    /// Whether the plugin serves a row in this stage, if the row is active.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Done | Self::DoneWithoutSsl)
    }
}

impl DnsVerdict {
    /// Whether visitors connect to the right server.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Ok | Self::Proxied)
    }

    /// Whether visitors get no address.
    pub fn is_without_address(self) -> bool {
        matches!(self, Self::NoSuchName | Self::NoAddress | Self::Broken)
    }
}

impl SslVerdict {
    /// Whether browsers accept it.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Valid | Self::OldTls | Self::Expiring)
    }

    /// Whether browsers are known not to accept it.
    pub fn is_bad(self) -> bool {
        !self.is_good() && self != Self::Unknown
    }

    /// Whether a new certificate would fix it.
    pub(super) fn needs_certificate(self) -> bool {
        self.is_bad()
            && !matches!(
                self,
                Self::NotYetValid | Self::ClientCertificate | Self::Refused | Self::TimedOut
            )
    }
}
