//! A small WordPress with the plugin beside the practice Closte. It reads and writes the network's own
//! database, and answers as plugin 2.14.2 on WordPress 7.0.1 answered.

mod api;
mod front;
mod tables;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
};

use axum::body::Bytes;
use hyper::{
    Method,
    header::{self, HeaderMap, HeaderValue},
};

use self::tables::{Mapping, Tables};
use super::{WebAnswer, WebRequest, lock};

pub(super) use front::served;

/// A WordPress on a network's database. Clones are handles of the same one.
#[derive(Clone)]
pub struct WordPress {
    shared: Arc<Shared>,
}

struct Shared {
    tables: Tables,
    habits: Mutex<Habits>,
    caches: Mutex<Caches>,
}

/// How this WordPress is set up, apart from its database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of WordPress")]
pub struct Habits {
    /// A network in subdomains; else in subdirectories.
    pub subdomains: bool,
    /// Whether there are rewrite rules.
    pub pretty_permalinks: bool,
    /// The constant NOBLOGREDIRECT.
    pub no_blog_redirect: Option<String>,
    /// An update of WordPress is running.
    pub is_updating: bool,
    /// A persistent object cache keeps rows over requests.
    pub object_cache: bool,
    /// A page cache keeps front pages.
    pub page_cache: bool,
    /// Sites that are closed.
    pub closed: HashMap<i64, Closed>,
}

/// Why a site shows no front page, though it is mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// The plugin's maintenance mode.
    Maintenance,
    /// The site's membership has ended.
    Suspended,
    /// The same, with a block page at this address.
    SuspendedTo(String),
    /// The theme has a fatal error.
    FatalError,
}

#[derive(Default)]
struct Caches {
    /// By name; none is the plugin's `notexists`.
    rows: HashMap<String, Option<Mapping>>,
    pages: HashMap<String, WebAnswer>,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            subdomains: true,
            pretty_permalinks: true,
            no_blog_redirect: None,
            is_updating: false,
            object_cache: false,
            page_cache: false,
            closed: HashMap::new(),
        }
    }
}

impl WordPress {
    /// `url` is that of the network's database, for a user who may write. The tables begin with `wp_`.
    ///
    /// # Errors
    /// When it is no such address.
    pub fn open(url: &str) -> Result<Self, sqlx::Error> {
        let tables = Tables::open(url)?;
        Ok(Self {
            shared: Arc::new(Shared { tables, habits: Mutex::default(), caches: Mutex::default() }),
        })
    }

    /// Changes how it is set up.
    pub fn change(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut lock(&self.shared.habits));
    }

    /// Empties the object cache.
    pub fn flush(&self) {
        lock(&self.shared.caches).rows.clear();
    }

    /// What a browser gets for the front page of a host.
    pub async fn visit(&self, host: &str) -> WebAnswer {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
        let request = WebRequest {
            is_tls: true,
            method: Method::GET,
            host: host.to_owned(),
            path: "/".to_owned(),
            headers,
            body: Bytes::new(),
        };
        self.answer(&request).await
    }

    pub(super) async fn answer(&self, request: &WebRequest) -> WebAnswer {
        let habits = lock(&self.shared.habits).clone();
        let key = format!("{} {}{}", request.scheme(), request.host, request.path);
        let is_cached = habits.page_cache && front::is_for_a_page_cache(request);
        if is_cached && let Some(page) = lock(&self.shared.caches).pages.get(&key) {
            return page.clone();
        }
        let answer = match self.load(request, &habits).await {
            Ok(answer) => answer,
            Err(error) => front::database_error(&error),
        };
        if is_cached && answer.status == 200 {
            let mut page = answer.clone();
            page.headers.retain(|(name, _)| *name != "link");
            lock(&self.shared.caches).pages.insert(key, page);
        }
        answer
    }

    /// The row that decides for a host, as the plugin finds it.
    async fn mapping(&self, host: &str, habits: &Habits) -> Result<Option<Mapping>, sqlx::Error> {
        let names = front::names(host);
        if habits.object_cache {
            let caches = lock(&self.shared.caches);
            let known: Vec<_> = names.iter().filter_map(|name| caches.rows.get(name)).collect();
            if let Some(found) = known.iter().find_map(|row| row.as_ref()) {
                return Ok(Some(found.clone()));
            }
            if known.len() == names.len() {
                return Ok(None);
            }
        }
        let found = self.shared.tables.mapping_of(&names).await?;
        let mut caches = lock(&self.shared.caches);
        match &found {
            Some(row) => {
                caches.rows.insert(row.domain.clone(), Some(row.clone()));
            }
            None => caches.rows.extend(names.into_iter().map(|name| (name, None))),
        }
        Ok(found)
    }
}

impl fmt::Debug for WordPress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WordPress").finish_non_exhaustive()
    }
}
