use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// The most looks at one server at the same time.
const IN_FLIGHT: usize = 2;
/// A server's time is taken for one part in this many.
const PARTS: u32 = 50;
/// How many servers are remembered; more only while they are busy.
const KEPT: usize = 1024;
/// How often a look that waits asks for its turn.
const TURN: Duration = Duration::from_millis(100);

/// Spares the servers: a page costs them more than a handshake.
#[derive(Debug, Clone, Default)]
pub(crate) struct SitePace(Arc<Mutex<HashMap<IpAddr, Server>>>);

#[derive(Debug)]
struct Server {
    in_flight: usize,
    free_at: Instant,
}

/// A look at a server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    pace: SitePace,
    address: IpAddr,
    began: Instant,
}

impl SitePace {
    /// None while others look at the server, or its time is used up.
    pub(crate) fn try_begin(&self, address: IpAddr) -> Option<Turn> {
        self.take(address, true)
    }

    fn take(&self, address: IpAddr, spares: bool) -> Option<Turn> {
        let now = Instant::now();
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.len() >= KEPT {
            servers.retain(|_, server| server.in_flight > 0 || server.free_at > now);
        }
        let server = servers.entry(address).or_insert(Server { in_flight: 0, free_at: now });
        if server.in_flight >= IN_FLIGHT || (spares && server.free_at > now) {
            return None;
        }
        server.in_flight += 1;
        Some(Turn { pace: self.clone(), address, began: now })
    }

    /// For somebody who waits for the answer: only the looks in flight are waited for.
    pub(crate) async fn begin(&self, address: IpAddr) -> Turn {
        loop {
            if let Some(turn) = self.take(address, false) {
                return turn;
            }
            sleep(TURN).await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut servers = self.pace.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = servers.get_mut(&self.address) {
            server.in_flight = server.in_flight.saturating_sub(1);
            let took = now.duration_since(self.began);
            server.free_at = server.free_at.max(now) + took.saturating_mul(PARTS - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_gives_a_fiftieth_of_its_time() {
        let (pace, address) = (SitePace::default(), IpAddr::from([192, 0, 2, 1]));
        let start = Instant::now();
        for _ in 0..10 {
            let turn = loop {
                match pace.try_begin(address) {
                    Some(turn) => break turn,
                    None => sleep(TURN).await,
                }
            };
            tokio::time::advance(Duration::from_millis(100)).await;
            drop(turn);
        }
        let elapsed = start.elapsed();
        assert!((45.0..47.0).contains(&elapsed.as_secs_f64()), "{elapsed:?}");
        let other = IpAddr::from([192, 0, 2, 2]);
        let turns = [pace.try_begin(other), pace.try_begin(other), pace.try_begin(other)];
        assert_eq!(turns.map(|turn| turn.is_some()), [true, true, false]);
        assert!(pace.try_begin(address).is_none());
        let before = Instant::now();
        drop(pace.begin(address).await);
        assert_eq!(before.elapsed(), Duration::ZERO, "somebody waits for it");
    }
}
