//! Error texts, which clients and people have come to know.

use consul_filter::{DEPTH_MAX, Expression, Schema, filter};

#[test]
fn syntax_errors_name_the_place_and_what_was_expected() {
    let cases = [
        ("Node", r#"1:5 (4): no match found, expected: "!=", ".", "==", "[", [ \t\r\n] or [a-zA-Z0-9_]"#),
        (
            "Node ",
            r#"1:6 (5): no match found, expected: "!=", "==", "contains", "in", "is", "matches", "not" or [ \t\r\n]"#,
        ),
        (
            "Node =",
            r#"1:6 (5): no match found, expected: "!=", "==", "contains", "in", "is", "matches", "not" or [ \t\r\n]"#,
        ),
        (
            "Node = x",
            r#"1:6 (5): no match found, expected: "!=", "==", "contains", "in", "is", "matches", "not" or [ \t\r\n]"#,
        ),
        (
            "Node ==",
            r#"1:8 (7): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        (
            "Node == ",
            r#"1:9 (8): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        ("Node == a b", r#"1:11 (10): no match found, expected: "and", "or", [ \t\r\n] or EOF"#),
        (
            " ",
            r#"1:2 (1): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        ("Node == a and", r#"1:14 (13): no match found, expected: [ \t\r\n]"#),
        (
            "Node == a and ",
            r#"1:15 (14): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        ("Node == a or", r#"1:13 (12): no match found, expected: [ \t\r\n]"#),
        (
            "Node == a or ",
            r#"1:14 (13): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        (
            "(",
            r#"1:2 (1): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        (
            "()",
            r#"1:2 (1): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        ("(Node == a", r#"1:11 (10): rule "grouping": Unmatched parentheses"#),
        ("(Node == a ", r#"1:12 (11): rule "grouping": Unmatched parentheses"#),
        ("not", r#"1:4 (3): no match found, expected: "!=", ".", "==", "[", [ \t\r\n] or [a-zA-Z0-9_]"#),
        (
            "not ",
            r#"1:5 (4): no match found, expected: "!=", "(", "-", "0", "==", "\"", "`", "contains", "in", "is", "matches", "not", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        ("not (Node==a", r#"1:13 (12): rule "grouping": Unmatched parentheses"#),
        ("Node == 007", r#"1:10 (9): rule "number": Invalid number literal"#),
        ("Node == 2ext", r#"1:10 (9): rule "number": Invalid number literal"#),
        ("Node == 8.8.8.8", r#"1:12 (11): rule "number": Invalid number literal"#),
        ("Node == -", r#"1:10 (9): no match found, expected: "0" or [1-9]"#),
        (r#"Node == ""#, r#"1:10 (9): rule "string": Unterminated string literal"#),
        ("Node == `a", r#"1:11 (10): rule "string": Unterminated string literal"#),
        (r#"Node == "\q""#, r#"1:9 (8): rule "string": invalid syntax"#),
        ("Node[", r#"1:6 (5): rule "index": Invalid index"#),
        ("Node[a]", r#"1:6 (5): rule "index": Invalid index"#),
        (r#"Node["a""#, r#"1:9 (8): rule "index": Unclosed index expression"#),
        (r#"Node["a" == x"#, r#"1:10 (9): rule "index": Unclosed index expression"#),
        ("Node is", r#"1:8 (7): no match found, expected: [ \t\r\n]"#),
        ("Node is ", r#"1:9 (8): no match found, expected: "empty", "not" or [ \t\r\n]"#),
        ("Node is not", r#"1:12 (11): no match found, expected: [ \t\r\n]"#),
        ("Node is not ", r#"1:13 (12): no match found, expected: "empty" or [ \t\r\n]"#),
        ("Node is empt", r#"1:9 (8): no match found, expected: "empty", "not" or [ \t\r\n]"#),
        ("Node not", r#"1:9 (8): no match found, expected: [ \t\r\n]"#),
        ("Node not ", r#"1:10 (9): no match found, expected: "contains", "in", "matches" or [ \t\r\n]"#),
        ("Node contains", r#"1:14 (13): no match found, expected: [ \t\r\n]"#),
        (
            "Node contains ",
            r#"1:15 (14): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        (
            "Node matches ",
            r#"1:14 (13): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        ("Node in", r#"1:8 (7): no match found, expected: [ \t\r\n]"#),
        ("Node in ", r#"1:9 (8): rule "match": Invalid selector"#),
        (r#""a""#, r#"1:4 (3): no match found, expected: [ \t\r\n]"#),
        (r#""a" "#, r#"1:5 (4): no match found, expected: "in", "not" or [ \t\r\n]"#),
        (r#""a" in"#, r#"1:7 (6): no match found, expected: [ \t\r\n]"#),
        (r#""a" in "#, r#"1:8 (7): rule "match": Invalid selector"#),
        (r#""a" in 5"#, r#"1:8 (7): rule "match": Invalid selector"#),
        (r#""a" not"#, r#"1:8 (7): no match found, expected: [ \t\r\n]"#),
        (r#""a" not "#, r#"1:9 (8): no match found, expected: "in" or [ \t\r\n]"#),
        (r#""a" not in"#, r#"1:11 (10): no match found, expected: [ \t\r\n]"#),
        (r#""a" not in 5"#, r#"1:12 (11): rule "match": Invalid selector"#),
        (r#""a" == Node"#, r#"1:5 (4): no match found, expected: "in", "not" or [ \t\r\n]"#),
        ("5", r#"1:2 (1): no match found, expected: ".", [ \t\r\n] or [0-9]"#),
        ("5 in", r#"1:5 (4): no match found, expected: [ \t\r\n]"#),
        ("(5", r#"1:3 (2): no match found, expected: ".", [ \t\r\n] or [0-9]"#),
        ("Node == a)", r#"1:10 (9): no match found, expected: ".", "[", [ \t\r\n], [a-zA-Z0-9_] or EOF"#),
        ("Node == a )", r#"1:11 (10): no match found, expected: "and", "or", [ \t\r\n] or EOF"#),
        (
            "Node . a == b",
            r#"1:6 (5): no match found, expected: "!=", "==", "contains", "in", "is", "matches", "not" or [ \t\r\n]"#,
        ),
        ("Node. == a", "1:6 (5): no match found, expected: [a-zA-Z]"),
        ("Node.5 == a", "1:6 (5): no match found, expected: [a-zA-Z]"),
        (
            "Node == 'a'",
            r#"1:9 (8): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        ("Node == a && Node == b", r#"1:11 (10): no match found, expected: "and", "or", [ \t\r\n] or EOF"#),
        ("Node == a OR Node == b", r#"1:11 (10): no match found, expected: "and", "or", [ \t\r\n] or EOF"#),
        (r#"Node == "x"and Node == b"#, r#"1:12 (11): no match found, expected: [ \t\r\n] or EOF"#),
        (
            "not(Node == a)",
            r#"1:4 (3): no match found, expected: "!=", ".", "==", "[", [ \t\r\n] or [a-zA-Z0-9_]"#,
        ),
        ("Node == a and(Node == b)", r#"1:14 (13): no match found, expected: [ \t\r\n]"#),
        (
            "é",
            r#"1:1 (0): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        (
            "Node == é",
            r#"1:9 (8): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        (
            "Node == a\n and x",
            r#"2:7 (16): no match found, expected: "!=", ".", "==", "[", [ \t\r\n] or [a-zA-Z0-9_]"#,
        ),
        (
            "Node == a\nand Node == ",
            r#"2:13 (22): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        ("Node == 1.", r#"1:10 (9): rule "number": Invalid number literal"#),
        ("Node == 5a", r#"1:10 (9): rule "number": Invalid number literal"#),
        ("Node == \"a\nb\"", r#"1:9 (8): rule "string": invalid syntax"#),
        (r#"Node == "\'""#, r#"1:9 (8): rule "string": invalid syntax"#),
        (r#"Node == "\""#, r#"1:9 (8): rule "string": invalid syntax"#),
        (
            "_a == b",
            r#"1:1 (0): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        ("(Node == a))", r#"1:12 (11): no match found, expected: [ \t\r\n] or EOF"#),
        ("((Node == a)", r#"1:13 (12): rule "grouping": Unmatched parentheses"#),
        ("( Node == a", r#"1:12 (11): rule "grouping": Unmatched parentheses"#),
        ("Node == a and (Node == b", r#"1:25 (24): rule "grouping": Unmatched parentheses"#),
        ("Node is empty x", r#"1:15 (14): no match found, expected: "and", "or", [ \t\r\n] or EOF"#),
        ("Node not foo", r#"1:10 (9): no match found, expected: "contains", "in", "matches" or [ \t\r\n]"#),
        (
            "Node == (a)",
            r#"1:9 (8): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        ("-", r#"1:2 (1): no match found, expected: "0" or [1-9]"#),
        ("0", r#"1:2 (1): no match found, expected: "." or [ \t\r\n]"#),
        ("Node == 00", r#"1:10 (9): rule "number": Invalid number literal"#),
        ("Node == 1e5", r#"1:10 (9): rule "number": Invalid number literal"#),
        (
            "Node == .5",
            r#"1:9 (8): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"#,
        ),
        (r#"Node == "a" "b""#, r#"1:13 (12): no match found, expected: "and", "or", [ \t\r\n] or EOF"#),
    ];
    for (text, expected) in cases {
        let err = Expression::parse(text).expect_err(text);
        assert_eq!(err.to_string(), expected, "{text:?}");
    }
}

#[test]
fn expressions_that_do_not_fit_the_objects_are_refused() {
    for (schema, text, expected) in [
        (Schema::Node, "Nope == 1", r#"Selector "Nope" is not valid"#),
        (Schema::Node, "Bogus.a == 1", r#"Selector "Bogus" is not valid"#),
        (Schema::Node, "Meta.a.b == c", r#"Selector "Meta.a.b" is not valid"#),
        (Schema::Node, r#"Meta["x y"]["z"] == 1"#, r#"Selector "Meta.x y.z" is not valid"#),
        (Schema::Node, "CreateIndex == 1", r#"Selector "CreateIndex" is not valid"#),
        (
            Schema::Node,
            "TaggedAddresses == a",
            r#"Invalid match operator "Equal" for selector "TaggedAddresses""#,
        ),
        (Schema::Node, "Meta.a is empty", r#"Invalid match operator "Is Empty" for selector "Meta.a""#),
        (Schema::Node, "Meta not matches a", r#"Invalid match operator "Not Matches" for selector "Meta""#),
        (Schema::ServiceNode, "ServicePort in a", r#"Selector "a" is not valid"#),
        (
            Schema::ServiceNode,
            "ServicePort contains 80",
            r#"Invalid match operator "In" for selector "ServicePort""#,
        ),
        (Schema::ServiceNode, "ServiceTags.a == a", r#"Selector "ServiceTags.a" is not valid"#),
        (
            Schema::ServiceNode,
            "ServiceWeights is empty",
            r#"Invalid match operator "Is Empty" for selector "ServiceWeights""#,
        ),
        (
            Schema::ServiceNode,
            "ServicePort == abc",
            r#"Failed to coerce value "abc" for selector "ServicePort": strconv.ParseInt: parsing "abc": invalid syntax"#,
        ),
        (
            Schema::ServiceNode,
            "ServiceEnableTagOverride == no",
            r#"Failed to coerce value "no" for selector "ServiceEnableTagOverride": strconv.ParseBool: parsing "no": invalid syntax"#,
        ),
        (Schema::NodeService, "Proxy.Config == a", r#"Selector "Proxy.Config" is not valid"#),
        (
            Schema::NodeService,
            "Proxy.Upstreams.Config == a",
            r#"Selector "Proxy.Upstreams.Config" is not valid"#,
        ),
        (Schema::HealthCheck, "Definition.Interval == a", r#"Selector "Definition" is not valid"#),
        (Schema::CheckServiceNode, "Checks.Nope == 1", r#"Selector "Checks.Nope" is not valid"#),
        (Schema::CheckServiceNode, "a in Checks", r#"Invalid match operator "In" for selector "Checks""#),
        (Schema::UiNode, "Datacenter == dc1", r#"Selector "Datacenter" is not valid"#),
        (
            Schema::Node,
            r#"Node matches "(""#,
            "Failed to compile regular expression \"(\": error parsing regexp: missing closing ): `(`",
        ),
    ] {
        let err = filter(text, schema).expect_err(text);
        assert_eq!(err.to_string(), expected, "{text:?}");
        assert_eq!(err.with_prefix(), format!("Failed to create boolean expression evaluator: {expected}"));
    }
}

#[test]
fn nesting_is_limited_and_cheap() {
    let nested = |depth: usize| format!("{}Node == a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Expression::parse(&nested(DEPTH_MAX)).is_ok());
    assert!(Expression::parse(&nested(DEPTH_MAX + 1)).is_err());
    assert!(Expression::parse(&"(".repeat(100_000)).is_err());
    assert!(Expression::parse(&"not ".repeat(100_000)).is_err());
    assert!(Expression::parse(&format!("{}Node == a", "not ".repeat(DEPTH_MAX))).is_ok());
}

#[test]
fn chains_may_be_long() {
    let chain = vec!["Node == a"; 3000].join(" or ");
    assert!(filter(&chain, Schema::Node).is_ok());
    let chain = vec!["(Node == a and not Node == b)"; 3000].join(" and ");
    assert!(filter(&chain, Schema::Node).is_ok());
}

#[test]
fn regular_expressions_are_limited_in_number() {
    let chain = |count| vec!["Node matches a"; count].join(" or ");
    assert!(filter(&chain(consul_filter::REGEX_COUNT_MAX), Schema::Node).is_ok());
    assert!(filter(&chain(consul_filter::REGEX_COUNT_MAX + 1), Schema::Node).is_err());
}

#[test]
fn no_text_is_no_filter() {
    assert!(filter("", Schema::Node).expect("empty is fine").is_none());
    assert!(filter(" ", Schema::Node).is_err());
}
