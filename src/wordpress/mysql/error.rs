use std::io;

use thiserror::Error;

/// Why a MySQL or MariaDB server could not be used. No case holds the password.
#[derive(Debug, Error)]
pub(in super::super) enum MySqlError {
    /// The connection does not come about, or breaks off.
    #[error("{0}")]
    Io(io::Error),
    /// The server's own error.
    #[error("{}", if .message.is_empty() { format!("error {code}, without a reason") } else { message.clone() })]
    Server {
        /// Its number.
        code: u16,
        /// Its text.
        message: String,
    },
    /// The server does not keep to the protocol.
    #[error(
        "what answers does not speak MySQL's protocol as it should: {0}; is this a MySQL or MariaDB server, and is it well?"
    )]
    Garbled(&'static str),
    /// A single row is too large.
    #[error(
        "it sends a row of 16 MiB or more, which no table of a network has; is this the network's database?"
    )]
    HugeRow,
    /// TLS is required, and the server has none.
    #[error(
        "the server offers no TLS, and TLS is required here (ssl-mode in wordpress.database_url, or MYSQL_CLIENT_FLAGS in wp-config.php); let the server offer it, or do not require it"
    )]
    NoTls,
    /// TLS does not come about.
    #[error(
        "TLS fails ({0}); mend the server's TLS, or choose another ssl-mode in wordpress.database_url, as in ?ssl-mode=disabled"
    )]
    TlsFailed(String),
    /// A file of the options cannot be used.
    #[error("{option} of wordpress.database_url: {reason}")]
    File {
        /// The option that names it.
        option: &'static str,
        /// The file, and what is wrong with it.
        reason: String,
    },
    /// A way to log in that is not known here.
    #[error(
        "this user logs in by the authentication plugin {0:?}, which closte-sync does not have; give closte-sync a user with mysql_native_password or caching_sha2_password (CREATE USER … IDENTIFIED VIA mysql_native_password on MariaDB, IDENTIFIED WITH caching_sha2_password on MySQL)"
    )]
    Plugin(String),
    /// The password would be sent in clear text.
    #[error(
        "the server asks for the password in clear text (mysql_clear_password), and it was not sent: that is done only over a socket or over TLS whose certificate is verified; set ?ssl-mode=verify-identity (with ssl-ca=/path/to/ca.pem where the authority is your own) in wordpress.database_url, or give closte-sync a user with caching_sha2_password or mysql_native_password"
    )]
    ClearPassword,
    /// The password would be sent to whoever answers.
    #[error(
        "the server asks for the password itself, to be read by its own key ({0}), and it was not sent: whoever stands between could put a key of their own there; set ?ssl-mode=verify-identity (with ssl-ca=/path/to/ca.pem where the authority is your own), server-public-key-path=/path/to/public_key.pem without TLS, or get-server-public-key=true to trust the network, in wordpress.database_url"
    )]
    UnknownKey(&'static str),
    /// The first answer has room for 255 bytes.
    #[error(
        "this server cannot take a password of more than 255 bytes at once; give closte-sync a user with a shorter one"
    )]
    LongPassword,
    /// The server's key is no key.
    #[error(
        "the password cannot be encrypted with the server's public key; is it an RSA key in PEM?"
    )]
    BadKey,
}

impl From<io::Error> for MySqlError {
    fn from(error: io::Error) -> Self {
        Self::Io(match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")
            }
            _ => error,
        })
    }
}

impl MySqlError {
    /// What the server says to a plain connection, after one with TLS has failed.
    pub(super) fn after_tls_failed(self, reason: &str) -> Self {
        match self {
            Self::Server { code, message } => Self::Server {
                code,
                message: format!(
                    "{message}; if this user must use TLS: TLS fails ({reason}), see ssl-mode in wordpress.database_url"
                ),
            },
            other => other,
        }
    }
}
