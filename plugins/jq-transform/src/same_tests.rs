//! A program gives the same over the parts that it reads as over the whole body.

use super::*;
use hookway_plugin::json;
use proptest::prelude::*;

/// JSON texts with everything that makes one odd: spaces, escapes, names that are there twice, long numbers.
fn texts() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null"),
        Just("true"),
        Just("0"),
        Just("-1.50"),
        Just("1e400"),
        Just("123456789012345678901234567890"),
        Just(r#""""#),
        Just(r#""a""#),
        Just(r#""long enough for eight at a time ü""#),
        Just(r#""q\"b\\ {[ \u0041""#),
        Just(r#""\ud83d\ude0e""#),
        Just(r#""\ud83d""#),
        Just("[]"),
        Just("{ }"),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 40, 5, |inner| {
        let name = prop_oneof![
            4 => "[abc]", 2 => Just("data".to_owned()), 1 => Just("event".to_owned()), 1 => Just(r"\u0061".to_owned()),
        ];
        let member = (name, inner.clone(), " {0,1}").prop_map(|(name, value, gap)| format!("{gap}\"{name}\"{gap}:{gap}{value}{gap}"));
        prop_oneof![
            3 => prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
            1 => prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
        ]
    })
}

fn programs() -> impl Strategy<Value = String> {
    let path = prop::collection::vec("\\.(a|b|c|data|event|event_id|timestamp)\\??", 1..4)
        .prop_map(|steps| steps.concat());
    let leaf = prop_oneof![
        6 => path.prop_map(|path| format!(".data{path}")),
        2 => "\\.(event|event_id|timestamp|data)",
        1 => Just(".".to_owned()),
        1 => Just("1".to_owned()),
        1 => Just("\"a\"".to_owned()),
        1 => Just("null".to_owned()),
        1 => Just("$v".to_owned()),
    ];
    let tree = leaf.prop_recursive(4, 24, 3, |inner| {
        let one = inner.clone();
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} | {b})")),
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{x: {a}, data: {b}, event}}")),
            1 => inner.clone().prop_map(|a| format!("{{event, event_id, timestamp, data: {a}}}")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} as $v | {b})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} // {b})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} == {b})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} |= {b})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(if {a} then {b} else {a} end)")),
            1 => (inner.clone(), inner).prop_map(|(a, b)| format!("[{a}, {b}]")),
            1 => (one.clone(), "[abc]").prop_map(|(a, name)| format!("({a}).{name}")),
            1 => one.clone().prop_map(|a| format!("select({a})")),
            1 => one.clone().prop_map(|a| format!("(try ({a}) catch .)")),
            1 => one.clone().prop_map(|a| format!("({a} | [.[]?] | length)")),
            1 => one.clone().prop_map(|a| format!("({a} | map({a}))")),
            1 => one.clone().prop_map(|a| format!("({a})[{a}]?")),
            1 => one.clone().prop_map(|a| format!("({a} | keys)")),
            1 => one.prop_map(|a| format!("\"-\\({a})-\"")),
        ]
    });
    tree.prop_map(|program| format!("null as $v | {program}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn parts_and_whole_give_the_same(program in programs(), data in texts()) {
        let plugin = JqTransform::new(Config { program: program.clone() }).unwrap();
        let event = Event::test("orders/created", json!(null)).with_data(&data);
        let whole = plugin.transform_whole(&event.body());
        prop_assert_eq!(plugin.transform(&event, &Endpoint::test()), whole, "{} of {}", program, data);
    }
}

#[test]
fn parts_are_what_is_looked_at_and_nothing_else() {
    let reads = Reads::of("{event, by: .data.sender.login, n: .data.n}");
    let data = r#" {"n": 1.50, "sender": {"login": "x", "id": 7}, "n": 2.50, "more": [{"login": "]}\""}]} "#;
    let event = Event::test("orders/created", json!(null)).with_data(data);
    let input = part::input(&reads, &event.body(), &event.data()).unwrap();
    assert_eq!(
        to_json(&input).unwrap(),
        r#"{"event":"orders/created","data":{"n":2.50,"sender":{"login":"x"}}}"#
    );
}

#[test]
fn what_is_unusual_is_left_to_the_parser() {
    let reads = Reads::of(".data.a");
    let parts = |data: &str| {
        let event = Event::test("a", json!(null)).with_data(data);
        part::input(&reads, &event.body(), &event.data())
    };
    for data in [r#"{"\u0061":1}"#, r#"{"b":"\ud800"}"#, &format!("{{\"b\":{}}}", "[".repeat(200))] {
        assert_eq!(parts(data), None, "{data}");
    }
    let event = Event::test("a", json!({"a": 1}));
    let changed = event.body().iter().map(u8::to_ascii_uppercase).collect::<Vec<_>>();
    assert_eq!(part::input(&reads, &changed, &event.data()), None, "a body that is no envelope");
    assert_eq!(part::input(&Reads::of("{event, data}"), &event.body(), &event.data()), None, "all of data");
}
