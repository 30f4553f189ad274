//! Making inputs: good ones with something done to them.

use proptest::{
    prelude::*,
    sample::{Index, select},
};

/// What is put in place of a number.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-1",
    "1.0",
    "1.10",
    "1e400",
    "1E-400",
    "9007199254740993",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807",
    "-9223372036854775808",
    "253402300799999",
    "253402300800000",
    "100000000000000000000000000000000000000000",
    "01",
    "0x1",
    ".5",
    "1.",
    "NaN",
];

/// One thing done to an input. Where is a share of its length.
#[derive(Debug, Clone)]
enum Change {
    /// Turns a bit over.
    Flip { at: Index, bit: u8 },
    /// Takes bytes out.
    Cut { at: Index, bytes: usize },
    /// Leaves out the rest, possibly in the middle of a character.
    End { at: Index },
    /// Puts a piece in place of some bytes.
    Put { at: Index, over: usize, piece: &'static str },
    /// Puts in any byte.
    Byte { at: Index, byte: u8 },
    /// Puts in a part of another input.
    Splice { at: Index, from: Index, bytes: usize },
    /// Writes a part many times.
    Repeat { at: Index, bytes: usize, times: usize },
    /// Puts another number in place of one.
    Number { which: Index, number: &'static str },
    /// Writes a member of an object, or what looks like one, a second time.
    Member { which: Index, behind: Index },
    /// Wraps a value that begins somewhere in arrays or objects.
    Nest { at: Index, depth: usize, open: &'static str },
}

/// Inputs that are `made`, `seeds` of the corpus, mutations of both, and noise.
pub(crate) fn mutations(
    seeds: Vec<Vec<u8>>,
    made: impl Strategy<Value = Vec<u8>> + 'static,
    pieces: &'static [&'static str],
) -> impl Strategy<Value = Vec<u8>> {
    let (made, seed) = (made.boxed(), select(seeds).boxed());
    let base = prop_oneof![made.clone(), seed.clone()].boxed();
    let mutated = (base.clone(), base, prop::collection::vec(change(pieces), 1..4));
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..64),
        1 => prop::collection::vec(select(pieces), 0..32).prop_map(|pieces| pieces.concat().into_bytes()),
        6 => made,
        12 => mutated.prop_map(|(mut input, other, changes)| {
            for change in changes {
                apply(&mut input, &other, &change);
            }
            input
        }),
    ]
}

fn change(pieces: &'static [&'static str]) -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        2 => (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        2 => (at(), 1..12_usize).prop_map(|(at, bytes)| Change::Cut { at, bytes }),
        1 => at().prop_map(|at| Change::End { at }),
        4 => (at(), 0..6_usize, select(pieces)).prop_map(|(at, over, piece)| Change::Put { at, over, piece }),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte { at, byte }),
        2 => (at(), at(), 1..40_usize).prop_map(|(at, from, bytes)| Change::Splice { at, from, bytes }),
        1 => (at(), 1..12_usize, 2..300_usize)
            .prop_map(|(at, bytes, times)| Change::Repeat { at, bytes, times }),
        3 => (at(), select(NUMBERS)).prop_map(|(which, number)| Change::Number { which, number }),
        2 => (at(), at()).prop_map(|(which, behind)| Change::Member { which, behind }),
        1 => (at(), 1..150_usize, select(&["[", r#"{"a":"#][..]))
            .prop_map(|(at, depth, open)| Change::Nest { at, depth, open }),
    ]
}

fn apply(input: &mut Vec<u8>, other: &[u8], change: &Change) {
    let place = |at: &Index, input: &[u8]| at.index(input.len() + 1);
    match change {
        Change::Flip { at, bit } => {
            let at = place(at, input);
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        Change::Cut { at, bytes } => {
            let at = place(at, input);
            input.drain(at..(at + bytes).min(input.len()));
        }
        Change::End { at } => input.truncate(place(at, input)),
        Change::Put { at, over, piece } => {
            let at = place(at, input);
            input.splice(at..(at + over).min(input.len()), piece.bytes());
        }
        Change::Byte { at, byte } => input.insert(place(at, input), *byte),
        Change::Splice { at, from, bytes } => {
            let (at, from) = (place(at, input), place(from, other));
            input.splice(at..at, other.iter().skip(from).take(*bytes).copied());
        }
        Change::Repeat { at, bytes, times } => {
            let at = place(at, input);
            let part = input[at..(at + bytes).min(input.len())].repeat(*times);
            input.splice(at..at, part);
        }
        Change::Number { which, number } => {
            let numbers = runs(input, |byte| byte.is_ascii_digit());
            if !numbers.is_empty() {
                input.splice(which.get(&numbers).clone(), number.bytes());
            }
        }
        Change::Member { which, behind } => {
            let members = runs(input, |byte| !b"{},".contains(&byte));
            if !members.is_empty() {
                let member = input[which.get(&members).clone()].to_vec();
                let at = behind.get(&members).end;
                input.splice(at..at, [b",".as_slice(), &member].concat());
            }
        }
        Change::Nest { at, depth, open } => {
            let at = place(at, input);
            let values = runs(&input[at..], |byte| !b"[]{},:".contains(&byte));
            if let Some(value) = values.first() {
                let (start, end) = (at + value.start, at + value.end);
                let close = if *open == "[" { "]" } else { "}" };
                input.splice(end..end, close.repeat(*depth).into_bytes());
                input.splice(start..start, open.repeat(*depth).into_bytes());
            }
        }
    }
}

/// Where bytes of a kind stand together.
fn runs(input: &[u8], is: impl Fn(u8) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in input.iter().enumerate().filter(|(_, byte)| is(**byte)) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}
