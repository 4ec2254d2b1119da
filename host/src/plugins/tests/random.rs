//! Random programs: whatever a module does, it ends in a decision, and the next plugin is served.

use std::fmt::Write as _;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::guests::{Shape, filter};
use super::{Fixture, binding, endpoint, name, subject};
use crate::model::OnFailure;
use crate::plugins::{Decision, PluginState};

const PROGRAMS: u64 = 300;
const MAX_DEPTH: u32 = 5;

/// Valid expressions of type `i32`, at random.
struct Author(StdRng);

impl Author {
    fn expression(&mut self, depth: u32) -> String {
        let kinds = if depth >= MAX_DEPTH { 4 } else { 18 };
        let kind = self.0.random_range(0..kinds);
        let mut next = || self.expression(depth + 1);
        match kind {
            0 => format!("(i32.const {})", self.number()),
            1 => "(local.get $x)".to_owned(),
            2 => "(memory.size)".to_owned(),
            3 => "(global.get $calls)".to_owned(),
            4 => format!("(i32.load {})", self.address(depth)),
            5 => format!("(i32.load8_u {})", self.address(depth)),
            6 => format!("(memory.grow {})", next()),
            7 => format!("(local.tee $x {})", next()),
            8 => format!(
                "(call_indirect $t (param i32) (result i32) {} (i32.and {} (i32.const 3)))",
                next(),
                next()
            ),
            9 => {
                let (value, then) = (next(), next());
                format!("(block (result i32) (i32.store {} {value}) {then})", self.address(depth))
            }
            10 => {
                let (value, length, then) = (next(), self.address(depth), self.expression(depth + 1));
                format!("(block (result i32) (memory.fill {} {value} {length}) {then})", self.address(depth))
            }
            11 => {
                let (from, length, then) =
                    (self.address(depth), self.address(depth), self.expression(depth + 1));
                format!("(block (result i32) (memory.copy {} {from} {length}) {then})", self.address(depth))
            }
            12 => format!("(if (result i32) {} (then {}) (else {}))", next(), next(), next()),
            13 => format!("(loop $l (result i32) (drop {}) (br_if $l {}) {})", next(), next(), next()),
            14 => format!("(call $f{} {})", self.0.random_range(0..4), self.expression(depth + 1)),
            15 => format!("(block (result i32) (return {}))", next()),
            16 if self.0.random_ratio(1, 4) => "(unreachable)".to_owned(),
            _ => {
                let operators = ["add", "sub", "mul", "shl", "xor", "lt_u", "eq", "and", "div_s", "rem_u"];
                let operator = operators[self.0.random_range(0..operators.len())];
                let (left, right) = (self.expression(depth + 1), self.expression(depth + 1));
                format!("(i32.{operator} {left} {right})")
            }
        }
    }

    /// Most are in the memory that there is.
    fn address(&mut self, depth: u32) -> String {
        let any = self.expression(depth + 1);
        if self.0.random_ratio(1, 8) { any } else { format!("(i32.and {any} (i32.const 0x7ff8))") }
    }

    fn number(&mut self) -> i32 {
        match self.0.random_range(0..4) {
            0 => self.0.random_range(-4..20),
            1 => self.0.random_range(0..70_000),
            2 => [i32::MIN, i32::MAX, -1, 0x0100_0000][self.0.random_range(0..4)],
            _ => self.0.random(),
        }
    }

    /// Functions that call each other, some of them when the module starts, and a table of them.
    fn items(&mut self) -> String {
        let mut items =
            "(table $t 4 funcref) (elem (table $t) (i32.const 0) func $f0 $f1 $f2 $f3)".to_owned();
        for number in 0..4 {
            let body = self.expression(0);
            let _ = write!(items, "(func $f{number} (param $x i32) (result i32) {body})");
        }
        if self.0.random_ratio(1, 3) {
            items += "(func $start (drop (call $f0 (i32.const 0)))) (start $start)";
        }
        items
    }
}

fn program(seed: u64) -> Vec<u8> {
    let mut author = Author(StdRng::seed_from_u64(seed));
    let (items, filter) = (author.items(), "(call $f0 (i32.const 1))");
    // The host calls this one with what it is to write.
    let realloc = if seed.is_multiple_of(4) { "(call $f1 (local.get 3))" } else { "i32.const 4096" };
    Shape { items: &items, realloc, filter, ..Shape::default() }.filter_with_init()
}

#[tokio::test]
async fn whatever_a_program_does_ends_in_a_decision() {
    let mut files: Vec<_> = (0..PROGRAMS).map(|seed| (format!("p{seed}.wasm"), program(seed))).collect();
    files.push(("good.wasm".to_owned(), filter("i32.const 0")));
    let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let fixture = Fixture::with(&files, |_, options| {
        options.deadline = Duration::from_millis(5);
        options.init_deadline = Duration::from_millis(100);
    })
    .await;
    let set = fixture.plugins.snapshot();
    let subject = subject("{}");
    let judged = |plugin: &str| endpoint(vec![binding(plugin, OnFailure::Hold)]);
    let (mut sent, mut held) = (0, 0);
    for seed in 0..PROGRAMS {
        let plugin = format!("p{seed}");
        for _ in 0..3 {
            let decision = set.judge(&subject, &judged(&plugin), &[]).await.decision;
            sent += usize::from(decision == Decision::Send(None));
            assert!(!matches!(decision, Decision::Send(Some(_))), "{plugin}: {decision:?}");
            if let Decision::Hold { message, .. } = decision {
                assert!(message.contains(' ') && !message.contains("panicked"), "{plugin}: {message}");
                held += 1;
            }
        }
        let state = fixture.plugins.get(&name(&plugin)).unwrap().state();
        assert!(matches!(state, PluginState::Active | PluginState::Degraded), "{plugin}: {state:?}");
        // On a busy machine it may need longer than a hostile guest may take.
        let good = async {
            while set.judge(&subject, &judged("good"), &[]).await.decision != Decision::Send(None) {}
        };
        assert!(tokio::time::timeout(Duration::from_mins(1), good).await.is_ok(), "after {plugin}");
    }
    assert!(sent > 30 && held > 30, "programs of all kinds: {sent} sent, {held} held");
}
