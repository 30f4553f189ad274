//! Secrets Manager: what `seal` relies on, and the commands that change the key ring.

use std::sync::Arc;

use crate::{
    aws::{Aws, Made},
    check::refused,
    clause::{Clause, clause},
};

/// All clauses of this service.
pub(crate) fn clauses() -> Vec<Clause> {
    vec![
        clause!(a_secret_is_read_by_its_name_and_by_its_arn),
        clause!(a_secret_that_is_changed_is_read_as_it_is_now_and_as_it_was_before),
        clause!(a_secret_that_is_not_there_is_said_to_be),
        clause!(a_secret_is_made_once),
        clause!(a_password_is_made_without_punctuation),
    ]
}

const RING: &str = r#"{"current":"k1","k1":"0123456789abcdef0123456789abcdef"}"#;

/// Makes a secret, and answers its name and its ARN.
async fn make(aws: &Aws) -> (String, String) {
    let name = aws.name();
    let create = aws.secrets.create_secret().name(&name).secret_string(RING);
    let arn = create.send().await.expect("a secret is made").arn.expect("has an ARN");
    aws.made(Made::Secret(name.clone()));
    (name, arn)
}

async fn a_secret_is_read_by_its_name_and_by_its_arn(aws: Arc<Aws>) {
    let (name, arn) = make(&aws).await;
    for id in [&name, &arn] {
        let read = aws.secrets.get_secret_value().secret_id(id).send().await.expect("is read");
        assert_eq!((read.secret_string(), read.name(), read.arn()), (Some(RING), Some(&*name), Some(&*arn)));
        assert_eq!(read.version_stages(), ["AWSCURRENT"]);
    }
}

async fn a_secret_that_is_changed_is_read_as_it_is_now_and_as_it_was_before(aws: Arc<Aws>) {
    let (name, _) = make(&aws).await;
    let put = aws.secrets.put_secret_value().secret_id(&name).secret_string("new");
    put.send().await.expect("is changed");
    let read = || aws.secrets.get_secret_value().secret_id(&name);
    assert_eq!(read().send().await.expect("is read").secret_string(), Some("new"));
    let before = read().version_stage("AWSPREVIOUS").send().await.expect("is read");
    assert_eq!(before.secret_string(), Some(RING));
}

async fn a_secret_that_is_not_there_is_said_to_be(aws: Arc<Aws>) {
    let name = aws.name();
    refused(aws.secrets.get_secret_value().secret_id(&name).send().await, "ResourceNotFoundException");
    let put = aws.secrets.put_secret_value().secret_id(&name).secret_string("new");
    refused(put.send().await, "ResourceNotFoundException");
}

async fn a_secret_is_made_once(aws: Arc<Aws>) {
    let (name, _) = make(&aws).await;
    let again = aws.secrets.create_secret().name(&name).secret_string("other");
    refused(again.send().await, "ResourceExistsException");
}

async fn a_password_is_made_without_punctuation(aws: Arc<Aws>) {
    let make = || aws.secrets.get_random_password().password_length(64).exclude_punctuation(true).send();
    let [one, two] =
        [make().await, make().await].map(|made| made.expect("is made").random_password.expect("is told"));
    assert_eq!(one.len(), 64);
    assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{one}");
    assert_ne!(one, two);
}
