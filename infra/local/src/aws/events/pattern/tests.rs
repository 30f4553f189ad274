use super::*;

fn check(pattern: &str, event: &str, expected: bool) {
    let compiled = Pattern::compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    let event_json = Json::parse(event).expect("an event in JSON");
    assert_eq!(compiled.matches(&event_json), expected, "{pattern} and {event}");
}

fn check_all(pattern: &str, matching: &[&str], others: &[&str]) {
    for event in matching {
        check(pattern, event, true);
    }
    for event in others {
        check(pattern, event, false);
    }
}

#[test]
fn all_fields_and_any_of_their_values_must_match() {
    check_all(
        r#"{"source":["a","b"],"detail":{"state":["on"]}}"#,
        &[
            r#"{"source":"a","detail":{"state":"on"}}"#,
            r#"{"source":"b","detail":{"state":"on","x":1},"y":2}"#,
        ],
        &[
            r#"{"source":"c","detail":{"state":"on"}}"#,
            r#"{"source":"a","detail":{"state":"off"}}"#,
            r#"{"source":"a"}"#,
            r#"{"source":"a","detail":"on"}"#,
            r#"{"source":"A","detail":{"state":"on"}}"#,
        ],
    );
}

#[test]
fn values_match_by_type_and_as_they_are_written() {
    check_all(r#"{"a":[null]}"#, &[r#"{"a":null}"#], &[r#"{"a":"null"}"#, r#"{"a":""}"#, r"{}"]);
    check_all(r#"{"a":[""]}"#, &[r#"{"a":""}"#], &[r#"{"a":null}"#, r#"{"a":" "}"#]);
    check_all(r#"{"a":[true]}"#, &[r#"{"a":true}"#], &[r#"{"a":"true"}"#, r#"{"a":false}"#, r#"{"a":1}"#]);
    check_all(r#"{"a":[1]}"#, &[r#"{"a":1}"#], &[r#"{"a":"1"}"#, r#"{"a":1.0}"#, r#"{"a":10}"#]);
    check_all(
        r#"{"a":[9007199254740993]}"#,
        &[r#"{"a":9007199254740993}"#],
        &[r#"{"a":9007199254740992}"#, r#"{"a":9007199254740994}"#],
    );
    check(r#"{"a":["\u00e9"]}"#, r#"{"a":"é"}"#, true);
}

#[test]
fn an_array_matches_if_any_element_does() {
    check_all(
        r#"{"tags":["x"]}"#,
        &[r#"{"tags":["y","x"]}"#, r#"{"tags":[["x"]]}"#],
        &[r#"{"tags":["y"]}"#, r#"{"tags":[]}"#, r#"{"tags":[{"x":"x"}]}"#],
    );
    check_all(
        r#"{"people":{"first":["Anna"],"last":["Jones"]}}"#,
        &[r#"{"people":[{"first":"John"},{"first":"Anna","last":"Jones"}]}"#],
        &[r#"{"people":[{"first":"Anna","last":"Smith"},{"first":"Peter","last":"Jones"}]}"#],
    );
}

#[test]
fn prefix_and_suffix() {
    check_all(
        r#"{"a":[{"prefix":"te"}]}"#,
        &[r#"{"a":"te"}"#, r#"{"a":"test"}"#],
        &[r#"{"a":"Test"}"#, r#"{"a":1}"#, r"{}"],
    );
    check_all(r#"{"a":[{"suffix":".png"}]}"#, &[r#"{"a":"x.png"}"#], &[r#"{"a":"x.PNG"}"#, r#"{"a":"png"}"#]);
    check_all(
        r#"{"a":[{"prefix":{"equals-ignore-case":"EventB"}}]}"#,
        &[r#"{"a":"eventbridge"}"#, r#"{"a":"EVENTB"}"#],
        &[r#"{"a":"event"}"#],
    );
    check_all(
        r#"{"a":[{"suffix":{"equals-ignore-case":".PNG"}}]}"#,
        &[r#"{"a":"x.png"}"#, r#"{"a":"x.PnG"}"#],
        &[r#"{"a":"x.jpg"}"#],
    );
}

#[test]
fn equals_ignore_case_and_wildcard() {
    check_all(
        r#"{"a":[{"equals-ignore-case":"AbÇ"}]}"#,
        &[r#"{"a":"abç"}"#, r#"{"a":"ABÇ"}"#],
        &[r#"{"a":"abd"}"#, r#"{"a":"abçd"}"#],
    );
    check_all(
        r#"{"a":[{"wildcard":"a/*/z"}]}"#,
        &[r#"{"a":"a/q/z"}"#, r#"{"a":"a//z"}"#, r#"{"a":"a/z/z/z"}"#],
        &[r#"{"a":"a/q/y"}"#, r#"{"a":"a/z"}"#, r#"{"a":"ba/q/z"}"#],
    );
    check_all(r#"{"a":[{"wildcard":"*"}]}"#, &[r#"{"a":""}"#, r#"{"a":"x"}"#], &[r#"{"a":1}"#, r"{}"]);
    check_all(
        r#"{"a":[{"wildcard":"1\\*2*\\\\"}]}"#,
        &[r#"{"a":"1*2\\"}"#, r#"{"a":"1*23\\"}"#],
        &[r#"{"a":"1+2\\"}"#, r#"{"a":"1*2"}"#],
    );
    check_all(r#"{"a":[{"wildcard":"*ab*ab"}]}"#, &[r#"{"a":"xabababab"}"#], &[r#"{"a":"ab"}"#]);
}

#[test]
fn anything_but() {
    check_all(
        r#"{"a":[{"anything-but":"x"}]}"#,
        &[r#"{"a":"y"}"#, r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":["x","y"]}"#],
        &[r#"{"a":"x"}"#, r#"{"a":["x"]}"#, r"{}"],
    );
    check_all(r#"{"a":[{"anything-but":["x","y"]}]}"#, &[r#"{"a":"z"}"#], &[r#"{"a":"x"}"#, r#"{"a":"y"}"#]);
    check_all(
        r#"{"a":[{"anything-but":[100,200]}]}"#,
        &[r#"{"a":300}"#, r#"{"a":"100"}"#],
        &[r#"{"a":100}"#, r#"{"a":1e2}"#],
    );
    check_all(r#"{"a":[{"anything-but":9007199254740993}]}"#, &[r#"{"a":9007199254740992}"#], &[]);
    check_all(r#"{"a":[{"anything-but":{"prefix":"te"}}]}"#, &[r#"{"a":"ab"}"#], &[r#"{"a":"test"}"#]);
    check_all(
        r#"{"a":[{"anything-but":{"prefix":["te","ab"]}}]}"#,
        &[r#"{"a":"x"}"#],
        &[r#"{"a":"test"}"#, r#"{"a":"ab"}"#],
    );
    check_all(r#"{"a":[{"anything-but":{"suffix":".png"}}]}"#, &[r#"{"a":"x.jpg"}"#], &[r#"{"a":"x.png"}"#]);
    check_all(
        r#"{"a":[{"anything-but":{"equals-ignore-case":["on","off"]}}]}"#,
        &[r#"{"a":"idle"}"#],
        &[r#"{"a":"ON"}"#, r#"{"a":"Off"}"#],
    );
    check_all(
        r#"{"a":[{"anything-but":{"wildcard":"*/lib/*"}}]}"#,
        &[r#"{"a":"/src/x"}"#],
        &[r#"{"a":"/lib/x"}"#],
    );
}

#[test]
fn exists_is_about_values() {
    check_all(
        r#"{"detail":{"x":[{"exists":true}]}}"#,
        &[r#"{"detail":{"x":1}}"#, r#"{"detail":{"x":null}}"#, r#"{"detail":{"x":["a"]}}"#],
        &[r#"{"detail":{"y":1}}"#, r#"{"detail":{"x":{"y":1}}}"#, r"{}"],
    );
    check_all(
        r#"{"detail":{"x":[{"exists":false}]}}"#,
        &[r#"{"detail":{"y":1}}"#, r#"{"detail":{"x":{"y":1}}}"#, r#"{"detail":{}}"#, r"{}"],
        &[r#"{"detail":{"x":1}}"#],
    );
    check_all(r#"{"x":[{"exists":false},"a"]}"#, &[r"{}", r#"{"x":"a"}"#], &[r#"{"x":"b"}"#]);
}

#[test]
fn numeric_compares_values() {
    check_all(
        r#"{"n":[{"numeric":[">",5,"<=",10]}]}"#,
        &[r#"{"n":6}"#, r#"{"n":10.0}"#, r#"{"n":5.000001}"#, r#"{"n":1e1}"#],
        &[r#"{"n":5}"#, r#"{"n":11}"#, r#"{"n":"6"}"#, r"{}"],
    );
    check_all(r#"{"n":[{"numeric":["=",3.018e2]}]}"#, &[r#"{"n":301.8}"#], &[r#"{"n":301}"#]);
    check_all(r#"{"n":[{"numeric":["<",-1]}]}"#, &[r#"{"n":-1.5}"#], &[r#"{"n":-1}"#]);
    check_all(r#"{"n":[{"numeric":[">=",0]}]}"#, &[r#"{"n":0}"#, r#"{"n":-0}"#], &[r#"{"n":-0.1}"#]);
}

#[test]
fn cidr() {
    check_all(
        r#"{"ip":[{"cidr":"10.0.0.0/24"}]}"#,
        &[r#"{"ip":"10.0.0.0"}"#, r#"{"ip":"10.0.0.255"}"#],
        &[r#"{"ip":"10.0.1.0"}"#, r#"{"ip":"::ffff:10.0.0.1"}"#, r#"{"ip":"ten"}"#],
    );
    check_all(r#"{"ip":[{"cidr":"0.0.0.0/0"}]}"#, &[r#"{"ip":"8.8.8.8"}"#], &[r#"{"ip":"::1"}"#]);
    check_all(
        r#"{"ip":[{"cidr":"2001:db8::/32"}]}"#,
        &[r#"{"ip":"2001:db8:1::1"}"#],
        &[r#"{"ip":"2001:db9::"}"#],
    );
}

#[test]
fn or_takes_any_alternative_beside_what_all_must_match() {
    check_all(
        r#"{"source":["s"],"$or":[{"a":[1]},{"b":[2],"c":[3]}],"detail":{"$or":[{"x":[1]},{"y":[1]}]}}"#,
        &[r#"{"source":"s","a":1,"detail":{"x":1}}"#, r#"{"source":"s","b":2,"c":3,"detail":{"y":1}}"#],
        &[
            r#"{"source":"s","a":1,"detail":{"z":1}}"#,
            r#"{"source":"s","b":2,"detail":{"x":1}}"#,
            r#"{"source":"t","a":1,"detail":{"x":1}}"#,
        ],
    );
    check(r#"{"$or":["x"]}"#, r#"{"$or":"x"}"#, true);
}

#[test]
fn or_at_the_top_tells_kinds_of_events_apart() {
    check_all(
        r#"{"source":["knockback"],"$or":[{"detail-type":["webhook.deactivated","webhook.expiring"]},
            {"detail-type":["webhook.deleted"],"detail":{"reason":["stale"]}}]}"#,
        &[
            r#"{"source":"knockback","detail-type":"webhook.deactivated","detail":{}}"#,
            r#"{"source":"knockback","detail-type":"webhook.expiring","detail":{"reason":"stale"}}"#,
            r#"{"source":"knockback","detail-type":"webhook.deleted","detail":{"reason":"stale"}}"#,
        ],
        &[
            r#"{"source":"knockback","detail-type":"webhook.deleted","detail":{"reason":"app_removed"}}"#,
            r#"{"source":"knockback","detail-type":"webhook.deleted","detail":{}}"#,
            r#"{"source":"knockback","detail-type":"webhook.repaired","detail":{"reason":"stale"}}"#,
            r#"{"source":"platform","detail-type":"webhook.deactivated","detail":{}}"#,
        ],
    );
    check_all(
        r#"{"$or":[{"detail":{"reason":[{"anything-but":["stale"]}]}},{"detail":{"reason":[{"exists":false}]}}]}"#,
        &[r#"{"detail":{"reason":"app_removed"}}"#, r#"{"detail":{}}"#],
        &[r#"{"detail":{"reason":"stale"}}"#],
    );
}

#[test]
fn invalid_patterns_are_refused_with_the_reason() {
    for (pattern, reason) in [
        ("nonsense", "expected ident"),
        ("[]", "Filter is not an object"),
        ("{}", "Empty objects"),
        (r#"{"a":{}}"#, "Empty objects"),
        (r#"{"a":[]}"#, "Empty arrays"),
        (r#"{"source":"str"}"#, "\"source\" must be an object or an array"),
        (r#"{"a":[["x"]]}"#, "Match value must be"),
        (r#"{"a":[{"like":"x"}]}"#, "Unrecognized match type like"),
        (r#"{"a":[{"prefix":"x","suffix":"y"}]}"#, "Only one key"),
        (r#"{"a":[{}]}"#, "Only one key"),
        (r#"{"a":[{"prefix":1}]}"#, "prefix match pattern must be a string"),
        (r#"{"a":[{"prefix":{"wildcard":"x"}}]}"#, "Unsupported prefix"),
        (r#"{"a":[{"suffix":["x"]}]}"#, "suffix match pattern must be a string"),
        (r#"{"a":[{"exists":"yes"}]}"#, "exists match pattern"),
        (r#"{"a":[{"wildcard":"a**b"}]}"#, "consecutive"),
        (r#"{"a":[{"wildcard":"a\\b"}]}"#, "escape"),
        (r#"{"a":[{"anything-but":[1,"x"]}]}"#, "mixed type"),
        (r#"{"a":[{"anything-but":[]}]}"#, "Empty arrays"),
        (r#"{"a":[{"anything-but":null}]}"#, "mixed type"),
        (r#"{"a":[{"anything-but":{"prefix":""}}]}"#, "must not be empty"),
        (r#"{"a":[{"anything-but":{"numeric":["=",1]}}]}"#, "Unrecognized match type numeric"),
        (r#"{"a":[{"numeric":5}]}"#, "must be an array"),
        (r#"{"a":[{"numeric":[]}]}"#, "one comparison"),
        (r#"{"a":[{"numeric":[">"]}]}"#, "one comparison"),
        (r#"{"a":[{"numeric":[">","5"]}]}"#, "Invalid member"),
        (r#"{"a":[{"numeric":["~",5]}]}"#, "range operator"),
        (r#"{"a":[{"numeric":["<",5,">",1]}]}"#, "Too many"),
        (r#"{"a":[{"numeric":[">",5,"<",5]}]}"#, "less than top"),
        (r#"{"a":[{"numeric":["=",5000000001]}]}"#, "between"),
        (r#"{"a":[{"cidr":"10.0.0.0"}]}"#, "CIDR"),
        (r#"{"a":[{"cidr":"10.0.0.0/33"}]}"#, "CIDR"),
        (r#"{"$or":[{"prefix":"x"},{"a":[1]}]}"#, "Unrecognized match type a"),
    ] {
        let error = Pattern::compile(pattern).err().unwrap_or_else(|| panic!("{pattern} is valid"));
        assert!(error.to_string().contains(reason), "{pattern}: {error}");
    }
}
