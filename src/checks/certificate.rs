//! Evaluates the certificate chain that a server sends. Pure.

use std::time::Duration;

use jiff::Timestamp;
use rustls::{
    CertificateError, Error as TlsError,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier, verify_server_name},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, prelude::FromDer, public_key::PublicKey,
    x509::X509Name,
};

use crate::{
    secrets::excerpt,
    status::{Certificate, SslResult, SslVerdict},
};

/// How many names of a certificate are kept.
const MAX_NAMES: usize = 20;
/// Browsers refuse shorter RSA keys, in bits.
const MIN_RSA: usize = 2048;
/// Signatures that browsers refuse: SHA-1 and MD5, with RSA and with ECDSA.
const WEAK_SIGNATURES: [(&str, &str); 4] = [
    ("1.2.840.113549.1.1.5", "SHA-1"),
    ("1.2.840.10045.4.1", "SHA-1"),
    ("1.3.14.3.2.29", "SHA-1"),
    ("1.2.840.113549.1.1.4", "MD5"),
];

/// When a certificate should be renewed at the latest: `checks.expiry_warning` before its end, but not
/// in the first two thirds of its lifetime, which can be as short as six days.
fn renewed_by(begins: Timestamp, ends: Timestamp, expiry_warning: Duration) -> Timestamp {
    let lifetime: Duration = ends.duration_since(begins).try_into().unwrap_or_default();
    ends.checked_sub(expiry_warning.min(lifetime / 3)).unwrap_or(Timestamp::MIN)
}

/// Trust is evaluated at a time at which the leaf is valid, so that its expiry is a separate verdict.
pub(super) fn evaluate_chain(
    verifier: &WebPkiServerVerifier,
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    expiry_warning: Duration,
    now: Timestamp,
) -> SslResult {
    let failed =
        |why: &str| SslResult { verdict: SslVerdict::HandshakeFailed, ..SslResult::unknown(why) };
    let Some((leaf, others)) = chain.split_first() else {
        return failed("the server shows no certificate");
    };
    let Ok((_, parsed)) = X509Certificate::from_der(leaf) else {
        return failed("its certificate cannot be read");
    };
    let others: Vec<X509Certificate<'_>> =
        others.iter().filter_map(|one| Some(X509Certificate::from_der(one).ok()?.1)).collect();
    let certificate = describe(&parsed);
    let (begins, ends) = (certificate.not_before, certificate.not_after);
    let at = now.max(begins).min(ends.max(begins));
    let seconds = at.as_second().try_into().unwrap_or_default();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let verified =
        verifier.verify_server_cert(leaf, chain.get(1..).unwrap_or_default(), name, &[], at);
    let (verdict, error) = match verified {
        Ok(_) if now > ends => (SslVerdict::Expired, None),
        Ok(_) if now < begins => (SslVerdict::NotYetValid, None),
        Ok(_) => match unfit_key(&parsed) {
            Some((verdict, why)) => (verdict, Some(why)),
            None if now > renewed_by(begins, ends, expiry_warning) => (SslVerdict::Expiring, None),
            None => (SslVerdict::Valid, None),
        },
        Err(_) if parsed.subject() == parsed.issuer() => (SslVerdict::SelfSigned, None),
        // The verifier checks the name last, but other faults of another name's certificate do not
        // matter.
        Err(_) if is_for_others(leaf, name) => (SslVerdict::WrongName, None),
        Err(TlsError::InvalidCertificate(error)) => {
            explain(&error, &certificate, &parsed, &others, at)
        }
        Err(_) => (SslVerdict::HandshakeFailed, Some(INVALID.to_owned())),
    };
    SslResult { verdict, certificate: Some(certificate), error, ..SslResult::unknown("") }
}

const INVALID: &str = "its certificate is not a valid server certificate";

/// Why a chain is not trusted.
fn explain(
    error: &CertificateError,
    certificate: &Certificate,
    leaf: &X509Certificate<'_>,
    others: &[X509Certificate<'_>],
    at: UnixTime,
) -> (SslVerdict, Option<String>) {
    use CertificateError as Wrong;
    match error {
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            (SslVerdict::WrongName, None)
        }
        // This is a certificate above the leaf, as the leaf is valid at this time.
        Wrong::Expired | Wrong::ExpiredContext { .. } => {
            let at = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
            let has_expired =
                |one: &&X509Certificate<'_>| one.validity().not_after.timestamp() < at;
            let which = others.iter().find(has_expired).map_or_else(
                || "the certificate of its issuer".to_owned(),
                |one| {
                    format!(
                        "the certificate of {}, which the server sends,",
                        display_name(one.subject())
                    )
                },
            );
            (SslVerdict::ExpiredIssuer, Some(format!("{which} has expired")))
        }
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => (
            SslVerdict::UnknownIssuer,
            Some("its issuer's certificate is not valid yet".to_owned()),
        ),
        Wrong::UnknownIssuer if certificate.is_from_cloudflare_origin_ca() => {
            (SslVerdict::UnknownIssuer, None)
        }
        Wrong::UnknownIssuer => match first_without_issuer(leaf, others) {
            // Public authorities issue with an intermediate, which the server must send.
            Some(one) if one == leaf => {
                let missing = display_name(leaf.issuer());
                let why = format!("the server does not send the certificate of {missing}");
                (SslVerdict::IncompleteChain, Some(why))
            }
            // Another intermediate may be missing; more often the next one is a root that browsers do not
            // trust, and servers do not send their root.
            Some(one) => {
                let (end, issuer) = (display_name(one.subject()), display_name(one.issuer()));
                let why = format!("what the server sends ends with {end}, which {issuer} issued");
                (SslVerdict::UnknownIssuer, Some(why))
            }
            None => (SslVerdict::UnknownIssuer, None),
        },
        _ => match (weakness(leaf, others), error) {
            (Some(weak), _) => (SslVerdict::Weak, Some(weak)),
            (None, Wrong::BadSignature) => (
                SslVerdict::UnknownIssuer,
                Some("its signature is not that of its issuer".to_owned()),
            ),
            (
                None,
                Wrong::UnsupportedSignatureAlgorithmContext { .. }
                | Wrong::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
            ) => (
                SslVerdict::Unknown,
                Some("closte-sync cannot verify the signature algorithm of its issuer".to_owned()),
            ),
            (None, Wrong::InvalidPurpose | Wrong::InvalidPurposeContext { .. }) => {
                (SslVerdict::HandshakeFailed, Some("its certificate is not for servers".to_owned()))
            }
            _ => (SslVerdict::HandshakeFailed, Some(INVALID.to_owned())),
        },
    }
}

fn is_for_others(leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    ParsedCertificate::try_from(leaf).is_ok_and(|leaf| verify_server_name(&leaf, name).is_err())
}

/// The first certificate, from the leaf upwards, whose issuer's certificate is missing; none where the
/// chain ends in a root.
fn first_without_issuer<'a>(
    leaf: &'a X509Certificate<'a>,
    others: &'a [X509Certificate<'a>],
) -> Option<&'a X509Certificate<'a>> {
    let mut top = leaf;
    // Issuers may form a loop.
    for _ in 0..=others.len() {
        if top.subject() == top.issuer() {
            return None;
        }
        match others.iter().find(|one| one.subject() == top.issuer()) {
            Some(issuer) => top = issuer,
            None => return Some(top),
        }
    }
    None
}

/// Why browsers refuse the key of a trusted certificate.
fn unfit_key(leaf: &X509Certificate<'_>) -> Option<(SslVerdict, String)> {
    match leaf.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < MIN_RSA => {
            Some((SslVerdict::Weak, format!("its key is only RSA {}", key.key_size())))
        }
        Ok(PublicKey::EC(key)) if key.key_size() > 384 => {
            let why =
                format!("its key is ECDSA P-{}, which Chrome refuses", ecdsa_bits(key.key_size()));
            Some((SslVerdict::UnsupportedKey, why))
        }
        _ if is_ed25519(leaf) => {
            let why = "its key is Ed25519, which browsers refuse".to_owned();
            Some((SslVerdict::UnsupportedKey, why))
        }
        _ => None,
    }
}

/// A signature or key in the chain that is too weak for browsers.
fn weakness(leaf: &X509Certificate<'_>, others: &[X509Certificate<'_>]) -> Option<String> {
    let signature = |one: &X509Certificate<'_>| {
        let id = one.signature_algorithm.algorithm.to_id_string();
        WEAK_SIGNATURES.iter().find(|(weak, _)| *weak == id).map(|(_, name)| *name)
    };
    if let Some(how) = signature(leaf) {
        return Some(format!("it is signed with {how}"));
    }
    if let Some((SslVerdict::Weak, why)) = unfit_key(leaf) {
        return Some(why);
    }
    // The signature of a root is not verified.
    let intermediates = || others.iter().filter(|one| one.subject() != one.issuer());
    let signed = intermediates().find_map(|one| Some((one, signature(one)?)));
    if let Some((one, how)) = signed {
        return Some(format!(
            "the certificate of {} is signed with {how}",
            display_name(one.subject())
        ));
    }
    others.iter().find_map(|one| match one.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < MIN_RSA => Some(format!(
            "the key of {} is only RSA {}",
            display_name(one.subject()),
            key.key_size()
        )),
        _ => None,
    })
}

pub(super) fn describe(parsed: &X509Certificate<'_>) -> Certificate {
    let time = |seconds: i64| Timestamp::from_second(seconds).unwrap_or_default();
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|extension| &extension.value.general_names);
    let mut names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(excerpt(name)),
        _ => None,
    });
    Certificate {
        issuer: display_name(parsed.issuer()),
        names: names.by_ref().take(MAX_NAMES).collect(),
        more_names: names.count(),
        not_before: time(parsed.validity().not_before.timestamp()),
        not_after: time(parsed.validity().not_after.timestamp()),
        key: key_type(parsed),
    }
}

/// Organisation and common name, such as `Let's Encrypt R11`; some authorities have an organisational
/// unit instead of the common name.
fn display_name(name: &X509Name<'_>) -> String {
    let organisation = name.iter_organization().next();
    let own = name.iter_common_name().chain(name.iter_organizational_unit()).next();
    let parts = organisation.into_iter().chain(own);
    let parts: Vec<&str> = parts.filter_map(|part| part.as_str().ok()).collect();
    excerpt(&if parts.is_empty() { name.to_string() } else { parts.join(" ") })
}

fn key_type(parsed: &X509Certificate<'_>) -> String {
    match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA {}", key.key_size()),
        Ok(PublicKey::EC(key)) => format!("ECDSA P-{}", ecdsa_bits(key.key_size())),
        _ if is_ed25519(parsed) => "Ed25519".to_owned(),
        _ => "of another kind".to_owned(),
    }
}

/// By its OID (RFC 8410, section 3).
fn is_ed25519(parsed: &X509Certificate<'_>) -> bool {
    parsed.public_key().algorithm.algorithm.to_id_string() == "1.3.101.112"
}

/// The parser counts whole bytes, so P-521 is 528 bits.
fn ecdsa_bits(bits: usize) -> usize {
    if bits == 528 { 521 } else { bits }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_certificate_is_expiring_within_the_warning_time_or_in_the_last_third_of_its_lifetime() {
        let begins = Timestamp::from_second(1_800_000_000).unwrap();
        let after = |days: i64| begins + SignedDuration::from_hours(24 * days);
        let fortnight = Duration::from_secs(14 * 24 * 60 * 60);
        assert_eq!(renewed_by(begins, after(90), fortnight), after(76));
        assert_eq!(renewed_by(begins, after(42), fortnight), after(28));
        assert_eq!(renewed_by(begins, after(6), fortnight), after(4));
        assert_eq!(renewed_by(begins, after(90), Duration::ZERO), after(90));
        assert_eq!(renewed_by(begins, after(90), Duration::MAX), after(60));
        assert_eq!(renewed_by(after(6), begins, fortnight), begins);
        let all = renewed_by(Timestamp::MIN, Timestamp::MAX, Duration::MAX);
        assert!(all < Timestamp::MAX);
    }
}
