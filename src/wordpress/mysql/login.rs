//! How a user logs in, and where a password may be sent.
//!
//! The server chooses the authentication plugin, and a false server may choose one that reveals the
//! password. So the password itself is sent only over a socket or over TLS with a verified certificate.
//! Encrypted with a key that the server sends, or over TLS that was not verified, it is sent only to this
//! machine, to private addresses, or if the operator allows it.

use rsa::{Oaep, PublicKey, pkcs8::DecodePublicKey as _};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{
    MySqlError, MySqlOptions,
    greeting::{self, Greeting, NATIVE, Nonce},
    options::ServerKey,
    tls,
    wire::Wire,
};
use crate::secrets;

const CACHING_SHA2: &[u8] = b"caching_sha2_password";
const SHA256: &[u8] = b"sha256_password";
const CLEAR: &[u8] = b"mysql_clear_password";

/// More than any login has: two or three are usual.
const MOST_ROUNDS: usize = 8;
/// `utf8mb4_general_ci`, which every server has: the encoding of errors before the first statement.
const CHARACTER_SET: u8 = 45;
/// The largest packet that is announced to the server.
const MOST_SENT: u32 = 16 * 1024 * 1024;

#[derive(Debug, Clone, Copy)]
pub(super) struct Security {
    pub(super) over_socket: bool,
    pub(super) tls: bool,
    /// The certificate was verified.
    pub(super) verified: bool,
    /// The server is on this machine or at a private address.
    pub(super) near: bool,
}

impl Security {
    fn is_private(self) -> bool {
        self.over_socket || self.verified
    }

    /// Whether the password may be encrypted with a key that the server itself sends.
    fn may_trust_sent_key(self, key: &ServerKey) -> bool {
        self.is_private() || self.near || matches!(key, ServerKey::Trusted)
    }
}

/// The packet that requests TLS, before the login.
pub(super) fn tls_request(greeting: &Greeting) -> Vec<u8> {
    let mut packet = Vec::new();
    put_head(&mut packet, greeting, greeting::SSL);
    packet
}

fn put_head(packet: &mut Vec<u8>, greeting: &Greeting, more: u32) {
    // Neither LOCAL INFILE, nor several statements at once, nor several results.
    let desired = greeting::FOUND_ROWS
        | greeting::LONG_FLAG
        | greeting::TRANSACTIONS
        | greeting::PLUGIN_AUTH
        | greeting::CONNECT_WITH_DB;
    let capabilities = greeting.capabilities & desired
        | greeting::LONG_PASSWORD
        | greeting::PROTOCOL_41
        | greeting::SECURE_CONNECTION
        | more;
    packet.extend(capabilities.to_le_bytes());
    packet.extend(MOST_SENT.to_le_bytes());
    packet.push(CHARACTER_SET);
    packet.extend([0; 23]);
}

pub(super) async fn log_in(
    wire: &mut Wire,
    greeting: &Greeting,
    options: &MySqlOptions,
    security: Security,
) -> Result<(), MySqlError> {
    let password = options.password.as_str();
    let mut nonce = greeting.nonce.clone();
    // For any other default plugin, the answer is that of the native one: the server then asks for the
    // plugin of the user. Only a clear password is refused before that.
    let mut plugin = match greeting.plugin.as_slice() {
        plugin @ (CACHING_SHA2 | CLEAR) => plugin.to_vec(),
        _ => NATIVE.to_vec(),
    };
    let first = proof(&plugin, password, &nonce, security)?;
    let more = if security.tls { greeting::SSL } else { 0 };
    let mut packet = Vec::new();
    put_head(&mut packet, greeting, more);
    packet.extend([options.user.as_bytes(), &[0]].concat());
    // The length is one byte.
    let length = u8::try_from(first.len()).map_err(|_| MySqlError::LongPassword)?;
    packet.push(length);
    packet.extend(first);
    packet.extend([options.database.as_bytes(), &[0]].concat());
    if greeting.capabilities & greeting::PLUGIN_AUTH != 0 {
        packet.extend([plugin.as_slice(), &[0]].concat());
    }
    wire.send(&packet).await?;

    for _ in 0..MOST_ROUNDS {
        match wire.receive_no_error().await? {
            [0x00, ..] => return Ok(()),
            // A server older than MySQL 4.1, or a user created by one.
            [0xfe] => return Err(MySqlError::Plugin("mysql_old_password".to_owned())),
            [0xfe, asked @ ..] => {
                let end = asked.iter().position(|byte| *byte == 0).unwrap_or(asked.len());
                let (name, data) = asked.split_at(end);
                plugin = name.to_vec();
                if plugin == CLEAR {
                    // It uses no random bytes.
                    let proof = proof(&plugin, password, &nonce, security)?;
                    wire.send(&proof).await?;
                    continue;
                }
                if ![NATIVE, CACHING_SHA2, SHA256].contains(&plugin.as_slice()) {
                    let name = String::from_utf8_lossy(&plugin);
                    return Err(MySqlError::Plugin(secrets::excerpt(&name)));
                }
                nonce = Nonce::new(data.strip_prefix(&[0]).unwrap_or_default())?;
                if plugin == SHA256 {
                    send_password(wire, options, &nonce, security, FullAuthentication::SHA256)
                        .await?;
                } else {
                    wire.send(&proof(&plugin, password, &nonce, security)?).await?;
                }
            }
            // The password is in the server's cache: its next packet accepts the login.
            [0x01, 0x03] if plugin == CACHING_SHA2 => {}
            [0x01, 0x04] if plugin == CACHING_SHA2 => {
                send_password(wire, options, &nonce, security, FullAuthentication::CACHING_SHA2)
                    .await?;
            }
            _ => return Err(MySqlError::Protocol("it answers a login with an unexpected packet")),
        }
    }
    Err(MySqlError::Protocol("a login takes too many rounds"))
}

/// The answer that proves that we have the password.
fn proof(
    plugin: &[u8],
    password: &str,
    nonce: &Nonce,
    security: Security,
) -> Result<Vec<u8>, MySqlError> {
    match plugin {
        CLEAR if security.is_private() => Ok([password.as_bytes(), &[0]].concat()),
        CLEAR => Err(MySqlError::ClearPassword),
        _ if password.is_empty() => Ok(Vec::new()),
        // SHA256(password) ^ SHA256(SHA256(SHA256(password)) + nonce)
        CACHING_SHA2 => {
            let once = Sha256::digest(password);
            let twice = Sha256::digest(once);
            let pad = Sha256::new().chain_update(twice).chain_update(nonce.bytes()).finalize();
            Ok(xor(&once, &pad))
        }
        // SHA1(password) ^ SHA1(nonce + SHA1(SHA1(password)))
        _ => {
            let once = Sha1::digest(password);
            let twice = Sha1::digest(once);
            let pad = Sha1::new().chain_update(nonce.bytes()).chain_update(twice).finalize();
            Ok(xor(&once, &pad))
        }
    }
}

/// How a plugin requests the password itself.
struct FullAuthentication {
    /// The byte that requests the server's key.
    ask_for_key: u8,
    /// The server accepts the unencrypted password over a socket, as over TLS.
    clear_over_socket: bool,
}

impl FullAuthentication {
    const SHA256: Self = Self { ask_for_key: 0x01, clear_over_socket: false };
    const CACHING_SHA2: Self = Self { ask_for_key: 0x02, clear_over_socket: true };
}

/// Sends the password itself: unencrypted within TLS, otherwise encrypted with the server's key.
async fn send_password(
    wire: &mut Wire,
    options: &MySqlOptions,
    nonce: &Nonce,
    security: Security,
    plugin: FullAuthentication,
) -> Result<(), MySqlError> {
    let password = options.password.as_str();
    let password = [password.as_bytes(), &[0]].concat();
    if security.tls || security.over_socket && plugin.clear_over_socket || password == [0] {
        if password != [0] && !security.may_trust_sent_key(&options.server_key) {
            return Err(MySqlError::UnknownKey("TLS with a certificate that was not verified"));
        }
        return wire.send(&password).await;
    }
    let key = match &options.server_key {
        ServerKey::File(path) => tls::read("server-public-key-path", path).await?,
        key if security.may_trust_sent_key(key) => {
            wire.send(&[plugin.ask_for_key]).await?;
            match wire.receive_no_error().await? {
                [0x01, key @ ..] => key.to_vec(),
                _ => return Err(MySqlError::BadKey),
            }
        }
        _ => return Err(MySqlError::UnknownKey("RSA, without TLS")),
    };
    let key = public_key(&key).ok_or(MySqlError::BadKey)?;
    let masked = xor(&password, nonce.bytes());
    let encrypted = key.encrypt(&mut rand::rng(), Oaep::<Sha1>::new(), &masked);
    wire.send(&encrypted.map_err(|_| MySqlError::BadKey)?).await
}

fn public_key(pem: &[u8]) -> Option<PublicKey> {
    // The file that MySQL 9 creates ends with a zero byte.
    let pem = std::str::from_utf8(pem).ok()?.trim_end_matches('\0');
    PublicKey::from_public_key_pem(pem).ok()
}

fn xor(bytes: &[u8], pad: &[u8]) -> Vec<u8> {
    bytes.iter().zip(pad.iter().cycle()).map(|(byte, pad)| byte ^ pad).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{super::Address, *};

    const FAR: Security = Security { over_socket: false, tls: false, verified: false, near: false };

    #[test]
    fn a_clear_password_is_sent_only_over_private_connections() {
        let nonce = Nonce::new(&[7; 20]).unwrap();
        for (security, may) in [
            (Security { over_socket: true, ..FAR }, true),
            (Security { tls: true, verified: true, ..FAR }, true),
            (Security { tls: true, ..FAR }, false),
            (Security { tls: true, near: true, ..FAR }, false),
            (Security { near: true, ..FAR }, false),
            (FAR, false),
        ] {
            assert_eq!(proof(CLEAR, "secret", &nonce, security).is_ok(), may, "{security:?}");
        }
    }

    #[test]
    fn a_key_that_the_server_sends_is_trusted_only_nearby_or_by_an_option() {
        for (security, expected) in [
            (Security { over_socket: true, ..FAR }, true),
            (Security { tls: true, verified: true, ..FAR }, true),
            (Security { near: true, ..FAR }, true),
            (Security { tls: true, ..FAR }, false),
            (FAR, false),
        ] {
            assert_eq!(security.may_trust_sent_key(&ServerKey::Unknown), expected, "{security:?}");
            assert!(security.may_trust_sent_key(&ServerKey::Trusted));
        }
    }

    /// Logs in to a server with caching_sha2_password that asks for the password itself. Returns the
    /// outcome and everything that was sent.
    async fn ask_for_password(
        security: Security,
        server_key: ServerKey,
    ) -> (Result<(), MySqlError>, Vec<u8>) {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let address = Address::Host { name: "db".to_owned(), port: 3306 };
        let mut options = MySqlOptions::new(address, "wp".to_owned(), "w".to_owned());
        options.password = "a-secret".to_owned();
        options.server_key = server_key;
        let greeting = Greeting {
            capabilities: u32::MAX,
            plugin: CACHING_SHA2.to_vec(),
            nonce: Nonce::new(&[7; 20]).unwrap(),
        };
        theirs.write_all(&[2, 0, 0, 1, 1, 4]).await.unwrap();
        theirs.shutdown().await.unwrap();
        let login = async {
            let mut wire = Wire::resumed(Box::new(ours), 0);
            log_in(&mut wire, &greeting, &options, security).await
        };
        let mut sent = Vec::new();
        let (outcome, _) = tokio::join!(login, theirs.read_to_end(&mut sent));
        (outcome, sent)
    }

    #[tokio::test]
    async fn a_distant_server_does_not_get_the_password_by_its_own_key() {
        let message = |outcome: Result<(), MySqlError>| outcome.unwrap_err().to_string();
        let (outcome, sent) = ask_for_password(FAR, ServerKey::Unknown).await;
        assert!(message(outcome).contains("get-server-public-key=true"));
        assert!(sent.ends_with(b"caching_sha2_password\0"), "its key was asked for: {sent:?}");
        let unverified = Security { tls: true, ..FAR };
        let (outcome, sent) = ask_for_password(unverified, ServerKey::Unknown).await;
        assert!(message(outcome).contains("was not verified"));
        assert!(!sent.windows(8).any(|part| part == b"a-secret"));
        // The option allows asking for the key, and verified TLS allows sending the password.
        let (_, sent) = ask_for_password(FAR, ServerKey::Trusted).await;
        assert!(sent.ends_with(&[1, 0, 0, 2, 2]), "{sent:?}");
        let verified = Security { tls: true, verified: true, ..FAR };
        let (_, sent) = ask_for_password(verified, ServerKey::Unknown).await;
        assert!(sent.ends_with(b"a-secret\0"), "{sent:?}");
    }

    #[test]
    fn a_key_is_read_from_mysqls_own_file() {
        let pem = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCipPleGmEE1s1w815KiBur1XgR
kgkkVNtmEtHEH+HZeIe2X0nSLKgJlI0zYqZ7rL6K5fAwivRgkeoMC28WriKLmkwp
gCKa1L2RUivoQfHchmRW6po14gw8aYzS5brCQPeBIuF6wKim1QsUjqTwOweYpPIu
fA+xxZlTs875jXRaEQIDAQAB
-----END PUBLIC KEY-----
";
        assert!(public_key(pem.as_bytes()).is_some());
        assert!(public_key(format!("{pem}\0").as_bytes()).is_some());
        assert!(public_key(b"\xff").is_none());
    }

    /// The server stores SHA1(SHA1(password)) or SHA256(SHA256(password)).
    #[test]
    fn proofs_are_accepted_by_a_server() {
        let nonce = Nonce::new(b"0123456789abcdefghij").unwrap();
        let native = proof(NATIVE, "secret", &nonce, FAR).unwrap();
        let twice = Sha1::digest(Sha1::digest("secret"));
        let pad = Sha1::digest([nonce.bytes().as_slice(), twice.as_slice()].concat());
        assert_eq!(Sha1::digest(xor(&native, &pad)), twice);

        let caching = proof(CACHING_SHA2, "secret", &nonce, FAR).unwrap();
        let twice = Sha256::digest(Sha256::digest("secret"));
        let pad = Sha256::digest([twice.as_slice(), nonce.bytes().as_slice()].concat());
        assert_eq!(Sha256::digest(xor(&caching, &pad)), twice);
        assert!(proof(NATIVE, "", &nonce, FAR).unwrap().is_empty());
    }
}
