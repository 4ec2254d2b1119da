//! `tracestate`: a list of `key=value` of whoever took part in a trace (section 3.3 of the standard).

/// Members of a list. One that has more is none.
const MAX_MEMBERS: usize = 32;
/// What is handed on of a list: what everyone has to hand on, and no more.
const MAX_LEN: usize = 512;
/// Of a list that is longer, members of more than this go first.
const LONG_MEMBER: usize = 128;
const MAX_KEY_LEN: usize = 256;
const MAX_VALUE_LEN: usize = 256;

/// The list of all headers of the name, as it came but for spaces around its members; `None` if it is empty or has one member that
/// is none.
pub(super) fn parse<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Option<Box<str>> {
    let mut members = Vec::new();
    for member in headers.flat_map(|header| header.split(|byte| *byte == b',')) {
        let member = trimmed(member);
        if member.is_empty() {
            continue;
        }
        let key = key_of(member)?;
        if members.len() == MAX_MEMBERS || members.iter().any(|(other, _)| *other == key) {
            return None;
        }
        // All of it is ASCII by now.
        members.push((key, std::str::from_utf8(member).ok()?));
    }
    let mut members: Vec<_> = members.into_iter().map(|(_, member)| member).collect();
    shorten(&mut members);
    (!members.is_empty()).then(|| members.join(",").into())
}

/// Without the spaces and tabs around it.
fn trimmed(mut member: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = member {
        member = rest;
    }
    member
}

/// The key of a member that is one.
fn key_of(member: &[u8]) -> Option<&[u8]> {
    let equals = member.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    let is_key = (1..=MAX_KEY_LEN).contains(&key.len())
        && (key[0].is_ascii_lowercase() || key[0].is_ascii_digit())
        && key
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte));
    let is_value = (1..=MAX_VALUE_LEN).contains(&value.len())
        && value.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'=');
    (is_key && is_value).then_some(key)
}

/// Leaves whole members out until the list is short enough (section 3.3.1.5).
fn shorten(members: &mut Vec<&str>) {
    let mut len = members.iter().map(|member| member.len() + 1).sum::<usize>();
    while len > MAX_LEN + 1 {
        let long = members.iter().rposition(|member| member.len() > LONG_MEMBER);
        let gone = long.or_else(|| members.len().checked_sub(1));
        len -= gone.map_or(len, |place| members.remove(place).len() + 1);
    }
}
