//! Templates in Handlebars.

use std::path::Path;

use consul_template_functions::{Language, Settings};

use crate::support::{World, execute_in, render_with};

fn settings() -> Settings {
    Settings { language: Language::Handlebars, ..Settings::default() }
}

#[track_caller]
fn check(rows: &[(&str, &str)]) {
    for (source, expected) in rows {
        assert_eq!(render_with(&settings(), source).as_deref(), Ok(*expected), "{source}");
    }
}

#[track_caller]
fn check_errors(rows: &[(&str, &str)]) {
    for (source, expected) in rows {
        let error = render_with(&settings(), source).expect_err(source);
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn a_source_is_in_handlebars_by_its_name() {
    assert_eq!(Language::of(Path::new("/a/nginx.conf.hbs")), Language::Handlebars);
    assert_eq!(Language::of(Path::new("/a/hbs.ctmpl")), Language::Go);
}

#[test]
fn data() {
    check(&[
        (
            r#"{{#each (service "web")}}{{Address}}:{{Port}}{{#unless @last}},{{/unless}}{{/each}}"#,
            "10.1.0.11:8080,10.1.0.12:8081",
        ),
        (r#"{{#each (service "db")}}x{{else}}none{{/each}}"#, "none"),
        (
            r#"{{#each (service "web" filter="any")}}{{ID}} {{/each}}{{len (service "web|any")}}"#,
            "web-1 web-2 web-3 3",
        ),
        (r#"{{#each (service "web" tag="green")}}{{ID}}{{join "," Tags}}{{/each}}"#, "web-2blue,green"),
        (
            r#"{{#each (services) as |s|}}{{s.Name}}={{join "+" s.Tags}};{{/each}}"#,
            "consul=;db=primary;web=blue+green;",
        ),
        (r#"{{#each (nodes)}}{{Node}} {{/each}}{{#each (datacenters)}}{{this}} {{/each}}"#, "n1 n2 dc1 dc2 "),
        (r#"{{#with (node "n1")}}{{Node.Address}}{{/with}}"#, "10.1.0.11"),
        (
            r#"{{key "cfg/app/name"}} {{keyOrDefault "cfg/none" "d"}} {{keyExists "cfg/none"}}"#,
            "shop d false",
        ),
        (r#"{{#each (ls "cfg/app")}}{{Key}}={{Value}};{{/each}}"#, "name=shop;port=8080;"),
        (r#"{{toJSON (explode (tree "cfg/app"))}}"#, r#"{"limits":{"cpu":"2"},"name":"shop","port":"8080"}"#),
        (
            r#"{{#each (byPort (service "web|any"))}}{{@key}}:{{#each this}}{{ID}} {{/each}};{{/each}}"#,
            "8080:web-1 web-3 ;8081:web-2 ;",
        ),
        (r#"{{#each (byTag (service "web"))}}{{@key}}:{{len this}};{{/each}}"#, "blue:2;green:1;"),
        (
            r#"{{#each (byKey (tree "cfg"))}}{{@key}}:{{#each this}}{{@key}} {{/each}};{{/each}}"#,
            "app:limits/cpu name port ;",
        ),
        (r#"{{#each (byMeta "version|int" (service "web"))}}{{@key}} {{/each}}"#, "00002 00011 "),
        (r#"{{#each (service "web") as |s|}}{{s.ServiceMeta.version}} {{/each}}"#, "2 11 "),
    ]);
    check_errors(&[
        (r#"{{key "cfg/none"}}"#, "missing kv.block(cfg/none)"),
        (r#"{{#each (safeLs "cfg/none")}}{{/each}}"#, "missing kv.list(cfg/none)"),
        (r#"{{service "a b"}}"#, r#"error calling service: health.service: invalid format: "a b""#),
    ]);
}

#[test]
fn named_arguments_are_part_of_the_id() {
    let source = r#"{{#each (service "web" tag="t" ns="n" dc="d" near="_agent" filter="any")}}{{/each}}{{keyExists "k" dc="d"}}{{#each (nodes near="n1")}}{{/each}}"#;
    let rendered = execute_in(World::default(), &settings(), source).unwrap();
    let used: Vec<String> = rendered.account.used.iter().map(ToString::to_string).collect();
    assert_eq!(used, ["health.service(t.web@d@ns=n~_agent|any)", "catalog.nodes(~n1)", "kv.get(k@d)"]);
}

#[test]
fn helpers() {
    check(&[
        (
            r#"{{toUpper "a"}}{{trim "!" "!b!"}}{{replaceAll "a" "b" "aa"}}{{join "-" (split "," "x,y")}}"#,
            "Abbbx-y",
        ),
        (r#"{{add 1 2}} {{add 1 1.5}} {{#each (loop 2)}}{{this}}{{/each}}"#, "3 2.5 01"),
        (r#"{{#if (contains "a" (split "," "a,b"))}}y{{/if}}{{#if (in "abc" "z")}}y{{else}}n{{/if}}"#, "yn"),
        (r#"{{parseInt "5"}} {{lookup (parseJSON "{\"a\":1.0}") "a"}} {{printf "%05d" 42}}"#, "5 1 00042"),
        (r#"{{base64Encode "a&b"}}"#, "YSZi"),
        (r#"{{scratchSet "a" 1}}{{scratchGet "a"}}{{scratchKey "b"}}"#, "1false"),
        (r#"{{env "HOME"}}{{envOrDefault "U" "d"}}{{timestamp "2006"}}{{plugin "echo" "x"}}"#, "/rootd2021x"),
        (r#"{{toYAML (parseJSON "{\"a\":[]}")}} {{toJSON (split "," "")}}"#, "a: [] []"),
        (r#"{{#*inline "p"}}<{{x}}>{{/inline}}{{> p x="1"}}{{> p x="2"}}"#, "<1><2>"),
    ]);
    check(&[(r#"{{key "cfg/json"}}"#, r#"{"a":{"b":[1,2]},"n":1234567,"u":"x&y"}"#)]);
    check_errors(&[
        (r#"{{nosuch "x"}}"#, "Helper not found nosuch"),
        (r#"{{toUpper 5}}"#, "wrong type for value; expected string; got int"),
        (r#"{{toUpper}}{{toUpper "a" "b"}}"#, "wrong number of args for toUpper: want 1 got"),
        (r#"{{#if}}"#, "template: "),
        (r#"{{scratchSet "a"}}"#, "wrong number of args: want 2 got 1"),
        (r#"{{secret "x"}}"#, "vault support is not built in"),
    ]);
}

#[test]
fn settings_apply() {
    let strict = Settings { error_on_missing_key: true, ..settings() };
    assert!(render_with(&strict, "{{none}}").is_err());
    assert_eq!(render_with(&settings(), "[{{none}}]").unwrap(), "[]");
    let denied = Settings { denied_functions: vec!["env*".into()], ..settings() };
    assert!(render_with(&denied, r#"{{env "HOME"}}"#).unwrap_err().contains("function is disabled"));
    let denied = Settings { denied_functions: vec!["scratch".into()], ..settings() };
    assert!(render_with(&denied, r#"{{scratchGet "a"}}"#).unwrap_err().contains("function is disabled"));
    let delimited = Settings { left_delimiter: "<<".into(), ..settings() };
    assert!(render_with(&delimited, "x").unwrap_err().contains("other delimiters"));
}

#[test]
fn partials_that_never_end_are_refused() {
    for source in [
        r#"{{#*inline "a"}}{{> a}}{{/inline}}{{> a}}"#,
        r#"{{#*inline "a"}}{{> b}}{{/inline}}{{#*inline "b"}}{{#if x}}{{> a}}{{/if}}{{/inline}}{{> a}}"#,
        r#"{{#*inline "a"}}{{> (lookup x "y")}}{{/inline}}{{> a}}"#,
        r#"{{> template}}"#,
        r#"{{#*inline "a"}}{{> template}}{{/inline}}{{> a}}"#,
        r#"{{#*inline "a"}}{{#> b}}{{> template}}{{/b}}{{/inline}}{{#if x}}{{else}}{{> a}}{{/if}}"#,
    ] {
        let error = render_with(&settings(), source).unwrap_err();
        assert!(error.ends_with("includes itself"), "{error}");
    }
    check(&[(r#"{{#*inline "a"}}x{{/inline}}{{#*inline "b"}}{{> a}}{{/inline}}{{> b}}{{> a}}"#, "xx")]);
    let dynamic = r#"{{#*inline "a"}}x{{/inline}}{{> (toLower "A")}}{{#> a}}{{/a}}"#;
    check(&[(dynamic, "xx")]);
    check_errors(&[(
        r#"{{#*inline "a"}}{{> @partial-block}}{{/inline}}{{#> a}}{{> @partial-block}}{{/a}}"#,
        "Partial block",
    )]);
}

#[test]
fn one_template_is_executed_by_several_threads() {
    let template = consul_template_functions::Template::parse(
        br#"{{scratchSet "a" 1}}{{#each (service "web")}}{{ID}} {{/each}}"#,
        &settings(),
    )
    .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let rendered = template.execute(std::sync::Arc::new(World::default())).unwrap();
                assert_eq!(rendered.output, b"web-1 web-2 ");
                assert_eq!(rendered.account.used.len(), 1);
            });
        }
    });
}

#[test]
fn templates_nested_too_deep_are_refused() {
    for (open, middle, close) in [
        ("(toUpper ", "\"a\"", ")"),
        ("{{#if a}}", "x", "{{/if}}"),
        ("{{#*inline \"x\"}}", "x", "{{/inline}}"),
    ] {
        let nested = format!("{}{middle}{}", open.repeat(20_000), close.repeat(20_000));
        let source = if open.starts_with('(') { format!("{{{{toUpper {nested}}}}}") } else { nested };
        let error = render_with(&settings(), &source).unwrap_err();
        assert!(error.contains("nested too deep"), "{error}");
    }
    let blocks = format!("{}x{}", "{{#unless a}}".repeat(100), "{{/unless}}".repeat(100));
    let calls = format!("{{{{toUpper {}\"x\"{}}}}}", "(toUpper ".repeat(100), ")".repeat(100));
    check(&[(&blocks, "x"), (&calls, "X")]);
}
