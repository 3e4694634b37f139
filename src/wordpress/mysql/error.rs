use std::io;

use thiserror::Error;

/// Why a MySQL or MariaDB server could not be used. No variant holds the password.
#[derive(Debug, Error)]
pub(in super::super) enum MySqlError {
    #[error("{0}")]
    Io(io::Error),
    #[error("{}", if .message.is_empty() { format!("error {code}, without a reason") } else { message.clone() })]
    Server { code: u16, message: String },
    /// The server violates the protocol.
    #[error(
        "the server does not follow MySQL's protocol: {0}; check that this is a MySQL or MariaDB server, and check its own log"
    )]
    Protocol(&'static str),
    #[error(
        "it sends a row of 16 MiB or more, which no table of a network has; check that this is the network's database"
    )]
    HugeRow,
    #[error(
        "the server offers no TLS, and TLS is required here (ssl-mode in wordpress.database_url, or MYSQL_CLIENT_FLAGS in wp-config.php); let the server offer it, or do not require it"
    )]
    NoTls,
    #[error(
        "TLS fails ({0}); fix the server's TLS, or choose another ssl-mode in wordpress.database_url, as in ?ssl-mode=disabled"
    )]
    TlsFailed(String),
    #[error("{option} of wordpress.database_url: {reason}")]
    File { option: &'static str, reason: String },
    #[error(
        "this user logs in with the authentication plugin {0:?}, which closte-sync does not support; give closte-sync a user with mysql_native_password or caching_sha2_password (CREATE USER … IDENTIFIED VIA mysql_native_password on MariaDB, IDENTIFIED WITH caching_sha2_password on MySQL)"
    )]
    Plugin(String),
    #[error(
        "the server asks for the password in clear text (mysql_clear_password), and it was not sent: it is only sent over a socket or over TLS with a verified certificate; set ?ssl-mode=verify-identity (with ssl-ca=/path/to/ca.pem where the authority is your own) in wordpress.database_url, or give closte-sync a user with caching_sha2_password or mysql_native_password"
    )]
    ClearPassword,
    /// Anybody who answers in the server's place could read the password.
    #[error(
        "the server asks for the password itself, encrypted with a key that it sends ({0}), and it was not sent: an attacker on the network could have replaced the key; set ?ssl-mode=verify-identity (with ssl-ca=/path/to/ca.pem where the authority is your own), server-public-key-path=/path/to/public_key.pem without TLS, or get-server-public-key=true to trust the network, in wordpress.database_url"
    )]
    UnknownKey(&'static str),
    /// The login packet has room for 255 bytes.
    #[error(
        "this server does not accept a password of more than 255 bytes; give closte-sync a user with a shorter one"
    )]
    LongPassword,
    #[error(
        "the password cannot be encrypted with the server's public key; check that it is an RSA key in PEM"
    )]
    BadKey,
}

impl From<io::Error> for MySqlError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        Self::Io(match kind {
            io::ErrorKind::UnexpectedEof => {
                io::Error::new(kind, "the server closed the connection")
            }
            _ => error,
        })
    }
}

impl MySqlError {
    /// Adds to the error of an unencrypted connection why TLS failed before it.
    pub(super) fn after_tls_failed(self, reason: &str) -> Self {
        let Self::Server { code, message } = self else { return self };
        let message = format!(
            "{message}; if this user must use TLS: TLS fails ({reason}), see ssl-mode in wordpress.database_url"
        );
        Self::Server { code, message }
    }
}
