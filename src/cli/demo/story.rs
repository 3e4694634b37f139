//! The steps of the demo.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Executor as _, SqliteConnection};

use crate::{
    cli::{
        error::CommandError,
        output::{STRONG, paint, print},
    },
    simulator::{Call, Fault, Simulator, Target, WordPress, World},
    state::{CheckedDomain, State},
};

/// A name that somebody keeps at Closte by hand.
pub(super) const UNMANAGED: &str = "mail.elsewhere.example";
/// The longest time that each step may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);
/// The address of a customer's previous host.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// The desired names when the demo begins.
const DESIRED: [&str; 16] = [
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
];
/// Names that do not work when the demo ends.
pub(super) const LEFT: [&str; 2] = ["old-books.example", "patient.example"];
/// Time is sped up: there are two cycles a second.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// Acts as the customers and Closte. Returns whether the daemon reached the expected state.
pub(super) async fn play(
    table: &mut SqliteConnection,
    closte: &Simulator,
    world: &World,
    wordpress: &WordPress,
    state: &State,
) -> Result<bool, CommandError> {
    say("An agency's network: 12 sites, 16 domain records. One record is not a domain name,\n\
         and one site has no record. Closte lists none of them, only a name that\n\
         somebody added by hand. All their DNS is right except for old-books.example.")?;
    let mut desired: Vec<String> = DESIRED.map(str::to_owned).into();
    for name in ["agency.example", "*.agency.example"].into_iter().chain(DESIRED) {
        world.point(name);
    }
    world.dns.point("old-books.example", &[ELSEWHERE]);
    let mut agreed = agree(closte, &desired).await;
    agreed &= all_work(state, &desired, &["old-books.example"]).await;

    say("A customer maps a new domain. The plugin's own call to Closte fails. The DNS still\n\
         points at the old host.")?;
    world.dns.point("new-shop.example", &[ELSEWHERE]);
    map(table, "new-shop.example", &mut desired).await?;
    agreed &= agree(closte, &desired).await;

    say(
        "The plugin looks at that DNS five times, then gives up for good: its row is \"failed\",\n\
         and WordPress sends every visitor away.",
    )?;
    table
        .execute(
            "UPDATE wp_wu_domain_mappings
             SET stage = 'failed', date_modified = datetime('now', '-1 hour')
             WHERE domain = 'new-shop.example'",
        )
        .await?;
    agreed &= visit(wordpress, "new-shop.example").await? == 302;

    say("Closte answers HTTP 503 for three seconds. Meanwhile a customer maps another\n\
         domain, whose CAA record allows only another authority to issue a certificate.")?;
    world.point("patient.example");
    world.dns.allow("patient.example", "issue", "other-ca.example");
    closte.fail(Target::Everything, Fault::Status(503));
    tokio::time::sleep(Duration::from_secs(1)).await;
    map(table, "patient.example", &mut desired).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    closte.heal();
    agreed &= agree(closte, &desired).await;

    say("The customer points new-shop.example here. Closte issues its certificate, and the\n\
         plugin learns by its REST API that the domain works.")?;
    world.point("new-shop.example");
    agreed &= all_work(state, &desired, &LEFT).await;
    agreed &= served(wordpress, "new-shop.example").await;
    visit(wordpress, "new-shop.example").await?;

    say("A customer leaves. The name is removed after sync.removal_grace.")?;
    table
        .execute("DELETE FROM wp_wu_domain_mappings WHERE domain = 'law-and-order.example'")
        .await?;
    desired.retain(|name| name != "law-and-order.example");
    agreed &= agree(closte, &desired).await;
    Ok(agreed)
}

/// Waits until the checks have seen that all of the names work except for the faulty ones.
async fn all_work(state: &State, names: &[String], faulty: &[&str]) -> bool {
    let deadline = Instant::now() + STEP_TIMEOUT;
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

/// Says what a visitor of a domain gets. Returns the status.
async fn visit(wordpress: &WordPress, name: &str) -> Result<u16, CommandError> {
    let answer = wordpress.visit(name).await;
    let to = answer.header("location").map(|to| format!(", which leads to {to}"));
    let status = answer.status;
    say(&format!("A visitor of {name} gets HTTP {status}{}.", to.unwrap_or_default()))?;
    Ok(status)
}

/// Waits until a visitor of a domain sees its site.
async fn served(wordpress: &WordPress, name: &str) -> bool {
    let deadline = Instant::now() + STEP_TIMEOUT;
    while wordpress.visit(name).await.status != 200 {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    true
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
    expected.push(UNMANAGED.to_owned());
    expected.sort();
    let deadline = Instant::now() + STEP_TIMEOUT;
    while closte.domains() != expected {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The daemon learns that from its next list.
    let lists = closte.count(Call::List);
    while closte.count(Call::List) == lists && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(INTERVAL / 2).await;
    true
}

pub(super) fn say(text: &str) -> Result<(), CommandError> {
    Ok(print(&format!("\n{}\n", paint(STRONG, text)))?)
}
