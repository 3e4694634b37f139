//! `[notify]`

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use reqwest::Url;

use super::{kinds::TargetKind, topics::Selection};
use crate::{
    language::Language,
    near::is_near_host,
    secrets,
    settings::{Reader, Table},
};

/// The most targets.
const MOST_TARGETS: usize = 32;
/// Part of an address that is shorter is no secret.
const SHORTEST_SECRET: usize = 12;

/// `[notify]`
#[derive(Debug, Clone)]
pub struct NotifyConfig {
    pub targets: Vec<NotifyTarget>,
    /// How long a message waits for others to join it.
    pub group_wait: Duration,
    /// Called after good cycles.
    pub heartbeat_url: Option<SecretUrl>,
    /// The language of what the owners of domains are told.
    pub language: Language,
}

/// A place where people are told.
#[derive(Debug, Clone, PartialEq)]
pub struct NotifyTarget {
    pub name: String,
    pub selection: Selection,
    pub kind: TargetKind,
}

/// An address that is a secret: `Debug` shows `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// The whole address, for calls only.
    pub(super) fn expose(&self) -> &Url {
        &self.0
    }
}

impl FromStr for SecretUrl {
    type Err = String;

    /// Fails with a reason that does not repeat the text.
    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim()).map_err(|_| "it is not a web address")?;
        let host = url.host_str().ok_or("it is not a web address")?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_near_host(host)) {
            return Err("it must begin with https:// (http:// is for this machine, a private \
                        address, and a name without a dot, as inside Docker)"
                .to_owned());
        }
        secrets::learn(url.as_str(), host);
        for part in
            [url.path(), url.query().unwrap_or_default(), url.password().unwrap_or_default()]
        {
            if part.len() >= SHORTEST_SECRET {
                secrets::learn(part, host);
            }
        }
        Ok(Self(url))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretUrl(***)")
    }
}

impl NotifyConfig {
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let mut section = reader.section("notify");
        let tables = section.tables("targets");
        let group_wait =
            section.duration_up_to("group_wait", Duration::ZERO, Duration::from_secs(3_600));
        let language = section.parse("language");
        let heartbeat_url = section.optional("heartbeat_url");
        let mut targets = Vec::new();
        let mut names = BTreeSet::new();
        let tables = tables?;
        let number = tables.len();
        for (place, table) in tables.into_iter().enumerate() {
            let target = NotifyTarget::read(table).and_then(|target| {
                let is_new = names.insert(target.name.clone());
                if is_new { Ok(target) } else { Err("another target has its name".to_owned()) }
            });
            let target = target.map_err(|why| format!("number {}: {why}", place + 1));
            targets.extend(section.check("targets", target));
        }
        if number > MOST_TARGETS {
            section.problem(format!("notify.targets: at most {MOST_TARGETS}"));
        }
        let shown: Vec<String> =
            targets.iter().map(|one| format!("{} ({})", one.name, one.kind.as_str())).collect();
        section.show("targets", shown.join(", "), None);
        (targets.len() == number).then_some(Self {
            targets,
            group_wait: group_wait?,
            heartbeat_url: heartbeat_url?,
            language: language?,
        })
    }
}

impl NotifyTarget {
    fn read(mut table: Table) -> Result<Self, String> {
        let name = table.required("name")?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.len() > 64 || !name.chars().all(is_name) {
            return Err("name: it must be letters, digits, - and _".to_owned());
        }
        let of_name = |why: String| format!("{name}: {why}");
        let kind = table.required("kind").map_err(of_name)?;
        let kind = TargetKind::read(&kind, &mut table).map_err(of_name)?;
        let selection = match table.list("events").map_err(of_name)? {
            None => Selection::standard(),
            Some(events) => Selection::of(events)
                .map_err(|unknown| of_name(format!("events: there is no event {unknown:?}")))?,
        };
        table.finish().map_err(of_name)?;
        Ok(Self { name, selection, kind })
    }
}
