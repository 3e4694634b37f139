//! What a visitor gets.

use hyper::{Method, header};
use sqlx::Error;

use super::{
    Closed, Habits, WebAnswer, WebRequest, WordPress, api,
    tables::{Mapping, SiteRow},
};

/// A site that a request leads to.
struct Found {
    site: SiteRow,
    /// The host that its own links name.
    home: String,
    /// The folder below that host, without a slash at its end.
    folder: String,
    /// Its own links use TLS whatever the request did.
    is_secure: bool,
}

impl WordPress {
    pub(super) async fn load(
        &self,
        request: &WebRequest,
        habits: &Habits,
    ) -> Result<WebAnswer, Error> {
        if habits.is_updating {
            let title = "Maintenance";
            return Ok(error_page(503, title, "Briefly unavailable for scheduled maintenance.")
                .with("retry-after", "600"));
        }
        let host = request.host.to_ascii_lowercase();
        let maps = self.shared.tables.settings().await?.domain_mapping == Some(true);
        let found = self.find(&host, &request.path, maps, habits).await?;
        let Some(Found { site, home, folder, is_secure }) = found else {
            return self.not_found(request, &host, habits).await;
        };
        if site.is_gone {
            let text = "This site has been archived or suspended.";
            return Ok(error_page(410, "WordPress &rsaquo; Error", text));
        }
        let scheme = request.scheme();
        let root = format!("{}://{home}{folder}", if is_secure { "https" } else { scheme });
        let path = request.path.strip_prefix(&folder).unwrap_or(&request.path);
        if let Some(route) = api::route(request, path, habits) {
            let answer = self.call(request, &route, &root).await?;
            return Ok(answer.with("link", link(&root, habits.pretty_permalinks)));
        }
        match habits.closed.get(&site.id) {
            None => {}
            Some(Closed::Maintenance) => {
                let text = "This website is under planned maintenance.";
                return Ok(error_page(503, "Under Maintenance", text));
            }
            Some(Closed::Suspended) => {
                let text = format!(
                    "This site is not available at the moment.<br><small>If you are the site admin, \
                     click <a href=\"{root}/wp-login.php\">here</a> to login.</small>"
                );
                return Ok(error_page(500, "Site not available", &text));
            }
            Some(Closed::SuspendedTo(to)) => return Ok(redirect(302, to)),
            Some(Closed::FatalError) if request.method != Method::HEAD => {
                let text = "There has been a critical error on this website.";
                return Ok(error_page(500, "WordPress &rsaquo; Error", text));
            }
            Some(Closed::FatalError) => {}
        }
        if path.starts_with("/wp-signup.php") {
            return Ok(redirect(302, &root));
        }
        if host != home {
            return Ok(redirect(301, &format!("{scheme}://{home}{folder}{path}")));
        }
        let primaries = self.shared.tables.primaries(site.id).await?;
        let other = primaries.iter().find(|row| row.is_active && row.domain != host);
        if maps && let Some(primary) = other.filter(|row| row.is_in_use()) {
            return Ok(redirect(302, &format!("{scheme}://{}{path}", primary.domain)));
        }
        let mut page = served(&root, habits.pretty_permalinks);
        let file = path.split('?').next().unwrap_or_default();
        if habits.pretty_permalinks && file != "/" && file != "/index.php" {
            page.status = 404;
        }
        Ok(page)
    }

    /// A mapping comes before the sites' own addresses.
    async fn find(
        &self,
        host: &str,
        path: &str,
        maps: bool,
        habits: &Habits,
    ) -> Result<Option<Found>, Error> {
        let tables = &self.shared.tables;
        if maps
            && let Some(mapping) = self.mapping(host, habits).await?.filter(Mapping::is_in_use)
            && let Some(site) = tables.site(mapping.site).await?
        {
            let is_secure = mapping.is_secure;
            return Ok(Some(Found {
                site,
                home: mapping.domain,
                folder: String::new(),
                is_secure,
            }));
        }
        let mut sites = tables.sites_at(host).await?;
        if sites.is_empty()
            && let Some(bare) = host.strip_prefix("www.")
        {
            sites = tables.sites_at(bare).await?;
        }
        // The site in the deepest folder.
        sites.retain(|site| path.starts_with(&site.path));
        let site = sites.into_iter().max_by_key(|site| site.path.len());
        Ok(site.map(|site| Found {
            home: site.domain.clone(),
            folder: site.path.trim_end_matches('/').to_owned(),
            site,
            is_secure: false,
        }))
    }

    /// The answer for a host that nobody mapped.
    async fn not_found(
        &self,
        request: &WebRequest,
        host: &str,
        habits: &Habits,
    ) -> Result<WebAnswer, Error> {
        let (domain, path) = self.shared.tables.network().await?;
        let scheme = request.scheme();
        let to = match &habits.no_blog_redirect {
            Some(to) => to.clone(),
            None if habits.subdomains => {
                format!("{scheme}://{domain}{path}wp-signup.php?new={host}")
            }
            None => format!("{scheme}://{domain}{path}"),
        };
        // WordPress is not loaded far enough to say that it is WordPress.
        Ok(WebAnswer::new(302, "").with("location", to))
    }
}

/// The names that the plugin looks up for a host.
pub(super) fn names(host: &str) -> Vec<String> {
    let bare = host.strip_prefix("www.").unwrap_or(host);
    vec![bare.to_owned(), format!("www.{bare}")]
}

/// A visitor's request that says nothing of its own.
pub(super) fn is_for_a_page_cache(request: &WebRequest) -> bool {
    request.method == Method::GET
        && !request.path.contains('?')
        && request.header(header::ACCEPT).is_some_and(|accept| accept.contains("text/html"))
}

/// The front page of a site whose address is `root`.
pub(in crate::simulator) fn served(root: &str, pretty: bool) -> WebAnswer {
    let rest = rest_root(root, pretty);
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n\t<meta charset=\"UTF-8\" />\n<title>A site</title>\n\
         <link rel=\"alternate\" type=\"application/rss+xml\" href=\"{root}/feed/\" />\n\
         <link rel=\"https://api.w.org/\" href=\"{rest}\" />\
         <link rel=\"EditURI\" type=\"application/rsd+xml\" title=\"RSD\" href=\"{root}/xmlrpc.php?rsd\" />\n\
         <meta name=\"generator\" content=\"WordPress 7.0.1\" />\n</head>\n<body>\n\
         <a href=\"{root}\" rel=\"home\">A site</a>\n</body>\n</html>\n"
    );
    WebAnswer::new(200, &body).with("link", link(root, pretty))
}

fn link(root: &str, pretty: bool) -> String {
    format!("<{}>; rel=\"https://api.w.org/\"", rest_root(root, pretty))
}

fn rest_root(root: &str, pretty: bool) -> String {
    let path = if pretty { "/wp-json/" } else { "/index.php?rest_route=/" };
    format!("{root}{path}")
}

fn redirect(status: u16, to: &str) -> WebAnswer {
    WebAnswer::new(status, "").with("x-redirect-by", "WordPress").with("location", to)
}

pub(super) fn database_error(error: &Error) -> WebAnswer {
    tracing::debug!(%error, "the practice WordPress has no database");
    error_page(500, "Database Error", "Error establishing a database connection")
}

fn error_page(status: u16, title: &str, text: &str) -> WebAnswer {
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n\t<title>{title}</title>\n</head>\n\
         <body id=\"error-page\">\n<div class=\"wp-die-message\">{text}</div></body>\n</html>\n"
    );
    WebAnswer::new(status, &body)
        .with("cache-control", "no-cache, must-revalidate, max-age=0, no-store, private")
}
