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
