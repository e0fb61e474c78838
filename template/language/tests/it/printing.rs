//! What values look like.

use crate::support::check;

#[test]
fn actions_print_values_like_go() {
    check(&[
        ("{{print 1 2 \"a\" \"b\" 3}}", "1 2ab3"),
        ("{{println 1 \"a\" 2}}{{println}}", "1 a 2\n\n"),
        ("{{list 1 \"a\" nil true}}", "[1 a <nil> true]"),
        ("{{dict \"b\" 1 \"a\" (list)}}", "map[a:[] b:1]"),
        ("{{nothing}},{{print nothing}},{{print nil}}", "<no value>,<nil>,<nil>"),
        ("{{nullNode}},{{print nullNode}}", "<nil>,<nil>"),
        ("{{address}},{{print address}}", "{h 80},{h 80}"),
        (
            "{{node}},{{print node}}",
            "{n1 [a b] map[rack:r1] map[lan:{h 1}]},&{n1 [a b] map[rack:r1] map[lan:{h 1}]}",
        ),
        (
            "{{duration 60000000000}},{{duration 1500}},{{duration 0}},{{duration 3723500000000}},{{list (duration -1)}}",
            "1m0s,1.5µs,0s,1h2m3.5s,[-1ns]",
        ),
        ("{{bytes \"ab\"}},{{printf \"%s %x\" (bytes \"ab\") (bytes \"ab\")}}", "[97 98],ab 6162"),
        ("{{true}}{{flags 5}}{{list}}{{dict}}", "true5[]map[]"),
    ]);
}

#[test]
fn floats_use_an_exponent_where_go_does() {
    check(&[
        (
            "{{999999.0}},{{1000000.0}},{{1e20}},{{1e21}},{{0.0001}},{{0.00001}},{{1.0}}",
            "999999,1e+06,1e+20,1e+21,0.0001,1e-05,1",
        ),
        (
            "{{123456789.0}},{{-2.5}},{{0.1}},{{100.0}},{{1e-7}},{{0.0}}",
            "1.23456789e+08,-2.5,0.1,100,1e-07,0",
        ),
        ("{{half 5}},{{half 1e300}}", "2.5,5e+299"),
    ]);
}

#[test]
fn printf_formats_numbers() {
    check(&[
        (r#"{{printf "%5d|%-5d|%05d|%x|%q" 42 42 42 255 "h"}}"#, "   42|42   |00042|ff|\"h\""),
        (r#"{{printf "%5d|%-5d|%05d|%+d" 42 42 42 42}}"#, "   42|42   |00042|+42"),
        (
            r#"{{printf "%x %X %#x %o %O %#o %b %#b" 255 255 255 8 8 8 5 5}}"#,
            "ff FF 0xff 10 0o10 010 101 0b101",
        ),
        (r#"{{printf "%6.2f|%6.1f|%.0f|%f" 12.345 2.25 2.5 1.0}}"#, " 12.35|   2.2|2|1.000000"),
        (
            r#"{{printf "%e %E %.2e %g %G %.3g" 1234.5 1234.5 1234.5 1e-10 1e-10 1234.5}}"#,
            "1.234500e+03 1.234500E+03 1.23e+03 1e-10 1E-10 1.23e+03",
        ),
        (
            r#"{{printf "%08.3f|%+.1f|% d|%-8d|%08d|%.5d" 3.14159 2.0 5 7 -42 42}}"#,
            "0003.142|+2.0| 5|7       |-0000042|00042",
        ),
        (r#"{{printf "%c %U %#U %q %+q" 9731 9731 9731 97 9731}}"#, "☃ U+2603 U+2603 '☃' 'a' '\\u2603'"),
        (
            r#"{{printf "%x %b %#g %#.3x" 1.5 1.0 1.0 1.0}}"#,
            "0x1.8p+00 4503599627370496p-52 1.00000 0x1.000p+00",
        ),
        (r#"{{printf "%.3d|%5.3d|%+05d|%x" 7 7 7 -255}}"#, "007|  007|+0007|-ff"),
        (r#"{{printf "%d" (duration 5)}}{{printf "%v" (duration 5)}}"#, "55ns"),
    ]);
}

#[test]
fn printf_formats_strings_and_others() {
    check(&[
        (
            r#"{{printf "%s|%10s|%-10s|%.2s|%q|%x|% x|%#q" "a" "é" "é" "abcdef" "a\n" "hé" "hé" "b"}}"#,
            "a|         é|é         |ab|\"a\\n\"|68c3a9|68 c3 a9|`b`",
        ),
        (
            r#"{{printf "%t|%5t|%v|%T %T %T %T %T" true false true 1 "a" 1.0 nil true}}"#,
            "true|false|true|int string float64 <nil> bool",
        ),
        (
            r#"{{printf "%v %d %s %q" (list 1 2) (list 1 2) (split "," "a,b") (split "," "a,b")}}"#,
            "[1 2] [1 2] [a b] [\"a\" \"b\"]",
        ),
        (
            r#"{{printf "%#v|%#v|%#v|%#v" "a" (split "," "a,b") (list 1 "x" nil) strings}}"#,
            r#""a"|[]string{"a", "b"}|[]interface {}{1, "x", interface {}(nil)}|map[string]string{"k":"v"}"#,
        ),
        (
            r#"{{printf "%+v|%#v|%T" address address node}}"#,
            r#"{Host:h Port:80}|catalog.Address{Host:"h", Port:80}|*catalog.Node"#,
        ),
        (
            r#"{{printf "%T %T %T %T" strings (list) (flags 1) (duration 1)}}"#,
            "map[string]string []interface {} uint64 time.Duration",
        ),
        (r#"{{printf "%*d|%-*d|%.*f" 5 42 4 1 1 2.25}}"#, "   42|1   |2.2"),
        (r#"{{printf "%[2]s-%[1]s" "a" "b"}}|{{printf "%[1]d %[1]x" 10}}"#, "b-a|10 a"),
        (r#"{{printf "100%%|%v" nil}}"#, "100%|<nil>"),
        (r#"{{printf "%s" (list "a" 1)}}"#, "[a %!s(int=1)]"),
    ]);
}

#[test]
fn printf_writes_mistakes_into_the_text() {
    check(&[
        (
            r#"{{printf "%d" "x"}}{{printf "%s" 5}}{{printf "%s-%s" "a"}}"#,
            "%!d(string=x)%!s(int=5)a-%!s(MISSING)",
        ),
        (
            r#"{{printf "%d" 1.5}},{{printf "%s" "a" "b"}},{{printf "%s" nil}}"#,
            "%!d(float64=1.5),a%!(EXTRA string=b),%!s(<nil>)",
        ),
        (
            r#"{{printf "%"}},{{printf "%z" 1}},{{printf "%[5]d" 1}},{{printf "%*d" "a" 1}}"#,
            "%!(NOVERB),%!z(int=1),%!d(BADINDEX),%!(BADWIDTH)1",
        ),
        (
            r#"{{printf "%5d" "x"}}|{{printf "%.*f" -1 2.0}}|{{printf "a" 1 nil}}"#,
            "%!d(string=    x)|%!(BADPREC)2.000000|a%!(EXTRA int=1, <nil>)",
        ),
        (r#"{{printf "%!"}}"#, "%!!(MISSING)"),
        (r#"{{printf "%p" "x"}}"#, "%!p(string=x)"),
    ]);
}

#[test]
fn escapes_suit_their_syntax() {
    check(&[
        (r#"{{html "<a>&'"}}|{{html "\""}}"#, "&lt;a&gt;&amp;&#39;|&#34;"),
        (r#"{{urlquery "a b&c/ü"}}|{{urlquery 1 2}}"#, "a+b%26c%2F%C3%BC|1+2"),
        (r#"{{js "<'\"=&>\n\\é"}}"#, "\\u003C\\'\\\"\\u003D\\u0026\\u003E\\u000A\\\\é"),
        (r#"{{html nil}}|{{html 1 "<"}}"#, "&lt;no value&gt;|1&lt;"),
    ]);
}

#[test]
fn length_index_and_slice_work_on_bytes() {
    check(&[
        (r#"{{len "héllo"}},{{index "héllo" 1}},{{slice "abcdef" 1 3}}"#, "6,195,bc"),
        (
            r#"{{slice "abc"}},{{slice "abc" 1}},{{slice (list 1 2 3) 1 2 3}},{{slice (list 1 2 3) 3}}"#,
            "abc,bc,[2],[]",
        ),
        (
            r#"{{index (list (list 1 2) 3) 0 1}},{{index (dict "a" 1) "a"}},{{index (dict) "z"}},{{index strings "z"}}"#,
            "2,1,<no value>,",
        ),
        (r#"{{index ports 443}},{{index (list 1)}},{{len (dict "a" 1)}},{{len (list 1 2)}}"#, "a,[1],1,2"),
    ]);
}

#[test]
fn comparison_follows_kinds() {
    check(&[
        (
            "{{eq 1 2 1}},{{ne 1 2}},{{lt 1 2}},{{le 2 2}},{{gt 1 2}},{{ge 2 2}}",
            "true,true,true,true,false,true",
        ),
        (r#"{{lt "a" "b"}},{{lt 1.5 2.5}},{{eq "a" "b"}},{{eq true true}}"#, "true,true,false,true"),
        (
            "{{eq (flags 5) 5}},{{lt -1 (flags 5)}},{{gt (flags 5) -1}},{{eq (duration 5) 5}}",
            "true,true,true,true",
        ),
        (
            r#"{{eq nil nil}},{{eq 1 nil}},{{eq nothing "a"}},{{ne nothing nil}},{{eq nullNode nil}}"#,
            "true,false,false,false,true",
        ),
        ("{{eq address address}},{{$n := node}}{{eq $n $n}},{{eq node node}}", "true,true,false"),
    ]);
}
