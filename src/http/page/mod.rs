//! The status page: the list of domains, each domain, the daemon; and for customers the page of their own
//! domain. Rendered by the server, without scripts.

mod access;
mod daemon;
mod domain;
mod layout;
mod link;
mod list;
mod notice;
mod picture;
mod signature;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, RawForm, RawQuery, Request, State as Extract},
    http::{HeaderMap, HeaderValue, StatusCode, Version, header},
    middleware::{map_request, map_response},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use maud::{Markup, html};
use url::form_urlencoded;

pub(in crate::http) use access::LoginThrottle;
use access::{Denied, Visitor};
use domain::{DomainPage, MuteLasts};
use layout::{Document, message, navigation, protect};
use link::{CustomerPage, Link};
pub use link::{LINK_LASTS, link};
use list::{List, PAGE, Query};
use notice::Notice;
use signature::Signer;

use super::server::Context;
use crate::{
    checks::PageWord,
    daemon::health::ALIVE_WITHIN,
    domain::DomainName,
    language::Language,
    ledger::later,
    overview::DomainRow,
    state::{CheckedDomain, Loop, Mute, State, StateError},
};

/// The longest body of a form, in bytes.
const LONGEST_FORM: usize = 16 * 1024;
/// How long an answer waits for a check that was asked for.
const LONGEST_CHECK: Duration = Duration::from_secs(8);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// After this time, a page with more to come is loaded again.
const RELOAD_AFTER: Duration = Duration::from_secs(3);
/// How many events of a domain are read, and how many of all.
const MOST_EVENTS: u32 = 500;
const MOST_EVENTS_OF_ALL: u32 = 50;

/// The paths of the page. A proxy has to pass on only those below `/d/`.
pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/", get(list_page))
        .route("/login", get(login_page).post(login))
        .route("/logout", post(logout))
        .route("/daemon", get(daemon_page))
        .route("/domains/{name}", get(domain_page))
        .route("/domains/{name}/check", post(check))
        .route("/domains/{name}/apply", post(apply))
        .route("/domains/{name}/mute", post(mute))
        .route("/domains/{name}/unmute", post(unmute))
        .route("/d/style.css", get(style))
        .route("/d/{name}/{ends}/{signature}", get(customer_page).post(customer_check))
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        .layer(map_request(note_old_proxy))
        .layer(map_response(protect))
}

/// Browsers have not spoken HTTP/1.0 for long, but nginx does, and it names itself in no header unless it is told to.
async fn note_old_proxy(mut request: Request) -> Request {
    if request.version() < Version::HTTP_11 {
        request.headers_mut().insert(header::VIA, HeaderValue::from_static("1.0"));
    }
    request
}

/// A visitor who may see the page, and what answers need.
struct Entered {
    signer: Signer,
    visitor: Visitor,
    now: Timestamp,
}

impl Entered {
    fn form_token(&self) -> String {
        self.visitor.form_token(&self.signer)
    }

    fn navigation(&self, root: &str, here: &str) -> Option<Markup> {
        Some(navigation(root, here, &self.visitor, &self.form_token()))
    }
}

impl Context {
    async fn signer(&self) -> Result<Signer, Response> {
        self.state.signing_key().await.map(Signer::new).map_err(|error| failed("", &error))
    }

    /// By the clock of the checks, as the times in the state are.
    async fn now(&self) -> Result<Timestamp, StateError> {
        let mut clock = self.server.clock.clone();
        self.state.restore_clock(Loop::Checks, &mut clock).await?;
        Ok(clock.now())
    }

    async fn enter(&self, root: &str, headers: &HeaderMap) -> Result<Entered, Response> {
        let signer = self.signer().await?;
        let is_loopback = self.server.is_loopback;
        // Logins and links last by the machine's clock: other processes make links, too.
        let seen =
            access::visitor(&self.server.config, is_loopback, &signer, headers, Timestamp::now());
        match seen {
            Ok(visitor) => {
                let now = self.now().await.map_err(|error| failed(root, &error))?;
                Ok(Entered { signer, visitor, now })
            }
            Err(Denied::LogIn) => Err(redirect(&format!("{root}login"))),
            Err(Denied::NoToken) => Err(message(
                Language::English,
                root,
                StatusCode::FORBIDDEN,
                "No access",
                "This page needs http.token: set it, reload the daemon, and log in with it. Without it, \
                 only this machine itself sees the page, at an address such as http://127.0.0.1, \
                 without a proxy and without http.public_url.",
            )),
        }
    }

    /// [`Self::enter`] for a form.
    async fn enter_by_form(
        &self,
        root: &str,
        headers: &HeaderMap,
        form: &[u8],
    ) -> Result<Entered, Response> {
        let entered = self.enter(root, headers).await?;
        let token = field(form, "token").unwrap_or_default();
        if access::is_from_elsewhere(headers) || !entered.visitor.may_send(&token, &entered.signer)
        {
            let text = "The form is from another page or an older login: go back, load the page again, \
                        and try again.";
            return Err(message(Language::English, root, StatusCode::FORBIDDEN, "Not done", text));
        }
        Ok(entered)
    }

    /// A managed name; none if there is no such name.
    async fn row(&self, name: &DomainName) -> Result<Option<DomainRow>, StateError> {
        Ok(self.rows(std::slice::from_ref(name)).await?.pop())
    }

    /// These of the managed names, in this order.
    async fn rows(&self, names: &[DomainName]) -> Result<Vec<DomainRow>, StateError> {
        let Some(ledger) = self.state.current_ledger().await? else { return Ok(Vec::new()) };
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let entries = self.state.entries(ledger, names).await?;
        let mut checked = self.state.desired(ledger, names).await?;
        let mut row = |name: &DomainName| {
            let (name, entry) = entries.iter().find(|(known, _)| known == name)?.clone();
            let place = checked.iter().position(|one: &CheckedDomain| one.name == name);
            let checked = place.map(|place| checked.swap_remove(place));
            Some(DomainRow { name, entry, checked })
        };
        Ok(names.iter().filter_map(&mut row).collect())
    }

    /// Has a name checked, and waits for the result for a moment.
    async fn check(&self, name: &DomainName) -> Result<Notice, StateError> {
        let checked_at = async |state: &State| {
            let Some(ledger) = state.current_ledger().await? else { return Ok(None) };
            let checked = state.desired(ledger, std::slice::from_ref(name)).await?;
            let status = checked.into_iter().next().and_then(|one| one.status);
            Ok::<_, StateError>(status.map(|status| status.checked_at))
        };
        let before = checked_at(&self.state).await?;
        if !self.server.on_demand.checks.ask(name, Instant::now()) {
            return Ok(Notice::TooSoon);
        }
        let asked = Instant::now();
        while asked.elapsed() < LONGEST_CHECK {
            tokio::time::sleep(POLL_INTERVAL).await;
            if checked_at(&self.state).await? != before {
                return Ok(Notice::Checked);
            }
        }
        Ok(Notice::Checking)
    }
}

async fn list_page(
    Extract(context): Extract<Context>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let entered = match context.enter("", &headers).await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let query = Query::read(&query.unwrap_or_default());
    match listed(&context, &entered, &query).await {
        Ok(response) => response,
        Err(error) => failed("", &error),
    }
}

async fn listed(
    context: &Context,
    entered: &Entered,
    query: &Query,
) -> Result<Response, StateError> {
    let state = &context.state;
    let part = query.part();
    let (network, live_after, counts, names, invalid) = match state.current_ledger().await? {
        Some(ledger) => (
            Some(state.network(ledger).await?.domain),
            state.live_after(ledger, entered.now).await?,
            state.severity_counts(ledger, part.as_deref()).await?,
            state.overview(ledger, &query.filter(), query.skip(), PAGE).await?,
            if query == &Query::default() { state.invalid(ledger).await? } else { Vec::new() },
        ),
        None => Default::default(),
    };
    let rows = context.rows(&names).await?;
    let readiness = context.readiness();
    let (sentence, is_well) = daemon::sentence(&readiness, context.is_alive());
    let mutes = state.mutes(Timestamp::now()).await?;
    let list = List {
        mute: mutes.iter().find(|mute| mute.subject == "all"),
        network: network.as_deref(),
        daemon: (&sentence, is_well),
        live_after,
        query,
        counts,
        rows: &rows,
        invalid: &invalid,
        panel: context.server.view.panel.as_deref(),
        now: entered.now,
    };
    let document = Document {
        language: Language::English,
        title: &list.title(),
        root: "",
        navigation: entered.navigation("", "list"),
        reload_after: None,
        content: list.render(),
    };
    Ok(document.respond(StatusCode::OK))
}

async fn domain_page(
    Extract(context): Extract<Context>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    const ROOT: &str = "../";
    let entered = match context.enter(ROOT, &headers).await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let found = async {
        let Ok(name) = name.parse::<DomainName>() else { return Ok(None) };
        let Some(row) = context.row(&name).await? else { return Ok(None) };
        let events = context.state.events(Some(&name), None, MOST_EVENTS).await?;
        let mutes = context.state.mutes(Timestamp::now()).await?;
        Ok::<_, StateError>(Some((row, events, mutes)))
    };
    let (row, events, mutes) = match found.await {
        Ok(Some(found)) => found,
        Ok(None) => return no_such_domain(ROOT),
        Err(error) => return failed(ROOT, &error),
    };
    let notice = Notice::read(&query.unwrap_or_default());
    let is_meant = |subject: &str| mutes.iter().find(|mute| mute.subject == subject);
    let page = DomainPage {
        row: &row,
        mute: is_meant(row.name.as_str()).or_else(|| is_meant("all")),
        events: &events,
        attention_after: context.server.view.attention_after,
        panel: context.server.view.panel.as_deref(),
        language: context.server.view.language,
        form_token: &entered.form_token(),
        notice,
        now: entered.now,
    };
    let document = Document {
        language: Language::English,
        title: row.name.as_str(),
        root: ROOT,
        navigation: entered.navigation(ROOT, "domain"),
        reload_after: reload_after(notice, row.name.as_str()),
        content: page.render(),
    };
    document.respond(StatusCode::OK)
}

async fn check(
    Extract(context): Extract<Context>,
    Path(name): Path<String>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    act_on(&context, &name, &headers, &form, async |name| context.check(name).await).await
}

async fn apply(
    Extract(context): Extract<Context>,
    Path(name): Path<String>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let apply = async |name: &DomainName| {
        context.server.on_demand.cycles.pull_for(name.clone());
        Ok(Notice::Applied)
    };
    act_on(&context, &name, &headers, &form, apply).await
}

async fn mute(
    Extract(context): Extract<Context>,
    Path(name): Path<String>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let lasts = field(&form, "lasts").and_then(|lasts| lasts.parse::<MuteLasts>().ok());
    let Some(lasts) = lasts else {
        let text = "The form does not say for how long.";
        return message(Language::English, "../../", StatusCode::BAD_REQUEST, "Not done", text);
    };
    let mute = async |name: &DomainName| {
        // By the machine's clock, as `closte-sync mute` does.
        let since = Timestamp::now();
        let (subject, until) = (name.to_string(), later(since, lasts.duration()));
        context.state.mute(&Mute { subject, since, until, because: None }).await?;
        Ok(Notice::Muted)
    };
    act_on(&context, &name, &headers, &form, mute).await
}

async fn unmute(
    Extract(context): Extract<Context>,
    Path(name): Path<String>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let unmute = async |name: &DomainName| {
        context.state.unmute(name.as_str(), Timestamp::now()).await?;
        Ok(Notice::Unmuted)
    };
    act_on(&context, &name, &headers, &form, unmute).await
}

/// Does what a button of a domain's page is for, and leads back to that page.
async fn act_on(
    context: &Context,
    name: &str,
    headers: &HeaderMap,
    form: &[u8],
    act: impl AsyncFnOnce(&DomainName) -> Result<Notice, StateError>,
) -> Response {
    const ROOT: &str = "../../";
    if let Err(response) = context.enter_by_form(ROOT, headers, form).await {
        return response;
    }
    let done = async {
        let Ok(name) = name.parse::<DomainName>() else { return Ok(None) };
        match context.row(&name).await? {
            Some(_) => Ok(Some((act(&name).await?, name))),
            None => Ok(None),
        }
    };
    match done.await {
        Ok(Some((notice, name))) => redirect(&format!("../{name}?notice={notice}")),
        Ok(None) => no_such_domain(ROOT),
        Err(error) => failed(ROOT, &error),
    }
}

async fn daemon_page(Extract(context): Extract<Context>, headers: HeaderMap) -> Response {
    let entered = match context.enter("", &headers).await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let read = async {
        let last_cycle = context.state.last_cycle().await?;
        Ok((last_cycle, context.state.events(None, None, MOST_EVENTS_OF_ALL).await?))
    };
    let (last_cycle, events) = match read.await {
        Ok(read) => read,
        Err(error) => return failed("", &error),
    };
    let (readiness, refusal) = (context.readiness(), context.health.refusal());
    let page = daemon::DaemonPage {
        readiness: &readiness,
        is_alive: context.is_alive(),
        refusal: refusal.as_deref(),
        last_cycle: &last_cycle,
        events: &events,
        now: entered.now,
    };
    let document = Document {
        language: Language::English,
        title: "The daemon",
        root: "",
        navigation: entered.navigation("", "daemon"),
        reload_after: None,
        content: page.render(),
    };
    document.respond(StatusCode::OK)
}

impl Context {
    fn is_alive(&self) -> bool {
        self.health.heartbeats.beat_within(ALIVE_WITHIN) && !self.state.is_replaced()
    }
}

async fn login_page(Extract(context): Extract<Context>) -> Response {
    match &context.server.config.token {
        Some(_) => login_form(StatusCode::OK, None),
        None => redirect("./"),
    }
}

fn login_form(status: StatusCode, trouble: Option<&str>) -> Response {
    let content = html! {
        section.card.narrow {
            h1 { "closte-sync" }
            @if let Some(trouble) = trouble { p.callout.bad role="alert" { (trouble) } }
            form.login method="post" action="login" {
                label for="token" { "Token" }
                input id="token" type="password" name="token" autocomplete="current-password" required
                    aria-describedby="hint" autofocus;
                p.faint id="hint" { "The one of the setting http.token. The login lasts for a day." }
                button.main type="submit" { "Log in" }
            }
            // A cookie of this kind does not come with the first request from another page.
            p.faint { "Logged in already? " a href="./" { "To the domains" } }
        }
    };
    let document = Document {
        language: Language::English,
        title: "Log in",
        root: "",
        navigation: None,
        reload_after: None,
        content,
    };
    document.respond(status)
}

async fn login(
    Extract(context): Extract<Context>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let Some(token) = &context.server.config.token else { return redirect("./") };
    if access::is_from_elsewhere(&headers) {
        return login_form(
            StatusCode::FORBIDDEN,
            Some("The form is from another page: try again."),
        );
    }
    if let Err(wait) = context.server.throttle.begin(Instant::now()) {
        let seconds = wait.as_secs() + 1;
        let text = format!("Too many logins have failed: try again in {seconds} seconds.");
        let response = login_form(StatusCode::TOO_MANY_REQUESTS, Some(&text));
        return ([(header::RETRY_AFTER, seconds.to_string())], response).into_response();
    }
    let given = field(&form, "token").unwrap_or_default();
    if token != given.trim() {
        return login_form(StatusCode::UNAUTHORIZED, Some("That is not the token."));
    }
    context.server.throttle.succeeded();
    let signer = match context.signer().await {
        Ok(signer) => signer,
        Err(response) => return response,
    };
    let cookie = access::login_cookie(token, &signer, &headers, Timestamp::now());
    ([(header::SET_COOKIE, cookie)], redirect("./")).into_response()
}

async fn logout(
    Extract(context): Extract<Context>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    match context.enter_by_form("", &headers, &form).await {
        Ok(_) => {
            let cookie = [(header::SET_COOKIE, access::logout_cookie(&headers))];
            (cookie, redirect("login")).into_response()
        }
        Err(response) => response,
    }
}

async fn style() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=300")];
    (headers, layout::STYLE).into_response()
}

/// The relative address of the list on a customer's page.
const ROOT_OF_LINK: &str = "../../../";

/// The language of the customer's browser, else `notify.language`.
fn language(context: &Context, headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    accepted.and_then(Language::accepted).unwrap_or(context.server.view.language)
}

/// The domain of a link, or what to answer instead.
async fn of_link(
    context: &Context,
    language: Language,
    link: &[String; 3],
) -> Result<DomainName, Response> {
    let [domain, ends, signature] = link;
    let answer = |status, title: PageWord, text: PageWord| {
        let (title, text) = (title.in_language(language), text.in_language(language));
        message(language, ROOT_OF_LINK, status, &title, &text)
    };
    let signer = match context.state.signing_key().await {
        Ok(key) => Signer::new(key),
        Err(error) => return Err(customer_failed(language, &error)),
    };
    match Link::read(&signer, [domain, ends, signature], Timestamp::now()) {
        Link::Of(domain) => Ok(domain),
        Link::Expired => Err(answer(StatusCode::GONE, PageWord::Expired, PageWord::ExpiredDo)),
        Link::Invalid => {
            Err(answer(StatusCode::NOT_FOUND, PageWord::Incomplete, PageWord::IncompleteDo))
        }
    }
}

async fn customer_page(
    Extract(context): Extract<Context>,
    Path(link): Path<[String; 3]>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let language = language(&context, &headers);
    let domain = match of_link(&context, language, &link).await {
        Ok(domain) => domain,
        Err(response) => return response,
    };
    let read = async { Ok((context.row(&domain).await?, context.now().await?)) };
    let (row, now) = match read.await {
        Ok(read) => read,
        Err(error) => return customer_failed(language, &error),
    };
    let notice = Notice::read(&query.unwrap_or_default());
    let page = CustomerPage { language, row: row.as_ref(), domain: &domain, notice, now };
    let [_, _, signature] = &link;
    let document = Document {
        language,
        title: domain.as_str(),
        root: ROOT_OF_LINK,
        navigation: None,
        reload_after: reload_after(notice, signature),
        content: page.render(),
    };
    document.respond(StatusCode::OK)
}

async fn customer_check(
    Extract(context): Extract<Context>,
    Path(link): Path<[String; 3]>,
    headers: HeaderMap,
) -> Response {
    let language = language(&context, &headers);
    let domain = match of_link(&context, language, &link).await {
        Ok(domain) => domain,
        Err(response) => return response,
    };
    let [_, _, signature] = &link;
    let checked = async {
        match context.row(&domain).await? {
            Some(row) if row.checked.is_some() => Ok(Some(context.check(&domain).await?)),
            _ => Ok(None),
        }
    };
    match checked.await {
        Ok(Some(notice)) => redirect(&format!("{signature}?notice={notice}")),
        Ok(None) => redirect(signature),
        Err(error) => customer_failed(language, &error),
    }
}

/// Where a page with more to come leads on its own.
fn reload_after(notice: Option<Notice>, page: &str) -> Option<(Duration, &str)> {
    notice.filter(|notice| notice.is_of_more()).map(|_| (RELOAD_AFTER, page))
}

fn field(form: &[u8], name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(form);
    fields.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

fn redirect(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

fn no_such_domain(root: &str) -> Response {
    let text = "No domain of this name is managed. `closte-sync status DOMAIN` says why.";
    message(Language::English, root, StatusCode::NOT_FOUND, "No such domain", text)
}

fn failed(root: &str, error: &StateError) -> Response {
    message(
        Language::English,
        root,
        StatusCode::INTERNAL_SERVER_ERROR,
        "The state cannot be read",
        &error.to_string(),
    )
}

/// Without details of the network.
fn customer_failed(language: Language, error: &StateError) -> Response {
    tracing::debug!(%error, "a customer's page cannot be shown");
    let [title, text] =
        [PageWord::NotNow, PageWord::NotNowDo].map(|word| word.in_language(language));
    message(language, ROOT_OF_LINK, StatusCode::INTERNAL_SERVER_ERROR, &title, &text)
}
