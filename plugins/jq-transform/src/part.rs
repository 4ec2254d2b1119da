//! The parts of an event that a program reads, taken out of its text without parsing the rest.
//!
//! Where anything is unusual the answer is `None`, and the caller parses all of it. That the text is JSON must be known.

use std::ops::Range;

use jaq_json::{Map, Val, read};

use crate::MAX_DEPTH;
use crate::reads::Reads;

/// The four members of the body that the gateway makes.
const MEMBERS: [&str; 4] = ["event", "event_id", "timestamp", "data"];

/// The envelope of an event, with only what a program reads in it. `None` if `body` is not `data` in its envelope, or if
/// there is nothing to gain.
pub(crate) fn input(reads: &Reads, body: &[u8], data: &[u8]) -> Option<Val> {
    let data_reads = reads.member("data");
    if reads.is_whole() || data_reads.is_some_and(Reads::is_whole) {
        return None;
    }
    let texts = envelope(body, data)?;
    let mut members = Map::default();
    for (name, text) in MEMBERS.iter().zip(texts) {
        if reads.member(name).is_some() {
            members.insert(key(name), Val::utf8_str(text.as_bytes().to_vec()));
        }
    }
    // Looked through in any case: what the whole parser would refuse is for it to refuse.
    let nothing = Reads::default();
    let value = Scanner { text: data, at: 0, depth: 1 }.all(data_reads.unwrap_or(&nothing))?;
    if data_reads.is_some() {
        members.insert(key("data"), value);
    }
    Some(Val::obj(members))
}

/// Whether a value could be the whole input of a program whose input was an envelope.
pub(crate) fn is_envelope_like(value: &Val) -> bool {
    matches!(value, Val::Obj(members) if members.len() == MEMBERS.len()
        && MEMBERS.iter().all(|name| members.contains_key(&key(name))))
}

fn key(name: &str) -> Val {
    Val::utf8_str(name.as_bytes().to_vec())
}

/// The values of `event`, `event_id` and `timestamp` in a body that ends in `"data":DATA}`.
fn envelope<'a>(body: &'a [u8], data: &[u8]) -> Option<[&'a str; 3]> {
    let head = body.strip_suffix(b"}")?.strip_suffix(data)?;
    let head = std::str::from_utf8(head).ok()?.strip_prefix("{\"event\":\"")?.strip_suffix("\",\"data\":")?;
    let (event, rest) = head.split_once("\",\"event_id\":\"")?;
    let (id, timestamp) = rest.split_once("\",\"timestamp\":\"")?;
    let is_plain = |text: &str| text.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\');
    let texts = [event, id, timestamp];
    texts.iter().all(|text| is_plain(text)).then_some(texts)
}

/// A way through a text that is JSON.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl Scanner<'_> {
    /// The one value of the text, with what is read of it.
    fn all(mut self, reads: &Reads) -> Option<Val> {
        self.blank();
        let value = self.value(reads)?;
        self.blank();
        (self.at == self.text.len()).then_some(value)
    }

    fn value(&mut self, reads: &Reads) -> Option<Val> {
        if reads.is_whole() || self.peek()? != b'{' {
            // Also where a member is read of what has none: the program fails on it, and says what it is.
            let range = self.skip()?;
            return read::parse_single(self.text.get(range)?).ok();
        }
        let mut members = Map::default();
        self.enter()?;
        loop {
            self.blank();
            if self.peek()? == b'}' {
                break;
            }
            let name = self.string()?;
            let name = std::str::from_utf8(self.text.get(name.start + 1..name.end - 1)?).ok()?;
            // A name with escapes can be the one that is looked for.
            if name.contains('\\') {
                return None;
            }
            self.blank();
            self.expect(b':')?;
            self.blank();
            match reads.member(name) {
                Some(reads) => {
                    let value = self.value(reads)?;
                    members.insert(key(name), value);
                }
                None => {
                    self.skip()?;
                }
            }
            self.blank();
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        self.leave();
        Some(Val::obj(members))
    }

    /// Passes a value by.
    fn skip(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        match self.peek()? {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => self.skip_inside()?,
            _ => {
                let rest = self.text.get(self.at..)?;
                let is_end = |b: &u8| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace();
                self.at += rest.iter().position(is_end).unwrap_or(rest.len());
            }
        }
        (self.at > start).then_some(start..self.at)
    }

    fn skip_inside(&mut self) -> Option<()> {
        let outside = self.depth;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => self.enter()?,
                b'}' | b']' => self.leave(),
                _ => self.at += 1,
            }
            if self.depth == outside {
                return Some(());
            }
        }
    }

    /// Passes a string by, quotes included.
    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.expect(b'"')?;
        loop {
            self.at += plain(self.text.get(self.at..)?);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(start..self.at);
                }
                // Half of a character beyond the 16-bit ones, perhaps without its other half.
                _ if matches!(self.text.get(self.at + 1..self.at + 3), Some([b'u', b'd' | b'D'])) => {
                    return None;
                }
                _ => self.at += 2,
            }
        }
    }

    fn enter(&mut self) -> Option<()> {
        self.at += 1;
        self.depth += 1;
        (self.depth <= MAX_DEPTH).then_some(())
    }

    const fn leave(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }
}

/// How many bytes there are before the next quote or backslash; eight at a time, as most of a body is strings.
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Not 0 if a byte of `word` is 0; the lowest such bit is exact.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + rest.iter().position(|b| matches!(b, b'"' | b'\\')).unwrap_or(rest.len())
}
