//! Whole configuration files.

use std::sync::Arc;
use std::time::Instant;

use consul_template_functions::{Account, Data, Dependency, Language, Settings, Template};

use crate::support::{World, instance, render_with};

#[track_caller]
fn check(language: Language, source: &str, expected: &str) {
    let settings = Settings { language, ..Settings::default() };
    assert_eq!(render_with(&settings, source).unwrap(), expected);
}

macro_rules! fixtures {
    ($($test:ident: $source:literal => $expected:literal;)*) => {$(
        #[test]
        fn $test() {
            check(
                Language::of($source.as_ref()),
                include_str!(concat!("fixtures/", $source)),
                include_str!(concat!("fixtures/", $expected)),
            );
        }
    )*};
}

fixtures! {
    upstreams_of_nginx: "nginx.tmpl" => "nginx.out";
    backends_of_haproxy_by_tag: "haproxy.tmpl" => "haproxy.out";
    targets_of_prometheus: "prometheus.tmpl" => "prometheus.out";
    a_file_of_environment_variables: "env.tmpl" => "env.out";
    one_configuration_in_three_formats: "config.tmpl" => "config.out";
    elements_nested_by_a_template_that_executes_itself: "nested.tmpl" => "nested.out";
    upstreams_in_handlebars: "upstreams.hbs" => "upstreams.out";
}

#[test]
fn ten_thousand_instances_are_rendered() {
    let entries: Vec<_> = (0..10_000)
        .map(|n| {
            instance(&format!("n{n:05}"), &format!("w{n}"), "10.0.0.1", 80, &["a"], &[("v", "1")], "passing")
        })
        .collect();
    let dependency = Dependency::service("big").unwrap().unwrap();
    let data = Data::from_answer(&dependency, serde_json::to_string(&entries).unwrap().as_bytes()).unwrap();
    let mut world = World::default();
    world.data.insert(dependency.clone(), data);
    let source = br#"{{range service "big"}}server {{.Address}}:{{.Port}} # {{.ID}} {{.ServiceMeta.v}} {{.Tags | join ","}}
{{end}}"#;
    let template = Template::parse(source, &Settings::default()).unwrap();
    let world = Arc::new(world);
    let start = Instant::now();
    let rendered = template.execute(world).unwrap();
    eprintln!("10,000 instances in {:?}", start.elapsed());
    assert_eq!(rendered.output.iter().filter(|byte| **byte == b'\n').count(), 10_000);
    assert_eq!(rendered.account, Account { used: [dependency].into(), missing: [].into() });
}
