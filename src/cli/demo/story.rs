//! What happens on the practice network.

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
    simulator::{Call, Fault, Simulator, Target, World},
    state::{CheckedDomain, State},
};

/// A name that somebody keeps at Closte by hand.
pub(super) const FOREIGN: &str = "mail.elsewhere.example";
/// How long the daemon gets for each step of the story.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where a customer's domain was before: not here.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// What the network wants when the story begins.
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
/// Names whose customers have not done their part when the story ends.
pub(super) const LEFT: [&str; 2] = ["old-books.example", "patient.example"];
/// Time is sped up: there are two cycles a second.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// Plays the customers and Closte. Whether the daemon followed is the result.
pub(super) async fn tell(
    table: &mut SqliteConnection,
    closte: &Simulator,
    world: &World,
    state: &State,
) -> Result<bool, CommandError> {
    say("An agency's network: 12 sites, 16 domain records. One record is no domain name,\n\
         and one site has no record at all. Closte knows none of them, only a name that\n\
         somebody keeps there by hand. All their DNS is right but for old-books.example.")?;
    let mut desired: Vec<String> = DESIRED.map(str::to_owned).into();
    for name in ["agency.example", "*.agency.example"].into_iter().chain(DESIRED) {
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

pub(super) fn say(text: &str) -> Result<(), CommandError> {
    Ok(print(&format!("\n{}\n", paint(STRONG, text)))?)
}
