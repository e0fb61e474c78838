//! Templates that are rejected before they run.

use crate::support::check_errors;

#[test]
fn structures_have_to_be_balanced() {
    check_errors(&[
        ("{{if true}}x", "template: t:1: unexpected EOF"),
        ("a{{end}}b", "template: t:1: unexpected {{end}}"),
        ("{{else}}", "template: t:1: unexpected {{else}}"),
        ("{{else if true}}", "template: t:1: unexpected {{else}}"),
        ("\n{{range 3}}\n{{if true}}{{end}}\n", "template: t:4: unexpected EOF"),
        ("{{if 1}}{{else}}{{else}}{{end}}", "template: t:1: expected end; found {{else}}"),
        ("{{range 1}}{{else if 1}}{{end}}", "template: t:1: unexpected <if> in input"),
        ("{{with 1}}{{else if 1}}{{end}}", "template: t:1: unexpected <if> in input"),
        ("{{if 1}}{{end 2}}", r#"template: t:1: unexpected "2" in end"#),
        (r#"{{define "x"}}"#, "template: t:1: unexpected EOF"),
        (r#"{{define "x"}}{{else}}{{end}}"#, "template: t:1: unexpected {{else}} in define clause"),
        (r#"{{block "x" .}}{{else}}{{end}}"#, "template: t:1: unexpected {{else}} in block clause"),
    ]);
}

#[test]
fn names_have_to_be_known() {
    check_errors(&[
        ("{{if false}}{{nosuch}}{{end}}ok", r#"template: t:1: function "nosuch" not defined"#),
        (r#"{{with $v := "z"}}{{$v}}{{end}}{{$v}}"#, r#"template: t:1: undefined variable "$v""#),
        ("{{$x}}", r#"template: t:1: undefined variable "$x""#),
        (r#"{{$x := 1}}{{define "d"}}{{$x}}{{end}}"#, r#"template: t:1: undefined variable "$x""#),
        ("a\nb{{$x}}", r#"template: t:2: undefined variable "$x""#),
    ]);
}

#[test]
fn actions_have_to_be_complete() {
    check_errors(&[
        ("{{if}}x{{end}}", "template: t:1: missing value for if"),
        ("{{}}", "template: t:1: missing value for command"),
        ("{{1", "template: t:1: unclosed action"),
        ("{{\n1", "template: t:2: unclosed action started at t:1"),
        ("{{\"a", "template: t:1: unterminated quoted string"),
        ("{{\n\"a", "template: t:2: unterminated quoted string in action started at t:1"),
        ("{{`a", "template: t:1: unterminated raw quoted string"),
        ("{{'a", "template: t:1: unterminated character constant"),
        ("{{(1}}", "template: t:1: unclosed left paren"),
        ("{{1)}}", "template: t:1: unexpected right paren"),
        ("{{/* x", "template: t:1: unclosed comment"),
        ("{{/* x */ y}}", "template: t:1: comment ends before closing delimiter"),
        ("{{ /* x */ }}", r#"template: t:1: unexpected "/" in command"#),
    ]);
}

#[test]
fn operands_have_to_make_sense() {
    check_errors(&[
        (r#"{{"a".b}}"#, r#"template: t:1: unexpected . after term "\"a\"""#),
        ("{{nil.b}}", r#"template: t:1: unexpected . after term "nil""#),
        ("{{1 | 2}}", "template: t:1: non executable command in pipeline stage 2"),
        (r#"{{"a""b"}}"#, r#"template: t:1: unexpected "\"b\"" in operand"#),
        ("{{1.x}}", r#"template: t:1: bad number syntax: "1.x""#),
        ("{{a.b$c}}", "template: t:1: function \"a\" not defined"),
        ("{{.b$c}}", "template: t:1: bad character U+0024 '$'"),
        ("{{12a}}", r#"template: t:1: bad number syntax: "12a""#),
        ("{{0xz}}", r#"template: t:1: bad number syntax: "0xz""#),
        ("{{99999999999999999999}}", r#"template: t:1: integer overflow: "99999999999999999999""#),
        ("{{''}}", "template: t:1: invalid syntax"),
        ("{{--1}}", r#"template: t:1: bad number syntax: "--1""#),
        ("{{1+1}}", r#"template: t:1: bad number syntax: "1+1""#),
        ("{{1-}}", r#"template: t:1: bad number syntax: "1-""#),
        ("{{'ab'}}", "template: t:1: malformed character constant: 'ab'"),
        (r#"{{"\q"}}"#, "template: t:1: invalid syntax"),
        ("{{:}}", "template: t:1: expected :="),
        ("{{\u{1}}}", "template: t:1: unrecognized character in action: U+0001"),
        ("{{if 1}}{{end}}{{print <}}", r#"template: t:1: unexpected "<" in operand"#),
        ("{{$x := 1 := 2}}", r#"template: t:1: unexpected ":=" in operand"#),
        ("{{$a, $b := 1}}", "template: t:1: too many declarations in command"),
        ("{{range $a, $b, $c := 1}}{{end}}", "template: t:1: too many declarations in range"),
        ("{{range $a, 1}}{{end}}", "template: t:1: range can only initialize variables"),
    ]);
}

#[test]
fn definitions_stand_at_the_top_only() {
    check_errors(&[
        (r#"{{if 1}}{{define "x"}}{{end}}{{end}}"#, "template: t:1: unexpected <define> in command"),
        (r#"{{define x}}{{end}}"#, r#"template: t:1: unexpected "x" in define clause"#),
        (r#"{{define "x" 1}}{{end}}"#, r#"template: t:1: unexpected "1" in define clause"#),
        (r#"{{template x}}"#, r#"template: t:1: unexpected "x" in template clause"#),
        (r#"{{block "x"}}{{end}}"#, "template: t:1: missing value for block clause"),
        (
            r#"{{define "x"}}a{{end}}{{define "x"}}b{{end}}"#,
            r#"template: t:1: template: multiple definition of template "x""#,
        ),
    ]);
}

#[test]
fn loops_are_left_from_inside_only() {
    check_errors(&[
        ("{{break}}", "template: t:1: {{break}} outside {{range}}"),
        ("{{continue}}", "template: t:1: {{continue}} outside {{range}}"),
        ("{{range 3}}{{else}}{{break}}{{end}}", "template: t:1: {{break}} outside {{range}}"),
        ("{{range 3}}{{break 1}}{{end}}", r#"template: t:1: unexpected "1" in {{break}}"#),
        (
            r#"{{range 3}}{{block "x" 1}}{{break}}{{end}}{{end}}"#,
            "template: t:1: {{break}} outside {{range}}",
        ),
    ]);
}
