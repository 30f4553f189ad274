//! What a target gets of an event: the whole, a part, something made from parts, or always the same.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Refusal, Result,
    path::Path,
    put::Event,
    transform::{Source, Transformer, TransformerRequest},
};

/// What is sent for an event.
#[derive(Debug)]
pub(super) enum Input {
    Whole,
    Constant(String),
    Part(Path),
    Made(Transformer),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InputRequest {
    input: Option<String>,
    input_path: Option<String>,
    input_transformer: Option<TransformerRequest>,
}

impl Input {
    /// Reads what the request for target `id` asks for.
    pub(super) fn read(id: &str, request: InputRequest) -> Result<Self> {
        match (request.input, request.input_path, request.input_transformer) {
            (None, None, None) => Ok(Self::Whole),
            (Some(text), None, None) => match serde_json::from_str::<&RawValue>(&text) {
                Ok(_) => Ok(Self::Constant(text)),
                Err(error) => Err(invalid("Input", id, &error.to_string())),
            },
            (None, Some(path), None) => Path::parse(&path)
                .map(Self::Part)
                .ok_or_else(|| invalid("InputPath", id, "it is no JSON path that EventBridge knows")),
            (None, None, Some(transformer)) => Transformer::read(transformer)
                .map(Self::Made)
                .map_err(|reason| invalid("InputTransformer", id, &reason)),
            _ => Err(Refusal::validation(format!(
                "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
            ))),
        }
    }

    /// What is sent for `event`; `None` if it has no such part.
    pub(super) fn render(&self, event: &Event, rule_name: &str, rule_arn: &str) -> Option<String> {
        match self {
            Self::Whole => Some(event.text.clone()),
            Self::Constant(text) => Some(text.clone()),
            Self::Part(path) => path.find(&event.text),
            Self::Made(transformer) => Some(transformer.render(&Source { event, rule_name, rule_arn })),
        }
    }
}

fn invalid(parameter: &str, id: &str, reason: &str) -> Refusal {
    Refusal::validation(format!("Invalid {parameter} for target {id} : {reason}"))
}
