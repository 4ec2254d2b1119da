//! Expressions over good, odd and hostile events.

use super::*;
use crate::source::Source;
use hookway_plugin::json;

fn compile(expr: &str) -> Result<CelFilter, String> {
    CelFilter::new(Config { expr: expr.into() })
}

fn event() -> Event<'static> {
    Event::test(
        "orders/created",
        json!({
            "total": 120, "price": 9.5, "currency": "EUR", "paid": true, "note": null, "a/b~c": 1,
            "items": [{"sku": "X-1", "n": 2}, {"sku": "Y-2", "n": 30}],
            "customer": {"vip": false, "name": "Ada"},
        }),
    )
    .with_id("evt_1")
    .with_tenant("acme")
    .with_timestamp_ms(1000)
}

fn endpoint() -> Endpoint<'static> {
    Endpoint::test().with_metadata("region", "eu")
}

fn run(expr: &str) -> Result<Verdict, Error> {
    compile(expr).unwrap().filter(&event(), &endpoint())
}

#[test]
fn an_expression_that_is_true_delivers() {
    let cases = [
        "true",
        "event.topic == 'orders/created' && event.id == 'evt_1' && event.tenant == \"acme\"",
        "event.timestamp == 1000 && event.timestamp < 1001",
        "endpoint.metadata.region == 'eu' && has(endpoint.metadata.region) && !has(endpoint.metadata.x)",
        "endpoint.url.startsWith('https://') && endpoint.id == 'ep_test'",
        "data.total == 120 && data.total >= 100 && data.total < 120.5 && data.price > 9",
        "data.total in [1, 120] && data.currency in ['EUR', 'USD']",
        "data.total + 1.0 == 121 && int(data.total) % 50 == 20",
        "data.note == null && data.paid",
        "data.items[1].sku == 'Y-2' && data['items'][0]['n'] == 2",
        "data.items.exists(i, i.n > 20) && data.items.all(i, i.sku.matches('^[A-Z]-[0-9]$'))",
        "size(data.items) == 2 && data.items.filter(i, i.n > data.price).size() == 1",
        "data.items.map(i, i.sku) == ['X-1', 'Y-2']",
        "data.customer == {'vip': false, 'name': 'Ada'}",
        "has(data.customer.vip) && !has(data.customer.age) && !has(data.nobody.age) && has(data.note)",
        "data.total > 100 ? data.currency == 'EUR' : data.nothing",
        "data['a/b~c'] == 1",
        "[1, 2].exists(data, data == 2)",
        "matches(data.currency, 'E.R') && type(data.currency) == string",
        "data.coupon == 'x' || data.paid",
    ];
    for expr in cases {
        assert_eq!(run(expr), Ok(Verdict::Deliver), "{expr}");
    }
}

#[test]
fn one_that_is_false_drops() {
    for expr in ["false", "data.total > 120", "!data.paid", "data.items.exists(i, i.n > data.total)"] {
        assert_eq!(run(expr), Ok(Verdict::drop("`expr` is false")), "{expr}");
    }
}

#[test]
fn a_missing_field_drops_and_the_reason_names_it() {
    let cases = [
        ("data.coupon == 'x'", "data.coupon"),
        ("data.paid && data.coupon == 'x'", "data.coupon"),
        ("data.customer.address.city == 'x'", "data.customer.address.city"),
        ("data.items[7].sku == 'x'", "data.items.7.sku"),
        ("data.total.x == 1", "data.total.x"),
        ("data.items.all(i, i.weight > 1)", "weight"),
        ("data.items[int(data.total)].sku == 'x'", "element"),
        ("endpoint.metadata.plan == 'x'", "endpoint.metadata.plan"),
    ];
    for (expr, field) in cases {
        let Ok(Verdict::Drop(reason)) = run(expr) else { panic!("{expr}: {:?}", run(expr)) };
        assert!(reason.contains(field), "{expr}: {reason}");
    }
}

#[test]
fn a_mistake_is_an_error_and_never_drops() {
    let cases = [
        ("data.currency", "type string"),
        ("1", "type int"),
        ("data.items", "type list"),
        ("data.currency > 5", "failed"),
        ("data.paid + 1 == 2", "failed"),
        ("1 / 0 == 1", "failed"),
        ("data.currency.matches(data.customer.name + '(')", "failed"),
        ("data.total.startsWith('1')", "failed"),
    ];
    for (expr, expected) in cases {
        let Err(Error::Invalid(message)) = run(expr) else { panic!("{expr}: {:?}", run(expr)) };
        assert!(message.contains(expected), "{expr}: {message}");
    }
}

#[test]
fn only_the_longest_static_paths_are_asked_for() {
    let data = |pointers: &[&str]| pointers.iter().map(|p| Source::Data((*p).into())).collect::<Vec<_>>();
    let cases = [
        ("data.a.b == 1 && data.a.b < 3 && data.c", data(&["/a/b", "/c"])),
        ("data.items[0].sku == 'x'", data(&["/items/0/sku"])),
        ("data.items[data.i].sku == 'x'", data(&["/items", "/i"])),
        ("data.items[-1] == 1", data(&["/items"])),
        ("data.a.exists(x, x == data.b)", data(&["/a", "/b"])),
        ("size(data) > 1", data(&[""])),
        ("data.name.startsWith('x')", data(&["/name"])),
        ("has(data.a.b)", vec![Source::HasData("/a/b".into())]),
    ];
    for (expr, sources) in cases {
        assert_eq!(compile(expr).unwrap().expression.sources, sources, "{expr}");
    }
}

#[test]
fn a_bad_expression_is_refused_with_the_reason() {
    let cases = [
        ("", "not a CEL expression"),
        ("data.a ==", "not a CEL expression"),
        ("order.total > 1", "`order`"),
        ("event.kind == 'x'", "`event.kind`"),
        ("event", "`event`"),
        ("data.items.exists(i, j > 1)", "`j`"),
        ("data.name.startWith('x')", "`startWith`"),
        ("now() > 1", "`now`"),
        ("data.name.matches('(')", "regular expression"),
        ("optional.of(1) == 1", "`of`"),
        ("data.?coupon == 1", "not a CEL expression"),
    ];
    for (expr, expected) in cases {
        let Err(error) = compile(expr) else { panic!("{expr} compiled") };
        assert!(error.contains(expected), "{expr}: {error}");
    }
    assert!(compile(&"(".repeat(10_000)).is_err());
    assert!(compile(&format!("true{}", " && true".repeat(2_000))).is_ok());
}

#[test]
fn deep_data_is_read_when_all_of_it_is_asked_for() {
    let deep = format!(r#"{{"deep":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    let event = Event::test("a", json!(null)).with_data(&deep);
    assert_eq!(compile("size(data.deep) == 1").unwrap().filter(&event, &endpoint()), Ok(Verdict::Deliver));
}
