//! Which of several daemons acts, where they share a network.
//!
//! The network's database decides by a named lock: one session of each daemon asks for it, and whoever has it
//! leads. The others are standbys: they read and keep their state, and change nothing outside. A command with the
//! same state, such as `apply` beside the daemon, acts under its lead. A second lock with a random name, which
//! only the state database has, proves that.
//!
//! A daemon that is stopped for long enough loses its session, and its lock with it. It asks before each
//! batch of calls, so that it notices. What is on its way to Closte at that moment cannot be called back.

mod config;
mod held;
mod look;
mod standing;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    back_off::BackOff,
    clock::Clock,
    events::EventBatch,
    state::{LeadershipNote, Loop, State, StateError},
    wordpress::{LockName, Source},
};
pub use config::{LeaderConfig, LeaderEnabled};
use held::Held;
pub use look::WhoLeads;
pub use standing::Standing;
use standing::{Observation, after, report};

/// For how long an answer of the database counts.
const CONFIRMED_FOR: Duration = Duration::from_secs(1);
/// Between two questions while nothing happens.
const ASKED_AGAIN: BackOff =
    BackOff { first: Duration::from_secs(2), longest: Duration::from_secs(30) };
/// The shortest time after which the server ends a session that asks nothing.
const SHORTEST_IDLE: Duration = Duration::from_secs(30);
const LAST_QUESTION: Duration = Duration::from_secs(1);

/// Who takes part in the choice of a leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub enabled: LeaderEnabled,
    /// The fingerprint of the account at Closte.
    pub account: String,
    /// The longest pause between two cycles.
    pub sync_interval: Duration,
    /// A command acts under the lead of the daemon with the same state, and reports in its own words. A daemon does
    /// not: its state may be a copy of the leader's.
    pub is_daemon: bool,
}

impl Candidate {
    /// After how long without a question the server ends the session of one that hangs.
    fn idle_limit(&self) -> Duration {
        self.sync_interval.saturating_mul(3).max(SHORTEST_IDLE)
    }
}

/// Clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct Leader(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    candidate: Candidate,
    state: State,
    clock: Clock,
    held: Mutex<Held>,
    standing: watch::Sender<Standing>,
}

/// The right to act, which ends when another daemon may lead.
#[derive(Debug, Clone)]
pub struct Mandate {
    leader: Leader,
    /// None where nobody decides who leads.
    term: Option<u64>,
}

impl PartialEq for Mandate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.leader.0, &other.leader.0) && self.term == other.term
    }
}

impl Mandate {
    /// Whether it still lasts. Anything but a clear yes of the database is a no.
    pub async fn lasts(&self) -> bool {
        let Some(term) = self.term else { return true };
        let leader = self.leader.clone();
        // A task of its own: whoever asks may be polled together with what waits for the state database.
        let asked = tokio::spawn(async move { leader.still_leads(term).await });
        match asked.await {
            Ok(Ok(leads)) => leads,
            Ok(Err(error)) => {
                tracing::debug!(%error, "who leads could not be noted");
                false
            }
            Err(error) => {
                tracing::debug!(%error, "who leads could not be asked");
                false
            }
        }
    }
}

impl Leader {
    /// Opens no connection.
    pub fn new(source: Source, candidate: Candidate, state: State, clock: Clock) -> Self {
        let decides = candidate.enabled != LeaderEnabled::Off && source.has_named_locks();
        let standing = if decides { Standing::Unknown } else { Standing::Alone { reason: None } };
        Self(Arc::new(Inner {
            held: Mutex::new(Held::new(source.clone(), candidate.idle_limit())),
            source,
            candidate,
            state,
            clock,
            standing: watch::Sender::new(standing),
        }))
    }

    /// Whether it stands for the same, so that it stays across a reload.
    pub fn is_of(&self, source: &Source, candidate: &Candidate) -> bool {
        self.0.source.is_same(source) && self.0.candidate == *candidate
    }

    /// As it was known last.
    pub fn standing(&self) -> Standing {
        self.0.standing.borrow().clone()
    }

    /// None unless another daemon leads; if that one hangs and has the same `sync.interval`, it leads for no longer
    /// than this.
    pub fn other_leads(&self) -> Option<Duration> {
        let is_standby = matches!(*self.0.standing.borrow(), Standing::Standby { .. });
        is_standby.then(|| self.0.candidate.idle_limit())
    }

    /// Asks the database who leads, and takes the lead if nobody does. None on a standby.
    pub async fn confirm(
        &self,
        network: i64,
        now: Timestamp,
    ) -> Result<Option<Mandate>, StateError> {
        if let Standing::Alone { .. } = *self.0.standing.borrow() {
            return Ok(Some(Mandate { leader: self.clone(), term: None }));
        }
        let Some(lock) = self.0.source.lock_name(network, &self.0.candidate.account) else {
            return Ok(Some(Mandate { leader: self.clone(), term: None }));
        };
        let mut held = self.0.held.lock().await;
        if held.lock.as_ref().is_some_and(|known| *known != lock) {
            self.give_up(&mut held).await?;
        }
        held.lock = Some(lock);
        self.ask(&mut held, true, now).await?;
        let standing = self.standing();
        let term = (standing == Standing::Leads).then_some(held.term);
        Ok(standing.acts().then(|| Mandate { leader: self.clone(), term }))
    }

    /// Since when nobody else has led, as far as the state shows; none where nobody can.
    pub async fn leading_since(&self) -> Result<Option<Timestamp>, StateError> {
        let lock = self.0.held.lock().await.lock.clone();
        let Some(lock) = lock else { return Ok(None) };
        Ok(self.0.state.leadership(lock.as_str()).await?.map(|note| note.since))
    }

    /// After the network could not be read: what the state says, until the database can be asked.
    pub async fn recall(&self) -> Result<(), StateError> {
        if *self.0.standing.borrow() != Standing::Unknown {
            return Ok(());
        }
        let note = self.0.state.last_leadership().await?;
        let standing = match note.as_ref().and_then(LeadershipNote::other_leader) {
            Some(leader) => Standing::Standby { leader: leader.to_owned() },
            None => Standing::Leaderless { reason: "the database does not answer".to_owned() },
        };
        self.0.standing.send_replace(standing);
        Ok(())
    }

    /// Asks every few seconds, until `stop`: so the session stays, and its end and that of another leader are
    /// noticed soon. `begin` is called when this daemon begins to act.
    pub async fn watch(&self, begin: impl Fn(), stop: &CancellationToken) {
        let mut failures = 0;
        loop {
            let pause = tokio::time::sleep(ASKED_AGAIN.after(failures));
            if stop.run_until_cancelled(pause).await.is_none() {
                return;
            }
            let acted = self.standing().acts();
            match self.ask_again().await {
                Ok(()) => {}
                Err(error) => tracing::debug!(%error, "who leads could not be noted"),
            }
            let standing = self.standing();
            if standing.acts() && !acted {
                begin();
            }
            let failed = matches!(standing, Standing::Leaderless { .. });
            failures = if failed { failures.saturating_add(1) } else { 0 };
        }
    }

    async fn ask_again(&self) -> Result<(), StateError> {
        if let Standing::Alone { .. } = *self.0.standing.borrow() {
            return Ok(());
        }
        let mut held = self.0.held.lock().await;
        let now = self.now().await?;
        self.ask(&mut held, true, now).await
    }

    async fn still_leads(&self, term: u64) -> Result<bool, StateError> {
        let mut held = self.0.held.lock().await;
        let now = self.0.clock.machine_runs_for();
        let is_fresh = |at: Duration| now.saturating_sub(at) <= CONFIRMED_FOR;
        if held.term == term && !held.confirmed_at.is_some_and(is_fresh) {
            let now = self.now().await?;
            self.ask(&mut held, false, now).await?;
        }
        Ok(held.term == term && *self.0.standing.borrow() == Standing::Leads)
    }

    /// By the clock of the cycles.
    async fn now(&self) -> Result<Timestamp, StateError> {
        let mut clock = self.0.clock.clone();
        self.0.state.restore_clock(Loop::Cycles, &mut clock).await?;
        Ok(clock.now())
    }

    /// Asks, and notes and reports what has changed. `takes` is whether it takes a lock that nobody has.
    async fn ask(&self, held: &mut Held, takes: bool, now: Timestamp) -> Result<(), StateError> {
        // Before the first read of the network it is not known which lock.
        let Some(lock) = held.lock.clone() else { return Ok(()) };
        let Inner { state, candidate, clock, .. } = &*self.0;
        let note = state.leadership(lock.as_str()).await?;
        let proof = note.as_ref().and_then(|note| note.proof.as_deref());
        let known_proof = proof.filter(|_| !candidate.is_daemon);
        let known_proof = known_proof.and_then(|proof| proof.parse().ok());
        let was_taken = held.is_taken;
        // Before the question: the answer is at least as new.
        let asked_at = clock.machine_runs_for();
        // Boxed, as it is large and deeply nested.
        let seen = Box::pin(held.observe(&lock, known_proof, takes)).await;
        let before = self.standing();
        let next = after(&before, &seen, candidate.enabled == LeaderEnabled::On);
        let event = report(&before, &seen, &next).filter(|_| candidate.is_daemon);
        let batch = EventBatch::of(event);
        if next != Standing::Leads {
            // First of all, so that nothing more is done.
            self.0.standing.send_replace(next.clone());
        }
        let taken = held.proof.as_ref().filter(|_| held.is_taken).map(LockName::as_str);
        match (&seen, taken) {
            // Also where noting it failed before.
            (Observation::Taken | Observation::Ours, Some(taken)) if proof != Some(taken) => {
                state.note_leading(lock.as_str(), taken, &batch, now).await?;
            }
            (Observation::Others(leader), _) => {
                let noted = note.as_ref().and_then(LeadershipNote::other_leader);
                let is_noted = noted == Some(leader);
                if is_noted {
                    state.emit(&batch, now).await?;
                } else {
                    state.note_other_leads(lock.as_str(), Some(leader), &batch, now).await?;
                }
            }
            (Observation::Failed(_), _) if was_taken => {
                state.note_other_leads(lock.as_str(), None, &batch, now).await?;
            }
            _ => state.emit(&batch, now).await?,
        }
        if next == Standing::Leads {
            held.confirmed_at = Some(asked_at);
            self.0.standing.send_replace(next);
        }
        Ok(())
    }

    /// Gives the lead up, so that another daemon takes over at once.
    pub async fn resign(&self) {
        let resign = async { self.give_up(&mut *self.0.held.lock().await).await };
        match tokio::time::timeout(LAST_QUESTION, resign).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the end of the lead could not be noted"),
            Err(_) => tracing::debug!("the lead ends with its session: the database is slow"),
        }
    }

    async fn give_up(&self, held: &mut Held) -> Result<(), StateError> {
        let Some(lock) = held.lock.take() else { return Ok(()) };
        if *self.0.standing.borrow() == Standing::Leads {
            self.0.standing.send_replace(Standing::Unknown);
        }
        // First the note: after it, another one may lead.
        let noted = match held.proof.as_ref().filter(|_| held.is_taken) {
            Some(proof) => self.0.state.note_resigned(lock.as_str(), proof.as_str()).await,
            None => Ok(()),
        };
        held.end(&lock).await;
        noted
    }
}
