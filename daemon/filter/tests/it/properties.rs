//! What holds for every text and every expression.

use consul_filter::{Expression, Schema};
use proptest::prelude::*;

/// A name. Not the word `not`: where a name may stand it is the operator whenever it can be.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z][A-Z0-9_]{0,6}",
        Just("in".to_owned()),
        Just("or".to_owned()),
        Just("empty".to_owned())
    ]
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        word(),
        "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,3})?",
        "\"[^\"\\\\\n]{0,8}\"",
        "`[^`]{0,8}`",
        Just(r#""\u00e9\x60\r""#.to_owned())
    ]
}

fn selector() -> impl Strategy<Value = String> {
    (
        word(),
        prop::collection::vec(
            prop_oneof![word().prop_map(|w| format!(".{w}")), "\\[ ?\"[^\"\\\\\n]{0,5}\" ?\\]"],
            0..3,
        ),
    )
        .prop_map(|(first, rest)| first + &rest.concat())
}

fn comparison() -> impl Strategy<Value = String> {
    prop_oneof![
        (
            selector(),
            prop_oneof![Just("=="), Just(" != "), Just(" contains "), Just(" not matches ")],
            literal()
        )
            .prop_map(|(selector, operator, value)| format!("{selector}{operator}{value}")),
        (literal(), prop_oneof![Just(" in "), Just(" not in ")], selector())
            .prop_map(|(value, operator, selector)| format!("{value}{operator}{selector}")),
        (selector(), prop_oneof![Just(" is empty"), Just(" is not empty")])
            .prop_map(|(selector, rest)| selector + rest),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    comparison().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| terms.join(" and ")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| terms.join(" or ")),
            inner.clone().prop_map(|term| format!("( {term}\t)")),
            inner.prop_map(|term| format!("not {term}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn garbage_never_panics(text in any::<String>()) {
        let _ = Expression::parse(&text);
    }

    #[test]
    fn near_misses_never_panic(parts in prop::collection::vec(prop_oneof![
        Just("Node"), Just(" "), Just("=="), Just("not"), Just("("), Just(")"), Just("\""), Just("`"), Just("["),
        Just("]"), Just("."), Just("in"), Just("is"), Just("empty"), Just("or"), Just("and"), Just("matches"),
        Just("-0.1"), Just("Meta"), Just("\\"), Just("é"),
    ], 0..24)) {
        if let Ok(expression) = Expression::parse(&parts.concat()) {
            let _ = expression.compile(Schema::Node);
        }
    }

    #[test]
    fn well_formed_text_parses_and_survives_printing(text in expression()) {
        let parsed = Expression::parse(&text).map_err(|err| TestCaseError::fail(format!("{text}: {err}")))?;
        let printed = parsed.to_string();
        let again = Expression::parse(&printed).map_err(|err| TestCaseError::fail(format!("{printed}: {err}")))?;
        prop_assert_eq!(parsed, again);
    }
}
