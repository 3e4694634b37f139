//! Advice about certificates.

use std::time::Duration;

use jiff::Timestamp;

use super::{About, Advice, WAIT};
use crate::{
    checks::words::{CustomerText, Sentence},
    ledger::later,
    span::{span_between, whole_days},
    status::{Certificate, DnsVerdict, SslVerdict},
};

impl About<'_> {
    pub(super) fn works(&self, now: Timestamp) -> Advice {
        let name = self.name;
        let works = || CustomerText::of([Sentence::Works { name: name.clone() }]);
        let ends = self.latest.ssl.certificate.as_ref().map(|one| one.not_after);
        match (self.latest.ssl.verdict, ends) {
            (SslVerdict::Expiring, Some(ends)) => Advice {
                short: "renew",
                owner: self.with_panel(format!(
                    "The certificate of {name} expires in {} and was not renewed{}: ask Closte's \
                     support why",
                    whole_days(ends.duration_since(now).try_into().unwrap_or_default()),
                    self.at()
                )),
                customer: CustomerText::of([Sentence::RenewingCertificate { name: name.clone() }]),
            },
            (SslVerdict::OldTls, _) => Advice {
                short: "update TLS",
                owner: format!(
                    "{name} works, but the server{} speaks TLS only with RSA key exchange or CBC, \
                     which browsers are giving up: have it offer TLS 1.3, or TLS 1.2 with ECDHE and GCM",
                    self.at()
                ),
                customer: works(),
            },
            _ if self.latest.dns.verdict == DnsVerdict::Proxied => Advice {
                short: "",
                owner: format!("{name} works, through a proxy"),
                customer: works(),
            },
            _ => Advice {
                short: "",
                owner: match self.primary() {
                    Some(primary) => format!(
                        "{name} works: WordPress sends its visitors on to {primary}, the site's primary domain"
                    ),
                    None => format!("{name} works"),
                },
                customer: works(),
            },
        }
    }

    pub(super) fn being_issued(&self, since: Timestamp, now: Timestamp) -> Advice {
        let name = self.name;
        let so_far = if now < later(since, Duration::from_secs(60)) {
            String::new()
        } else {
            format!(" (so far {})", span_between(since, now))
        };
        Advice {
            short: WAIT,
            owner: format!(
                "Wait: the certificate of {name} is being issued, which usually takes 5 to 10 \
                 minutes{so_far}"
            ),
            customer: CustomerText::of([Sentence::IssuingCertificate { name: name.clone() }]),
        }
    }

    pub(super) fn ssl(&self) -> Advice {
        let (name, ssl) = (self.name, &self.latest.ssl);
        if ssl.is_right_elsewhere() {
            return self.one_of_several();
        }
        let names = self.names();
        let at = self.at();
        let issuer = ssl.certificate.as_ref().map(|one| one.issuer.as_str()).unwrap_or("itself");
        let detail = ssl.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
        let begins = ssl.certificate.as_ref().map(|one| one.not_before);
        let error = ssl.error.as_deref().unwrap_or("no reason given");
        let proxied = self.latest.dns.verdict == DnsVerdict::Proxied;
        let (short, owner) = match ssl.verdict {
            _ if proxied && ssl.verdict == SslVerdict::HandshakeFailed => (
                "set proxy",
                format!(
                    "The proxy before {name} offers no TLS for it: turn its SSL on, or turn the proxy off until the certificate is there"
                ),
            ),
            SslVerdict::WrongName => (
                "ask Closte",
                format!(
                    "No certificate was issued for {name}: the server{at} shows its own ({names}). Install SSL for it in Closte's panel, or ask Closte's support"
                ),
            ),
            SslVerdict::Expired => (
                "renew",
                format!(
                    "The certificate of {name}{at} has expired: renew it in Closte's panel, or ask Closte's support why it was not renewed"
                ),
            ),
            SslVerdict::NotYetValid => (
                "check clock",
                format!(
                    "The certificate of {name}{at} is not valid {}: is this machine's clock right? If it is, ask Closte's support",
                    begins.map_or("yet".to_owned(), |begins| format!("before {begins:.0}"))
                ),
            ),
            SslVerdict::ExpiredIssuer => (
                "fix chain",
                format!(
                    "The certificate of {name}{at} is good, but {error}: have the chain that belongs to it now installed"
                ),
            ),
            SslVerdict::UnsupportedKey => (
                "new key",
                format!(
                    "The certificate of {name}{at} is trusted, but {error}: have it issued anew with a key of ECDSA P-256 or RSA 2048"
                ),
            ),
            SslVerdict::Weak => (
                "new certificate",
                format!(
                    "Browsers refuse the certificate of {name}{at}, because {error}: install SSL for it in Closte's panel"
                ),
            ),
            SslVerdict::ClientCertificate => (
                "ask Closte",
                format!(
                    "The server{at} demands a certificate of each visitor of {name}, so visitors cannot connect: have that turned off. Cloudflare's Authenticated Origin Pulls, for example, are only for servers behind its proxy"
                ),
            ),
            SslVerdict::SelfSigned => (
                "ask Closte",
                format!(
                    "The server{at} shows only a self-signed certificate for {name}, which browsers do not trust: install SSL for it in Closte's panel"
                ),
            ),
            SslVerdict::UnknownIssuer
                if ssl
                    .certificate
                    .as_ref()
                    .is_some_and(Certificate::is_from_cloudflare_origin_ca) =>
            {
                (
                    "set proxy",
                    format!(
                        "The server{at} shows a certificate of Cloudflare's Origin CA for {name}, which only Cloudflare's proxy trusts: install SSL for it in Closte's panel, or turn the proxy on for it at Cloudflare"
                    ),
                )
            }
            SslVerdict::UnknownIssuer => (
                "ask Closte",
                format!(
                    "The certificate of {name}{at} is from {issuer}, which browsers do not trust{detail}: install SSL for it in Closte's panel"
                ),
            ),
            SslVerdict::IncompleteChain => (
                "ask Closte",
                format!(
                    "Browsers do not trust the certificate of {name}{at}: {error}, which issued it. Have the full chain installed, or, if that issuer is none that browsers trust, install SSL for it in Closte's panel"
                ),
            ),
            SslVerdict::Refused => (
                "ask Closte",
                format!(
                    "Nothing listens for TLS where {name} points{at}: {error}. Ask Closte's support"
                ),
            ),
            SslVerdict::TimedOut => (
                "ask Closte",
                format!(
                    "Nothing answers over TLS where {name} points{at}: {error}; is a firewall in between, or is the server overloaded?"
                ),
            ),
            SslVerdict::HandshakeFailed => (
                "ask Closte",
                format!(
                    "Browsers get no TLS connection with {name}{at}: {error}. Ask the operator of that server, or Closte's support"
                ),
            ),
            SslVerdict::Unknown => {
                ("ask again", format!("The certificate of {name} is not known yet: {error}"))
            }
            SslVerdict::Valid | SslVerdict::OldTls | SslVerdict::Expiring => {
                ("", format!("{name} works"))
            }
        };
        let owner = self.with_panel(owner);
        let customer = self.without_tls_at_the_proxy().unwrap_or_else(|| {
            let name = name.clone();
            match ssl.verdict {
                SslVerdict::Unknown => Sentence::CheckingCertificate { name },
                _ => Sentence::FixingCertificate { name },
            }
        });
        Advice { short, owner, customer: CustomerText::of([customer]) }
    }

    fn with_panel(&self, owner: String) -> String {
        match self.panel {
            Some(panel) => format!("{owner} (Closte's panel: {panel})"),
            None => owner,
        }
    }
}
