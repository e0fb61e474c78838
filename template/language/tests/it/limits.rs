//! What would use up all memory, time or stack.

use consul_template_language::{Limits, Value};

use crate::support::{Context, render, templates};

fn limited(limits: Limits, source: &str) -> Result<Vec<u8>, String> {
    let mut templates = templates("t");
    templates.set_limits(limits);
    templates.parse(source).map_err(|error| error.to_string())?;
    templates.render(&mut Context::default(), Value::Nil).map_err(|error| error.to_string())
}

#[test]
fn templates_may_invoke_each_other_thousands_deep() {
    let source = r#"{{define "down"}}{{if .}}{{template "down" slice . 1}}{{end}}{{len .}},{{end}}{{template "down" repeat 5000 "x"}}"#;
    let output = render(source).unwrap();
    assert!(output.starts_with("0,1,2,") && output.ends_with("5000,"));
}

#[test]
fn endless_recursion_is_an_error() {
    let error = render(r#"{{define "r"}}{{template "r"}}{{end}}{{template "r"}}"#).unwrap_err();
    assert!(
        error.ends_with(r#"executing "r" at <{{template "r"}}>: exceeded maximum template depth (100000)"#),
        "{error}"
    );
}

#[test]
fn rendering_from_functions_may_nest_a_thousand_deep() {
    let source = r#"{{define "down"}}{{if gt (len .) 1}}{{include "down" (slice . 1)}}{{end}}{{len .}},{{end}}{{include "down" (repeat 1000 "x")}}"#;
    assert!(render(source).unwrap().ends_with(",1000,"));
}

#[test]
fn endless_rendering_is_an_error_even_within_deep_expressions() {
    let nested = format!("{}(include \"r\"){}", "(print ".repeat(99), ")".repeat(99));
    let source = format!("{{{{define \"r\"}}}}{{{{{nested}}}}}{{{{end}}}}{{{{include \"r\"}}}}");
    let error = render(&source).unwrap_err();
    assert!(error.contains("exceeded maximum depth of rendered templates (1000)"), "{error}");
}

#[test]
fn parentheses_nest_only_so_deep() {
    let nest = |depth| format!("{{{{{}1{}}}}}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(render(&nest(100)).as_deref(), Ok("1"));
    assert_eq!(render(&nest(101)).unwrap_err(), "template: t:1: parentheses nested more than 100 deep");
    assert!(render(&format!("{{{{{}", "(".repeat(1_000_000))).is_err());
}

#[test]
fn structures_nest_as_deep_as_one_likes() {
    let depth = 20_000;
    let source = format!("{}x{}", "{{with 1}}".repeat(depth), "{{end}}".repeat(depth));
    assert_eq!(render(&source).as_deref(), Ok("x"));
    let source = format!("{{{{if 0}}}}{}{{{{else}}}}y{{{{end}}}}", "{{else if 0}}x".repeat(depth));
    assert_eq!(render(&source).as_deref(), Ok("y"));
}

#[test]
fn loops_end_at_the_limit_of_steps() {
    let limits = Limits { steps: 1_000, ..Limits::default() };
    let error = limited(limits, "{{range 1000000000000}}{{end}}").unwrap_err();
    assert!(error.ends_with("exceeded maximum number of steps (1000)"), "{error}");
}

#[test]
fn output_ends_at_its_limit() {
    let limits = Limits { output: 10_000, ..Limits::default() };
    let error = limited(limits.clone(), "{{range 1000000}}12345678{{end}}").unwrap_err();
    assert!(error.ends_with("exceeded maximum output (10000 bytes)"), "{error}");
    let doubling = r#"{{$x := "x"}}{{range 100}}{{$x = print $x $x}}{{end}}"#;
    let error = limited(limits, doubling).unwrap_err();
    assert!(error.ends_with("exceeded maximum length of a string (10000 bytes)"), "{error}");
}

#[test]
fn a_map_that_contains_itself_can_be_printed() {
    let output = render(r#"{{$d := dict}}{{$_ := set $d "self" $d}}{{$d}}"#).unwrap();
    assert!(output.starts_with("map[self:map[self:") && output.contains("..."));
}

#[test]
fn values_may_contain_each_other_as_deep_as_one_likes() {
    let source = r#"{{$l := list}}{{range 100000}}{{$l = list $l}}{{end}}{{len $l}}"#;
    assert_eq!(render(source).as_deref(), Ok("1"));
    let source = r#"{{$d := dict}}{{range 100000}}{{$d = dict "d" (list $d)}}{{end}}{{len $d}}"#;
    assert_eq!(render(source).as_deref(), Ok("1"));
}

#[test]
fn absurd_widths_are_refused() {
    assert_eq!(
        render(r#"{{printf "%99999999999d" 1}}{{len (printf "%1000000d" 1)}}"#).as_deref(),
        Ok("%!(NOVERB)%!(EXTRA int=1)1000000")
    );
}
