//! Arguments of functions.

use crate::support::{Context, check, check_errors, render, templates};
use consul_template_language::Value;

#[test]
fn the_piped_value_is_the_last_argument() {
    check(&[
        (r#"{{"b" | printf "%s-%s" "a"}}"#, "a-b"),
        (r#"{{"a,b" | split "," | join "+"}}"#, "a+b"),
        (r#"{{printf "%d" 3 | printf "%s%s" "x" | upper}}"#, "X3"),
        ("{{call greeter \"x\"}}", "hi x"),
    ]);
}

#[test]
fn literals_take_the_type_of_the_parameter() {
    check(&[
        ("{{half 5}},{{half 1.5}},{{repeat 1e0 \"a\"}},{{flags 7}},{{repeat 'a' \"\"}}", "2.5,0.75,a,7,"),
        (r#"{{join "," nil}}[{{length nil}}]"#, "[0]"),
    ]);
    check_errors(&[
        ("{{upper 5}}", r#"template: t:1:8: executing "t" at <5>: expected string; found 5"#),
        ("{{repeat \"a\" \"b\"}}", r#"template: t:1:9: executing "t" at <"a">: expected integer; found "a""#),
        ("{{repeat 1.5 \"b\"}}", r#"template: t:1:9: executing "t" at <1.5>: expected integer; found 1.5"#),
        ("{{flags -1}}", r#"template: t:1:8: executing "t" at <-1>: expected unsigned integer; found -1"#),
        ("{{half true}}", r#"template: t:1:7: executing "t" at <true>: expected float; found true"#),
        ("{{negate 1}}", r#"template: t:1:9: executing "t" at <1>: expected bool; found 1"#),
        ("{{upper nil}}", r#"template: t:1:8: executing "t" at <nil>: cannot assign nil to string"#),
        (
            "{{length 5}}",
            r#"template: t:1:9: executing "t" at <5>: can't handle 5 for arg of type []interface {}"#,
        ),
        (
            "{{print 9223372036854775808}}",
            r#"template: t:1:8: executing "t" at <9223372036854775808>: 9223372036854775808 overflows int"#,
        ),
    ]);
}

#[test]
fn values_have_to_be_of_the_type_of_the_parameter() {
    check_errors(&[
        (
            "{{upper (len \"a\")}}",
            r#"template: t:1:13: executing "t" at <"a">: wrong type for value; expected string; got int"#,
        ),
        (
            "{{half (len \"a\")}}",
            r#"template: t:1:12: executing "t" at <"a">: wrong type for value; expected float64; got int"#,
        ),
        (
            "{{5 | upper}}",
            r#"template: t:1:6: executing "t" at <upper>: wrong type for value; expected string; got int"#,
        ),
        (
            "{{nothing | upper}}",
            r#"template: t:1:12: executing "t" at <upper>: invalid value; expected string"#,
        ),
        ("{{upper .}}", r#"template: t:1:8: executing "t" at <.>: invalid value; expected string"#),
        (
            "{{join \",\" (list \"a\")}}",
            r#"template: t:1:17: executing "t" at <"a">: wrong type for value; expected []string; got []interface {}"#,
        ),
    ]);
}

#[test]
fn the_number_of_arguments_is_checked() {
    check_errors(&[
        (
            "{{upper}}",
            r#"template: t:1:2: executing "t" at <upper>: wrong number of args for upper: want 1 got 0"#,
        ),
        (
            "{{\"a\" | upper \"b\"}}",
            r#"template: t:1:8: executing "t" at <upper>: wrong number of args for upper: want 1 got 2"#,
        ),
        (
            "{{printf}}",
            r#"template: t:1:2: executing "t" at <printf>: wrong number of args for printf: want at least 1 got 0"#,
        ),
        (
            "{{node.Greet 1}}",
            r#"template: t:1:2: executing "t" at <node>: wrong number of args for Greet: want 2 got 1"#,
        ),
    ]);
}

#[test]
fn failures_of_functions_are_reported_for_the_call() {
    check_errors(&[
        ("a\n{{boom}}", r#"template: t:2:2: executing "t" at <boom>: error calling boom: boom happened"#),
        (
            "{{node.Broken}}",
            r#"template: t:1:6: executing "t" at <node.Broken>: error calling Broken: it is broken"#,
        ),
        (
            "{{eq 1 1.0}}",
            r#"template: t:1:2: executing "t" at <eq 1 1.0>: error calling eq: incompatible types for comparison"#,
        ),
        (
            r#"{{eq 1 "a"}}"#,
            r#"template: t:1:2: executing "t" at <eq 1 "a">: error calling eq: incompatible types for comparison"#,
        ),
        (
            "{{eq 1}}",
            r#"template: t:1:2: executing "t" at <eq 1>: error calling eq: missing argument for comparison"#,
        ),
        (
            "{{lt true false}}",
            r#"template: t:1:2: executing "t" at <lt true false>: error calling lt: invalid type for comparison"#,
        ),
        (
            "{{eq (list) (list)}}",
            r#"template: t:1:2: executing "t" at <eq (list) (list)>: error calling eq: non-comparable type []: []interface {}"#,
        ),
        (
            "{{index (list) 0}}",
            r#"template: t:1:2: executing "t" at <index (list) 0>: error calling index: reflect: slice index out of range"#,
        ),
        (
            "{{index (list 1) 5}}",
            r#"template: t:1:2: executing "t" at <index (list 1) 5>: error calling index: index out of range: 5"#,
        ),
        (
            "{{index \"abc\" 3}}",
            r#"template: t:1:2: executing "t" at <index "abc" 3>: error calling index: reflect: string index out of range"#,
        ),
        (
            "{{index nil 0}}",
            r#"template: t:1:2: executing "t" at <index nil 0>: error calling index: index of untyped nil"#,
        ),
        (
            "{{index 5 0}}",
            r#"template: t:1:2: executing "t" at <index 5 0>: error calling index: can't index item of type int"#,
        ),
        (
            "{{index (list 1) \"a\"}}",
            r#"template: t:1:2: executing "t" at <index (list 1) "a">: error calling index: cannot index slice/array with type string"#,
        ),
        (
            "{{index strings 1}}",
            r#"template: t:1:2: executing "t" at <index strings 1>: error calling index: value has type int; should be string"#,
        ),
        (
            "{{slice \"abc\" 2 1}}",
            r#"template: t:1:2: executing "t" at <slice "abc" 2 1>: error calling slice: invalid slice index: 2 > 1"#,
        ),
        ("{{len 3}}", r#"template: t:1:2: executing "t" at <len 3>: error calling len: len of type int"#),
        ("{{call nil}}", r#"template: t:1:2: executing "t" at <call nil>: error calling call: call of nil"#),
        (
            "{{call 1}}",
            r#"template: t:1:2: executing "t" at <call 1>: error calling call: non-function 1 of type int"#,
        ),
        (
            "{{call greeter}}",
            r#"template: t:1:2: executing "t" at <call greeter>: error calling call: wrong number of args for greeter: got 0 want 1"#,
        ),
        (
            "{{call greeter 1}}",
            r#"template: t:1:2: executing "t" at <call greeter 1>: error calling call: arg 0: value has type int; should be string"#,
        ),
    ]);
}

#[test]
fn functions_share_a_context() {
    let mut templates = templates("t");
    templates
        .parse(
            r#"{{range list "a" "b"}}{{lookup .}}{{end}}{{define "d"}}{{lookup "c"}}{{end}}{{include "d"}}"#,
        )
        .unwrap();
    let mut context = Context::default();
    assert_eq!(templates.render(&mut context, Value::Nil).unwrap(), b"abc");
    assert_eq!(context.looked_up, ["a", "b", "c"]);
}

#[test]
fn templates_run_in_several_threads_at_once() {
    let mut templates = templates("t");
    templates.parse(r#"{{range 50}}{{lookup "a"}}{{end}}"#).unwrap();
    let run = || {
        let mut context = Context::default();
        let output = templates.render(&mut context, Value::Nil).unwrap();
        (output.len(), context.looked_up.len())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), (50, 50));
        }
    });
}

#[test]
fn a_function_can_be_replaced_and_have_other_names() {
    let mut functions = crate::support::functions();
    functions.alias("shout", "upper");
    functions
        .add("upper", ([], consul_template_language::Param::Any), |_, _| Err("function is disabled".into()));
    let mut templates = consul_template_language::Templates::new("t", functions);
    templates.parse(r#"{{shout "a"}}{{upper}}"#).unwrap();
    let mut output = Vec::new();
    let error = templates.execute(&mut Context::default(), Value::Nil, &mut output).unwrap_err();
    assert_eq!(output, b"A");
    assert_eq!(
        error.to_string(),
        r#"template: t:1:15: executing "t" at <upper>: error calling upper: function is disabled"#
    );
}

#[test]
fn functions_recognize_records_of_the_program() {
    let address = Value::record(crate::support::Address { host: "h", port: 7 });
    assert_eq!(address.as_record::<crate::support::Address>().map(|address| address.port), Some(7));
    assert!(address.as_record::<crate::support::Node>().is_none());
}

#[test]
fn only_functions_and_methods_take_arguments() {
    check_errors(&[
        ("{{1 2}}", r#"template: t:1:2: executing "t" at <1>: can't give argument to non-function 1"#),
        (
            "{{$x := 1}}{{$x 2}}",
            r#"template: t:1:13: executing "t" at <$x>: can't give argument to non-function $x"#,
        ),
        ("{{(1) 2}}", r#"template: t:1:2: executing "t" at <(1) 2>: can't give argument to non-function 1"#),
        (
            "{{node.Name 1}}",
            r#"template: t:1:2: executing "t" at <node>: Name has arguments but cannot be invoked as function"#,
        ),
        (
            "{{1 | strings.k}}",
            r#"template: t:1:6: executing "t" at <strings>: k is not a method but has arguments"#,
        ),
        ("{{nil}}", r#"template: t:1:2: executing "t" at <nil>: nil is not a command"#),
    ]);
    assert!(render("{{(upper \"a\")}}").is_ok());
}
