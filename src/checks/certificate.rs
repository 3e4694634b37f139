//! What the certificates that a server shows mean. Pure.

use std::time::Duration;

use jiff::Timestamp;
use rustls::{
    CertificateError as Wrong, Error as TlsError,
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

/// The most names of a certificate that are remembered.
const MOST_NAMES: usize = 20;
/// An RSA key of fewer bits is none for browsers.
const LEAST_RSA: usize = 2048;
/// What is not for signing any more: SHA-1 and MD5, with RSA and with ECDSA.
const WEAK_SIGNATURES: [(&str, &str); 4] = [
    ("1.2.840.113549.1.1.5", "SHA-1"),
    ("1.2.840.10045.4.1", "SHA-1"),
    ("1.3.14.3.2.29", "SHA-1"),
    ("1.2.840.113549.1.1.4", "MD5"),
];

/// When a certificate should have been renewed: so long before its end as the settings say, but not in
/// the first two thirds of its time. There are some for six days.
fn renewed_by(begins: Timestamp, ends: Timestamp, expiry_warning: Duration) -> Timestamp {
    let lifetime: Duration = ends.duration_since(begins).try_into().unwrap_or_default();
    ends.checked_sub(expiry_warning.min(lifetime / 3)).unwrap_or(Timestamp::MIN)
}

/// What a chain means. Trust is judged at a time at which the certificate itself is valid, so that
/// its age is a matter of its own.
pub(super) fn judge(
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
        // Of whom it is for the verifier speaks last, but what is wrong with a stranger's certificate
        // is no fault of the name's own.
        Err(_) if is_for_others(leaf, name) => (SslVerdict::WrongName, None),
        Err(TlsError::InvalidCertificate(wrong)) => {
            explain(&wrong, &certificate, &parsed, &others, at)
        }
        Err(_) => (SslVerdict::HandshakeFailed, Some(NOT_AS_IT_SHOULD.to_owned())),
    };
    SslResult { verdict, certificate: Some(certificate), error, ..SslResult::unknown("") }
}

const NOT_AS_IT_SHOULD: &str = "its certificate is not as those of servers should be";

/// Why a chain is not trusted.
fn explain(
    wrong: &Wrong,
    certificate: &Certificate,
    leaf: &X509Certificate<'_>,
    others: &[X509Certificate<'_>],
    at: UnixTime,
) -> (SslVerdict, Option<String>) {
    match wrong {
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            (SslVerdict::WrongName, None)
        }
        // Of one above it: its own time was provided for.
        Wrong::Expired | Wrong::ExpiredContext { .. } => {
            let at = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
            let is_over = |one: &&X509Certificate<'_>| one.validity().not_after.timestamp() < at;
            let which = others.iter().find(is_over).map_or_else(
                || "the certificate of its issuer".to_owned(),
                |one| {
                    format!(
                        "the certificate of {}, which the server sends,",
                        in_words(one.subject())
                    )
                },
            );
            (SslVerdict::ExpiredIssuer, Some(format!("{which} has expired")))
        }
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => (
            SslVerdict::UnknownIssuer,
            Some("the time of its issuer's certificate has not begun".to_owned()),
        ),
        Wrong::UnknownIssuer if certificate.is_of_cloudflares_origin() => {
            (SslVerdict::UnknownIssuer, None)
        }
        Wrong::UnknownIssuer => match lacks_issuer(leaf, others) {
            // Public authorities issue through an intermediate, which the server has to send.
            Some(one) if one == leaf => {
                let missing = in_words(leaf.issuer());
                let why = format!("the server does not send the certificate of {missing}");
                (SslVerdict::IncompleteChain, Some(why))
            }
            // It may lack a further one; more often it is that of a root which browsers do not know,
            // and no server sends its root.
            Some(one) => {
                let (end, issuer) = (in_words(one.subject()), in_words(one.issuer()));
                let why = format!("what the server sends ends with {end}, which {issuer} issued");
                (SslVerdict::UnknownIssuer, Some(why))
            }
            None => (SslVerdict::UnknownIssuer, None),
        },
        _ => match (weak_spot(leaf, others), wrong) {
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
                Some("its issuer signs in a way that closte-sync cannot check".to_owned()),
            ),
            (None, Wrong::InvalidPurpose | Wrong::InvalidPurposeContext { .. }) => {
                (SslVerdict::HandshakeFailed, Some("its certificate is not for servers".to_owned()))
            }
            _ => (SslVerdict::HandshakeFailed, Some(NOT_AS_IT_SHOULD.to_owned())),
        },
    }
}

fn is_for_others(leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    ParsedCertificate::try_from(leaf).is_ok_and(|leaf| verify_server_name(&leaf, name).is_err())
}

/// The first one, from the leaf upwards, whose issuer's certificate is not there; none where the chain
/// ends in one that issued itself.
fn lacks_issuer<'a>(
    leaf: &'a X509Certificate<'a>,
    others: &'a [X509Certificate<'a>],
) -> Option<&'a X509Certificate<'a>> {
    let mut top = leaf;
    // They may lead in a circle.
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

/// Why browsers do not take the key of a certificate that is trusted.
fn unfit_key(leaf: &X509Certificate<'_>) -> Option<(SslVerdict, String)> {
    match leaf.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < LEAST_RSA => {
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

/// What in the chain is too weak for browsers.
fn weak_spot(leaf: &X509Certificate<'_>, others: &[X509Certificate<'_>]) -> Option<String> {
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
    // How a root is signed does not matter: it is trusted by itself.
    let intermediates = || others.iter().filter(|one| one.subject() != one.issuer());
    let signed = intermediates().find_map(|one| Some((one, signature(one)?)));
    if let Some((one, how)) = signed {
        return Some(format!(
            "the certificate of {} is signed with {how}",
            in_words(one.subject())
        ));
    }
    others.iter().find_map(|one| match one.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < LEAST_RSA => {
            Some(format!("the key of {} is only RSA {}", in_words(one.subject()), key.key_size()))
        }
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
        issuer: in_words(parsed.issuer()),
        names: names.by_ref().take(MOST_NAMES).collect(),
        more_names: names.count(),
        not_before: time(parsed.validity().not_before.timestamp()),
        not_after: time(parsed.validity().not_after.timestamp()),
        key: key_in_words(parsed),
    }
}

/// Organisation and common name, such as `Let's Encrypt R11`; some authorities have a unit instead of
/// the latter.
fn in_words(name: &X509Name<'_>) -> String {
    let organisation = name.iter_organization().next();
    let own = name.iter_common_name().chain(name.iter_organizational_unit()).next();
    let parts = organisation.into_iter().chain(own);
    let parts: Vec<&str> = parts.filter_map(|part| part.as_str().ok()).collect();
    excerpt(&if parts.is_empty() { name.to_string() } else { parts.join(" ") })
}

fn key_in_words(parsed: &X509Certificate<'_>) -> String {
    match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA {}", key.key_size()),
        Ok(PublicKey::EC(key)) => format!("ECDSA P-{}", ecdsa_bits(key.key_size())),
        _ if is_ed25519(parsed) => "Ed25519".to_owned(),
        _ => "of another kind".to_owned(),
    }
}

/// By its number in RFC 8410, section 3.
fn is_ed25519(parsed: &X509Certificate<'_>) -> bool {
    parsed.public_key().algorithm.algorithm.to_id_string() == "1.3.101.112"
}

/// The parser counts in whole bytes.
fn ecdsa_bits(bits: usize) -> usize {
    if bits == 528 { 521 } else { bits }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_certificate_is_expiring_so_long_before_its_end_or_in_the_last_third_of_its_time() {
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
