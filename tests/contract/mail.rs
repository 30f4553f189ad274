//! SES: what `mail` relies on.

use std::sync::Arc;

use aws_sdk_sesv2::{
    operation::send_email::builders::SendEmailFluentBuilder,
    types::{Body, Content, Destination, EmailContent, Message},
};

use crate::{
    aws::Aws,
    check::refused,
    clause::{Clause, clause},
    emulator::Emulator,
};

/// All clauses of this service.
pub(crate) fn clauses() -> Vec<Clause> {
    vec![
        clause!(a_mail_is_taken_and_has_an_id_of_its_own),
        clause!(a_receiver_that_is_no_address_is_refused).known(
            Emulator::Ministack,
            "left: [\"it is taken\", \"it is taken\", \"it is taken\", \"it is taken\"]",
            "it does not look at receivers",
        ),
        clause!(a_mail_without_a_receiver_is_refused).known(
            Emulator::Ministack,
            "it is taken, where AWS answers BadRequestException",
            "it does not look at receivers",
        ),
        clause!(a_mail_without_a_body_is_refused).known(
            Emulator::Ministack,
            "it is taken, where AWS answers BadRequestException",
            "it does not look at bodies",
        ),
        clause!(a_sender_that_is_not_verified_is_refused).known(
            Emulator::Box,
            "it is taken, where AWS answers MessageRejected",
            "the box verifies no identities: whoever tries Knockback has none",
        ),
    ]
}

const FROM: &str = "knockback@example.com";

/// Has the sender verified, where that is asked for: the box does not, and does not know how.
async fn verify(aws: &Aws) {
    drop(aws.mail.create_email_identity().email_identity(FROM).send().await);
}

/// A mail as `mail` sends it: text and HTML, in UTF-8.
fn mail(aws: &Aws, to: &str, subject: &str) -> SendEmailFluentBuilder {
    let content = |data: &str| Content::builder().data(data).charset("UTF-8").build().expect("is complete");
    let body = Body::builder().text(content("é \u{1f6aa}")).html(content("<p>é</p>")).build();
    let message = Message::builder().subject(content(subject)).body(body).build();
    aws.mail
        .send_email()
        .from_email_address(FROM)
        .destination(Destination::builder().to_addresses(to).build())
        .content(EmailContent::builder().simple(message).build())
}

async fn a_mail_is_taken_and_has_an_id_of_its_own(aws: Arc<Aws>) {
    verify(&aws).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let sent = mail(&aws, "owner@example.com", "Ihr Webhook für é").send().await.expect("is taken");
        ids.push(sent.message_id.expect("has an id"));
    }
    assert!(!ids[0].is_empty() && ids[0] != ids[1], "{ids:?}");
}

async fn a_receiver_that_is_no_address_is_refused(aws: Arc<Aws>) {
    verify(&aws).await;
    let mut codes = Vec::new();
    for wrong in ["owner", "owner@", "@example.com", "a b@example.com"] {
        let code = crate::check::code(&mail(&aws, wrong, "Subject").send().await);
        codes.push(code.unwrap_or_else(|| "it is taken".to_owned()));
    }
    assert_eq!(codes, ["BadRequestException"; 4]);
}

async fn a_mail_without_a_receiver_is_refused(aws: Arc<Aws>) {
    verify(&aws).await;
    let nobody = mail(&aws, "owner@example.com", "Subject").destination(Destination::builder().build());
    refused(nobody.send().await, "BadRequestException");
}

async fn a_mail_without_a_body_is_refused(aws: Arc<Aws>) {
    verify(&aws).await;
    let subject = Content::builder().data("Subject").build().expect("is complete");
    let message = Message::builder().subject(subject).body(Body::builder().build()).build();
    let empty = mail(&aws, "owner@example.com", "Subject");
    let empty = empty.content(EmailContent::builder().simple(message).build());
    refused(empty.send().await, "BadRequestException");
}

async fn a_sender_that_is_not_verified_is_refused(aws: Arc<Aws>) {
    let unknown =
        mail(&aws, "owner@example.com", "Subject").from_email_address("nobody@unverified.example.org");
    refused(unknown.send().await, "MessageRejected");
}
