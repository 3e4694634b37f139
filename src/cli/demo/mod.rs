//! Everything on a practice network, with time sped up. Both ends run on this machine.

mod story;

use std::{collections::BTreeMap, path::Path, time::Duration};

use sqlx::{ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};
use tokio::sync::mpsc;

use self::story::{INTERVAL, LEFT, UNMANAGED, play, say};
use super::{
    check,
    error::CommandError,
    exit,
    output::{BAD, GOOD, paint, print},
    status,
};
use crate::{
    app::{App, Overrides, Settings},
    back_off::BackOff,
    daemon::{self, Signal},
    domain::DomainName,
    settings::Layers,
    simulator::{Face, Simulator, WordPress, World},
    state::State,
    telemetry::{self, Stream},
};

/// The key that the practice Closte accepts.
const KEY: &str = "practice-key";
const NETWORK: &str = "network.sqlite";
const MAIN_SITE: &str = "agency.example";
/// Time is sped up: a certificate takes two seconds, not ten minutes.
const ISSUED_AFTER: Duration = Duration::from_secs(2);

pub(super) async fn execute() -> Result<u8, CommandError> {
    let folder = tempfile::tempdir().map_err(CommandError::NoFolder)?;
    let network = folder.path().join(NETWORK);
    let closte = Simulator::start(KEY).await?;
    let world = World::start(&closte, ISSUED_AFTER).await?;
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, world.tls.root_pem())?;
    let settings = settings(folder.path(), &closte, &world, &roots)?;
    telemetry::start(settings.log.format, &settings.log.filter, Stream::Out);
    let options = SqliteConnectOptions::new().filename(&network).create_if_missing(true);
    let mut table = options.connect().await?;
    table.execute(include_str!("network.sql")).await?;
    let wordpress = WordPress::open(&format!("sqlite:{}", network.display()))?;
    world.tls.install(wordpress.clone());
    // For the plugin's REST API, which the network's main site has.
    world.tls.show(MAIN_SITE, Face::Valid(90))?;
    closte.put([UNMANAGED]);

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
        let outcome = play(&mut table, &closte, &world, &wordpress, &state).await;
        // The daemon receives this until it ends.
        let _ = stop.send(Signal::Stop("the end of the demo")).await;
        outcome
    };
    let lock = state.lock_for_daemon()?;
    let no_reload = || Err("the demo has no settings".to_owned());
    let (outcome, ()) =
        tokio::join!(story, daemon::run(components, &state, &lock, stopped, no_reload));
    let agreed = outcome?;
    state.close().await;
    say("`closte-sync status` shows:")?;
    status::execute(&settings, &[], false).await?;
    say("`closte-sync check` explains the domains that do not work:")?;
    let left: Vec<DomainName> = LEFT.iter().filter_map(|name| name.parse().ok()).collect();
    check::execute(&app, &left, false).await?;
    if agreed {
        let end = "Both ends agree. Next: `closte-sync doctor` with your own network's settings.";
        print(&format!("\n{}\n", paint(GOOD, end)))?;
        Ok(exit::OK)
    } else {
        print(&format!("\n{}\n", paint(BAD, "Both ends did not agree in time.")))?;
        Ok(exit::ERROR)
    }
}

fn settings(
    folder: &Path,
    closte: &Simulator,
    world: &World,
    roots: &Path,
) -> Result<Settings, CommandError> {
    let network = folder.join(NETWORK);
    let environment = BTreeMap::from(
        [
            ("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", format!("sqlite:{}", network.display())),
            ("CLOSTE_SYNC__WORDPRESS__URL", format!("https://127.0.0.1:{}", world.tls.port())),
            ("CLOSTE_SYNC__CLOSTE__BASE_URL", closte.base_url()),
            ("CLOSTE_CLIENT_API_KEY", KEY.to_owned()),
            ("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1s".to_owned()),
            ("CLOSTE_SYNC__SYNC__REMOVAL_GRACE", "2s".to_owned()),
            ("CLOSTE_SYNC__SYNC__RECORD_GRACE", "2s".to_owned()),
            ("CLOSTE_SYNC__CHECKS__RESOLVERS", world.dns.address().to_string()),
            // Loopback addresses are right only where they are expected.
            ("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1".to_owned()),
            ("CLOSTE_SYNC__CHECKS__PORT", world.tls.port().to_string()),
            ("CLOSTE_SYNC__CHECKS__HTTP_PORT", world.tls.plain_port().to_string()),
            ("CLOSTE_SYNC__CHECKS__CA_FILE", roots.display().to_string()),
            ("CLOSTE_SYNC__STATE__URL", format!("sqlite:{}/state.db", folder.display())),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    Ok(Settings::load(&Layers { environment, ..Layers::default() })?)
}
