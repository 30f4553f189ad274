//! What callers and the platform ask for, beside events: each is taken whole, or refused with its fields named.

use knockback::domain::{
    AddressPolicy, Amendment, FieldErrors, Generation, Member, Objects, Registration, Scope, Subscription,
    Version, epages,
};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
};

use crate::{json::PIECES, target::Target};

const TARGET: Target = Target { name: "doors", check, pieces: PIECES };

/// Members of all kinds of request, some of them wrong.
const MEMBERS: &[&str] = &[
    r#""subscription_url":"https://example.com/h""#,
    r#""subscription_url":"https://127.1/""#,
    r#""callbackUrl":"https://example.com/h""#,
    r#""eventType":"ORDERS_CREATE""#,
    r#""eventType":"APP_UNINSTALL""#,
    r#""active":"false""#,
    r#""active":1"#,
    r#""event_action":"change""#,
    r#""event_action":"added""#,
    r#""event_action":"*""#,
    r#""event_object":"deal""#,
    r#""event_object":"activityType""#,
    r#""event_object":"*""#,
    r#""version":"1.0""#,
    r#""version":2.0"#,
    r#""name":"n""#,
    r#""name":"""#,
    r#""name":null"#,
    r#""user_id":10"#,
    r#""user_id":"11""#,
    r#""http_auth_user":"u""#,
    r#""http_auth_user":"a:b""#,
    r#""http_auth_password":null"#,
    r#""is_active":false"#,
    r#""company_id":"1""#,
    r#""app":"crm-sync""#,
    r#""admin":true"#,
    r#""scopes":["webhooks:read","admin"]"#,
    r#""scopes":["all"]"#,
    r#""contact":"a@b.c""#,
    r#""contact":"@""#,
    r#""client_secret":"s""#,
];

fn requests() -> impl Strategy<Value = Vec<u8>> {
    let json =
        subsequence(MEMBERS, 0..9).prop_shuffle().prop_map(|members| format!("{{{}}}", members.join(",")));
    let form = select(&["active=true", "a=b&active=false", "active=", "%61ctive=tru%65", "active=%ff"][..]);
    prop_oneof![8 => json, 1 => form.prop_map(str::to_owned)].prop_map(String::into_bytes)
}

fn member(app: Option<&str>, admin: bool) -> Member {
    Member {
        company: "1".parse().expect("an id"),
        user: "10".parse().expect("an id"),
        app: app.map(|app| app.parse().expect("an id")),
        admin,
        scopes: vec![Scope::Admin],
        contact: None,
        generation: Generation::default(),
    }
}

/// What was taken, if every complaint about what was not has a field and a reason.
fn taken<T>(read: Result<T, FieldErrors>) -> Option<T> {
    read.map_err(|errors| {
        let fields = errors.by_field();
        let whole = |(field, reasons): (&String, &Vec<String>)| {
            !field.is_empty() && !reasons.is_empty() && reasons.iter().all(|reason| !reason.is_empty())
        };
        assert!(!errors.is_empty() && fields.iter().all(whole), "{errors:?}");
    })
    .ok()
}

fn check(input: &[u8]) -> bool {
    let (addresses, objects) = (AddressPolicy::default(), Objects::default());
    let is_reachable = |url: &str, host: &str| {
        let url = addresses.check_url(url).expect("a URL that was taken");
        assert_eq!(url.host_str(), Some(host));
    };
    let mut any = false;
    for admin in [false, true] {
        let caller = member(None, admin);
        if let Some(asked) = taken(Subscription::parse(input, &caller, &addresses, &objects)) {
            any = true;
            is_reachable(&asked.target.url, &asked.target.host);
            assert!(admin || asked.user == caller.user, "another's");
            assert!(asked.user.as_number().is_some());
            assert!(!asked.http_auth_user.is_some_and(|user| user.contains(':')));
            let pattern = &asked.pattern;
            assert!(
                Objects::default().of(pattern.version).chain(["*"]).any(|object| object == pattern.object)
            );
        }
    }
    if let Some(asked) = taken(epages::read_subscription(input, &member(Some("mailer"), false), &addresses)) {
        any = true;
        is_reachable(&asked.target.url, &asked.target.host);
        assert_eq!(asked.pattern.version, Version::Epages);
    }
    any |= taken(epages::read_active(input)).is_some();
    for version in [Version::V1, Version::V2, Version::Epages] {
        any |= taken(Amendment::parse(input, version, &addresses, &objects)).is_some();
    }
    if let Some(member) = taken(Member::parse(input)) {
        any = true;
        let json = serde_json::to_string(&member).expect("JSON");
        assert_eq!(serde_json::from_str::<Member>(&json).expect("a member"), member);
    }
    if let Some((registration, _)) = taken(Registration::parse(input)) {
        any = true;
        assert!(!registration.name.is_empty());
    }
    any
}

#[test]
fn every_file_keeps_the_promises_of_a_request() {
    TARGET.replay(8);
}

#[test]
fn any_bytes_keep_the_promises_of_a_request() {
    TARGET.fuzz(1000, Vec::new(), requests());
}
