//! The whole job on a practice network, with time sped up. Both ends are on this machine.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Executor as _, SqliteConnection,
    sqlite::SqliteConnectOptions,
};
use tokio::sync::mpsc;

use super::{
    check,
    error::CommandError,
    exit,
    output::{BAD, GOOD, STRONG, paint, print},
    status,
};
use crate::{
    app::{App, Overrides, Settings},
    daemon::{self, Signal},
    domain::DomainName,
    ledger::BackOff,
    settings::Layers,
    simulator::{Call, Fault, Simulator, Target, World},
    state::{CheckedDomain, State},
    telemetry::{self, Stream},
};

const KEY: &str = "practice-key";
/// A name that somebody keeps at Closte by hand.
const FOREIGN: &str = "mail.elsewhere.example";
/// Names whose customers have not done their part when the story ends.
const LEFT: [&str; 2] = ["old-books.example", "patient.example"];
/// How long the daemon gets for each step of the story.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time is sped up: the daemon looks twice a second.
const INTERVAL: Duration = Duration::from_millis(500);
/// And a certificate takes two seconds, not ten minutes.
const ISSUED_AFTER: Duration = Duration::from_secs(2);
/// Where a customer's domain was before: not here.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

pub(super) async fn execute() -> Result<u8, CommandError> {
    let folder = tempfile::tempdir()?;
    let network = folder.path().join("network.sqlite");
    let closte = Simulator::start(KEY).await?;
    let world = World::start(&closte, ISSUED_AFTER).await?;
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, world.tls.root_pem())?;
    let environment = BTreeMap::from(
        [
            ("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", format!("sqlite:{}", network.display())),
            ("CLOSTE_SYNC__CLOSTE__BASE_URL", closte.base_url()),
            ("CLOSTE_CLIENT_API_KEY", KEY.to_owned()),
            ("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1s".to_owned()),
            ("CLOSTE_SYNC__SYNC__REMOVAL_GRACE", "2s".to_owned()),
            ("CLOSTE_SYNC__SYNC__RECORD_GRACE", "2s".to_owned()),
            ("CLOSTE_SYNC__CHECKS__RESOLVERS", world.dns.address().to_string()),
            // Nothing public answers on this machine alone.
            ("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1".to_owned()),
            ("CLOSTE_SYNC__CHECKS__PORT", world.tls.port().to_string()),
            ("CLOSTE_SYNC__CHECKS__CA_FILE", roots.display().to_string()),
            ("CLOSTE_SYNC__STATE__URL", format!("sqlite:{}/state.db", folder.path().display())),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let settings = Settings::load(&Layers { environment, ..Layers::default() })?;
    telemetry::start(settings.log.format, &settings.log.filter, Stream::Out);
    let options = SqliteConnectOptions::new().filename(&network).create_if_missing(true);
    let mut table = options.connect().await?;
    table.execute(include_str!("network.sql")).await?;
    closte.put([FOREIGN]);

    let overrides = Overrides {
        back_off: BackOff { first: INTERVAL, longest: 4 * INTERVAL },
        sync_interval: Some(INTERVAL),
        check_interval: Some(2 * INTERVAL),
        ..Overrides::default()
    };
    let mut app = App::build(&settings, overrides);
    let state = State::open(&settings.state.path).await?;
    let (components, _) = app.components(&state)?;
    let (stop, stopped) = mpsc::channel(1);
    let story = async {
        let told = tell(&mut table, &closte, &world, &state).await;
        // The daemon is waiting for it.
        let _ = stop.send(Signal::Stop("the end of the demo")).await;
        told
    };
    let lock = state.lock_for_daemon()?;
    let no_reload = || Err("the demo has no settings".to_owned());
    let (told, ()) =
        tokio::join!(story, daemon::run(components, &state, &lock, stopped, no_reload));
    let agreed = told?;
    state.close().await;
    say("How `closte-sync status` shows it:")?;
    status::execute(&settings, &[], false).await?;
    say("And how `closte-sync check` explains what is left:")?;
    let left: Vec<DomainName> = LEFT.iter().filter_map(|name| name.parse().ok()).collect();
    check::execute(&app, &left, false).await?;
    if agreed {
        let end = "Both ends agree. Next: `closte-sync doctor` with your own network's settings.";
        print(&format!("\n{}\n", paint(GOOD, end)))?;
        Ok(exit::OK)
    } else {
        print(&format!("\n{}\n", paint(BAD, "Both ends do not agree in time.")))?;
        Ok(exit::ERROR)
    }
}

/// Plays the customers and Closte. Whether the daemon followed is the result.
async fn tell(
    table: &mut SqliteConnection,
    closte: &Simulator,
    world: &World,
    state: &State,
) -> Result<bool, CommandError> {
    say("An agency's network: 12 sites, 16 domain records. One record is no domain name,\n\
         and one site has no record at all. Closte knows none of them, only a name that\n\
         somebody keeps there by hand. All their DNS is right but for old-books.example.")?;
    let mut desired: Vec<String> = [
        "*.flowers.example",
        "bakery.agency.example",
        "books.agency.example",
        "dentist.agency.example",
        "florist.agency.example",
        "law-and-order.example",
        "law.agency.example",
        "music.agency.example",
        "old-books.example",
        "school.agency.example",
        "studio.agency.example",
        "the-bakery.example",
        "travel.agency.example",
        "vet.agency.example",
        "xn--yoga-dsseldorf-lsb.example",
        "yoga.agency.example",
    ]
    .map(str::to_owned)
    .into();
    for name in
        ["agency.example", "*.agency.example"].into_iter().chain(desired.iter().map(|n| &**n))
    {
        world.point(name);
    }
    world.dns.point("old-books.example", &[ELSEWHERE]);
    let mut agreed = agree(closte, &desired).await;
    agreed &= all_work(state, &desired, &["old-books.example"]).await;

    say("A customer maps a new domain. The plugin's own call to Closte is lost. The DNS still\n\
         points at the old host.")?;
    world.dns.point("new-shop.example", &[ELSEWHERE]);
    map(table, "new-shop.example", &mut desired).await?;
    agreed &= agree(closte, &desired).await;

    say("Closte is out of order for three seconds, and meanwhile a customer maps another\n\
         domain, whose CAA record lets nobody issue a certificate but another authority.")?;
    world.point("patient.example");
    world.dns.allow("patient.example", "issue", "other-ca.example");
    closte.fail(Target::Everything, Fault::Status(503));
    tokio::time::sleep(Duration::from_secs(1)).await;
    map(table, "patient.example", &mut desired).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    closte.heal();
    agreed &= agree(closte, &desired).await;

    say("The customer points new-shop.example here. Closte issues its certificate.")?;
    world.point("new-shop.example");
    agreed &= all_work(state, &desired, &LEFT).await;

    say("A customer leaves. The name goes once the table has been without it for a while.")?;
    table
        .execute("DELETE FROM wp_wu_domain_mappings WHERE domain = 'law-and-order.example'")
        .await?;
    desired.retain(|name| name != "law-and-order.example");
    agreed &= agree(closte, &desired).await;
    Ok(agreed)
}

/// Waits until the checks have seen all of the names work, but for some that have a fault.
async fn all_work(state: &State, names: &[String], faulty: &[&str]) -> bool {
    let deadline = Instant::now() + PATIENCE;
    let mut works = false;
    while !works && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Ok(Some(ledger)) = state.current_ledger().await else { continue };
        let Ok(checked) = state.desired(ledger, &[]).await else { continue };
        let is_so = |one: &CheckedDomain| {
            let status = one.status.as_ref();
            status
                .is_some_and(|status| status.latest.works() != faulty.contains(&one.name.as_str()))
        };
        works = checked.len() == names.len() && checked.iter().all(is_so);
    }
    works
}

async fn map(
    table: &mut SqliteConnection,
    name: &str,
    desired: &mut Vec<String>,
) -> Result<(), CommandError> {
    let sql = format!("INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES (2, '{name}')");
    table.execute(AssertSqlSafe(sql)).await?;
    desired.push(name.to_owned());
    Ok(())
}

/// Waits until Closte has the desired names and the unmanaged one, no more and no less.
async fn agree(closte: &Simulator, desired: &[String]) -> bool {
    let mut expected = desired.to_vec();
    expected.push(FOREIGN.to_owned());
    expected.sort();
    let deadline = Instant::now() + PATIENCE;
    while closte.domains() != expected {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The next list tells the daemon as well that it worked.
    let lists = closte.count(Call::List);
    while closte.count(Call::List) == lists && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(INTERVAL / 2).await;
    true
}

fn say(text: &str) -> Result<(), CommandError> {
    Ok(print(&format!("\n{}\n", paint(STRONG, text)))?)
}
