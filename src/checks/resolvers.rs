use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use hickory_resolver::proto::rr::{Name, RecordType};
use ipnet::IpNet;

use super::{
    evaluate::evaluate_answer,
    names::text,
    query::ServFailCause,
    reply::{Addresses, Reply},
    resolver::{Control, Resolver, ResolverAddress, View},
    targets::Expected,
    votes::{Vote, exclude_unreliable, failing_alone, narrower_views},
};
use crate::status::{DnsVerdict, ResolverAnswer};

/// The resolvers of `checks.resolvers`.
pub(super) struct Resolvers {
    pub(super) all: Vec<Resolver>,
    /// The number of the resolver that is asked next where one is enough.
    turn: AtomicUsize,
}

impl Resolvers {
    pub(super) fn new(addresses: &[ResolverAddress], queries_per_second: u32) -> Self {
        let resolver = |address: &ResolverAddress| Resolver::new(*address, queries_per_second);
        Self { all: addresses.iter().map(resolver).collect(), turn: AtomicUsize::new(0) }
    }

    /// The healthy resolvers of the widest view that has any, in rotation: each call begins with another.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = &Resolver> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.all.len().max(1);
        let in_turn = move || self.all.iter().cycle().skip(turn).take(self.all.len());
        let healthy = move || in_turn().filter(|resolver| !resolver.is_backing_off());
        let widest = healthy().map(|resolver| resolver.view).min();
        healthy().filter(move |resolver| Some(resolver.view) == widest)
    }

    pub(super) fn with_label(&self, label: &str) -> Option<&Resolver> {
        self.all.iter().find(|one| one.label() == label)
    }

    /// The answer of one resolver.
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

    /// The answers of all resolvers, with which of them count.
    pub(super) async fn ask_all(
        &self,
        host: &Name,
        expected: Option<&Expected>,
        proxies: &[IpNet],
    ) -> Vec<ResolverAnswer> {
        let votes = self.collect_votes(host, expected, proxies).await;
        votes.into_iter().map(|one| one.answer).collect()
    }

    /// The answers of all resolvers, each with what decides whether it counts.
    pub(super) async fn collect_votes(
        &self,
        host: &Name,
        expected: Option<&Expected>,
        proxies: &[IpNet],
    ) -> Vec<Vote> {
        let answers = join_all(self.all.iter().map(|one| one.addresses(host))).await;
        let votes = self.all.iter().zip(answers).map(|(resolver, answer)| {
            let failed = matches!(
                answer,
                Addresses::Broken { cause: ServFailCause::Servers, .. } | Addresses::Failed(_)
            );
            let answer = evaluate_answer(resolver.label(), answer, expected, proxies);
            Vote {
                answer,
                view: resolver.view,
                has_answered: resolver.has_answered(),
                failing: resolver.failing(),
                control: Control::NotAsked,
                failed,
            }
        });
        let mut votes: Vec<Vote> = votes.collect();
        self.ask_controls(&mut votes).await;
        exclude_unreliable(&mut votes);
        self.note(&text(host), &votes);
        votes
    }

    /// Unless all answers are good, sends control queries to each resolver that replied.
    async fn ask_controls(&self, votes: &mut [Vote]) {
        if votes.iter().all(|one| one.answer.verdict.is_good()) {
            return;
        }
        let controls = self.all.iter().zip(votes).map(async |(resolver, one)| {
            if one.answer.verdict == DnsVerdict::Unknown && !one.failed {
                return;
            }
            one.control = resolver.control().await;
            if let Control::Failed(how) = &one.control {
                resolver.note_failing(how);
            }
        });
        join_all(controls).await;
    }

    /// Records which resolvers failed alone or have another view.
    fn note(&self, name: &str, votes: &[Vote]) {
        let of = |one: &Vote| self.with_label(&one.answer.resolver);
        for one in failing_alone(votes) {
            let error = one.answer.error.as_deref();
            let fails = match one.answer.verdict {
                DnsVerdict::Broken => "it answers SERVFAIL",
                _ => error.unwrap_or("it fails"),
            };
            let how = format!("{fails} for one name after the other where most others answer");
            of(one).into_iter().for_each(|resolver| resolver.note_failed_alone(name, &how));
        }
        for (one, agrees) in narrower_views(votes) {
            let differing = (!agrees).then(|| format!("{name}: {}", one.answer.describe()));
            of(one).into_iter().for_each(|resolver| resolver.note_view(name, differing.clone()));
        }
    }

    /// Whether one of these resolvers has the public view.
    pub(super) fn has_public<'a>(&self, labels: impl Iterator<Item = &'a str>) -> bool {
        labels.filter_map(|label| self.with_label(label)).any(|one| one.view == View::Public)
    }

    /// Records of a kind, from the first resolver that answers.
    pub(super) async fn records(&self, name: &Name, kind: RecordType) -> Reply {
        let mut outcome = Reply::Silent("no resolver answers".to_owned());
        for resolver in self.in_turn() {
            outcome = resolver.ask(name, kind).await;
            if outcome.is_answer() {
                break;
            }
        }
        outcome
    }
}

#[cfg(test)]
#[cfg(feature = "demo")]
mod tests {
    use super::*;
    use crate::{
        checks::{evaluate::evaluate_dns, names::dns_name},
        simulator::{Dns, DnsFault},
        status::{DnsResult, ExpectedTarget},
    };

    /// This machine's resolver and two public ones.
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
            let target: ExpectedTarget = "203.0.113.10".parse().unwrap();
            let expected = Expected::new([&target], []);
            let host = dns_name(name).unwrap();
            let answers = self.resolvers.ask_all(&host, Some(&expected), &[]).await;
            evaluate_dns(answers, Vec::new(), Some(&expected), &[])
        }
    }

    #[tokio::test]
    async fn the_public_view_decides_and_the_system_view_is_not_counted() {
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
            assert_eq!(
                own.ignored_because.as_deref(),
                Some("this machine's own view: others decide")
            );
        }
        // The public resolvers answered before, so the system's answer does not count.
        world.public.iter().for_each(|dns| dns.fail_at_all(Some(DnsFault::Refused)));
        let seen = world.ask("nowhere.example").await;
        assert_eq!((seen.verdict, seen.of), (DnsVerdict::Unknown, 0), "{seen:?}");
    }

    #[tokio::test]
    async fn a_single_failure_is_not_taken_for_wrong_signatures() {
        let world = World::start().await;
        for dns in &world.public {
            dns.point("shop.example", &["203.0.113.10".parse().unwrap()]);
            dns.fail("shop.example", DnsFault::BrokenOnce);
        }
        let seen = world.ask("shop.example").await;
        assert_eq!((seen.verdict, seen.seen), (DnsVerdict::Ok, 2), "{seen:?}");
    }

    #[tokio::test]
    async fn a_resolver_that_fails_at_the_root_does_not_count_until_it_answers() {
        let world = World::start().await;
        let [healthy, failing] = &world.public;
        for dns in [&world.own, healthy, failing] {
            dns.point("shop.example", &["203.0.113.10".parse().unwrap()]);
        }
        failing.fail_at_all(Some(DnsFault::Broken));
        let seen = world.ask("shop.example").await;
        assert_eq!((seen.verdict, seen.of), (DnsVerdict::Ok, 1), "{seen:?}");
        let how = world.resolvers.all[2].failing().unwrap();
        assert_eq!(how, "it answers SERVFAIL for the root's name servers");
        assert!(world.resolvers.in_turn().all(|one| one.label() == healthy.address().to_string()));
        failing.fail_at_all(None);
        assert_eq!(world.ask("shop.example").await.of, 2, "it counts again immediately");
        // The name is broken when all resolvers that pass the control queries fail for it.
        for dns in &world.public {
            dns.fail("shop.example", DnsFault::Broken);
        }
        assert_eq!(world.ask("shop.example").await.verdict, DnsVerdict::Broken);
    }
}
