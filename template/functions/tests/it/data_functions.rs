//! Functions that ask for data.

use std::sync::Arc;

use consul_template_functions::{Brain, Data, Dependency, Settings, Template};

use crate::support::{World, check, check_errors, execute, execute_in, render};

#[test]
fn the_catalog() {
    check(&[
        ("{{datacenters}}", "[dc1 dc2]"),
        (r#"{{range services}}{{.Name}}={{.Tags | join "+"}};{{end}}"#, "consul=;db=primary;web=blue+green;"),
        ("{{range nodes}}{{.Node}} {{.Address}};{{end}}", "n1 10.1.0.11;n2 10.1.0.12;"),
        ("{{range nodes}}{{.Meta.os}};{{end}}", "linux;;"),
        (
            r#"{{with node}}{{.Node.Node}}{{range .Services}} {{.Service}}/{{.ID}}{{.Tags}}{{end}}{{end}}"#,
            "n1 api/z[a b] web/a[]",
        ),
        (r#"{{(node "n1").Node.Address}}"#, "10.1.0.11"),
        (r#"{{with node "nowhere"}}{{if .Node}}y{{else}}n{{end}}{{end}}"#, "n"),
    ]);
    check_errors(&[(
        r#"{{(node "nowhere").Node.Address}}"#,
        "nil pointer evaluating *dependency.Node.Address",
    )]);
}

#[test]
fn instances_of_services() {
    check(&[
        (
            r#"{{range service "web"}}{{.Name}}/{{.ID}} {{.Address}}:{{.Port}};{{end}}"#,
            "web/web-1 10.1.0.11:8080;web/web-2 10.1.0.12:8081;",
        ),
        (r#"{{range service "db"}}x{{else}}none{{end}}"#, "none"),
        (r#"{{len (service "web|any")}},{{range service "web" "critical"}}{{.ID}}{{end}}"#, "3,web-3"),
        (r#"{{range service "web" "passing,critical"}}{{.ID}} {{end}}"#, "web-1 web-2 web-3 "),
        (r#"{{range service "green.web"}}{{.ID}}{{end}}"#, "web-2"),
        (r#"{{range $i,$s := service "web"}}{{if $i}},{{end}}{{$s.Address}}{{end}}"#, "10.1.0.11,10.1.0.12"),
        (
            r#"{{range service "web"}}[{{.ServiceMeta.version}}{{.ServiceMeta.none}}{{.NodeMeta.x}}]{{end}}"#,
            "[2][11]",
        ),
        (
            r#"{{range service "web"}}{{with .ServiceTaggedAddresses.wan}}<{{.Address}}:{{.Port}}>{{end}}{{end}}"#,
            "<:0><:0>",
        ),
        (r#"{{(index (service "web") 0).ServiceTaggedAddresses.lan.Port}}"#, "8080"),
        (r#"{{range service "web"}}{{.Tags.Contains "green"}} {{end}}"#, "false true "),
        (
            r#"{{range service "web|any"}}{{.Status}}={{.Checks.AggregatedStatus}}/{{len .Checks}} {{end}}"#,
            "passing=passing/2 passing=passing/2 critical=critical/2 ",
        ),
        (
            r#"{{with index (service "web") 0}}{{.Weights.Passing}} {{(index .Checks 0).CheckID}}{{end}}"#,
            "1 serfHealth",
        ),
        (r#"{{service ""}}{{len (connect "web")}}"#, "[]2"),
    ]);
    check_errors(&[
        (
            r#"{{range service "web"}}{{.Bogus}}{{end}}"#,
            "can't evaluate field Bogus in type *dependency.HealthService",
        ),
        (r#"{{service "a b"}}"#, r#"error calling service: health.service: invalid format: "a b""#),
        (
            r#"{{service "web" "sick"}}"#,
            r#"error calling service: health.service: invalid filter: "sick" in "web|sick""#,
        ),
    ]);
}

#[test]
fn groups_of_instances() {
    check(&[
        (
            r#"{{range $p,$l := service "web|any" | byPort}}{{$p}}:{{range $l}}{{.ID}} {{end}};{{end}}"#,
            "8080:web-1 web-3 ;8081:web-2 ;",
        ),
        (r#"{{range $t,$l := service "web" | byTag}}{{$t}}:{{len $l}};{{end}}"#, "blue:2;green:1;"),
        (
            r#"{{range $t,$l := services | byTag}}{{$t}}:{{range $l}}{{.Name}}{{end}};{{end}}"#,
            "blue:web;green:web;primary:db;",
        ),
        (
            r#"{{range $k,$l := service "web|any" | byMeta "version|int"}}{{$k}}={{len $l}};{{end}}"#,
            "00000=1;00002=1;00011=1;",
        ),
        (r#"{{range $k,$l := service "web|any" | byMeta "version"}}{{$k}};{{end}}"#, "11;2;_no_version_;"),
        (r#"{{range $k,$l := service "web" | byMeta "version,x"}}{{$k}};{{end}}"#, "11__no_x_;2__no_x_;"),
        (r#"{{byTag (service "")}}"#, "map[]"),
    ]);
    check_errors(&[
        (r#"{{byTag "x"}}"#, "error calling byTag: byTag: wrong argument type string"),
        (
            "{{byPort services}}",
            "error calling byPort: byPort: wrong argument type []*dependency.CatalogSnippet",
        ),
        (
            r#"{{services | byMeta "x"}}"#,
            "wrong type for value; expected []*dependency.HealthService; got []*dependency.CatalogSnippet",
        ),
    ]);
}

#[test]
fn keys() {
    check(&[
        (r#"{{key "cfg/app/name"}}:{{key "/cfg/app/port"}}[{{key "cfg/empty"}}]"#, "shop:8080[]"),
        (
            r#"{{keyExists "cfg/empty"}},{{keyExists "cfg/none"}},{{keyOrDefault "cfg/none" "d"}},{{keyOrDefault "cfg/empty" "d"}}"#,
            "true,false,d,d",
        ),
        (r#"{{key_or_default "cfg/none" "d"}}{{key ""}}{{ls ""}}"#, "d[]"),
        (r#"{{range ls "cfg/app"}}{{.Key}}={{.Value}};{{end}}"#, "name=shop;port=8080;"),
        (r#"{{range tree "cfg/app"}}{{.Key}}={{.Value}};{{end}}"#, "limits/cpu=2;name=shop;port=8080;"),
        (r#"{{range ls "cfg/a"}}{{.Key}};{{end}}"#, ""),
        (r#"{{range tree "cfg/a"}}{{.Key}};{{end}}"#, "pp/limits/cpu;pp/name;pp/port;"),
        (r#"{{len (tree "/")}}"#, "6"),
        (
            r#"{{with index (ls "cfg/app") 0}}{{.Path}} {{.CreateIndex}} {{.ModifyIndex}} {{.Flags}}{{end}}"#,
            "cfg/app/name 7 9 1",
        ),
        (r#"{{tree "cfg/app" | explode | toJSON}}"#, r#"{"limits":{"cpu":"2"},"name":"shop","port":"8080"}"#),
        (
            r#"{{range $k,$m := tree "cfg" | byKey}}{{$k}}:{{range $m}}{{.Key}} {{end}};{{end}}"#,
            "app:limits/cpu name port ;",
        ),
        (
            r#"{{with tree "cfg" | byKey}}{{.app.name.Value}}{{.none}}{{with .app.none}}x{{end}}{{end}}"#,
            "shopmap[]",
        ),
        (
            r#"{{safeLs "cfg/app"}}{{ls "cfg/none"}}x"#,
            "[{cfg/app/name name shop 7 9 0 1 } {cfg/app/port port 8080 7 9 0 1 }][]x",
        ),
        (
            r#"{{with $d := key "cfg/json" | parseJSON}}{{$d.n}} {{index $d.a.b 1}} {{$d.zz}}{{end}}"#,
            "1.234567e+06 2 <no value>",
        ),
        (r#"{{define "x"}}{{key .}}{{end}}{{executeTemplate "x" "cfg/app/name" | toUpper}}"#, "SHOP"),
    ]);
    check_errors(&[
        (r#"{{(key "cfg/json" | parseJSON).zz.q}}"#, "nil pointer evaluating interface {}.q"),
        (r#"{{(tree "cfg" | byKey).app.none.Key}}"#, "nil pointer evaluating *dependency.KeyPair.Key"),
        (r#"{{key "cfg/none"}}"#, "missing kv.block(cfg/none)"),
        (r#"{{safeLs "cfg/none"}}x"#, "missing kv.list(cfg/none)"),
        (r#"{{safeTree "cfg/none"}}x"#, "missing kv.list(cfg/none)"),
    ]);
}

#[test]
fn values_that_are_not_text_come_out_unchanged() {
    let mut world = World::default();
    world.keys.insert("bin".into(), b"\xff\x00\xfe".to_vec());
    let rendered = execute_in(world, &Settings::default(), r#"{{key "bin"}}"#).unwrap();
    assert_eq!(rendered.output, b"\xff\x00\xfe");
}

/// Knows nothing yet.
struct Blank;

impl Brain for Blank {
    fn recall(&self, _: &Dependency) -> Option<Data> {
        None
    }

    fn run_plugin(&self, _: &str, _: &[String]) -> Result<Vec<u8>, String> {
        Err("no programs".into())
    }

    fn write_file(&self, _: &consul_template_functions::FileToWrite<'_>) -> Result<(), String> {
        Err("no files".into())
    }

    fn show(&self, _: &str) {}
}

#[test]
fn what_is_not_known_yet_is_empty_and_missing() {
    let source = r#"{{service "web"}}{{services}}{{nodes}}{{datacenters}}{{key "k"}}{{keyExists "k"}}{{keyOrDefault "k" "d"}}{{ls "p"}}{{tree "p"}}{{file "/f"}}{{node}}{{caRoots}}{{with caLeaf "s"}}x{{end}}"#;
    let template = Template::parse(source.as_bytes(), &Settings::default()).unwrap();
    let rendered = template.execute(Arc::new(Blank)).unwrap();
    assert_eq!(String::from_utf8(rendered.output).unwrap(), "[][][][]falsed[][]<no value>[]");
    let missing: Vec<String> = rendered.account.missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        [
            "health.service(web|passing)",
            "catalog.services",
            "catalog.nodes",
            "catalog.node",
            "catalog.datacenters",
            "kv.block(k)",
            "kv.get(k)",
            "kv.list(p)",
            "connect.caroots",
            "connect.caleaf(s)",
            "file(/f)",
        ]
    );
    assert_eq!(rendered.account.used, rendered.account.missing);
}

#[test]
fn a_failed_execution_still_says_what_it_asked_for() {
    let template = Template::parse(br#"{{index (service "web") 0}}"#, &Settings::default()).unwrap();
    let failed = template.execute(Arc::new(Blank)).unwrap_err();
    assert_eq!(
        failed.to_string(),
        r#"template: :1:2: executing "" at <index (service "web") 0>: error calling index: reflect: slice index out of range"#
    );
    assert_eq!(failed.account.missing.len(), 1);
}

#[test]
fn dependencies_are_found_again_in_what_is_asked_for_inside() {
    let rendered = execute(r#"{{range services}}{{range service .Name}}{{end}}{{end}}"#).unwrap();
    let used: Vec<String> = rendered.account.used.iter().map(ToString::to_string).collect();
    assert_eq!(
        used,
        [
            "health.service(consul|passing)",
            "health.service(db|passing)",
            "health.service(web|passing)",
            "catalog.services"
        ]
    );
}

#[test]
fn data_survives_being_stored() {
    let world = World::default();
    for dependency in [
        Dependency::service("web|any").unwrap().unwrap(),
        Dependency::services("").unwrap(),
        Dependency::nodes("").unwrap(),
        Dependency::node("n1").unwrap(),
        Dependency::node("nowhere").unwrap(),
        Dependency::keys("cfg").unwrap().unwrap(),
        Dependency::key_if_any("cfg/none").unwrap().unwrap(),
        Dependency::key("cfg/app/name").unwrap().unwrap(),
        Dependency::Datacenters { ignore_failing: false },
    ] {
        let data = world.recall(&dependency).unwrap();
        let stored = serde_json::to_string(&(&dependency, &data)).unwrap();
        let (dependency_again, again): (Dependency, Data) = serde_json::from_str(&stored).unwrap();
        assert_eq!(dependency_again, dependency);
        assert_eq!(again, data, "{dependency}");
    }
}

#[test]
fn the_nginx_tutorial() {
    let source = concat!(
        "{{range services}} {{$n := .Name}} {{$s := service .Name}}\nupstream {{$n}} {\n",
        "  {{range $s}}server {{.Address}}:{{.Port}} weight=1;\n  {{else}}server 127.0.0.1:65535; # no backend{{end}}\n} {{end}}\n",
        "server {\n{{range services}} {{$n := .Name}}\n  location /{{$n}} { proxy_pass http://{{$n}}; }\n{{end}}\n}",
    );
    let expected = concat!(
        "  \nupstream consul {\n  server 127.0.0.1:65535; # no backend\n} ",
        "  \nupstream db {\n  server 127.0.0.1:65535; # no backend\n} ",
        "  \nupstream web {\n  server 10.1.0.11:8080 weight=1;\n  server 10.1.0.12:8081 weight=1;\n  \n} \n",
        "server {\n \n  location /consul { proxy_pass http://consul; }\n",
        " \n  location /db { proxy_pass http://db; }\n \n  location /web { proxy_pass http://web; }\n\n}",
    );
    assert_eq!(render(source).unwrap(), expected);
}
