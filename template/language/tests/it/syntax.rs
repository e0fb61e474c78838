//! Literals, trimming, comments, variables, definitions.

use consul_template_language::Value;

use crate::support::{Context, check, render, templates};

#[test]
fn numbers_have_all_forms_of_go() {
    check(&[
        ("{{1234567.0}},{{100000.0}},{{0.00001}},{{2.50}}", "1.234567e+06,100000,1e-05,2.5"),
        ("{{0x1F}},{{017}},{{0b11}},{{1_000}},{{1e3}},{{'a'}}", "31,15,3,1000,1000,97"),
        ("{{0o17}},{{0X1_F}},{{+5}},{{-0}},{{1_000.5}}", "15,31,5,0,1000.5"),
        ("{{0x1p4}},{{0x1.8p1}},{{.5}},{{1.}}", "16,3,0.5,1"),
        (r"{{'\n'}},{{'\x41'}},{{'\u00e9'}},{{'\''}},{{'é'}}", "10,65,233,39,233"),
        ("{{9223372036854775807}},{{-9223372036854775808}}", "9223372036854775807,-9223372036854775808"),
    ]);
}

#[test]
fn strings_are_bytes_with_the_escapes_of_go() {
    check(&[
        (r#"{{"a\tb\"\\\u00e9\x41\101"}}"#, "a\tb\"\\éAA"),
        ("{{`raw \\n \"`}}", "raw \\n \""),
        ("{{`a\nb`}}", "a\nb"),
        (r#"{{len "\xff\xfe"}}"#, "2"),
    ]);
}

#[test]
fn bytes_that_are_no_text_come_out_unchanged() {
    let mut templates = templates("t");
    templates.parse(b"\xfe{{binary}}{{\"\xfd\"}}").unwrap();
    assert_eq!(templates.render(&mut Context::default(), Value::Nil).unwrap(), b"\xfe\xff\x00a\xfd");
}

#[test]
fn markers_trim_space_on_their_side() {
    check(&[
        ("a\n {{- 1 -}} \nb", "a1b"),
        ("X{{-3}}", "X-3"),
        ("X {{- 3}}", "X3"),
        ("{{3 -}} \t\r\n x", "3x"),
        ("a {{- /* c */ -}} b", "ab"),
        ("a {{/* c */}} b", "a  b"),
        ("{{1 -}}\n{{- 2}}", "12"),
        ("{{- \"a\" -}}", "a"),
        ("a\u{b}{{- 1}}", "a\u{b}1"),
    ]);
}

#[test]
fn actions_may_span_lines() {
    check(&[("{{print\n\t1\n\t2\n}}", "1 2"), ("{{\n1\n}}", "1")]);
}

#[test]
fn assignment_reaches_outward_and_declaration_does_not() {
    check(&[
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1"),
        ("{{$x := 1}}{{$x := $x}}{{$x}}", "1"),
        ("{{$a := 1}}{{if false}}{{$a := 2}}{{else}}{{$a}}{{end}}", "1"),
        ("{{$a := 1}}{{if false}}{{$b := 2}}{{else}}{{$c := 3}}{{$a}}{{$c}}{{end}}", "13"),
        ("{{with $x := 5}}{{$x}}{{end}}{{with $x := 0}}{{else}}{{$x}}{{end}}", "50"),
        ("{{$x := 1}}{{range $i, $x := 3 | list}}{{$i}}{{$x}}{{end}}{{$x}}", "031"),
        ("{{$i := 9}}{{$e := 9}}{{range $i, $e = list 5 6}}{{end}}{{$i}}{{$e}}", "16"),
        ("{{$e := 9}}{{range $e = list 5 6}}{{end}}{{$e}}", "6"),
        ("{{$x := 1}}{{range 3}}{{$y := .}}{{$x = print $x $y}}{{end}}{{$x}}", "1 012"),
        ("{{print ($x := 5) $x}}{{$x}}", "5 55"),
        ("{{and false ($x := 5)}}{{$y := 1}}{{$y}}", "false1"),
    ]);
}

#[test]
fn definitions_see_their_argument_only() {
    check(&[
        (r#"{{define "u"}}<{{.}}>{{end}}{{template "u" "v"}}{{template "u"}}"#, "<v><<no value>>"),
        (r#"{{define "u"}}{{$}}{{end}}{{$x := 3}}{{template "u" $x}}"#, "3"),
        (r#"{{block "b" 5}}[{{.}}]{{end}}"#, "[5]"),
        (r#"{{with 7}}{{block "b" .}}[{{.}}{{$}}]{{end}}{{.}}{{end}}"#, "[77]7"),
        (r#"{{template "late"}}{{define "late"}}x{{end}}"#, "x"),
        (
            r#"{{define "a"}}A{{template "b" .}}A{{end}}{{define "b"}}{{.}}{{end}}{{range 2}}{{template "a" .}}{{.}}{{end}}"#,
            "A0A0A1A1",
        ),
        (r#"{{define "e"}} {{end}}{{define "e"}}full{{end}}{{define "e"}}{{end}}{{template "e"}}"#, "full"),
    ]);
}

#[test]
fn delimiters_can_be_chosen() {
    let mut templates = templates("t");
    templates.set_delimiters("<<", ">>");
    templates.parse("<<\"a\">>{{x}}<</* c */>><<- 1 ->> b").unwrap();
    assert_eq!(templates.render(&mut Context::default(), Value::Nil).unwrap(), b"a{{x}}1b");
}

#[test]
fn a_later_source_replaces_templates_unless_it_is_empty() {
    let mut templates = templates("t");
    templates.parse(r#"{{block "b" .}}first{{end}}"#).unwrap();
    templates.parse_as("more", r#"{{define "b"}}second{{end}}"#).unwrap();
    templates.parse_as("empty", r#"{{define "b"}} {{end}}"#).unwrap();
    assert_eq!(templates.render(&mut Context::default(), Value::Nil).unwrap(), b"second");
    let mut names: Vec<_> = templates.names().collect();
    names.sort_unstable();
    assert_eq!(names, ["b", "empty", "more", "t"]);
}

#[test]
fn parse_failures_add_nothing() {
    let mut templates = templates("t");
    assert!(templates.parse(r#"{{define "a"}}{{end}}{{nosuch}}"#).is_err());
    assert_eq!(templates.names().count(), 0);
}

#[test]
fn rendering_a_template_from_a_function_returns_its_text() {
    check(&[
        (r#"{{define "x"}}<{{lookup .}}>{{end}}{{include "x" "k" | upper}}"#, "<K>"),
        (r#"{{$v := 1}}{{define "x"}}{{$v := 2}}{{end}}{{include "x"}}{{$v}}"#, "1"),
    ]);
    assert_eq!(
        render(r#"{{include "nope"}}"#),
        Err(r#"template: t:1:2: executing "t" at <include "nope">: error calling include: template: no template "nope" associated with template "t""#.into())
    );
}
