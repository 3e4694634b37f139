use super::{MySqlError, values::ProtocolReader};

/// A server's first packet: <https://mariadb.com/kb/en/connection/#initial-handshake-packet>.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) capabilities: u32,
    /// The server's default authentication plugin. A user's own may be another.
    pub(super) plugin: Vec<u8>,
    pub(super) nonce: Nonce,
}

/// The server's random bytes, which prevent that an answer is used twice.
#[derive(Debug, Clone)]
pub(super) struct Nonce([u8; 20]);

impl Nonce {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, MySqlError> {
        let nonce = bytes.strip_suffix(&[0]).filter(|bytes| bytes.len() == 20).unwrap_or(bytes);
        // The answer to a shorter one would be easier to attack.
        nonce
            .try_into()
            .map(Self)
            .map_err(|_| MySqlError::Protocol("it sends too few random bytes"))
    }

    pub(super) fn bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// The plugin of servers that name none.
pub(super) const NATIVE: &[u8] = b"mysql_native_password";

pub(super) const LONG_PASSWORD: u32 = 1;
pub(super) const FOUND_ROWS: u32 = 1 << 1;
pub(super) const LONG_FLAG: u32 = 1 << 2;
pub(super) const CONNECT_WITH_DB: u32 = 1 << 3;
pub(super) const PROTOCOL_41: u32 = 1 << 9;
pub(super) const SSL: u32 = 1 << 11;
pub(super) const TRANSACTIONS: u32 = 1 << 13;
pub(super) const SECURE_CONNECTION: u32 = 1 << 15;
pub(super) const PLUGIN_AUTH: u32 = 1 << 19;

impl Greeting {
    pub(super) fn parse(packet: &[u8]) -> Result<Self, MySqlError> {
        let mut values = ProtocolReader::new(packet);
        if values.byte()? != 10 {
            return Err(MySqlError::Protocol("its version of the protocol is not 10"));
        }
        let _version = values.until_zero()?;
        let _connection = values.integer(4)?;
        let mut nonce = values.bytes(8)?.to_vec();
        values.bytes(1)?;
        let low = values.integer(2)? as u32;
        let _character_set = values.byte()?;
        let _status = values.integer(2)?;
        let capabilities = low | (values.integer(2)? as u32) << 16;
        let needed = PROTOCOL_41 | SECURE_CONNECTION;
        if capabilities & needed != needed {
            return Err(MySqlError::Protocol("it is older than MySQL 4.1"));
        }
        let nonce_length = usize::from(values.byte()?);
        values.bytes(10)?;
        nonce.extend(values.bytes(nonce_length.saturating_sub(8).max(13))?);
        let plugin = match capabilities & PLUGIN_AUTH {
            0 => NATIVE,
            // Some servers send it without the zero byte at its end.
            _ => values.until_zero().unwrap_or(values.rest()),
        };
        Ok(Self { capabilities, plugin: plugin.to_vec(), nonce: Nonce::new(&nonce)? })
    }

    pub(super) fn offers_tls(&self) -> bool {
        self.capabilities & SSL != 0
    }
}

/// The first packet of our relay. It asks for no password, and offers only what the server offers.
pub(super) fn of_relay() -> Vec<u8> {
    let [one, two, three, four] =
        (LONG_PASSWORD | FOUND_ROWS | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION).to_le_bytes();
    let mut packet = b"\n8.0.0\0".to_vec();
    // The connection's number, eight random bytes, and a zero.
    packet.extend([0; 4 + 8 + 1]);
    // Two halves of the capabilities, with a character set and a status between them.
    packet.extend([one, two, 0, 0, 0, three, four]);
    // The length of the random bytes, ten reserved bytes, and the rest of the random bytes.
    packet.extend([0; 1 + 10 + 13]);
    packet
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MYSQL: &[u8] = b"\n8.0.18\x00\x19\x00\x00\x00\x114aB0c\x06g\x00\xff\xff\xff\x02\x00\xff\xc7\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00tL\x03s\x0f[4\rl4. \x00caching_sha2_password\x00";

    #[test]
    fn a_greeting_is_parsed() {
        let greeting = Greeting::parse(MYSQL).unwrap();
        assert_eq!(greeting.plugin, b"caching_sha2_password");
        assert_eq!(greeting.nonce.bytes(), b"\x114aB0c\x06gtL\x03s\x0f[4\rl4. ");
        assert!(greeting.offers_tls());
    }

    #[test]
    fn a_cut_greeting_is_refused() {
        // Only the plugin's name may be missing.
        let whole = MYSQL.len() - b"caching_sha2_password\x00".len();
        for length in 0..whole {
            assert!(Greeting::parse(&MYSQL[..length]).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(tail in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Greeting::parse(&tail);
            let _ = Greeting::parse(&[b"\n8\0", tail.as_slice()].concat());
        }
    }
}
