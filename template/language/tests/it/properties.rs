//! Whatever the source, the language neither panics nor hangs.

use consul_template_language::{Limits, Value};
use proptest::prelude::*;

use crate::support::{Context, templates};

fn run(source: &[u8]) {
    let mut templates = templates("t");
    templates.set_limits(Limits { template_depth: 50, render_depth: 5, steps: 2_000, output: 100_000 });
    if templates.parse(source).is_ok() {
        let _ = templates.render(&mut Context::default(), Value::Int(3));
    }
}

/// Pieces of which most templates are made, so that many sources parse.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "{{",
        "}}",
        "{{- ",
        " -}}",
        "{{end}}",
        "{{else}}",
        "{{else if .}}",
        "{{if .}}",
        "{{if 0}}",
        "{{with list 1 2}}",
        "{{range list 1 2}}",
        "{{range $i, $e := split \",\" \"a,b\"}}",
        "{{range 3}}",
        "{{break}}",
        "{{continue}}",
        "{{$x := 1}}",
        "{{$x = print $x $x}}",
        "{{$x}}",
        "{{.}}",
        "{{$}}",
        "{{define \"d\"}}",
        "{{template \"d\" .}}",
        "{{block \"b\" .}}",
        "{{include \"d\" .}}",
        "{{print . | printf \"%v %d %x %q\"}}",
        "{{node.Tags}}",
        "{{.a.b}}",
        "{{index (list 1 2) .}}",
        "{{slice \"abc\" .}}",
        "{{/* c */}}",
        " ",
        "\n",
        "text",
        "(",
        ")",
        "|",
        ":=",
        "$y",
        "1",
        "1.5e3",
        "0x",
        "'a'",
        "\"s\"",
        "`r`",
        ".a",
        "nil",
        "true",
        "print",
        "and",
        "eq",
        ",",
        "\\",
        "\u{e9}",
    ])
}

/// Balanced templates, so that most of what is generated also runs.
fn balanced() -> impl Strategy<Value = String> {
    let operand = prop::sample::select(vec![
        ".",
        "$",
        "$v",
        "1",
        "1.5",
        "\"s\"",
        "nil",
        "true",
        "(list 1 2 nil)",
        "(dict \"k\" .)",
        "node",
        "address",
        "strings",
        "nullNode",
        "(span 1 4)",
        "greeter",
        ".k",
        "$v.k",
        "node.Tags",
        "(flags 3)",
        "(duration 5)",
        "(bytes \"ab\")",
    ]);
    let function = prop::sample::select(vec![
        "print",
        "printf \"%v %5.2f %q\"",
        "len",
        "index",
        "slice",
        "not",
        "and",
        "or",
        "eq",
        "lt",
        "html",
        "js",
        "urlquery",
        "println",
        "call",
        "include \"d\"",
        "set",
        "join \",\"",
        "scratch.Set \"k\"",
        "node.Greet \"x\"",
        "set (dict) \"k\"",
    ]);
    let pipeline = (function, operand.clone(), operand.clone(), operand, 0..6)
        .prop_map(|(function, a, b, c, shape)| match shape {
            0 => a.to_owned(),
            1 => format!("{a} | {function}"),
            2 => format!("{function} {a}"),
            3 => format!("{function} {a} {b}"),
            4 => format!("{a} | {function} {b} | print {c}"),
            _ => format!("{function} ({function} {a}) {b}"),
        })
        .boxed();
    let leaf = pipeline.clone().prop_map(|pipeline| format!("{{{{{pipeline}}}}}")).boxed();
    leaf.prop_recursive(4, 32, 4, move |inner| {
        (pipeline.clone(), inner.clone(), inner, 0..9).prop_map(|(pipeline, a, b, shape)| match shape {
            0 => format!("{{{{if {pipeline}}}}}{a}{{{{else}}}}{b}{{{{end}}}}"),
            1 => format!("{{{{with {pipeline}}}}}{a}{{{{else}}}}{b}{{{{end}}}}"),
            2 => format!("{{{{range {pipeline}}}}}{a}{{{{else}}}}{b}{{{{end}}}}"),
            3 => format!("{{{{range $i, $v := {pipeline}}}}}{a}{{{{continue}}}}{b}{{{{end}}}}"),
            4 => format!("{{{{range $v = {pipeline}}}}}{a}{{{{break}}}}{{{{end}}}}{b}"),
            5 => format!("{{{{$v = {pipeline}}}}}{a}{b}"),
            6 => format!("{{{{if {pipeline}}}}}{{{{$v := 2}}}}{a}{{{{else}}}}{b}{{{{end}}}}"),
            7 => format!("{{{{template \"d\" {pipeline}}}}}{a}{b}"),
            _ => format!("{a} {{{{- print 1 -}}}} {b}"),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_bytes_are_survived(source in prop::collection::vec(any::<u8>(), 0..200)) {
        run(&source);
    }

    #[test]
    fn arbitrary_actions_are_survived(body in "\\PC{0,60}") {
        run(format!("{{{{{body}}}}}").as_bytes());
    }

    #[test]
    fn arbitrary_pieces_are_survived(pieces in prop::collection::vec(piece(), 0..40)) {
        run(pieces.concat().as_bytes());
    }

    #[test]
    fn arbitrary_structures_are_survived(body in balanced()) {
        let source = format!("{{{{define \"d\"}}}}<{{{{.}}}}>{{{{end}}}}{{{{$v := 1}}}}{body}");
        let mut templates = templates("t");
        templates.set_limits(Limits { template_depth: 50, render_depth: 5, steps: 2_000, output: 100_000 });
        templates.parse(&source).unwrap();
        let _ = templates.render(&mut Context::default(), Value::Int(3));
    }

    #[test]
    fn arbitrary_formats_are_survived(format in "[%a-zA-Z0-9#+ .*\\[\\]-]{0,20}") {
        run(format!("{{{{printf `{format}` 1 1.5 \"s\" nil true (list 1 \"a\") (dict \"k\" 1) address node}}}}").as_bytes());
    }

    #[test]
    fn text_without_actions_is_unchanged(text in "[^{]{0,100}") {
        let mut templates = templates("t");
        templates.parse(&text).unwrap();
        prop_assert_eq!(templates.render(&mut Context::default(), Value::Nil).unwrap(), text.as_bytes());
    }

    #[test]
    fn quoted_strings_mean_themselves(text in "\\PC{0,40}") {
        let mut templates = templates("t");
        templates.parse("{{printf \"%q\" .}}").unwrap();
        let quoted = templates.render(&mut Context::default(), Value::from(text.as_str())).unwrap();
        let source = [b"{{", quoted.as_slice(), b"}}"].concat();
        templates.parse(source).unwrap();
        prop_assert_eq!(templates.render(&mut Context::default(), Value::Nil).unwrap(), text.as_bytes());
    }

    #[test]
    fn integers_print_as_they_are(number in any::<i64>()) {
        let mut templates = templates("t");
        templates.parse("{{.}} {{printf \"%d %x\" . .}}").unwrap();
        let output = templates.render(&mut Context::default(), Value::Int(number)).unwrap();
        let sign = if number < 0 { "-" } else { "" };
        prop_assert_eq!(output, format!("{number} {number} {sign}{:x}", number.unsigned_abs()).into_bytes());
    }

    #[test]
    fn floats_read_back_as_themselves(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
        let mut templates = templates("t");
        templates.parse("{{.}}").unwrap();
        let output = templates.render(&mut Context::default(), Value::Float(number)).unwrap();
        let text = String::from_utf8(output).unwrap();
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits(), "{}", text);
    }
}
