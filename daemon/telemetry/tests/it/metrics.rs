//! What scrapers and dashboards read.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use consul_telemetry::metrics::{
    LABEL_SETS_MAX, MetricsConfig, PrefixFilter, PrometheusDisabled, Registry, counter, global, sample,
};

/// Second 7 of an interval.
fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_237_067)
}

fn after(seconds: u64) -> SystemTime {
    start() + Duration::from_secs(seconds)
}

fn json(registry: &Registry, now: SystemTime) -> String {
    serde_json::to_string(&registry.summary(now)).expect("is JSON")
}

#[test]
fn an_empty_interval_has_empty_lists() {
    assert_eq!(
        json(&Registry::default(), start()),
        r#"{"Timestamp":"2026-11-21 04:57:40 +0000 UTC","Gauges":[],"Points":[],"Counters":[],"Samples":[]}"#
    );
}

#[test]
fn the_last_finished_interval_is_served() {
    let registry = Registry::default();
    registry.advance(start());
    let requests = registry.counter("http.requests", &[]);
    (0..5).for_each(|_| requests.incr());
    registry.counter("bytes", &[]).incr_by(2.5);
    let times = registry.sample("http.GET.v1.kv._", &[("op", "read")]);
    times.observe(1.0);
    times.observe_duration(Duration::from_millis(3));
    registry.gauge("runtime.alloc_bytes", &[]).set(8_656_440.0);
    let expected = concat!(
        r#"{"Timestamp":"2026-11-21 04:57:40 +0000 UTC","#,
        r#""Gauges":[{"Name":"consul.runtime.alloc_bytes","Value":8656440,"Labels":{}}],"Points":[],"#,
        r#""Counters":[{"Name":"consul.bytes","Count":1,"Rate":0.25,"Sum":2.5,"Min":2.5,"Max":2.5,"Mean":2.5,"Stddev":0,"Labels":{}},"#,
        r#"{"Name":"consul.http.requests","Count":5,"Rate":0.5,"Sum":5,"Min":1,"Max":1,"Mean":1,"Stddev":0,"Labels":{}}],"#,
        r#""Samples":[{"Name":"consul.http.GET.v1.kv._","Count":2,"Rate":0.4,"Sum":4,"Min":1,"Max":3,"Mean":2,"Stddev":1.4142135623730951,"Labels":{"op":"read"}}]}"#,
    );
    assert_eq!(json(&registry, after(1)), expected, "the open one, while no other is finished");
    assert_eq!(json(&registry, after(4)), expected, "finished");
    requests.incr();
    assert_eq!(json(&registry, after(12)), expected, "still the last finished one");
    let next = registry.summary(after(14));
    assert_eq!(next.timestamp, "2026-11-21 04:57:50 +0000 UTC");
    assert_eq!((next.counters.len(), next.counters[0].count, next.samples.len()), (1, 1, 0));
    assert_eq!(next.gauges.len(), 1, "a gauge holds until it is cleared");
}

#[test]
fn a_clock_that_is_set_back_loses_nothing() {
    let registry = Registry::default();
    registry.advance(after(100));
    let events = registry.counter("events", &[]);
    events.incr();
    registry.advance(start());
    events.incr();
    assert_eq!(registry.summary(after(110)).counters[0].count, 2);
}

#[test]
fn gauges_carry_the_host_once_they_leave_it() {
    let registry = Registry::default();
    registry.gauge("up", &[]).set(1.0);
    let name = |config: MetricsConfig| {
        registry.configure(config);
        registry.summary(start()).gauges[0].name.clone()
    };
    let base =
        || MetricsConfig { hostname: "n1".to_owned(), prefix: "acme".to_owned(), ..Default::default() };
    let retention = Duration::from_secs(60);
    assert_eq!(name(base()), "acme.up");
    assert_eq!(name(MetricsConfig { prometheus_retention: retention, ..base() }), "acme.n1.up");
    let disabled = MetricsConfig { prometheus_retention: retention, disable_hostname: true, ..base() };
    assert_eq!(name(disabled), "acme.up");
    let statsd = MetricsConfig { statsd: Some("127.0.0.1:1".parse().expect("address")), ..base() };
    assert_eq!(name(statsd), "acme.n1.up");
}

#[test]
fn filtered_metrics_are_not_reported() {
    let registry = Registry::default();
    registry.configure(MetricsConfig { prometheus_retention: Duration::from_secs(60), ..Default::default() });
    for name in ["raft.apply", "raft.commitTime", "kvs.apply"] {
        registry.counter(name, &[]).incr();
    }
    let (filter, _) = PrefixFilter::parse(&["-consul.raft", "+consul.raft.apply"], true);
    registry.set_filter(filter);
    registry.counter("raft.late", &[]).incr();
    let names: Vec<_> = registry.summary(start()).counters.into_iter().map(|counter| counter.name).collect();
    assert_eq!(names, ["consul.kvs.apply", "consul.raft.apply"]);
    let text = registry.prometheus(start()).expect("enabled");
    assert!(!text.contains("commitTime") && text.contains("consul_raft_apply 1\n"), "{text}");
}

#[test]
fn labels_are_limited_in_number() {
    let registry = Registry::default();
    for number in 0..LABEL_SETS_MAX + 7 {
        registry.counter("requests", &[("path", &number.to_string())]).incr();
    }
    registry.counter("requests", &[("path", "0")]).incr();
    registry.counter("other", &[]).incr();
    let summary = registry.summary(start());
    assert_eq!((summary.counters.len(), registry.refused_series()), (LABEL_SETS_MAX + 1, 7));
}

#[test]
fn prometheus_needs_a_retention_time() {
    let registry = Registry::default();
    assert_eq!(registry.prometheus(start()), Err(PrometheusDisabled));
    assert_eq!(
        PrometheusDisabled.to_string(),
        "Prometheus is not enabled since its retention time is not positive"
    );
}

#[test]
fn prometheus_text() {
    let registry = Registry::default();
    registry.configure(MetricsConfig {
        prometheus_retention: Duration::from_secs(30),
        hostname: "n1".to_owned(),
        ..Default::default()
    });
    registry.advance(start());
    registry.gauge("runtime.alloc-bytes", &[]).set(1.5);
    registry.counter("client.rpc", &[]).incr_by(25.0);
    let fsm = |op| registry.sample("fsm.ca", &[("op", op)]);
    fsm("set \"x\"").observe(2.0);
    let open = registry.prometheus(after(1)).expect("enabled");
    assert_eq!(
        open,
        concat!(
            "# HELP consul_client_rpc consul_client_rpc\n",
            "# TYPE consul_client_rpc counter\n",
            "consul_client_rpc 25\n",
            "# HELP consul_fsm_ca consul_fsm_ca\n",
            "# TYPE consul_fsm_ca summary\n",
            "consul_fsm_ca{op=\"set \\\"x\\\"\",quantile=\"0.5\"} NaN\n",
            "consul_fsm_ca{op=\"set \\\"x\\\"\",quantile=\"0.9\"} NaN\n",
            "consul_fsm_ca{op=\"set \\\"x\\\"\",quantile=\"0.99\"} NaN\n",
            "consul_fsm_ca_sum{op=\"set \\\"x\\\"\"} 2\n",
            "consul_fsm_ca_count{op=\"set \\\"x\\\"\"} 1\n",
            "# HELP consul_n1_runtime_alloc_bytes consul_n1_runtime_alloc_bytes\n",
            "# TYPE consul_n1_runtime_alloc_bytes gauge\n",
            "consul_n1_runtime_alloc_bytes 1.5\n",
        )
    );

    registry.counter("client.rpc", &[]).incr();
    let closed = registry.prometheus(after(4)).expect("enabled");
    assert!(closed.contains("consul_client_rpc 26\n"), "totals go on over intervals: {closed}");
    let median = value_of(&closed, "consul_fsm_ca{op=\"set \\\"x\\\"\",quantile=\"0.5\"}");
    assert!((median - 2.0).abs() < 0.1, "{median}");

    let later = registry.prometheus(after(14)).expect("enabled");
    assert!(value_of(&later, "consul_fsm_ca{op=\"set \\\"x\\\"\",quantile=\"0.5\"}").is_nan(), "{later}");
    let much_later = registry.prometheus(after(300)).expect("enabled");
    assert!(!much_later.contains("consul_client_rpc"), "over the retention time: {much_later}");
}

fn value_of(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)).expect("the series is there");
    line.trim().parse().expect("a number")
}

#[test]
fn prometheus_text_is_well_formed_whatever_the_names_are() {
    let registry = Registry::default();
    registry.configure(MetricsConfig { prometheus_retention: Duration::from_secs(30), ..Default::default() });
    for name in ["9 lives", "a{b}", "é", "a.b", "a-b", "line\nbreak"] {
        registry.counter(name, &[("la bel", "va\\l\"ue\n")]).incr();
        registry.gauge(name, &[]).set(1.0);
        registry.sample(name, &[]).observe(1.0);
    }
    let text = registry.prometheus(start()).expect("enabled");
    let mut types = std::collections::HashMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("name and kind");
            assert!(types.insert(name, kind).is_none(), "one type per name: {name}");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("series and value");
        value.parse::<f64>().expect("a number");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
        assert!(labels.ends_with('}'), "{line}");
        let family = ["_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(types.contains_key(family), "{line}");
    }
}

#[test]
fn the_dump_names_every_interval_in_memory() {
    let registry = Registry::default();
    registry.advance(start());
    registry.gauge("up", &[]).set(1.0);
    registry.counter("join", &[("dc", "dc1")]).incr();
    registry.advance(after(4));
    registry.sample("time", &[]).observe(1.0);
    registry.sample("time", &[]).observe(3.0);
    assert_eq!(
        registry.dump(after(5)),
        concat!(
            "[2026-11-21 04:57:40 +0000 UTC][G] 'consul.up': 1.000\n",
            "[2026-11-21 04:57:40 +0000 UTC][C] 'consul.join.dc1': Count: 1 Sum: 1.000\n",
            "[2026-11-21 04:57:50 +0000 UTC][G] 'consul.up': 1.000\n",
            "[2026-11-21 04:57:50 +0000 UTC][S] 'consul.time': Count: 2 Min: 1.000 Mean: 2.000 Max: 3.000 Stddev: 1.414 Sum: 4.000\n",
        )
    );
    (1..100).for_each(|number| registry.advance(after(number * 10)));
    assert!(registry.dump(after(1000)).lines().count() <= 7, "old intervals are forgotten");
}

#[test]
fn watchers_learn_that_an_interval_was_closed() {
    let registry = Registry::default();
    let closed = registry.subscribe();
    registry.advance(start());
    assert!(!closed.has_changed().expect("open"));
    registry.advance(after(10));
    assert!(closed.has_changed().expect("open"));
}

#[test]
fn the_process_has_one_registry() {
    counter("test.global").incr();
    counter("test.global").incr();
    sample("test.global").observe(1.0);
    let summary = Arc::clone(global()).summary(SystemTime::now());
    let found =
        summary.counters.iter().find(|counter| counter.name == "consul.test.global").expect("is there");
    assert_eq!(found.count, 2);
}
