//! JSON as text: writing odd but valid values, and taking them apart without the code that is tried.

use proptest::{prelude::*, sample::select};

/// What mutations of JSON put in.
pub(crate) const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "\"true\"",
    "{}",
    "[]",
    "[[",
    "\"\"",
    "\"*\"",
    "\"-\"",
    r"\ud800",
    r"\u0000",
    r"\u0022",
    r"\/",
    "\u{0}",
    "\u{1f}",
    "\u{7f}",
    "\u{feff}",
    "\u{fffe}",
    "\u{ffff}",
    "😀",
    "é",
    "#",
    " ",
    "\n",
    "\t\r",
    "\"id\":",
    ",\"later\":{\"a\":[1]}",
];

const SCALARS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "1.0",
    "1.10",
    "-1.50e+10",
    "1E400",
    "0.1e-400",
    "9007199254740993",
    "18446744073709551616",
    "3.14159265358979323846264338327950288",
    r#""""#,
    r#""a""#,
    r#""\u0061""#,
    r#""1.10""#,
    r#""\ud83d\ude00""#,
    r#""\ud800""#,
    r#""\udc00 half""#,
    r#""\u0000\u001f""#,
    r#""\/\\\"\b\f\n\r\t""#,
    "\"\u{fffe}\u{ffff}\u{fffd}\"",
    "\"\u{2028}\u{7f}\u{feff}é😀\"",
    r#"" {[,:]} ""#,
];

/// Few, so that they come twice, and before as well as after.
const NAMES: &[&str] = &[
    r#""id""#,
    r#""a""#,
    r#""\u0061""#,
    r#""value""#,
    r#""""#,
    r#""é \"""#,
    r#""custom_fields""#,
    r#""\ud800""#,
];

/// White space, mostly none.
fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just(""), 1 => select(&[" ", "\n", "\t", "\r\n  "][..])]
}

fn name() -> impl Strategy<Value = &'static str> {
    // Half a character is a case of its own, and would hide the others if it came often.
    prop_oneof![30 => select(&NAMES[..NAMES.len() - 1]), 1 => Just(NAMES[NAMES.len() - 1])]
}

/// Members as an object's text.
pub(crate) fn object(members: &[(&str, &str, String)]) -> String {
    let members: Vec<_> =
        members.iter().map(|(space, name, value)| format!("{name}{space}:{value}{space}")).collect();
    format!("{{{}}}", members.join(","))
}

/// Any JSON value.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        8 => select(SCALARS).prop_map(str::to_owned),
        1 => any::<i128>().prop_map(|number| number.to_string()),
        1 => any::<String>().prop_map(|text| serde_json::to_string(&text).expect("JSON")),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        let array = (space(), prop::collection::vec(inner.clone(), 0..4));
        let member = (space(), name(), inner);
        prop_oneof![
            array.prop_map(|(space, values)| format!("[{space}{}]", values.join(&format!("{space},")))),
            prop::collection::vec(member, 0..4).prop_map(|members| object(&members)),
        ]
    })
}

/// Any JSON object.
pub(crate) fn any_object() -> impl Strategy<Value = String> {
    prop::collection::vec((space(), name(), value()), 0..6).prop_map(|members| object(&members))
}

/// What a valid JSON text is made of, without the white space between.
pub(crate) fn tokens(json: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), json.trim_ascii_start());
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => {
                let mut chars = rest.char_indices().skip(1);
                loop {
                    match chars.next() {
                        Some((_, '\\')) => drop(chars.next()),
                        Some((at, '"')) => break at + 1,
                        Some(_) => {}
                        None => panic!("a string without end: {json}"),
                    }
                }
            }
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ => rest.find(|c: char| c.is_ascii_whitespace() || "{}[],:".contains(c)).unwrap_or(rest.len()),
        };
        tokens.push(&rest[..end]);
        rest = rest[end..].trim_ascii_start();
    }
    tokens
}

/// A valid JSON text without white space.
pub(crate) fn compacted(json: &str) -> String {
    tokens(json).concat()
}

/// The members of an object's text, names as they are written, values without white space.
pub(crate) fn members(json: &str) -> Vec<(String, String)> {
    let tokens = tokens(json);
    let ["{", inside @ .., "}"] = &tokens[..] else { panic!("no object: {json}") };
    let (mut members, mut depth, mut value, mut name) = (Vec::new(), 0_usize, String::new(), None);
    for token in inside {
        match *token {
            ":" if depth == 0 && name.is_none() => name = Some(std::mem::take(&mut value)),
            "," if depth == 0 => members.extend(name.take().map(|name| (name, std::mem::take(&mut value)))),
            token => {
                match token {
                    "{" | "[" => depth += 1,
                    "}" | "]" => depth -= 1,
                    _ => {}
                }
                value.push_str(token);
            }
        }
    }
    members.extend(name.map(|name| (name, value)));
    members
}

/// The names of an object's members as text; `None` if one is half a character.
pub(crate) fn named(json: &str) -> Option<Vec<(String, String)>> {
    members(json).into_iter().map(|(name, value)| Some((serde_json::from_str(&name).ok()?, value))).collect()
}

/// The last value that has a name.
pub(crate) fn last<'a>(members: &'a [(String, String)], name: &str) -> Option<&'a str> {
    members.iter().rev().find(|(other, _)| other == name).map(|(_, value)| &**value)
}
