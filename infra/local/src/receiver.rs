//! A receiver to look at deliveries with: it answers 200 or, by path, another status, or later.
//!
//! `/receiver/anything` answers 200, `/receiver/status/503` answers 503, `/receiver/delay/12s` answers 200 after twelve
//! seconds, and `/receiver/delay/2s/status/500` does both.

use std::time::Duration;

use axum::{
    Router,
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};

/// The longest delay: longer than any deadline, and no reason to keep a connection for ever.
const DELAY_MAX: Duration = Duration::from_mins(1);

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Behaviour {
    status: StatusCode,
    delay: Duration,
}

/// The receiver's routes.
pub fn router() -> Router {
    Router::new()
        .route("/receiver/{*path}", any(receive))
        .route("/receiver/", any(async || received(StatusCode::OK)))
}

async fn receive(Path(path): Path<String>) -> Response {
    match Behaviour::parse(&path) {
        Ok(Behaviour { status, delay }) => {
            tokio::time::sleep(delay).await;
            received(status)
        }
        Err(reason) => (StatusCode::NOT_FOUND, reason).into_response(),
    }
}

fn received(status: StatusCode) -> Response {
    let body = if status.is_success() { "{\"received\":true}\n" } else { "{\"received\":false}\n" };
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

impl Behaviour {
    fn parse(path: &str) -> Result<Self, String> {
        let mut behaviour = Self { status: StatusCode::OK, delay: Duration::ZERO };
        let mut parts = path.split('/');
        while let Some(part) = parts.next() {
            match part {
                "status" => {
                    let status = parts.next().and_then(|status| status.parse::<u16>().ok());
                    let status = status.filter(|status| (200..600).contains(status));
                    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
                    behaviour.status = status.ok_or("status is followed by a number from 200 to 599\n")?;
                }
                "delay" => {
                    let delay = parts.next().and_then(|delay| humantime::parse_duration(delay).ok());
                    let delay = delay.filter(|delay| *delay <= DELAY_MAX);
                    behaviour.delay =
                        delay.ok_or("delay is followed by a duration such as 3s, at most 60s\n")?;
                }
                _ => {}
            }
        }
        Ok(behaviour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, status: u16, delay_secs: u64) {
        let expected = Behaviour {
            status: StatusCode::from_u16(status).expect("a status"),
            delay: Duration::from_secs(delay_secs),
        };
        assert_eq!(Behaviour::parse(path), Ok(expected), "{path}");
    }

    #[test]
    fn the_path_says_how_it_answers() {
        check("hello", 200, 0);
        check("crm/hook", 200, 0);
        check("status/503", 503, 0);
        check("delay/12s", 200, 12);
        check("hello/delay/2s/status/500", 500, 2);
        for path in ["status/99", "status", "delay/1h", "delay/soon"] {
            assert!(Behaviour::parse(path).is_err(), "{path}");
        }
    }
}
