//! E-mail, as text and HTML, in one thread for each domain.

use std::{fmt, time::Duration};

use lettre::{
    AsyncSmtpTransport, Message as Mail, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        self,
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use reqwest::Url;

use super::SecretToken;
use crate::{
    escape::escape_line,
    near::is_near_host,
    notify::message::{Group, Item, Message, Urgency},
    secrets,
    settings::Table,
};

/// The longest time for a mail.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where mails go, and through which server.
#[derive(Clone, PartialEq)]
pub struct EmailTarget {
    host: String,
    port: u16,
    encryption: Encryption,
    user: Option<String>,
    password: Option<SecretToken>,
    sender: Mailbox,
    receivers: Vec<Mailbox>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// From the first byte.
    Always,
    StartTls,
    /// On this machine or in its own network, where certificates are rare.
    None,
}

impl fmt::Debug for EmailTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailTarget").field("host", &self.host).finish_non_exhaustive()
    }
}

impl EmailTarget {
    pub(super) fn read(table: &mut Table) -> Result<Self, String> {
        const SERVER: &str = "server: it must be smtp://host:587 or smtps://host:465";
        let server: Url = table.required("server")?.parse().map_err(|_| SERVER)?;
        let host = server.host_str().ok_or(SERVER)?.to_owned();
        let is_whole = server.username().is_empty()
            && server.password().is_none()
            && matches!(server.path(), "" | "/")
            && server.query().is_none();
        if !is_whole {
            return Err(format!("{SERVER}; the user and the password are keys of their own"));
        }
        let (encryption, port) = match server.scheme() {
            "smtps" => (Encryption::Always, 465),
            // A URL of this scheme has its host as text.
            "smtp" if is_near_host(&host) => (Encryption::None, 25),
            "smtp" => (Encryption::StartTls, 587),
            _ => return Err(SERVER.to_owned()),
        };
        let user = table.optional("user")?;
        let password = table.secret("password", "password_file")?;
        if user.is_some() != password.is_some() {
            return Err("user and password belong together".to_owned());
        }
        let mailbox = |key: &str, text: &str| {
            text.parse::<Mailbox>().map_err(|_| format!("{key}: {text:?} is not an e-mail address"))
        };
        let sender = mailbox("sender", &table.required("sender")?)?;
        let receivers = table.list("receivers")?.unwrap_or_default();
        let receivers: Result<Vec<_>, _> =
            receivers.iter().map(|text| mailbox("receivers", text)).collect();
        let receivers = receivers?;
        if receivers.is_empty() {
            return Err("receivers is not set".to_owned());
        }
        if let Some(password) = &password {
            secrets::learn(password, &host);
        }
        Ok(Self {
            host,
            port: server.port().unwrap_or(port),
            encryption,
            user,
            password: password.map(|text| SecretToken(text.into())),
            sender,
            receivers,
        })
    }

    /// The mail; fails only if an address cannot be written into a header.
    pub(super) fn render(&self, name: &str, message: &Message) -> Result<Mail, String> {
        let domain = self.sender.email.domain();
        let raw = |name: &'static str, value: String| {
            HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
        };
        let mut mail = Mail::builder()
            .from(self.sender.clone())
            .subject(&message.title)
            .message_id(Some(format!("<{}@{domain}>", message.id)))
            .raw_header(raw("List-Id", format!("<{name}.closte-sync.{domain}>")))
            // https://www.rfc-editor.org/rfc/rfc3834
            .raw_header(raw("Auto-Submitted", "auto-generated".to_owned()));
        for receiver in &self.receivers {
            mail = mail.to(receiver.clone());
        }
        if let Some(of) = message.domain() {
            let thread = format!("<{of}.closte-sync@{domain}>");
            mail = mail.in_reply_to(thread.clone()).references(thread);
        }
        mail.multipart(MultiPart::alternative_plain_html(message.text(), html(message)))
            .map_err(|error| error.to_string())
    }

    pub(crate) fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, smtp::Error> {
        let parameters = || TlsParameters::new(self.host.clone());
        let tls = match self.encryption {
            Encryption::Always => Tls::Wrapper(parameters()?),
            Encryption::StartTls => Tls::Required(parameters()?),
            Encryption::None => Tls::None,
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.host.clone())
                .port(self.port)
                .tls(tls)
                .timeout(Some(TIMEOUT));
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            let password = password.expose().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(builder.build())
    }
}

fn html(message: &Message) -> String {
    let groups: String = message.groups.iter().map(|group| section(group, message)).collect();
    let notes: String =
        message.notes().iter().map(|note| format!("<p>{}</p>\n", escape(note))).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body style=\"font-family:sans-serif\">\n<h1 style=\"font-size:1.2em\">{title}</h1>\n\
         {groups}{notes}</body></html>\n",
        title = escape(&message.title),
    )
}

fn section(group: &Group, message: &Message) -> String {
    let color = match group.urgency() {
        Urgency::Error => "#d32f2f",
        Urgency::Warning => "#f57c00",
        Urgency::Info => "#1976d2",
        Urgency::Good => "#388e3c",
    };
    let items: String = group.items.iter().map(|item| line(item, message)).collect();
    let more = group.more().map(|more| format!("<li>{}</li>\n", escape(&more)));
    format!(
        "<h2 style=\"font-size:1em;border-left:4px solid {color};padding-left:8px\">{}</h2>\n\
         <ul>\n{items}{}</ul>\n",
        escape(&group.heading()),
        more.unwrap_or_default(),
    )
}

fn line(item: &Item, message: &Message) -> String {
    let subject = escape(&escape_line(&item.subject));
    let subject =
        if subject.is_empty() { subject } else { format!("<strong>{subject}</strong>, ") };
    let advice = item.advice.as_ref().map(|advice| format!(": {}", escape(&escape_line(advice))));
    let time = escape(&item.time(message.at));
    format!("<li>{subject}{time}{}</li>\n", advice.unwrap_or_default())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
