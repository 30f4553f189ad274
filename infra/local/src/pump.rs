//! Event source mappings: takes messages from the queues and gives them to the functions, as Lambda does.
//!
//! What a function does not name as failed is deleted; what it names stays hidden until its visibility timeout is over,
//! comes again, and ends in the dead-letter queue.

use std::{sync::Arc, time::Duration};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use tokio::sync::Semaphore;

use crate::{
    aws::sqs::{REGION, Received, SqsError, arn_of},
    system::System,
    template::Mapping,
};

/// How long one look into an empty queue waits, in real time.
const POLL: Duration = Duration::from_secs(20);

/// Feeds one function from one queue until it is stopped.
#[derive(Debug)]
pub struct Pump {
    running: tokio::task::JoinHandle<()>,
    invocations: Arc<Semaphore>,
    concurrency: u32,
}

impl Pump {
    /// Starts feeding.
    pub fn start(system: &System, mapping: &Mapping) -> Self {
        let concurrency = system.functions.concurrency(mapping.concurrency);
        let invocations = Arc::new(Semaphore::new(concurrency));
        let running = tokio::spawn(run(system.clone(), mapping.clone(), Arc::clone(&invocations)));
        Self { running, invocations, concurrency: u32::try_from(concurrency).unwrap_or(u32::MAX) }
    }

    /// Has none of the pumps take any more messages, then waits for the invocations that are under way.
    pub async fn stop_all(pumps: Vec<Self>) {
        for pump in &pumps {
            pump.running.abort();
        }
        for pump in pumps {
            // A pump that has ended keeps no invocation.
            let _ = pump.running.await;
            let _ = pump.invocations.acquire_many(pump.concurrency).await;
        }
    }
}

async fn run(system: System, mapping: Mapping, invocations: Arc<Semaphore>) {
    let sqs = &system.aws.sqs;
    loop {
        let Ok(permit) = Arc::clone(&invocations).acquire_owned().await else { return };
        // What nobody would take stays in the queue, and is not counted as received.
        system.functions.ready(&mapping.function).await;
        match sqs.receive_within(&mapping.queue, mapping.batch_size, None, POLL).await {
            Ok(messages) if messages.is_empty() => {}
            Ok(messages) => {
                let (system, mapping) = (system.clone(), mapping.clone());
                tokio::spawn(async move {
                    report(invoke(&system, &mapping, messages).await);
                    drop(permit);
                });
            }
            Err(error) => {
                report(Err(error));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn report(result: Result<(), SqsError>) {
    if let Err(error) = result {
        tracing::error!(error = knockback::telemetry::chain(&error), "a queue failed");
    }
}

impl System {
    /// Gives each mapping's function what its queue has, once; `false` if no queue had anything. For who moves a virtual
    /// clock: everything happens here, and nothing after it.
    ///
    /// # Errors
    ///
    /// If a queue fails.
    pub async fn pump_once(&self) -> Result<bool, SqsError> {
        let mut moved = false;
        for mapping in &self.mappings {
            let messages = self.aws.sqs.receive(&mapping.queue, mapping.batch_size, None)?;
            if !messages.is_empty() {
                moved = true;
                invoke(self, mapping, messages).await?;
            }
        }
        Ok(moved)
    }
}

async fn invoke(system: &System, mapping: &Mapping, messages: Vec<Received>) -> Result<(), SqsError> {
    let handles: Vec<_> = messages
        .iter()
        .map(|message| (message.message_id.to_string(), message.receipt_handle.clone()))
        .collect();
    let mut event = SqsEvent::default();
    event.records = messages.into_iter().map(|message| record(&mapping.queue, message)).collect();
    let response = system.invoke(&mapping.function, event).await;
    let failed = |id: &str| response.batch_item_failures.iter().any(|failure| failure.item_identifier == id);
    let done: Vec<_> = handles.into_iter().filter(|(id, _)| !failed(id)).map(|(_, handle)| handle).collect();
    system.aws.sqs.delete_all(&mapping.queue, &done)
}

/// A message as Lambda hands it over.
fn record(queue: &str, message: Received) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.attributes =
        message.system_attributes().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    record.md5_of_body = Some(message.md5_of_body());
    record.message_id = Some(message.message_id.to_string());
    record.receipt_handle = Some(message.receipt_handle);
    record.body = Some(message.body);
    record.event_source = Some("aws:sqs".to_owned());
    record.event_source_arn = Some(arn_of(queue));
    record.aws_region = Some(REGION.to_owned());
    record
}
