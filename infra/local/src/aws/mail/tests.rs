//! The service as the SDK's client sees it.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_sesv2::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::send_email::{SendEmailError, builders::SendEmailFluentBuilder},
    types::{
        Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag,
        builders::MessageBuilder,
    },
};
use knockback::clock::VirtualClock;

use super::*;
use crate::aws::{AwsBox, connector::sdk_config};

/// 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_ms(1_767_225_600_000);

/// Counts, from the first byte on.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        bytes[..8].copy_from_slice(&self.0.fetch_add(1, Ordering::SeqCst).reverse_bits().to_be_bytes());
    }
}

fn open(data: Option<&std::path::Path>) -> (Arc<AwsBox>, Client, VirtualClock) {
    let clock = VirtualClock::new(START);
    let aws_box = AwsBox::open(data, Arc::new(clock.clone()), Arc::new(Counting::default()));
    let aws_box = Arc::new(aws_box.expect("a box"));
    let client = Client::new(&sdk_config(&aws_box));
    (aws_box, client, clock)
}

fn content(data: &str) -> Content {
    Content::builder().data(data).charset("UTF-8").build().expect("is complete")
}

fn message() -> MessageBuilder {
    let body = Body::builder().text(content("Grüße\n")).html(content("<p>Grüße</p>")).build();
    Message::builder().subject(content("Webhook 7 – aus")).body(body)
}

fn to(count: usize) -> Destination {
    let addresses = (0..count).map(|n| format!("owner-{n}@example.com"));
    Destination::builder().set_to_addresses(Some(addresses.collect())).build()
}

fn simple(message: MessageBuilder) -> EmailContent {
    EmailContent::builder().simple(message.build()).build()
}

fn send(client: &Client) -> SendEmailFluentBuilder {
    client
        .send_email()
        .from_email_address("Knockback <webhooks@example.com>")
        .destination(to(1))
        .content(simple(message()))
}

fn code(error: &SdkError<SendEmailError, HttpResponse>) -> (u16, &str) {
    (error.raw_response().map_or(0, |response| response.status().as_u16()), error.code().unwrap_or_default())
}

#[tokio::test]
async fn the_sdk_sends_a_mail_that_is_kept_as_it_was_sent_and_counted() {
    let (aws_box, client, _) = open(None);
    let header = MessageHeader::builder().name("List-Id").value("<webhooks.example.com>").build();
    let tag = MessageTag::builder().name("kind").value("webhook-deactivated").build();
    let sent = send(&client)
        .reply_to_addresses("help@example.com")
        .content(simple(message().headers(header.expect("is complete"))))
        .email_tags(tag.expect("is complete"))
        .configuration_set_name("knockback")
        .send()
        .await
        .expect("is sent");
    let mail = Mail {
        id: sent.message_id().expect("an id").to_owned(),
        at: START,
        from: "Knockback <webhooks@example.com>".to_owned(),
        to: vec!["owner-0@example.com".to_owned()],
        reply_to: vec!["help@example.com".to_owned()],
        subject: "Webhook 7 – aus".to_owned(),
        text: Some("Grüße\n".to_owned()),
        html: Some("<p>Grüße</p>".to_owned()),
        headers: vec![("List-Id".to_owned(), "<webhooks.example.com>".to_owned())],
        tags: BTreeMap::from([("kind".to_owned(), "webhook-deactivated".to_owned())]),
        configuration_set: Some("knockback".to_owned()),
    };
    assert_eq!(aws_box.mails(), [mail]);
    assert_eq!(aws_box.counts().calls("SES.SendEmail"), 1);
}

#[tokio::test]
async fn what_ses_refuses_is_refused_by_its_error_and_not_kept() {
    let (aws_box, client, _) = open(None);
    let ascii = |data: &str| Content::builder().data(data).build().expect("is complete");
    let header = |name: &str| MessageHeader::builder().name(name).value("x").build().expect("is complete");
    let tag = MessageTag::builder().name("kind").value("no spaces").build().expect("is complete");
    let large = "x".repeat(MAIL_BYTES_LIMIT);
    let wrong = vec![
        (client.send_email().destination(to(1)).content(simple(message())), "FromEmailAddress"),
        (send(&client).from_email_address("nobody"), "Missing final '@domain'"),
        (send(&client).reply_to_addresses("a b@example.com"), "Local address"),
        (send(&client).destination(to(0)), "ToAddresses"),
        (send(&client).destination(to(51)), "exceeds 50"),
        (
            send(&client).destination(Destination::builder().cc_addresses("a@example.com").build()),
            "CcAddresses",
        ),
        (send(&client).content(EmailContent::builder().build()), "Simple"),
        (send(&client).content(simple(message().subject(content("")))), "Subject is empty"),
        (send(&client).content(simple(message().subject(content("a\r\nBcc: b")))), "Subject contains"),
        (send(&client).content(simple(message().subject(ascii("–")))), "no Charset"),
        (send(&client).content(simple(message().body(Body::builder().build()))), "neither Text nor Html"),
        (send(&client).content(simple(message().headers(header("Subject")))), "header"),
        (send(&client).content(simple(message().headers(header("a:b")))), "header"),
        (send(&client).email_tags(tag), "tag"),
        (
            send(&client).content(simple(message().body(Body::builder().text(content(&large)).build()))),
            "bytes",
        ),
    ];
    for (request, reason) in wrong {
        let error = request.send().await.expect_err(reason);
        assert_eq!(code(&error), (400, "BadRequestException"), "{reason}: {error:?}");
        assert!(error.message().unwrap_or_default().contains(reason), "{reason}: {error:?}");
        assert!(error.into_service_error().is_bad_request_exception());
    }
    send(&client).destination(to(50)).send().await.expect("fifty are permitted");
    assert_eq!(aws_box.mails().len(), 1);
}

#[tokio::test]
async fn a_refused_operation_and_an_unknown_path_have_the_codes_of_aws() {
    let (aws_box, client, _) = open(None);
    aws_box.refuse("SES.SendEmail");
    let error = send(&client).send().await.expect_err("is refused");
    assert_eq!(code(&error), (403, "AccessDeniedException"));
    aws_box.permit("SES.SendEmail");
    send(&client).send().await.expect("is permitted again");
    assert_eq!((aws_box.mails().len(), aws_box.counts().calls("SES.SendEmail")), (1, 2));
    let error = client.get_account().send().await.expect_err("is not here");
    assert_eq!(error.code(), Some("UnknownOperationException"));
    assert!(error.message().is_some_and(|message| message.contains("GET /v2/email/account")), "{error:?}");
}

#[tokio::test]
async fn with_a_folder_each_mail_is_a_file_that_others_cannot_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let (aws_box, client, clock) = open(Some(folder.path()));
    let sent = send(&client).send().await.expect("is sent");
    clock.advance(std::time::Duration::from_millis(1));
    let text_only =
        Message::builder().subject(content("Later")).body(Body::builder().text(content("x")).build());
    send(&client).content(simple(text_only)).send().await.expect("is sent");
    let folder = folder.path().join("mails");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    let ids: Vec<_> = aws_box.mails().into_iter().map(|mail| mail.id).collect();
    let name = |time: &str, id: &str| format!("2026-01-01T00-00-{time}Z-{}.eml", &id[..8]);
    assert_eq!(names, [name("00.000", &ids[0]), name("00.001", &ids[1])]);
    let file = folder.join(&names[0]);
    let mode = |path: &PathBuf| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));

    let id = sent.message_id().expect("an id");
    let eml = fs::read_to_string(file).expect("a mail");
    let expected = format!(
        "Message-ID: <{id}@aws.box.localhost>\r\n\
         Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n\
         From: Knockback <webhooks@example.com>\r\n\
         To: owner-0@example.com\r\n"
    );
    assert!(eml.starts_with(&expected), "{eml}");
    for part in [
        "Subject: =?",
        "\r\nMIME-Version: 1.0\r\n",
        "Content-Type: multipart/alternative",
        &format!("boundary=\"=_{id}\""),
        "Content-Type: text/plain; charset=\"utf-8\"",
        "Content-Type: text/html; charset=\"utf-8\"",
        &format!("--=_{id}--\r\n"),
    ] {
        assert!(eml.contains(part), "{part}: {eml}");
    }
    let eml = fs::read_to_string(folder.join(&names[1])).expect("a mail");
    assert!(eml.contains("\r\nContent-Type: text/plain") && !eml.contains("multipart"), "{eml}");
}

#[test]
fn beside_files_only_the_latest_mails_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(VirtualClock::new(START));
    let service = MailService::open(Some(folder.path().join("mails")), clock, Arc::new(Counting::default()));
    let service = service.expect("a service");
    for n in 0..=KEPT_BESIDE_FILES {
        let body = json!({
            "FromEmailAddress": "a@example.com",
            "Destination": {"ToAddresses": ["b@example.com"]},
            "Content": {"Simple": {"Subject": {"Data": n.to_string()}, "Body": {"Text": {"Data": "x"}}}},
        });
        assert_eq!(service.call("SendEmail", body.to_string().as_bytes()).status, 200);
    }
    let mails = service.mails();
    assert_eq!((mails.len(), mails[0].subject.as_str()), (KEPT_BESIDE_FILES, "1"));
    let files = fs::read_dir(folder.path().join("mails")).expect("a folder").count();
    assert_eq!(files, KEPT_BESIDE_FILES + 1);
}
