//! How each name stands, seen from outside. Plain data: [`crate::checks`] looks and decides,
//! [`crate::state`] keeps it.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use thiserror::Error;

use crate::ledger::Progress;

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
    fn wants_another(self) -> bool {
        let is_not_the_certificate = matches!(
            self,
            Self::NotYetValid | Self::ClientCertificate | Self::Refused | Self::TimedOut
        );
        self.is_bad() && !is_not_the_certificate
    }
}

/// What one resolver said of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolverAnswer {
    /// Which: `system`, or its address.
    pub resolver: String,
    /// What its answer alone means.
    pub verdict: DnsVerdict,
    /// The addresses, IPv4 first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// The chain of CNAMEs that led there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cnames: Vec<String>,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it calls the DNSSEC signatures wrong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dnssec: bool,
    /// How long others may keep this answer, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u32>,
    /// Why this answer does not count, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_say: Option<String>,
}

impl ResolverAnswer {
    /// Nothing yet, from this one.
    pub fn of(resolver: &str) -> Self {
        Self {
            resolver: resolver.to_owned(),
            verdict: DnsVerdict::Unknown,
            addresses: Vec::new(),
            cnames: Vec::new(),
            error: None,
            dnssec: false,
            ttl_s: None,
            no_say: None,
        }
    }

    /// Whether it counts: it says something of the name, and nothing speaks against it.
    pub fn counts(&self) -> bool {
        self.verdict != DnsVerdict::Unknown && self.no_say.is_none()
    }

    /// What it says, in words.
    pub fn says(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.cnames.last().map(|name| format!("→ {name}")));
        parts.extend(self.addresses.iter().take(3).map(ToString::to_string));
        if parts.is_empty() {
            parts.push(self.error.clone().unwrap_or_else(|| self.verdict.as_str().to_owned()));
        }
        parts.join(" ")
    }
}

/// How a name's DNS verdicts went from look to look.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DnsHistory {
    /// Since when some resolvers see it right and others do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed_since: Option<Timestamp>,
    /// The longest that anybody may keep an answer that was seen meanwhile, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_ttl_s: Option<u32>,
    /// The latest verdicts, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<DnsVerdict>,
    /// Since when they go back and forth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsteady_since: Option<Timestamp>,
}

impl DnsHistory {
    /// The different verdicts of late, the latest first.
    pub fn different(&self) -> Vec<DnsVerdict> {
        let mut different = Vec::new();
        for verdict in self.verdicts.iter().rev() {
            if !different.contains(verdict) {
                different.push(*verdict);
            }
        }
        different
    }
}

/// What the resolvers said, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsResult {
    /// What it means.
    pub verdict: DnsVerdict,
    /// How many resolvers agree with the verdict; for [`DnsVerdict::Propagating`], see it right.
    pub seen: usize,
    /// How many resolvers answered.
    pub of: usize,
    /// The addresses that the verdict speaks of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// Whose addresses they are, where it is a well-known host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// AAAA records that point somewhere else although the A record is right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aaaa_elsewhere: Vec<IpAddr>,
    /// Every address that leads elsewhere, be there right ones beside it or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<Stray>,
    /// What puts it out of order, where it is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_by: Option<BrokenBy>,
    /// The CNAMEs, where they are why it leads nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
    /// What answers for it, where somebody has to change that and it is no record of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_of: Option<MadeOf>,
    /// Where its records stand, where somebody has to change them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// Why it is broken or unknown, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What each resolver said.
    pub answers: Vec<ResolverAnswer>,
    /// What each of its own name servers said, where they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub name_servers: Vec<ResolverAnswer>,
    /// How it went before.
    #[serde(default)]
    pub history: DnsHistory,
}

impl DnsResult {
    /// The CNAMEs that lead to where the verdict sees it. That of an AAAA record beside a right A record
    /// is the whole name's.
    pub fn cnames(&self) -> &[String] {
        let counting = || self.answers.iter().filter(|one| one.counts());
        let meant = counting().find(|one| one.verdict == self.verdict);
        let meant = meant.or_else(|| counting().find(|one| !one.cnames.is_empty()));
        meant.map_or(&[], |answer| &answer.cnames)
    }
}

/// CNAMEs that lead nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Why.
    pub fault: CnameFault,
    /// Where each of them leads, the first being the name's own.
    pub cnames: Vec<String>,
    /// The zone at fault, where it is another's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
}

/// What answers for a name that has no record of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MadeOf {
    /// A DNAME record of a name above it, which leads all names below that one to those below another.
    Dname {
        /// Where it stands.
        owner: String,
        /// Where it leads.
        target: String,
    },
    /// A wildcard.
    Wildcard {
        /// Such as `*.shop.example`.
        owner: String,
    },
}

/// A zone: the part of the DNS that one party runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// The name at its top.
    pub name: String,
    /// Who runs it, where that is somebody well-known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// An address that a name should not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// The address.
    pub address: IpAddr,
    /// Whose it is, where that is a well-known host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// The certificate that a server showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Who issued it: organisation and common name.
    pub issuer: String,
    /// The names that it is for, or the first of them.
    pub names: Vec<String>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_names: usize,
    /// When its time begins.
    pub not_before: Timestamp,
    /// When its time ends.
    pub not_after: Timestamp,
    /// The kind of its key, such as `ECDSA P-256` or `RSA 2048`.
    pub key: String,
}

impl Certificate {
    /// Whether it is one that Cloudflare gives to servers behind its proxy, which alone trusts it:
    /// <https://developers.cloudflare.com/ssl/origin-configuration/origin-ca/>.
    pub fn is_of_cloudflares_origin(&self) -> bool {
        let issuer = self.issuer.to_ascii_lowercase();
        issuer.contains("cloudflare origin")
    }

    /// Whole days until it ends; negative afterwards.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        self.not_after.duration_since(now).as_secs().div_euclid(24 * 60 * 60)
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What a TLS handshake with each of a name's addresses showed: the worst of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SslResult {
    /// What it means.
    pub verdict: SslVerdict,
    /// The address that it was seen at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The certificate, where one was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What each address showed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressSeen>,
}

/// What a TLS handshake with one address showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressSeen {
    /// The address.
    pub address: IpAddr,
    /// What it means.
    pub verdict: SslVerdict,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl SslResult {
    /// Nothing was seen, for this reason.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self {
            verdict: SslVerdict::Unknown,
            address: None,
            certificate: None,
            error: Some(reason.into()),
            addresses: Vec::new(),
        }
    }

    /// Whether some addresses serve the name well, though the one that the verdict is about does not.
    pub fn is_right_elsewhere(&self) -> bool {
        self.verdict.is_bad() && self.addresses.iter().any(|one| one.verdict.is_good())
    }

    /// Whether there is no certificate yet, as far as it shows, and one could be issued.
    pub fn lacks_certificate(&self) -> bool {
        self.verdict.wants_another() && !self.is_right_elsewhere()
    }
}

/// The CAA records that count for a name (RFC 8659, section 3), and forbid it a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caa {
    /// The name that has them: the name itself, one above it, or what the CNAME of such a one leads to.
    pub at: String,
    /// Whose CNAME leads there, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// What is wrong with them.
    #[serde(default = "Caa::not_allowed")]
    pub fault: CaaFault,
    /// The record at fault, or each of them, as in a zone file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Why, in words, where `fault` does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The property that would allow it there: `issue` or, for a wildcard, `issuewild`.
    #[serde(default = "Caa::issue")]
    pub property: String,
    /// Whom they allow to issue.
    pub allows: Vec<String>,
    /// Whom they should allow: the first of `checks.certificate_authorities`.
    pub lacks: String,
}

impl Caa {
    /// What observations of before there were other faults mean.
    fn not_allowed() -> CaaFault {
        CaaFault::NotAllowed
    }

    fn issue() -> String {
        "issue".to_owned()
    }

    /// Whether they stand above all names that anybody can register.
    pub fn is_of_a_registry(&self) -> bool {
        psl::domain_str(&self.at).is_none()
    }
}

/// Everything that one look at a name found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Where its DNS points.
    pub dns: DnsResult,
    /// How its certificate stands.
    pub ssl: SslResult,
    /// What stops a certificate.
    pub blockers: Vec<Blocker>,
    /// The CAA records that forbid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caa: Option<Caa>,
    /// Whether we could not look up the CAA records. What was known of them stays so.
    #[serde(skip)]
    pub caa_unknown: bool,
    /// Where the name should point, for people.
    pub expected: Vec<String>,
}

impl CheckResult {
    /// Whether a visitor gets to the site, and over TLS.
    pub fn works(&self) -> bool {
        self.dns.verdict.is_good() && self.ssl.verdict.is_good()
    }
}

/// What is remembered of a name from look to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainStatus {
    /// When it was looked at last.
    pub checked_at: Timestamp,
    /// The latest observation that counts: one that could not be made changes nothing.
    pub latest: CheckResult,
    /// Since when the DNS verdict holds.
    pub dns_since: Timestamp,
    /// Since when the SSL verdict holds.
    pub ssl_since: Timestamp,
    /// Since when it works, or does not.
    pub since: Timestamp,
    /// When a look said that it no longer works; a second one must agree.
    pub suspect_since: Option<Timestamp>,
    /// When it was last said that somebody must attend to it.
    pub alerted_at: Option<Timestamp>,
    /// Since when its DNS is right and nothing stops a certificate, yet there is none.
    pub lacks_certificate_since: Option<Timestamp>,
}

/// What the ledger knows of a name that is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerInfo {
    /// The site.
    pub blog_id: Option<i64>,
    /// When the name was first seen desired; none for a name that nobody wants.
    pub added_at: Option<Timestamp>,
    /// Since when Closte has it, itself or through a wildcard.
    pub at_closte_since: Option<Timestamp>,
    /// How the call to add it stands.
    pub progress: Progress,
}
