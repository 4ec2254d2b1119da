//! JSON texts of every kind that a producer may write, from a seed: the same seed makes the same texts.
//!
//! They are texts, not values, because the bytes count: escapes where none are needed, numbers that no float holds,
//! keys that come twice, white space anywhere but line ends.

use std::fmt::Write as _;

use hookway_tests::events;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// How deep `data` may nest: the gateway takes 64 levels, and the event itself is one.
const DEEPEST: usize = 63;
/// A text of this length makes an event just below the limit of 1 MiB.
const LARGE_BYTES: usize = 1_000_000;
/// Payloads that are written rather than drawn.
const CORNERS: &[&str] = &[
    "null",
    "true",
    "false",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-0",
    "-0.0",
    "1.0",
    "1e400",
    "-1E+400",
    "1e-400",
    "123456789012345678901234567890",
    "-0.123456789012345678901234567890",
    "9007199254740993",
    "{\"\":{\"\":[]}}",
    "{\"a\":1,\"a\":2,\"\\u0061\":3}",
    "{\"__proto__\":{\"a\":1},\"constructor\":null}",
    "\"\\u0000\\u001f\\u007f\\/\\\\\\\"\\b\\f\\n\\r\\t\"",
    "\"\u{7f}\u{80}\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}\u{10ffff}\"",
    "\"\\uD83D\\uDE00 \u{1f600} \u{1f469}\u{200d}\u{1f680} e\u{301} \u{202e}\"",
    "\"\\ud800\"",
    "[\"\\udfff\\ud800\",{\"\\udc00\":0}]",
];
const NUMBERS: &[&str] = &["1.0", "1e400", "-1.5E-7", "0.10", "1E+2", "-0", "18446744073709551616"];
const ESCAPES: &[&str] = &["\\n", "\\\"", "\\\\", "\\/", "\\u00e9", "\\u0000", "\\ud83d\\ude00", "\\uFFFF"];
/// Of Unicode, each with 65,536 code points.
const PLANES: u32 = 17;

/// A source of payloads.
pub(crate) struct Payloads {
    pub(crate) rng: StdRng,
    recorded: Vec<String>,
}

impl Payloads {
    pub(crate) fn new(seed: u64) -> anyhow::Result<Self> {
        let recorded = events::load(&events::recorded())?;
        let recorded = recorded.iter().map(|event| event["data"].to_string()).collect();
        Ok(Self { rng: StdRng::seed_from_u64(seed), recorded })
    }

    /// The written ones, the deepest, and what a large platform really sent.
    pub(crate) fn fixed(&self) -> impl Iterator<Item = String> {
        let deepest = [("[", "]"), ("{\"a\":", "}")].map(|(open, close)| {
            let inner = if open == "[" { "" } else { "1" };
            format!("{}{inner}{}", open.repeat(DEEPEST), close.repeat(DEEPEST))
        });
        CORNERS.iter().map(|&text| text.to_owned()).chain(deepest).chain(self.recorded.iter().cloned())
    }

    /// About a megabyte.
    pub(crate) fn large(&mut self) -> String {
        let mut text = String::with_capacity(LARGE_BYTES);
        text.push('[');
        while text.len() < LARGE_BYTES {
            text += &self.any();
            text.push(',');
        }
        text.truncate(text.len() - 1);
        text + "]"
    }

    /// Any payload: mostly small ones, some recorded.
    pub(crate) fn any(&mut self) -> String {
        if self.rng.random_bool(0.1) {
            return self.recorded.choose(&mut self.rng).cloned().unwrap_or_default();
        }
        let depth = self.rng.random_range(0..6);
        self.value(depth)
    }

    /// One of these.
    pub(crate) fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts.choose(&mut self.rng).copied().unwrap_or_default()
    }

    /// An event id of 26 to 64 characters that no other draw gives.
    pub(crate) fn event_id(&mut self) -> String {
        let unique = self.rng.random::<u128>() >> 24;
        let more = self.rng.random_range(0..=38);
        format!("{unique:026x}")
            + &(0..more).map(|_| self.one_of(&["a", "Z", "0", "_", "-"])).collect::<String>()
    }

    fn value(&mut self, depth: usize) -> String {
        match self.rng.random_range(0..if depth == 0 { 5 } else { 9 }) {
            0 => self.one_of(&["null", "true", "false", "{}", "[ ]", "\"\""]).to_owned(),
            1 | 2 => self.number(),
            3 | 4 => self.string(),
            5 | 6 => self.many('[', ']', |payloads| payloads.value(depth - 1)),
            _ => self.many('{', '}', |payloads| {
                let (key, space) = (payloads.string(), payloads.space());
                format!("{key}{space}:{space}{}", payloads.value(depth - 1))
            }),
        }
    }

    fn many(&mut self, open: char, close: char, mut item: impl FnMut(&mut Self) -> String) -> String {
        let count = self.rng.random_range(0..6);
        let items: Vec<_> = (0..count).map(|_| item(self) + self.space()).collect();
        format!("{open}{}{}{close}", self.space(), items.join(","))
    }

    fn space(&mut self) -> &'static str {
        self.one_of(&["", "", "", " ", "\t", "   "])
    }

    fn number(&mut self) -> String {
        let whole = self.rng.random_range(1..40);
        let digits: String = (0..whole).map(|_| char::from(self.rng.random_range(b'1'..=b'9'))).collect();
        match self.rng.random_range(0..4) {
            0 => self.one_of(NUMBERS).to_owned(),
            1 => format!("-{digits}"),
            2 => format!("{digits}.{digits}0"),
            _ => digits,
        }
    }

    fn string(&mut self) -> String {
        let mut text = String::from("\"");
        for _ in 0..self.rng.random_range(0..20) {
            match self.rng.random_range(0..6) {
                0 => text += self.one_of(ESCAPES),
                1 => text.extend(self.scalar()),
                2 => drop(write!(text, "\\u{:04x}", self.rng.random_range(0x20..0xd800))),
                _ => text.push(char::from(self.rng.random_range(b'a'..=b'z'))),
            }
        }
        text + "\""
    }

    /// A character that stands for itself, of any plane.
    fn scalar(&mut self) -> Option<char> {
        let plane = self.rng.random_range(0..PLANES) << 16;
        char::from_u32(plane + self.rng.random_range(0x80..=0xffff))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn what_is_drawn_is_json_on_one_line_and_the_same_for_the_same_seed() -> anyhow::Result<()> {
        let (mut one, mut two) = (Payloads::new(7)?, Payloads::new(7)?);
        for _ in 0..2000 {
            let text = one.any();
            assert_eq!(text, two.any());
            assert!(!text.contains('\n'), "{text}");
            serde_json::from_str::<&RawValue>(&text)?;
        }
        for text in one.fixed().collect::<Vec<_>>().into_iter().chain([one.large()]) {
            serde_json::from_str::<&RawValue>(&text)?;
        }
        Ok(())
    }
}
