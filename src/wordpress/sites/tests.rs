use proptest::prelude::*;

use super::*;
use crate::ledger::RowRef;

/// Network 1 on network.example with its main site, and network 2 on second.example.
#[derive(Debug)]
struct Case {
    network: NetworkRow,
    networks: Vec<NetworkRow>,
    current_site: CurrentSite,
    main_sites: HashMap<i64, i64>,
    bases: Option<BaseDomains>,
    mappings: Vec<(DomainName, RowRef)>,
    recorded: HashSet<i64>,
    blogs: Vec<Blog<'static>>,
}

fn network(id: i64, domain: &str) -> NetworkRow {
    NetworkRow { id, domain: domain.to_owned(), path: "/".to_owned() }
}

fn blog(id: i64, network: i64, domain: &'static str, path: &'static str) -> Blog<'static> {
    let (domain, path) = (domain.as_bytes(), path.as_bytes());
    Blog { id, network, domain, path, is_gone: false }
}

fn case(sites: &[(i64, &'static str, &'static str)]) -> Case {
    let networks = vec![network(1, "network.example"), network(2, "second.example")];
    let mut blogs = vec![blog(1, 1, "network.example", "/"), blog(90, 2, "second.example", "/")];
    blogs.extend(sites.iter().map(|(id, domain, path)| blog(*id, 1, domain, path)));
    Case {
        network: networks[0].clone(),
        networks,
        current_site: CurrentSite::Unset,
        main_sites: HashMap::new(),
        bases: Some(BaseDomains::new()),
        mappings: Vec::new(),
        recorded: HashSet::new(),
        blogs,
    }
}

impl Case {
    fn with<T>(mut self, change: impl FnOnce(&mut Self) -> T) -> Self {
        change(&mut self);
        self
    }

    fn map(mut self, row_id: i64, blog_id: i64, domain: &str) -> Self {
        let domain = domain.parse().unwrap();
        let (row_id, blog_id) = (Some(row_id), Some(blog_id));
        self.mappings.push((domain, RowRef { row_id, blog_id, ..RowRef::default() }));
        self.recorded.extend(blog_id);
        self
    }

    fn sorted(&self) -> Sorted {
        let without_row = self.recorded.iter().map(|blog_id| (*blog_id, NO_INDEX));
        let of_rows = (0..).zip(&self.mappings);
        let of_rows = of_rows.filter_map(|(index, (_, row))| Some((row.blog_id?, index)));
        let mut recorded: Vec<(i64, u32)> = without_row.chain(of_rows).collect();
        recorded.sort_unstable();
        let rows = self.mappings.iter().map(|(name, row)| (name.to_ref(), (*row).into()));
        let rows = rows.collect();
        let mut sorter = SiteSorter::new(SiteFacts {
            network: &self.network,
            networks: &self.networks,
            current_site: &self.current_site,
            main_sites: &self.main_sites,
            bases: self.bases.as_ref(),
            mappings: &rows,
            recorded: &recorded,
        });
        self.blogs.iter().for_each(|blog| sorter.push(*blog));
        sorter.finish()
    }

    fn rename(&mut self, to: &str) {
        self.network.domain = to.to_owned();
        self.networks[0].domain = to.to_owned();
    }

    fn records(&self) -> Vec<Result<(), NoRecord>> {
        self.sorted().sites_without_record.iter().map(|site| site.record).collect()
    }

    /// The decision about site 2.
    fn record(&self) -> Result<(), NoRecord> {
        let sites_without_record = self.sorted().sites_without_record;
        sites_without_record.into_iter().find(|site| site.blog_id == 2).unwrap().record
    }
}

#[test]
fn a_site_gets_only_a_record_that_the_plugin_would_have_written() {
    let alone = |domain| case(&[(2, domain, "/")]);
    let alpha = || alone("alpha.network.example");
    assert_eq!(alpha().record(), Ok(()));
    assert_eq!(alone("Alpha.Example").record(), Ok(()));
    assert_eq!(case(&[(2, "alpha.example", "")]).record(), Ok(()));
    let known = |name: &str| CurrentSite::Known(name.to_owned());
    let bases = |name: &str| Some(BaseDomains::from([name.to_owned()]));
    for (number, (case, reason)) in [
        (alpha().with(|it| it.blogs[2].is_gone = true), NoRecord::Gone),
        // Sites in paths of one host.
        (case(&[(2, "example.com", "/alice/"), (3, "example.com", "/bob/")]), NoRecord::OtherPath),
        (case(&[(2, "a.example", "/"), (3, "a.example", "/x/")]), NoRecord::SharedDomain),
        (
            alpha().with(|it| it.blogs.push(blog(9, 2, "ALPHA.network.example", "/x/"))),
            NoRecord::SharedDomain,
        ),
        (alone("second.example"), NoRecord::NetworkDomain),
        (alone("www.second.example"), NoRecord::NetworkDomain),
        (alone("www.network.example"), NoRecord::NetworkDomain),
        (
            alone("main.example").with(|it| it.current_site = known("main.example")),
            NoRecord::NetworkDomain,
        ),
        (
            alone("www.main.example").with(|it| it.current_site = known("Main.example")),
            NoRecord::NetworkDomain,
        ),
        (alpha().with(|it| it.main_sites.insert(1, 2)), NoRecord::MainSite),
        (alone("base.example").with(|it| it.bases = bases("base.example")), NoRecord::BaseDomain),
        (
            alone("www.base.example").with(|it| it.bases = bases("base.example")),
            NoRecord::BaseDomain,
        ),
        (alpha().map(5, 9, "alpha.network.example"), NoRecord::HasRowElsewhere),
        (alpha().map(5, 9, "www.alpha.network.example"), NoRecord::TwinElsewhere),
        (case(&[(2, "www.a.example", "/"), (3, "a.example", "/")]), NoRecord::TwinElsewhere),
        (alone("*.a.example"), NoRecord::DoesNotFit),
        (alone("bücher.example"), NoRecord::DoesNotFit),
        (alone("a.xn--p1ai"), NoRecord::DoesNotFit),
        (
            alone(String::leak(format!("{}.example", ["a".repeat(60).as_str(); 4].join(".")))),
            NoRecord::DoesNotFit,
        ),
        // In the middle of a manual rename, in either order.
        (alpha().with(|it| it.rename("new.example")), NoRecord::MainSiteUnknown),
        (
            alpha().with(|it| it.blogs[0] = blog(1, 1, "new.example", "/")),
            NoRecord::MainSiteUnknown,
        ),
        (
            alpha().with(|it| {
                it.main_sites.insert(1, 1);
                it.rename("new.example");
            }),
            NoRecord::MainSiteUnknown,
        ),
        (alpha().with(|it| it.current_site = CurrentSite::Unknown), NoRecord::CurrentSiteUnknown),
        (alpha().with(|it| it.bases = None), NoRecord::BaseDomainsUnknown),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(case.record(), Err(reason), "case {number}");
    }
}

#[test]
fn the_main_site_never_gets_a_record() {
    // A network with www., and its main site without.
    let www = case(&[]).with(|it| it.rename("www.network.example"));
    assert_eq!(www.records(), [Err(NoRecord::NetworkDomain)]);
    // DOMAIN_CURRENT_SITE differs from the table, and the main site has that name.
    let other = case(&[(2, "alpha.network.example", "/")]).with(|it| {
        it.blogs[0] = blog(1, 1, "live.example", "/");
        it.current_site = CurrentSite::Known("live.example".to_owned());
    });
    assert_eq!(other.records(), [Err(NoRecord::NetworkDomain), Ok(())]);
}

#[test]
fn network_domains_are_those_of_networks_main_sites_and_wp_config() {
    let sorted = case(&[(2, "main.example", "/")])
        .with(|it| {
            it.main_sites.insert(1, 2);
            it.current_site = CurrentSite::Known("Live.example".to_owned());
        })
        .sorted();
    let mut own: Vec<_> = sorted.network_domains.iter().map(DomainName::as_str).collect();
    own.sort_unstable();
    own.dedup();
    assert_eq!(own, ["live.example", "main.example", "network.example", "second.example"]);
}

#[test]
fn sites_on_the_networks_own_domain_are_only_counted() {
    let sorted = case(&[(2, "network.example", "/a/"), (3, "Network.example", "/b/")]).sorted();
    assert_eq!((sorted.sites_without_record.len(), sorted.on_own_domain), (0, 3));
}

fn any_domain() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "network.example",
        "www.network.example",
        "second.example",
        "a.example",
        "www.a.example",
        "A.example",
        "b.example",
        "live.example",
        "base.example",
        "bücher.example",
        "localhost",
    ])
}

prop_compose! {
    fn any_case()(
        sites in prop::collection::vec((any_domain(), prop::sample::select(vec!["/", "", "/x/"]), 1i64..3, prop::bool::weighted(0.2)), 0..6),
        rows in prop::collection::vec((any_domain(), 1i64..8), 0..4),
        current in prop::sample::select(vec![CurrentSite::Unset, CurrentSite::Unknown, CurrentSite::Known("live.example".into())]),
        main in prop::option::of(1i64..8),
        forms_known in any::<bool>(),
        main_moved in prop::bool::weighted(0.2),
    ) -> Case {
        let mut case = case(&[]);
        for (id, (domain, path, network, is_gone)) in (2..).zip(sites) {
            case.blogs.push(Blog { is_gone, ..blog(id, network, domain, path) });
        }
        for (row, (domain, site)) in (1..).zip(rows) {
            if domain != "localhost" {
                case = case.map(row, site, domain);
            }
        }
        case.current_site = current;
        case.main_sites.extend(main.map(|main| (1, main)));
        case.bases = forms_known.then(|| BaseDomains::from(["base.example".to_owned()]));
        if main_moved {
            case.blogs[0] = blog(1, 1, "moved.example", "/");
        }
        case
    }
}

proptest! {
    #[test]
    fn no_record_takes_a_host_from_another_site(case in any_case()) {
        let sorted = case.sorted();
        for site in sorted.sites_without_record.iter().filter(|site| site.record.is_ok()) {
            let own = case.blogs.iter().find(|blog| blog.id == site.blog_id).unwrap();
            let name = site.domain.as_str();
            let bare = name.trim_start_matches("www.");
            let is_same = |other: &str| {
                let other: Result<DomainName, _> = other.parse();
                other.is_ok_and(|other| other.as_str().trim_start_matches("www.") == bare)
            };
            prop_assert!(own.network == 1 && !own.is_gone && *own.path != *b"/x/");
            prop_assert!(!case.recorded.contains(&site.blog_id));
            prop_assert!(!["network.example", "second.example", "base.example"].contains(&bare));
            prop_assert!(case.main_sites.get(&1) != Some(&site.blog_id));
            prop_assert!(case.bases.is_some());
            match &case.current_site {
                CurrentSite::Known(current) => prop_assert!(!is_same(current)),
                CurrentSite::Unset => {}
                CurrentSite::Unknown => prop_assert!(false, "it is not known"),
            }
            for other in case.blogs.iter().filter(|other| other.id != site.blog_id) {
                prop_assert!(!is_same(&String::from_utf8_lossy(other.domain)));
            }
            prop_assert!(!case.mappings.iter().any(|(name, _)| is_same(name.as_str())));
        }
        // Each site without a row is counted once.
        let of_network = |blog: &&Blog| blog.network == 1 && !case.recorded.contains(&blog.id);
        let all = case.blogs.iter().filter(of_network).count();
        let gone = case.blogs.iter().filter(of_network);
        let gone = gone.filter(|blog| blog.is_gone && *blog.domain == *b"localhost").count();
        prop_assert_eq!(
            sorted.sites_without_record.len() + sorted.on_own_domain + sorted.invalid.len() + gone, all
        );
    }
}
