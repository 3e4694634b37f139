//! All resolvers, and what they say together.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use hickory_resolver::proto::rr::{Name, RData, RecordType, rdata::CAA};
use ipnet::IpNet;

use super::{
    dns::{Control, Resolver, ResolverAddress, View},
    evaluate::evaluate_answer,
    reply::{Addresses, Reply, text},
    targets::Expected,
    weigh::{Vote, alone, views, weigh},
};
use crate::status::{DnsVerdict, ResolverAnswer};

/// The resolvers of `checks.resolvers`.
pub(super) struct Resolvers {
    pub(super) all: Vec<Resolver>,
    /// Whose turn it is to be asked alone.
    turn: AtomicUsize,
}

impl Resolvers {
    pub(super) fn new(addresses: &[ResolverAddress], queries_per_second: u32) -> Self {
        let resolver = |address: &ResolverAddress| Resolver::new(*address, queries_per_second);
        Self { all: addresses.iter().map(resolver).collect(), turn: AtomicUsize::new(0) }
    }

    /// Those whose view decides, and who are well, beginning with another one each time; where there
    /// is none, those with the next view.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = &Resolver> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.all.len().max(1);
        let in_turn = move || self.all.iter().cycle().skip(turn).take(self.all.len());
        let well = move || in_turn().filter(|resolver| !resolver.rests());
        let widest = well().map(|resolver| resolver.view).min();
        well().filter(move |resolver| Some(resolver.view) == widest)
    }

    /// What one of them says.
    pub(super) async fn ask_one(
        &self,
        host: &Name,
        expected: Option<&Expected>,
        proxies: &[IpNet],
    ) -> Vec<ResolverAnswer> {
        match self.in_turn().next() {
            Some(resolver) => {
                let answer = resolver.addresses(host).await;
                vec![evaluate_answer(resolver.label(), answer, expected, proxies)]
            }
            None => Vec::new(),
        }
    }

    /// What all of them say, and whose answers count.
    pub(super) async fn ask_all(
        &self,
        host: &Name,
        expected: Option<&Expected>,
        proxies: &[IpNet],
    ) -> Vec<ResolverAnswer> {
        let heard = self.hear_all(host, expected, proxies).await;
        heard.into_iter().map(|one| one.answer).collect()
    }

    /// The same, with what speaks for or against each.
    pub(super) async fn hear_all(
        &self,
        host: &Name,
        expected: Option<&Expected>,
        proxies: &[IpNet],
    ) -> Vec<Vote> {
        let answers = join_all(self.all.iter().map(|one| one.addresses(host))).await;
        let judged = self.all.iter().zip(answers).map(|(resolver, answer)| {
            let failed =
                matches!(answer, Addresses::Broken { dnssec: false, .. } | Addresses::Failed(_));
            let answer = evaluate_answer(resolver.label(), answer, expected, proxies);
            Vote {
                answer,
                view: resolver.view,
                has_answered: resolver.has_answered(),
                sick: resolver.sick(),
                control: Control::Unknown,
                failed,
            }
        });
        let mut heard: Vec<Vote> = judged.collect();
        self.find_controls(&mut heard).await;
        weigh(&mut heard);
        self.note(&text(host), &heard);
        heard
    }

    /// Unless all see it right, each that said anything shows how it does with what must be known.
    async fn find_controls(&self, heard: &mut [Vote]) {
        if heard.iter().all(|one| one.answer.verdict.is_good()) {
            return;
        }
        let controls = self.all.iter().zip(heard).map(async |(resolver, one)| {
            if one.answer.verdict == DnsVerdict::Unknown && !one.failed {
                return;
            }
            one.control = resolver.control().await;
            if let Control::Failed(how) = &one.control {
                resolver.note_sick(how);
            }
        });
        join_all(controls).await;
    }

    /// Notes who stood alone.
    fn note(&self, name: &str, heard: &[Vote]) {
        let of = |one: &Vote| self.all.iter().find(|all| all.label() == one.answer.resolver);
        for one in alone(heard) {
            let error = one.answer.error.as_deref();
            let fails = match one.answer.verdict {
                DnsVerdict::Broken => "it answers SERVFAIL",
                _ => error.unwrap_or("it fails"),
            };
            let how = format!("{fails} for one name after the other where most others answer");
            of(one).into_iter().for_each(|resolver| resolver.note_failed_alone(name, &how));
        }
        for (one, shares) in views(heard) {
            let says = (!shares).then(|| format!("{name}: {}", one.answer.says()));
            of(one).into_iter().for_each(|resolver| resolver.note_view(name, says.clone()));
        }
    }

    /// Whether one of these has the public view.
    pub(super) fn has_public<'a>(&self, labels: impl Iterator<Item = &'a str>) -> bool {
        let is_public = |label: &str| {
            self.all.iter().any(|one| one.label() == label && one.view == View::Public)
        };
        labels.into_iter().any(is_public)
    }

    /// The CAA records of a name, as an authority would get them.
    pub(super) async fn caa(&self, name: &Name) -> CaaReply {
        let mut in_turn: Vec<&Resolver> = self.in_turn().collect();
        // Authorities check signatures.
        in_turn.sort_by_key(|resolver| !resolver.validates());
        let Some((first, others)) = in_turn.split_first() else { return CaaReply::Unknown };
        let answer = first.ask(name, RecordType::CAA).await;
        let is_enough = says(&answer);
        let mut answers = vec![(*first, answer)];
        if !is_enough {
            let others =
                others.iter().map(async |one| (*one, one.ask(name, RecordType::CAA).await));
            answers.extend(join_all(others).await);
        }
        let bogus = answers
            .iter()
            .any(|(_, reply)| matches!(reply, Reply::Broken { dnssec: Some(true), .. }));
        let said = answers.iter().find(|(one, reply)| says(reply) && (!bogus || one.validates()));
        if let Some((_, reply)) = said {
            return CaaReply::of(reply);
        }
        // What we cannot read, an authority may.
        if answers.iter().any(|(_, reply)| *reply == Reply::Unreadable) {
            return CaaReply::Unknown;
        }
        // Whoever is sick, or fails at the root's as well, cannot ask for such records at all.
        let failing = answers.iter().filter(|(_, reply)| !says(reply));
        let failing = failing.map(async |(one, reply)| {
            let can_ask = matches!(one.control().await, Control::Passed { .. })
                && says(&one.ask(&Name::root(), RecordType::CAA).await);
            can_ask.then(|| reply.why())
        });
        let failing = join_all(failing).await.into_iter().flatten().next();
        failing.map_or(CaaReply::Unknown, CaaReply::Fails)
    }

    /// Records of a kind, from the first that can say.
    pub(super) async fn records(&self, name: &Name, kind: RecordType) -> Reply {
        let mut outcome = Reply::Silent("no resolver answers".to_owned());
        for resolver in self.in_turn() {
            outcome = resolver.ask(name, kind).await;
            if matches!(outcome, Reply::Records { .. } | Reply::NoSuchName { .. }) {
                break;
            }
        }
        outcome
    }
}

/// What is known of a name's CAA records.
pub(super) enum CaaReply {
    /// They are these, and stand at this name: the one that was asked for, or where its CNAME leads.
    At(Name, Vec<CAA>),
    /// There are none.
    None,
    /// They cannot be had, and no authority can have them.
    Fails(String),
    /// They could not be asked for.
    Unknown,
}

impl CaaReply {
    fn of(reply: &Reply) -> Self {
        let Reply::Records { records, .. } = reply else { return Self::None };
        let caa = records.iter().filter_map(|record| match &record.data {
            RData::CAA(caa) => Some((record.name.clone(), caa.clone())),
            _ => None,
        });
        let (names, records): (Vec<Name>, Vec<CAA>) = caa.unzip();
        match names.into_iter().next() {
            Some(name) => Self::At(name, records),
            None => Self::None,
        }
    }
}

fn says(reply: &Reply) -> bool {
    matches!(reply, Reply::Records { .. } | Reply::NoSuchName { .. })
}

#[cfg(test)]
#[cfg(feature = "demo")]
mod tests {
    use super::*;
    use crate::{
        checks::{checker::dns_name, evaluate::evaluate_dns, targets::Target},
        simulator::{Dns, DnsFault},
        status::DnsResult,
    };

    /// This machine's resolver, and two public ones.
    struct World {
        own: Dns,
        public: [Dns; 2],
        resolvers: Resolvers,
    }

    impl World {
        async fn start() -> Self {
            let start = async || Dns::start().await.unwrap();
            let (own, public) = (start().await, [start().await, start().await]);
            let addresses =
                [&own, &public[0], &public[1]].map(|dns| ResolverAddress::At(dns.address()));
            let mut resolvers = Resolvers::new(&addresses, 10_000);
            let views = [View::System, View::Public, View::Public];
            resolvers.all.iter_mut().zip(views).for_each(|(one, view)| one.view = view);
            Self { own, public, resolvers }
        }

        async fn ask(&self, name: &str) -> DnsResult {
            let target: Target = "203.0.113.10".parse().unwrap();
            let expected = Expected::new([&target], []);
            let host = dns_name(name).unwrap();
            let answers = self.resolvers.ask_all(&host, Some(&expected), &[]).await;
            evaluate_dns(answers, Vec::new(), Some(&expected), &[])
        }
    }

    #[tokio::test]
    async fn the_public_view_decides_and_the_machines_is_named() {
        let world = World::start().await;
        let (right, other) = (["203.0.113.10".parse().unwrap()], ["0.0.0.0".parse().unwrap()]);
        for dns in &world.public {
            dns.point("split.example", &right);
            dns.point("blocked.example", &right);
            dns.point("inside.example", &other);
        }
        world.own.point("split.example", &["10.1.2.3".parse().unwrap()]);
        world.own.point("blocked.example", &other);
        world.own.point("inside.example", &right);
        world.own.point("nowhere.example", &right);
        for (name, verdict) in [
            ("split.example", DnsVerdict::Ok),
            ("blocked.example", DnsVerdict::Ok),
            ("inside.example", DnsVerdict::Elsewhere),
            ("nowhere.example", DnsVerdict::NoSuchName),
        ] {
            let seen = world.ask(name).await;
            assert_eq!((seen.verdict, seen.seen, seen.of), (verdict, 2, 2), "{seen:?}");
            let own = &seen.answers[0];
            assert_eq!(own.no_say.as_deref(), Some("this machine's own view: others decide"));
        }
        // It could be had before, so what only this machine knows is nothing.
        world.public.iter().for_each(|dns| dns.fail_at_all(Some(DnsFault::Refused)));
        let seen = world.ask("nowhere.example").await;
        assert_eq!((seen.verdict, seen.of), (DnsVerdict::Unknown, 0), "{seen:?}");
    }

    #[tokio::test]
    async fn a_failure_that_does_not_last_is_nobodys_signatures() {
        let world = World::start().await;
        for dns in &world.public {
            dns.point("shop.example", &["203.0.113.10".parse().unwrap()]);
            dns.fail("shop.example", DnsFault::BrokenOnce);
        }
        let seen = world.ask("shop.example").await;
        assert_eq!((seen.verdict, seen.seen), (DnsVerdict::Ok, 2), "{seen:?}");
    }

    #[tokio::test]
    async fn a_resolver_that_fails_at_the_root_has_no_say_until_it_answers() {
        let world = World::start().await;
        let [well, sick] = &world.public;
        for dns in [&world.own, well, sick] {
            dns.point("shop.example", &["203.0.113.10".parse().unwrap()]);
        }
        sick.fail_at_all(Some(DnsFault::Broken));
        let seen = world.ask("shop.example").await;
        assert_eq!((seen.verdict, seen.of), (DnsVerdict::Ok, 1), "{seen:?}");
        let how = world.resolvers.all[2].sick().unwrap();
        assert_eq!(how, "it answers SERVFAIL for the root's name servers");
        assert!(world.resolvers.in_turn().all(|one| one.label() == well.address().to_string()));
        sick.fail_at_all(None);
        assert_eq!(world.ask("shop.example").await.of, 2, "it has its say again at once");
        // It is nobody's fault but the name's when all who know the root fail at it.
        for dns in &world.public {
            dns.fail("shop.example", DnsFault::Broken);
        }
        assert_eq!(world.ask("shop.example").await.verdict, DnsVerdict::Broken);
    }
}
