//! JSON, signed as <https://www.standardwebhooks.com> says: HMAC-SHA256 of the id, the time and the body.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use reqwest::header::HeaderName;
use sha2::Sha256;

use super::Post;
use crate::{
    notify::{config::SecretUrl, message::Message},
    secrets,
};

/// The shortest key, in bytes.
const SHORTEST_KEY: usize = 16;

/// The key of a webhook's signature. `Debug` shows `***`.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>, Vec<u8>);

impl SigningKey {
    /// `whsec_` and base64, or any other text as it is.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        secrets::learn(text, "");
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => {
                STANDARD.decode(encoded).map_err(|_| "secret: after whsec_ it must be base64")?
            }
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < SHORTEST_KEY {
            return Err(format!("secret: it must have at least {SHORTEST_KEY} bytes"));
        }
        let mac = Hmac::new_from_slice(&bytes).map_err(|_| "secret: it cannot be a key")?;
        Ok(Self(mac, bytes))
    }

    fn signature(&self, id: &str, seconds: i64, body: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.1 == other.1
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

pub(super) fn render(
    url: &SecretUrl,
    key: Option<&SigningKey>,
    message: &Message,
    now: Timestamp,
) -> Post {
    let body = serde_json::to_string(message).unwrap_or_default();
    let seconds = now.as_second();
    let header = HeaderName::from_static;
    let signature = key.map(|key| key.signature(&message.id, seconds, &body));
    let post = Post::json(url.expose().clone(), body)
        .with_header(header("webhook-id"), &message.id)
        .with_header(header("webhook-timestamp"), &seconds.to_string());
    match signature {
        Some(signature) => post.with_header(header("webhook-signature"), &signature),
        None => post,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signature = key.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for bad in ["whsec_???", "whsec_c2hvcnQ=", "short"] {
            assert!(SigningKey::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{key:?}"), "SigningKey(***)");
    }
}
