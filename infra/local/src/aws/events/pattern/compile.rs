//! From a pattern's JSON to what it means, or to the reason why it means nothing.

use std::{collections::BTreeMap, net::IpAddr};

use super::{Comparison, Field, Fields, InvalidPattern, Matcher, wildcard::Wildcard};
use crate::aws::events::{json::Json, number::Decimal};

type Result<T> = std::result::Result<T, InvalidPattern>;

/// `numeric` is for numbers from -5 000 000 000 to this.
const LARGEST_NUMBER: &str = "5e9";
const SMALLEST_NUMBER: &str = "-5e9";

const OPERATORS: [&str; 8] =
    ["prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr"];

/// Compiles a whole pattern.
pub(super) fn pattern(text: &str) -> Result<Fields> {
    match Json::parse(text) {
        Ok(Json::Object(object)) => fields(&object),
        Ok(_) => Err(invalid("Filter is not an object")),
        Err(error) => Err(invalid(&error.to_string())),
    }
}

fn fields(object: &BTreeMap<String, Json>) -> Result<Fields> {
    if object.is_empty() {
        return Err(invalid("Empty objects are not allowed"));
    }
    let mut fields = Fields { named: Vec::new(), alternatives: Vec::new() };
    for (name, value) in object {
        match value {
            Json::Array(values) if name == "$or" && is_or(values) => {
                fields.alternatives.push(values.iter().map(alternative).collect::<Result<_>>()?);
            }
            Json::Array(values) if values.is_empty() => return Err(invalid("Empty arrays are not allowed")),
            Json::Array(values) => {
                let matchers = values.iter().map(matcher).collect::<Result<_>>()?;
                fields.named.push((name.clone(), Field::AnyOf(matchers)));
            }
            Json::Object(object) => fields.named.push((name.clone(), Field::Nested(self::fields(object)?))),
            _ => return Err(invalid(&format!("\"{name}\" must be an object or an array"))),
        }
    }
    Ok(fields)
}

/// `$or` is the operator only before two or more objects that cannot be meant as operators themselves; otherwise
/// it is a field that happens to have this name.
fn is_or(values: &[Json]) -> bool {
    values.len() >= 2
        && values.iter().all(|value| match value {
            Json::Object(object) => object.keys().all(|name| !OPERATORS.contains(&name.as_str())),
            _ => false,
        })
}

fn alternative(value: &Json) -> Result<Fields> {
    match value {
        Json::Object(object) => fields(object),
        _ => Err(invalid("$or must have objects")),
    }
}

fn matcher(value: &Json) -> Result<Matcher> {
    Ok(match value {
        Json::Null => Matcher::Null,
        Json::Bool(value) => Matcher::Bool(*value),
        Json::Number(value) => Matcher::Number(value.clone()),
        Json::Text(value) => Matcher::Text(value.clone()),
        Json::Array(_) => return Err(invalid("Match value must be String, number, true, false, or null")),
        Json::Object(object) => {
            let (name, operand) = single(object)?;
            operator(name, operand)?
        }
    })
}

fn single(object: &BTreeMap<String, Json>) -> Result<(&str, &Json)> {
    let mut entries = object.iter();
    match (entries.next(), entries.next()) {
        (Some((name, operand)), None) => Ok((name, operand)),
        _ => Err(invalid("Only one key allowed in match expression")),
    }
}

fn operator(name: &str, operand: &Json) -> Result<Matcher> {
    match (name, operand) {
        ("prefix" | "suffix", Json::Object(object)) => match single(object)? {
            ("equals-ignore-case", operand) => {
                let text = text(name, operand)?.to_lowercase();
                Ok(if name == "prefix" {
                    Matcher::PrefixIgnoreCase(text)
                } else {
                    Matcher::SuffixIgnoreCase(text)
                })
            }
            _ => Err(invalid(&format!("Unsupported {name} match pattern"))),
        },
        ("exists", Json::Bool(expected)) => Ok(Matcher::Exists(*expected)),
        ("exists", _) => Err(invalid("exists match pattern must be either true or false.")),
        ("numeric", Json::Array(conditions)) => numeric(conditions),
        ("numeric", _) => Err(invalid("Value of numeric must be an array.")),
        ("cidr", operand) => cidr(text(name, operand)?),
        ("anything-but", operand) => anything_but(operand),
        (name, operand) => text_operator(name, operand),
    }
}

/// The operators that compare with one text, which may stand in `anything-but` too.
fn text_operator(name: &str, operand: &Json) -> Result<Matcher> {
    Ok(match name {
        "prefix" => Matcher::Prefix(text(name, operand)?.to_owned()),
        "suffix" => Matcher::Suffix(text(name, operand)?.to_owned()),
        "equals-ignore-case" => Matcher::EqualsIgnoreCase(text(name, operand)?.to_lowercase()),
        "wildcard" => {
            let expression = Wildcard::compile(text(name, operand)?);
            Matcher::Wildcard(expression.map_err(|reason| invalid(&format!("wildcard match: {reason}")))?)
        }
        _ => return Err(invalid(&format!("Unrecognized match type {name}"))),
    })
}

fn anything_but(operand: &Json) -> Result<Matcher> {
    let excluded = match operand {
        Json::Object(object) => {
            let (name, operand) = single(object)?;
            one_or_more(operand)?
                .into_iter()
                .map(|operand| match operand {
                    Json::Text(empty) if empty.is_empty() => {
                        Err(invalid(&format!("anything-but {name} match pattern must not be empty")))
                    }
                    operand => text_operator(name, operand),
                })
                .collect::<Result<_>>()?
        }
        operand => {
            let values = one_or_more(operand)?;
            let all_texts = values.iter().all(|value| matches!(value, Json::Text(_)));
            let all_numbers = values.iter().all(|value| matches!(value, Json::Number(_)));
            if !all_texts && !all_numbers {
                return Err(invalid(
                    "Inside anything but list, either all values are number or string, \
                     mixed type is not supported",
                ));
            }
            values.into_iter().map(excluded_value).collect::<Result<_>>()?
        }
    };
    Ok(Matcher::AnythingBut(excluded))
}

fn one_or_more(operand: &Json) -> Result<Vec<&Json>> {
    match operand {
        Json::Array(values) if values.is_empty() => Err(invalid("Empty arrays are not allowed")),
        Json::Array(values) => Ok(values.iter().collect()),
        value => Ok(vec![value]),
    }
}

fn excluded_value(value: &Json) -> Result<Matcher> {
    match value {
        Json::Number(number) => Ok(Matcher::Numeric(vec![(Comparison::Equal, decimal(number)?)])),
        value => matcher(value),
    }
}

/// One comparison, or a lower and an upper bound in this order.
fn numeric(conditions: &[Json]) -> Result<Matcher> {
    let (pairs, rest) = conditions.as_chunks::<2>();
    if pairs.is_empty() || pairs.len() > 2 || !rest.is_empty() {
        return Err(invalid("numeric takes one comparison, or a lower and an upper bound"));
    }
    let conditions = pairs
        .iter()
        .map(|pair| match pair {
            [Json::Text(comparison), Json::Number(number)] => {
                Ok((self::comparison(comparison)?, bounded(number)?))
            }
            _ => Err(invalid("Invalid member in numeric match: a comparison and a number must take turns")),
        })
        .collect::<Result<Vec<_>>>()?;
    if let [(lower, bottom), (upper, top)] = &conditions[..] {
        if !matches!(lower, Comparison::Greater | Comparison::GreaterOrEqual)
            || !matches!(upper, Comparison::Less | Comparison::LessOrEqual)
        {
            return Err(invalid("Too many elements in numeric expression"));
        }
        if bottom >= top {
            return Err(invalid("Bottom must be less than top"));
        }
    }
    Ok(Matcher::Numeric(conditions))
}

fn comparison(text: &str) -> Result<Comparison> {
    Ok(match text {
        "=" => Comparison::Equal,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        other => return Err(invalid(&format!("Unrecognized numeric range operator: {other}"))),
    })
}

fn bounded(number: &str) -> Result<Decimal> {
    let number = decimal(number)?;
    if number < decimal(SMALLEST_NUMBER)? || number > decimal(LARGEST_NUMBER)? {
        return Err(invalid("Value must be between -5.0E9 and 5.0E9, inclusive"));
    }
    Ok(number)
}

fn decimal(number: &str) -> Result<Decimal> {
    Decimal::parse(number).ok_or_else(|| invalid(&format!("{number} is not a number")))
}

fn cidr(text: &str) -> Result<Matcher> {
    let malformed = || invalid(&format!("Malformed CIDR: {text}"));
    let (network, bits) = text.split_once('/').ok_or_else(malformed)?;
    let network: IpAddr = network.parse().map_err(|_| malformed())?;
    let bits: u8 = bits.parse().map_err(|_| malformed())?;
    if bits > if network.is_ipv4() { 32 } else { 128 } {
        return Err(malformed());
    }
    Ok(Matcher::Cidr(network, bits))
}

fn text<'a>(operator: &str, operand: &'a Json) -> Result<&'a str> {
    match operand {
        Json::Text(text) => Ok(text),
        _ => Err(invalid(&format!("{operator} match pattern must be a string"))),
    }
}

fn invalid(reason: &str) -> InvalidPattern {
    InvalidPattern(reason.to_owned())
}
