use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// The most looks at one server at the same time.
const IN_FLIGHT: usize = 2;
/// A server's time is taken for one part in this many.
const PARTS: u32 = 50;
/// How many servers are remembered; more only while they are busy.
const KEPT: usize = 1024;

/// Spares the servers: a page costs them more than a handshake.
#[derive(Debug, Clone, Default)]
pub(crate) struct SitePace(Arc<Mutex<HashMap<IpAddr, Server>>>);

#[derive(Debug, Clone)]
struct Server {
    slots: Arc<Semaphore>,
    free_at: Instant,
}

/// A look at a server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    pace: SitePace,
    address: IpAddr,
    began: Instant,
    _slot: Option<OwnedSemaphorePermit>,
}

impl SitePace {
    /// None while others look at the server, or its time is used up.
    pub(crate) fn try_begin(&self, address: IpAddr) -> Option<Turn> {
        let server = self.server(address);
        let slot = server.slots.try_acquire_owned().ok()?;
        (server.free_at <= Instant::now()).then(|| self.turn(address, Some(slot)))
    }

    /// For a look that is needed now: only those in flight are waited for. Later looks make up for its time.
    pub(crate) async fn begin(&self, address: IpAddr) -> Turn {
        // An error means that the semaphore is closed, which never happens.
        let slot = self.server(address).slots.acquire_owned().await.ok();
        self.turn(address, slot)
    }

    fn server(&self, address: IpAddr) -> Server {
        let now = Instant::now();
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.len() >= KEPT {
            let is_busy = |server: &Server| server.slots.available_permits() < IN_FLIGHT;
            servers.retain(|_, server| is_busy(server) || server.free_at > now);
        }
        let new = || Server { slots: Arc::new(Semaphore::new(IN_FLIGHT)), free_at: now };
        servers.entry(address).or_insert_with(new).clone()
    }

    fn turn(&self, address: IpAddr, slot: Option<OwnedSemaphorePermit>) -> Turn {
        Turn { pace: self.clone(), address, began: Instant::now(), _slot: slot }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut servers = self.pace.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = servers.get_mut(&self.address) {
            let took = now.duration_since(self.began);
            server.free_at = server.free_at.max(now) + took.saturating_mul(PARTS - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_gives_a_fiftieth_of_its_time() {
        let (pace, address) = (SitePace::default(), IpAddr::from([192, 0, 2, 1]));
        let step = Duration::from_millis(100);
        let mut looks = 0;
        for _ in 0..1_000 {
            if let Some(turn) = pace.try_begin(address) {
                advance(step).await;
                drop(turn);
                looks += 1;
            }
            advance(step).await;
        }
        // One in 50 steps, from the first step on; each look is a step, too.
        assert_eq!(looks, 21);
        // One that is needed now is made at once, and is made up for.
        let before = Instant::now();
        let turn = pace.begin(address).await;
        assert_eq!(before.elapsed(), Duration::ZERO);
        advance(step).await;
        drop(turn);
        assert!(pace.server(address).free_at >= before + 50 * step);
    }

    #[tokio::test]
    async fn two_look_at_a_server_at_the_same_time() {
        let (pace, address) = (SitePace::default(), IpAddr::from([192, 0, 2, 2]));
        let turns = [pace.try_begin(address), pace.try_begin(address), pace.try_begin(address)];
        assert_eq!(turns.each_ref().map(Option::is_some), [true, true, false]);
        let waiting = pace.begin(address);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(turns);
        waiting.await;
    }
}
