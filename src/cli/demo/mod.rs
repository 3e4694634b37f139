//! The whole job on a practice network, with time sped up. Both ends are on this machine.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Executor as _, SqliteConnection,
    sqlite::SqliteConnectOptions,
};
use tokio::sync::oneshot;

use super::{
    CommandError, Ends, exit,
    output::{BAD, GOOD, STRONG, paint, print},
    status,
};
use crate::{
    daemon,
    ledger::BackOff,
    settings::{Layers, Settings},
    simulator::{Call, Fault, Simulator, Target},
    state::State,
    sync::Sync,
    telemetry::{self, Stream},
};

const KEY: &str = "practice-key";
/// A name that somebody keeps at Closte by hand.
const FOREIGN: &str = "mail.elsewhere.example";
/// How long the daemon gets for each step of the story.
const PATIENCE: Duration = Duration::from_secs(6);
/// Time is sped up: the daemon looks twice a second.
const INTERVAL: Duration = Duration::from_millis(500);

pub(super) async fn execute() -> Result<u8, CommandError> {
    let folder = tempfile::tempdir()?;
    let network = folder.path().join("network.sqlite");
    let closte = Simulator::start(KEY).await?;
    let environment = BTreeMap::from(
        [
            ("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", format!("sqlite:{}", network.display())),
            ("CLOSTE_SYNC__CLOSTE__BASE_URL", closte.base_url()),
            ("CLOSTE_CLIENT_API_KEY", KEY.to_owned()),
            ("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1s".to_owned()),
            ("CLOSTE_SYNC__SYNC__REMOVAL_GRACE", "2s".to_owned()),
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

    let Ends { source, closte: client, account, mut rules } = Ends::of(&settings, false)?;
    rules.policy.back_off = BackOff { first: INTERVAL, longest: 4 * INTERVAL };
    let state = State::open(&settings.state_path).await?;
    let sync = Sync::new(source, client, account, state.clone(), rules);
    let (stop, stopped) = oneshot::channel();
    let shutdown = async {
        // An error means that the story ended early, which ends the daemon as well.
        let _ = stopped.await;
        "the end of the demo"
    };
    let story = async {
        let told = tell(&mut table, &closte).await;
        // The daemon is waiting for it.
        let _ = stop.send(());
        told
    };
    let (told, ()) = tokio::join!(story, daemon::run(sync, &state, INTERVAL, shutdown));
    let agreed = told?;
    state.close().await;
    say("How `closte-sync status` shows it:")?;
    status::execute(&settings, &[], false).await?;
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
async fn tell(table: &mut SqliteConnection, closte: &Simulator) -> Result<bool, CommandError> {
    say("An agency's network: 12 sites, 16 domain records. One record is no domain name,\n\
         and one site has no record at all. Closte knows none of them, only a name that\n\
         somebody keeps there by hand.")?;
    let mut wanted: Vec<String> = [
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
    let mut agreed = agree(closte, &wanted).await;

    say("A customer maps a new domain. The plugin's own call to Closte is lost.")?;
    map(table, "new-shop.example", &mut wanted).await?;
    agreed &= agree(closte, &wanted).await;

    say("Closte is out of order for three seconds, and meanwhile a customer maps\n\
         another domain.")?;
    closte.fail(Target::Everything, Fault::Status(503));
    tokio::time::sleep(Duration::from_secs(1)).await;
    map(table, "patient.example", &mut wanted).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    closte.heal();
    agreed &= agree(closte, &wanted).await;

    say("A customer leaves. The name goes once the table has been without it for a while.")?;
    table.execute("DELETE FROM wp_wu_domain_mappings WHERE domain = 'old-books.example'").await?;
    wanted.retain(|name| name != "old-books.example");
    agreed &= agree(closte, &wanted).await;
    Ok(agreed)
}

async fn map(
    table: &mut SqliteConnection,
    name: &str,
    wanted: &mut Vec<String>,
) -> Result<(), CommandError> {
    let sql = format!("INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES (2, '{name}')");
    table.execute(AssertSqlSafe(sql)).await?;
    wanted.push(name.to_owned());
    Ok(())
}

/// Waits until Closte has the wanted names and the foreign one, no more and no less.
async fn agree(closte: &Simulator, wanted: &[String]) -> bool {
    let mut expected = wanted.to_vec();
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
