//! Names that are not there: what happens depends on what was asked.

use consul_template_language::{MissingKey, Value};

use crate::support::{check, check_errors, render_with};

#[track_caller]
fn strict(source: &str, expected: Result<&str, &str>) {
    let actual = render_with(MissingKey::Error, Value::Nil, source);
    let expected = expected.map(str::to_owned).map_err(|error| format!("template: t:{error}"));
    assert_eq!(actual, expected, "{source}");
}

#[test]
fn a_map_yields_the_zero_of_its_type() {
    check(&[
        ("{{(dict).x}}", "<no value>"),
        ("[{{strings.x}}][{{strings.k}}]", "[][v]"),
        ("{{with addresses.wan}}<{{.Host}}:{{.Port}}>{{end}}", "<:0>"),
        ("{{if pairs.x}}y{{else}}n{{end}}", "n"),
        ("{{.x}}{{.x.y}}", "<no value><no value>"),
        ("{{$v := nothing}}{{$v.Node}}", "<no value>"),
        ("{{nilStrings.x}}{{node.Meta.none}}", ""),
    ]);
}

#[test]
fn looking_further_into_nothing_is_an_error() {
    check_errors(&[
        (
            "{{(dict).a.b}}",
            r#"template: t:1:3: executing "t" at <dict>: nil pointer evaluating interface {}.b"#,
        ),
        (
            r#"{{$d := dict "a" nil}}{{$d.a.b}}"#,
            r#"template: t:1:26: executing "t" at <$d.a.b>: nil pointer evaluating interface {}.b"#,
        ),
        (
            "{{pairs.x.Key}}",
            r#"template: t:1:2: executing "t" at <pairs>: nil pointer evaluating *kv.Pair.Key"#,
        ),
        (
            "{{nullNode.Name}}",
            r#"template: t:1:2: executing "t" at <nullNode>: nil pointer evaluating *catalog.Node.Name"#,
        ),
        (
            "{{range list nil}}{{.x}}{{end}}",
            r#"template: t:1:20: executing "t" at <.x>: nil pointer evaluating interface {}.x"#,
        ),
    ]);
}

#[test]
fn what_has_no_such_field_is_an_error() {
    check_errors(&[
        (
            "{{node.Bogus}}",
            r#"template: t:1:2: executing "t" at <node>: can't evaluate field Bogus in type *catalog.Node"#,
        ),
        (
            r#"{{$s := "q"}}{{$s.x}}"#,
            r#"template: t:1:17: executing "t" at <$s.x>: can't evaluate field x in type string"#,
        ),
        (
            r#"{{(dict "a" 1).a.b}}"#,
            r#"template: t:1:12: executing "t" at <1>: can't evaluate field b in type interface {}"#,
        ),
        (
            "{{ports.x}}",
            r#"template: t:1:2: executing "t" at <ports>: can't evaluate field x in type map[int]string"#,
        ),
        (
            "{{node.Tags.x}}",
            r#"template: t:1:2: executing "t" at <node>: can't evaluate field x in type []string"#,
        ),
    ]);
}

#[test]
fn strictness_makes_a_missing_key_an_error() {
    strict("{{(dict).x}}", Err(r#"1:3: executing "t" at <dict>: map has no entry for key "x""#));
    strict("{{strings.x}}", Err(r#"1:2: executing "t" at <strings>: map has no entry for key "x""#));
    strict("{{addresses.wan}}", Err(r#"1:2: executing "t" at <addresses>: map has no entry for key "wan""#));
    strict("{{.x}}", Err(r#"1:2: executing "t" at <.x>: nil data; no entry for key "x""#));
    strict("{{index strings \"x\"}}", Ok(""));
}

#[test]
fn by_default_a_missing_key_is_no_value_whatever_the_map() {
    let lax = |source| render_with(MissingKey::Default, Value::Nil, source);
    assert_eq!(lax("{{strings.x}}{{(dict).a.b}}").as_deref(), Ok("<no value><no value>"));
}
