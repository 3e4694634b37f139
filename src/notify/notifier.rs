//! Reads the outbox and tells the targets, each in a loop of its own.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt as _, future::join_all};
use jiff::Timestamp;
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    NotifyConfig, NotifyTarget,
    decide::{Audience, Picked, Silence, TOLD_WITHIN, Verdict, Waits, decide},
    deliver::{Courier, DeliveryOutcome},
    fold::fold,
    message::{Change, Group, Item, MOST_NAMES, Message, MessageKind},
    record::{FailureReport, Pending, TargetRecord},
    topics::{self, Shown},
};
use crate::{
    checks::advise,
    clock::Clock,
    domain::DomainName,
    events::{Event, EventBatch},
    language::Language,
    leader::Leader,
    ledger::later,
    state::{CheckedDomain, State, StateError, Trouble, TroubleChanges},
};

/// How often the outbox is looked at.
const TICK: Duration = Duration::from_secs(1);
/// What is told next is decided again after this time, whether or not anything happened.
const DECIDED_AGAIN: Duration = Duration::from_secs(10 * 60);
/// How long the call in flight may take when the daemon stops.
const LAST_CALL: Duration = Duration::from_millis(1_500);
/// After a fault of its own.
const AFTER_FAULT: Duration = Duration::from_secs(60);
/// The longest time that a target's first message waits for the first look at all domains.
const LONGEST_DIGEST_WAIT: Duration = Duration::from_secs(10 * 60);
/// How long what has ended is kept although nobody has to be told.
const KEPT_ENDED: Duration = Duration::from_secs(60 * 60);

/// Tells the targets what needs them.
#[derive(Debug)]
pub struct Notifier {
    targets: Vec<NotifyTarget>,
    state: State,
    courier: Courier,
    clock: Clock,
    waits: Waits,
    language: Language,
    leader: Leader,
}

impl Notifier {
    /// `check_interval` is how long a first look at all domains takes.
    ///
    /// # Errors
    /// When the system's root certificates cannot be loaded.
    pub fn new(
        config: NotifyConfig,
        state: State,
        check_interval: Duration,
        clock: Clock,
        leader: Leader,
    ) -> reqwest::Result<Self> {
        let group = config.group_wait;
        let digest = check_interval.min(LONGEST_DIGEST_WAIT).saturating_add(group);
        let waits = Waits { group, digest };
        let courier = Courier::new()?;
        let language = config.language;
        Ok(Self { targets: config.targets, state, courier, clock, waits, language, leader })
    }

    /// Until `stop`. A fault here ends nothing else.
    pub async fn run(self, stop: &CancellationToken) {
        let names: Vec<&str> = self.targets.iter().map(|target| target.name.as_str()).collect();
        if let Err(error) = self.state.keep_only_targets(&names).await {
            tracing::debug!(%error, "targets that are gone were not forgotten");
        }
        if self.targets.is_empty() {
            return;
        }
        while !stop.is_cancelled() {
            let (changes, changed) = watch::channel(());
            let targets =
                join_all(self.targets.iter().map(|one| self.serve(one, changed.clone(), stop)));
            let all = async { tokio::join!(self.read_outbox(changes, stop), targets) };
            if AssertUnwindSafe(all).catch_unwind().await.is_ok() {
                return;
            }
            stop.run_until_cancelled(tokio::time::sleep(AFTER_FAULT)).await;
        }
    }

    /// Tells the targets what is due, and ends: nothing is waited for. `standing` are the events of the
    /// conditions that stand.
    ///
    /// # Errors
    /// The state database's. What was not told is told another time.
    pub async fn run_round(
        mut self,
        standing: &[&str],
        stop: &CancellationToken,
    ) -> Result<(), StateError> {
        let names: Vec<&str> = self.targets.iter().map(|target| target.name.as_str()).collect();
        self.state.keep_only_targets(&names).await?;
        if self.targets.is_empty() || !self.leader.standing().tells() {
            return Ok(());
        }
        self.waits = Waits { group: Duration::ZERO, digest: Duration::ZERO };
        self.fold_events(&mut None).await?;
        // Another process may have raised some, and never have cleared them.
        let over = topics::of_a_run().filter(|event| !standing.contains(event)).collect();
        let now = self.clock.now();
        let in_doubt = Some((now.as_millisecond(), over));
        let changes = TroubleChanges { in_doubt, ..TroubleChanges::default() };
        self.state.note_troubles(&changes, self.state.notify_cursor().await?, now).await?;
        let told = self.targets.iter().map(async |target| {
            loop {
                let now = self.clock.now();
                match self.step(target, now, stop).await? {
                    Some(next) if next <= now && !stop.is_cancelled() => {}
                    _ => return Ok(()),
                }
            }
        });
        join_all(told).await.into_iter().collect()
    }

    async fn read_outbox(&self, changes: watch::Sender<()>, stop: &CancellationToken) {
        let mut cursor = None;
        let mut ticks = ticks();
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            match self.fold_events(&mut cursor).await {
                Ok(true) => changes.send_replace(()),
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "the outbox could not be read"),
            }
        }
    }

    /// Reads all new events. Returns whether anything may have to be told.
    async fn fold_events(&self, cursor: &mut Option<i64>) -> Result<bool, StateError> {
        let mut has_changed = false;
        let mut after = match *cursor {
            Some(known) => known,
            None => self.state.notify_cursor().await?,
        };
        let wanted = |event: &str| self.targets.iter().any(|one| one.selection.includes(event));
        loop {
            let events = self.state.outbox(after).await?;
            if events.is_empty() {
                break;
            }
            let folded = fold(&events, wanted);
            if !folded.is_nothing() {
                self.state.note_troubles(&folded.changes, folded.cursor, self.clock.now()).await?;
            }
            has_changed |= !folded.is_nothing() || folded.may_have_ended;
            after = folded.cursor;
            *cursor = Some(after);
        }
        *cursor = Some(after);
        Ok(has_changed)
    }

    /// Tells one target what it has to be told, until `stop`. On a standby everything waits: once it leads, what
    /// is true then is told.
    async fn serve(
        &self,
        target: &NotifyTarget,
        mut changed: watch::Receiver<()>,
        stop: &CancellationToken,
    ) {
        let mut next = Timestamp::MIN;
        let mut ticks = ticks();
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if !self.leader.standing().tells() {
                continue;
            }
            let now = self.clock.now();
            if changed.has_changed().unwrap_or(false) {
                changed.mark_unchanged();
                next = next.min(later(now, self.waits.group));
            }
            // A time that far ahead is from before the clock was set.
            if now < next && next <= later(now, DECIDED_AGAIN) {
                continue;
            }
            let again = later(now, DECIDED_AGAIN);
            next = match self.step(target, now, stop).await {
                Ok(Some(at)) => at.min(again),
                Ok(None) => again,
                Err(error) => {
                    tracing::debug!(%error, target = target.name, "notifications wait");
                    later(now, TICK)
                }
            };
        }
    }

    /// Tells the target what is due. Returns when to decide again; none if nothing waits.
    async fn step(
        &self,
        target: &NotifyTarget,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> Result<Option<Timestamp>, StateError> {
        let kept = self.state.notify_target(&target.name).await?;
        let kept = kept.and_then(|text| serde_json::from_str::<TargetRecord>(&text).ok());
        let mut record = match kept {
            Some(record) => record,
            None => {
                let record = TargetRecord::new(now);
                self.state.keep_target(&target.name, &record).await?;
                record
            }
        };
        if let Some(failure) = record.failure.as_ref().filter(|one| one.next_attempt > now) {
            return Ok(Some(failure.next_attempt));
        }
        let pending = match record.pending.take() {
            // The process ended before it saw whether this one arrived.
            Some(pending) => pending,
            None => match self.compose(target, &mut record, now).await? {
                Composed::Nothing(next) => return Ok(next),
                Composed::Message(pending) => pending,
            },
        };
        record.note_departure(pending.clone(), now);
        self.state.keep_target(&target.name, &record).await?;
        let delivery = self.courier.deliver(target, &pending.message, Timestamp::now());
        let last_call = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_CALL).await;
        };
        let outcome = tokio::select! {
            outcome = delivery => outcome,
            // It stays pending, and leaves again.
            () = last_call => return Ok(None),
        };
        let now = self.clock.now();
        match outcome {
            DeliveryOutcome::Arrived => {
                let failed_for = record.note_arrival(now);
                let Pending { told, over, .. } = &pending;
                self.state.note_told(&target.name, &record, told, over, now).await?;
                if let Some(after_s) = failed_for {
                    let target = target.name.clone();
                    self.emit(Event::NotifyRecovered { target, after_s }).await?;
                }
            }
            DeliveryOutcome::Failed { error, may_have_arrived, retry_after } => {
                let report = record.note_failure(may_have_arrived, retry_after, now);
                self.state.keep_target(&target.name, &record).await?;
                let target = target.name.clone();
                match report {
                    None => {}
                    Some(FailureReport::First) => {
                        self.emit(Event::NotifyDelayed { target, error }).await?;
                    }
                    Some(FailureReport::Lasting(for_s)) => {
                        self.emit(Event::NotifyFailed { target, error, for_s }).await?;
                    }
                }
            }
        }
        Ok(Some(now))
    }

    /// Decides what the target is told now, from what is true now.
    async fn compose(
        &self,
        target: &NotifyTarget,
        record: &mut TargetRecord,
        now: Timestamp,
    ) -> Result<Composed, StateError> {
        self.settle(now).await?;
        let troubles = self.state.troubles(&target.name).await?;
        let silence = Silence {
            mutes: self.state.mutes(now).await?,
            doubts: self.state.checks_doubt(now).await?.is_some(),
        };
        let audience = Audience {
            name: &target.name,
            selection: &target.selection,
            record,
            troubles: &troubles,
        };
        match decide(&audience, &silence, self.waits, now) {
            Verdict::Wait(next) => {
                let unmuted = silence.mutes.iter().map(|mute| mute.until);
                Ok(Composed::Nothing(next.into_iter().chain(unmuted).min()))
            }
            Verdict::Limited(until) => {
                if record.limited_since.is_none() {
                    record.limited_since = Some(now);
                    self.state.keep_target(&target.name, record).await?;
                }
                Ok(Composed::Nothing(Some(until)))
            }
            Verdict::Tell(picked) => Ok(Composed::Message(self.write(picked, now).await?)),
        }
    }

    /// Ends the troubles of which the state database shows the end, and forgets what nobody has to be told.
    async fn settle(&self, now: Timestamp) -> Result<(), StateError> {
        let (mut over, mut again, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for facts in self.state.trouble_facts(&topics::SHOWN).await? {
            match (topics::shown(&facts), facts.is_over) {
                (Shown::Over, false) => over.push(facts.id),
                (Shown::Stands, true) => again.push(facts.id),
                (Shown::Gone, _) => gone.push(facts.id),
                _ => {}
            }
        }
        if !(over.is_empty() && again.is_empty() && gone.is_empty()) {
            self.state.settle_troubles(&over, &again, &gone, now).await?;
        }
        let before = |wait| now.checked_sub(wait).unwrap_or(Timestamp::MIN);
        self.state.forget_troubles(before(KEPT_ENDED), before(TOLD_WITHIN)).await
    }

    async fn write(&self, picked: Picked<'_>, now: Timestamp) -> Result<Pending, StateError> {
        let Picked { new, still, over, is_digest, left_out } = picked;
        let ids = |troubles: &[&Trouble]| troubles.iter().map(|one| one.id).collect::<Vec<_>>();
        let (told, ended) = ([ids(&new), ids(&still)].concat(), ids(&over));
        let mut groups = Vec::new();
        for (change, troubles) in [(Change::New, new), (Change::Still, still), (Change::Over, over)]
        {
            groups.extend(self.groups(change, troubles, now).await?);
        }
        let kind = if is_digest { MessageKind::Digest } else { MessageKind::Notice };
        let message = Message::new(kind, groups, left_out, now);
        Ok(Pending { message, told, over: ended, is_again: false })
    }

    /// The troubles by event, errors first, each with its first names.
    async fn groups(
        &self,
        change: Change,
        troubles: Vec<&Trouble>,
        now: Timestamp,
    ) -> Result<Vec<Group>, StateError> {
        let mut by_event: BTreeMap<(bool, &str), Vec<&Trouble>> = BTreeMap::new();
        for trouble in troubles {
            let is_error = topics::level(&trouble.event) == Some("ERROR");
            by_event.entry((!is_error, &trouble.event)).or_default().push(trouble);
        }
        let mut groups = Vec::new();
        for ((_, event), mut troubles) in by_event {
            troubles.sort_unstable_by(|a, b| (&a.subject, a.id).cmp(&(&b.subject, b.id)));
            let count = troubles.len();
            troubles.truncate(MOST_NAMES);
            let ids: Vec<i64> = troubles.iter().map(|one| one.id).collect();
            let details: BTreeMap<i64, _> =
                self.state.trouble_details(&ids).await?.into_iter().collect();
            let mut customers = match change {
                Change::Over => BTreeMap::new(),
                _ => self.customers(&troubles, now).await?,
            };
            let item = |trouble: &&Trouble| {
                let until = trouble.ended_at.filter(|_| change == Change::Over);
                let detail = details.get(&trouble.id).unwrap_or(&serde_json::Value::Null);
                let item = Item::new(&trouble.subject, trouble.since, until, detail);
                Item { customer: customers.remove(&trouble.subject), ..item }
            };
            groups.push(Group::new(change, event, count, troubles.iter().map(item).collect()));
        }
        Ok(groups)
    }

    /// What the owners of those of these domains that do not work are told now.
    async fn customers(
        &self,
        troubles: &[&Trouble],
        now: Timestamp,
    ) -> Result<BTreeMap<String, String>, StateError> {
        let names = troubles.iter().filter_map(|trouble| trouble.subject.parse().ok());
        let names: Vec<DomainName> = names.collect();
        let Some(ledger) = self.state.current_ledger().await?.filter(|_| !names.is_empty()) else {
            return Ok(BTreeMap::new());
        };
        let told = |CheckedDomain { name, facts, status, .. }: CheckedDomain| {
            let status = status.filter(|status| !status.latest.works())?;
            // Only the operator's advice names the panel.
            let advice = advise(&name, &status, &facts, None, now);
            Some((name.to_string(), advice.customer.in_language(self.language)))
        };
        let checked = self.state.desired(ledger, &names).await?;
        Ok(checked.into_iter().filter_map(told).collect())
    }

    async fn emit(&self, event: Event) -> Result<(), StateError> {
        self.state.emit(&EventBatch::of([event]), Timestamp::now()).await
    }
}

enum Composed {
    /// When to decide again; none if nothing waits.
    Nothing(Option<Timestamp>),
    Message(Pending),
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
