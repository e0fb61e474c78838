//! Errors that are not about names or arguments.

use crate::support::{check_errors, render};

#[test]
fn loops_need_something_with_elements() {
    check_errors(&[
        (
            r#"{{range "abc"}}{{end}}"#,
            r#"template: t:1:8: executing "t" at <"abc">: range can't iterate over abc"#,
        ),
        ("{{range 1.5}}{{end}}", r#"template: t:1:8: executing "t" at <1.5>: range can't iterate over 1.5"#),
        (
            "{{range $i, $e := 3}}{{end}}",
            r#"template: t:1:18: executing "t" at <3>: can't use 3 to iterate over more than one variable"#,
        ),
        (
            "{{range nullNode}}{{end}}",
            r#"template: t:1:8: executing "t" at <nullNode>: range can't iterate over <nil>"#,
        ),
    ]);
}

#[test]
fn invoked_templates_have_to_exist() {
    check_errors(&[
        (
            r#"{{template "x"}}"#,
            r#"template: t:1:11: executing "t" at <{{template "x"}}>: template "x" not defined"#,
        ),
        (
            r#"{{template "x" 1 | print}}"#,
            r#"template: t:1:11: executing "t" at <{{template "x" 1 | print}}>: template "x" not defined"#,
        ),
    ]);
}

#[test]
fn errors_name_the_template_they_are_in() {
    check_errors(&[
        (
            "{{define \"d\"}}\n  {{boom}}{{end}}{{template \"d\"}}",
            r#"template: t:2:4: executing "d" at <boom>: error calling boom: boom happened"#,
        ),
        (
            "{{define \"d\"}}{{end}}{{template \"d\"}}{{boom}}",
            r#"template: t:1:39: executing "t" at <boom>: error calling boom: boom happened"#,
        ),
        (
            "{{define \"d\"}}{{boom}}{{end}}{{include \"d\"}}",
            r#"template: t:1:31: executing "t" at <include "d">: error calling include: template: t:1:16: executing "d" at <boom>: error calling boom: boom happened"#,
        ),
    ]);
}

#[test]
fn variables_have_to_exist_when_they_are_used() {
    check_errors(&[
        ("{{$x := 1}}{{$y = 2}}", r#"template: t:1:18: executing "t" at <2>: undefined variable: $y"#),
        (
            "{{if false}}{{$a := 1}}{{else}}{{$a}}{{end}}",
            r#"template: t:1:33: executing "t" at <$a>: undefined variable: $a"#,
        ),
    ]);
}

#[test]
fn functions_cannot_be_printed() {
    check_errors(&[(
        "{{greeter}}",
        r#"template: t:1:2: executing "t" at <{{greeter}}>: can't print {{greeter}} of type func(string) string"#,
    )]);
}

#[test]
fn percent_signs_in_templates_are_harmless_in_errors() {
    assert_eq!(
        render(r#"{{printf "%d%%" boom}}"#),
        Err(r#"template: t:1:16: executing "t" at <boom>: error calling boom: boom happened"#.into())
    );
}
