use std::{collections::HashSet, sync::atomic::AtomicU64, time::Duration};

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use strum::VariantArray as _;

use crate::{
    checks::stage_of,
    closte::Calls,
    reconciler::{CycleOutcome, CycleResult},
    state::{CheckedDomain, LiveAfter, StatusCount},
    status::{DnsVerdict, SiteVerdict, SslVerdict, Stage},
};

/// In seconds. A cycle without changes takes milliseconds, one that adds 100,000 names minutes.
const BUCKETS: [f64; 10] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];

type Seconds = Gauge<f64, AtomicU64>;

/// Metrics that are counted. The others are read from the state database for each request.
#[derive(Debug)]
pub(crate) struct Metrics {
    cycles: Family<ByOutcome, Counter>,
    cycle_duration: Histogram,
    last_success: Seconds,
    names: Family<ByState, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByState {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStage {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByVerdict {
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByDomain {
    domain: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            cycles: Family::default(),
            cycle_duration: Histogram::new(BUCKETS),
            last_success: Seconds::default(),
            names: Family::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn note_cycle(&self, outcome: &CycleOutcome, took: Duration) {
        let result = outcome.result();
        if result == CycleResult::Stopped {
            return;
        }
        self.cycles.get_or_create(&ByOutcome { outcome: result.as_str() }).inc();
        self.cycle_duration.observe(took.as_secs_f64());
        if result == CycleResult::Ok {
            self.last_success.set(seconds(Timestamp::now()));
        }
        // Cycles that compared nothing leave the last comparison.
        if let Some(report) = outcome.report() {
            for (state, names) in [
                ("desired", report.desired),
                ("in_place", report.in_place + report.added),
                ("covered", report.covered),
                ("unmanaged", report.unmanaged),
                ("failing", report.failed),
                ("missing", report.missing),
                ("unconfirmed", report.unconfirmed),
                ("refused", report.refused),
                ("held", report.held),
                ("invalid", report.invalid),
            ] {
                self.names.get_or_create(&ByState { state }).set(names as i64);
            }
        }
    }

    /// All metrics in the text format of OpenMetrics
    /// (<https://prometheus.io/docs/specs/om/open_metrics_spec/>). `names` get metrics of their own.
    pub(crate) fn exposition(
        &self,
        calls: &Calls,
        acts: bool,
        status_counts: &[StatusCount],
        live_after: Option<LiveAfter>,
        names: &[CheckedDomain],
    ) -> String {
        let mut registry = Registry::with_prefix("closte_sync");
        let build = Family::<Build, Gauge>::default();
        build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "The version of closte-sync", build);
        let leader = Gauge::<i64>::default();
        leader.set(acts.into());
        registry.register(
            "leader",
            "1 while this daemon adds and removes, 0 while it is a standby",
            leader,
        );
        registry.register("cycles", "Cycles by outcome", self.cycles.clone());
        registry.register_with_unit(
            "cycle_duration",
            "The duration of cycles",
            Unit::Seconds,
            self.cycle_duration.clone(),
        );
        registry.register_with_unit(
            "last_success_timestamp",
            "When the last successful cycle ended, in Unix time",
            Unit::Seconds,
            self.last_success.clone(),
        );
        registry.register(
            "cycle_domains",
            "Domains by their state in the last cycle that compared both ends",
            self.names.clone(),
        );
        registry.register("api_calls", "Calls to Closte, by outcome", calls.clone());
        register_domains(&mut registry, status_counts);
        if let Some(LiveAfter { median, .. }) = live_after {
            let gauge = Seconds::default();
            gauge.set(median.as_secs_f64());
            registry.register_with_unit(
                "live_after_median",
                "How long names took from their mapping until visitors got the site: the median of 30 days",
                Unit::Seconds,
                gauge,
            );
        }
        if !names.is_empty() {
            register_names(&mut registry, names);
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

/// Converts OpenMetrics to the text format of Prometheus
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>), in which a counter's comments have
/// the suffix `_total`, too, and which has neither `UNIT` nor `EOF`.
pub(crate) fn as_prometheus_text(open_metrics: &str) -> String {
    let counters: HashSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let line = |line: &str| -> Option<String> {
        let Some(comment) = line.strip_prefix("# ") else { return Some(format!("{line}\n")) };
        let (kind, rest) = comment.split_once(' ')?;
        let (name, text) = rest.split_once(' ')?;
        let total = if counters.contains(name) { "_total" } else { "" };
        (kind != "UNIT").then(|| format!("# {kind} {name}{total} {text}\n"))
    };
    open_metrics.lines().filter_map(line).collect()
}

fn register_domains(registry: &mut Registry, status_counts: &[StatusCount]) {
    let by_stage = Family::<ByStage, Gauge>::default();
    let by_dns = Family::<ByVerdict, Gauge>::default();
    let by_ssl = Family::<ByVerdict, Gauge>::default();
    // Alerts need a zero where no domain has a word.
    for stage in Stage::VARIANTS {
        by_stage.get_or_create(&ByStage { stage: stage.as_str() }).set(0);
    }
    for verdict in DnsVerdict::VARIANTS {
        by_dns.get_or_create(&ByVerdict { verdict: verdict.as_str() }).set(0);
    }
    for verdict in SslVerdict::VARIANTS {
        by_ssl.get_or_create(&ByVerdict { verdict: verdict.as_str() }).set(0);
    }
    let by_site = Family::<ByVerdict, Gauge>::default();
    for verdict in SiteVerdict::VARIANTS {
        by_site.get_or_create(&ByVerdict { verdict: verdict.as_str() }).set(0);
    }
    for StatusCount { dns, ssl, site, is_late, names, .. } in status_counts {
        let stage = stage_of(*dns, *ssl, *is_late).as_str();
        by_stage.get_or_create(&ByStage { stage }).inc_by(*names);
        by_dns.get_or_create(&ByVerdict { verdict: dns.as_str() }).inc_by(*names);
        by_ssl.get_or_create(&ByVerdict { verdict: ssl.as_str() }).inc_by(*names);
        if let Some(site) = site {
            by_site.get_or_create(&ByVerdict { verdict: site.as_str() }).inc_by(*names);
        }
    }
    registry.register("domains_by_site", "Desired domains by what visitors get", by_site);
    registry.register("domains", "Desired domains by stage", by_stage);
    registry.register("domains_by_dns", "Desired domains by DNS verdict", by_dns);
    registry.register("domains_by_ssl", "Desired domains by SSL verdict", by_ssl);
    // The certificate of another host is not ours to renew.
    let ours = status_counts.iter().filter(|count| count.dns.is_good());
    if let Some(expiry) = ours.filter_map(|count| count.soonest_expiry).min() {
        let gauge = Seconds::default();
        gauge.set(seconds(expiry));
        registry.register_with_unit(
            "certificate_soonest_expiry_timestamp",
            "When the first certificate of a domain with right DNS expires, in Unix time",
            Unit::Seconds,
            gauge,
        );
    }
}

fn register_names(registry: &mut Registry, names: &[CheckedDomain]) {
    let works = Family::<ByDomain, Gauge>::default();
    let expiry = Family::<ByDomain, Seconds>::default();
    for checked in names {
        let label = ByDomain { domain: checked.name.as_str().to_owned() };
        let latest = checked.status.as_ref().map(|status| &status.latest);
        let certificate = latest.and_then(|latest| latest.ssl.certificate.as_ref());
        if let Some(certificate) = certificate {
            expiry.get_or_create(&label).set(seconds(certificate.not_after));
        }
        works.get_or_create(&label).set(latest.is_some_and(|latest| latest.works()).into());
    }
    registry.register("domain_works", "1 where the domain works over TLS, else 0", works);
    registry.register_with_unit(
        "domain_certificate_expiry_timestamp",
        "When the domain's certificate expires, in Unix time",
        Unit::Seconds,
        expiry,
    );
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconciler::Found;

    #[test]
    fn the_format_of_prometheus_has_matching_comments() {
        let metrics = Metrics::default();
        let outcome = CycleOutcome { found: Found::Unchanged, stopped_by: None };
        metrics.note_cycle(&outcome, Duration::from_millis(5));
        let text = as_prometheus_text(&metrics.exposition(&Calls::default(), true, &[], None, &[]));
        for line in [
            "# TYPE closte_sync_build_info gauge",
            "# HELP closte_sync_cycles_total Cycles by outcome.",
            "# TYPE closte_sync_cycles_total counter",
            "closte_sync_cycles_total{outcome=\"ok\"} 1",
            "# TYPE closte_sync_cycle_duration_seconds histogram",
            "closte_sync_cycle_duration_seconds_count 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
        assert!(!text.contains("EOF") && !text.contains("UNIT"), "{text}");
    }

    #[test]
    fn the_certificate_of_another_host_is_not_counted_as_soonest() {
        let count = |dns, expiry: i64| StatusCount {
            dns,
            site: None,
            ssl: SslVerdict::Valid,
            is_late: false,
            names: 1,
            soonest_expiry: Timestamp::from_second(expiry).ok(),
        };
        let status_counts = [
            count(DnsVerdict::Elsewhere, 1_000),
            count(DnsVerdict::Ok, 3_000),
            count(DnsVerdict::Proxied, 2_000),
        ];
        let live_after = LiveAfter { median: Duration::from_secs(200), names: 3 };
        let text = Metrics::default().exposition(
            &Calls::default(),
            true,
            &status_counts,
            Some(live_after),
            &[],
        );
        assert!(text.contains("\ncloste_sync_live_after_median_seconds 200.0\n"), "{text}");
        let line = "closte_sync_certificate_soonest_expiry_timestamp_seconds 2000.0\n";
        assert!(text.contains(line), "{text}");
    }
}
